//! `Wal`: which file a group goes to, which files are live, and when they are used again.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aquifer_disk::{AlignedBuf, BLOCK_BYTES, Disk, DiskError, FileHandle, OpenMode};
use aquifer_types::DirectoryId;

use crate::floor::Floor;
use crate::group::Group;
use crate::recover::{Record, Scan, WalError, scan};

/// How large a log may grow.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The size of the very first file, which is written at start and must not delay it.
    pub first_slot_bytes: u64,
    /// The size of every other file.
    pub slot_bytes: u64,
    /// How many files there may be; at least two.
    pub slots_max: usize,
}

/// Where a sealed group is to be written.
#[derive(Clone, Debug)]
pub struct Placement {
    file: FileHandle,
    pub path: Arc<Path>,
    pub at: u64,
    pub generation: u64,
    pub sequence: u64,
}

/// Every file holds records that are still needed: nothing can be added until some are freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("every file of the write-ahead log is in use")]
pub struct WalFull;

/// A log's files and the place of the next group. It writes nothing itself but new files.
#[derive(Debug)]
pub struct Wal {
    directory: DirectoryId,
    settings: Settings,
    slots: Vec<Slot>,
    /// Files that hold nothing and are not full size: a power cut interrupted their making, or they were the first.
    unmade: Vec<PathBuf>,
    /// The slot that takes groups, if one is open.
    active: Option<usize>,
    position: u64,
    next_sequence: u64,
    next_generation: u64,
    floor: Floor,
    folder: PathBuf,
}

#[derive(Debug)]
struct Slot {
    file: FileHandle,
    path: Arc<Path>,
    bytes: u64,
    /// The generation of the groups in it; 0 if it was never used.
    generation: u64,
    /// Whether records in it are still needed.
    live: bool,
}

/// A file to be made, away from whoever waits for the log.
#[derive(Clone, Debug)]
pub struct NewSlot {
    path: PathBuf,
    bytes: u64,
}

impl Wal {
    /// Opens the log in `folder`, replaying every durable record that was not freed, in order.
    ///
    /// All files that hold such records stay live until they are freed; new groups go to another file.
    pub fn open(
        disk: &dyn Disk,
        folder: &Path,
        directory: DirectoryId,
        settings: Settings,
        replay: &mut dyn FnMut(Record<'_>),
    ) -> Result<Wal, WalError> {
        assert!(settings.slots_max >= 2, "one file is written while another is freed");
        disk.create_dir(folder)?;
        if let Some(parent) = folder.parent() {
            disk.sync_dir(parent)?;
        }
        let mut slots = Vec::new();
        // Reading wants neither aligned memory nor whole blocks, which a file that is written directly would insist on.
        let mut readers = Vec::new();
        for entry in disk.list(folder)? {
            if !entry.name.ends_with(".wal") {
                continue;
            }
            let path = folder.join(&entry.name);
            let file = disk.open(&path, OpenMode::CreateDirect)?;
            let bytes = file.size().map_err(|source| WalError::read(&path, source))?;
            readers.push(disk.open(&path, OpenMode::Read)?);
            slots.push(Slot { file, path: path.into(), bytes, generation: 0, live: false });
        }
        let floor = Floor::read(disk, folder)?;
        let with_readers = slots.iter().zip(&readers);
        let files: Vec<_> = with_readers.map(|(slot, reader)| (reader, &*slot.path, slot.bytes)).collect();
        let Scan { generations, last_sequence, last_generation, last_group } =
            scan(&files, directory, floor, replay)?;
        if let Some((index, range)) = last_group {
            let (slot, reader) = (&slots[index], &readers[index]);
            write_again(slot, reader, range).map_err(|source| WalError::read(&slot.path, source))?;
        }
        for (slot, generation) in slots.iter_mut().zip(generations) {
            slot.live = generation.is_some();
            slot.generation = generation.unwrap_or(0);
        }
        let (slots, unmade): (Vec<Slot>, Vec<Slot>) =
            slots.into_iter().partition(|slot| slot.live || slot.bytes >= settings.slot_bytes);
        let mut wal = Wal {
            unmade: unmade.into_iter().map(|slot| slot.path.to_path_buf()).collect(),
            directory,
            settings,
            slots,
            active: None,
            position: 0,
            next_sequence: last_sequence + 1,
            next_generation: last_generation.max(floor.0 - 1) + 1,
            floor,
            folder: folder.to_owned(),
        };
        if wal.slots.iter().all(|slot| slot.live) {
            let first = NewSlot { path: wal.slot_path(), bytes: settings.first_slot_bytes };
            wal.add(first.create(disk)?);
        }
        Ok(wal)
    }

    /// Whether a group of `bytes` would be the first of another file.
    #[must_use]
    pub fn opens_file(&self, bytes: u64) -> bool {
        self.active.is_none_or(|active| self.position + bytes > self.slots[active].bytes)
    }

    /// Gives `group` its place and sequence and seals it. Placed groups must be written in order, one at a time.
    pub fn seal(&mut self, group: &mut Group) -> Result<Placement, WalFull> {
        let bytes = group.sealed_bytes();
        if self.opens_file(bytes) {
            self.open_file(bytes)?;
        }
        let active = self.active.expect("a file was just opened");
        let slot = &self.slots[active];
        let generation = slot.generation;
        group.seal(self.directory, generation, self.next_sequence);
        let placement = Placement {
            file: slot.file.clone(),
            path: slot.path.clone(),
            at: self.position,
            generation,
            sequence: self.next_sequence,
        };
        self.position += bytes;
        self.next_sequence += 1;
        Ok(placement)
    }

    fn open_file(&mut self, bytes: u64) -> Result<(), WalFull> {
        // Oldest first: then no generation between two that are whole was ever overwritten.
        let free = self.slots.iter().enumerate().filter(|(_, slot)| !slot.live && slot.bytes >= bytes);
        let (free, _) = free.min_by_key(|(_, slot)| slot.generation).ok_or(WalFull)?;
        self.slots[free].live = true;
        self.slots[free].generation = self.next_generation;
        self.next_generation += 1;
        self.active = Some(free);
        self.position = 0;
        Ok(())
    }

    /// The generation that takes groups now; 0 before the first.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.active.map_or(0, |active| self.slots[active].generation)
    }

    /// Generations whose records are still held, oldest first.
    #[must_use]
    pub fn live_generations(&self) -> Vec<u64> {
        let live = self.slots.iter().filter(|slot| slot.live);
        let mut live: Vec<u64> = live.map(|slot| slot.generation).collect();
        live.sort_unstable();
        live
    }

    /// How much of the log's capacity holds records that are still needed, in parts of a thousand.
    #[must_use]
    pub fn fullness(&self) -> u64 {
        let missing = self.settings.slots_max.saturating_sub(self.slots.len()) as u64;
        let capacity: u64 = self.slots.iter().map(|slot| slot.bytes).sum();
        let capacity = capacity + missing * self.settings.slot_bytes;
        let held = self.slots.iter().enumerate().filter(|(_, slot)| slot.live);
        let held: u64 = held
            .map(|(index, slot)| if Some(index) == self.active { self.position } else { slot.bytes })
            .sum();
        held * 1000 / capacity.max(1)
    }

    /// What must be written before the files below `generation` may be used again; the file that takes groups is never
    /// among them.
    #[must_use]
    pub fn floor_below(&self, generation: u64) -> Floor {
        Floor(generation.min(self.generation().max(1)).max(self.floor.0))
    }

    /// As `floor_below`, for whoever has put everything that was replayed in a safe place.
    #[must_use]
    pub fn floor_past_recovered(&self) -> Floor {
        assert!(self.active.is_none(), "records added since would be given up");
        Floor(self.next_generation)
    }

    /// Lets the files below a floor that was written be used again.
    pub fn free_below(&mut self, written: Floor) {
        self.floor = self.floor.max(written);
        for slot in &mut self.slots {
            slot.live &= slot.generation >= self.floor.0;
        }
        self.give_up_small();
    }

    /// A used file of the first size, of which each start may make one, is made anew at full size when one is wanted:
    /// else small files would take the places of those that hold every group.
    fn give_up_small(&mut self) {
        for index in (0..self.slots.len()).rev() {
            let slot = &self.slots[index];
            let used = slot.generation > 0 && !slot.live && self.active != Some(index);
            if used && slot.bytes < self.settings.slot_bytes {
                self.unmade.push(self.slots.remove(index).path.to_path_buf());
                self.active = self.active.map(|active| if active > index { active - 1 } else { active });
            }
        }
    }

    /// A file worth making now, if no free one is left and there may be more. The caller creates and adds it.
    #[must_use]
    pub fn wanted(&self) -> Option<NewSlot> {
        let spare = self.slots.iter().any(|slot| !slot.live && slot.bytes >= self.settings.slot_bytes);
        (!spare && self.slots.len() < self.settings.slots_max)
            .then(|| NewSlot { path: self.slot_path(), bytes: self.settings.slot_bytes })
    }

    fn slot_path(&self) -> PathBuf {
        match self.unmade.last() {
            Some(path) => path.clone(),
            None => self.folder.join(format!("{:04}.wal", self.slots.len())),
        }
    }

    /// Takes a created file into use.
    pub fn add(&mut self, created: (NewSlot, FileHandle)) {
        let (slot, file) = created;
        self.unmade.retain(|path| *path != slot.path);
        self.slots.push(Slot { file, path: slot.path.into(), bytes: slot.bytes, generation: 0, live: false });
    }
}

/// Makes the last group durable whatever became of its flush: where that failed and only the process ended, the group
/// can be read, but no later flush would be for it.
fn write_again(slot: &Slot, reader: &FileHandle, (at, end): (u64, u64)) -> io::Result<()> {
    let mut bytes = vec![0; usize::try_from(end - at).unwrap_or(usize::MAX)];
    reader.read_exact_at(at, &mut bytes)?;
    let mut group = AlignedBuf::with_capacity(bytes.len());
    group.extend_from_slice(&bytes);
    slot.file.write_at(at, &[IoSlice::new(&group)]).map_err(|error| error.source)?;
    slot.file.sync()
}

impl NewSlot {
    /// Writes the file full of zeroes and makes it and its name durable.
    pub fn create(self, disk: &dyn Disk) -> Result<(NewSlot, FileHandle), DiskError> {
        const STEP_BYTES: u64 = 1 << 20;
        let failed = |source| DiskError { attempted: "write", path: self.path.clone(), source };
        let file = disk.open(&self.path, OpenMode::CreateDirect)?;
        let mut zeroes = AlignedBuf::with_capacity(STEP_BYTES as usize);
        zeroes.extend_from_slice(&vec![0; STEP_BYTES.min(self.bytes) as usize]);
        zeroes.pad_to_block();
        let mut at = 0;
        while at < self.bytes {
            let step = usize::try_from((self.bytes - at).min(zeroes.len() as u64)).unwrap_or(BLOCK_BYTES);
            file.write_at(at, &[IoSlice::new(&zeroes[..step])]).map_err(|error| failed(error.source))?;
            at += step as u64;
        }
        file.sync().map_err(failed)?;
        if let Some(folder) = self.path.parent() {
            disk.sync_dir(folder)?;
        }
        Ok((self, file))
    }
}

impl Placement {
    /// Writes the sealed group and makes it durable. After a failure the log must not be used again.
    pub fn write(&self, group: &Group) -> io::Result<()> {
        self.file.write_at(self.at, &[IoSlice::new(group.sealed())]).map_err(|error| error.source)?;
        self.file.sync()
    }
}
