//! Whether a partition's files are sound: every batch, every index entry, every snapshot, and all that was durable.

use aquifer_disk::DiskError;
use aquifer_record::{BatchHeader, decode};
use aquifer_types::{BatchEpoch, Offset, TopicPartition};

use super::directory::Inspection;
use crate::format::{IndexFile, ProducersFile, SegmentName, Suffix};

const SMALL_FILE_BYTES_MAX: u64 = 256 << 20;
/// How much a batch may hold unpacked before its records are not looked at.
const UNPACKED_BYTES_MAX: usize = 256 << 20;

/// What was found in one partition.
#[derive(Clone, Debug)]
pub struct PartitionReport {
    pub id: TopicPartition,
    pub log_start: Offset,
    pub end: Offset,
    pub segments: usize,
    pub bytes: u64,
    pub batches: u64,
    pub records: u64,
    /// Batches whose records contradict their header or cannot be unpacked: a client wrote them so.
    pub odd_batches: u64,
    /// What the next start mends or removes by itself.
    pub notes: Vec<String>,
    /// What is damaged or lost.
    pub problems: Vec<String>,
}

/// One partition being verified.
struct Check<'a> {
    inspection: &'a Inspection<'a>,
    report: PartitionReport,
    last_epoch: BatchEpoch,
    scratch: Vec<u8>,
}

impl Inspection<'_> {
    /// Reads everything of one partition.
    pub fn verify(&self, id: TopicPartition) -> Result<PartitionReport, DiskError> {
        let known = self.known(id);
        let start = known.log_start.unwrap_or(Offset::ZERO);
        let report = PartitionReport {
            id,
            log_start: start,
            end: start,
            segments: 0,
            bytes: 0,
            batches: 0,
            records: 0,
            odd_batches: 0,
            notes: Vec::new(),
            problems: Vec::new(),
        };
        let mut check =
            Check { inspection: self, report, last_epoch: BatchEpoch(i32::MIN), scratch: Vec::new() };
        check.run()?;
        Ok(check.report)
    }
}

impl Check<'_> {
    fn run(&mut self) -> Result<(), DiskError> {
        let id = self.report.id;
        let files = self.inspection.segment_files(id)?;
        for name in &files.left_over {
            self.note(format!("{}: left over; the next start removes it", name.file_name(Suffix::Log)));
        }
        for (name, error) in &files.damaged {
            self.note(format!("{}: {error}; it can be made again", name.file_name(Suffix::Index)));
        }
        if let Some((first, _)) = files.live.first() {
            if first.base > self.report.log_start {
                self.problem(format!(
                    "the log starts at {}, but its first segment at {}",
                    self.report.log_start, first.base
                ));
            }
            self.report.end = first.base;
        }
        let mut held = Vec::new();
        let last = files.live.len().saturating_sub(1);
        for (place, (name, index)) in files.live.iter().enumerate() {
            if name.base != self.report.end {
                self.problem(format!(
                    "{}: starts at {}, but what is before it ends at {}",
                    name.file_name(Suffix::Log),
                    name.base,
                    self.report.end
                ));
            }
            let valid = self.segment(*name, index.as_ref(), place == last)?;
            held.push((*name, index.as_ref().map(|index| index.summary.replaces_from), valid));
            self.producers(*name)?;
        }
        self.durable(&held);
        Ok(())
    }

    /// Reads a segment; returns how many of its bytes are batches.
    fn segment(
        &mut self,
        name: SegmentName,
        index: Option<&IndexFile>,
        is_last: bool,
    ) -> Result<u64, DiskError> {
        let id = self.report.id;
        let file = name.file_name(Suffix::Log);
        let mut starts = Vec::new();
        let mut end = name.base;
        let walk = self.inspection.walk(id, name, &mut |batch| {
            self.batch(&file, batch.position, &batch.header, end, batch.body);
            starts.push((batch.position, batch.header.base_offset));
            end = end.max(batch.header.end());
            true
        })?;
        self.report.segments += 1;
        self.report.bytes += walk.valid_bytes;
        if let Some(none) = walk.ended {
            let text = format!(
                "{file}: {} bytes from {} on are no batch: {none}",
                walk.bytes - walk.valid_bytes,
                walk.valid_bytes
            );
            // Behind the last segment's batches may stand what was never acknowledged.
            if is_last && !self.inspection.clean { self.note(text) } else { self.problem(text) }
        }
        if let Some(index) = index {
            let name = name.file_name(Suffix::Index);
            if index.summary.bytes != walk.valid_bytes || index.summary.end < end {
                self.problem(format!(
                    "{name}: is of {} bytes up to offset {}, but the segment has {} up to {end}",
                    index.summary.bytes, index.summary.end, walk.valid_bytes
                ));
            }
            let base = index.summary.base;
            let strays = index.entries.iter().filter(|entry| {
                let named = (u64::from(entry.position), Offset(base.0 + i64::from(entry.offset)));
                starts.binary_search(&named).is_err()
            });
            let strays = strays.count();
            if strays > 0 {
                self.problem(format!("{name}: {strays} entries name no batch"));
            }
            end = end.max(index.summary.end);
        } else if !is_last && !self.inspection.clean {
            self.note(format!("{file}: has no index; it can be made again"));
        } else if !is_last {
            self.problem(format!("{file}: has no index"));
        }
        self.report.end = end;
        Ok(walk.valid_bytes)
    }

    fn batch(&mut self, file: &str, position: u64, header: &BatchHeader, end: Offset, body: &[u8]) {
        self.report.batches += 1;
        if header.base_offset < end {
            self.problem(format!(
                "{file}: the batch at {position} starts at offset {}, but offsets up to {end} were given before",
                header.base_offset
            ));
        }
        if header.epoch < self.last_epoch {
            self.problem(format!(
                "{file}: the batch at {position} has epoch {}, less than before",
                header.epoch
            ));
        }
        self.last_epoch = header.epoch;
        match decode(header, body, UNPACKED_BYTES_MAX, &mut self.scratch) {
            Ok(records) => {
                let (mut sound, mut count) = (true, 0);
                for record in records {
                    sound &= record.is_ok();
                    count += u64::from(record.is_ok());
                }
                self.report.records += count;
                self.report.odd_batches += u64::from(!sound);
            }
            Err(_packed_badly) => self.report.odd_batches += 1,
        }
    }

    fn producers(&mut self, name: SegmentName) -> Result<(), DiskError> {
        let name = SegmentName { generation: 0, ..name };
        let path = self.inspection.layout.segment(self.report.id, name, Suffix::Producers);
        let bytes = match self.inspection.disk.read(&path, SMALL_FILE_BYTES_MAX) {
            Err(error) if error.is_not_found() => return Ok(()),
            read => read?,
        };
        match ProducersFile::decode(&bytes) {
            Ok(file) if file.end == name.base => {}
            Ok(file) => self.problem(format!(
                "{}: is of offset {}, not of its segment's start",
                name.file_name(Suffix::Producers),
                file.end
            )),
            Err(error) => {
                self.note(format!("{}: {error}; it can be made again", name.file_name(Suffix::Producers)));
            }
        }
        Ok(())
    }

    /// Everything that was durable by the segments alone must be there; the write-ahead log puts back the rest.
    fn durable(&mut self, held: &[(SegmentName, Option<Offset>, u64)]) {
        let known = self.inspection.known(self.report.id);
        if let Some(end) = self.inspection.clean_end(self.report.id)
            && end != self.report.end
        {
            self.problem(format!(
                "the log ended at {end} when the node stopped, and ends at {}",
                self.report.end
            ));
        }
        if let Some(mark) = known.mark
            && mark.position > 0
            && !self.inspection.clean
        {
            let there = held.iter().any(|(name, replaces_from, valid)| {
                let stands_for = name.generation > mark.segment.generation
                    && replaces_from.is_some_and(|from| from <= mark.segment.base)
                    && name.base <= mark.segment.base;
                (*name == mark.segment && *valid >= mark.position) || stands_for
            });
            let below_start = held.first().is_none_or(|(first, _, _)| first.base > mark.segment.base)
                && mark.segment.base < self.report.log_start;
            if !there && !below_start {
                self.problem(format!(
                    "{}: was durable up to byte {}, which is damaged or gone",
                    mark.segment.file_name(Suffix::Log),
                    mark.position
                ));
            }
        }
        if let Some((name, position)) = known.replayed_to {
            let there = held.iter().find(|(held, _, _)| *held == name).map_or(0, |(_, _, valid)| *valid);
            if there < position {
                self.note(format!(
                    "{}: the write-ahead log holds bytes {there} to {position}, which the next start puts back",
                    name.file_name(Suffix::Log)
                ));
            }
        }
    }

    fn note(&mut self, text: String) {
        self.report.notes.push(text);
    }

    fn problem(&mut self, text: String) {
        self.report.problems.push(text);
    }
}
