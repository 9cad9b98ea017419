//! `OffsetValue`: a committed offset as it is stored.

use aquifer_types::{Offset, TimestampMs, TopicId};

use super::{Malformed, Reader, Writer};

/// A committed offset, versions 0 to 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetValue {
    pub offset: Offset,
    /// -1 is none.
    pub leader_epoch: i32,
    pub metadata: Box<str>,
    pub committed_at: TimestampMs,
    /// Only what clients of long ago asked for.
    pub expires_at: Option<TimestampMs>,
    /// Zero is none.
    pub topic_id: TopicId,
}

impl OffsetValue {
    /// Version 1 where the client set when it expires, else 4: as Kafka does.
    pub(super) fn encode(&self) -> Vec<u8> {
        let version = if self.expires_at.is_some() { 1 } else { 4 };
        let mut out = Writer::new(version, version >= 4);
        out.i64(self.offset.0);
        if version >= 3 {
            out.i32(self.leader_epoch);
        }
        out.str(&self.metadata);
        out.i64(self.committed_at.0);
        if let Some(expires_at) = self.expires_at {
            out.i64(expires_at.0);
        }
        let topic_id = (!self.topic_id.0.is_zero()).then(|| (0, self.topic_id.0.as_bytes().to_vec()));
        out.tags(topic_id.as_slice());
        out.bytes
    }

    pub(super) fn decode(version: i16, input: &mut Reader<'_>) -> Result<Option<OffsetValue>, Malformed> {
        if version > 4 {
            return Ok(None);
        }
        input.set_flexible(version >= 4);
        let offset = Offset(input.i64()?);
        let leader_epoch = if version >= 3 { input.i32()? } else { -1 };
        let metadata = input.str()?.into();
        let committed_at = TimestampMs(input.i64()?);
        let expires_at = if version == 1 { Some(input.i64()?) } else { None };
        let expires_at = expires_at.filter(|at| *at >= 0).map(TimestampMs);
        let mut topic_id = TopicId::default();
        input.tags(|tag, value| {
            if tag == 0 {
                topic_id = value.topic_id()?;
            }
            Ok(())
        })?;
        Ok(Some(OffsetValue { offset, leader_epoch, metadata, committed_at, expires_at, topic_id }))
    }
}
