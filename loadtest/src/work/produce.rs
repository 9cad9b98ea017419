//! Produce: raw batches from many producers, each on a connection of its own.

use std::collections::VecDeque;

use anyhow::{Context as _, Result};
use aquifer_client::{Acks, Connection, Produced, Reply};
use aquifer_runtime::Task;
use aquifer_types::PartitionIndex;
use aquifer_wire::messages::ProduceResponse;
use tokio::select;

use crate::batch::Load;
use crate::clock::Pacer;
use crate::harness::Harness;
use crate::measurement::{Latencies, Measurement};
use crate::meter::Meter;
use crate::scenario::Produce;
use crate::server::Server;
use crate::work::OwnDevice;
use crate::work::topic::{TestTopic, configs};
use crate::work::trim::trim;

/// One producer and the batches it waits for.
struct Producer {
    connection: Connection,
    topic: aquifer_wire::Text,
    topic_id: aquifer_types::TopicId,
    partitions: Vec<PartitionIndex>,
    next_partition: usize,
    load: Load,
    in_flight: usize,
    pending: VecDeque<(u64, Reply<ProduceResponse>)>,
    meter: Meter,
    latencies: Latencies,
}

pub async fn produce(harness: &Harness, server: &Server, work: &Produce) -> Result<Measurement> {
    let client = server.client(&harness.runtime);
    let topic = TestTopic::create(&client, work.partitions, configs(server, work.durability)).await?;
    let measured = produce_to(harness, server, work, &topic).await;
    // Whatever came of it, the next run finds room.
    topic.delete().await?;
    measured
}

async fn produce_to(
    harness: &Harness,
    server: &Server,
    work: &Produce,
    topic: &TestTopic,
) -> Result<Measurement> {
    let reserve = harness.prepare_to_write().await?;
    let before = device_bytes(server, work)?;
    let (meter, watch) = harness.start_measuring(Some(server))?;
    reserve.release_with(&harness.runtime, &meter);
    let mut tasks: Vec<Task<Result<Latencies>>> = Vec::new();
    for index in 0..work.producers {
        let producer = Producer::connect(harness, server, work, topic, index, &meter).await?;
        let rate = work.rate;
        tasks.push(harness.runtime.spawn("producer", producer.run(rate)));
    }
    let trimming = work.kept_bytes.map(|kept| {
        let kept = i64::try_from(kept / work.record_bytes.max(1)).unwrap_or(i64::MAX);
        trim(harness, server, topic, work.partitions, kept, &meter)
    });
    let mut measurement = watch.wait().await?;
    let mut latencies = Latencies::default();
    for task in tasks {
        latencies.add(&task.await.context("a producer failed")??);
    }
    if let Some(trimming) = trimming {
        trimming.await.context("trimming failed")??;
    }
    measurement.set_latencies("ack", &latencies);
    if let (Some(before), Some(device)) = (before, server.directory()) {
        crate::system::sync_everything();
        let written = crate::process::device_bytes_written(device)? - before;
        // The device also saw what was accepted outside the window.
        let accepted = all_accepted(harness, server, topic, work).await?;
        measurement.set("device_bytes_per_byte", written as f64 / accepted);
    }
    Ok(measurement)
}

/// Produces and reads for a while, so that a server that compiles as it runs has done so.
pub async fn warm_up(harness: &Harness, server: &Server) -> Result<()> {
    let small = Produce { batch_bytes: 16 << 10, partitions: 8, producers: 4, ..Produce::default() };
    let large = Produce { durability: crate::scenario::Durability::PageCache, ..Produce::default() };
    produce(harness, server, &large).await?;
    produce(harness, server, &small).await?;
    crate::work::fetch(harness, server, &crate::scenario::Fetch::default()).await?;
    crate::work::end_to_end(harness, server, &crate::scenario::EndToEnd::default()).await?;
    Ok(())
}

fn device_bytes(server: &Server, work: &Produce) -> Result<Option<u64>> {
    if !work.own_device {
        return Ok(None);
    }
    let directory = server.directory().context("a device of its own needs a server started here")?;
    OwnDevice::settle();
    crate::process::device_bytes_written(directory).map(Some)
}

/// Bytes of all batches that came to stand, by the partitions' ends.
async fn all_accepted(harness: &Harness, server: &Server, topic: &TestTopic, work: &Produce) -> Result<f64> {
    let load = Load::new(&harness.runtime, work.batch_bytes, work.record_bytes)?;
    let client = server.client(&harness.runtime);
    let mut records = 0;
    for partition in 0..work.partitions {
        let at = aquifer_client::OffsetAt::End;
        records += client.offset(&topic.name, PartitionIndex(partition), at).await?.map_or(0, |end| end.0);
    }
    Ok(records as f64 / load.records as f64 * load.batch.len() as f64)
}

impl Producer {
    async fn connect(
        harness: &Harness,
        server: &Server,
        work: &Produce,
        topic: &TestTopic,
        index: usize,
        meter: &Meter,
    ) -> Result<Producer> {
        let client = server.client(&harness.runtime);
        let all = usize::try_from(work.partitions)?;
        // Each producer has partitions of its own, as far as they go.
        let own = (0..all).filter(|partition| partition % work.producers == index % work.producers.min(all));
        let partitions: Vec<_> =
            own.map(|partition| PartitionIndex(i32::try_from(partition).unwrap_or(0))).collect();
        let first = partitions.first().copied().unwrap_or(PartitionIndex(0));
        let (_, leader) = client.leader(&topic.name, first).await?;
        Ok(Producer {
            connection: client.connection(leader.node).await?,
            topic: topic.name.clone(),
            topic_id: topic.id,
            partitions,
            next_partition: 0,
            load: Load::new(&harness.runtime, work.batch_bytes, work.record_bytes)?,
            in_flight: work.in_flight.max(1),
            pending: VecDeque::new(),
            meter: meter.clone(),
            latencies: Latencies::default(),
        })
    }

    async fn run(mut self, rate: Option<f64>) -> Result<Latencies> {
        match rate {
            Some(rate) => self.run_at(rate).await?,
            None => self.run_full().await?,
        }
        while !self.pending.is_empty() {
            self.finish_one().await?;
        }
        Ok(self.latencies)
    }

    /// Keeps the window full; a batch is due when there is room for it.
    async fn run_full(&mut self) -> Result<()> {
        while !self.meter.is_over() {
            while self.pending.len() < self.in_flight {
                let due = self.meter.now();
                self.send(due).await?;
            }
            self.finish_one().await?;
        }
        Ok(())
    }

    /// Sends at fixed moments. Where the window is full then, the batch still counts as due at its moment.
    async fn run_at(&mut self, rate: f64) -> Result<()> {
        let mut pacer = Pacer::new(self.meter.runtime(), self.meter.now(), rate)?;
        while !self.meter.is_over() {
            let room = self.pending.len() < self.in_flight;
            let Some((_, reply)) = self.pending.front_mut() else {
                let due = pacer.tick().await?;
                self.send(due).await?;
                continue;
            };
            select! {
                biased;
                answer = reply.answer() => self.take(&answer?)?,
                due = pacer.tick(), if room => self.send(due?).await?,
            }
        }
        Ok(())
    }

    async fn send(&mut self, due: u64) -> Result<()> {
        let partition = self.partitions[self.next_partition % self.partitions.len()];
        self.next_partition += 1;
        let request = Acks::All.request(&self.topic, self.topic_id, partition, self.load.batch.clone());
        self.pending.push_back((due, self.connection.begin(&request).await?));
        Ok(())
    }

    async fn finish_one(&mut self) -> Result<()> {
        let Some((_, reply)) = self.pending.front_mut() else { return Ok(()) };
        let answer = reply.answer().await?;
        self.take(&answer)
    }

    fn take(&mut self, response: &ProduceResponse) -> Result<()> {
        let now = self.meter.now();
        Produced::from_response(response).context("produce")?;
        let Some((due, _)) = self.pending.pop_front() else { return Ok(()) };
        if self.meter.count(now, self.load.batch.len() as u64) {
            self.latencies.record(now.saturating_sub(due));
        }
        Ok(())
    }
}
