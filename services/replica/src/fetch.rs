//! Reading: what the core lets a reader see, and where the log has it.

use std::sync::Arc;

use aquifer_hotlog::{Located, TimeLookup};
use aquifer_partition::{Isolation, Latest, Readable, Role, WrongEpoch};
use aquifer_types::{BatchEpoch, LeaderEpoch, Offset, TimestampMs};

use crate::replica::{Replica, State};
use crate::waiting::Waiter;

/// What a reader gets to see.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub high_watermark: Offset,
    pub last_stable_offset: Offset,
    pub log_start: Offset,
    /// Where the records are; `None` while there are none.
    pub located: Option<Located>,
    /// There are records, which only the tier still has, up to here.
    pub cold: Option<Offset>,
}

/// Why a question is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchRefusal {
    #[error("the offset is outside the log")]
    OutOfRange { log_start: Offset, high_watermark: Offset },
    #[error("the leader epoch is fenced")]
    FencedEpoch,
    #[error("the leader epoch is newer than this replica's")]
    UnknownEpoch,
    #[error("this replica does not lead the partition")]
    NotLeader,
    #[error("this replica is offline")]
    Offline,
    #[error("a new leader does not know yet how far the last one had committed")]
    NotYet,
}

/// Where an epoch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    pub epoch: BatchEpoch,
    pub end: Offset,
}

/// A question for an offset by time.
#[derive(Clone, Debug)]
pub struct TimeQuery {
    pub time: TimestampMs,
    /// Records from here on are not to be seen.
    pub upto: Offset,
    pub lookup: TimeLookup,
}

impl Replica {
    /// What a reader at `from` finds. With a waiter, whoever gets less than it wants is woken by the next news.
    pub fn read(
        &self,
        from: Offset,
        isolation: Isolation,
        expected: Option<LeaderEpoch>,
        waiter: Option<&Arc<Waiter>>,
    ) -> Result<Fetched, FetchRefusal> {
        let mut state = self.state();
        let mut cold = None;
        let upto = match state.core.readable(from, isolation, expected) {
            Readable::Read { upto } => Some(upto),
            Readable::Cold { upto } => {
                cold = Some(upto);
                None
            }
            Readable::Wait => None,
            Readable::OutOfRange => {
                let marks = state.marks();
                return Err(FetchRefusal::OutOfRange {
                    log_start: marks.log_start(),
                    high_watermark: marks.high_watermark(),
                });
            }
            Readable::WrongEpoch(wrong) => return Err(wrong.into()),
            Readable::NotLeader => return Err(FetchRefusal::NotLeader),
            Readable::Offline => return Err(FetchRefusal::Offline),
        };
        let located = upto.and_then(|upto| state.log.locate(from, upto));
        if let Some(waiter) = waiter {
            state.readers.add(waiter);
        }
        Ok(Fetched { cold, ..state.fetched(located) })
    }

    /// Where readers come to the end, and the epoch of the leader.
    pub fn latest(
        &self,
        isolation: Isolation,
        expected: Option<LeaderEpoch>,
    ) -> Result<(Offset, LeaderEpoch), FetchRefusal> {
        let state = self.state();
        let end = match state.core.latest(isolation, expected) {
            Latest::End(end) => end,
            Latest::NotYet => return Err(FetchRefusal::NotYet),
            Latest::WrongEpoch(wrong) => return Err(wrong.into()),
            Latest::NotLeader => return Err(FetchRefusal::NotLeader),
            Latest::Offline => return Err(FetchRefusal::Offline),
        };
        let epoch = state.core.role().leads_in().ok_or(FetchRefusal::NotLeader)?;
        Ok((end, epoch))
    }

    /// The first offset there is, and the epoch of the batch that holds it.
    pub fn earliest(
        &self,
        expected: Option<LeaderEpoch>,
    ) -> Result<(Offset, Option<BatchEpoch>), FetchRefusal> {
        let state = self.state();
        state.leads(expected)?;
        let start = state.marks().log_start();
        Ok((start, state.log.epochs().epoch_at(start)))
    }

    /// The epoch of the batch that holds `offset`.
    #[must_use]
    pub fn epoch_at(&self, offset: Offset) -> Option<BatchEpoch> {
        self.state().log.epochs().epoch_at(offset)
    }

    /// Where a leader's epoch ends; `None` for one that has not begun.
    pub fn end_of_epoch(
        &self,
        expected: Option<LeaderEpoch>,
        asked: LeaderEpoch,
    ) -> Result<Option<EpochEnd>, FetchRefusal> {
        let state = self.state();
        let current = state.leads(expected)?;
        let found = state.log.epochs().end_of(asked.into(), current.into(), state.marks().log_end());
        Ok(found.map(|(epoch, end)| EpochEnd { epoch, end }))
    }

    /// Where to look for the first record with this timestamp or a later one.
    pub fn at_time(
        &self,
        time: TimestampMs,
        isolation: Isolation,
        expected: Option<LeaderEpoch>,
    ) -> Result<TimeQuery, FetchRefusal> {
        let (upto, _) = self.latest(isolation, expected)?;
        let lookup = self.state().log.locate_time(time, upto);
        Ok(TimeQuery { time, upto, lookup })
    }

    /// Where to look for the record with the largest timestamp; `None` in a log without any.
    pub fn at_max_timestamp(
        &self,
        isolation: Isolation,
        expected: Option<LeaderEpoch>,
    ) -> Result<Option<TimeQuery>, FetchRefusal> {
        let (upto, _) = self.latest(isolation, expected)?;
        let state = self.state();
        let time = state.log.max_timestamp(upto);
        Ok(time.map(|time| TimeQuery { time, upto, lookup: state.log.locate_time(time, upto) }))
    }
}

impl State {
    fn fetched(&self, located: Option<Located>) -> Fetched {
        let marks = self.marks();
        Fetched {
            high_watermark: marks.high_watermark(),
            last_stable_offset: marks.last_stable_offset(),
            log_start: marks.log_start(),
            located,
            cold: None,
        }
    }

    /// The epoch this replica leads in, if it does and the asker knows no other.
    pub(crate) fn leads(&self, expected: Option<LeaderEpoch>) -> Result<LeaderEpoch, FetchRefusal> {
        if *self.core.role() == Role::Offline {
            return Err(FetchRefusal::Offline);
        }
        let current = self.core.role().leads_in().ok_or(FetchRefusal::NotLeader)?;
        match expected {
            Some(named) if named < current => Err(FetchRefusal::FencedEpoch),
            Some(named) if named > current => Err(FetchRefusal::UnknownEpoch),
            _ => Ok(current),
        }
    }
}

impl From<WrongEpoch> for FetchRefusal {
    fn from(wrong: WrongEpoch) -> FetchRefusal {
        match wrong {
            WrongEpoch::Fenced => FetchRefusal::FencedEpoch,
            WrongEpoch::Unknown => FetchRefusal::UnknownEpoch,
        }
    }
}
