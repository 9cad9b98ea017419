//! End to end: single records at a fixed rate, and a consumer that waits for them.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aquifer_client::{Acks, Client, FetchSettings, Fetched, Produced, Reply};
use aquifer_record::{batches, decode};
use aquifer_runtime::Task;
use aquifer_types::{Offset, PartitionIndex};
use aquifer_wire::messages::ProduceResponse;
use tokio::select;

use crate::batch::single;
use crate::clock::Pacer;
use crate::harness::Harness;
use crate::measurement::{Latencies, Measurement};
use crate::meter::Meter;
use crate::scenario::EndToEnd;
use crate::server::Server;
use crate::work::topic::{TestTopic, configs};

const PARTITION: PartitionIndex = PartitionIndex(0);

/// Records of one producer under way; far more than a healthy server needs at any rate used here.
const IN_FLIGHT: usize = 1_000;

/// The moment a record was due stands at its start.
const DUE_BYTES: usize = 8;

/// Nothing is packed here; decoding wants to know a limit.
const UNPACKED_BYTES_MAX: usize = 1 << 20;

pub async fn end_to_end(harness: &Harness, server: &Server, work: &EndToEnd) -> Result<Measurement> {
    ensure!(work.record_bytes >= DUE_BYTES, "a record must hold the moment it was due");
    let client = server.client(&harness.runtime);
    let topic = TestTopic::create(&client, 1, configs(server, work.durability)).await?;
    // Connections are made, code is compiled and files are there before the clock starts.
    let first = single(&vec![0; work.record_bytes], harness.runtime.now().wall)?;
    client.produce(&topic.name, PARTITION, Acks::All, &first).await.context("produce")?;
    let (meter, watch) = harness.start_measuring(Some(server))?;
    let consumer = consume(server.client(&harness.runtime), topic.name.clone(), topic.id, meter.clone());
    let consumer: Task<Result<Latencies>> = harness.runtime.spawn("consumer", consumer);
    let producer = Producer {
        client: server.client(&harness.runtime),
        topic: topic.name.clone(),
        topic_id: topic.id,
        value: vec![0; work.record_bytes],
        pending: VecDeque::new(),
        meter: meter.clone(),
        latencies: Latencies::default(),
    };
    let producer: Task<Result<Latencies>> = harness.runtime.spawn("producer", producer.run(work.rate));
    let mut measurement = watch.wait().await?;
    let acks = producer.await.context("the producer failed")??;
    measurement.set_latencies("ack", &acks);
    let consumed = consumer.await.context("the consumer failed")??;
    measurement.set_latencies("end_to_end", &consumed);
    topic.delete().await?;
    Ok(measurement)
}

struct Producer {
    client: Client,
    topic: aquifer_wire::Text,
    topic_id: aquifer_types::TopicId,
    value: Vec<u8>,
    pending: VecDeque<(u64, Reply<ProduceResponse>)>,
    meter: Meter,
    latencies: Latencies,
}

impl Producer {
    async fn run(mut self, rate: f64) -> Result<Latencies> {
        let (_, leader) = self.client.leader(&self.topic, PARTITION).await?;
        let connection = self.client.connection(leader.node).await?;
        let mut pacer = Pacer::new(self.meter.runtime(), self.meter.now(), rate)?;
        // A little beyond the window, so that the consumer sees its end.
        while !self.meter.is_over() {
            let room = self.pending.len() < IN_FLIGHT;
            let due = match self.pending.front_mut() {
                None => pacer.tick().await?,
                Some((_, reply)) => select! {
                    biased;
                    answer = reply.answer() => {
                        self.take(&answer?)?;
                        continue;
                    }
                    due = pacer.tick(), if room => due?,
                },
            };
            self.value[..DUE_BYTES].copy_from_slice(&due.to_be_bytes());
            let batch = single(&self.value, self.meter.runtime().now().wall)?;
            let request = Acks::All.request(&self.topic, self.topic_id, PARTITION, batch);
            self.pending.push_back((due, connection.begin(&request).await?));
        }
        while let Some((_, reply)) = self.pending.front_mut() {
            let answer = reply.answer().await?;
            self.take(&answer)?;
        }
        Ok(self.latencies)
    }

    fn take(&mut self, response: &ProduceResponse) -> Result<()> {
        let now = self.meter.now();
        Produced::from_response(response).context("produce")?;
        if let Some((due, _)) = self.pending.pop_front()
            && self.meter.is_open_at(due)
        {
            self.latencies.record(now.saturating_sub(due));
        }
        Ok(())
    }
}

/// Reads from the end until the window is over; every record that was due within it counts.
async fn consume(
    client: Client,
    topic: aquifer_wire::Text,
    topic_id: aquifer_types::TopicId,
    meter: Meter,
) -> Result<Latencies> {
    let settings = FetchSettings { wait_max: Duration::from_millis(100), ..FetchSettings::default() };
    let (_, leader) = client.leader(&topic, PARTITION).await?;
    let connection = client.connection(leader.node).await?;
    let mut latencies = Latencies::default();
    let mut next = Offset(1);
    let mut unpacked = Vec::new();
    loop {
        let request = settings.request_for(&topic, topic_id, PARTITION, next);
        let response = connection.call(&request).await?;
        let now = meter.now();
        ensure!(response.error_code.is_none(), "fetch: {}", response.error_code);
        let partition = response.responses.first().and_then(|topic| topic.partitions.first());
        let records = match partition {
            Some(partition) => Fetched::from_partition(partition).context("fetch")?.records,
            None => bytes::Bytes::new(),
        };
        if records.is_empty() && meter.is_over() {
            return Ok(latencies);
        }
        for batch in batches(&records) {
            if batch.header.end() <= next {
                continue;
            }
            for record in decode(&batch.header, batch.body(), UNPACKED_BYTES_MAX, &mut unpacked)? {
                let due = record?.value.and_then(|value| value.first_chunk::<DUE_BYTES>().copied());
                let due = u64::from_be_bytes(due.context("a record without its moment")?);
                if meter.count(due, 1) {
                    latencies.record(now.saturating_sub(due));
                }
            }
            next = batch.header.end();
        }
    }
}
