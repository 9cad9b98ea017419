//! From a group's name to its shard, and the texts that questions and answers share.

use std::sync::Arc;

use aquifer_coordinator::{Asked, OFFSETS_TOPIC, Unavailable, partition_of};
use aquifer_group::{GroupId, InstanceId, MemberId, Request};
use aquifer_wire::Text;
use bytes::Bytes;

use crate::broker::Broker;
use crate::service::Caller;

impl Broker {
    /// Hands a request to its group's shard. What is asked first is answered first by the shard.
    pub(super) fn ask_group(&self, group: &str, request: Request) -> Asked {
        const NOWHERE: i32 = -1;
        if self.is_mount() && request.may_store() {
            return Asked::refused(Unavailable::ReadOnly);
        }
        let image = self.image();
        let partition =
            image.topic(OFFSETS_TOPIC).map_or(NOWHERE, |topic| partition_of(group, topic.partition_count()));
        self.coordinator.ask(partition, GroupId::new(group), request)
    }

    /// An id that no member had before.
    pub(super) fn fresh_member_id(&self, prefix: &str) -> MemberId {
        let id = self.runtime.random_uuid();
        let id = if prefix.is_empty() { id.to_string() } else { format!("{prefix}-{id}") };
        MemberId::new(&id)
    }
}

impl Caller {
    /// As Kafka writes a client's address.
    pub(super) fn host(&self) -> Arc<str> {
        format!("/{}", self.connection.peer.ip()).into()
    }
}

pub(super) fn member(text: &Text) -> MemberId {
    MemberId::new(text)
}

pub(super) fn instance(text: Option<&Text>) -> Option<InstanceId> {
    text.map(|text| InstanceId::new(text))
}

/// Text of its own: what a shard keeps must not keep the request.
pub(super) fn kept(text: &Text) -> Arc<str> {
    Arc::from(text.as_str())
}

pub(super) fn kept_bytes(bytes: &Bytes) -> Arc<[u8]> {
    Arc::from(&bytes[..])
}

pub(super) fn sent(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
