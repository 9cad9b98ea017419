//! Checkpoints of groups on disk, each named after the log it was made of: disposable, and believed only if that log agrees.
//!
//! `"AQGC"`, a version, the topic's id, the partition, the epoch of the last batch taken in; a CRC-32C of all that; then
//! the state as the core writes it, which has a CRC of its own.

use std::path::{Path, PathBuf};

use aquifer_disk::{Disk, DiskError};
use aquifer_group::Loading;
use aquifer_types::TopicPartition;

const MAGIC: [u8; 4] = *b"AQGC";
const VERSION: u32 = 1;
const NAMED_BYTES: usize = 4 + 4 + 16 + 4 + 4;
/// Far above what the core's limits let a shard grow to.
const FILE_BYTES_MAX: u64 = 2 << 30;

/// What a file held.
pub(crate) struct Checkpoint {
    /// Of the last batch that was taken in.
    pub(crate) epoch: i32,
    pub(crate) state: Loading,
}

/// The partition's checkpoint, if there is one that can be used.
pub(crate) fn read(disk: &dyn Disk, folder: &Path, id: TopicPartition) -> Option<Checkpoint> {
    // A missing file is how every partition begins.
    let bytes = disk.read(&path(folder, id), FILE_BYTES_MAX).ok()?;
    let (named, rest) = bytes.split_at_checked(NAMED_BYTES)?;
    let (crc, state) = rest.split_first_chunk::<4>()?;
    let epoch = i32::from_be_bytes(*named.last_chunk::<4>()?);
    if named != header(id, epoch) || crc32c::crc32c(named) != u32::from_be_bytes(*crc) {
        tracing::warn!(partition = %id, "the checkpoint is damaged or of another version: the whole log is loaded");
        return None;
    }
    match Loading::restore(state) {
        Ok(state) => Some(Checkpoint { epoch, state }),
        Err(error) => {
            tracing::warn!(partition = %id, %error, "the whole log is loaded");
            None
        }
    }
}

/// Replaces the partition's checkpoint.
pub(crate) fn write(
    disk: &dyn Disk,
    folder: &Path,
    id: TopicPartition,
    epoch: i32,
    state: &Loading,
) -> Result<(), DiskError> {
    let mut bytes = header(id, epoch);
    bytes.extend(crc32c::crc32c(&bytes).to_be_bytes());
    bytes.extend(state.checkpoint());
    disk.create_dir(folder)?;
    disk.replace(&path(folder, id), &bytes)
}

fn header(id: TopicPartition, epoch: i32) -> Vec<u8> {
    let mut bytes = Vec::from(MAGIC);
    bytes.extend(VERSION.to_be_bytes());
    bytes.extend(id.topic.0.as_bytes());
    bytes.extend(id.partition.0.to_be_bytes());
    bytes.extend(epoch.to_be_bytes());
    bytes
}

fn path(folder: &Path, id: TopicPartition) -> PathBuf {
    folder.join(format!("{}-{}", id.topic, id.partition))
}
