//! `GroupRecord`: one record of `__consumer_offsets`, in Kafka 4.3's own format.

mod bytes;
mod classic;
mod consumer;
mod offset;

use std::sync::Arc;

use aquifer_types::TopicName;

pub use bytes::Malformed;
pub(crate) use bytes::{Reader, Writer};
pub use classic::{ClassicMemberValue, ClassicValue};
pub use consumer::{
    ClassicMetadata, ConsumerGroupValue, CurrentValue, Epochs, MemberState, MemberValue, Partitions,
    PatternValue, TargetValue,
};
pub use offset::OffsetValue;

use crate::names::{GroupId, MemberId};

/// One record: what its key names, and its value or, as `None`, its removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupRecord {
    Offset {
        group: GroupId,
        topic: TopicName,
        partition: i32,
        value: Option<OffsetValue>,
    },
    Classic {
        group: GroupId,
        value: Option<ClassicValue>,
    },
    Consumer {
        group: GroupId,
        value: Option<ConsumerGroupValue>,
    },
    /// What brokers before 4.1 kept of topics: read over, and removed.
    PartitionMetadata {
        group: GroupId,
    },
    Member {
        group: GroupId,
        member: MemberId,
        value: Option<MemberValue>,
    },
    Target {
        group: GroupId,
        value: Option<TargetValue>,
    },
    TargetMember {
        group: GroupId,
        member: MemberId,
        value: Option<Partitions>,
    },
    Current {
        group: GroupId,
        member: MemberId,
        value: Option<CurrentValue>,
    },
    Pattern {
        group: GroupId,
        pattern: Arc<str>,
        value: Option<PatternValue>,
    },
}

/// What a key and a value turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    Record(GroupRecord),
    /// A type or version that this crate does not know: a later broker's, or share and streams groups'.
    Unknown,
}

impl GroupRecord {
    #[must_use]
    pub fn group(&self) -> &GroupId {
        match self {
            GroupRecord::Offset { group, .. }
            | GroupRecord::Classic { group, .. }
            | GroupRecord::Consumer { group, .. }
            | GroupRecord::PartitionMetadata { group }
            | GroupRecord::Member { group, .. }
            | GroupRecord::Target { group, .. }
            | GroupRecord::TargetMember { group, .. }
            | GroupRecord::Current { group, .. }
            | GroupRecord::Pattern { group, .. } => group,
        }
    }

    /// Whether it removes its key.
    #[must_use]
    pub fn is_removal(&self) -> bool {
        match self {
            GroupRecord::Offset { value, .. } => value.is_none(),
            GroupRecord::Classic { value, .. } => value.is_none(),
            GroupRecord::Consumer { value, .. } => value.is_none(),
            GroupRecord::PartitionMetadata { .. } => true,
            GroupRecord::Member { value, .. } => value.is_none(),
            GroupRecord::Target { value, .. } => value.is_none(),
            GroupRecord::TargetMember { value, .. } => value.is_none(),
            GroupRecord::Current { value, .. } => value.is_none(),
            GroupRecord::Pattern { value, .. } => value.is_none(),
        }
    }

    fn kind(&self) -> i16 {
        match self {
            GroupRecord::Offset { .. } => 1,
            GroupRecord::Classic { .. } => 2,
            GroupRecord::Consumer { .. } => 3,
            GroupRecord::PartitionMetadata { .. } => 4,
            GroupRecord::Member { .. } => 5,
            GroupRecord::Target { .. } => 6,
            GroupRecord::TargetMember { .. } => 7,
            GroupRecord::Current { .. } => 8,
            GroupRecord::Pattern { .. } => 16,
        }
    }

    /// The key's bytes.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        let mut out = Writer::new(self.kind(), false);
        out.str(self.group().as_str());
        match self {
            GroupRecord::Offset { topic, partition, .. } => {
                out.str(topic.as_str());
                out.i32(*partition);
            }
            GroupRecord::Member { member, .. }
            | GroupRecord::TargetMember { member, .. }
            | GroupRecord::Current { member, .. } => out.str(member.as_str()),
            GroupRecord::Pattern { pattern, .. } => out.str(pattern),
            GroupRecord::Classic { .. }
            | GroupRecord::Consumer { .. }
            | GroupRecord::PartitionMetadata { .. }
            | GroupRecord::Target { .. } => {}
        }
        out.bytes
    }

    /// The value's bytes; `None` removes the key.
    #[must_use]
    pub fn value(&self) -> Option<Vec<u8>> {
        match self {
            GroupRecord::Offset { value, .. } => value.as_ref().map(OffsetValue::encode),
            GroupRecord::Classic { value, .. } => value.as_ref().map(ClassicValue::encode),
            GroupRecord::Consumer { value, .. } => value.as_ref().map(ConsumerGroupValue::encode),
            GroupRecord::PartitionMetadata { .. } => None,
            GroupRecord::Member { value, .. } => value.as_ref().map(MemberValue::encode),
            GroupRecord::Target { value, .. } => value.as_ref().map(TargetValue::encode),
            GroupRecord::TargetMember { value, .. } => value.as_ref().map(consumer::encode_target),
            GroupRecord::Current { value, .. } => value.as_ref().map(CurrentValue::encode),
            GroupRecord::Pattern { value, .. } => value.as_ref().map(PatternValue::encode),
        }
    }

    /// What these bytes say.
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Decoded, Malformed> {
        let mut input = Reader::new(key);
        let kind = input.i16()?;
        if !matches!(kind, 0..=8 | 16) {
            return Ok(Decoded::Unknown);
        }
        let group = GroupId::new(input.str()?);
        let record = match kind {
            0 | 1 => {
                let topic = TopicName::new(input.str()?).map_err(|_invalid| Malformed)?;
                let partition = input.i32()?;
                let Some(value) = versioned(value, OffsetValue::decode)? else { return Ok(Decoded::Unknown) };
                GroupRecord::Offset { group, topic, partition, value }
            }
            2 => {
                let Some(value) = versioned(value, ClassicValue::decode)? else {
                    return Ok(Decoded::Unknown);
                };
                GroupRecord::Classic { group, value }
            }
            4 => GroupRecord::PartitionMetadata { group },
            _ => return decode_consumer(kind, group, &mut input, value),
        };
        Ok(Decoded::Record(record))
    }
}

fn decode_consumer(
    kind: i16,
    group: GroupId,
    key: &mut Reader<'_>,
    value: Option<&[u8]>,
) -> Result<Decoded, Malformed> {
    let named = if matches!(kind, 5 | 7 | 8 | 16) { key.str()? } else { "" };
    let member = MemberId::new(named);
    let record = match kind {
        3 => {
            versioned(value, ConsumerGroupValue::decode)?.map(|value| GroupRecord::Consumer { group, value })
        }
        5 => versioned(value, MemberValue::decode)?.map(|value| GroupRecord::Member { group, member, value }),
        6 => versioned(value, TargetValue::decode)?.map(|value| GroupRecord::Target { group, value }),
        7 => versioned(value, consumer::decode_target)?.map(|value| GroupRecord::TargetMember {
            group,
            member,
            value,
        }),
        8 => {
            versioned(value, CurrentValue::decode)?.map(|value| GroupRecord::Current { group, member, value })
        }
        _ => versioned(value, PatternValue::decode)?.map(|value| GroupRecord::Pattern {
            group,
            pattern: named.into(),
            value,
        }),
    };
    Ok(record.map_or(Decoded::Unknown, Decoded::Record))
}

/// The value by its version: the outer `None` is a version nobody here knows, the inner one a removal.
fn versioned<T>(
    value: Option<&[u8]>,
    decode: impl FnOnce(i16, &mut Reader<'_>) -> Result<Option<T>, Malformed>,
) -> Result<Option<Option<T>>, Malformed> {
    let Some(bytes) = value else { return Ok(Some(None)) };
    let mut input = Reader::new(bytes);
    let version = input.i16()?;
    if version < 0 {
        return Err(Malformed);
    }
    Ok(decode(version, &mut input)?.map(Some))
}
