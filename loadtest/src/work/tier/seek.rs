//! Seek: the first record at offsets and times near which nobody has read, and what the store is asked for it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aquifer_client::{Acks, Client, FetchSettings, Fetched, OffsetAt};
use aquifer_types::{Offset, PartitionIndex, TimestampMs};

use super::history::{create_topic, flush, until_cold};
use super::slow::Manner;
use super::stage::Stage;
use crate::batch::Load;
use crate::harness::Harness;
use crate::measurement::{Latencies, Measurement};
use crate::scenario::TierSeek;
use crate::work::TestTopic;

const SETTINGS: &str = "cache = \"0B\"\nmax_age = \"1h\"\nstate_interval = \"1day\"\n";
/// What is fetched ahead of a seek is asked for at once, and counts.
const SETTLE: Duration = Duration::from_millis(100);
/// Records of one batch have one time, so that each batch's differs from the one before.
const TICK: Duration = Duration::from_millis(2);

/// Where a batch of the topic begins.
struct Spot {
    partition: PartitionIndex,
    offset: Offset,
    time: TimestampMs,
}

pub async fn tier_seek(harness: &Harness, directory: &Path, work: &TierSeek) -> Result<Measurement> {
    let manner = Manner { first_byte: Duration::from_millis(work.first_byte_ms), ..Manner::default() };
    let mut stage = Stage::set(harness, directory, work.bucket, Some(manner), SETTINGS).await?;
    let client = stage.client()?;
    let topic = create_topic(&client, &work.history, true).await?;
    let spots = lay_down(harness, &client, &topic, work).await?;
    flush(&client, &topic).await?;
    until_cold(&client, &topic).await?;
    stage.start_again().await?;
    let client = stage.client()?;
    client.offset(&topic.name, PartitionIndex(0), OffsetAt::End).await?;

    let mut measurement = Measurement::default();
    let (mut gets_max, mut lists_max) = (0, 0);
    for (name, is_by_time) in [("seek", false), ("time_seek", true)] {
        let mut latencies = Latencies::default();
        // Each in an object of its own, in which nobody has read before.
        for spot in spots.iter().skip(usize::from(is_by_time)).step_by(2).take(work.seeks) {
            let before = stage.slow()?.requests();
            let began = harness.runtime.now().monotonic;
            let offset = match is_by_time {
                true => client.offset(&topic.name, spot.partition, OffsetAt::Time(spot.time)).await?,
                false => Some(spot.offset),
            };
            ensure!(offset == Some(spot.offset), "{offset:?} was found where {} is", spot.offset);
            first_record(&client, &topic, spot).await?;
            let took = harness.runtime.now().monotonic.since(began);
            latencies.record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            harness.runtime.sleep(SETTLE).await;
            let after = stage.slow()?.requests();
            gets_max = gets_max.max(after.0 - before.0);
            lists_max = lists_max.max(after.1 - before.1);
        }
        measurement.set_latencies(name, &latencies);
    }
    measurement.set("seek_gets_max", gets_max as f64);
    measurement.set("seek_lists_max", lists_max as f64);
    stage.stop().await?;
    Ok(measurement)
}

/// Fills every partition, and returns a batch in the middle of each object.
async fn lay_down(
    harness: &Harness,
    client: &Client,
    topic: &TestTopic,
    work: &TierSeek,
) -> Result<Vec<Spot>> {
    let history = &work.history;
    let objects = (history.bytes / history.object_bytes).max(1);
    let batches = (history.object_bytes / history.batch_bytes).max(1);
    let mut spots = Vec::new();
    for partition in (0..history.partitions).map(PartitionIndex) {
        let mut offset = Offset(0);
        for batch in 0..objects * batches {
            harness.runtime.sleep(TICK).await;
            let time = harness.runtime.now().wall;
            let load = Load::new(&harness.runtime, history.batch_bytes, history.record_bytes)?;
            if batch % batches == batches / 2 {
                spots.push(Spot { partition, offset, time });
            }
            client.produce(&topic.name, partition, Acks::All, &load.batch).await.context("lay down data")?;
            offset = Offset(offset.0 + load.records);
        }
    }
    Ok(spots)
}

async fn first_record(client: &Client, topic: &TestTopic, spot: &Spot) -> Result<()> {
    let settings = FetchSettings { bytes_max: 1, partition_bytes_max: 1, ..FetchSettings::default() };
    let (_, leader) = client.leader(&topic.name, spot.partition).await?;
    let connection = client.connection(leader.node).await?;
    let request = settings.request_for(&topic.name, topic.id, spot.partition, spot.offset);
    loop {
        let response = connection.call(&request).await?;
        let found = response.responses.first().and_then(|topic| topic.partitions.first());
        let found = Fetched::from_partition(found.context("an answer without the partition")?)?;
        if !found.records.is_empty() {
            return Ok(());
        }
    }
}
