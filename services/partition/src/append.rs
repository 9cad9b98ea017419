//! Appending: what a leader does with a client's batch. Keeps I3: an offset is given once.

use aquifer_record::{BatchHeader, TimestampType};
use aquifer_types::{LeaderEpoch, Offset, TimestampMs};

use crate::core::Core;
use crate::effect::{Effect, Refusal};
use crate::input::{Acks, Append};
use crate::pending::Pending;
use crate::producers::Verdict;
use crate::roles::Role;

impl Core {
    pub(crate) fn append(&mut self, now: TimestampMs, append: &Append, effects: &mut Vec<Effect>) {
        let ticket = append.ticket;
        let verdict = self.judge(append);
        let pending = match verdict {
            Err(refusal) => return effects.push(Effect::Refuse { ticket, refusal }),
            Ok(Judged::Duplicate(pending)) => pending,
            Ok(Judged::New { base, end, epoch }) => {
                self.marks.append(end);
                if append.batch.has_producer() {
                    let placed = BatchHeader { base_offset: base, ..append.batch };
                    self.producers.accept(&placed, now);
                }
                effects.push(Effect::Append { ticket, base, epoch: epoch.into() });
                let log_append_time = log_append_time(&append.batch, append.batch.max_timestamp);
                Pending { ticket, base, end, log_append_time, duplicate: false }
            }
        };
        match append.acks {
            Acks::None => {}
            Acks::Leader => self.pending.await_written(pending, &self.marks, effects),
            Acks::All => self.pending.await_committed(pending, &self.marks, effects),
        }
    }

    /// Takes back what was not written, and with it what producers seemed to have sent.
    pub(crate) fn write_failed(&mut self, from: Offset, effects: &mut Vec<Effect>) {
        self.marks.rewind(from);
        self.producers.rewind(from);
        self.pending.refuse_from(from, effects);
        self.durability_waits = self.durability_waits.map(|upto| upto.min(self.marks.log_end()));
        self.durability_reached(effects);
    }

    fn judge(&self, append: &Append) -> Result<Judged, Refusal> {
        let epoch = self.leading(append.expected_epoch)?;
        let Role::Leader(leader) = &self.role else { return Err(Refusal::NotLeader) };
        if append.acks == Acks::All && !leader.has_enough_in_sync() {
            let (in_sync, min) = (leader.in_sync_count(), leader.in_sync_min);
            return Err(Refusal::NotEnoughReplicas { in_sync, min });
        }
        let batch = &append.batch;
        if batch.attributes.is_transactional() {
            return Err(Refusal::Transactional);
        }
        let in_flight = self.pending.len().max(self.producers.unwritten());
        if in_flight >= self.settings.in_flight_max {
            return Err(Refusal::TooManyInFlight);
        }
        if batch.has_producer()
            && let Verdict::Duplicate(original) = self.producers.judge(batch, append.strict)?
        {
            return Ok(Judged::Duplicate(Pending {
                ticket: append.ticket,
                base: original.base,
                end: original.end,
                log_append_time: log_append_time(batch, original.timestamp),
                duplicate: true,
            }));
        }
        // After the duplicate: whoever repeats what succeeded meets its own batch, whatever came after it.
        if append.token.is_some() && append.token != self.fence {
            return Err(Refusal::AnotherToken { current: self.fence });
        }
        let log_end = self.marks.log_end();
        if let Some(expected) = append.expected_end.filter(|expected| *expected != log_end) {
            return Err(Refusal::UnexpectedEnd { expected, end: log_end });
        }
        let end = self.marks.end_after(batch.span()).ok_or(Refusal::OffsetsUsedUp)?;
        Ok(Judged::New { base: log_end, end, epoch })
    }

    /// The epoch this replica leads in, if it does and the client knows no other. Keeps I5.
    fn leading(&self, expected: Option<LeaderEpoch>) -> Result<LeaderEpoch, Refusal> {
        let current = match &self.role {
            Role::Leader(leader) => leader.epoch,
            Role::Follower(_) | Role::Unassigned => return Err(Refusal::NotLeader),
            Role::Offline => return Err(Refusal::Offline),
        };
        match expected {
            Some(named) if named < current => Err(Refusal::FencedEpoch { current, named }),
            Some(named) if named > current => Err(Refusal::UnknownEpoch { current, named }),
            _ => Ok(current),
        }
    }
}

/// What becomes of an append that is not refused.
enum Judged {
    New { base: Offset, end: Offset, epoch: LeaderEpoch },
    Duplicate(Pending),
}

fn log_append_time(batch: &BatchHeader, time: TimestampMs) -> TimestampMs {
    match batch.attributes.timestamp_type() {
        TimestampType::LogAppendTime => time,
        TimestampType::CreateTime => TimestampMs::NONE,
    }
}
