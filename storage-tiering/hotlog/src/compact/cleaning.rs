//! `Cleaning`: one cleaning of one log, step by step. Steps may wait for the disk; no lock is held in any.

use std::collections::VecDeque;
use std::io;

use aquifer_disk::{DiskError, WriteError};
use aquifer_types::Offset;

use super::filter::{self, Filter, Kept, Tally};
use super::offset_map::OffsetMap;
use super::output::Output;
use super::plan::{CleaningPlan, groups};
use super::source::Source;
use crate::directory::CleaningPermit;
use crate::format::SegmentName;
use crate::log::Segment;

/// How much memory and how long a step a cleaning takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Keys whose latest offsets are held at a time, at about 30 bytes each; a log with more is cleaned in several turns.
    pub keys_max: usize,
    /// Read at a time.
    pub chunk_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { keys_max: 1_800_000, chunk_bytes: 1 << 20 }
    }
}

/// What a step came to.
#[derive(Debug)]
pub enum Step {
    /// There is more to do.
    More,
    /// A committed segment is to take its sources' place in the log, and `replaced` to be told of it.
    Replace(Replacement),
    Done,
    /// The directory closes, or the partition was deleted.
    Abandoned,
}

/// A committed segment, and those it stands for.
#[derive(Clone, Debug)]
pub struct Replacement {
    pub cleaned: Segment,
    pub sources: Vec<SegmentName>,
}

/// What a cleaning did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleaningReport {
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub segments_before: usize,
    pub segments_after: usize,
    pub tally: Tally,
}

/// A cleaning is given up; the log is as it was, or as the last replacement left it.
#[derive(Debug, thiserror::Error)]
pub enum CleaningError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("read segment: {0}")]
    Read(#[from] io::Error),
    #[error("write cleaned segment: {0}")]
    Write(#[from] WriteError),
    #[error("space on the disk is short: free {wanted_bytes} bytes beyond the reserve")]
    Full { wanted_bytes: u64 },
    #[error(
        "no sound batch stands at byte {position} of segment {segment}: restore the partition from a copy"
    )]
    Damaged { segment: Offset, position: u64 },
    #[error("segment {segment} would grow beyond 4 GiB: lower the topic's segment.bytes")]
    TooLarge { segment: Offset },
    /// The directory is offline: its cached pages cannot be trusted any more.
    #[error("the directory goes offline: {0}")]
    Sync(DiskError),
}

impl CleaningError {
    /// Space was short, or retention gave a segment up meanwhile: the next attempt may succeed.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            CleaningError::Disk(error) => error.is_full() || error.is_not_found(),
            CleaningError::Write(error) => error.is_full(),
            CleaningError::Full { .. } => true,
            _ => false,
        }
    }
}

/// A cleaning under way. Dropping it gives up what is not committed; drop it where waiting for the disk is allowed.
#[derive(Debug)]
pub struct Cleaning {
    plan: CleaningPlan,
    limits: Limits,
    latest: OffsetMap,
    /// Where the part of the log ends whose keys `latest` knows.
    known_upto: Offset,
    phase: Phase,
    /// Committed, but the log starts beyond all of it.
    unwanted: Option<Output>,
    buffer: Vec<u8>,
    unpacked: Vec<u8>,
    report: CleaningReport,
    /// Last, so that the sources are let go of before what nobody holds is removed.
    permit: CleaningPermit,
}

#[derive(Debug)]
enum Phase {
    /// Reading the dirty part for its keys.
    Learning { at: usize, source: Option<Source> },
    /// Copying what stays, group by group; a group is let go of once it is replaced.
    Copying { groups: VecDeque<Vec<Segment>>, copy: Option<Box<Copy>> },
}

/// One group being copied.
#[derive(Debug)]
struct Copy {
    output: Output,
    at: usize,
    source: Source,
    committed: bool,
}

impl Cleaning {
    /// Begins what was planned. `seed` keeps anybody from choosing keys that are taken for one another.
    #[must_use]
    pub fn new(permit: CleaningPermit, plan: CleaningPlan, limits: Limits, seed: [u64; 2]) -> Cleaning {
        let dirty = |segment: &Segment| segment.summary.end > plan.dirty_from;
        let at = plan.sources.iter().position(dirty).unwrap_or(plan.sources.len());
        let report = CleaningReport { segments_before: plan.sources.len(), ..CleaningReport::default() };
        Cleaning {
            permit,
            known_upto: plan.dirty_from,
            plan,
            limits,
            latest: OffsetMap::new(limits.keys_max, seed),
            phase: Phase::Learning { at, source: None },
            unwanted: None,
            buffer: Vec::new(),
            unpacked: Vec::new(),
            report,
        }
    }

    #[must_use]
    pub fn report(&self) -> CleaningReport {
        self.report
    }

    /// Does the next bounded piece of work.
    pub fn step(&mut self) -> Result<Step, CleaningError> {
        if self.permit.is_revoked() {
            return Ok(Step::Abandoned);
        }
        self.discard_unwanted();
        self.permit.directory().sweep();
        let stepped = match self.phase {
            Phase::Learning { .. } => self.learn(),
            Phase::Copying { .. } => self.copy(),
        };
        if let Err(CleaningError::Sync(error)) = &stepped {
            self.permit.directory().latch(error);
        }
        stepped
    }

    /// What `Log::replace` made of the last replacement.
    pub fn replaced(&mut self, outcome: Option<Vec<Segment>>) {
        let Phase::Copying { groups, copy } = &mut self.phase else { return };
        let Some(copy) = copy.take() else { return };
        groups.pop_front();
        match outcome {
            Some(sources) => {
                self.report.segments_after += 1;
                self.permit.directory().retire(sources.into_iter().map(|segment| segment.file));
            }
            None => self.unwanted = Some(copy.output),
        }
    }

    fn discard_unwanted(&mut self) {
        if let Some(output) = self.unwanted.take() {
            output.discard(self.permit.directory().files());
        }
    }

    fn learn(&mut self) -> Result<Step, CleaningError> {
        let Phase::Learning { at, source } = &mut self.phase else { return Ok(Step::Done) };
        let Some(segment) = self.plan.sources.get(*at) else {
            self.begin_copying();
            return Ok(Step::More);
        };
        let reading = match source {
            Some(reading) => reading,
            None => source.insert(Source::open(self.permit.directory().files(), segment)?),
        };
        let mut full = false;
        for batch in reading.next(self.limits.chunk_bytes, &mut self.buffer)? {
            self.report.bytes_read += batch.bytes.len() as u64;
            if batch.header.end() <= self.plan.dirty_from {
                continue;
            }
            let keys = filter::keys(&batch, &self.latest, &mut self.unpacked).unwrap_or_default();
            if !self.latest.take(&keys) {
                full = true;
                break;
            }
            self.known_upto = batch.header.end();
        }
        if full {
            self.begin_copying();
        } else if reading.is_read() {
            *at += 1;
            *source = None;
        }
        Ok(Step::More)
    }

    fn begin_copying(&mut self) {
        let known_upto = self.known_upto;
        let mut sources = std::mem::take(&mut self.plan.sources);
        sources.retain(|source| source.summary.base < known_upto);
        self.report.segments_before = sources.len();
        let groups = groups(sources, self.plan.policy.segment_bytes);
        self.phase = Phase::Copying { groups, copy: None };
    }

    fn copy(&mut self) -> Result<Step, CleaningError> {
        let Phase::Copying { groups, copy } = &mut self.phase else { return Ok(Step::Done) };
        let Some(sources) = groups.front() else { return Ok(Step::Done) };
        let directory = self.permit.directory();
        let files = directory.files();
        let copy = match copy {
            Some(copy) => copy,
            None => {
                let wanted_bytes = sources.iter().map(|source| source.summary.bytes).sum();
                if !directory.has_room_for(wanted_bytes)? {
                    return Err(CleaningError::Full { wanted_bytes });
                }
                let source = Source::open(files, &sources[0])?;
                let output = Output::create(files, sources)?;
                copy.insert(Box::new(Copy { output, at: 0, source, committed: false }))
            }
        };
        assert!(!copy.committed, "the log must be told of what was committed before cleaning goes on");
        let filter = Filter {
            latest: &self.latest,
            known_upto: self.known_upto,
            span_end: sources[sources.len() - 1].summary.end,
            now: self.plan.now,
            tombstone_retention_ms: self.plan.policy.tombstone_retention_ms,
            keeps_tombstones: self.plan.keeps_tombstones,
            last_batches: &self.plan.last_batches,
        };
        if !copy.source.is_read() {
            for batch in copy.source.next(self.limits.chunk_bytes, &mut self.buffer)? {
                self.report.bytes_read += batch.bytes.len() as u64;
                match filter.judge(&batch, &mut self.unpacked, &mut self.report.tally) {
                    Kept::Whole => copy.output.push(batch.bytes)?,
                    Kept::Rewritten(bytes) => copy.output.push(&bytes)?,
                    Kept::Nothing => {}
                }
            }
            self.report.bytes_written += copy.output.write()?;
            return Ok(Step::More);
        }
        copy.at += 1;
        if let Some(next) = sources.get(copy.at) {
            copy.source = Source::open(files, next)?;
            return Ok(Step::More);
        }
        let cleaned = copy.output.commit(files, sources, self.known_upto)?;
        copy.committed = true;
        Ok(Step::Replace(Replacement { cleaned, sources: sources.iter().map(Segment::name).collect() }))
    }
}

impl Drop for Cleaning {
    fn drop(&mut self) {
        self.discard_unwanted();
        if let Phase::Copying { copy: Some(copy), .. } = &self.phase
            && !copy.committed
        {
            copy.output.discard(self.permit.directory().files());
        }
    }
}
