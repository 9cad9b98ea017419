//! `Group`: the unit of a flush, and its layout.
//!
//! Header, little-endian: magic u32, version u16, zero u16, directory id 16 bytes, generation u64, sequence u64,
//! payload bytes u32, records u32, CRC32C u32 over all of the header before it and the payload, zeroes up to 64 bytes.
//! Then the records, each: payload bytes u32, kind u8, payload. Zeroes up to a whole block.

use aquifer_disk::{AlignedBuf, BLOCK_BYTES};
use aquifer_types::{DirectoryId, Uuid};

pub const GROUP_HEADER_BYTES: usize = 64;
pub const RECORD_HEADER_BYTES: usize = 5;

const MAGIC: u32 = u32::from_le_bytes(*b"AQWL");
const VERSION: u16 = 1;
const CRC_AT: usize = 48;

/// Records that become durable together. The memory is kept when it is cleared.
#[derive(Debug)]
pub struct Group {
    bytes: AlignedBuf,
    records: u32,
}

/// What stands in front of a group's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupHeader {
    pub(crate) directory: DirectoryId,
    pub(crate) generation: u64,
    pub(crate) sequence: u64,
    pub(crate) payload_bytes: u32,
    pub(crate) records: u32,
    crc: u32,
}

impl Group {
    /// An empty group with room for `capacity` bytes of records before it grows.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Group {
        let mut group = Group { bytes: AlignedBuf::with_capacity(capacity + GROUP_HEADER_BYTES), records: 0 };
        group.clear();
        group
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.extend_from_slice(&[0; GROUP_HEADER_BYTES]);
        self.records = 0;
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Bytes of records and their headers so far.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.bytes.len() - GROUP_HEADER_BYTES
    }

    /// Bytes on the device once sealed.
    #[must_use]
    pub fn sealed_bytes(&self) -> u64 {
        self.bytes.len().next_multiple_of(BLOCK_BYTES) as u64
    }

    /// Adds a record whose payload is `parts`, one after the other.
    pub fn push(&mut self, kind: u8, parts: &[&[u8]]) {
        let payload: usize = parts.iter().map(|part| part.len()).sum();
        let payload = u32::try_from(payload).expect("whoever pushes bounds its records far below 4 GiB");
        self.bytes.extend_from_slice(&payload.to_le_bytes());
        self.bytes.extend_from_slice(&[kind]);
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.records += 1;
    }

    /// Fills in the header and pads to a whole block; only clearing may follow.
    pub(crate) fn seal(&mut self, directory: DirectoryId, generation: u64, sequence: u64) {
        let payload = u32::try_from(self.payload_bytes()).expect("a group is smaller than a file");
        let records = self.records;
        let header = &mut self.bytes[..GROUP_HEADER_BYTES];
        header[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        header[4..6].copy_from_slice(&VERSION.to_le_bytes());
        header[8..24].copy_from_slice(directory.0.as_bytes());
        header[24..32].copy_from_slice(&generation.to_le_bytes());
        header[32..40].copy_from_slice(&sequence.to_le_bytes());
        header[40..44].copy_from_slice(&payload.to_le_bytes());
        header[44..48].copy_from_slice(&records.to_le_bytes());
        let crc = checksum(generation, &self.bytes[..CRC_AT], &self.bytes[GROUP_HEADER_BYTES..]);
        self.bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        self.bytes.pad_to_block();
    }

    /// The sealed bytes, aligned and in whole blocks.
    #[must_use]
    pub fn sealed(&self) -> &[u8] {
        assert_eq!(self.bytes.len() % BLOCK_BYTES, 0, "a group is sealed before it is written");
        &self.bytes
    }
}

impl GroupHeader {
    /// The header at the start of `block`, if something like one stands there.
    pub(crate) fn parse(block: &[u8]) -> Option<GroupHeader> {
        if number::<4>(block, 0).map(u32::from_le_bytes) != Some(MAGIC)
            || number::<2>(block, 4).map(u16::from_le_bytes) != Some(VERSION)
        {
            return None;
        }
        Some(GroupHeader {
            directory: DirectoryId(Uuid::from_bytes(number(block, 8)?)),
            generation: u64::from_le_bytes(number(block, 24)?),
            sequence: u64::from_le_bytes(number(block, 32)?),
            payload_bytes: u32::from_le_bytes(number(block, 40)?),
            records: u32::from_le_bytes(number(block, 44)?),
            crc: u32::from_le_bytes(number(block, CRC_AT)?),
        })
    }

    pub(crate) fn sealed_bytes(&self) -> u64 {
        (u64::from(self.payload_bytes) + GROUP_HEADER_BYTES as u64).next_multiple_of(BLOCK_BYTES as u64)
    }

    /// Whether `group` (header, records, perhaps padding) is what was sealed.
    pub(crate) fn matches(&self, group: &[u8]) -> bool {
        let end = GROUP_HEADER_BYTES + self.payload_bytes as usize;
        group
            .get(GROUP_HEADER_BYTES..end)
            .is_some_and(|payload| checksum(self.generation, &group[..CRC_AT], payload) == self.crc)
    }
}

/// The records of a group whose checksum matched.
pub(crate) fn records(payload: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        let bytes = u32::from_le_bytes(number(rest, 0)?) as usize;
        let kind = *rest.get(4)?;
        let record = rest.get(RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + bytes)?;
        rest = &rest[RECORD_HEADER_BYTES + bytes..];
        Some((kind, record))
    })
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn checksum(generation: u64, header: &[u8], payload: &[u8]) -> u32 {
    let seed = crc32c::crc32c(&generation.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(seed, header), payload)
}
