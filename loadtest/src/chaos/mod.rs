//! Chaos: members of a group and their broker are killed again and again; what was acknowledged is read at least once, and
//! more than once only where somebody died. So are a broker and the store that it tiers into.

mod judge;
mod member;
mod scene;
mod tier;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use aquifer_runtime::Runtime;

use crate::server::Programs;
use scene::Scene;
pub use tier::{TierChaos, TierOutcome, tier};

/// What is done to whom, and for how long.
#[derive(Clone, Debug)]
pub struct Chaos {
    pub lasts: Duration,
    pub members: usize,
    pub partitions: i32,
    pub producers: usize,
    /// Of each producer, of ten records each.
    pub batches_per_second: f64,
    /// Between two deaths or departures; half of it to one and a half times as long.
    pub pause: Duration,
    /// How long the group may take to read the rest when nobody dies any more.
    pub quiet_limit: Duration,
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub acknowledged: u64,
    pub records: u64,
    /// Records read again, each time counted.
    pub repeated: u64,
    pub members_killed: u64,
    pub members_left: u64,
    pub broker_killed: u64,
    pub violations: Vec<String>,
}

impl Default for Chaos {
    fn default() -> Chaos {
        Chaos {
            lasts: Duration::from_secs(600),
            members: 6,
            partitions: 12,
            producers: 12,
            batches_per_second: 50.0,
            pause: Duration::from_secs(2),
            quiet_limit: Duration::from_secs(120),
        }
    }
}

/// Runs a broker, producers and members of one group in processes of their own, all of it in `directory`.
pub async fn groups(
    runtime: &Runtime,
    programs: &Programs,
    directory: PathBuf,
    chaos: &Chaos,
) -> Result<Outcome> {
    let mut scene = Scene::set(runtime, programs, directory, chaos).await?;
    scene.rage().await?;
    scene.calm_down().await
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} records acknowledged, {} in the log; {} read again",
            self.acknowledged, self.records, self.repeated
        )?;
        writeln!(
            f,
            "{} members killed, {} left, the broker killed {} times",
            self.members_killed, self.members_left, self.broker_killed
        )?;
        match self.violations.len() {
            0 => write!(f, "every record was read, and again only where somebody died"),
            count => {
                writeln!(f, "{count} violations:")?;
                self.violations.iter().take(50).try_for_each(|violation| writeln!(f, "  {violation}"))
            }
        }
    }
}
