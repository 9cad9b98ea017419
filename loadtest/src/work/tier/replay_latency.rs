//! Replay latency: single records end to end while others read the tier, beside others that read as much without it.

use std::path::Path;

use anyhow::Result;

use super::gets::{Gets, GetsArguments};
use super::history::Laid;
use super::reader::Replaying;
use super::stage::Stage;
use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::scenario::{EndToEnd, TierReplayLatency};
use crate::work::end_to_end;

const SETTINGS: &str = "cache = \"0B\"\nmax_age = \"1h\"\nstate_interval = \"1day\"\n";
/// Requests without a server, which go at the same pace.
const REQUESTS: usize = 8;

pub async fn tier_replay_latency(
    harness: &Harness,
    directory: &Path,
    work: &TierReplayLatency,
) -> Result<Measurement> {
    let runtime = &harness.runtime;
    let mut stage = Stage::set(harness, directory, work.bucket, None, SETTINGS).await?;
    let client = stage.client()?;
    let cold = Laid::cold(&client, &work.history).await?;
    let hot = Laid::produce(&client, &work.history, false).await?;
    stage.start_again().await?;
    let server = stage.server()?;
    let single = EndToEnd { rate: work.rate, ..EndToEnd::default() };

    let replaying = Replaying::start(runtime, server, &cold, work.mb_per_second).await?;
    let mut measurement = end_to_end(harness, server, &single).await?;
    let replayed = replaying.stop().await?;

    let raw = GetsArguments {
        url: stage.store.url(None),
        requests: REQUESTS,
        to: None,
        mb_per_second: Some(work.mb_per_second),
    };
    let gets = Gets::start(&raw)?;
    let replaying = Replaying::start(runtime, server, &hot, work.mb_per_second).await?;
    let control = end_to_end(harness, server, &single).await?;
    let replayed_hot = replaying.stop().await?;
    gets.stop()?;

    measurement.forget_bytes();
    copy_latencies(&mut measurement, &control, "control");
    measurement.set("replayed_mb_per_second", replayed.mb_per_second());
    measurement.set("control_replayed_mb_per_second", replayed_hot.mb_per_second());
    stage.stop().await?;
    Ok(measurement)
}

/// What single records took in another phase, under its name.
pub fn copy_latencies(measurement: &mut Measurement, other: &Measurement, phase: &str) {
    for (name, value) in &other.metrics {
        if name.starts_with("ack_") || name.starts_with("end_to_end_") {
            measurement.set(&format!("{phase}_{name}"), *value);
        }
    }
}
