//! The bytes of ids, epochs and names.

use aquifer_manifest::{ObjectKey, ReplacedRange, TierRange};
use aquifer_types::{
    BrokerEpoch, ClusterId, DirectoryId, FencingToken, Incarnation, LeaderEpoch, NodeId, Offset,
    PartitionEpoch, PartitionIndex, TimestampMs, TopicId, TopicName, TopicPartition, Uuid,
};

use crate::codec::wire::{DecodeError, Input, Wire, fields, put_text};
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
fields!(TierRange { base, end, bytes, footer_bytes, max_timestamp, leader_epoch, generation, nonce });
fields!(ReplacedRange { range, at });
fields!(ObjectKey { base, leader_epoch, generation, nonce });

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
