//! What is stored of a consumer group: its epoch, members, target and current assignments, resolved patterns.

use std::collections::BTreeMap;
use std::sync::Arc;

use aquifer_types::{TimestampMs, TopicId};

use super::{Malformed, Reader, Writer};
use crate::names::InstanceId;

/// The tag under which a member's own session timeout is stored.
const SESSION_TIMEOUT_TAG: u32 = 16753;

/// Partitions by topic, sorted.
pub type Partitions = BTreeMap<TopicId, Vec<i32>>;

/// Partitions by topic, each with the epoch at which it was assigned, sorted.
pub type Epochs = BTreeMap<TopicId, Vec<(i32, i32)>>;

/// A group's epoch, and the hash of the topics it was computed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsumerGroupValue {
    pub epoch: i32,
    pub metadata_hash: i64,
}

impl ConsumerGroupValue {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(0, true);
        out.i32(self.epoch);
        let hash = (self.metadata_hash != 0).then(|| (0, self.metadata_hash.to_be_bytes().to_vec()));
        out.tags(hash.as_slice());
        out.bytes
    }

    pub(super) fn decode(version: i16, input: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        if version > 0 {
            return Ok(None);
        }
        input.set_flexible(true);
        let epoch = input.i32()?;
        let mut metadata_hash = 0;
        input.tags(|tag, value| {
            if tag == 0 {
                metadata_hash = value.i64()?;
            }
            Ok(())
        })?;
        Ok(Some(ConsumerGroupValue { epoch, metadata_hash }))
    }
}

/// What a member said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberValue {
    pub instance: Option<InstanceId>,
    pub rack: Option<Arc<str>>,
    pub client_id: Arc<str>,
    pub client_host: Arc<str>,
    pub topics: Vec<Arc<str>>,
    pub pattern: Option<Arc<str>>,
    pub rebalance_timeout_ms: i32,
    pub assignor: Option<Arc<str>>,
    /// Set where the member speaks the classic protocol.
    pub classic: Option<ClassicMetadata>,
    /// What the member asked for instead of the group's session timeout.
    pub session_timeout_ms: Option<i32>,
}

/// What a member of a consumer group that speaks the classic protocol joined with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicMetadata {
    pub session_timeout_ms: i32,
    pub protocols: Vec<(Arc<str>, Arc<[u8]>)>,
}

impl MemberValue {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(0, true);
        out.nullable_str(self.instance.as_ref().map(InstanceId::as_str));
        out.nullable_str(self.rack.as_deref());
        out.str(&self.client_id);
        out.str(&self.client_host);
        out.list(self.topics.iter(), |out, topic| out.str(topic));
        out.nullable_str(self.pattern.as_deref());
        out.i32(self.rebalance_timeout_ms);
        out.nullable_str(self.assignor.as_deref());
        let mut tags = Vec::new();
        if let Some(classic) = &self.classic {
            let mut inside = Writer::inside();
            // A nullable structure says first that it is there.
            inside.i8(1);
            inside.i32(classic.session_timeout_ms);
            inside.list(classic.protocols.iter(), |out, (name, metadata)| {
                out.str(name);
                out.byte_string(metadata);
                out.tags(&[]);
            });
            inside.tags(&[]);
            tags.push((0, inside.bytes));
        }
        if let Some(timeout) = self.session_timeout_ms {
            tags.push((SESSION_TIMEOUT_TAG, timeout.to_be_bytes().to_vec()));
        }
        out.tags(&tags);
        out.bytes
    }

    pub(super) fn decode(version: i16, input: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        if version > 0 {
            return Ok(None);
        }
        input.set_flexible(true);
        let mut member = MemberValue {
            instance: input.nullable_str()?.map(InstanceId::new),
            rack: input.nullable_str()?.map(Arc::from),
            client_id: input.str()?.into(),
            client_host: input.str()?.into(),
            topics: input.list(|input| input.str().map(Arc::from))?,
            pattern: input.nullable_str()?.map(Arc::from),
            rebalance_timeout_ms: input.i32()?,
            assignor: input.nullable_str()?.map(Arc::from),
            classic: None,
            session_timeout_ms: None,
        };
        input.tags(|tag, value| {
            match tag {
                0 => member.classic = decode_classic(value)?,
                SESSION_TIMEOUT_TAG => member.session_timeout_ms = Some(value.i32()?),
                _ => {}
            }
            Ok(())
        })?;
        Ok(Some(member))
    }
}

fn decode_classic(input: &mut Reader<'_>) -> Result<Option<ClassicMetadata>, Malformed> {
    if input.i8()? < 0 {
        return Ok(None);
    }
    let session_timeout_ms = input.i32()?;
    let protocols = input.list(|input| {
        let name = input.str()?.into();
        let metadata = input.bytes()?;
        input.no_tags()?;
        Ok((name, metadata))
    })?;
    input.no_tags()?;
    Ok(Some(ClassicMetadata { session_timeout_ms, protocols }))
}

/// Which group epoch the target assignment was computed for, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetValue {
    pub epoch: i32,
    pub assigned_at: TimestampMs,
}

impl TargetValue {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(0, true);
        out.i32(self.epoch);
        let at = (self.assigned_at.0 != 0).then(|| (0, self.assigned_at.0.to_be_bytes().to_vec()));
        out.tags(at.as_slice());
        out.bytes
    }

    pub(super) fn decode(version: i16, input: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        if version > 0 {
            return Ok(None);
        }
        input.set_flexible(true);
        let epoch = input.i32()?;
        let mut assigned_at = TimestampMs(0);
        input.tags(|tag, value| {
            if tag == 0 {
                assigned_at = TimestampMs(value.i64()?);
            }
            Ok(())
        })?;
        Ok(Some(TargetValue { epoch, assigned_at }))
    }
}

pub(super) fn encode_target(partitions: &Partitions) -> Vec<u8> {
    let mut out = Writer::new(0, true);
    out.list(partitions.iter(), |out, (topic, partitions)| {
        out.topic_id(*topic);
        out.list(partitions.iter(), |out, partition| out.i32(*partition));
        out.tags(&[]);
    });
    out.tags(&[]);
    out.bytes
}

pub(super) fn decode_target(version: i16, input: &mut Reader<'_>) -> Result<Option<Partitions>, Malformed> {
    if version > 0 {
        return Ok(None);
    }
    input.set_flexible(true);
    let topics = input.list(|input| {
        let topic = input.topic_id()?;
        let mut partitions = input.list(Reader::i32)?;
        partitions.sort_unstable();
        input.no_tags()?;
        Ok((topic, partitions))
    })?;
    input.no_tags()?;
    Ok(Some(topics.into_iter().collect()))
}

/// How far a member is on its way to its target, by Kafka's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemberState {
    /// It has its target of its epoch.
    #[default]
    Stable,
    /// It was asked to give partitions up before it goes on.
    UnrevokedPartitions,
    /// It waits for partitions that others have not given up.
    UnreleasedPartitions,
    /// A state of a later broker: it is reconciled anew.
    Unknown,
}

/// Where a member is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CurrentValue {
    pub epoch: i32,
    pub previous_epoch: i32,
    pub state: MemberState,
    pub assigned: Epochs,
    pub revoking: Epochs,
}

impl CurrentValue {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(0, true);
        out.i32(self.epoch);
        out.i32(self.previous_epoch);
        out.i8(match self.state {
            MemberState::Stable => 0,
            MemberState::UnrevokedPartitions => 1,
            MemberState::UnreleasedPartitions => 2,
            MemberState::Unknown => 127,
        });
        encode_epochs(&mut out, &self.assigned);
        encode_epochs(&mut out, &self.revoking);
        out.tags(&[]);
        out.bytes
    }

    pub(super) fn decode(version: i16, input: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        if version > 0 {
            return Ok(None);
        }
        input.set_flexible(true);
        let epoch = input.i32()?;
        let previous_epoch = input.i32()?;
        let state = match input.i8()? {
            0 => MemberState::Stable,
            1 => MemberState::UnrevokedPartitions,
            2 => MemberState::UnreleasedPartitions,
            _ => MemberState::Unknown,
        };
        let assigned = decode_epochs(input, epoch)?;
        let revoking = decode_epochs(input, epoch)?;
        input.no_tags()?;
        Ok(Some(CurrentValue { epoch, previous_epoch, state, assigned, revoking }))
    }
}

fn encode_epochs(out: &mut Writer, topics: &Epochs) {
    out.list(topics.iter(), |out, (topic, partitions)| {
        out.topic_id(*topic);
        out.list(partitions.iter(), |out, (partition, _)| out.i32(*partition));
        let mut epochs = Writer::inside();
        epochs.list(partitions.iter(), |out, (_, epoch)| out.i32(*epoch));
        out.tags(&[(0, epochs.bytes)]);
    });
}

/// Records of brokers that kept no epochs count as assigned at the member's epoch.
fn decode_epochs(input: &mut Reader<'_>, member_epoch: i32) -> Result<Epochs, Malformed> {
    let topics = input.list(|input| {
        let topic = input.topic_id()?;
        let partitions = input.list(Reader::i32)?;
        let mut epochs = Vec::new();
        input.tags(|tag, value| {
            if tag == 0 {
                epochs = value.list(Reader::i32)?;
            }
            Ok(())
        })?;
        let epoch_of = |at: usize| epochs.get(at).copied().unwrap_or(member_epoch);
        let mut pairs: Vec<(i32, i32)> =
            partitions.into_iter().enumerate().map(|(at, partition)| (partition, epoch_of(at))).collect();
        pairs.sort_unstable();
        Ok((topic, pairs))
    })?;
    Ok(topics.into_iter().collect())
}

/// The topics a pattern matched, and in which version of the metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatternValue {
    pub topics: Vec<Arc<str>>,
    pub version: i64,
    pub resolved_at: TimestampMs,
}

impl PatternValue {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(0, true);
        out.list(self.topics.iter(), |out, topic| out.str(topic));
        out.i64(self.version);
        out.i64(self.resolved_at.0);
        out.tags(&[]);
        out.bytes
    }

    pub(super) fn decode(version: i16, input: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        if version > 0 {
            return Ok(None);
        }
        input.set_flexible(true);
        let topics = input.list(|input| input.str().map(Arc::from))?;
        let version = input.i64()?;
        let resolved_at = TimestampMs(input.i64()?);
        input.no_tags()?;
        Ok(Some(PatternValue { topics, version, resolved_at }))
    }
}
