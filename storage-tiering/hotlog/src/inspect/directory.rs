//! `Inspection`: a directory's partitions, and what its marks and write-ahead log say of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use aquifer_disk::{DirectoryLock, Disk, DiskError};
use aquifer_types::{Offset, TopicPartition};
use aquifer_wal::WalError;

use crate::format::{
    CleanFile, FormatError, IndexFile, Layout, MarksFile, Meta, SegmentName, SegmentSummary, Suffix,
};
use crate::recover::{Known, WalRecords, on_disk};

const FILE_BYTES_MAX: u64 = 1 << 30;

/// A directory cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Wal(#[from] WalError),
    #[error("{}: {error}", path.display())]
    Format { path: PathBuf, error: FormatError },
    #[error("{} is no data directory: it holds no file 'meta'", .0.display())]
    NoMeta(PathBuf),
    #[error("a running node uses {}: stop it first", .0.display())]
    InUse(PathBuf),
    #[error("{0}")]
    Record(String),
}

/// A directory that nobody uses meanwhile.
#[derive(Debug)]
pub struct Inspection<'d> {
    pub(super) disk: &'d dyn Disk,
    pub(super) layout: Layout,
    pub meta: Meta,
    /// Whether the node stopped as it should.
    pub clean: bool,
    ends: BTreeMap<TopicPartition, Offset>,
    known: BTreeMap<TopicPartition, Known>,
    _lock: Box<dyn DirectoryLock>,
}

/// A partition's segment files, told apart.
#[derive(Debug, Default)]
pub(super) struct SegmentFiles {
    /// Those that count, oldest first, with the indexes of those that have one.
    pub(super) live: Vec<(SegmentName, Option<IndexFile>)>,
    /// Left over from cleanings, finished or not, and from first writes that failed; the next start removes them.
    pub(super) left_over: Vec<SegmentName>,
    /// Indexes that cannot be read.
    pub(super) damaged: Vec<(SegmentName, FormatError)>,
}

impl<'d> Inspection<'d> {
    pub fn open(disk: &'d dyn Disk, layout: Layout) -> Result<Inspection<'d>, InspectError> {
        let bytes = match disk.read(&layout.meta(), FILE_BYTES_MAX) {
            Err(error) if error.is_not_found() => {
                return Err(InspectError::NoMeta(layout.root().to_owned()));
            }
            read => read?,
        };
        let failed = |path: PathBuf| move |error| InspectError::Format { path, error };
        let meta = Meta::decode(&bytes).map_err(failed(layout.meta()))?;
        let lock = disk.lock(&layout.lock()).map_err(|error| match error.source.kind() {
            std::io::ErrorKind::WouldBlock => InspectError::InUse(layout.root().to_owned()),
            _ => error.into(),
        })?;
        let optional = |path: PathBuf| match disk.read(&path, FILE_BYTES_MAX) {
            Err(error) if error.is_not_found() => Ok(None),
            read => read.map(Some),
        };
        let clean = optional(layout.clean())?.and_then(|bytes| CleanFile::decode(&bytes).ok());
        let marks = match optional(layout.marks())? {
            Some(bytes) => MarksFile::decode(&bytes).map_err(failed(layout.marks()))?,
            None => MarksFile::default(),
        };
        let mut records = WalRecords::new(disk, &layout, &marks);
        let mut unreadable = None;
        aquifer_wal::inspect(disk, &layout.wal(), meta.directory, &mut |record| {
            // After a clean stop everything stands in the segments.
            if clean.is_none()
                && let Err(error) = records.take(record)
            {
                unreadable = Some(error);
            }
        })?;
        if let Some(error) = unreadable {
            return Err(InspectError::Record(error.to_string()));
        }
        let mut known = records.known;
        for partition in clean.iter().flat_map(|clean| &clean.partitions) {
            known.entry(partition.id).or_default().log_start = Some(partition.log_start);
        }
        let ends = clean.iter().flat_map(|clean| clean.partitions.iter().map(|found| (found.id, found.end)));
        let ends = ends.collect();
        Ok(Inspection { disk, layout, meta, clean: clean.is_some(), ends, known, _lock: lock })
    }

    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// All partitions that were not deleted.
    pub fn partitions(&self) -> Result<Vec<TopicPartition>, InspectError> {
        let mut found = on_disk(self.disk, &self.layout, &self.known)?;
        found.retain(|id| !self.known(*id).dropped);
        Ok(found)
    }

    pub(super) fn known(&self, id: TopicPartition) -> Known {
        self.known.get(&id).copied().unwrap_or_default()
    }

    /// Where the log ended when the node stopped as it should.
    pub(super) fn clean_end(&self, id: TopicPartition) -> Option<Offset> {
        self.ends.get(&id).copied()
    }

    /// The segments that count, oldest first.
    pub fn segments(&self, id: TopicPartition) -> Result<Vec<SegmentName>, InspectError> {
        Ok(self.segment_files(id)?.live.into_iter().map(|(name, _)| name).collect())
    }

    pub(super) fn segment_files(&self, id: TopicPartition) -> Result<SegmentFiles, DiskError> {
        let entries = match self.disk.list(&self.layout.partition(id)) {
            Err(error) if error.is_not_found() => Vec::new(),
            listed => listed?,
        };
        let names: BTreeSet<(SegmentName, bool)> = entries
            .iter()
            .filter_map(|entry| match SegmentName::parse(&entry.name)? {
                (name, Suffix::Log) => Some((name, true)),
                (name, Suffix::Index) => Some((name, false)),
                (_, Suffix::Producers) => None,
            })
            .collect();
        let mut files = SegmentFiles::default();
        let mut indexes = BTreeMap::new();
        for (name, _) in names.iter().filter(|(_, is_log)| !is_log) {
            let bytes = self.disk.read(&self.layout.segment(id, *name, Suffix::Index), FILE_BYTES_MAX)?;
            match IndexFile::decode(&bytes) {
                Ok(index) => drop(indexes.insert(*name, index)),
                Err(error) => files.damaged.push((*name, error)),
            }
        }
        let logs: BTreeSet<SegmentName> =
            names.iter().filter(|(_, is_log)| *is_log).map(|(name, _)| *name).collect();
        let unfinished = |name: &SegmentName| {
            name.generation > 0
                && !indexes.contains_key(name)
                && logs.iter().any(|other| other.base == name.base && other.generation < name.generation)
        };
        let replaced = |name: &SegmentName| {
            let stands_for = |(other, index): (&SegmentName, &IndexFile)| {
                let SegmentSummary { replaces_from, end, .. } = index.summary;
                other.generation > name.generation && (replaces_from..end).contains(&name.base)
            };
            indexes.iter().any(stands_for)
        };
        for name in &logs {
            let void = || -> Result<bool, DiskError> {
                Ok(!self.clean
                    && !indexes.contains_key(name)
                    && self.walk(id, *name, &mut |_| false)?.valid_bytes == 0)
            };
            if unfinished(name) || replaced(name) || void()? {
                files.left_over.push(*name);
            } else {
                files.live.push((*name, indexes.get(name).cloned()));
            }
        }
        Ok(files)
    }
}
