//! Upkeep: retention by time and bytes, deletion of records, forgetting of producers.

use aquifer_hotlog::Command;
use aquifer_hotlog::format::SegmentSummary;
use aquifer_partition::Input;
use aquifer_types::{LeaderEpoch, Offset, TimestampMs};
use tokio::sync::oneshot;

use crate::fetch::FetchRefusal;
use crate::replica::{Outcomes, Replica, State};

/// What an upkeep round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    pub segments_dropped: usize,
    /// The segment that takes appends was closed for its age.
    pub rolled: bool,
}

impl Replica {
    /// Forgets old producers and gives up segments that the topic's retention no longer keeps. `now` must not jump
    /// ahead of real time: what retention takes does not come back.
    pub fn keep(&self, now: TimestampMs) -> Upkeep {
        let mut outcomes = Outcomes::default();
        let mut upkeep = Upkeep::default();
        {
            let mut state = self.state();
            self.apply(&mut state, Input::Tick, &mut outcomes);
            if state.active_is_overdue(now) {
                self.roll(&mut state);
                upkeep.rolled = true;
            }
            let keeps = state.config.deletes || state.config.local.is_some();
            if keeps && !state.dropped && state.core.role().leads_in().is_some() {
                if state.config.deletes && state.active_has_expired(now) {
                    self.roll(&mut state);
                    upkeep.rolled = true;
                }
                let keep_from = state.retained_from(now).max(state.kept_locally_from(now));
                upkeep.segments_dropped = self.start_at(&mut state, keep_from);
            }
        }
        self.finish(outcomes);
        if upkeep.segments_dropped > 0 {
            tracing::info!(partition = %self.id, segments = upkeep.segments_dropped, "retention");
        }
        if upkeep.segments_dropped > 0 || upkeep.rolled {
            self.directory.nudge();
        }
        upkeep
    }

    /// Gives up all records below `upto`, or below the high watermark. The receiver is told the log's start once it
    /// is durable.
    pub fn delete_records(
        &self,
        upto: Option<Offset>,
        expected: Option<LeaderEpoch>,
    ) -> Result<oneshot::Receiver<Offset>, FetchRefusal> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.state();
            state.leads(expected)?;
            let marks = *state.marks();
            let upto = upto.unwrap_or(marks.high_watermark());
            if upto < Offset::ZERO || upto > marks.high_watermark() {
                return Err(FetchRefusal::OutOfRange {
                    log_start: marks.log_start(),
                    high_watermark: marks.high_watermark(),
                });
            }
            if upto <= marks.log_start() {
                let _ = sender.send(marks.log_start());
                return Ok(receiver);
            }
            state.starts.push((upto, sender));
            // What only the tier has is unlinked there.
            if upto > marks.local_start() {
                self.start_at(&mut state, upto);
            }
        }
        self.directory.nudge();
        Ok(receiver)
    }

    pub(crate) fn start_at(&self, state: &mut State, log_start: Offset) -> usize {
        if log_start <= state.log.log_start() {
            return 0;
        }
        let dropped = state.log.start_at(log_start);
        let count = dropped.len();
        self.directory.enqueue(Command::Start { log: self.handle.clone(), log_start, dropped });
        count
    }
}

impl State {
    /// The segment that takes appends holds only records that retention would take.
    fn active_has_expired(&self, now: TimestampMs) -> bool {
        let Some(active) = self.log.segments().back() else { return false };
        let visible = active.summary.end <= self.marks().high_watermark();
        visible && !active.is_empty() && self.has_expired(&active.summary, now)
    }

    /// Where the log would start if retention had its way. What is also in the tier is deleted there first.
    fn retained_from(&self, now: TimestampMs) -> Offset {
        let mut from = self.log.log_start();
        if !self.config.deletes || self.config.local.is_some() || self.marks().log_start() < from {
            return from;
        }
        let mut excess = match self.config.retention_bytes {
            Some(most) => self.log.bytes().saturating_sub(most),
            None => 0,
        };
        let segments = self.log.segments();
        for segment in segments.iter().take(segments.len() - 1) {
            let summary = &segment.summary;
            let too_many = excess >= summary.bytes && excess > 0;
            let visible = summary.end <= self.marks().high_watermark();
            if !visible || !(too_many || self.has_expired(summary, now)) {
                break;
            }
            excess = excess.saturating_sub(summary.bytes);
            from = from.max(summary.end);
        }
        from
    }

    /// Where our disk's part would start if local retention had its way: never beyond what the tier holds. Keeps I6.
    fn kept_locally_from(&self, now: TimestampMs) -> Offset {
        let mut from = self.log.log_start();
        let Some(local) = self.config.local else { return from };
        let mut excess = local.bytes.map_or(0, |most| self.log.bytes().saturating_sub(most));
        let segments = self.log.segments();
        for segment in segments.iter().take(segments.len() - 1) {
            let summary = &segment.summary;
            let too_many = excess >= summary.bytes && excess > 0;
            let too_old = local.ms.is_some_and(|most| age(summary, now) > most);
            if summary.end > self.marks().tier_end() || !(too_many || too_old) {
                break;
            }
            excess = excess.saturating_sub(summary.bytes);
            from = from.max(summary.end);
        }
        from
    }

    fn has_expired(&self, summary: &SegmentSummary, now: TimestampMs) -> bool {
        self.config.retention_ms.is_some_and(|retention_ms| age(summary, now) > retention_ms)
    }
}

/// How old the newest record is: its own timestamp counts, but not one that lies after the moment we took it.
fn age(summary: &SegmentSummary, now: TimestampMs) -> i64 {
    let newest = if summary.max_timestamp == TimestampMs::NONE {
        summary.last_append
    } else {
        summary.max_timestamp.min(summary.last_append)
    };
    now.0.saturating_sub(newest.0)
}
