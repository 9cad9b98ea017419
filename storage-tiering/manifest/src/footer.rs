//! `Footer`: what stands in an object behind the log's bytes, so that the object explains itself.
//!
//! The last [`TRAILER_BYTES`] say how long the footer and the log's bytes are. Everything is covered by a CRC-32C; the log's
//! bytes by one for each chunk.

use std::ops::Range;

use aquifer_types::{
    BatchEpoch, ClusterId, LeaderEpoch, Offset, PartitionIndex, ProducerId, TimestampMs, TopicId,
    TopicPartition, Uuid,
};

use crate::bytes::{Reader, put_list, trailer_words};
use crate::key::Place;
use crate::range::TierRange;

/// How much of the log one checksum covers, and one read asks for.
pub const CHUNK_BYTES: u32 = 4 << 20;
/// At the very end of every object.
pub const TRAILER_BYTES: usize = 64;

const MAGIC: [u8; 8] = *b"AQUIFER1";
const VERSION: u32 = 2;
/// The first one, which ends with the producers: it is still read.
const VERSION_MIN: u32 = 1;

/// Where a batch of the range stands: the first one of every few kilobytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// Counted from the range's base.
    pub offset: u32,
    pub position: u32,
    /// Of everything before the position.
    pub max_timestamp: TimestampMs,
}

/// What came before the range: the end of its predecessor, and its last batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    pub end: Offset,
    pub epoch: BatchEpoch,
    pub crc: u32,
}

/// Records of a transaction that was taken back: those of the producer between the offsets, the marker included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    pub producer: ProducerId,
    pub first: Offset,
    pub last: Offset,
}

/// A transaction that had neither been committed nor taken back where the range ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenTransaction {
    pub producer: ProducerId,
    pub first: Offset,
}

/// Everything about a range but its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    pub place: Place,
    /// Which life of the cluster uploaded it.
    pub incarnation: u64,
    pub base: Offset,
    pub end: Offset,
    pub bytes: u32,
    pub max_timestamp: TimestampMs,
    pub leader_epoch: LeaderEpoch,
    pub generation: u64,
    pub nonce: u64,
    /// None where it is not known: of the first range of a log, for instance.
    pub previous: Option<Link>,
    /// The range's own last batch, for its successor's link.
    pub last: Link,
    /// Of each chunk of the log's bytes, the last one shorter.
    pub chunk_crcs: Vec<u32>,
    pub index: Vec<IndexEntry>,
    /// Leader epochs with their first offsets, as far as the log knew them.
    pub epochs: Vec<(BatchEpoch, Offset)>,
    /// The idempotent producers at the range's end, as the log stores them.
    pub producers: Vec<u8>,
    /// Whether it takes the place of ranges that were committed before it, rather than go on after them.
    pub is_rewrite: bool,
    /// Those whose marker is in the range.
    pub aborted: Vec<AbortedTransaction>,
    pub open: Vec<OpenTransaction>,
}

/// The bytes are no footer, or not this object's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFooter {
    #[error("object does not end in a trailer")]
    NoTrailer,
    #[error("footer is of version {0}, which is not known here")]
    Version(u32),
    #[error("footer is damaged")]
    Damaged,
    #[error("footer is that of another object")]
    Foreign,
}

impl Footer {
    /// The footer and the trailer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.place.cluster.0.as_bytes());
        out.extend(self.place.partition.topic.0.as_bytes());
        out.extend(self.place.partition.partition.0.to_be_bytes());
        out.extend(self.incarnation.to_be_bytes());
        out.extend(self.base.0.to_be_bytes());
        out.extend(self.end.0.to_be_bytes());
        out.extend(self.bytes.to_be_bytes());
        out.extend(self.max_timestamp.0.to_be_bytes());
        out.extend(self.leader_epoch.0.to_be_bytes());
        out.extend(self.generation.to_be_bytes());
        out.extend(self.nonce.to_be_bytes());
        put_list(&mut out, self.previous.as_slice(), put_link);
        put_link(&mut out, &self.last);
        out.extend(CHUNK_BYTES.to_be_bytes());
        put_list(&mut out, &self.chunk_crcs, |out, crc| out.extend(crc.to_be_bytes()));
        put_list(&mut out, &self.index, |out, entry| {
            out.extend(entry.offset.to_be_bytes());
            out.extend(entry.position.to_be_bytes());
            out.extend(entry.max_timestamp.0.to_be_bytes());
        });
        put_list(&mut out, &self.epochs, |out, (epoch, start)| {
            out.extend(epoch.0.to_be_bytes());
            out.extend(start.0.to_be_bytes());
        });
        put_list(&mut out, &self.producers, |out, byte| out.push(*byte));
        out.push(u8::from(self.is_rewrite));
        put_list(&mut out, &self.aborted, |out, aborted| {
            out.extend(aborted.producer.0.to_be_bytes());
            out.extend(aborted.first.0.to_be_bytes());
            out.extend(aborted.last.0.to_be_bytes());
        });
        put_list(&mut out, &self.open, |out, open| {
            out.extend(open.producer.0.to_be_bytes());
            out.extend(open.first.0.to_be_bytes());
        });
        let length = u32::try_from(out.len()).expect("a footer is short");
        let crc = crc32c::crc32c(&out);
        let mut trailer = Vec::with_capacity(TRAILER_BYTES);
        trailer.extend(MAGIC);
        trailer.extend(VERSION.to_be_bytes());
        trailer.extend(length.to_be_bytes());
        trailer.extend(self.bytes.to_be_bytes());
        trailer.extend(crc.to_be_bytes());
        trailer.resize(TRAILER_BYTES - 4, 0);
        let trailer_crc = crc32c::crc32c(&trailer);
        out.extend(trailer);
        out.extend(trailer_crc.to_be_bytes());
        out
    }

    /// How many bytes the footer and the trailer of an object take, from its trailer; and how many the log's bytes.
    pub fn lengths(object_tail: &[u8]) -> Result<(u32, u32), BadFooter> {
        let Trailer { length, bytes, .. } = Trailer::of(object_tail)?;
        let all = length.checked_add(TRAILER_BYTES as u32).ok_or(BadFooter::NoTrailer)?;
        Ok((all, bytes))
    }

    /// The footer in the last bytes of an object.
    pub fn decode(tail: &[u8]) -> Result<Footer, BadFooter> {
        let trailer = Trailer::of(tail)?;
        let length = usize::try_from(trailer.length).map_err(|_short| BadFooter::Damaged)?;
        let (before, _) = tail.split_at(tail.len() - TRAILER_BYTES);
        let start = before.len().checked_sub(length).ok_or(BadFooter::Damaged)?;
        let body = &before[start..];
        if crc32c::crc32c(body) != trailer.crc {
            return Err(BadFooter::Damaged);
        }
        let mut reader = Reader(body);
        let footer = take(&mut reader, trailer.version).ok_or(BadFooter::Damaged)?;
        if !reader.0.is_empty() || footer.bytes != trailer.bytes {
            return Err(BadFooter::Damaged);
        }
        Ok(footer)
    }

    /// Refuses a footer that is not the range's own. A copy of an object keeps the place of the one it was made of.
    pub fn check(&self, range: &TierRange) -> Result<(), BadFooter> {
        let chunks = range.bytes.div_ceil(CHUNK_BYTES) as usize;
        let own = (self.base, self.end, self.bytes) == (range.base, range.end, range.bytes)
            && (self.generation, self.nonce) == (range.generation, range.nonce)
            && self.leader_epoch == range.leader_epoch
            && self.chunk_crcs.len() == chunks;
        if own { Ok(()) } else { Err(BadFooter::Foreign) }
    }

    /// Where to begin looking for a batch that holds the offset.
    #[must_use]
    pub fn floor_by_offset(&self, offset: Offset) -> u32 {
        let wanted = offset.since(self.base);
        let after = self.index.partition_point(|entry| i64::from(entry.offset) <= wanted);
        after.checked_sub(1).map_or(0, |at| self.index[at].position)
    }

    /// The bytes of the batches from `from` on, as far as the index alone tells where batches begin: at most `bytes_max` of them,
    /// none at or beyond `position_max` or `upto`; and the offset that comes after them.
    #[must_use]
    pub fn stretch(
        &self,
        from: Offset,
        upto: Offset,
        bytes_max: u64,
        position_max: u32,
    ) -> Option<(Range<u32>, Offset)> {
        let wanted = from.since(self.base);
        let start = match self.index.binary_search_by_key(&wanted, |entry| i64::from(entry.offset)) {
            Ok(at) => self.index[at].position,
            Err(_) if wanted == 0 => 0,
            Err(_) => return None,
        };
        let fits = |(position, offset): &(u32, Offset)| {
            *position <= position_max && *offset <= upto && u64::from(position - start) <= bytes_max
        };
        let (end, next) = self.borders_after(from).take_while(fits).last()?;
        Some((start..end, next))
    }

    /// The next offset at which the index knows a batch to begin, or the range's end.
    #[must_use]
    pub fn border_after(&self, from: Offset) -> Offset {
        self.borders_after(from).next().map_or(self.end, |(_, offset)| offset)
    }

    fn borders_after(&self, from: Offset) -> impl Iterator<Item = (u32, Offset)> {
        let wanted = from.since(self.base);
        let behind = self.index.partition_point(|entry| i64::from(entry.offset) <= wanted);
        let borders = self.index[behind..].iter();
        let borders = borders.map(|entry| (entry.position, self.base.plus(i64::from(entry.offset))));
        borders.chain([(self.bytes, self.end)])
    }

    /// Where to begin looking for the first record of this time or a later one.
    #[must_use]
    pub fn floor_by_time(&self, time: TimestampMs) -> u32 {
        let after = self.index.partition_point(|entry| entry.max_timestamp < time);
        after.checked_sub(1).map_or(0, |at| self.index[at].position)
    }
}

/// What the last bytes of an object say.
struct Trailer {
    version: u32,
    /// Of the footer, without the trailer.
    length: u32,
    /// Of the log's bytes.
    bytes: u32,
    /// Of the footer.
    crc: u32,
}

impl Trailer {
    fn of(object_tail: &[u8]) -> Result<Trailer, BadFooter> {
        let mut reader = trailer_words::<TRAILER_BYTES>(object_tail, MAGIC).ok_or(BadFooter::NoTrailer)?;
        let mut next = || reader.u32().ok_or(BadFooter::NoTrailer);
        let version = next()?;
        if !(VERSION_MIN..=VERSION).contains(&version) {
            return Err(BadFooter::Version(version));
        }
        Ok(Trailer { version, length: next()?, bytes: next()?, crc: next()? })
    }
}

pub(crate) fn put_link(out: &mut Vec<u8>, link: &Link) {
    out.extend(link.end.0.to_be_bytes());
    out.extend(link.epoch.0.to_be_bytes());
    out.extend(link.crc.to_be_bytes());
}

pub(crate) fn take_link(reader: &mut Reader<'_>) -> Option<Link> {
    Some(Link { end: Offset(reader.i64()?), epoch: BatchEpoch(reader.i32()?), crc: reader.u32()? })
}

fn take(reader: &mut Reader<'_>, version: u32) -> Option<Footer> {
    let cluster = ClusterId(Uuid::from_bytes(reader.array()?));
    let topic = TopicId(Uuid::from_bytes(reader.array()?));
    let partition = PartitionIndex(reader.i32()?);
    let place = Place { cluster, partition: TopicPartition { topic, partition } };
    let incarnation = reader.u64()?;
    let (base, end) = (Offset(reader.i64()?), Offset(reader.i64()?));
    let bytes = reader.u32()?;
    let max_timestamp = TimestampMs(reader.i64()?);
    let leader_epoch = LeaderEpoch(reader.i32()?);
    let (generation, nonce) = (reader.u64()?, reader.u64()?);
    let previous = reader.list(16, take_link)?;
    let last = take_link(reader)?;
    let chunk_bytes = reader.u32()?;
    let chunk_crcs = reader.list(4, Reader::u32)?;
    let index = reader.list(16, |reader| {
        Some(IndexEntry {
            offset: reader.u32()?,
            position: reader.u32()?,
            max_timestamp: TimestampMs(reader.i64()?),
        })
    })?;
    let epochs = reader.list(12, |reader| Some((BatchEpoch(reader.i32()?), Offset(reader.i64()?))))?;
    let producers = reader.bytes()?.to_vec();
    let (is_rewrite, aborted, open) =
        if version == VERSION_MIN { Default::default() } else { take_later(reader)? };
    (chunk_bytes == CHUNK_BYTES && previous.len() <= 1 && base < end).then(|| Footer {
        place,
        incarnation,
        base,
        end,
        bytes,
        max_timestamp,
        leader_epoch,
        generation,
        nonce,
        previous: previous.first().copied(),
        last,
        chunk_crcs,
        index,
        epochs,
        producers,
        is_rewrite,
        aborted,
        open,
    })
}

/// What the first version does not have.
fn take_later(reader: &mut Reader<'_>) -> Option<(bool, Vec<AbortedTransaction>, Vec<OpenTransaction>)> {
    let [is_rewrite] = reader.array()?;
    let aborted = reader.list(24, |reader| {
        let producer = ProducerId(reader.i64()?);
        Some(AbortedTransaction { producer, first: Offset(reader.i64()?), last: Offset(reader.i64()?) })
    })?;
    let open = reader.list(16, |reader| {
        Some(OpenTransaction { producer: ProducerId(reader.i64()?), first: Offset(reader.i64()?) })
    })?;
    (is_rewrite <= 1).then_some((is_rewrite == 1, aborted, open))
}

#[cfg(test)]
#[path = "footer_test.rs"]
mod tests;
