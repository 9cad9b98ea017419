//! Bundles: small ranges of many partitions in one object, each as it would be by itself, then an index that names them.
//!
//! ```text
//! {cluster}/b/{hh}/{generation:016x}-{nonce:016x}.aqb
//! header, log bytes and footer of each range, index, trailer
//! ```
//!
//! The lowest bits of a bundle's random number are zero, and say in the numbers of its ranges which of them each is.

use std::fmt;
use std::str::FromStr;

use aquifer_types::{
    ClusterId, LeaderEpoch, Offset, PartitionIndex, TimestampMs, TopicId, TopicPartition, Uuid,
};

use crate::bytes::{Reader, put_list, trailer_words};
use crate::footer::{Link, TRAILER_BYTES, put_link, take_link};
use crate::key::BadKey;
use crate::range::TierRange;

/// At the beginning of every bundle, so that no range begins there.
pub const BUNDLE_HEADER: [u8; 16] = *b"AQUIFERBUNDLE\0\0\x01";
/// A bundle holds no more ranges.
pub const BUNDLE_RANGES_MAX: usize = 1_024;

const PART_BITS: u32 = 12;
const MAGIC: [u8; 8] = *b"AQUIFERB";
const VERSION: u32 = 1;
/// What an entry takes at least.
const ENTRY_BYTES_MIN: usize = 85;

/// The name of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BundleKey {
    pub generation: u64,
    pub nonce: u64,
}

/// One range of a bundle, with what its footer says of its place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleEntry {
    pub at: TopicPartition,
    pub range: TierRange,
    pub is_rewrite: bool,
    pub previous: Option<Link>,
    pub last: Link,
}

/// What stands in a bundle behind its ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleIndex {
    pub cluster: ClusterId,
    pub key: BundleKey,
    /// In the order in which they stand there.
    pub entries: Vec<BundleEntry>,
}

/// The bytes are no bundle, or not the one of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBundle {
    #[error("object does not end in a bundle's trailer")]
    NoTrailer,
    #[error("bundle is of version {0}, which is not known here")]
    Version(u32),
    #[error("bundle's index is damaged")]
    Damaged,
    #[error("bundle is that of another name")]
    Misnamed,
}

impl BundleKey {
    /// The name that a random number makes.
    #[must_use]
    pub fn drawn(generation: u64, random: u64) -> BundleKey {
        BundleKey { generation, nonce: random >> PART_BITS << PART_BITS }
    }

    /// The bundle that holds the range; none of one that is an object of its own.
    #[must_use]
    pub fn of(range: &TierRange) -> Option<BundleKey> {
        (range.position > 0).then(|| BundleKey::drawn(range.generation, range.nonce))
    }

    /// The random number of one of its ranges.
    #[must_use]
    pub fn nonce_of(&self, place: usize) -> u64 {
        assert!(place < BUNDLE_RANGES_MAX, "a bundle holds {BUNDLE_RANGES_MAX} ranges at most: {place}");
        self.nonce | (place as u64 + 1)
    }

    /// What the names of all bundles of a cluster begin with.
    #[must_use]
    pub fn all(cluster: ClusterId) -> String {
        format!("{cluster}/b/")
    }

    /// The whole name.
    #[must_use]
    pub fn name(&self, cluster: ClusterId) -> String {
        format!("{}{}/{self}", BundleKey::all(cluster), self.spread())
    }

    /// The bundle of a name that follows `BundleKey::all`.
    pub fn parse(rest: &str) -> Result<BundleKey, BadKey> {
        let parse = || {
            let (spread, name) = rest.split_once('/')?;
            let key: BundleKey = name.parse().ok()?;
            (key.spread() == spread).then_some(key)
        };
        parse().ok_or_else(|| BadKey(rest.to_owned()))
    }

    /// One of 256 parts that a store can split.
    fn spread(&self) -> String {
        format!("{:02x}", crc32c::crc32c(&self.nonce.to_be_bytes()) & 0xff)
    }
}

impl fmt::Display for BundleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}.aqb", self.generation, self.nonce)
    }
}

impl FromStr for BundleKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<BundleKey, BadKey> {
        let parse = || {
            let (generation, nonce) = text.strip_suffix(".aqb")?.split_once('-')?;
            let generation = u64::from_str_radix(generation, 16).ok()?;
            let key = BundleKey::drawn(generation, u64::from_str_radix(nonce, 16).ok()?);
            (key.to_string() == text).then_some(key)
        };
        parse().ok_or_else(|| BadKey(text.to_owned()))
    }
}

impl BundleIndex {
    /// The index and the trailer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.cluster.0.as_bytes());
        out.extend(self.key.generation.to_be_bytes());
        out.extend(self.key.nonce.to_be_bytes());
        put_list(&mut out, &self.entries, put_entry);
        let length = u32::try_from(out.len()).expect("an index is short");
        let crc = crc32c::crc32c(&out);
        let mut trailer = Vec::with_capacity(TRAILER_BYTES);
        trailer.extend(MAGIC);
        trailer.extend(VERSION.to_be_bytes());
        trailer.extend(length.to_be_bytes());
        trailer.extend(crc.to_be_bytes());
        trailer.resize(TRAILER_BYTES - 4, 0);
        let trailer_crc = crc32c::crc32c(&trailer);
        out.extend(trailer);
        out.extend(trailer_crc.to_be_bytes());
        out
    }

    /// How many bytes the index and the trailer of a bundle take, from its trailer.
    pub fn length(object_tail: &[u8]) -> Result<u32, BadBundle> {
        let (length, _) = trailer(object_tail)?;
        length.checked_add(TRAILER_BYTES as u32).ok_or(BadBundle::NoTrailer)
    }

    /// The index in the last bytes of a bundle of this name and size.
    pub fn decode(
        tail: &[u8],
        cluster: ClusterId,
        key: BundleKey,
        object_bytes: u64,
    ) -> Result<BundleIndex, BadBundle> {
        let (length, crc) = trailer(tail)?;
        let length = usize::try_from(length).map_err(|_short| BadBundle::Damaged)?;
        let (before, _) = tail.split_at(tail.len() - TRAILER_BYTES);
        let start = before.len().checked_sub(length).ok_or(BadBundle::Damaged)?;
        let body = &before[start..];
        if crc32c::crc32c(body) != crc {
            return Err(BadBundle::Damaged);
        }
        let mut reader = Reader(body);
        let index = take(&mut reader).filter(|_| reader.0.is_empty()).ok_or(BadBundle::Damaged)?;
        if (index.cluster, index.key) != (cluster, key) {
            return Err(BadBundle::Misnamed);
        }
        let ranges_end = object_bytes.checked_sub((length + TRAILER_BYTES) as u64);
        if ranges_end.is_some_and(|end| index.is_laid_out_upto(end)) {
            Ok(index)
        } else {
            Err(BadBundle::Damaged)
        }
    }

    /// Whether the ranges stand one behind another, up to there, each with its own number.
    fn is_laid_out_upto(&self, ranges_end: u64) -> bool {
        let mut at = BUNDLE_HEADER.len() as u64;
        let mut nonce = self.key.nonce;
        for BundleEntry { range, .. } in &self.entries {
            let whole = range.base < range.end && range.bytes > 0;
            let numbered = range.nonce > nonce && BundleKey::of(range) == Some(self.key);
            if !whole || range.begins() != at || !numbered {
                return false;
            }
            at += range.object_bytes();
            nonce = range.nonce;
        }
        at == ranges_end
    }
}

/// The length of the index and its checksum.
fn trailer(object_tail: &[u8]) -> Result<(u32, u32), BadBundle> {
    let mut reader = trailer_words::<TRAILER_BYTES>(object_tail, MAGIC).ok_or(BadBundle::NoTrailer)?;
    let mut next = || reader.u32().ok_or(BadBundle::NoTrailer);
    let version = next()?;
    if version != VERSION {
        return Err(BadBundle::Version(version));
    }
    Ok((next()?, next()?))
}

fn put_entry(out: &mut Vec<u8>, entry: &BundleEntry) {
    let BundleEntry { at, range, is_rewrite, previous, last } = entry;
    out.extend(at.topic.0.as_bytes());
    out.extend(at.partition.0.to_be_bytes());
    out.extend(range.base.0.to_be_bytes());
    out.extend(range.end.0.to_be_bytes());
    out.extend(range.position.to_be_bytes());
    out.extend(range.bytes.to_be_bytes());
    out.extend(range.footer_bytes.to_be_bytes());
    out.extend(range.max_timestamp.0.to_be_bytes());
    out.extend(range.leader_epoch.0.to_be_bytes());
    out.extend(range.nonce.to_be_bytes());
    out.push(u8::from(*is_rewrite));
    put_list(out, previous.as_slice(), put_link);
    put_link(out, last);
}

fn take(reader: &mut Reader<'_>) -> Option<BundleIndex> {
    let cluster = ClusterId(Uuid::from_bytes(reader.array()?));
    let key = BundleKey { generation: reader.u64()?, nonce: reader.u64()? };
    let entries = reader.list(ENTRY_BYTES_MIN, |reader| take_entry(reader, key))?;
    (entries.len() <= BUNDLE_RANGES_MAX).then_some(BundleIndex { cluster, key, entries })
}

fn take_entry(reader: &mut Reader<'_>, key: BundleKey) -> Option<BundleEntry> {
    let topic = TopicId(Uuid::from_bytes(reader.array()?));
    let at = TopicPartition { topic, partition: PartitionIndex(reader.i32()?) };
    let (base, end) = (Offset(reader.i64()?), Offset(reader.i64()?));
    let (position, bytes, footer_bytes) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let max_timestamp = TimestampMs(reader.i64()?);
    let leader_epoch = LeaderEpoch(reader.i32()?);
    let nonce = reader.u64()?;
    let range = TierRange {
        base,
        end,
        bytes,
        footer_bytes,
        max_timestamp,
        leader_epoch,
        generation: key.generation,
        nonce,
        position,
    };
    let [is_rewrite] = reader.array()?;
    let previous = reader.list(16, take_link)?;
    let last = take_link(reader)?;
    (is_rewrite <= 1 && previous.len() <= 1).then_some(BundleEntry {
        at,
        range,
        is_rewrite: is_rewrite == 1,
        previous: previous.first().copied(),
        last,
    })
}

#[cfg(test)]
#[path = "bundle_test.rs"]
mod tests;
