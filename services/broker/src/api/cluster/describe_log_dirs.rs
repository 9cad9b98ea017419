//! DescribeLogDirs: the data directory, its volume, and what each replica in it takes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aquifer_hotlog::Health;
use aquifer_metadata::Topic;
use aquifer_wire::messages::describe_log_dirs_request::DescribableLogDirTopic;
use aquifer_wire::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use aquifer_wire::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use aquifer_wire::{ErrorCode, Text};

use crate::broker::Broker;

pub(crate) async fn describe_log_dirs(
    broker: &Arc<Broker>,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let files = broker.directory.files().clone();
    let log_dir = Text::from(files.layout().root().display().to_string());
    let looking =
        broker.runtime.spawn_blocking("disk-space", move || files.disk().space(files.layout().root()));
    let space = match looking.await {
        Some(Ok(space)) => Some(space),
        outcome => {
            tracing::warn!(?outcome, "no figures of the volume");
            None
        }
    };
    let size = |bytes: Option<u64>| bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let offline = broker.health() == Health::Offline;
    let result = DescribeLogDirsResult {
        error_code: if offline { ErrorCode::KAFKA_STORAGE_ERROR } else { ErrorCode::NONE },
        log_dir,
        topics: if offline { Vec::new() } else { describe(broker, request.topics) },
        total_bytes: size(space.map(|space| space.total_bytes)),
        usable_bytes: size(space.map(|space| space.free_bytes)),
        is_cordoned: false,
    };
    DescribeLogDirsResponse { results: vec![result], ..DescribeLogDirsResponse::default() }
}

/// The replicas here, of all topics or of what is asked for.
fn describe(broker: &Broker, asked: Option<Vec<DescribableLogDirTopic>>) -> Vec<DescribeLogDirsTopic> {
    let image = broker.image();
    match asked {
        None => image.topics().filter_map(|topic| describe_topic(broker, topic, None)).collect(),
        Some(asked) => {
            // What is named twice is described once.
            let mut wanted: BTreeMap<Text, BTreeSet<i32>> = BTreeMap::new();
            for topic in asked {
                wanted.entry(topic.topic).or_default().extend(topic.partitions);
            }
            let describe = |(name, partitions): (&Text, &BTreeSet<i32>)| {
                describe_topic(broker, image.topic(name)?, Some(partitions))
            };
            wanted.iter().filter_map(describe).collect()
        }
    }
}

/// What is here of a topic; `None` if nothing is.
fn describe_topic(
    broker: &Broker,
    topic: &Topic,
    wanted: Option<&BTreeSet<i32>>,
) -> Option<DescribeLogDirsTopic> {
    let held = broker.replicas.of_topic(topic.id());
    let partitions: Vec<_> = held
        .iter()
        .filter(|replica| wanted.is_none_or(|wanted| wanted.contains(&replica.id().partition.0)))
        .map(|replica| {
            let described = replica.describe();
            DescribeLogDirsPartition {
                partition_index: replica.id().partition.0,
                partition_size: i64::try_from(described.bytes).unwrap_or(i64::MAX),
                offset_lag: (described.high_watermark.0 - described.log_end.0).max(0),
                is_future_key: false,
            }
        })
        .collect();
    let name = Text::from(topic.name().as_str());
    (!partitions.is_empty()).then_some(DescribeLogDirsTopic { name, partitions })
}
