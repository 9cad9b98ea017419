//! `SimDisk`: the simulated side of `Disk` and `File`.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::crash::CrashChoice;
use super::fault::{Fault, FaultPlan, OpKind};
use super::state::{InodeId, NameChange, State};
use crate::aligned::BLOCK_BYTES;
use crate::error::{DiskError, WriteError};
use crate::traits::{DirectoryLock, Disk, Entry, File, FileHandle, OpenMode, Space};

/// A file system in memory. Clones share it; `crash` gives the one that a power cut leaves behind.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    inode: InodeId,
    direct: bool,
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl SimDisk {
    /// From the `operations`-th operation on (counted from now) everything fails: the moment of a power cut.
    pub fn lose_power_after(&self, operations: u64) {
        let mut state = self.state();
        state.power_lost_at = Some(state.operations + operations);
    }

    /// Takes back a power cut that was asked for and has not happened.
    pub fn keep_power(&self) {
        self.state().power_lost_at = None;
    }

    /// Whether the power cut that was asked for has happened.
    #[must_use]
    pub fn has_lost_power(&self) -> bool {
        let state = self.state();
        state.power_lost_at.is_some_and(|at| state.operations > at)
    }

    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// How many files were synced so far.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    pub fn set_faults(&self, faults: Option<FaultPlan>) {
        self.state().faults = faults;
    }

    /// Writes beyond this many bytes in all files together fail as on a full volume.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity_bytes = bytes;
    }

    /// How many independent changes a power cut could keep or lose now.
    #[must_use]
    pub fn unsynced_changes(&self) -> usize {
        self.state().atoms()
    }

    /// What a power cut at this moment leaves on the device. This disk is not changed.
    #[must_use]
    pub fn crash(&self, choice: &mut CrashChoice) -> SimDisk {
        SimDisk { state: Arc::new(Mutex::new(self.state().crashed(choice))) }
    }

    /// Flips one bit of a file on the device.
    pub fn flip_bit(&self, path: &Path, at: u64) {
        let mut state = self.state();
        let inode = *state.names.files.get(path).expect("a test names a file that exists");
        state.inodes[inode].flip(usize::try_from(at).expect("a simulated file is small"));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the simulated disk does not panic under its lock")
    }

    /// Counts an operation and says how it fails, if it does.
    fn enter(&self, kind: OpKind, path: &Path) -> Result<(), Fault> {
        let mut state = self.state();
        state.operations += 1;
        let number = state.operations;
        if state.power_lost_at.is_some_and(|at| number > at) {
            return Err(Fault::Io);
        }
        let fault = state.faults.as_ref().and_then(|plan| plan.decide(kind, path, number));
        fault.map_or(Ok(()), Err)
    }

    fn name_op(&self, attempted: &'static str, path: &Path) -> Result<MutexGuard<'_, State>, DiskError> {
        self.enter(OpKind::Name, path).map_err(|fault| refused(attempted, path, fault.source()))?;
        Ok(self.state())
    }
}

impl Fault {
    fn source(self) -> io::Error {
        match self {
            Fault::Io => io::Error::other("simulated device error"),
            Fault::Full | Fault::Short(_) => io::ErrorKind::StorageFull.into(),
        }
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<FileHandle, DiskError> {
        self.enter(OpKind::Open, path).map_err(|fault| refused("open", path, fault.source()))?;
        let mut state = self.state();
        let creates = matches!(mode, OpenMode::Create | OpenMode::CreateDirect);
        let inode = match state.names.files.get(path) {
            Some(inode) => *inode,
            None if !creates => return Err(refused("open", path, io::ErrorKind::NotFound.into())),
            None => {
                let parent = path.parent().unwrap_or(Path::new(""));
                if !state.names.dirs.contains(parent) {
                    return Err(refused("open", path, io::ErrorKind::NotFound.into()));
                }
                state.inodes.push(Default::default());
                let inode = state.inodes.len() - 1;
                state.change_name(NameChange::Link(path.to_owned(), inode));
                inode
            }
        };
        let direct = mode == OpenMode::CreateDirect;
        Ok(Arc::new(SimFile { disk: self.clone(), path: path.to_owned(), inode, direct }))
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>, DiskError> {
        let state = self.name_op("list", directory)?;
        if !state.names.dirs.contains(directory) {
            return Err(refused("list", directory, io::ErrorKind::NotFound.into()));
        }
        let inside = |path: &Path| path.parent() == Some(directory) && path != directory;
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let files = state.names.files.keys().filter(|path| inside(path));
        let mut entries: Vec<Entry> = files.map(|path| Entry { name: name(path), is_dir: false }).collect();
        let dirs = state.names.dirs.iter().filter(|path| inside(path));
        entries.extend(dirs.map(|path| Entry { name: name(path), is_dir: true }));
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn create_dir(&self, directory: &Path) -> Result<(), DiskError> {
        let mut state = self.name_op("create directory", directory)?;
        let ancestors: Vec<PathBuf> = directory.ancestors().map(Path::to_owned).collect();
        for path in ancestors.into_iter().rev() {
            if !state.names.dirs.contains(&path) {
                let parentless = path.parent().is_none();
                state.change_name(NameChange::MakeDir(path.clone()));
                if parentless {
                    // The root of the file system is always there.
                    state.sync_root(&path);
                }
            }
        }
        Ok(())
    }

    fn sync_dir(&self, directory: &Path) -> Result<(), DiskError> {
        self.enter(OpKind::SyncDir, directory)
            .map_err(|fault| refused("sync directory", directory, fault.source()))?;
        self.state().sync_dir(directory);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let mut state = self.name_op("rename", from)?;
        if let Some(inode) = state.names.files.get(from).copied() {
            state.change_name(NameChange::Rename { from: from.to_owned(), to: to.to_owned(), inode });
            return Ok(());
        }
        Err(refused("rename", from, io::ErrorKind::NotFound.into()))
    }

    fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        let mut state = self.name_op("remove", path)?;
        if !state.names.files.contains_key(path) {
            return Err(refused("remove", path, io::ErrorKind::NotFound.into()));
        }
        state.change_name(NameChange::Unlink(path.to_owned()));
        Ok(())
    }

    fn remove_dir_all(&self, directory: &Path) -> Result<(), DiskError> {
        let mut state = self.name_op("remove directory", directory)?;
        if !state.names.dirs.contains(directory) {
            return Err(refused("remove directory", directory, io::ErrorKind::NotFound.into()));
        }
        state.change_name(NameChange::RemoveDir(directory.to_owned()));
        Ok(())
    }

    fn space(&self, _directory: &Path) -> Result<Space, DiskError> {
        let state = self.state();
        let total_bytes = state.capacity_bytes.unwrap_or(1 << 30);
        Ok(Space { total_bytes, free_bytes: total_bytes.saturating_sub(state.used_bytes()) })
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn DirectoryLock>, DiskError> {
        if !self.state().locked.insert(path.to_owned()) {
            return Err(refused("lock", path, io::ErrorKind::WouldBlock.into()));
        }
        Ok(Box::new(SimLock { disk: self.clone(), path: path.to_owned() }))
    }
}

impl DirectoryLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.state().locked.remove(&self.path);
    }
}

impl File for SimFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.disk.state().inodes[self.inode].live.len() as u64)
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.disk.enter(OpKind::Read, &self.path).map_err(Fault::source)?;
        let state = self.disk.state();
        let live = &state.inodes[self.inode].live;
        let start = index(at).min(live.len());
        let read = buffer.len().min(live.len() - start);
        buffer[..read].copy_from_slice(&live[start..start + read]);
        Ok(read)
    }

    fn write_at(&self, at: u64, parts: &[IoSlice<'_>]) -> Result<(), WriteError> {
        let mut bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        if self.direct {
            assert_eq!(at % BLOCK_BYTES as u64, 0, "direct writes start at whole blocks");
            assert_eq!(bytes.len() % BLOCK_BYTES, 0, "direct writes are whole blocks");
            for part in parts {
                assert_eq!(part.as_ptr() as usize % BLOCK_BYTES, 0, "direct writes come from aligned memory");
            }
        }
        let fault = self.disk.enter(OpKind::Write, &self.path).err();
        let mut state = self.disk.state();
        let end = index(at) + bytes.len();
        let grows = end.saturating_sub(state.inodes[self.inode].live.len()) as u64;
        let full = state.capacity_bytes.is_some_and(|most| state.used_bytes() + grows > most);
        let fault = fault.or(full.then_some(Fault::Full));
        let written = match fault {
            None => bytes.len(),
            Some(Fault::Short(taken)) => index(taken).min(bytes.len()),
            Some(_) => 0,
        };
        bytes.truncate(written);
        if !bytes.is_empty() {
            state.inodes[self.inode].write(index(at), &bytes);
        }
        match fault {
            None => Ok(()),
            Some(Fault::Short(taken)) if end as u64 <= at + taken => Ok(()),
            Some(fault) => Err(WriteError { written: written as u64, source: fault.source() }),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let entered = self.disk.enter(OpKind::Sync, &self.path);
        let mut state = self.disk.state();
        match entered {
            Ok(()) => {
                state.syncs += 1;
                state.inodes[self.inode].sync();
                Ok(())
            }
            Err(fault) => {
                state.inodes[self.inode].fail_sync();
                Err(fault.source())
            }
        }
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        self.disk.enter(OpKind::SetSize, &self.path).map_err(Fault::source)?;
        self.disk.state().inodes[self.inode].set_size(index(bytes));
        Ok(())
    }

    fn begin_write_back(&self, _at: u64, _bytes: u64) {}

    fn is_resident(&self, _at: u64, _bytes: u64) -> bool {
        true
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

fn refused(attempted: &'static str, path: &Path, source: io::Error) -> DiskError {
    DiskError { attempted, path: path.to_owned(), source }
}

fn index(position: u64) -> usize {
    usize::try_from(position).expect("a simulated file is small")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk_with(contents: &[u8]) -> (SimDisk, FileHandle) {
        let disk = SimDisk::default();
        disk.create_dir(Path::new("/d")).unwrap();
        let file = disk.open(Path::new("/d/f"), OpenMode::Create).unwrap();
        file.write_at(0, &[IoSlice::new(contents)]).unwrap();
        file.sync().unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        disk.sync_dir(Path::new("/d")).unwrap();
        (disk, file)
    }

    fn contents(disk: &SimDisk) -> Vec<u8> {
        (disk as &dyn Disk).read(Path::new("/d/f"), 1 << 20).unwrap()
    }

    #[test]
    fn what_was_synced_survives_every_power_cut() {
        let (disk, file) = disk_with(b"durable");
        file.write_at(7, &[IoSlice::new(b", maybe")]).unwrap();

        for bits in 0..1 << disk.unsynced_changes() {
            let after = contents(&disk.crash(&mut CrashChoice::Bits(bits)));
            assert!(after.starts_with(b"durable"), "{bits}: {after:?}");
        }
    }

    #[test]
    fn a_size_may_survive_without_its_data_and_sectors_apart() {
        let (disk, file) = disk_with(b"");
        file.write_at(0, &[IoSlice::new(&[7; 1024])]).unwrap();

        let states: std::collections::BTreeSet<Vec<u8>> = (0..1 << disk.unsynced_changes())
            .map(|bits| contents(&disk.crash(&mut CrashChoice::Bits(bits))))
            .collect();

        let sector = |byte: u8| vec![byte; 512];
        let both = |first, second| [sector(first), sector(second)].concat();
        let expected = [Vec::new(), both(0, 0), both(0, 7), both(7, 0), both(7, 7)];
        assert_eq!(states, expected.into_iter().collect());
    }

    #[test]
    fn a_name_is_lost_until_its_directory_is_synced() {
        let (disk, _file) = disk_with(b"x");
        disk.rename(Path::new("/d/f"), Path::new("/d/g")).unwrap();

        let lost = disk.crash(&mut CrashChoice::KeepNone);
        disk.sync_dir(Path::new("/d")).unwrap();
        let kept = disk.crash(&mut CrashChoice::KeepNone);

        assert_eq!(lost.list(Path::new("/d")).unwrap()[0].name, "f");
        assert_eq!(kept.list(Path::new("/d")).unwrap()[0].name, "g");
    }

    #[test]
    fn a_directory_that_is_lost_takes_what_it_held_with_it() {
        let disk = SimDisk::default();
        disk.create_dir(Path::new("/a/b")).unwrap();
        disk.sync_dir(Path::new("/a")).unwrap();

        let after = disk.crash(&mut CrashChoice::KeepNone);

        assert!(after.list(Path::new("/")).unwrap().is_empty());
        assert!(after.list(Path::new("/a/b")).is_err());
    }

    #[test]
    fn after_a_failed_sync_no_later_sync_makes_the_same_pages_durable() {
        let (disk, file) = disk_with(b"old");
        file.write_at(0, &[IoSlice::new(b"new")]).unwrap();
        disk.set_faults(Some(FaultPlan::new(|kind, _, _| (kind == OpKind::Sync).then_some(Fault::Io))));
        assert!(file.sync().is_err());
        disk.set_faults(None);
        file.sync().unwrap();

        assert_eq!(contents(&disk.crash(&mut CrashChoice::KeepNone)), b"old");
    }

    #[test]
    fn what_is_written_and_synced_after_a_failed_sync_lies_over_what_failed() {
        let (disk, file) = disk_with(b"old");
        file.write_at(0, &[IoSlice::new(b"bad")]).unwrap();
        disk.set_faults(Some(FaultPlan::new(|kind, _, _| (kind == OpKind::Sync).then_some(Fault::Io))));
        assert!(file.sync().is_err());
        disk.set_faults(None);
        file.write_at(0, &[IoSlice::new(b"new")]).unwrap();
        file.sync().unwrap();

        assert_eq!(contents(&disk.crash(&mut CrashChoice::KeepAll)), b"new");
        assert_eq!(contents(&disk.crash(&mut CrashChoice::KeepNone)), b"new");
    }

    #[test]
    fn a_full_volume_refuses_and_says_so() {
        let (disk, file) = disk_with(b"1234");
        disk.set_capacity(Some(6));

        let refused = file.write_at(4, &[IoSlice::new(b"5678")]).unwrap_err();

        assert!(refused.is_full());
        file.write_at(4, &[IoSlice::new(b"56")]).unwrap();
    }
}
