//! Produce over HTTP: connections that send a request when the last is answered, or at fixed moments.

use anyhow::{Context as _, Result, ensure};
use aquifer_client::OffsetAt;
use aquifer_runtime::Task;
use aquifer_types::PartitionIndex;

use crate::clock::Pacer;
use crate::harness::Harness;
use crate::measurement::{Latencies, Measurement};
use crate::meter::Meter;
use crate::scenario::GatewayProduce;
use crate::server::Server;
use crate::work::gateway::bodies::Records;
use crate::work::gateway::front::Front;
use crate::work::gateway::http::{HttpConnection, Prepared};
use crate::work::topic::{TestTopic, configs};

/// One connection's requests.
pub struct Sender {
    pub connection: HttpConnection,
    pub request: Prepared,
    /// What an answered request counts for.
    pub bytes: u64,
    pub meter: Meter,
}

/// What a connection did.
#[derive(Default)]
pub struct Sent {
    pub answered: u64,
    pub latencies: Latencies,
}

pub async fn gateway_produce(
    harness: &Harness,
    server: &Server,
    work: &GatewayProduce,
) -> Result<Measurement> {
    let client = server.client(&harness.runtime);
    let front = Front::of(harness, server, work.alone).await?;
    let topic = TestTopic::create(&client, work.partitions, configs(server, work.durability)).await?;
    let measured = produce_to(harness, server, work, &topic, &front).await;
    // Whatever came of it, the next run finds room.
    topic.delete().await?;
    measured
}

async fn produce_to(
    harness: &Harness,
    server: &Server,
    work: &GatewayProduce,
    topic: &TestTopic,
    front: &Front,
) -> Result<Measurement> {
    let records = Records::new(&harness.runtime, work.records, work.record_bytes)?;
    let reserve = harness.prepare_to_write().await?;
    let mut connections = Vec::new();
    for _ in 0..work.connections {
        connections.push(HttpConnection::open(&harness.runtime, &front.address).await?);
    }
    let (meter, watch) = harness.start_measuring(Some(server))?;
    reserve.release_with(&harness.runtime, &meter);
    let mut tasks: Vec<Task<Result<Sent>>> = Vec::new();
    for (connection, partition) in connections.into_iter().zip((0..work.partitions).cycle()) {
        let request = records.request(work.body, &topic.name, partition)?;
        let bytes = records.batch.len() as u64;
        let sender = Sender { connection, request, bytes, meter: meter.clone() };
        let rate = work.rate.map(|rate| rate / work.connections as f64);
        tasks.push(harness.runtime.spawn("http producer", sender.run(rate)));
    }
    let mut measurement = watch.beside(front.process()).wait().await?;
    let mut latencies = Latencies::default();
    let mut answered = 0;
    for task in tasks {
        let sent = task.await.context("a producer failed")??;
        latencies.add(&sent.latencies);
        answered += sent.answered;
    }
    measurement.set_latencies("ack", &latencies);
    measurement.set_per_operation();
    let client = server.client(&harness.runtime);
    let mut kept = 0;
    for partition in 0..work.partitions {
        let end = client.offset(&topic.name, PartitionIndex(partition), OffsetAt::End).await?;
        kept += end.map_or(0, |end| end.0);
    }
    let sent = i64::try_from(answered * records.count as u64)?;
    ensure!(kept == sent, "{sent} records were acknowledged and {kept} are there");
    Ok(measurement)
}

impl Sender {
    pub async fn run(mut self, rate: Option<f64>) -> Result<Sent> {
        let mut sent = Sent::default();
        let pacer = rate.map(|rate| Pacer::new(self.meter.runtime(), self.meter.now(), rate));
        let mut pacer = pacer.transpose()?;
        while !self.meter.is_over() {
            let due = match &mut pacer {
                Some(pacer) => pacer.tick().await?,
                None => self.meter.now(),
            };
            let answer = self.connection.send(&self.request).await?;
            let now = self.meter.now();
            // What is no text is a message; its status says that nothing was refused.
            if let Ok(text) = std::str::from_utf8(&answer) {
                ensure!(!text.contains("\"error\""), "a record was refused: {text}");
            }
            sent.answered += 1;
            if self.meter.count(now, self.bytes) {
                sent.latencies.record(now.saturating_sub(due));
            }
        }
        Ok(sent)
    }
}
