//! Reload: how long after SIGKILL a server's groups answer again, by the offsets they had committed.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aquifer_client::{Client, Connection, Reply};
use aquifer_runtime::Runtime;
use aquifer_wire::Text;
use aquifer_wire::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use aquifer_wire::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use aquifer_wire::messages::offset_fetch_response::OffsetFetchResponseGroup;
use aquifer_wire::messages::{OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest};

use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::scenario::{Durability, Reload};
use crate::server::Kind;
use crate::work::topic::{TestTopic, configs};

const OFFSETS_TOPIC: &str = "__consumer_offsets";
const IN_FLIGHT: usize = 8;
const ASK_INTERVAL: Duration = Duration::from_millis(1);
const LIMIT: Duration = Duration::from_secs(300);

/// Groups by name, and the topic that they have offsets of.
struct Committed {
    topic: Text,
    topic_id: aquifer_types::TopicId,
    groups: Vec<String>,
    partitions: i32,
}

pub async fn reload(harness: &Harness, kind: Kind, directory: &Path, work: &Reload) -> Result<Measurement> {
    let runtime = &harness.runtime;
    let server = harness.programs.start(runtime, kind, directory).await?;
    let client = server.client(runtime);
    let topic = TestTopic::create(&client, work.partitions, configs(&server, Durability::Flushed)).await?;
    client.coordinator("nobody").await.context("find a coordinator")?;
    let shards = client.topic_when_known(OFFSETS_TOPIC).await?.partitions;
    let names = (0..).map(|number| format!("reloaded-{number}"));
    let groups = names.filter(|name| !work.in_one_shard || shard_of(name, shards) == 0).take(work.groups);
    let committed = Committed {
        topic: topic.name.clone(),
        topic_id: topic.id,
        groups: groups.collect(),
        partitions: work.partitions,
    };
    commit(runtime, &client, &committed).await?;
    server.kill();

    let before = runtime.now().monotonic;
    let server = harness.programs.start(runtime, kind, directory).await?;
    let connection = server.client(runtime).any_connection().await?;
    let asked = runtime.timeout(LIMIT, check(runtime, &connection, &committed, 1)).await;
    asked.context("groups were not loaded")??;
    let loaded = runtime.now().monotonic.since(before);
    let mut measurement = Measurement::default();
    measurement.set("start_ms", server.started_in.as_secs_f64() * 1e3);
    measurement.set("groups_loaded_ms", loaded.as_secs_f64() * 1e3);
    measurement.set("server_memory_mb", server.usage()?.resident_bytes as f64 / 1e6);
    check(runtime, &connection, &committed, committed.partitions).await?;
    server.stop(runtime).await?;
    Ok(measurement)
}

/// Kafka's place of a group: the magnitude of Java's `String.hashCode`, of as many partitions as there are.
fn shard_of(group: &str, shards: usize) -> usize {
    let hash = group.bytes().fold(0i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(i32::from(byte)));
    usize::try_from(hash.unsigned_abs()).unwrap_or(0) % shards.max(1)
}

/// What a group of that number has committed in a partition.
fn offset_of(group: usize, partition: i32) -> i64 {
    i64::try_from(group).unwrap_or(0) * 1_000_000 + i64::from(partition)
}

async fn commit(runtime: &Runtime, client: &Client, committed: &Committed) -> Result<()> {
    let connection = client.any_connection().await?;
    // Those that were just made may not be served yet.
    for group in &committed.groups {
        ask(runtime, &connection, committed, group, 1).await?;
    }
    let mut pending = VecDeque::new();
    for (number, group) in committed.groups.iter().enumerate() {
        if pending.len() == IN_FLIGHT {
            finish(&mut pending).await?;
        }
        let partitions = (0..committed.partitions).map(|partition| OffsetCommitRequestPartition {
            partition_index: partition,
            committed_offset: offset_of(number, partition),
            ..OffsetCommitRequestPartition::default()
        });
        let topic = OffsetCommitRequestTopic {
            name: committed.topic.clone(),
            topic_id: committed.topic_id.0,
            partitions: partitions.collect(),
        };
        let request = OffsetCommitRequest {
            group_id: Text::from(group.as_str()),
            topics: vec![topic],
            ..OffsetCommitRequest::default()
        };
        pending.push_back(connection.begin(&request).await?);
    }
    while !pending.is_empty() {
        finish(&mut pending).await?;
    }
    Ok(())
}

async fn finish(pending: &mut VecDeque<Reply<OffsetCommitResponse>>) -> Result<()> {
    let Some(mut reply) = pending.pop_front() else { return Ok(()) };
    let response = reply.answer().await?;
    let mut parts = response.topics.iter().flat_map(|topic| &topic.partitions);
    let refused = parts.find(|part| !part.error_code.is_none());
    ensure!(refused.is_none(), "commit: {refused:?}");
    Ok(())
}

/// Asks every group for the offsets of its first partitions, and compares them.
async fn check(
    runtime: &Runtime,
    connection: &Connection,
    committed: &Committed,
    partitions: i32,
) -> Result<()> {
    for (number, name) in committed.groups.iter().enumerate() {
        let answer = ask(runtime, connection, committed, name, partitions).await?;
        let found: Vec<_> = answer.topics.iter().flat_map(|topic| &topic.partitions).collect();
        let wrong =
            found.iter().find(|part| part.committed_offset != offset_of(number, part.partition_index));
        ensure!(wrong.is_none(), "{name} does not have what it committed: {wrong:?}");
        ensure!(found.len() == usize::try_from(partitions)?, "{name}: partitions are missing");
    }
    Ok(())
}

/// What a group says of its first partitions, asked for again while it is loaded.
async fn ask(
    runtime: &Runtime,
    connection: &Connection,
    committed: &Committed,
    name: &str,
    partitions: i32,
) -> Result<OffsetFetchResponseGroup> {
    let topic = OffsetFetchRequestTopics {
        name: committed.topic.clone(),
        topic_id: committed.topic_id.0,
        partition_indexes: (0..partitions).collect(),
    };
    let group = OffsetFetchRequestGroup {
        group_id: Text::from(name),
        topics: Some(vec![topic]),
        ..OffsetFetchRequestGroup::default()
    };
    let request =
        OffsetFetchRequest { groups: vec![group], require_stable: true, ..OffsetFetchRequest::default() };
    loop {
        let answer = connection.call(&request).await?.groups.into_iter().next();
        let answer = answer.context("a group is missing in the answer")?;
        if !answer.error_code.retriable() {
            ensure!(answer.error_code.is_none(), "{name}: {}", answer.error_code);
            return Ok(answer);
        }
        runtime.sleep(ASK_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_looked_for_where_kafka_puts_them() {
        // By Kafka 4.3.0's Utils.abs(group.hashCode()) % 50.
        for (group, shard) in [("", 0), ("a", 47), ("console-consumer-12345", 6), ("my-group", 12)] {
            assert_eq!(shard_of(group, 50), shard, "{group}");
        }
    }
}
