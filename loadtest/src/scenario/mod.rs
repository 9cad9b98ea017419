//! `Scenario`: what is run, in which order, and which figures come of it. Read from TOML.

mod gateway;
mod groups;
mod tier;
mod work;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::meter::Timing;
use crate::server::Kind;

pub use gateway::{
    AddedLatency, Body, Form, GatewayProduce, GatewayRead, GrpcAck, GrpcProduce, HttpParse, Parked, Way,
};
pub use groups::{Commits, Consume, Departure, IdleConsumers, Members, Program, Reload};
pub use tier::{
    Bucket, History, TierIdle, TierReplay, TierReplayLatency, TierRestore, TierSeek, TierUploadLatency,
    TierUploads, TierWarm,
};
pub use work::{
    ColdRead, Durability, Echo, EndToEnd, Fetch, Frames, Idle, Memory, Produce, Start, Streams, Verify, Work,
};

/// Runs that are repeated in turn, so that a machine whose speed drifts is the same for all of a round.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    #[serde(default = "rounds")]
    pub rounds: usize,
    #[serde(default = "warm_up_seconds")]
    pub warm_up_seconds: f64,
    #[serde(default = "seconds")]
    pub seconds: f64,
    #[serde(rename = "run")]
    pub runs: Vec<Run>,
    #[serde(default, rename = "figure")]
    pub figures: Vec<Figure>,
}

/// One run of a round.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    pub label: String,
    /// None for floors.
    pub server: Option<Kind>,
    /// A server of its own, with an empty directory, in place of the one that serves all scenarios.
    #[serde(default)]
    pub fresh: bool,
    /// In place of the scenario's own.
    pub seconds: Option<f64>,
    pub rounds: Option<usize>,
    pub work: Work,
}

/// A number to be reached: a metric of one run, against another's if there is one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    pub name: String,
    pub of: String,
    pub against: Option<String>,
    pub metric: String,
    /// The other run's metric, if it has another name there.
    pub against_metric: Option<String>,
    pub better: Better,
    pub must: Option<f64>,
    pub aim: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    Higher,
    Lower,
}

fn rounds() -> usize {
    7
}

fn warm_up_seconds() -> f64 {
    1.0
}

fn seconds() -> f64 {
    3.0
}

impl Scenario {
    pub fn parse(text: &str) -> Result<Scenario> {
        let scenario: Scenario = toml::from_str(text)?;
        scenario.check()?;
        Ok(scenario)
    }

    pub fn read(path: &PathBuf) -> Result<Scenario> {
        let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        Scenario::parse(&text).with_context(|| format!("understand {}", path.display()))
    }

    pub fn timing(&self, run: &Run) -> Timing {
        Timing {
            warm_up: Duration::from_secs_f64(self.warm_up_seconds),
            measured: Duration::from_secs_f64(run.seconds.unwrap_or(self.seconds)),
        }
    }

    /// The same with little data and time, to see whether it runs at all.
    pub fn quickly(mut self) -> Scenario {
        self.rounds = 1;
        (self.warm_up_seconds, self.seconds) = (0.1, 0.3);
        for run in &mut self.runs {
            run.seconds = None;
            run.work.shrink();
        }
        self
    }

    fn check(&self) -> Result<()> {
        let sane = |seconds: f64| (0.0..=86_400.0).contains(&seconds);
        ensure!(sane(self.warm_up_seconds) && sane(self.seconds), "{}: seconds out of range", self.name);
        for run in &self.runs {
            ensure!(run.seconds.is_none_or(sane), "{}: seconds of {} out of range", self.name, run.label);
            let floor = run.work.is_floor();
            ensure!(
                floor == run.server.is_none(),
                "{}: {} needs a server, or must not",
                self.name,
                run.label
            );
            let same = self.runs.iter().filter(|other| other.label == run.label).count();
            ensure!(same == 1, "{}: the label {} stands twice", self.name, run.label);
        }
        for figure in &self.figures {
            for label in [Some(&figure.of), figure.against.as_ref()].into_iter().flatten() {
                ensure!(
                    self.runs.iter().any(|run| run.label == *label),
                    "{}: the figure {:?} names {label}, which is not run",
                    self.name,
                    figure.name
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "scenario_test.rs"]
mod tests;
