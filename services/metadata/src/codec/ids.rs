//! The bytes of ids, epochs and names.

use aquifer_manifest::{BundleKey, ObjectKey, ReplacedRange, TierRange};
use aquifer_types::{
    BrokerEpoch, ClusterId, DirectoryId, FencingToken, Incarnation, LeaderEpoch, NodeId, Offset,
    PartitionEpoch, PartitionIndex, TimestampMs, TopicId, TopicName, TopicPartition, Uuid,
};

use crate::codec::wire::{DecodeError, Input, Wire, fields, put_no_tagged, put_tagged, put_text};
use crate::producer_ids::ProducerPrefix;

macro_rules! around {
    ($($name:ident),*) => {$(
        impl Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }

            fn take(input: &mut Input<'_>) -> Result<$name, DecodeError> {
                Wire::take(input).map($name)
            }
        }
    )*};
}

around!(ClusterId, TopicId, DirectoryId, Incarnation);
around!(NodeId, PartitionIndex, BrokerEpoch, LeaderEpoch, PartitionEpoch, TimestampMs, Offset);

fields!(TopicPartition { topic, partition });
fields!(ReplacedRange { range, at });
fields!(ObjectKey { base, leader_epoch, generation, nonce });
fields!(BundleKey { generation, nonce });

/// Of a range in a bundle, its place there; what holds such ranges says by its version, or by what stands beside it, that
/// they are not to be read without.
const POSITION_TAG: u64 = 0;

impl Wire for TierRange {
    fn put(&self, out: &mut Vec<u8>) {
        self.base.put(out);
        self.end.put(out);
        self.bytes.put(out);
        self.footer_bytes.put(out);
        self.max_timestamp.put(out);
        self.leader_epoch.put(out);
        self.generation.put(out);
        self.nonce.put(out);
        if self.position == 0 {
            put_no_tagged(out);
        } else {
            put_tagged(POSITION_TAG, &self.position, out);
        }
    }

    fn take(input: &mut Input<'_>) -> Result<TierRange, DecodeError> {
        Ok(TierRange {
            base: Wire::take(input)?,
            end: Wire::take(input)?,
            bytes: Wire::take(input)?,
            footer_bytes: Wire::take(input)?,
            max_timestamp: Wire::take(input)?,
            leader_epoch: Wire::take(input)?,
            generation: Wire::take(input)?,
            nonce: Wire::take(input)?,
            position: input.tagged(POSITION_TAG)?.unwrap_or(0),
        })
    }
}

impl Wire for Uuid {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn take(input: &mut Input<'_>) -> Result<Uuid, DecodeError> {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(input.bytes(16)?);
        Ok(Uuid::from_bytes(bytes))
    }
}

impl Wire for TopicName {
    fn put(&self, out: &mut Vec<u8>) {
        put_text(self.as_str(), out);
    }

    fn take(input: &mut Input<'_>) -> Result<TopicName, DecodeError> {
        TopicName::new(&String::take(input)?).map_err(|_refused| DecodeError::Invalid("topic name"))
    }
}

impl Wire for FencingToken {
    fn put(&self, out: &mut Vec<u8>) {
        put_text(self.as_str(), out);
    }

    fn take(input: &mut Input<'_>) -> Result<FencingToken, DecodeError> {
        String::take(input)?.parse().map_err(|_refused| DecodeError::Invalid("fencing token"))
    }
}

impl Wire for ProducerPrefix {
    fn put(&self, out: &mut Vec<u8>) {
        self.number().put(out);
    }

    fn take(input: &mut Input<'_>) -> Result<ProducerPrefix, DecodeError> {
        ProducerPrefix::new(u32::take(input)?).ok_or(DecodeError::Invalid("producer prefix"))
    }
}
