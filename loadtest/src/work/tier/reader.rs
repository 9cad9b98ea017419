//! Readers of a topic that drop what they get: one for each partition, from start to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use aquifer_client::{Connection, FetchSettings};
use aquifer_runtime::{Monotonic, Runtime, Task};
use aquifer_types::{Offset, PartitionIndex};
use aquifer_wire::messages::{FetchRequest, FetchResponse};
use aquifer_wire::{ErrorCode, decode_response};
use bytes::Bytes;

use super::history::Laid;
use crate::server::Server;

/// What is kept of each answer: enough for one that brings no records.
const HEAD_BYTES: usize = 512;
/// At a time, as consumers that replay are told to ask for.
const FETCH_BYTES: i32 = 4 << 20;
const WAIT_MAX: Duration = Duration::from_secs(1);
/// A reader to whom nothing comes for so long is stuck.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// What readers came to.
#[derive(Clone, Copy, Debug)]
pub struct Replayed {
    pub bytes: f64,
    pub seconds: f64,
}

/// How fast all readers together go on, and until when.
pub struct Pace {
    runtime: Runtime,
    began: Monotonic,
    bytes_per_second: Option<f64>,
    read: AtomicU64,
    is_over: AtomicBool,
}

/// Readers that begin again at the end, until they are told to stop.
pub struct Replaying {
    pace: Arc<Pace>,
    readers: Vec<Task<Result<()>>>,
}

struct Reader {
    connection: Connection,
    topic: aquifer_wire::Text,
    topic_id: aquifer_types::TopicId,
    partition: PartitionIndex,
    batch_bytes: usize,
    batch_records: i64,
    end: i64,
    pace: Arc<Pace>,
}

impl Replayed {
    pub fn mb_per_second(&self) -> f64 {
        self.bytes / 1e6 / self.seconds
    }
}

/// Reads everything once, all partitions at once.
pub async fn replay(runtime: &Runtime, server: &Server, laid: &Laid) -> Result<Replayed> {
    let pace = Pace::new(runtime, None);
    let mut tasks = Vec::new();
    for reader in Reader::connect_all(runtime, server, laid, &pace).await? {
        tasks.push(runtime.spawn("reader", async move { reader.read_once().await }));
    }
    for task in tasks {
        task.await.context("a reader failed")??;
    }
    Ok(pace.replayed())
}

impl Replaying {
    pub async fn start(
        runtime: &Runtime,
        server: &Server,
        laid: &Laid,
        mb_per_second: f64,
    ) -> Result<Replaying> {
        let pace = Pace::new(runtime, Some(mb_per_second * 1e6));
        let mut readers = Vec::new();
        for reader in Reader::connect_all(runtime, server, laid, &pace).await? {
            readers.push(runtime.spawn("reader", async move {
                while !reader.pace.is_over.load(Ordering::Relaxed) {
                    reader.read_once().await?;
                }
                Ok(())
            }));
        }
        Ok(Replaying { pace, readers })
    }

    pub async fn stop(self) -> Result<Replayed> {
        self.pace.is_over.store(true, Ordering::Relaxed);
        for reader in self.readers {
            reader.await.context("a reader failed")??;
        }
        Ok(self.pace.replayed())
    }
}

impl Pace {
    fn new(runtime: &Runtime, bytes_per_second: Option<f64>) -> Arc<Pace> {
        Arc::new(Pace {
            runtime: runtime.clone(),
            began: runtime.now().monotonic,
            bytes_per_second,
            read: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        })
    }

    fn elapsed(&self) -> f64 {
        self.runtime.now().monotonic.since(self.began).as_secs_f64()
    }

    fn replayed(&self) -> Replayed {
        Replayed { bytes: self.read.load(Ordering::Relaxed) as f64, seconds: self.elapsed() }
    }

    /// Until what was read so far may have been read.
    async fn wait(&self) {
        let Some(rate) = self.bytes_per_second else { return };
        let ahead = self.read.load(Ordering::Relaxed) as f64 / rate - self.elapsed();
        if ahead > 0.0 {
            self.runtime.sleep(Duration::from_secs_f64(ahead)).await;
        }
    }
}

impl Reader {
    async fn connect_all(
        runtime: &Runtime,
        server: &Server,
        laid: &Laid,
        pace: &Arc<Pace>,
    ) -> Result<Vec<Reader>> {
        let mut readers = Vec::new();
        for partition in (0..laid.partitions).map(PartitionIndex) {
            let client = server.client(runtime);
            let (_, leader) = client.leader(&laid.topic.name, partition).await?;
            readers.push(Reader {
                connection: client.connection(leader.node).await?,
                topic: laid.topic.name.clone(),
                topic_id: laid.topic.id,
                partition,
                batch_bytes: laid.load.batch.len(),
                batch_records: laid.load.records,
                end: laid.batches * laid.load.records,
                pace: pace.clone(),
            });
        }
        Ok(readers)
    }

    async fn read_once(&self) -> Result<()> {
        let settings = FetchSettings {
            bytes_max: FETCH_BYTES,
            partition_bytes_max: FETCH_BYTES,
            wait_max: WAIT_MAX,
            ..FetchSettings::default()
        };
        let runtime = &self.pace.runtime;
        let (mut next, mut heard) = (0, runtime.now().monotonic);
        while next < self.end && !self.pace.is_over.load(Ordering::Relaxed) {
            self.pace.wait().await;
            let request = settings.request_for(&self.topic, self.topic_id, self.partition, Offset(next));
            let frame = self.connection.begin_head(&request, HEAD_BYTES).await?.frame().await?;
            // What is not a whole batch is of no use to a consumer.
            let batches = frame.length / self.batch_bytes;
            if batches == 0 {
                self.look_at(&frame.bytes)?;
                let silence = runtime.now().monotonic.since(heard);
                anyhow::ensure!(silence < SILENCE_MAX, "nothing came of {} for {silence:?}", self.partition);
                continue;
            }
            heard = runtime.now().monotonic;
            next += i64::try_from(batches)? * self.batch_records;
            self.pace.read.fetch_add((batches * self.batch_bytes) as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    /// An answer without records: that its client asks again is all that may follow from it.
    fn look_at(&self, frame: &Bytes) -> Result<()> {
        let version = self.connection.version::<FetchRequest>()?;
        let (_, response) = decode_response::<FetchResponse>(version, frame)?;
        let parts = response.responses.iter().flat_map(|topic| &topic.partitions);
        let mut errors = parts.map(|part| part.error_code).chain([response.error_code]);
        match errors.find(|error| !error.is_none() && !ErrorCode::retriable(*error)) {
            Some(error) => bail!("fetch: {error}"),
            None => Ok(()),
        }
    }
}
