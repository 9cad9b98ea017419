//! Members: what a server's groups cost it that do nothing but beat.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aquifer_runtime::Task;

use super::crowd::Crowd;
use super::member::HandMember;
use crate::harness::Harness;
use crate::measurement::{Latencies, Measurement};
use crate::scenario::{Durability, Members};
use crate::server::Server;
use crate::work::topic::{TestTopic, configs};

/// How long a server is left alone before its memory is looked at.
const REST: Duration = Duration::from_secs(2);

pub async fn members(harness: &Harness, server: &Server, work: &Members) -> Result<Measurement> {
    ensure!(server.directory().is_some(), "only a server started here can be watched");
    let share = usize::try_from(work.partitions)? / work.members;
    let client = server.client(&harness.runtime);
    let topic = TestTopic::create(&client, work.partitions, configs(server, Durability::Flushed)).await?;
    // The partitions that groups are kept in come about when the first of them is looked for.
    client.coordinator("nobody").await.context("find a coordinator")?;
    harness.runtime.sleep(REST).await;
    let before = server.usage()?;
    let crowds = settled(harness, server, work, &topic, share).await?;
    harness.runtime.sleep(REST).await;
    let (meter, watch) = harness.start_measuring(Some(server))?;
    let mut beating: Vec<Task<Result<Latencies>>> = Vec::new();
    for crowd in crowds {
        beating.push(harness.runtime.spawn("members", crowd.beat_until_over(meter.clone())));
    }
    let mut measurement = watch.wait().await?;
    let after = server.usage()?;
    let mut latencies = Latencies::default();
    for crowd in beating {
        latencies.add(&crowd.await.context("a crowd failed")??);
    }
    measurement.forget_bytes();
    measurement.set_latencies("heartbeat", &latencies);
    let grown = after.resident_bytes.saturating_sub(before.resident_bytes);
    measurement.set("groups_memory_mb", grown as f64 / 1e6);
    topic.delete().await?;
    Ok(measurement)
}

/// All groups, each with its members in one crowd, once everyone has its share.
async fn settled(
    harness: &Harness,
    server: &Server,
    work: &Members,
    topic: &TestTopic,
    share: usize,
) -> Result<Vec<Crowd>> {
    let mut settling: Vec<Task<Result<Crowd>>> = Vec::new();
    for index in 0..work.connections.min(work.groups) {
        let groups = (index..work.groups).step_by(work.connections);
        let members = groups.flat_map(|group| {
            let name = format!("{}-{group}", topic.name);
            (0..work.members).map(move |_| HandMember::new(&harness.runtime, &name, topic))
        });
        let mut crowd = Crowd::connect(harness, server, &topic.name, members.collect()).await?;
        settling.push(harness.runtime.spawn("members", async move {
            crowd.settle(share).await?;
            Ok(crowd)
        }));
    }
    let mut crowds = Vec::new();
    for crowd in settling {
        crowds.push(crowd.await.context("a crowd failed")??);
    }
    Ok(crowds)
}
