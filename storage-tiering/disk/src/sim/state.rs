//! What a simulated file system holds: live and durable contents, live and durable names, and what lies between.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::crash::CrashChoice;
use super::fault::FaultPlan;

/// The unit in which a device keeps or loses a write.
const SECTOR_BYTES: usize = 512;

pub(super) type InodeId = usize;

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) inodes: Vec<Inode>,
    pub(super) names: Names,
    durable_names: Names,
    /// Changes of names that no `sync_dir` has covered, in order.
    name_changes: Vec<NameChange>,
    pub(super) locked: BTreeSet<PathBuf>,
    pub(super) faults: Option<FaultPlan>,
    pub(super) operations: u64,
    pub(super) power_lost_at: Option<u64>,
    pub(super) capacity_bytes: Option<u64>,
    pub(super) syncs: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) files: BTreeMap<PathBuf, InodeId>,
    pub(super) dirs: BTreeSet<PathBuf>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    pub(super) live: Vec<u8>,
    durable: Vec<u8>,
    changes: Vec<Change>,
    /// A sync failed: so many changes may be on the device or not, and no later sync tells. What was synced since lies
    /// over them.
    distrusted: usize,
    /// So many changes behind those are on the device.
    synced: usize,
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    SetSize(usize),
}

#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Link(PathBuf, InodeId),
    Unlink(PathBuf),
    Rename { from: PathBuf, to: PathBuf, inode: InodeId },
    MakeDir(PathBuf),
    RemoveDir(PathBuf),
}

impl Inode {
    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        apply_write(&mut self.live, at, bytes);
        self.changes.push(Change::Write { at, bytes: bytes.to_vec() });
    }

    pub(super) fn set_size(&mut self, bytes: usize) {
        self.live.resize(bytes, 0);
        self.changes.push(Change::SetSize(bytes));
    }

    pub(super) fn sync(&mut self) {
        if self.distrusted > 0 {
            self.synced = self.changes.len() - self.distrusted;
            return;
        }
        for change in self.changes.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    pub(super) fn fail_sync(&mut self) {
        if self.synced == 0 {
            self.distrusted = self.changes.len();
            return;
        }
        // Between what failed before and what failed now lies what is on the device: the elder failures are settled.
        let unsynced = self.changes.split_off(self.distrusted + self.synced);
        for change in self.changes.drain(..) {
            change.apply(&mut self.durable);
        }
        self.changes = unsynced;
        (self.distrusted, self.synced) = (self.changes.len(), 0);
    }

    /// Flips a bit on the device, as decay does.
    pub(super) fn flip(&mut self, at: usize) {
        for contents in [&mut self.live, &mut self.durable] {
            if let Some(byte) = contents.get_mut(at) {
                *byte ^= 0x10;
            }
        }
    }

    fn atoms(&self) -> usize {
        let uncertain = self.changes[..self.distrusted].iter();
        uncertain
            .chain(&self.changes[self.distrusted + self.synced..])
            .map(|change| match change {
                Change::Write { at, bytes } => 1 + sectors(*at, bytes.len()).count(),
                Change::SetSize(_) => 1,
            })
            .sum()
    }

    fn crashed(&self, choice: &mut CrashChoice) -> Inode {
        let mut contents = self.durable.clone();
        for (place, change) in self.changes.iter().enumerate() {
            if (self.distrusted..self.distrusted + self.synced).contains(&place) {
                change.apply(&mut contents);
                continue;
            }
            match change {
                Change::SetSize(bytes) => {
                    if choice.keep() {
                        contents.resize(*bytes, 0);
                    }
                }
                Change::Write { at, bytes } => {
                    // The size is one change and each sector another: a size may survive without its data, and data
                    // beyond the surviving size is lost.
                    let end = at + bytes.len();
                    if choice.keep() && contents.len() < end {
                        contents.resize(end, 0);
                    }
                    for (start, stop) in sectors(*at, bytes.len()) {
                        if choice.keep() && start < contents.len() {
                            let stop = stop.min(contents.len());
                            contents[start..stop].copy_from_slice(&bytes[start - at..stop - at]);
                        }
                    }
                }
            }
        }
        Inode { live: contents.clone(), durable: contents, ..Inode::default() }
    }
}

impl Change {
    fn apply(&self, contents: &mut Vec<u8>) {
        match self {
            Change::Write { at, bytes } => apply_write(contents, *at, bytes),
            Change::SetSize(bytes) => contents.resize(*bytes, 0),
        }
    }
}

impl State {
    pub(super) fn change_name(&mut self, change: NameChange) {
        self.names.apply(&change);
        self.name_changes.push(change);
    }

    pub(super) fn sync_dir(&mut self, directory: &Path) {
        let changes = std::mem::take(&mut self.name_changes);
        for change in changes {
            if change.parent() == Some(directory) {
                self.durable_names.apply(&change);
            } else {
                self.name_changes.push(change);
            }
        }
    }

    /// Makes the root of the file system durable: it was there before the first change.
    pub(super) fn sync_root(&mut self, root: &Path) {
        self.durable_names.dirs.insert(root.to_owned());
        self.name_changes.retain(|change| !matches!(change, NameChange::MakeDir(path) if path == root));
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.names.files.values().map(|inode| self.inodes[*inode].live.len() as u64).sum()
    }

    /// How many independent changes a power cut could keep or lose now.
    pub(super) fn atoms(&self) -> usize {
        let named = self.reachable();
        let data: usize = named.iter().map(|inode| self.inodes[*inode].atoms()).sum();
        data + self.name_changes.len()
    }

    /// The state after power came back.
    pub(super) fn crashed(&self, choice: &mut CrashChoice) -> State {
        let mut names = self.durable_names.clone();
        for change in &self.name_changes {
            if choice.keep() {
                names.apply(change);
            }
        }
        let named = self.reachable();
        let inodes =
            (0..self.inodes.len())
                .map(|inode| {
                    if named.contains(&inode) { self.inodes[inode].crashed(choice) } else { Inode::default() }
                })
                .collect();
        // What stood in a directory that was lost is lost with it; parents come before what they hold.
        let mut dirs = BTreeSet::new();
        for path in std::mem::take(&mut names.dirs) {
            if path.parent().is_none_or(|parent| dirs.contains(parent)) {
                dirs.insert(path);
            }
        }
        names.files.retain(|path, _| path.parent().is_none_or(|parent| dirs.contains(parent)));
        names.dirs = dirs;
        State {
            inodes,
            durable_names: names.clone(),
            names,
            capacity_bytes: self.capacity_bytes,
            ..State::default()
        }
    }

    fn reachable(&self) -> BTreeSet<InodeId> {
        let linked = self.name_changes.iter().filter_map(|change| match change {
            NameChange::Link(_, inode) | NameChange::Rename { inode, .. } => Some(*inode),
            _ => None,
        });
        let files = self.names.files.values().chain(self.durable_names.files.values());
        files.copied().chain(linked).collect()
    }
}

impl Names {
    fn apply(&mut self, change: &NameChange) {
        match change {
            NameChange::Link(path, inode) => {
                self.files.insert(path.clone(), *inode);
            }
            NameChange::Unlink(path) => {
                self.files.remove(path);
            }
            NameChange::Rename { from, to, inode } => {
                self.files.remove(from);
                self.files.insert(to.clone(), *inode);
            }
            NameChange::MakeDir(path) => {
                self.dirs.insert(path.clone());
            }
            NameChange::RemoveDir(path) => {
                self.files.retain(|file, _| !file.starts_with(path));
                self.dirs.retain(|dir| !dir.starts_with(path));
            }
        }
    }
}

impl NameChange {
    fn parent(&self) -> Option<&Path> {
        match self {
            NameChange::Link(path, _)
            | NameChange::Unlink(path)
            | NameChange::Rename { to: path, .. }
            | NameChange::MakeDir(path)
            | NameChange::RemoveDir(path) => path.parent(),
        }
    }
}

fn apply_write(contents: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if contents.len() < at + bytes.len() {
        contents.resize(at + bytes.len(), 0);
    }
    contents[at..at + bytes.len()].copy_from_slice(bytes);
}

fn sectors(at: usize, bytes: usize) -> impl Iterator<Item = (usize, usize)> {
    let end = at + bytes;
    let first = at / SECTOR_BYTES;
    let last = end.div_ceil(SECTOR_BYTES);
    (first..last).map(move |n| ((n * SECTOR_BYTES).max(at), ((n + 1) * SECTOR_BYTES).min(end)))
}
