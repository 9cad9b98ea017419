//! Produce over streams of gRPC.

use anyhow::{Context as _, Result, ensure};
use aquifer_client::OffsetAt;
use aquifer_runtime::Task;
use aquifer_types::PartitionIndex;

use crate::harness::Harness;
use crate::measurement::{Latencies, Measurement};
use crate::scenario::GrpcProduce;
use crate::server::Server;
use crate::work::gateway::front::Front;
use crate::work::gateway::messages::{Streamer, message};
use crate::work::gateway::produce::Sent;
use crate::work::topic::{TestTopic, configs};

pub async fn grpc_produce(harness: &Harness, server: &Server, work: &GrpcProduce) -> Result<Measurement> {
    let client = server.client(&harness.runtime);
    let front = Front::of(harness, server, work.alone).await?;
    let topic = TestTopic::create(&client, 1, configs(server, work.durability)).await?;
    let measured = stream_to(harness, server, work, &topic, &front).await;
    topic.delete().await?;
    measured
}

async fn stream_to(
    harness: &Harness,
    server: &Server,
    work: &GrpcProduce,
    topic: &TestTopic,
    front: &Front,
) -> Result<Measurement> {
    let mut value = vec![0; work.record_bytes];
    harness.runtime.fill_random(&mut value);
    let reserve = harness.prepare_to_write().await?;
    let (meter, watch) = harness.start_measuring(Some(server))?;
    reserve.release_with(&harness.runtime, &meter);
    let mut tasks: Vec<Task<Result<Sent>>> = Vec::new();
    for _ in 0..work.streams {
        let streamer = Streamer {
            address: front.address.clone(),
            message: message(&topic.name, value.clone()),
            in_flight: work.in_flight,
            bytes: work.record_bytes as u64,
            meter: meter.clone(),
        };
        tasks.push(harness.runtime.spawn("grpc producer", streamer.run()));
    }
    let mut measurement = watch.beside(front.process()).wait().await?;
    let (mut latencies, mut answered) = (Latencies::default(), 0);
    for task in tasks {
        let sent = task.await.context("a stream failed")??;
        latencies.add(&sent.latencies);
        answered += sent.answered;
    }
    measurement.set_latencies("ack", &latencies);
    measurement.set_per_operation();
    let client = server.client(&harness.runtime);
    let end = client.offset(&topic.name, PartitionIndex(0), OffsetAt::End).await?.map_or(0, |end| end.0);
    ensure!(end == i64::try_from(answered)?, "{answered} records were acknowledged and {end} are there");
    Ok(measurement)
}
