//! The verifier: produces records that say what they are, remembers what was acknowledged, and reads all of it back.

mod checker;
mod ledger;
mod produce;
mod read;
mod stamp;

use std::time::Duration;

use anyhow::{Result, ensure};

pub use checker::Findings;
pub use ledger::{Ledger, entries};
pub use produce::{Producing, produce};
pub use read::check;

use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::scenario::Verify;
use crate::server::Server;
use crate::work::{TestTopic, configs};

/// Produces for the run's time, then checks everything.
pub async fn run(harness: &Harness, server: &Server, work: &Verify) -> Result<Measurement> {
    let client = server.client(&harness.runtime);
    let topic = TestTopic::create(&client, work.partitions, configs(server, work.durability)).await?;
    let path = harness.fresh_directory("verify")?.join("ledger");
    let producing = Producing {
        address: server.address.clone(),
        topic: topic.name.to_string(),
        partitions: work.partitions,
        producers: work.producers,
        records_per_batch: 10,
        record_bytes: 256,
        batches_per_second: None,
        run_for: Some(harness.timing.warm_up + harness.timing.measured),
        give_up_after: Duration::from_secs(10),
    };
    let ledger = Ledger::append_to(&path)?;
    let acknowledged = produce(&harness.runtime, &producing, &ledger).await?;
    let findings = check(&client, &topic.name, work.partitions, &entries(&path)?).await?;
    ensure!(findings.violations.is_empty(), "{findings}");
    ensure!(findings.acknowledged == acknowledged, "the ledger lost lines");
    topic.delete().await?;
    let mut measurement = Measurement::default();
    measurement.set("verified_records", findings.records as f64);
    Ok(measurement)
}
