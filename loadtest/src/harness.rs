//! `Harness`: what every run is given, and the watch over processors and memory while it is measured.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aquifer_runtime::Runtime;

use crate::measurement::Measurement;
use crate::meter::{Meter, Timing};
use crate::prewarm::Reserve;
use crate::process::{Usage, machine_user_seconds, share_of_others};
use crate::server::{Programs, Server};
use crate::system::sync_everything;

/// Servers delete a topic's files some time after the topic: Kafka, as it is set up here, a second later.
const DELETION_DELAY: Duration = Duration::from_millis(1_500);

/// What every run is given.
#[derive(Clone)]
pub struct Harness {
    pub runtime: Runtime,
    pub programs: Programs,
    /// Holds what runs write; on the disk that is measured.
    pub directory: PathBuf,
    pub timing: Timing,
    /// How much memory is touched before each run that writes.
    pub prewarm_bytes: usize,
}

/// Looks at the machine when a meter's window opens and when it closes.
pub struct Watch<'a> {
    runtime: Runtime,
    meter: Meter,
    server: Option<&'a Server>,
    /// A gateway's process.
    beside: Option<u32>,
}

#[derive(Clone, Copy)]
struct Look {
    own: Usage,
    server: Usage,
    beside: Usage,
    machine: f64,
    at: u64,
    bytes: u64,
}

impl Harness {
    /// Makes a run that writes start as any other: the runs before have left neither dirty pages nor files about to
    /// be deleted, and there is memory that was touched before, for [`Reserve::release_with`].
    pub async fn prepare_to_write(&self) -> Result<Reserve> {
        if self.prewarm_bytes > 0 {
            self.runtime.sleep(DELETION_DELAY).await;
            self.sync().await?;
        }
        Reserve::touch(&self.runtime, self.prewarm_bytes).await
    }

    /// Comes back when no page is dirty.
    pub async fn sync(&self) -> Result<()> {
        self.runtime.spawn_blocking("sync", sync_everything).await.context("sync")
    }

    /// Starts the warm-up.
    pub fn start_measuring<'a>(&self, server: Option<&'a Server>) -> Result<(Meter, Watch<'a>)> {
        let meter = Meter::start(&self.runtime, self.timing);
        Ok((meter.clone(), Watch { runtime: self.runtime.clone(), meter, server, beside: None }))
    }

    /// An empty directory that no other run has.
    pub fn fresh_directory(&self, name: &str) -> Result<PathBuf> {
        let directory = self.directory.join(format!("{name}-{:016x}", self.runtime.random_u64()));
        std::fs::create_dir_all(&directory)?;
        Ok(directory)
    }
}

impl Watch<'_> {
    /// Looks at that process too, if there is one.
    pub fn beside(mut self, process: Option<u32>) -> Self {
        self.beside = process;
        self
    }

    /// Waits for the window's end and reports what the meter and the machine say.
    pub async fn wait(self) -> Result<Measurement> {
        self.runtime.sleep(self.meter.until_open()).await;
        let before = self.look()?;
        self.runtime.sleep(self.meter.until_over()).await;
        let after = self.look()?;
        let mut measurement = self.meter.report();
        let seconds = (after.at - before.at) as f64 / 1e9;
        // What was moved between the two looks, which are not quite the window.
        let gigabytes = (after.bytes - before.bytes) as f64 / 1e9;
        let cpu = |now: Usage, then: Usage| now.cpu_seconds - then.cpu_seconds;
        let user = |now: Usage, then: Usage| now.user_seconds - then.user_seconds;
        if gigabytes > 0.0 {
            measurement.set("own_cpu_seconds_per_gb", cpu(after.own, before.own) / gigabytes);
        }
        if gigabytes > 0.0 && self.beside.is_some() {
            measurement.set("gateway_cpu_seconds_per_gb", cpu(after.beside, before.beside) / gigabytes);
        }
        if self.server.is_some_and(|server| server.directory().is_some()) {
            if gigabytes > 0.0 {
                measurement.set("server_cpu_seconds_per_gb", cpu(after.server, before.server) / gigabytes);
            }
            measurement.set("server_cpu_share", cpu(after.server, before.server) / seconds);
            measurement.set("server_memory_mb", after.server.resident_bytes as f64 / 1e6);
            measurement.set("server_memory_max_mb", after.server.resident_bytes_max as f64 / 1e6);
        }
        let ours = user(after.own, before.own) + user(after.beside, before.beside);
        let known = ours + user(after.server, before.server);
        let others = share_of_others(after.machine - before.machine, known, seconds);
        measurement.set("others_cpu_share", others);
        Ok(measurement)
    }

    fn look(&self) -> Result<Look> {
        Ok(Look {
            own: Usage::of_self()?,
            server: self.server.map(Server::usage).transpose()?.unwrap_or_default(),
            beside: self.beside.map(Usage::of).transpose()?.unwrap_or_default(),
            machine: machine_user_seconds()?,
            at: self.meter.now(),
            bytes: self.meter.bytes(),
        })
    }
}
