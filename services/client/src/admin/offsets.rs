//! Committed offsets of a group, as an operator reads, sets and deletes them.

use std::collections::BTreeMap;

use aquifer_types::{LeaderEpoch, Offset, PartitionIndex, TopicId};
use aquifer_wire::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use aquifer_wire::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use aquifer_wire::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use aquifer_wire::messages::{OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest};
use aquifer_wire::{ErrorCode, Text};

use crate::client::Client;
use crate::error::ClientError;
use crate::per_leader::Place;

/// The versions from which topics are named by id, in commits and in what is asked of them.
pub(crate) const BY_ID_FROM: i16 = 10;
/// The version from which several groups are asked at once.
const BATCHED_FROM: i16 = 8;

/// How far a group has come in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub offset: Offset,
    pub epoch: Option<LeaderEpoch>,
    pub metadata: String,
}

/// How far a group is to be in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOffset {
    pub place: Place,
    pub offset: Offset,
    pub epoch: Option<LeaderEpoch>,
    /// Kept beside the offset.
    pub metadata: Text,
}

/// Who commits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committer {
    pub member: Text,
    pub instance: Option<Text>,
    /// A member's epoch; -1 for whoever is no member.
    pub epoch: i32,
}

impl NewOffset {
    /// An offset of which nothing else is known.
    #[must_use]
    pub fn at(place: Place, offset: Offset) -> NewOffset {
        NewOffset { place, offset, epoch: None, metadata: Text::EMPTY }
    }
}

impl Client {
    /// All offsets that a group has committed. A group that is not there has none.
    pub async fn group_offsets(&self, group: &str) -> Result<BTreeMap<Place, Committed>, ClientError> {
        self.offsets_of(group, None).await
    }

    /// The offsets that a group has committed of these partitions, of those where it has.
    pub async fn group_offsets_at(
        &self,
        group: &str,
        places: &[Place],
    ) -> Result<BTreeMap<Place, Committed>, ClientError> {
        self.offsets_of(group, Some(places)).await
    }

    async fn offsets_of(
        &self,
        group: &str,
        places: Option<&[Place]>,
    ) -> Result<BTreeMap<Place, Committed>, ClientError> {
        let mut retry = self.retry();
        loop {
            match self.offsets_once(group, places).await {
                Ok(offsets) => return Ok(offsets),
                Err(error) => {
                    if error.retriable() {
                        self.coordinators().forget(group);
                    }
                    if error.hints_at_stale_metadata() {
                        places.iter().copied().flatten().for_each(|(topic, _)| self.forget(topic));
                    }
                    retry.after(error, None).await?;
                }
            }
        }
    }

    /// The topics of a request, as each version names them.
    async fn named_topics(&self, places: &[Place]) -> Result<Vec<OffsetFetchRequestTopics>, ClientError> {
        let mut topics: BTreeMap<&Text, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in places {
            topics.entry(topic).or_default().push(partition.0);
        }
        let mut named = Vec::with_capacity(topics.len());
        for (name, partition_indexes) in topics {
            let topic_id = self.topic_when_known(name).await?.id.0;
            named.push(OffsetFetchRequestTopics { name: name.clone(), topic_id, partition_indexes });
        }
        Ok(named)
    }

    async fn offsets_once(
        &self,
        group: &str,
        places: Option<&[Place]>,
    ) -> Result<BTreeMap<Place, Committed>, ClientError> {
        let known = self.coordinators().of(group);
        let node = match known {
            Some(node) => node,
            None => self.coordinator(group).await?,
        };
        let topics = match places {
            Some(places) => Some(self.named_topics(places).await?),
            None => None,
        };
        let asked_for = topics.iter().flatten();
        let mut names: BTreeMap<TopicId, Text> =
            asked_for.map(|topic| (TopicId(topic.topic_id), topic.name.clone())).collect();
        let connection = self.connection(node).await?;
        let version = connection.version::<OffsetFetchRequest>()?;
        let mut request = OffsetFetchRequest { require_stable: version >= 7, ..Default::default() };
        if version >= BATCHED_FROM {
            let asked = OffsetFetchRequestGroup {
                group_id: Text::from(group),
                topics,
                ..OffsetFetchRequestGroup::default()
            };
            request.groups = vec![asked];
        } else {
            request.group_id = Text::from(group);
            request.topics = topics.map(|topics| {
                let topics = topics.into_iter();
                topics
                    .map(|OffsetFetchRequestTopics { name, partition_indexes, .. }| OffsetFetchRequestTopic {
                        name,
                        partition_indexes,
                    })
                    .collect()
            });
        }
        let response = connection.call(&request).await?;
        let mut offsets = BTreeMap::new();
        if version < BATCHED_FROM {
            ClientError::check(response.error_code, None)?;
            for topic in &response.topics {
                for part in &topic.partitions {
                    ClientError::check(part.error_code, None)?;
                    let place = (topic.name.detached(), PartitionIndex(part.partition_index));
                    let (offset, epoch) = (part.committed_offset, part.committed_leader_epoch);
                    offsets.insert(place, committed(offset, epoch, part.metadata.as_ref()));
                }
            }
            return Ok(offsets);
        }
        let found = response.groups.first().ok_or(ClientError::Incomplete("the group"))?;
        ClientError::check(found.error_code, None)?;
        let ids: Vec<TopicId> = found.topics.iter().map(|topic| TopicId(topic.topic_id)).collect();
        if version >= BY_ID_FROM && places.is_none() {
            names = self.topic_names(&ids).await?;
        }
        for topic in &found.topics {
            let by_id = names.get(&TopicId(topic.topic_id));
            // A topic that was deleted has no name; its offsets mean nothing any more.
            let name = if version >= BY_ID_FROM { by_id.cloned() } else { Some(topic.name.detached()) };
            let Some(name) = name else { continue };
            for part in &topic.partitions {
                ClientError::check(part.error_code, None)?;
                let place = (name.clone(), PartitionIndex(part.partition_index));
                let (offset, epoch) = (part.committed_offset, part.committed_leader_epoch);
                offsets.insert(place, committed(offset, epoch, part.metadata.as_ref()));
            }
        }
        offsets.retain(|_, committed| committed.offset.0 >= 0);
        Ok(offsets)
    }

    /// Sets offsets of a group that nobody is in; brokers refuse it for one with members.
    pub async fn set_group_offsets(&self, group: &str, offsets: &[NewOffset]) -> Result<(), ClientError> {
        let committer = Committer { epoch: -1, ..Committer::default() };
        self.commit(group, &committer, offsets).await
    }

    /// Commits offsets, all of which the coordinator must take.
    pub async fn commit(
        &self,
        group: &str,
        committer: &Committer,
        offsets: &[NewOffset],
    ) -> Result<(), ClientError> {
        if offsets.is_empty() {
            return Ok(());
        }
        let mut topics: BTreeMap<&Text, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
        for NewOffset { place: (topic, partition), offset, epoch, metadata } in offsets {
            topics.entry(topic).or_default().push(OffsetCommitRequestPartition {
                partition_index: partition.0,
                committed_offset: offset.0,
                committed_leader_epoch: epoch.map_or(-1, |epoch| epoch.0),
                committed_metadata: Some(metadata.clone()),
            });
        }
        let mut named = Vec::new();
        for (name, partitions) in topics {
            let id = self.topic_when_known(name).await?.id;
            named.push(OffsetCommitRequestTopic { name: name.clone(), topic_id: id.0, partitions });
        }
        let request = OffsetCommitRequest {
            group_id: Text::from(group),
            generation_id_or_member_epoch: committer.epoch,
            member_id: committer.member.clone(),
            group_instance_id: committer.instance.clone(),
            topics: named,
            ..OffsetCommitRequest::default()
        };
        let answered = self.ask_coordinator(group, &request, |response| {
            let mut parts = response.topics.iter().flat_map(|topic| &topic.partitions);
            let refused = parts.find(|part| !part.error_code.is_none());
            refused.map_or(Ok(()), |part| ClientError::check(part.error_code, None))
        });
        if let Err(error) = answered.await {
            if error.hints_at_stale_metadata() {
                offsets.iter().for_each(|offset| self.forget(&offset.place.0));
            }
            return Err(error);
        }
        Ok(())
    }

    /// Deletes offsets of partitions that no member reads.
    pub async fn delete_group_offsets(&self, group: &str, places: &[Place]) -> Result<(), ClientError> {
        let mut topics: BTreeMap<&Text, Vec<OffsetDeleteRequestPartition>> = BTreeMap::new();
        for (topic, partition) in places {
            let partition = OffsetDeleteRequestPartition { partition_index: partition.0 };
            topics.entry(topic).or_default().push(partition);
        }
        let topics = topics
            .into_iter()
            .map(|(name, partitions)| OffsetDeleteRequestTopic { name: name.clone(), partitions });
        let request = OffsetDeleteRequest { group_id: Text::from(group), topics: topics.collect() };
        self.ask_coordinator(group, &request, |response| {
            ClientError::check(response.error_code, None)?;
            let mut parts = response.topics.iter().flat_map(|topic| &topic.partitions);
            let refused = parts.find(|part| !part.error_code.is_none());
            refused.map_or(Ok(()), |part| match part.error_code {
                // It is gone, which is what was wanted.
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Ok(()),
                code => ClientError::check(code, None),
            })
        })
        .await?;
        Ok(())
    }
}

fn committed(offset: i64, epoch: i32, metadata: Option<&Text>) -> Committed {
    Committed {
        offset: Offset(offset),
        epoch: Some(LeaderEpoch(epoch)).filter(|epoch| epoch.0 >= 0),
        metadata: metadata.map(Text::to_string).unwrap_or_default(),
    }
}
