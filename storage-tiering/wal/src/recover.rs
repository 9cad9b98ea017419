//! Finding the durable groups again, and telling a torn tail from damage.

use std::io;
use std::path::{Path, PathBuf};

use aquifer_disk::{BLOCK_BYTES, Disk, DiskError, FileHandle, OpenMode};
use aquifer_types::DirectoryId;

use crate::floor::Floor;
use crate::group::{GROUP_HEADER_BYTES, GroupHeader, records};

/// One durable record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub generation: u64,
    pub sequence: u64,
    pub kind: u8,
    pub payload: &'a [u8],
}

/// The log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum WalError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(
        "{} is damaged at byte {at}: the group there was durable once, for a later group is whole; acknowledged \
         records may be lost, so it is not passed over", path.display()
    )]
    Corrupt { path: PathBuf, at: u64 },
    #[error("{} belongs to data directory {found}, not to this one", path.display())]
    Foreign { path: PathBuf, found: DirectoryId },
}

/// Replays what the log in `folder` durably holds, and changes nothing: for a look at a directory that nobody uses.
pub fn inspect(
    disk: &dyn Disk,
    folder: &Path,
    directory: DirectoryId,
    replay: &mut dyn FnMut(Record<'_>),
) -> Result<(), WalError> {
    let mut files = Vec::new();
    for entry in disk.list(folder)?.into_iter().filter(|entry| entry.name.ends_with(".wal")) {
        let path = folder.join(&entry.name);
        let file = disk.open(&path, OpenMode::Read)?;
        let bytes = file.size().map_err(|source| WalError::read(&path, source))?;
        files.push((file, path, bytes));
    }
    let borrowed: Vec<_> = files.iter().map(|(file, path, bytes)| (file, path.as_path(), *bytes)).collect();
    scan(&borrowed, directory, Floor::read(disk, folder)?, replay).map(|_| ())
}

impl WalError {
    pub(crate) fn read(path: &Path, source: io::Error) -> WalError {
        WalError::Disk(DiskError { attempted: "read", path: path.to_owned(), source })
    }
}

/// What a scan of all files found.
pub(crate) struct Scan {
    /// For each file the generation it holds, if its records are needed.
    pub(crate) generations: Vec<Option<u64>>,
    pub(crate) last_sequence: u64,
    pub(crate) last_generation: u64,
    /// The file that holds the last group, and from where to where.
    pub(crate) last_group: Option<(usize, (u64, u64))>,
}

/// A whole and undamaged group.
struct Found {
    header: GroupHeader,
    bytes: Vec<u8>,
}

struct File<'a> {
    index: usize,
    file: &'a FileHandle,
    path: &'a Path,
    bytes: u64,
    generation: u64,
}

/// Where a file's groups end, and its last one.
struct Replayed {
    end: u64,
    last: Option<(u64, u64)>,
}

/// Replays what `files` durably hold, in sequence order.
pub(crate) fn scan(
    files: &[(&FileHandle, &Path, u64)],
    directory: DirectoryId,
    floor: Floor,
    replay: &mut dyn FnMut(Record<'_>),
) -> Result<Scan, WalError> {
    let mut scan =
        Scan { generations: vec![None; files.len()], last_sequence: 0, last_generation: 0, last_group: None };
    let mut live = Vec::new();
    for (index, (file, path, bytes)) in files.iter().enumerate() {
        let file = File { index, file, path, bytes: *bytes, generation: floor.0 };
        let Some(Found { header, .. }) = file.group_at(0)? else {
            // A torn first group is alone in its generation. Whole groups behind it say that it was durable once.
            if !file.is_unused()? && file.whole_group_after(0, |header| header.generation >= floor.0)? {
                return Err(file.corrupt(0));
            }
            continue;
        };
        if header.directory != directory {
            return Err(WalError::Foreign { path: file.path.to_owned(), found: header.directory });
        }
        scan.last_generation = scan.last_generation.max(header.generation);
        if header.generation >= floor.0 {
            live.push(File { generation: header.generation, ..file });
        }
    }
    live.sort_by_key(|file| file.generation);
    let mut expected = None;
    for (generation, (place, file)) in (floor.0..).zip(live.iter().enumerate()) {
        scan.generations[file.index] = Some(file.generation);
        if file.generation != generation {
            return Err(file.corrupt(0));
        }
        let replayed = file.replay(&mut expected, replay)?;
        let end = replayed.end;
        scan.last_group = replayed.last.map(|range| (file.index, range)).or(scan.last_group);
        let next = expected.unwrap_or_default();
        let durable_once = match live.get(place + 1) {
            Some(follower) => follower.group_at(0)?.is_some_and(|found| found.header.sequence != next),
            None => file.whole_group_after(end, |header| {
                header.generation == file.generation && header.sequence >= next
            })?,
        };
        if durable_once {
            return Err(file.corrupt(end));
        }
    }
    scan.last_sequence = expected.map_or(0, |next| next - 1);
    Ok(scan)
}

impl File<'_> {
    /// Replays the groups from the file's start.
    fn replay(
        &self,
        expected: &mut Option<u64>,
        replay: &mut dyn FnMut(Record<'_>),
    ) -> Result<Replayed, WalError> {
        let (mut at, mut last) = (0, None);
        while let Some(Found { header, bytes }) = self.group_at(at)? {
            if header.generation != self.generation
                || expected.is_some_and(|expected| header.sequence != expected)
            {
                break;
            }
            let payload = &bytes[GROUP_HEADER_BYTES..GROUP_HEADER_BYTES + header.payload_bytes as usize];
            for (kind, payload) in records(payload) {
                replay(Record { generation: header.generation, sequence: header.sequence, kind, payload });
            }
            *expected = Some(header.sequence + 1);
            let end = at + header.sealed_bytes();
            last = Some((at, end));
            at = end;
        }
        Ok(Replayed { end: at, last })
    }

    fn corrupt(&self, at: u64) -> WalError {
        WalError::Corrupt { path: self.path.to_owned(), at }
    }

    /// Whether the file starts as it was made, full of zeroes.
    fn is_unused(&self) -> Result<bool, WalError> {
        let mut block = vec![0; BLOCK_BYTES];
        let read = self.file.read_at(0, &mut block).map_err(|source| WalError::read(self.path, source))?;
        Ok(block[..read].iter().all(|byte| *byte == 0))
    }

    /// Whether some block from `at` on starts a whole group that is `like` those looked for.
    fn whole_group_after(&self, at: u64, like: impl Fn(&GroupHeader) -> bool) -> Result<bool, WalError> {
        const STEP_BYTES: usize = 1 << 20;
        let mut step = vec![0; STEP_BYTES];
        let mut start = at;
        while start < self.bytes {
            let read =
                self.file.read_at(start, &mut step).map_err(|source| WalError::read(self.path, source))?;
            for (block, bytes) in step[..read].chunks(BLOCK_BYTES).enumerate() {
                let block_at = start + (block * BLOCK_BYTES) as u64;
                if GroupHeader::parse(bytes).is_some_and(|header| like(&header))
                    && self.group_at(block_at)?.is_some()
                {
                    return Ok(true);
                }
            }
            if read < STEP_BYTES {
                break;
            }
            start += STEP_BYTES as u64;
        }
        Ok(false)
    }

    /// The group at `at`, if a whole and undamaged one stands there.
    fn group_at(&self, at: u64) -> Result<Option<Found>, WalError> {
        let failed = |source| WalError::read(self.path, source);
        let mut block = vec![0; BLOCK_BYTES];
        if at + BLOCK_BYTES as u64 > self.bytes
            || self.file.read_at(at, &mut block).map_err(failed)? < BLOCK_BYTES
        {
            return Ok(None);
        }
        let Some(header) = GroupHeader::parse(&block) else { return Ok(None) };
        if at + header.sealed_bytes() > self.bytes {
            return Ok(None);
        }
        let sealed = usize::try_from(header.sealed_bytes()).expect("bounded by the file's size");
        block.resize(sealed, 0);
        self.file.read_exact_at(at + BLOCK_BYTES as u64, &mut block[BLOCK_BYTES..]).map_err(failed)?;
        let whole = header.matches(&block) && records_fill(&header, &block);
        Ok(whole.then_some(Found { header, bytes: block }))
    }
}

/// The records' own lengths must add up to the payload, or a bug wrote them.
fn records_fill(header: &GroupHeader, group: &[u8]) -> bool {
    let payload = &group[GROUP_HEADER_BYTES..GROUP_HEADER_BYTES + header.payload_bytes as usize];
    records(payload).count() == header.records as usize
}
