//! `ClassicValue`: a classic group as it is stored, whole.

use std::sync::Arc;

use aquifer_types::TimestampMs;

use super::{Malformed, Reader, Writer};
use crate::names::{InstanceId, MemberId};

/// A classic group, versions 0 to 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicValue {
    pub protocol_type: Arc<str>,
    pub generation: i32,
    pub protocol: Option<Arc<str>>,
    pub leader: Option<MemberId>,
    pub state_since: TimestampMs,
    pub members: Vec<ClassicMemberValue>,
}

/// A member of a classic group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicMemberValue {
    pub id: MemberId,
    pub instance: Option<InstanceId>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    pub subscription: Arc<[u8]>,
    pub assignment: Arc<[u8]>,
}

impl ClassicValue {
    /// Always version 3, as Kafka does.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(3, false);
        out.str(&self.protocol_type);
        out.i32(self.generation);
        out.nullable_str(self.protocol.as_deref());
        out.nullable_str(self.leader.as_ref().map(MemberId::as_str));
        out.i64(self.state_since.0);
        out.list(self.members.iter(), |out, member| {
            out.str(member.id.as_str());
            out.nullable_str(member.instance.as_ref().map(InstanceId::as_str));
            out.str(&member.client_id);
            out.str(&member.client_host);
            out.i32(member.rebalance_timeout_ms);
            out.i32(member.session_timeout_ms);
            out.byte_string(&member.subscription);
            out.byte_string(&member.assignment);
        });
        out.bytes
    }

    pub(super) fn decode(version: i16, input: &mut Reader<'_>) -> Result<Option<ClassicValue>, Malformed> {
        if version > 4 {
            return Ok(None);
        }
        input.set_flexible(version >= 4);
        let protocol_type = input.str()?.into();
        let generation = input.i32()?;
        let protocol = input.nullable_str()?.map(Arc::from);
        let leader = input.nullable_str()?.map(MemberId::new);
        let state_since = if version >= 2 { TimestampMs(input.i64()?) } else { TimestampMs::NONE };
        let members = input.list(|input| {
            let id = MemberId::new(input.str()?);
            let instance = if version >= 3 { input.nullable_str()?.map(InstanceId::new) } else { None };
            let client_id = input.str()?.into();
            let client_host = input.str()?.into();
            let rebalance_timeout_ms = if version >= 1 { input.i32()? } else { -1 };
            let session_timeout_ms = input.i32()?;
            let subscription = input.bytes()?;
            let assignment = input.bytes()?;
            input.no_tags()?;
            Ok(ClassicMemberValue {
                id,
                instance,
                client_id,
                client_host,
                // Version 0 had one timeout for both.
                rebalance_timeout_ms: if version >= 1 { rebalance_timeout_ms } else { session_timeout_ms },
                session_timeout_ms,
                subscription,
                assignment,
            })
        })?;
        input.no_tags()?;
        Ok(Some(ClassicValue { protocol_type, generation, protocol, leader, state_since, members }))
    }
}
