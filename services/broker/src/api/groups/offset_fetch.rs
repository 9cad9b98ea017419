//! OffsetFetch: committed offsets, of one group or of several.

use std::sync::Arc;

use aquifer_coordinator::Asked;
use aquifer_group::{Answer, FetchOffsets, FetchedOffset, MemberId, Request};
use aquifer_metadata::Image;
use aquifer_net::Call;
use aquifer_types::{TopicName, Uuid};
use aquifer_wire::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use aquifer_wire::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use aquifer_wire::messages::{OffsetFetchRequest, OffsetFetchResponse};
use aquifer_wire::{ErrorCode, Text};

use super::too_many;
use crate::api::data::TopicRef;
use crate::api::later;
use crate::broker::Broker;
use crate::refusal::{GroupRefusal, answered};
use crate::service::Caller;

/// From this version on a request names several groups.
const SEVERAL_FROM: i16 = 8;
/// From this version on an error of the whole request has a place of its own.
const TOP_ERROR_FROM: i16 = 2;
/// From this version on topics are named by id.
const BY_ID_FROM: i16 = 10;

/// A question to one group, and what its answer begins with.
struct Question {
    group_id: Text,
    asked: Asked,
    named: Vec<Named>,
    all: bool,
}

/// A topic as the request names it.
struct Named {
    name: Text,
    topic_id: Uuid,
    partitions: Vec<i32>,
    /// Whether the shard was asked for it, or why not.
    asked: Result<(), ErrorCode>,
}

pub(crate) fn offset_fetch(broker: &Arc<Broker>, caller: Caller, request: OffsetFetchRequest) -> Call {
    let version = caller.version;
    let groups = if version >= SEVERAL_FROM { request.groups } else { vec![single(request)] };
    if let Some(closed) = too_many(&caller, groups.len()) {
        return closed;
    }
    let image = broker.image();
    let questions: Vec<Question> = groups.iter().map(|group| ask(broker, &image, version, group)).collect();
    let broker = broker.clone();
    later(caller, async move {
        let mut groups = Vec::with_capacity(questions.len());
        for question in questions {
            groups.push(answer(&broker.image(), version, question).await);
        }
        if version >= SEVERAL_FROM {
            return OffsetFetchResponse { groups, ..OffsetFetchResponse::default() };
        }
        groups.pop().map(|group| alone(version, group)).unwrap_or_default()
    })
}

/// The one group of an older request.
fn single(request: OffsetFetchRequest) -> OffsetFetchRequestGroup {
    let topics = request.topics.map(|topics| {
        let topics = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
            ..OffsetFetchRequestTopics::default()
        });
        topics.collect()
    });
    OffsetFetchRequestGroup { group_id: request.group_id, topics, ..OffsetFetchRequestGroup::default() }
}

fn ask(broker: &Broker, image: &Image, version: i16, group: &OffsetFetchRequestGroup) -> Question {
    let mut named = Vec::new();
    let mut wanted = Vec::new();
    for topic in group.topics.iter().flatten() {
        let found = name(image, version, topic);
        named.push(Named {
            name: topic.name.detached(),
            topic_id: topic.topic_id,
            partitions: topic.partition_indexes.clone(),
            asked: found.as_ref().map(|_name| ()).map_err(|code| *code),
        });
        if let Ok(name) = found {
            wanted.push((name, topic.partition_indexes.clone()));
        }
    }
    let all = group.topics.is_none();
    let fetch = FetchOffsets {
        member: group.member_id.as_deref().filter(|member| !member.is_empty()).map(MemberId::new),
        epoch: group.member_epoch,
        topics: (!all).then_some(wanted),
    };
    let asked = broker.ask_group(&group.group_id, Request::FetchOffsets(fetch));
    Question { group_id: group.group_id.detached(), asked, named, all }
}

fn name(image: &Image, version: i16, topic: &OffsetFetchRequestTopics) -> Result<TopicName, ErrorCode> {
    if version >= BY_ID_FROM {
        return Ok(TopicRef::Id(topic.topic_id).find(image)?.name().clone());
    }
    // Nothing was ever committed for a name that no topic can have.
    TopicName::new(&topic.name).map_err(|_invalid| ErrorCode::NONE)
}

async fn answer(image: &Image, version: i16, question: Question) -> OffsetFetchResponseGroup {
    let Question { group_id, asked, named, all } = question;
    let fetched = answered(asked.answer().await, |answer| match answer {
        Answer::FetchOffsets(fetched) => Some(fetched),
        _ => None,
    });
    let (topics, error_code) = match fetched {
        Ok(fetched) if all => (everything(image, version, fetched), ErrorCode::NONE),
        Ok(fetched) => (as_named(named, fetched), ErrorCode::NONE),
        Err(refusal) => (failed(version, named, &refusal), refusal.code()),
    };
    OffsetFetchResponseGroup { group_id, topics, error_code }
}

fn everything(
    image: &Image,
    version: i16,
    fetched: Vec<(TopicName, Vec<FetchedOffset>)>,
) -> Vec<OffsetFetchResponseTopics> {
    let told = fetched.into_iter().filter_map(|(name, offsets)| {
        let topic_id = image.topic(name.as_str()).map(|topic| topic.id().0);
        // A topic without an id cannot be named to a client that knows ids only.
        if version >= BY_ID_FROM && topic_id.is_none() {
            return None;
        }
        Some(OffsetFetchResponseTopics {
            name: Text::from(name.as_str()),
            topic_id: topic_id.unwrap_or(Uuid::ZERO),
            partitions: offsets.iter().map(offset).collect(),
        })
    });
    told.collect()
}

/// The shard answers in the order in which it was asked.
fn as_named(
    named: Vec<Named>,
    fetched: Vec<(TopicName, Vec<FetchedOffset>)>,
) -> Vec<OffsetFetchResponseTopics> {
    let mut fetched = fetched.into_iter();
    let told = named.into_iter().map(|topic| {
        let partitions = match topic.asked {
            Ok(()) => {
                let offsets = fetched.next().map(|(_, offsets)| offsets).unwrap_or_default();
                offsets.iter().map(offset).collect()
            }
            Err(code) => topic.partitions.iter().map(|partition| none(*partition, code)).collect(),
        };
        OffsetFetchResponseTopics { name: topic.name, topic_id: topic.topic_id, partitions }
    });
    told.collect()
}

fn failed(version: i16, named: Vec<Named>, refusal: &GroupRefusal) -> Vec<OffsetFetchResponseTopics> {
    if version >= TOP_ERROR_FROM {
        return Vec::new();
    }
    let told = named.into_iter().map(|topic| OffsetFetchResponseTopics {
        name: topic.name,
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(|partition| none(*partition, refusal.code())).collect(),
    });
    told.collect()
}

fn offset(fetched: &FetchedOffset) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: fetched.partition,
        committed_offset: fetched.offset.0,
        committed_leader_epoch: fetched.leader_epoch,
        metadata: Some(Text::from(&*fetched.metadata)),
        error_code: ErrorCode::NONE,
    }
}

fn none(partition_index: i32, error_code: ErrorCode) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(Text::EMPTY),
        error_code,
    }
}

/// The answer to a request of one group.
fn alone(version: i16, group: OffsetFetchResponseGroup) -> OffsetFetchResponse {
    let partition = |partition: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
    };
    let topics = group.topics.into_iter().map(|topic| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(partition).collect(),
    });
    OffsetFetchResponse {
        topics: topics.collect(),
        error_code: if version >= TOP_ERROR_FROM { group.error_code } else { ErrorCode::NONE },
        ..OffsetFetchResponse::default()
    }
}
