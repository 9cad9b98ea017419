//! `Start`: where to read a partition from.

use aquifer_types::{Offset, TimestampMs};

use crate::offsets::OffsetAt;

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Earliest,
    Latest,
    Offset(Offset),
    /// So many offsets before the end, and no earlier than the start.
    BeforeEnd(i64),
    /// The first record of that time or later; the end if there is none.
    Time(TimestampMs),
}

impl Start {
    /// What brokers must be asked for it; nothing for a number.
    pub(crate) fn question(self) -> Option<OffsetAt> {
        match self {
            Start::Earliest => Some(OffsetAt::Start),
            Start::Latest | Start::BeforeEnd(_) => Some(OffsetAt::End),
            Start::Time(time) => Some(OffsetAt::Time(time)),
            Start::Offset(_) => None,
        }
    }

    /// The offset it comes to, given the broker's answer; where another answer is needed, for what to ask next.
    pub(crate) fn resolve(self, answer: Option<Offset>) -> Result<Offset, Start> {
        match (self, answer) {
            (Start::Offset(offset), _) | (Start::Earliest | Start::Latest, Some(offset)) => Ok(offset),
            (Start::Time(_), Some(offset)) => Ok(offset),
            (Start::Time(_), None) => Err(Start::Latest),
            // Reading below the start would be out of range, which the broker says and the start then answers.
            (Start::BeforeEnd(count), Some(end)) => Ok(Offset((end.0 - count).max(0))),
            (start, None) => Err(start),
        }
    }
}
