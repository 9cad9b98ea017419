//! `Scenario`: what is run, in which order, and which figures come of it. Read from TOML.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::meter::Timing;
use crate::server::Kind;

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

/// What a run does.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Work {
    Produce(Produce),
    Fetch(Fetch),
    EndToEnd(EndToEnd),
    Idle(Idle),
    Start(Start),
    Memory(Memory),
    Verify(Verify),
    Ingest(Frames),
    Walfloor(Frames),
    Sendfile(Streams),
    Echo(Echo),
    ColdRead(ColdRead),
}

/// A topic's durability, by the config that each server has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    PageCache,
    Flushed,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Produce {
    pub producers: usize,
    pub partitions: i32,
    pub batch_bytes: usize,
    pub record_bytes: usize,
    pub in_flight: usize,
    pub durability: Durability,
    /// Batches per second of each producer; as many as the window allows if absent.
    pub rate: Option<f64>,
    /// A file system of its own, so that what its device wrote is known.
    pub own_device: bool,
    /// Of each partition so much is kept while the run goes on; everything if absent.
    pub kept_bytes: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fetch {
    pub consumers: usize,
    /// In each consumer's own partition.
    pub bytes: usize,
    pub batch_bytes: usize,
    pub record_bytes: usize,
    pub batches_per_fetch: usize,
    pub in_flight: usize,
    /// Once through, from an empty page cache.
    pub cold: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndToEnd {
    pub rate: f64,
    pub record_bytes: usize,
    pub durability: Durability,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Idle {
    pub partitions: i32,
    /// How long the server is left alone before it is looked at.
    pub settle_seconds: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Start {
    /// None for an empty directory.
    pub partitions: i32,
    pub segments: usize,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    pub produce: Produce,
    pub fetch: Fetch,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Verify {
    pub producers: usize,
    pub partitions: i32,
    pub durability: Durability,
}

/// Frames that a floor receives.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Frames {
    pub streams: usize,
    pub frame_bytes: usize,
    pub in_flight: usize,
    /// fdatasync after each frame; `ingest` only.
    pub sync: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Streams {
    pub streams: usize,
    /// Of each stream's file.
    pub bytes: usize,
    /// What a reader asks for at a time, and how often ahead: as consumers do.
    pub answer_bytes: usize,
    pub in_flight: usize,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Echo {
    pub rate: f64,
    pub message_bytes: usize,
    /// Appended to a growing file and synced before each answer; none if zero.
    pub append_bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColdRead {
    pub bytes: usize,
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

impl Default for Produce {
    fn default() -> Produce {
        Produce {
            producers: 1,
            partitions: 1,
            batch_bytes: 1 << 20,
            record_bytes: 1024,
            in_flight: 5,
            durability: Durability::Flushed,
            rate: None,
            own_device: false,
            kept_bytes: None,
        }
    }
}

impl Default for Fetch {
    fn default() -> Fetch {
        Fetch {
            consumers: 1,
            bytes: 256 << 20,
            batch_bytes: 1 << 20,
            record_bytes: 1024,
            batches_per_fetch: 4,
            in_flight: 2,
            cold: false,
        }
    }
}

impl Default for EndToEnd {
    fn default() -> EndToEnd {
        EndToEnd { rate: 1_000.0, record_bytes: 1024, durability: Durability::Flushed }
    }
}

impl Default for Idle {
    fn default() -> Idle {
        Idle { partitions: 0, settle_seconds: 2.0 }
    }
}

impl Default for Memory {
    fn default() -> Memory {
        let produce = Produce { durability: Durability::PageCache, ..Produce::default() };
        Memory { produce, fetch: Fetch::default() }
    }
}

impl Default for Verify {
    fn default() -> Verify {
        Verify { producers: 4, partitions: 8, durability: Durability::Flushed }
    }
}

impl Default for Frames {
    fn default() -> Frames {
        Frames { streams: 1, frame_bytes: 1 << 20, in_flight: 5, sync: false }
    }
}

impl Default for Streams {
    fn default() -> Streams {
        Streams { streams: 1, bytes: 256 << 20, answer_bytes: 4 << 20, in_flight: 2 }
    }
}

impl Default for Echo {
    fn default() -> Echo {
        Echo { rate: 1_000.0, message_bytes: 100, append_bytes: 0 }
    }
}

impl Default for ColdRead {
    fn default() -> ColdRead {
        ColdRead { bytes: 1 << 30 }
    }
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

impl Work {
    pub fn is_floor(&self) -> bool {
        matches!(
            self,
            Work::Ingest(_) | Work::Walfloor(_) | Work::Sendfile(_) | Work::Echo(_) | Work::ColdRead(_)
        )
    }

    fn shrink(&mut self) {
        match self {
            Work::Fetch(fetch) => fetch.bytes = fetch.bytes.min(16 << 20),
            Work::Memory(memory) => memory.fetch.bytes = memory.fetch.bytes.min(16 << 20),
            Work::Sendfile(streams) => streams.bytes = streams.bytes.min(16 << 20),
            Work::ColdRead(read) => read.bytes = read.bytes.min(16 << 20),
            Work::Idle(idle) => {
                idle.partitions = idle.partitions.min(50);
                idle.settle_seconds = 0.1;
            }
            Work::Start(start) => {
                start.partitions = start.partitions.min(10);
                start.segments = start.segments.min(2);
            }
            Work::Produce(produce) => produce.partitions = produce.partitions.min(50),
            Work::EndToEnd(_) | Work::Verify(_) | Work::Ingest(_) | Work::Walfloor(_) | Work::Echo(_) => {}
        }
    }
}

#[cfg(test)]
#[path = "scenario_test.rs"]
mod tests;
