//! Names of objects: where everything lies in a bucket.
//!
//! ```text
//! {cluster}/t/{hh}/{topic id}/{partition:06}/d/{base:020}-{leader epoch:08x}-{generation:016x}-{nonce:016x}.aqs
//! ```
//!
//! `hh` spreads partitions over 256 prefixes, which a store can split and a restore can list in parallel.

use std::fmt;
use std::str::FromStr;

use aquifer_types::{ClusterId, LeaderEpoch, Offset, PartitionIndex, TopicPartition};

use crate::bundle::BundleKey;
use crate::range::TierRange;

/// The partition of a cluster whose objects are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub cluster: ClusterId,
    pub partition: TopicPartition,
}

/// What tells a range from all others of its partition: the name of its object, unless a bundle holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey {
    pub base: Offset,
    pub leader_epoch: LeaderEpoch,
    pub generation: u64,
    pub nonce: u64,
}

/// The text is no name of an object of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of one of our objects: {0}")]
pub struct BadKey(pub(crate) String);

impl Place {
    /// What the names of all data objects of the partition begin with.
    #[must_use]
    pub fn prefix(&self) -> String {
        let TopicPartition { topic, partition: PartitionIndex(partition) } = self.partition;
        let mut hashed = topic.0.as_bytes().to_vec();
        hashed.extend(partition.to_be_bytes());
        let spread = (crc32c::crc32c(&hashed) & 0xff) as u8;
        format!("{}{topic}/{partition:06}/d/", Place::spread(self.cluster, spread))
    }

    /// What the names of one of 256 parts of a cluster's data objects begin with.
    #[must_use]
    pub fn spread(cluster: ClusterId, part: u8) -> String {
        format!("{cluster}/t/{part:02x}/")
    }

    /// Whose object a name is that follows `Place::spread`, and which.
    pub fn parse(cluster: ClusterId, part: u8, rest: &str) -> Result<(Place, ObjectKey), BadKey> {
        let parse = || {
            let mut parts = rest.split('/');
            let topic = parts.next()?.parse().ok()?;
            let partition = PartitionIndex(parts.next()?.parse().ok()?);
            let place = Place { cluster, partition: TopicPartition { topic, partition } };
            let key: ObjectKey = rest.rsplit('/').next()?.parse().ok()?;
            let whole = format!("{}{rest}", Place::spread(cluster, part));
            (whole == format!("{}{key}", place.prefix())).then_some((place, key))
        };
        parse().ok_or_else(|| BadKey(rest.to_owned()))
    }

    /// The whole name of the object that the range is, or of the bundle that holds it.
    #[must_use]
    pub fn key(&self, range: &TierRange) -> String {
        match BundleKey::of(range) {
            Some(bundle) => bundle.name(self.cluster),
            None => self.name(&ObjectKey::of(range)),
        }
    }

    /// The whole name of an object that is one range.
    #[must_use]
    pub fn name(&self, key: &ObjectKey) -> String {
        format!("{}{key}", self.prefix())
    }
}

impl ObjectKey {
    #[must_use]
    pub fn of(range: &TierRange) -> ObjectKey {
        let TierRange { base, leader_epoch, generation, nonce, .. } = *range;
        ObjectKey { base, leader_epoch, generation, nonce }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectKey { base, leader_epoch, generation, nonce } = self;
        write!(f, "{:020}-{:08x}-{generation:016x}-{nonce:016x}.aqs", base.0, leader_epoch.0)
    }
}

impl FromStr for ObjectKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<ObjectKey, BadKey> {
        let parse = || {
            let mut parts = text.strip_suffix(".aqs")?.split('-');
            let key = ObjectKey {
                base: Offset(parts.next()?.parse().ok()?),
                leader_epoch: LeaderEpoch(i32::from_str_radix(parts.next()?, 16).ok()?),
                generation: u64::from_str_radix(parts.next()?, 16).ok()?,
                nonce: u64::from_str_radix(parts.next()?, 16).ok()?,
            };
            (parts.next().is_none() && key.to_string() == text).then_some(key)
        };
        parse().ok_or_else(|| BadKey(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use aquifer_types::{TimestampMs, TopicId, Uuid};

    use super::*;

    #[test]
    fn a_name_reads_back_and_no_other_text_does() {
        let range = TierRange {
            base: Offset(4_711),
            end: Offset(4_800),
            bytes: 9,
            footer_bytes: 7,
            max_timestamp: TimestampMs(1),
            leader_epoch: LeaderEpoch(3),
            generation: 77,
            nonce: 0xdead_beef,
            position: 0,
        };
        let place = Place {
            cluster: ClusterId(Uuid::from_bytes([1; 16])),
            partition: TopicPartition {
                topic: TopicId(Uuid::from_bytes([2; 16])),
                partition: PartitionIndex(12),
            },
        };

        let key = place.key(&range);
        let name = key.strip_prefix(&place.prefix()).expect("it begins with the prefix");
        assert_eq!(name, "00000000000000004711-00000003-000000000000004d-00000000deadbeef.aqs");
        assert_eq!(name.parse(), Ok(ObjectKey::of(&range)));
        let part = (0..=255).find(|part| key.starts_with(&Place::spread(place.cluster, *part)));
        let part = part.expect("one of the parts");
        let rest = key.strip_prefix(&Place::spread(place.cluster, part)).expect("found by it");
        assert_eq!(Place::parse(place.cluster, part, rest), Ok((place, ObjectKey::of(&range))));
        assert!(Place::parse(place.cluster, part ^ 1, rest).is_err(), "it lies in the wrong part");
        assert!(Place::parse(place.cluster, part, &rest.replace("/d/", "/x/")).is_err());
        for foreign in ["", "x.aqs", "4711-00000003-000000000000004d-00000000deadbeef.aqs", &name[1..]] {
            assert!(foreign.parse::<ObjectKey>().is_err(), "{foreign}");
        }
    }
}
