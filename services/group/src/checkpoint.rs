//! Checkpoints: what a `Loading` holds at an offset as bytes, so that the next load begins there.
//!
//! `"AQGR"`, a version, the offset, the number of records; each as the lengths of key and value, key, value; a CRC-32C of
//! all that. The records are the stored ones, so that a checkpoint is taken in by the code that takes in the log.

use aquifer_types::Offset;

use crate::loading::Loading;

const MAGIC: [u8; 4] = *b"AQGR";
const VERSION: u32 = 1;

/// The bytes are no checkpoint that can be used: load the log from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    #[error("checkpoint is damaged")]
    Damaged,
    #[error("checkpoint is of version {0}, which is not known here")]
    Version(u32),
}

impl Loading {
    /// What was taken in so far. Whoever keeps it says beside it which log it belongs to.
    #[must_use]
    pub fn checkpoint(&self) -> Vec<u8> {
        let mut bytes = Vec::from(MAGIC);
        bytes.extend(VERSION.to_be_bytes());
        bytes.extend(self.next().0.to_be_bytes());
        let count_at = bytes.len();
        bytes.extend(0u64.to_be_bytes());
        let mut count = 0u64;
        for group in self.groups.values() {
            for record in group.records() {
                let (key, value) = (record.key(), record.value().unwrap_or_default());
                bytes.extend((key.len() as u32).to_be_bytes());
                bytes.extend((value.len() as u32).to_be_bytes());
                bytes.extend(key);
                bytes.extend(value);
                count += 1;
            }
        }
        bytes[count_at..count_at + 8].copy_from_slice(&count.to_be_bytes());
        let crc = crc32c::crc32c(&bytes);
        bytes.extend(crc.to_be_bytes());
        bytes
    }

    /// The state that `checkpoint` wrote down; the log goes on at `next`.
    pub fn restore(bytes: &[u8]) -> Result<Loading, BadCheckpoint> {
        let (body, crc) = bytes.split_last_chunk::<4>().ok_or(BadCheckpoint::Damaged)?;
        if crc32c::crc32c(body) != u32::from_be_bytes(*crc) {
            return Err(BadCheckpoint::Damaged);
        }
        let mut rest = body;
        let magic: [u8; 4] = take(&mut rest)?;
        let version = u32::from_be_bytes(take(&mut rest)?);
        if magic != MAGIC {
            return Err(BadCheckpoint::Damaged);
        }
        if version != VERSION {
            return Err(BadCheckpoint::Version(version));
        }
        let next = Offset(i64::from_be_bytes(take(&mut rest)?));
        let count = u64::from_be_bytes(take(&mut rest)?);
        let mut loading = Loading::new();
        for _ in 0..count {
            let key_bytes = u32::from_be_bytes(take(&mut rest)?) as usize;
            let value_bytes = u32::from_be_bytes(take(&mut rest)?) as usize;
            let (key, after) = rest.split_at_checked(key_bytes).ok_or(BadCheckpoint::Damaged)?;
            let (value, after) = after.split_at_checked(value_bytes).ok_or(BadCheckpoint::Damaged)?;
            rest = after;
            loading.replay(Offset::ZERO, key, Some(value));
        }
        loading.next = next;
        if rest.is_empty() && loading.skipped() == 0 { Ok(loading) } else { Err(BadCheckpoint::Damaged) }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], BadCheckpoint> {
    let (taken, after) = rest.split_first_chunk().ok_or(BadCheckpoint::Damaged)?;
    *rest = after;
    Ok(*taken)
}
