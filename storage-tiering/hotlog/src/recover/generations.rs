//! Which of a partition's files count: of every stretch of offsets the newest generation that was committed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use aquifer_disk::{Disk, DiskError, OpenMode};
use aquifer_record::BatchHeader;
use aquifer_types::{Offset, TimestampMs, TopicPartition};

use super::reader::BatchReader;
use super::scan::{Replay, Scan};
use super::wal_replay::Known;
use crate::format::{Layout, ProducersFile, SegmentName, SegmentSummary, Suffix};

/// The segments that count.
#[derive(Debug, Default)]
pub(super) struct Generations {
    /// Oldest first.
    pub(super) names: Vec<SegmentName>,
    /// What the indexes of those that compaction wrote say of them.
    pub(super) cleaned: BTreeMap<SegmentName, SegmentSummary>,
    /// Those that hold no batch, with their sizes: the first write failed, and the log went on in the segment before, so
    /// that their names say nothing of where that ends.
    pub(super) void: Vec<(SegmentName, u64)>,
}

/// Nothing hangs on the batches yet.
struct Unheard;

impl Replay for Unheard {
    fn restore(&mut self, _id: TopicPartition, _file: ProducersFile) {}

    fn batch(&mut self, _id: TopicPartition, _header: &BatchHeader) {}
}

impl Scan<'_> {
    /// Removes what an interrupted cleaning left, and what is left of the segments that a committed one replaced.
    pub(super) fn generations(&self) -> Result<Generations, DiskError> {
        let (mut names, indexed) = self.segment_names()?;
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
            } else if names.range(oldest(name.base)..name).next().is_some() {
                // Its index was not renamed: the segments it was to replace are still there.
                self.remove_generation(name)?;
                names.remove(&name);
                continue;
            } else {
                // It is whole wherever it has its name, and what it replaced is gone.
                (name.base, self.end_of(name)?)
            };
            let inside = names.range(oldest(from)..oldest(end)).copied();
            for replaced in inside.filter(|other| other.generation < name.generation).collect::<Vec<_>>() {
                self.remove_generation(replaced)?;
                if replaced.base != name.base {
                    self.remove_file(oldest(replaced.base), Suffix::Producers)?;
                }
                names.remove(&replaced);
                found.cleaned.remove(&replaced);
            }
        }
        for name in &names {
            if !indexed.contains(name)
                && let Some(bytes) = self.bytes_of_void(*name)?
            {
                found.void.push((*name, bytes));
            }
        }
        names.retain(|name| !found.void.iter().any(|(void, _)| void == name));
        found.names = names.into_iter().collect();
        Ok(found)
    }

    /// Every generation of every segment, and which have an index. Half-made files go, and indexes without a segment: a
    /// segment of that name made later is none of theirs.
    fn segment_names(&self) -> Result<(BTreeSet<SegmentName>, BTreeSet<SegmentName>), DiskError> {
        let folder = self.layout.partition(self.id);
        let entries = match self.disk.list(&folder) {
            Err(error) if error.is_not_found() => return Ok(Default::default()),
            listed => listed?,
        };
        let (mut names, mut indexes) = (BTreeSet::new(), BTreeSet::new());
        for entry in &entries {
            if entry.name.ends_with(".tmp") {
                self.disk.remove_file(&folder.join(&entry.name))?;
                continue;
            }
            match SegmentName::parse(&entry.name) {
                Some((name, Suffix::Log)) => drop(names.insert(name)),
                Some((name, Suffix::Index)) => drop(indexes.insert(name)),
                Some((_, Suffix::Producers)) | None => {}
            }
        }
        for index in indexes.difference(&names) {
            self.remove_file(*index, Suffix::Index)?;
        }
        Ok((names, indexes))
    }

    /// The size of a segment that does not begin with a batch, if it is one.
    fn bytes_of_void(&self, name: SegmentName) -> Result<Option<u64>, DiskError> {
        let path = self.layout.segment(self.id, name, Suffix::Log);
        let file = self.disk.open(&path, OpenMode::Read)?;
        let failed = |source| DiskError { attempted: "read", path: path.clone(), source };
        let bytes = file.size().map_err(failed)?;
        let is_void = bytes == 0 || BatchReader::new(&file).batch_at(0).map_err(failed)?.is_err();
        Ok(is_void.then_some(bytes))
    }

    fn end_of(&self, name: SegmentName) -> Result<Offset, DiskError> {
        Ok(self.read_segment(name, &mut Unheard)?.segment.summary.end)
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

fn oldest(base: Offset) -> SegmentName {
    SegmentName { base, generation: 0 }
}

/// The offsets of every segment that compaction wrote.
pub(super) fn cleaned_spans(
    disk: &dyn Disk,
    layout: &Layout,
    id: TopicPartition,
) -> Result<Vec<Range<Offset>>, DiskError> {
    let scan = Scan { disk, layout, id, known: Known::default(), now: TimestampMs::NONE };
    let entries = match disk.list(&layout.partition(id)) {
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        listed => listed?,
    };
    let mut spans = Vec::new();
    for entry in entries {
        let Some((name, Suffix::Log)) = SegmentName::parse(&entry.name) else { continue };
        if name.generation > 0 {
            let end = match scan.read_sealed(name)? {
                Some(sealed) => sealed.summary.end,
                None => scan.end_of(name)?,
            };
            spans.push(name.base..end);
        }
    }
    Ok(spans)
}

/// Whether a segment that compaction wrote stands for `name`.
pub(super) fn stands_for(cleaned: SegmentName, summary: &SegmentSummary, name: SegmentName) -> bool {
    let inside = (summary.replaces_from..summary.end).contains(&name.base);
    cleaned.generation > name.generation && inside
}
