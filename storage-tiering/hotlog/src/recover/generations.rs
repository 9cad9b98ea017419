//! Which of a partition's files count: of every stretch of offsets the newest generation that was committed.

use std::collections::{BTreeMap, BTreeSet};

use aquifer_disk::DiskError;
use aquifer_record::BatchHeader;
use aquifer_types::TopicPartition;

use super::scan::{Replay, Scan};
use crate::format::{ProducersFile, SegmentName, SegmentSummary, Suffix};

/// The segments that count.
#[derive(Debug, Default)]
pub(super) struct Generations {
    /// Oldest first.
    pub(super) names: Vec<SegmentName>,
    /// What the indexes of those that compaction wrote say of them.
    pub(super) cleaned: BTreeMap<SegmentName, SegmentSummary>,
}

/// Nothing hangs on the batches yet.
struct Unheard;

impl Replay for Unheard {
    fn restore(&mut self, _id: TopicPartition, _file: ProducersFile) {}

    fn batch(&mut self, _id: TopicPartition, _header: &BatchHeader) {}
}

impl Scan<'_> {
    /// Removes what an interrupted cleaning left, and what a committed one replaced: its files may be there still, and
    /// the write-ahead log may just have put some of their bytes back.
    pub(super) fn generations(&self) -> Result<Generations, DiskError> {
        let mut names = self.segment_names()?;
        let mut found = Generations::default();
        let mut rewritten: Vec<SegmentName> =
            names.iter().filter(|name| name.generation > 0).copied().collect();
        rewritten.sort_by_key(|name| std::cmp::Reverse(name.generation));
        for name in rewritten {
            if !names.contains(&name) {
                continue;
            }
            let (from, end) = if let Some(sealed) = self.read_sealed(name)? {
                let span = (sealed.summary.replaces_from, sealed.summary.end);
                found.cleaned.insert(name, sealed.summary);
                span
            } else if names.iter().any(|other| other.base == name.base && other.generation < name.generation)
            {
                // Its index was not renamed: the segments it was to replace are still there.
                self.remove_generation(name)?;
                names.remove(&name);
                continue;
            } else {
                // It is whole wherever it has its name, and what it replaced is gone.
                (name.base, self.read_segment(name, &mut Unheard)?.segment.summary.end)
            };
            let inside = |other: &SegmentName| {
                other.generation < name.generation && other.base >= from && other.base < end
            };
            for replaced in names.iter().copied().filter(inside).collect::<Vec<_>>() {
                self.remove_generation(replaced)?;
                if replaced.base != name.base {
                    self.remove_file(SegmentName { generation: 0, ..replaced }, Suffix::Producers)?;
                }
                names.remove(&replaced);
                found.cleaned.remove(&replaced);
            }
        }
        found.names = names.into_iter().collect();
        Ok(found)
    }

    /// Every generation of every segment. Half-made files go, and indexes without a segment: a segment of that name made
    /// later is none of theirs.
    fn segment_names(&self) -> Result<BTreeSet<SegmentName>, DiskError> {
        let folder = self.layout.partition(self.id);
        let entries = match self.disk.list(&folder) {
            Err(error) if error.is_not_found() => return Ok(BTreeSet::new()),
            listed => listed?,
        };
        let mut names = BTreeSet::new();
        let mut indexes = Vec::new();
        for entry in &entries {
            if entry.name.ends_with(".tmp") {
                self.disk.remove_file(&folder.join(&entry.name))?;
                continue;
            }
            match SegmentName::parse(&entry.name) {
                Some((name, Suffix::Log)) => drop(names.insert(name)),
                Some((name, Suffix::Index)) => indexes.push(name),
                Some((_, Suffix::Producers)) | None => {}
            }
        }
        for index in indexes.into_iter().filter(|index| !names.contains(index)) {
            self.remove_file(index, Suffix::Index)?;
        }
        Ok(names)
    }

    pub(super) fn remove_generation(&self, name: SegmentName) -> Result<(), DiskError> {
        self.remove_file(name, Suffix::Log)?;
        self.remove_file(name, Suffix::Index)
    }

    pub(super) fn remove_file(&self, name: SegmentName, suffix: Suffix) -> Result<(), DiskError> {
        match self.disk.remove_file(&self.layout.segment(self.id, name, suffix)) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

/// Whether a segment that compaction wrote stands for `name`.
pub(super) fn stands_for(cleaned: SegmentName, summary: &SegmentSummary, name: SegmentName) -> bool {
    let inside = (summary.replaces_from..summary.end).contains(&name.base);
    cleaned.generation > name.generation && inside
}
