//! Reading one partition's segments back, and telling a torn tail from damage.

use std::collections::VecDeque;
use std::io;

use aquifer_disk::{Disk, DiskError, OpenMode};
use aquifer_record::BatchHeader;
use aquifer_types::{Offset, TimestampMs, TopicPartition};

use super::generations::{Generations, stands_for};
use super::open::Verdict;
use super::reader::BatchReader;
use super::wal_replay::Known;
use crate::format::{IndexFile, Layout, ProducersFile, SegmentName, Suffix};
use crate::log::{Log, Segment, SegmentFile};

const SMALL_FILE_BYTES_MAX: u64 = 256 << 20;

/// Is handed every batch that recovery reads, to rebuild what hangs on them.
pub trait Replay {
    /// What was known at `file.end`; batches from there on follow.
    fn restore(&mut self, id: TopicPartition, file: ProducersFile);

    fn batch(&mut self, id: TopicPartition, header: &BatchHeader);
}

/// One partition being recovered.
pub(super) struct Scan<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) layout: &'a Layout,
    pub(super) id: TopicPartition,
    pub(super) known: Known,
    pub(super) now: TimestampMs,
}

/// What a segment's bytes turned out to be.
pub(super) struct Found {
    pub(super) segment: Segment,
    /// Something other than a batch stands after the valid ones.
    torn: bool,
}

impl Scan<'_> {
    /// The log as it is on disk, cut back to its valid prefix, and the verdict on it. What is damaged stays as it is.
    pub(super) fn run(&self, replay: &mut dyn Replay) -> Result<(Log, Verdict), DiskError> {
        let Generations { mut names, cleaned, void } = self.generations()?;
        self.remove_below_start(&mut names)?;
        let durable_from = self.known.mark.map_or(Offset(i64::MIN), |mark| mark.segment.base);
        let scan_from = self.scan_from(&names, durable_from);
        let mut segments: VecDeque<Segment> = VecDeque::new();
        let mut beyond = Vec::new();
        // Every start but the first is on record.
        let start = self.known.log_start.unwrap_or(Offset::ZERO);
        let mut torn = names.first().is_some_and(|first| first.base > start);
        let strange = void.iter().any(|(_, bytes)| *bytes > 0);
        let mut restored = false;
        // What compaction wrote was durable before it counted, and so was all that stood before it.
        let mut damaged = false;
        for (place, name) in names.iter().enumerate() {
            torn |= segments.back().is_some_and(|last| last.summary.end != name.base);
            if torn {
                damaged |= name.generation > 0;
                beyond.push(*name);
                continue;
            }
            if place < scan_from
                && let Some(sealed) = self.read_sealed(*name)?
            {
                segments.push_back(sealed);
                continue;
            }
            if !restored {
                restored = true;
                self.restore_producers(name.base, replay);
            }
            let found = self.read_segment(*name, replay)?;
            torn = found.torn;
            damaged |= torn && name.generation > 0;
            segments.push_back(match cleaned.get(name) {
                Some(summary) if !torn => Segment::sealed(found.segment.file, summary.clone()),
                _ => found.segment,
            });
        }
        if names.is_empty() {
            // A log that begins where its tier ends knows who wrote what is there.
            self.restore_producers(start, replay);
        }
        let verdict = match self.verdict(&segments, torn || strange) {
            _ if damaged => Verdict::Corrupt,
            // Something stands there, though no batch.
            Verdict::Missing if strange => Verdict::Corrupt,
            verdict => verdict,
        };
        if matches!(verdict, Verdict::Corrupt | Verdict::Missing) {
            tracing::error!(
                partition = %self.id, known = ?self.known, ?beyond,
                "what was durable is damaged or gone: the partition is quarantined, its files stay as they are"
            );
            return Ok((Log::empty(self.id, start), verdict));
        }
        let void = void.into_iter().map(|(name, _)| name);
        for name in beyond.into_iter().chain(void) {
            self.remove(name)?;
        }
        self.settle(&mut segments, start)?;
        Ok((Log::from_segments(self.id, start, segments), verdict))
    }

    /// Segments wholly below the start were given up; a power cut may have left any of them.
    fn remove_below_start(&self, names: &mut Vec<SegmentName>) -> Result<(), DiskError> {
        let Some(log_start) = self.known.log_start else { return Ok(()) };
        let kept = names.partition_point(|name| name.base <= log_start).saturating_sub(1);
        names.drain(..kept).try_for_each(|name| self.remove(name))
    }

    /// From which segment on batches are read: from the newest producers' snapshot at or before the durable part's end.
    fn scan_from(&self, names: &[SegmentName], durable_from: Offset) -> usize {
        let mut from = 0;
        for (place, name) in names.iter().enumerate() {
            if name.base <= durable_from && self.producers_at(name.base).is_some() {
                from = place;
            }
        }
        from
    }

    fn producers_at(&self, base: Offset) -> Option<ProducersFile> {
        let name = SegmentName { base, generation: 0 };
        let path = self.layout.segment(self.id, name, Suffix::Producers);
        let bytes = self.disk.read(&path, SMALL_FILE_BYTES_MAX).ok()?;
        ProducersFile::decode(&bytes).ok().filter(|file| file.end == base)
    }

    fn restore_producers(&self, base: Offset, replay: &mut dyn Replay) {
        if let Some(file) = self.producers_at(base) {
            replay.restore(self.id, file);
        }
    }

    /// A sealed segment by its index, if both fit together; else it must be read.
    pub(super) fn read_sealed(&self, name: SegmentName) -> Result<Option<Segment>, DiskError> {
        let index = self.disk.read(&self.layout.segment(self.id, name, Suffix::Index), SMALL_FILE_BYTES_MAX);
        let Some(index) = index.ok().and_then(|bytes| IndexFile::decode(&bytes).ok()) else {
            return Ok(None);
        };
        let path = self.layout.segment(self.id, name, Suffix::Log);
        let file = self.disk.open(&path, OpenMode::Read)?;
        let bytes = file.size().map_err(|source| DiskError { attempted: "stat", path, source })?;
        let fits = index.summary.base == name.base && index.summary.bytes == bytes;
        Ok(fits.then(|| Segment::sealed(SegmentFile::new(self.id, name), index.summary)))
    }

    /// Every batch of a segment, up to the first thing that is none.
    pub(super) fn read_segment(
        &self,
        name: SegmentName,
        replay: &mut dyn Replay,
    ) -> Result<Found, DiskError> {
        let path = self.layout.segment(self.id, name, Suffix::Log);
        let file = self.disk.open(&path, OpenMode::Write)?;
        let failed = |source: io::Error| DiskError { attempted: "read", path: path.clone(), source };
        let mut segment = Segment::empty(self.id, name.base);
        segment.file = SegmentFile::new(self.id, name);
        let mut reader = BatchReader::new(&file);
        let size = file.size().map_err(failed)?;
        while segment.summary.bytes < size {
            let Ok(batch) = reader.batch_at(segment.summary.bytes).map_err(failed)? else { break };
            let header = batch.header;
            // Offsets only grow; compaction leaves gaps, a stale block repeats.
            if header.base_offset < segment.summary.end || !segment.spans(header.end()) {
                break;
            }
            if segment.summary.epochs.last().is_some_and(|(epoch, _)| header.epoch < *epoch) {
                break;
            }
            segment.push(&header, self.now.min(header.max_timestamp.max(TimestampMs(0))));
            replay.batch(self.id, &header);
        }
        let torn = segment.summary.bytes < size;
        Ok(Found { segment, torn })
    }

    fn remove(&self, name: SegmentName) -> Result<(), DiskError> {
        self.remove_generation(name)?;
        self.remove_file(SegmentName { generation: 0, ..name }, Suffix::Producers)
    }

    /// Whether everything that was durable is there.
    fn verdict(&self, segments: &VecDeque<Segment>, torn: bool) -> Verdict {
        let holds = |name: SegmentName, position: u64| {
            segments.iter().any(|segment| {
                let itself = segment.name() == name && segment.summary.bytes >= position;
                itself || stands_for(segment.name(), &segment.summary, name)
            })
        };
        let below_start = |name: SegmentName| {
            self.known.log_start.is_some_and(|start| {
                segments.front().is_none_or(|first| first.summary.base > name.base) && name.base < start
            })
        };
        let start = self.known.log_start.unwrap_or(Offset::ZERO);
        let durable =
            self.known.mark.filter(|mark| mark.end > start).map(|mark| (mark.segment, mark.position));
        let required = [durable.filter(|(_, position)| *position > 0), self.known.replayed_to];
        let lost = required
            .into_iter()
            .flatten()
            .any(|(name, position)| !holds(name, position) && !below_start(name));
        match (lost, torn) {
            (true, _) if segments.is_empty() => Verdict::Missing,
            (true, _) => Verdict::Corrupt,
            (false, true) => Verdict::TornTail,
            (false, false) => Verdict::Clean,
        }
    }

    /// Drops what lies below the start, makes what is kept durable, and sees that the last segment takes appends.
    fn settle(&self, segments: &mut VecDeque<Segment>, start: Offset) -> Result<(), DiskError> {
        while segments.len() > 1 && segments[0].summary.end <= start && segments[1].summary.base <= start {
            let gone = segments.pop_front().expect("more than one");
            self.remove(gone.name())?;
        }
        for segment in segments.iter().filter(|segment| segment.index.is_some()) {
            let path = self.layout.segment(self.id, segment.name(), Suffix::Log);
            let file = self.disk.open(&path, OpenMode::Write)?;
            let failed = |source| DiskError { attempted: "cut back", path: path.clone(), source };
            if file.size().map_err(failed)? > segment.summary.bytes {
                file.set_size(segment.summary.bytes).map_err(failed)?;
            }
            file.sync().map_err(|source| DiskError { attempted: "sync", path, source })?;
        }
        let last = segments.len().saturating_sub(1);
        for (place, segment) in segments.iter_mut().enumerate() {
            if (place < last || segment.name().generation > 0)
                && let Some(entries) = &segment.index
            {
                let index = IndexFile { summary: segment.summary.clone(), entries: entries.to_vec() };
                let path = self.layout.segment(self.id, segment.name(), Suffix::Index);
                self.disk.replace(&path, &index.encode())?;
                segment.index = None;
            }
        }
        let end = segments.back().map_or(start, |segment| segment.summary.end.max(start));
        let takes_appends =
            segments.back().is_some_and(|segment| segment.index.is_some() && segment.summary.end == end);
        if !takes_appends {
            segments.push_back(Segment::empty(self.id, end));
        }
        if last > 0 || !segments[0].is_empty() {
            self.disk.create_dir(&self.layout.partition(self.id))?;
            self.disk.sync_dir(&self.layout.partition(self.id))?;
            self.disk.sync_dir(&self.layout.topic(self.id.topic))?;
        }
        Ok(())
    }
}
