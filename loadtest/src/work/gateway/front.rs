//! `Front`: the gateway a run speaks to, in the server or in a process of its own.

use std::path::PathBuf;
use std::process::{Child, Command};

use anyhow::{Context as _, Result};
use aquifer_client::Address;

use crate::harness::Harness;
use crate::server::{self, Server};

/// A gateway that is ready. Its process, if it has one, ends with it.
pub struct Front {
    pub address: Address,
    alone: Option<(Child, PathBuf)>,
}

impl Front {
    pub async fn of(harness: &Harness, server: &Server, alone: bool) -> Result<Front> {
        if !alone {
            let port = server.http_port.context("the server has no HTTP port that is known here")?;
            return Ok(Front { address: Address { host: "127.0.0.1".to_owned(), port }, alone: None });
        }
        let port = server::free_port()?;
        let directory = harness.fresh_directory("gateway")?;
        let mut command = Command::new(&harness.programs.aquifer);
        command.args(["gateway", "--bootstrap", &server.address.to_string()]);
        command.args(["--http-port", &port.to_string()]);
        let child = server::spawn(command, &directory)?;
        let address = Address { host: "127.0.0.1".to_owned(), port };
        let front = Front { address, alone: Some((child, directory)) };
        let ready =
            harness.runtime.timeout(server::START_LIMIT, server::wait_until_ready(&harness.runtime, port));
        ready.await.context("the gateway is never ready")?;
        Ok(front)
    }

    /// The process beside the server's.
    pub fn process(&self) -> Option<u32> {
        self.alone.as_ref().map(|(child, _)| child.id())
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Some((child, directory)) = &mut self.alone {
            // The run is over, and there is nobody to tell.
            let _ = child.kill();
            let _ = child.wait();
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}
