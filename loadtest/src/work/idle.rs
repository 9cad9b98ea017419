//! Idle: what a server costs that has nothing to do.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aquifer_client::{Acks, Produced};
use aquifer_types::PartitionIndex;

use crate::batch::Load;
use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::scenario::{Durability, Idle};
use crate::server::Server;
use crate::work::topic::{TestTopic, configs};

/// How long one record for each partition may take.
const IN_FLIGHT: usize = 32;

pub async fn idle(harness: &Harness, server: &Server, work: &Idle) -> Result<Measurement> {
    ensure!(server.directory().is_some(), "only a server started here can be watched");
    if work.partitions > 0 {
        let client = server.client(&harness.runtime);
        let configs = configs(server, Durability::Flushed);
        let topic = TestTopic::create(&client, work.partitions, configs).await?;
        fill(harness, server, &topic, work.partitions, 1, 1024).await?;
    }
    harness.runtime.sleep(Duration::from_secs_f64(work.settle_seconds)).await;
    let (_, watch) = harness.start_measuring(Some(server))?;
    let mut measurement = watch.wait().await?;
    measurement.forget_bytes();
    for absent in ["operations_per_second", "longest_stall_ms"] {
        measurement.metrics.remove(absent);
    }
    Ok(measurement)
}

/// So many batches to each partition, each batch to all of them before the next.
pub async fn fill(
    harness: &Harness,
    server: &Server,
    topic: &TestTopic,
    partitions: i32,
    batches: usize,
    batch_bytes: usize,
) -> Result<()> {
    let client = server.client(&harness.runtime);
    let (_, leader) = client.leader(&topic.name, PartitionIndex(0)).await?;
    let connection = client.connection(leader.node).await?;
    let load = Load::new(&harness.runtime, batch_bytes.max(256), batch_bytes.max(256) / 2)?;
    let mut pending = std::collections::VecDeque::new();
    for partition in (0..batches).flat_map(|_| 0..partitions) {
        if pending.len() == IN_FLIGHT
            && let Some(reply) = pending.pop_front()
        {
            finish(reply).await?;
        }
        let partition = PartitionIndex(partition);
        let request = Acks::All.request(&topic.name, topic.id, partition, load.batch.clone());
        pending.push_back(connection.begin(&request).await?);
    }
    for reply in pending {
        finish(reply).await?;
    }
    Ok(())
}

async fn finish(mut reply: aquifer_client::Reply<aquifer_wire::messages::ProduceResponse>) -> Result<()> {
    Produced::from_response(&reply.answer().await?).context("lay down data")?;
    Ok(())
}
