//! What of a log can be uploaded, and what the tier has of it.

use aquifer_hotlog::{Command, Located};
use aquifer_partition::{Input, Role};
use aquifer_record::ProducerState;
use aquifer_types::{BatchEpoch, LeaderEpoch, Offset, TimestampMs};

use crate::replica::{Outcomes, Replica, State};

/// A stretch of the log that does not change any more, from where the tier ends.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Of files that follow each other, with where each ends; the last one may be longer than one object.
    pub files: Vec<(Located, Offset)>,
    /// That these take, or a little more.
    pub bytes: u64,
    /// From here on; cleaning may have taken the first batches.
    pub from: Offset,
    pub leader_epoch: LeaderEpoch,
    /// Leader epochs with their first offsets, as far as this log knows them.
    pub epochs: Vec<(BatchEpoch, Offset)>,
    /// Bytes of the log, from here on, that are not in the tier.
    pub behind_bytes: u64,
}

/// Which files are uploaded as one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinLimits {
    /// Of several files together.
    pub bytes_max: u64,
    /// Nothing is uploaded before the first of them has waited since then; what comes with it need not.
    pub appended_by: TimestampMs,
}

/// The closed files of a log, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TieredFiles {
    pub files: Vec<TieredFile>,
    /// Whether what is in them is cleaned, and is to be in the tier as it is here.
    pub is_compacted: bool,
}

/// The offsets that a closed file stands for, and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TieredFile {
    pub base: Offset,
    pub end: Offset,
    pub bytes: u64,
}

impl Replica {
    /// The quorum says what can be read from the tier.
    pub fn set_tier(&self, start: Offset, end: Offset) {
        let mut outcomes = Outcomes::default();
        let follows = {
            let mut state = self.state();
            self.apply(&mut state, Input::Tiered { start, end }, &mut outcomes);
            // What the quorum gave up goes from our disk too.
            let local_start = state.marks().local_start();
            !state.dropped && self.start_at(&mut state, local_start) > 0
        };
        self.finish(outcomes);
        if follows {
            self.directory.nudge();
        }
    }

    /// The sole replica of a log whose tier ends beyond it goes on there: our disk lost the rest, or it was restored and
    /// never had it. `producers` are those that the tier knew at its end.
    pub fn begin_at(&self, tier_end: Offset, producers: Vec<ProducerState>) {
        let begins = {
            let mut state = self.state();
            let begins =
                *state.core.role() == Role::Unassigned && !state.dropped && state.log.end() < tier_end;
            if begins {
                let log_end = state.log.end().0;
                if state.log.bytes() == 0 {
                    tracing::debug!(partition = %self.id, log_end, tier_end = tier_end.0, "the log begins where its tier ends");
                } else {
                    tracing::warn!(
                        partition = %self.id, log_end, tier_end = tier_end.0,
                        "the log on this disk ends before its tier does: it goes on there"
                    );
                }
                let dropped = state.log.begin_at(tier_end);
                state.core.begin_at(tier_end);
                state.core.restore_producers(producers);
                self.directory.enqueue(Command::Start {
                    log: self.handle.clone(),
                    log_start: tier_end,
                    dropped,
                });
            }
            begins
        };
        if begins {
            self.directory.nudge();
        }
    }

    /// Whether its topic is to be in the tier.
    #[must_use]
    pub fn is_tiered(&self) -> bool {
        self.state().config.local.is_some()
    }

    /// Bytes of the segments that reach beyond an offset.
    #[must_use]
    pub fn bytes_from(&self, offset: Offset) -> u64 {
        let state = self.state();
        let beyond = state.log.segments().iter().filter(|segment| segment.summary.end > offset);
        beyond.map(|segment| segment.summary.bytes).sum()
    }

    /// What is to be uploaded next, of a tier that ends at `tier_end`: closed, committed, and on our disk for good.
    #[must_use]
    pub fn sealed_from(&self, tier_end: Offset, limits: JoinLimits) -> Option<Sealed> {
        let state = self.state();
        let leader_epoch = state.core.role().leads_in()?;
        if state.config.local.is_none() || state.dropped {
            return None;
        }
        let (files, bytes) = state.sealed_within(tier_end, state.safe(), limits)?;
        let segments = state.log.segments().iter();
        let behind_bytes = segments
            .filter(|segment| segment.summary.end > tier_end)
            .map(|segment| segment.summary.bytes)
            .sum();
        // Where the log goes on without a gap, so does the tier.
        let from = tier_end.max(state.log.log_start());
        Some(Sealed { files, bytes, from, leader_epoch, epochs: state.epochs(), behind_bytes })
    }

    /// The closed files of a tiered log, as far as they are in the tier or could be. None of a log that another broker leads.
    #[must_use]
    pub fn tiered_files(&self) -> Option<TieredFiles> {
        let state = self.state();
        let is_tiered = state.config.local.is_some() && !state.dropped;
        state.core.role().leads_in().filter(|_| is_tiered)?;
        let files = state.log.sealed_below(state.safe()).map(|segment| {
            let summary = &segment.summary;
            TieredFile { base: summary.base, end: summary.end, bytes: summary.bytes }
        });
        Some(TieredFiles { files: files.collect(), is_compacted: state.config.compaction.is_some() })
    }

    /// What our disk has of offsets that are in the tier already, from the first file on that holds any.
    #[must_use]
    pub fn sealed_between(&self, from: Offset, upto: Offset, limits: JoinLimits) -> Option<Sealed> {
        let state = self.state();
        let leader_epoch = state.core.role().leads_in().filter(|_| !state.dropped)?;
        let (files, bytes) = state.sealed_within(from, upto.min(state.safe()), limits)?;
        Some(Sealed { files, bytes, from, leader_epoch, epochs: state.epochs(), behind_bytes: 0 })
    }

    /// What a page-cache topic wrote is flushed before it is uploaded: has closed segments synced that are not yet.
    pub fn sync_closed(&self) {
        let state = self.state();
        if !state.may_close() {
            return;
        }
        let marks = state.marks();
        let closed = state.log.sealed_below(marks.high_watermark()).last().map(|segment| segment.summary.end);
        if let Some(upto) = closed.filter(|upto| *upto > marks.flushed()) {
            self.sync_all(&state, upto);
            drop(state);
            self.directory.nudge();
        }
    }

    /// Whether the newest closed segment is not wholly on our disk yet, so that it cannot be uploaded.
    #[must_use]
    pub fn is_sealing(&self) -> bool {
        let state = self.state();
        !state.dropped && state.log.is_sealing()
    }

    /// Closes the segment that takes appends if its oldest record came so long ago and it has no more bytes, so that it can
    /// be uploaded.
    pub fn close_older(&self, now: TimestampMs, age_ms: i64, bytes_max: u64) -> bool {
        let closed = {
            let mut state = self.state();
            let is_old = |(age, bytes)| age >= age_ms && bytes <= bytes_max;
            let closes = state.may_close() && state.active(now).is_some_and(is_old);
            if closes {
                self.roll(&mut state);
            }
            closes
        };
        if closed {
            self.directory.nudge();
        }
        closed
    }
}

impl State {
    /// Below this nothing is taken back, and our disk has it for good.
    fn safe(&self) -> Offset {
        self.marks().high_watermark().min(self.marks().flushed())
    }

    /// Of the closed files below `upto` the first one that reaches beyond an offset, from there on, and those that follow it
    /// and fit in with it.
    fn sealed_within(
        &self,
        from: Offset,
        upto: Offset,
        limits: JoinLimits,
    ) -> Option<(Vec<(Located, Offset)>, u64)> {
        let mut bytes = 0;
        let mut files = Vec::new();
        for segment in self.log.sealed_below(upto).filter(|segment| segment.summary.end > from) {
            let summary = &segment.summary;
            let joined = bytes + summary.bytes;
            let is_first = files.is_empty();
            if is_first && summary.last_append > limits.appended_by || !is_first && joined > limits.bytes_max
            {
                break;
            }
            bytes = joined;
            let from = from.max(summary.base).max(self.log.log_start());
            files.push((self.log.locate(from, summary.end)?, summary.end));
        }
        (!files.is_empty()).then_some((files, bytes))
    }

    fn epochs(&self) -> Vec<(BatchEpoch, Offset)> {
        self.log.segments().iter().flat_map(|segment| segment.epochs().to_vec()).collect()
    }

    fn may_close(&self) -> bool {
        let leads = matches!(self.core.role(), Role::Leader(_));
        leads && self.config.local.is_some() && !self.dropped
    }

    /// How long ago the segment that takes appends got its first record, and its bytes; none while it is empty.
    fn active(&self, now: TimestampMs) -> Option<(i64, u64)> {
        let active = self.log.segments().back()?;
        let age = now.0.saturating_sub(active.summary.first_append.0);
        (!active.is_empty()).then_some((age, active.summary.bytes))
    }
}
