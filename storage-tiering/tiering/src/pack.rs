//! Packing: the parts of an object, without a copy of the log's bytes where the file can be mapped.

use std::io;

use aquifer_disk::FileHandle;
use aquifer_manifest::{CHUNK_BYTES, Footer, IndexEntry, Link, Place, TierRange};
use aquifer_record::batches;
use aquifer_types::{BatchEpoch, LeaderEpoch, Offset, TimestampMs};
use bytes::Bytes;

/// One index entry stands for so much of the log.
const INDEX_EVERY_BYTES: usize = 64 << 10;

/// Whole batches of a file that is not written any more.
#[derive(Clone, Debug)]
pub struct Source {
    pub file: FileHandle,
    pub at: u64,
    pub bytes: u32,
}

/// What is known of a range besides its bytes.
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub place: Place,
    /// Where the range begins if its first batch does not begin before: cleaning may have taken what did.
    pub from: Offset,
    /// Whether it takes the place of ranges that are there.
    pub is_rewrite: bool,
    pub incarnation: u64,
    pub leader_epoch: LeaderEpoch,
    pub generation: u64,
    pub nonce: u64,
    pub previous: Option<Link>,
    pub epochs: Vec<(BatchEpoch, Offset)>,
    pub producers: Vec<u8>,
}

/// What can be uploaded: an object, unless it is put into a bundle.
#[derive(Clone, Debug)]
pub struct Packed {
    pub range: TierRange,
    pub place: Place,
    pub is_rewrite: bool,
    pub previous: Option<Link>,
    /// The last batch, for the next range's footer.
    pub last: Link,
    pub parts: Vec<Bytes>,
}

impl Packed {
    /// The log's bytes, and what explains them.
    pub(crate) fn of(footer: &Footer, mut parts: Vec<Bytes>) -> Packed {
        let Footer { place, is_rewrite, previous, last, .. } = *footer;
        let encoded = Bytes::from(footer.encode());
        let range = TierRange {
            base: footer.base,
            end: footer.end,
            bytes: footer.bytes,
            footer_bytes: u32::try_from(encoded.len()).expect("a footer is short"),
            max_timestamp: footer.max_timestamp,
            leader_epoch: footer.leader_epoch,
            generation: footer.generation,
            nonce: footer.nonce,
            position: 0,
        };
        parts.push(encoded);
        Packed { range, place, is_rewrite, previous, last, parts }
    }

    /// The name of the object that it is, or of the bundle that it was put into.
    #[must_use]
    pub fn key(&self) -> String {
        self.place.key(&self.range)
    }
}

/// What is to be uploaded is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("read the segment: {0}")]
    Read(#[from] io::Error),
    #[error("the segment holds no whole batch at byte {0}")]
    NoBatch(u64),
    #[error("there is nothing to upload")]
    Nothing,
    #[error("{0} bytes are too many for one object")]
    TooLarge(usize),
    #[error("the batch at offset {0} does not match its checksum: it is not uploaded")]
    Damaged(Offset),
}

/// A mapped part of a file, as bytes that own it.
struct Mapped(memmap2::Mmap);

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Reads everything once, checks it, and says what the object is made of: the sources follow each other in the log. Waits for
/// the disk.
pub fn pack(sources: &[Source], surroundings: Surroundings) -> Result<Packed, PackError> {
    let log: Vec<Bytes> = sources.iter().map(contents).collect::<Result<_, _>>()?;
    let mut index = Vec::new();
    let mut indexed_upto = INDEX_EVERY_BYTES;
    let mut max_timestamp = TimestampMs::NONE;
    let mut base = None;
    let mut last = None;
    let mut before = 0;
    for (part, source) in log.iter().zip(sources) {
        let mut walk = batches(part);
        for batch in walk.by_ref() {
            if !batch.checksum_holds() {
                return Err(PackError::Damaged(batch.header.base_offset));
            }
            let base = *base.get_or_insert(batch.header.base_offset.min(surroundings.from));
            let position = before + batch.position;
            if position >= indexed_upto
                && let (Ok(offset), Ok(position)) =
                    (u32::try_from(batch.header.base_offset.since(base)), u32::try_from(position))
            {
                index.push(IndexEntry { offset, position, max_timestamp });
                indexed_upto = before + batch.position + INDEX_EVERY_BYTES;
            }
            if batch.header.count > 0 {
                max_timestamp = max_timestamp.max(batch.header.max_timestamp);
            }
            last = Some(Link { end: batch.header.end(), epoch: batch.header.epoch, crc: batch.header.crc });
        }
        let ended = walk.ended();
        if ended.error.is_some() || ended.position == 0 {
            return Err(PackError::NoBatch(source.at + ended.position as u64));
        }
        before += part.len();
    }
    let (Some(base), Some(last)) = (base, last) else { return Err(PackError::Nothing) };
    let bytes = u32::try_from(before).map_err(|_too_many| PackError::TooLarge(before))?;
    let chunk_crcs = chunk_crcs(&log);
    let Surroundings {
        place,
        from: _,
        is_rewrite,
        incarnation,
        leader_epoch,
        generation,
        nonce,
        previous,
        epochs,
        producers,
    } = surroundings;
    let footer = Footer {
        place,
        incarnation,
        base,
        end: last.end,
        bytes,
        max_timestamp,
        leader_epoch,
        generation,
        nonce,
        previous,
        last,
        chunk_crcs,
        index,
        epochs,
        producers,
        is_rewrite,
        aborted: Vec::new(),
        open: Vec::new(),
    };
    Ok(Packed::of(&footer, log))
}

/// Of each chunk of the parts, put together.
pub(crate) fn chunk_crcs(parts: &[Bytes]) -> Vec<u32> {
    let chunk_bytes = CHUNK_BYTES as usize;
    let mut crcs = Vec::new();
    let (mut crc, mut room) = (0, chunk_bytes);
    for part in parts {
        let mut rest = &part[..];
        while !rest.is_empty() {
            let (taken, after) = rest.split_at(rest.len().min(room));
            crc = crc32c::crc32c_append(crc, taken);
            room -= taken.len();
            rest = after;
            if room == 0 {
                crcs.push(crc);
                (crc, room) = (0, chunk_bytes);
            }
        }
    }
    if room < chunk_bytes {
        crcs.push(crc);
    }
    crcs
}

fn contents(source: &Source) -> io::Result<Bytes> {
    let bytes = source.bytes as usize;
    let Some(descriptor) = source.file.descriptor() else {
        let mut read = vec![0; bytes];
        source.file.read_exact_at(source.at, &mut read)?;
        return Ok(Bytes::from(read));
    };
    if source.file.size()? < source.at + u64::from(source.bytes) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    // SAFETY: nobody writes to or shortens a file that takes no appends any more; it is only ever unlinked, which leaves
    // the mapping whole. The map is read-only and unmapped when the last part of the upload is dropped.
    #[allow(unsafe_code, reason = "this is the one place that maps a file")]
    let map = unsafe { memmap2::MmapOptions::new().offset(source.at).len(bytes).map(&descriptor)? };
    Ok(Bytes::from_owner(Mapped(map)))
}

#[cfg(test)]
#[path = "pack_test.rs"]
mod tests;
