//! `SnapshotFiles`: snapshots as files, each with its place in the log, checked by its own checksum.
//!
//! A file: magic, version u32, length of the head u32, head (last log id, membership), the metadata's bytes, CRC32C of
//! all before it. Two are kept, and the log since the older, so that one damaged file loses nothing.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use aquifer_disk::{Disk, DiskError};
use aquifer_metadata::{State, decode_snapshot, encode_snapshot};

use crate::bytes_of::{
    damaged, put_log_id, put_option, put_stored_membership, take_log_id, take_option, take_stored_membership,
};
use crate::types::SnapshotMeta;

const MAGIC: &[u8; 4] = b"AQRS";
const VERSION: u32 = 1;
const HEAD_AT: usize = 12;
const CRC_BYTES: usize = 4;
const KEPT: usize = 2;
const SUFFIX: &str = ".snapshot";
/// Far above the metadata of a million partitions.
const BYTES_MAX: u64 = 4 << 30;

/// A snapshot that was read or made.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) meta: SnapshotMeta,
    pub(crate) state: State,
}

/// The folder's snapshots.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotFiles {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// Those known to be whole, oldest first: the index that each reaches, and the place it says it has.
    whole: Arc<Mutex<Vec<SnapshotMeta>>>,
}

impl SnapshotFiles {
    /// Looks through the folder and loads the newest snapshot that is whole.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: PathBuf,
    ) -> Result<(SnapshotFiles, Option<Snapshot>), DiskError> {
        disk.create_dir(&folder)?;
        SnapshotFiles::look(disk, folder)
    }

    /// As `open`, in a folder that is left as it is.
    pub(crate) fn look(
        disk: Arc<dyn Disk>,
        folder: PathBuf,
    ) -> Result<(SnapshotFiles, Option<Snapshot>), DiskError> {
        let mut names: Vec<String> = disk.list(&folder)?.into_iter().map(|entry| entry.name).collect();
        names.retain(|name| name.ends_with(SUFFIX));
        let files = SnapshotFiles { disk, folder, whole: Arc::default() };
        let mut newest = None;
        for name in names {
            let read = files.disk.read(&files.folder.join(&name), BYTES_MAX)?;
            match parse(&read) {
                Ok(snapshot) => {
                    files.note(snapshot.meta.clone());
                    newest = Some(snapshot);
                }
                Err(error) => tracing::warn!(%name, %error, "pass over a damaged snapshot"),
            }
        }
        Ok((files, newest))
    }

    fn note(&self, meta: SnapshotMeta) {
        let mut whole = self.whole.lock().expect("no holder panics");
        whole.retain(|known| known.last_log_id != meta.last_log_id);
        whole.push(meta);
    }

    /// The newest whole snapshot's place in the log.
    pub(crate) fn newest(&self) -> Option<SnapshotMeta> {
        self.whole.lock().expect("no holder panics").last().cloned()
    }

    /// The index that the older of the two newest snapshots reaches: the log below it is not needed.
    pub(crate) fn older_index(&self) -> Option<u64> {
        let whole = self.whole.lock().expect("no holder panics");
        let older = whole.len().checked_sub(KEPT).and_then(|at| whole.get(at))?;
        older.last_log_id.map(|id| id.index)
    }

    /// Writes a snapshot, reads it back, and lets all but the newest two go. Waits for the disk.
    pub(crate) fn write(&self, meta: &SnapshotMeta, body: &[u8]) -> Result<(), DiskError> {
        let path = self.path(meta);
        self.disk.replace(&path, &file_bytes(meta, body))?;
        let read = self.disk.read(&path, BYTES_MAX)?;
        check(&read).map_err(|source| DiskError { attempted: "read back", path, source })?;
        self.note(meta.clone());
        self.remove_old()
    }

    fn remove_old(&self) -> Result<(), DiskError> {
        let mut whole = self.whole.lock().expect("no holder panics");
        let kept: Vec<PathBuf> = whole.iter().rev().take(KEPT).map(|meta| self.path(meta)).collect();
        for entry in self.disk.list(&self.folder)? {
            let path = self.folder.join(&entry.name);
            if entry.name.ends_with(SUFFIX) && !kept.contains(&path) {
                self.disk.remove_file(&path)?;
            }
        }
        let gone = whole.len().saturating_sub(KEPT);
        whole.drain(..gone);
        Ok(())
    }

    /// The bytes of the newest snapshot's metadata, as another node would be sent them. Waits for the disk.
    pub(crate) fn read_newest(&self) -> io::Result<Option<(SnapshotMeta, Vec<u8>)>> {
        let Some(meta) = self.newest() else { return Ok(None) };
        let bytes = self.disk.read(&self.path(&meta), BYTES_MAX).map_err(io::Error::other)?;
        let (meta, body) = check(&bytes)?;
        Ok(Some((meta, body.to_vec())))
    }

    /// Sorted by name, files are sorted by what they reach.
    fn path(&self, meta: &SnapshotMeta) -> PathBuf {
        let (index, term) = meta.last_log_id.map_or((0, 0), |id| (id.index, id.leader_id.term));
        self.folder.join(format!("{index:020}-{term:020}{SUFFIX}"))
    }
}

/// The bytes of a state, as they stand in a snapshot.
pub(crate) fn body_of(state: &State) -> Vec<u8> {
    encode_snapshot(state.image())
}

/// The state of these bytes.
pub(crate) fn state_of(body: &[u8]) -> io::Result<State> {
    decode_snapshot(body).map_err(io::Error::other)
}

fn file_bytes(meta: &SnapshotMeta, body: &[u8]) -> Vec<u8> {
    let mut head = Vec::new();
    put_option(meta.last_log_id.as_ref(), &mut head, put_log_id);
    put_stored_membership(&meta.last_membership, &mut head);
    let mut bytes = Vec::with_capacity(HEAD_AT + head.len() + body.len() + CRC_BYTES);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(body);
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

fn parse(bytes: &[u8]) -> io::Result<Snapshot> {
    let (meta, body) = check(bytes)?;
    Ok(Snapshot { meta, state: state_of(body)? })
}

/// Takes a file apart, if it is whole.
fn check(bytes: &[u8]) -> io::Result<(SnapshotMeta, &[u8])> {
    let (content, crc) = bytes.split_last_chunk::<CRC_BYTES>().ok_or_else(|| damaged("a snapshot"))?;
    if crc32c::crc32c(content).to_le_bytes() != *crc {
        return Err(damaged("a snapshot"));
    }
    let known = content.starts_with(MAGIC) && content.get(4..8) == Some(&VERSION.to_le_bytes());
    let length = content.get(8..HEAD_AT).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let length = length.and_then(|length| usize::try_from(length).ok()).filter(|_| known);
    let rest = content.get(HEAD_AT..).unwrap_or_default();
    let split = length.and_then(|length| rest.split_at_checked(length));
    let (mut head, body) = split.ok_or_else(|| damaged("the head of a snapshot"))?;
    let last_log_id = take_option(&mut head, take_log_id)?;
    let last_membership = take_stored_membership(&mut head)?;
    Ok((SnapshotMeta { last_log_id, last_membership }, body))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use aquifer_disk::SimDisk;

    use super::*;
    use crate::types::{StoredMembership, log_id};

    fn meta(index: u64) -> SnapshotMeta {
        SnapshotMeta { last_log_id: Some(log_id(1, index)), last_membership: StoredMembership::default() }
    }

    fn folder() -> PathBuf {
        PathBuf::from("/data/raft")
    }

    fn with_snapshots(indexes: &[u64]) -> SimDisk {
        let disk = SimDisk::default();
        let (files, _) = SnapshotFiles::open(Arc::new(disk.clone()), folder()).expect("opens");
        for index in indexes {
            files.write(&meta(*index), &body_of(&State::new())).expect("writes");
        }
        disk
    }

    fn newest_in(disk: &SimDisk) -> Option<SnapshotMeta> {
        SnapshotFiles::open(Arc::new(disk.clone()), folder()).expect("opens").1.map(|found| found.meta)
    }

    #[test]
    fn the_newest_two_are_kept() {
        let disk = with_snapshots(&[5, 9, 12]);

        let (files, _) = SnapshotFiles::open(Arc::new(disk.clone()), folder()).expect("opens");

        assert_eq!(newest_in(&disk), Some(meta(12)));
        assert_eq!(files.older_index(), Some(9));
        assert_eq!(Disk::list(&disk, &folder()).expect("lists").len(), 2);
    }

    #[test]
    fn a_damaged_snapshot_is_passed_over_for_the_older_one() {
        let disk = with_snapshots(&[5, 9]);
        let newest = Path::new("/data/raft").join(format!("{:020}-{:020}{SUFFIX}", 9, 1));

        disk.flip_bit(&newest, 13);

        assert_eq!(newest_in(&disk), Some(meta(5)));
    }

    #[test]
    fn a_snapshot_is_read_as_it_was_written() {
        let disk = with_snapshots(&[9]);

        let (files, _) = SnapshotFiles::open(Arc::new(disk), folder()).expect("opens");

        let (found, body) = files.read_newest().expect("reads").expect("is there");
        assert_eq!((found, body), (meta(9), body_of(&State::new())));
    }
}
