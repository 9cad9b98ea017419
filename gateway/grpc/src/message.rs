//! Messages and what the gateway speaks of, one made from the other.

use std::borrow::Cow;

use aquifer_contract::v1::{Header, NewRecord, Partition, ProduceResult, Record, Topic, TopicPartition};
use aquifer_gateway::{Appended, Place, RecordHeader, Refusal, TopicView};
use aquifer_types::TimestampMs;

use crate::status::problem;

/// A number that a client may leave out: on this wire it is 0 then.
pub(crate) fn said(number: i32) -> Option<i64> {
    (number != 0).then_some(i64::from(number))
}

#[must_use]
pub fn to_append(record: &NewRecord) -> aquifer_gateway::Record<'_> {
    let headers = record.headers.iter().map(|header| RecordHeader {
        name: Cow::Borrowed(&header.name),
        value: header.value.as_deref().map(Cow::Borrowed),
    });
    aquifer_gateway::Record {
        partition: record.partition,
        key: record.key.as_deref().map(Cow::Borrowed),
        value: record.value.as_deref().map(Cow::Borrowed),
        headers: headers.collect(),
        timestamp: record.timestamp_ms.map(TimestampMs),
    }
}

#[must_use]
pub fn result(outcome: Result<Appended, Refusal>) -> ProduceResult {
    match outcome {
        Ok(appended) => ProduceResult {
            partition: Some(appended.partition.0),
            offset: appended.offset,
            duplicate: appended.duplicate,
            problem: None,
        },
        Err(refusal) => ProduceResult {
            partition: refusal.facts.partition,
            offset: None,
            duplicate: false,
            problem: Some(problem(&refusal)),
        },
    }
}

#[must_use]
pub fn shown(topic: &str, partition: i32, record: &aquifer_record::Record<'_>) -> Record {
    let headers = record.headers.map(|header| Header {
        name: String::from_utf8_lossy(header.key).into_owned(),
        value: header.value.map(<[u8]>::to_vec),
    });
    Record {
        topic: topic.to_owned(),
        partition,
        offset: record.offset.0,
        timestamp_ms: Some(record.timestamp.0).filter(|time| *time >= 0),
        key: record.key.map(<[u8]>::to_vec),
        value: record.value.map(<[u8]>::to_vec),
        headers: headers.collect(),
    }
}

pub(crate) fn topic(view: TopicView) -> Topic {
    let partitions = view.partitions.into_iter().map(|partition| Partition {
        partition: partition.index,
        leader: partition.leader,
        replicas: partition.replicas,
        in_sync: partition.in_sync,
    });
    let configs = view.configs.into_iter().filter_map(|config| Some((config.name, config.value?)));
    Topic {
        name: view.name,
        id: view.id.0.to_string(),
        internal: view.is_internal,
        partitions: partitions.collect(),
        configs: configs.collect(),
    }
}

pub(crate) fn place((topic, partition): &Place) -> TopicPartition {
    TopicPartition { topic: topic.to_string(), partition: partition.0 }
}
