//! `Stage`: a store, what stands in front of it, and a server that tiers into it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use aquifer_client::Client;

use super::bucket::{Store, VARIABLES};
use super::slow::{Manner, Slow};
use crate::harness::Harness;
use crate::scenario::Bucket;
use crate::server::{Configured, Server};

/// All of it ends with this.
pub struct Stage {
    pub store: Store,
    pub slow: Option<Slow>,
    harness: Harness,
    directory: PathBuf,
    /// Lines of the server's configuration, in its table of the tier.
    settings: String,
    /// None only while it is started again.
    server: Option<Server>,
}

impl Stage {
    /// With a manner, the server reaches the store through what has it.
    pub async fn set(
        harness: &Harness,
        directory: &Path,
        bucket: Bucket,
        manner: Option<Manner>,
        settings: &str,
    ) -> Result<Stage> {
        let is_elsewhere = manner.is_some_and(|manner| manner.is_elsewhere);
        let store =
            Store::start(&harness.runtime, &harness.programs, bucket, directory, is_elsewhere).await?;
        let slow = match (manner, store.port()) {
            (Some(manner), Some(port)) => Some(Slow::start(&harness.runtime, port, manner).await?),
            _ => None,
        };
        let url = store.url(slow.as_ref().map(|slow| slow.port));
        let settings = format!("[topics]\nretention_check = \"1s\"\n[tier]\nurl = \"{url}\"\n{settings}");
        let mut stage = Stage {
            store,
            slow,
            harness: harness.clone(),
            directory: directory.join("server"),
            settings,
            server: None,
        };
        stage.start().await?;
        Ok(stage)
    }

    pub fn server(&self) -> Result<&Server> {
        self.server.as_ref().context("the server could not be started again")
    }

    pub fn client(&self) -> Result<Client> {
        Ok(self.server()?.client(&self.harness.runtime))
    }

    /// What stands in front of the store.
    pub fn slow(&self) -> Result<&Slow> {
        self.slow.as_ref().context("nothing stands in front of the store")
    }

    /// The server without anything in memory.
    pub async fn start_again(&mut self) -> Result<()> {
        if let Some(server) = self.server.take() {
            server.stop(&self.harness.runtime).await?;
        }
        self.start().await
    }

    /// Ends the server, and leaves the store.
    pub async fn stop(&mut self) -> Result<()> {
        match self.server.take() {
            Some(server) => server.stop(&self.harness.runtime).await,
            None => Ok(()),
        }
    }

    async fn start(&mut self) -> Result<()> {
        let programs = &self.harness.programs;
        let configured = Configured { lines: &self.settings, variables: &VARIABLES, port: None };
        let started = programs.start_configured(&self.harness.runtime, &self.directory, &configured);
        self.server = Some(started.await?);
        Ok(())
    }
}
