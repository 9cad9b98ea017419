//! Upload latency: single records end to end while a backlog is uploaded and objects are deleted, beside quiet.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::history::{Laid, flush, show};
use super::replay_latency::copy_latencies;
use super::slow::Manner;
use super::stage::Stage;
use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::scenario::{EndToEnd, TierUploadLatency};
use crate::work::end_to_end;

const SETTINGS: &str = "grace = \"1s\"\nmax_age = \"1h\"\nstate_interval = \"10s\"\n";
/// The server looks for what it may delete every so often; its deletions fall into the window.
const BEFORE: Duration = Duration::from_secs(1);

pub async fn tier_upload_latency(
    harness: &Harness,
    directory: &Path,
    work: &TierUploadLatency,
) -> Result<Measurement> {
    let manner = Some(Manner { is_elsewhere: true, ..Manner::default() });
    let mut stage = Stage::set(harness, directory, work.bucket, manner, SETTINGS).await?;
    let client = stage.client()?;
    let deleted = Laid::cold(&client, &work.history).await?;
    let single = EndToEnd { rate: work.rate, ..EndToEnd::default() };

    harness.sync().await?;
    let quiet = end_to_end(harness, stage.server()?, &single).await?;

    stage.slow()?.set_away(true);
    let backlog = Laid::produce(&client, &work.history, true).await?;
    deleted.topic.delete().await?;
    // What was produced is on its way to the disk, whether there is a tier or not.
    harness.sync().await?;
    harness.runtime.sleep(BEFORE).await;
    stage.slow()?.set_away(false);
    let mut measurement = end_to_end(harness, stage.server()?, &single).await?;
    let behind: i64 =
        show(&client, &backlog.topic).await?.iter().map(|part| part.high_watermark - part.tier_end).sum();

    measurement.forget_bytes();
    copy_latencies(&mut measurement, &quiet, "quiet");
    measurement.set("backlog_left_records", behind as f64);
    flush(&client, &backlog.topic).await?;
    stage.stop().await?;
    Ok(measurement)
}
