//! Uploads: how old what only local disk has becomes, how soon a backlog is gone, and what an upload asks of the store.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use aquifer_client::{Acks, Client};
use aquifer_runtime::{Monotonic, Task};
use aquifer_types::{Offset, PartitionIndex};

use super::estimate::{uploaded, uploads_a_second};
use super::history::{Laid, create_topic, flush, show};
use super::slow::Manner;
use super::stage::Stage;
use crate::batch::Load;
use crate::harness::Harness;
use crate::measurement::{Latencies, Measurement};
use crate::scenario::TierUploads;
use crate::work::TestTopic;

/// How often ages are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// Of what trickles in, in each second.
const BATCHES_PER_SECOND: f64 = 20.0;
/// A backlog that takes longer does not go.
const LIMIT: Duration = Duration::from_secs(600);

/// When the batch at an offset of a partition was sent, the first one first.
type Notes = VecDeque<(Offset, Monotonic)>;

/// A producer at a steady pace, round and round over the partitions, and when it was told what stands where.
struct Trickle {
    is_over: Arc<AtomicBool>,
    noted: Arc<Mutex<Vec<Notes>>>,
    producing: Task<Result<()>>,
}

pub async fn tier_uploads(harness: &Harness, directory: &Path, work: &TierUploads) -> Result<Measurement> {
    let settings = format!("max_age = \"{}s\"\nstate_interval = \"1day\"\n", work.max_age_seconds);
    let mut stage = Stage::set(harness, directory, work.bucket, Some(Manner::default()), &settings).await?;
    let client = stage.client()?;
    let mut measurement = Measurement::default();

    let before = (uploaded(stage.server()?).await?, stage.slow()?.requests().2);
    let laid = Laid::paced(&client, &work.history, work.history_mb_per_second * 1e6).await?;
    flush(&client, &laid.topic).await?;
    let uploads = uploaded(stage.server()?).await? - before.0;
    let puts = (stage.slow()?.requests().2 - before.1) as f64;
    let gibibytes = laid.bytes() / f64::from(1 << 30);
    let estimated = {
        let partitions = work.history.partitions.to_string();
        let segment = format!("{}B", work.history.object_bytes);
        let assumed = ["--max-age", "1day", "--partitions", &partitions, "--segment", &segment];
        uploads_a_second(harness, 100e6, &assumed).await? / 100e6 * f64::from(1 << 30)
    };
    measurement.set("requests_per_gib", uploads / gibibytes);
    measurement.set("estimated_requests_per_gib", estimated);
    measurement.set("requests_off_by", (uploads / gibibytes / estimated - 1.0).abs());
    // Who waits for an upload has the state written too, which nobody does a second time in a month.
    measurement.set("state_puts", puts - uploads);
    laid.topic.delete().await?;

    let topic = create_topic(&client, &work.history, true).await?;
    let trickle = Trickle::start(harness, &client, &topic, work)?;
    let ages = watch(harness, &client, &topic, &trickle, work).await?;
    measurement.set_latencies("unsafe_age", &ages);
    if let Some(age) = measurement.metric("unsafe_age_p99_us") {
        measurement.set("rpo_p99_seconds", age / 1e6);
    }

    stage.slow()?.set_away(true);
    harness.runtime.sleep(Duration::from_secs_f64(work.away_seconds)).await;
    stage.slow()?.set_away(false);
    let back = harness.runtime.now().monotonic;
    let ends: Vec<i64> = show(&client, &topic).await?.iter().map(|part| part.high_watermark).collect();
    let drained = async {
        while show(&client, &topic).await?.iter().zip(&ends).any(|(part, end)| part.tier_end < *end) {
            harness.runtime.sleep(LOOK_INTERVAL).await;
        }
        Ok::<_, anyhow::Error>(())
    };
    harness.runtime.timeout(LIMIT, drained).await.context("the backlog does not go")??;
    let drained = harness.runtime.now().monotonic.since(back).as_secs_f64();
    measurement.set("drain_seconds", drained);
    measurement.set("drain_per_age", drained / work.away_seconds);
    trickle.stop().await?;
    stage.stop().await?;
    Ok(measurement)
}

impl Trickle {
    fn start(harness: &Harness, client: &Client, topic: &TestTopic, work: &TierUploads) -> Result<Trickle> {
        let partitions = usize::try_from(work.history.partitions)?;
        let batch_bytes = (work.mb_per_second * 1e6 / BATCHES_PER_SECOND) as usize;
        let record_bytes = work.history.record_bytes;
        let load = Load::new(&harness.runtime, batch_bytes.max(record_bytes * 2), record_bytes)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let noted = Arc::new(Mutex::new(vec![VecDeque::new(); partitions]));
        let (stopped, notes, client) = (is_over.clone(), noted.clone(), client.clone());
        let (name, runtime) = (topic.name.clone(), harness.runtime.clone());
        let producing = harness.runtime.spawn("trickle", async move {
            let mut turn = 0;
            while !stopped.load(Ordering::Relaxed) {
                let partition = PartitionIndex(i32::try_from(turn % partitions)?);
                let at = runtime.now().monotonic;
                let produced = client.produce(&name, partition, Acks::All, &load.batch).await?;
                let base = produced.context("an acknowledgement without an offset")?.base;
                notes.lock().expect("noting does not panic")[turn % partitions].push_back((base, at));
                turn += 1;
                let took = runtime.now().monotonic.since(at);
                runtime.sleep(Duration::from_secs_f64(1.0 / BATCHES_PER_SECOND).saturating_sub(took)).await;
            }
            Ok(())
        });
        Ok(Trickle { is_over, noted, producing })
    }

    /// When the oldest of the partition's records at or behind the offset was sent.
    fn oldest(&self, partition: usize, tier_end: i64) -> Option<Monotonic> {
        let mut notes = self.noted.lock().expect("noting does not panic");
        let notes = notes.get_mut(partition)?;
        while notes.front().is_some_and(|(base, _)| base.0 < tier_end) {
            notes.pop_front();
        }
        notes.front().map(|(_, at)| *at)
    }

    async fn stop(self) -> Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        self.producing.await.context("the producer failed")?
    }
}

/// How old the oldest record of each partition is that the tier does not have, again and again.
async fn watch(
    harness: &Harness,
    client: &Client,
    topic: &TestTopic,
    trickle: &Trickle,
    work: &TierUploads,
) -> Result<Latencies> {
    let mut ages = Latencies::default();
    let ends = harness.runtime.now().monotonic.plus(Duration::from_secs_f64(work.watched_seconds));
    // Until then nothing can be as old as it will be.
    let counts_from = harness.runtime.now().monotonic.plus(Duration::from_secs(work.max_age_seconds));
    while harness.runtime.now().monotonic < ends {
        harness.runtime.sleep(LOOK_INTERVAL).await;
        let found = show(client, topic).await?;
        let now = harness.runtime.now().monotonic;
        for (partition, part) in found.iter().enumerate() {
            if let Some(at) = trickle.oldest(partition, part.tier_end).filter(|_| now >= counts_from) {
                ages.record(u64::try_from(now.since(at).as_nanos()).unwrap_or(u64::MAX));
            }
        }
    }
    Ok(ages)
}
