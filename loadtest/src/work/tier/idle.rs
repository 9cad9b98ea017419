//! Partitions that hardly anything comes to, in the tier: how many uploads they cost.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aquifer_client::{Acks, Client, Produced};
use aquifer_runtime::{Monotonic, Task};
use aquifer_types::PartitionIndex;

use super::estimate::{uploaded, uploads_a_second};
use super::stage::Stage;
use crate::batch::single;
use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::scenario::TierIdle;
use crate::server::Server;
use crate::work::TestTopic;

const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// What a record holds.
const VALUE: [u8; 32] = [b'x'; 32];
const IN_FLIGHT_MAX: usize = 64;

/// The start of a round of uploads, and how many there were until its end.
#[derive(Clone, Copy)]
struct Round {
    at: Monotonic,
    uploads: f64,
}

pub async fn tier_idle(harness: &Harness, directory: &Path, work: &TierIdle) -> Result<Measurement> {
    let settings = format!("max_age = \"{}s\"\n", work.max_age_seconds);
    let mut stage = Stage::set(harness, directory, work.bucket, None, &settings).await?;
    let client = stage.client()?;
    let configs = [("remote.storage.enable", "true"), ("local.retention.bytes", "0")];
    let configs = configs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let topic = Arc::new(TestTopic::create(&client, work.partitions, BTreeMap::from(configs)).await?);
    let is_over = Arc::new(AtomicBool::new(false));
    let (bytes, trickle) = trickle(harness, &client, &topic, work, &is_over)?;

    let rounds = rounds(harness, stage.server()?, work).await;
    is_over.store(true, Ordering::Relaxed);
    trickle.await.context("the producer failed")??;
    let rounds = rounds?;
    let (first, last) = (rounds[0], rounds[rounds.len() - 1]);
    let seconds = last.at.since(first.at).as_secs_f64();
    let counted = (last.uploads - first.uploads) / seconds;
    let rate = bytes as f64 * f64::from(work.partitions) / work.batch_interval_seconds;
    let (partitions, age) = (work.partitions.to_string(), format!("{}s", work.max_age_seconds));
    let interval = format!("{}ms", (work.batch_interval_seconds * 1e3) as u64);
    let assumed = ["--partitions", &partitions, "--max-age", &age, "--batch-interval", &interval];
    let estimated = uploads_a_second(harness, rate, &assumed).await?;
    let mut measurement = Measurement::default();
    measurement.set("uploads_per_hour", counted * 3600.0);
    measurement.set("estimated_uploads_per_hour", estimated * 3600.0);
    measurement.set("uploads_off_by", (counted / estimated - 1.0).abs());
    measurement.set("seconds_of_a_round", seconds / (rounds.len() - 1) as f64);
    stage.stop().await?;
    Ok(measurement)
}

/// A record to each partition again and again; and how many bytes one takes.
fn trickle(
    harness: &Harness,
    client: &Client,
    topic: &Arc<TestTopic>,
    work: &TierIdle,
    is_over: &Arc<AtomicBool>,
) -> Result<(usize, Task<Result<()>>)> {
    let batch = single(&VALUE, harness.runtime.now().wall)?;
    let bytes = batch.len();
    let (client, topic, is_over) = (client.clone(), topic.clone(), is_over.clone());
    let (partitions, runtime) = (work.partitions, harness.runtime.clone());
    let pause = work.batch_interval_seconds / f64::from(partitions);
    let producing = harness.runtime.spawn("trickle", async move {
        let (_, leader) = client.leader(&topic.name, PartitionIndex(0)).await?;
        let connection = client.connection(leader.node).await?;
        let began = runtime.now().monotonic;
        let mut pending = VecDeque::new();
        for turn in 0u32.. {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            let partition = PartitionIndex(i32::try_from(turn)? % partitions);
            let request = Acks::All.request(&topic.name, topic.id, partition, batch.clone());
            if pending.len() == IN_FLIGHT_MAX {
                answered(&mut pending).await?;
            }
            pending.push_back(connection.begin(&request).await?);
            let due = Duration::from_secs_f64(f64::from(turn) * pause);
            let ahead = due.saturating_sub(runtime.now().monotonic.since(began));
            if ahead > Duration::from_millis(2) {
                runtime.sleep(ahead).await;
            }
        }
        while !pending.is_empty() {
            answered(&mut pending).await?;
        }
        Ok(())
    });
    Ok((bytes, producing))
}

async fn answered(
    pending: &mut VecDeque<aquifer_client::Reply<aquifer_wire::messages::ProduceResponse>>,
) -> Result<()> {
    let Some(mut reply) = pending.pop_front() else { return Ok(()) };
    Produced::from_response(&reply.answer().await?).context("produce to an idle partition")?;
    Ok(())
}

/// The first round of uploads and those that are counted: each is over once nothing comes for a part of the time between two.
async fn rounds(harness: &Harness, server: &Server, work: &TierIdle) -> Result<Vec<Round>> {
    let quiet = Duration::from_secs_f64(work.max_age_seconds as f64 / 4.0);
    let limit = Duration::from_secs(work.max_age_seconds) * u32::try_from(work.rounds + 3)? * 2;
    let now = || harness.runtime.now().monotonic;
    let ends = now().plus(limit);
    let mut rounds: Vec<Round> = Vec::new();
    let mut last = Round { at: now(), uploads: uploaded(server).await? };
    // When there was an upload last, within a round.
    let mut grown_at: Option<Monotonic> = None;
    while rounds.len() <= work.rounds {
        ensure!(now() < ends, "idle partitions are not uploaded");
        harness.runtime.sleep(LOOK_INTERVAL).await;
        let uploads = uploaded(server).await?;
        if uploads > last.uploads {
            let at = if grown_at.is_none() { now() } else { last.at };
            last = Round { at, uploads };
            grown_at = Some(now());
        } else if grown_at.is_some_and(|grown_at| now().since(grown_at) >= quiet) {
            rounds.push(last);
            grown_at = None;
        }
    }
    Ok(rounds)
}
