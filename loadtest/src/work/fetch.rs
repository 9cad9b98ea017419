//! Fetch: consumers that drop what they get, over data just read or from an empty page cache.

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use aquifer_client::{Acks, Client, Connection, FetchSettings, HeadReply, Produced};
use aquifer_runtime::Task;
use aquifer_types::{Offset, PartitionIndex};
use aquifer_wire::decode_response;
use aquifer_wire::messages::{FetchRequest, FetchResponse};

use crate::batch::Load;
use crate::harness::Harness;
use crate::measurement::{Latencies, Measurement};
use crate::meter::{Meter, Timing};
use crate::scenario::{Durability, Fetch};
use crate::server::Server;
use crate::system::{cached_bytes, drop_cached, sync_everything};
use crate::work::topic::{TestTopic, configs};

/// What is kept of each answer: enough for one that brings nothing but an error.
const HEAD_BYTES: usize = 512;

/// Batches under way while the data is laid down.
const FILL_IN_FLIGHT: usize = 8;

/// How often the cache is dropped again where pages were still being written back.
const DROPS: usize = 10;

/// Data that was laid down to be read.
struct Source<'a> {
    server: &'a Server,
    work: &'a Fetch,
    topic: TestTopic,
    load: Load,
    /// In each partition.
    batches: i64,
}

/// One consumer of one partition.
struct Consumer {
    connection: Connection,
    topic: aquifer_wire::Text,
    topic_id: aquifer_types::TopicId,
    partition: PartitionIndex,
    settings: FetchSettings,
    load: Load,
    batches: i64,
    batches_per_fetch: i64,
    in_flight: usize,
    next: i64,
    pending: VecDeque<(u64, HeadReply)>,
    meter: Meter,
    latencies: Latencies,
}

pub async fn fetch(harness: &Harness, server: &Server, work: &Fetch) -> Result<Measurement> {
    let client = server.client(&harness.runtime);
    let load = Load::new(&harness.runtime, work.batch_bytes, work.record_bytes)?;
    let consumers = i32::try_from(work.consumers)?;
    let topic = TestTopic::create(&client, consumers, configs(server, Durability::PageCache)).await?;
    let batches = i64::try_from(work.bytes / load.batch.len())?.max(1);
    for partition in 0..consumers {
        fill(&client, &topic, PartitionIndex(partition), &load, batches).await?;
    }
    let source = Source { server, work, topic, load, batches };
    let measurement =
        if work.cold { fetch_cold(harness, &source).await? } else { fetch_hot(harness, &source).await? };
    source.topic.delete().await?;
    Ok(measurement)
}

/// Reads round and round for the window; the warm-up reads everything once at least.
async fn fetch_hot(harness: &Harness, source: &Source<'_>) -> Result<Measurement> {
    // Whatever left the cache since it was written comes back before the window.
    let endless = Timing { warm_up: Duration::ZERO, measured: Duration::from_secs(3_600) };
    let reading = Meter::start(&harness.runtime, endless);
    for partition in 0..source.work.consumers {
        let mut consumer = Consumer::connect(harness, source, partition, &reading).await?;
        consumer.read_once().await?;
    }
    let (meter, watch) = harness.start_measuring(Some(source.server))?;
    let mut tasks: Vec<Task<Result<Latencies>>> = Vec::new();
    for partition in 0..source.work.consumers {
        let consumer = Consumer::connect(harness, source, partition, &meter).await?;
        tasks.push(harness.runtime.spawn("consumer", consumer.run()));
    }
    let mut measurement = watch.wait().await?;
    let mut latencies = Latencies::default();
    for task in tasks {
        latencies.add(&task.await.context("a consumer failed")??);
    }
    measurement.set_latencies("fetch", &latencies);
    Ok(measurement)
}

/// Reads everything once, after its pages were dropped.
async fn fetch_cold(harness: &Harness, source: &Source<'_>) -> Result<Measurement> {
    let directory = source.server.directory().context("a cold fetch needs a server started here")?;
    let cached = drop_segments(harness, directory).await?;
    let endless = Timing { warm_up: Duration::ZERO, measured: Duration::from_secs(3_600) };
    let meter = Meter::start(&harness.runtime, endless);
    let (usage, started) = (source.server.usage()?, meter.now());
    let mut tasks: Vec<Task<Result<()>>> = Vec::new();
    for partition in 0..source.work.consumers {
        let mut consumer = Consumer::connect(harness, source, partition, &meter).await?;
        tasks.push(harness.runtime.spawn("consumer", async move { consumer.read_once().await }));
    }
    for task in tasks {
        task.await.context("a consumer failed")??;
    }
    let seconds = (meter.now() - started) as f64 / 1e9;
    let bytes = meter.bytes() as f64;
    let mut measurement = Measurement::default();
    measurement.set("mb_per_second", bytes / 1e6 / seconds);
    measurement.set("bytes", bytes);
    let cpu = source.server.usage()?.cpu_seconds - usage.cpu_seconds;
    measurement.set("server_cpu_seconds_per_gb", cpu / (bytes / 1e9));
    measurement.set("cached_mb_before", cached as f64 / 1e6);
    Ok(measurement)
}

/// Lays down the same batch many times.
pub async fn fill(
    client: &Client,
    topic: &TestTopic,
    partition: PartitionIndex,
    load: &Load,
    batches: i64,
) -> Result<()> {
    let (_, leader) = client.leader(&topic.name, partition).await?;
    let connection = client.connection(leader.node).await?;
    let request = Acks::All.request(&topic.name, topic.id, partition, load.batch.clone());
    let mut pending = VecDeque::new();
    for _ in 0..batches {
        if pending.len() == FILL_IN_FLIGHT {
            finish(&mut pending).await?;
        }
        pending.push_back(connection.begin(&request).await?);
    }
    while !pending.is_empty() {
        finish(&mut pending).await?;
    }
    Ok(())
}

async fn finish(
    pending: &mut VecDeque<aquifer_client::Reply<aquifer_wire::messages::ProduceResponse>>,
) -> Result<()> {
    let Some(mut reply) = pending.pop_front() else { return Ok(()) };
    Produced::from_response(&reply.answer().await?).context("lay down data")?;
    Ok(())
}

/// Drops all segments of the server from the page cache; says how many bytes stayed.
async fn drop_segments(harness: &Harness, directory: &Path) -> Result<u64> {
    let directory = directory.to_owned();
    let drop_once = move || -> Result<u64> {
        sync_everything();
        let mut segments = Vec::new();
        find_segments(&directory, &mut segments)?;
        let mut cached = 0;
        for path in segments {
            // A segment may be deleted meanwhile.
            let Ok(file) = File::open(&path) else { continue };
            drop_cached(&file)?;
            cached += cached_bytes(&file).unwrap_or(0);
        }
        Ok(cached)
    };
    let mut cached = 0;
    for _ in 0..DROPS {
        let task = harness.runtime.spawn_blocking("drop page cache", drop_once.clone());
        cached = task.await.context("drop the page cache")??;
        if cached == 0 {
            break;
        }
    }
    Ok(cached)
}

fn find_segments(directory: &Path, segments: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(directory);
    let Ok(entries) = entries else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            find_segments(&path, segments)?;
        } else if path.extension().is_some_and(|extension| extension == "log") {
            segments.push(path);
        }
    }
    Ok(())
}

impl Consumer {
    async fn connect(
        harness: &Harness,
        source: &Source<'_>,
        partition: usize,
        meter: &Meter,
    ) -> Result<Consumer> {
        let Source { server, work, topic, load, batches } = source;
        let client = server.client(&harness.runtime);
        let partition = PartitionIndex(i32::try_from(partition)?);
        let (_, leader) = client.leader(&topic.name, partition).await?;
        let bytes = i32::try_from(load.batch.len() * work.batches_per_fetch)?;
        let settings =
            FetchSettings { bytes_max: bytes, partition_bytes_max: bytes, ..FetchSettings::default() };
        Ok(Consumer {
            connection: client.connection(leader.node).await?,
            topic: topic.name.clone(),
            topic_id: topic.id,
            partition,
            settings,
            load: load.clone(),
            batches: *batches,
            batches_per_fetch: i64::try_from(work.batches_per_fetch)?.max(1),
            in_flight: work.in_flight.max(1),
            next: 0,
            pending: VecDeque::new(),
            meter: meter.clone(),
            latencies: Latencies::default(),
        })
    }

    async fn run(mut self) -> Result<Latencies> {
        while !self.meter.is_over() {
            while self.pending.len() < self.in_flight {
                self.ask().await?;
            }
            self.take().await?;
        }
        while !self.pending.is_empty() {
            self.take().await?;
        }
        Ok(self.latencies)
    }

    /// Asks for everything once.
    async fn read_once(&mut self) -> Result<()> {
        while self.asks_left() || !self.pending.is_empty() {
            while self.pending.len() < self.in_flight && self.asks_left() {
                self.ask().await?;
            }
            self.take().await?;
        }
        Ok(())
    }

    fn asks_left(&self) -> bool {
        self.next < self.batches
    }

    async fn ask(&mut self) -> Result<()> {
        if !self.asks_left() {
            self.next = 0;
        }
        let request = self.request();
        self.next += self.batches_per_fetch;
        let now = self.meter.now();
        self.pending.push_back((now, self.connection.begin_head(&request, HEAD_BYTES).await?));
        Ok(())
    }

    fn request(&self) -> FetchRequest {
        let offset = Offset(self.next * self.load.records);
        self.settings.request_for(&self.topic, self.topic_id, self.partition, offset)
    }

    /// Takes the next answer, and counts the whole batches in it.
    async fn take(&mut self) -> Result<()> {
        let Some((asked, mut reply)) = self.pending.pop_front() else { return Ok(()) };
        let frame = reply.frame().await?;
        if frame.length <= HEAD_BYTES {
            let version = self.connection.version::<FetchRequest>()?;
            let (_, response) = decode_response::<FetchResponse>(version, &frame.bytes)?;
            bail!("a fetch brought no records: {response:?}");
        }
        // What is not a whole batch is of no use to a consumer.
        let batch = self.load.batch.len();
        let bytes = (frame.length / batch * batch) as u64;
        let now = self.meter.now();
        if self.meter.count(now, bytes) {
            self.latencies.record(now.saturating_sub(asked));
        }
        Ok(())
    }
}
