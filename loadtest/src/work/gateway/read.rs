//! History over HTTP, read round and round from start to end.

use anyhow::{Context as _, Result, ensure};
use aquifer_client::Address;
use aquifer_runtime::Task;
use aquifer_types::{PartitionIndex, Uuid};

use crate::batch::Load;
use crate::harness::Harness;
use crate::measurement::{Latencies, Measurement};
use crate::meter::Meter;
use crate::scenario::{Durability, Form, GatewayRead};
use crate::server::Server;
use crate::work::fetch::fill;
use crate::work::gateway::bodies::Records;
use crate::work::gateway::front::Front;
use crate::work::gateway::http::{HttpConnection, Prepared};
use crate::work::gateway::relay::Relay;
use crate::work::topic::{TestTopic, configs};

/// What is kept of an answer's end: where to go on stands there.
const END_BYTES: usize = 512;
/// Of a chunk, for good.
const CHUNK_OFFSETS: i64 = 8192;

/// One connection that reads a partition.
struct Reader {
    connection: HttpConnection,
    form: Form,
    topic: String,
    topic_id: Uuid,
    answer_bytes: usize,
    load: Load,
    /// Of the partition, in records.
    end: i64,
    next: i64,
    meter: Meter,
    latencies: Latencies,
}

pub async fn gateway_read(harness: &Harness, server: &Server, work: &GatewayRead) -> Result<Measurement> {
    let client = server.client(&harness.runtime);
    // Text, so that JSON shows it as it is.
    let count = (work.batch_bytes / (work.record_bytes + 16)).max(1);
    let records = Records::new(&harness.runtime, count, work.record_bytes)?;
    let load = Load { batch: records.batch, records: i64::try_from(count)? };
    let topic = TestTopic::create(&client, 1, configs(server, Durability::PageCache)).await?;
    let batches = i64::try_from(work.bytes / load.batch.len())?.max(1);
    fill(&client, &topic, PartitionIndex(0), &load, batches).await?;
    let measured = match work.form {
        Form::Json | Form::Chunks => {
            let front = Front::of(harness, server, work.alone).await?;
            read(harness, server, work, (&topic, &load, batches), (&front.address, front.process())).await
        }
        Form::Relay => {
            let relay = Relay {
                broker: server.address.clone(),
                topic: topic.name.to_string(),
                answer_bytes: work.answer_bytes,
                connections: work.connections,
            };
            let (relay, address) = relay.start(&harness.runtime)?;
            let measured = read(harness, server, work, (&topic, &load, batches), (&address, None)).await?;
            let ended = harness.runtime.spawn_blocking("relay end", move || relay.join());
            ended.await.context("the relay failed")??;
            Ok(measured)
        }
    };
    topic.delete().await?;
    measured
}

async fn read(
    harness: &Harness,
    server: &Server,
    work: &GatewayRead,
    (topic, load, batches): (&TestTopic, &Load, i64),
    (address, process): (&Address, Option<u32>),
) -> Result<Measurement> {
    let mut connections = Vec::new();
    for _ in 0..work.connections {
        connections.push(HttpConnection::open(&harness.runtime, address).await?);
    }
    let (meter, watch) = harness.start_measuring(Some(server))?;
    let mut tasks: Vec<Task<Result<Latencies>>> = Vec::new();
    for (index, connection) in connections.into_iter().enumerate() {
        let reader = Reader {
            connection,
            form: work.form,
            topic: topic.name.to_string(),
            topic_id: topic.id.0,
            answer_bytes: work.answer_bytes,
            load: load.clone(),
            end: match work.form {
                // The last one is not complete.
                Form::Chunks => batches * load.records / CHUNK_OFFSETS * CHUNK_OFFSETS,
                Form::Json | Form::Relay => batches * load.records,
            },
            // Spread over the partition, so that they are not in step.
            next: batches * i64::try_from(index)? / i64::try_from(work.connections)? * load.records,
            meter: meter.clone(),
            latencies: Latencies::default(),
        };
        tasks.push(harness.runtime.spawn("http reader", reader.run()));
    }
    let mut measurement = watch.beside(process).wait().await?;
    let mut latencies = Latencies::default();
    for task in tasks {
        latencies.add(&task.await.context("a reader failed")??);
    }
    measurement.set_latencies("fetch", &latencies);
    Ok(measurement)
}

impl Reader {
    async fn run(mut self) -> Result<Latencies> {
        let mut end = Vec::new();
        while !self.meter.is_over() {
            if self.next >= self.end {
                self.next = 0;
            }
            let asked = self.meter.now();
            let length = self.connection.drain(&self.request()?, &mut end, END_BYTES).await?;
            let records = self.records_in(length, &end)?;
            ensure!(records > 0, "an answer brought no records at {}", self.next);
            self.next += records;
            // The log's bytes, in whatever form they came.
            let bytes =
                self.load.batch.len() as u64 * records.unsigned_abs() / self.load.records.unsigned_abs();
            let now = self.meter.now();
            if self.meter.count(now, bytes) {
                self.latencies.record(now.saturating_sub(asked));
            }
        }
        Ok(self.latencies)
    }

    fn request(&self) -> Result<Prepared> {
        let (topic, next, bytes) = (&self.topic, self.next, self.answer_bytes);
        match self.form {
            Form::Json => {
                let path = format!("/v1/topics/{topic}/partitions/0/records?from={next}&max_bytes={bytes}");
                Prepared::get(&path)
            }
            Form::Chunks => {
                let (id, chunk) = (self.topic_id, next / CHUNK_OFFSETS);
                Prepared::get(&format!("/v1/topic-ids/{id}/partitions/0/chunks/{chunk}"))
            }
            Form::Relay => Prepared::get(&format!("/{next}")),
        }
    }

    fn records_in(&self, length: usize, end: &[u8]) -> Result<i64> {
        match self.form {
            Form::Json => {
                let end = std::str::from_utf8(end).context("an answer that is no text")?;
                let (_, rest) =
                    end.rsplit_once("\"next_offset\":\"").context("an answer without next_offset")?;
                let next: i64 = rest.split('"').next().unwrap_or_default().parse()?;
                Ok(next - self.next)
            }
            Form::Relay => Ok(self.records_of(length)?),
            Form::Chunks => {
                let chunk = self.next / CHUNK_OFFSETS;
                let (first, end) = (self.first_in(chunk), self.first_in(chunk + 1));
                let (found, expected) = (self.records_of(length)?, end - first);
                ensure!(found == expected, "chunk {chunk} has {found} records, not {expected}");
                Ok(end - self.next)
            }
        }
    }

    /// Of whole batches.
    fn records_of(&self, length: usize) -> Result<i64> {
        Ok(i64::try_from(length / self.load.batch.len())? * self.load.records)
    }

    /// Where the first batch of a chunk begins.
    fn first_in(&self, chunk: i64) -> i64 {
        let start = chunk * CHUNK_OFFSETS;
        start + (-start).rem_euclid(self.load.records)
    }
}
