//! `Turn`: what one input has brought about so far.

use std::sync::Arc;

use crate::answer::{Answer, Reply, Resolve};
use crate::input::{Now, Ticket, Topics};
use crate::names::GroupId;
use crate::record::GroupRecord;
use crate::settings::{Intervals, Settings};

/// The surroundings of one input, and what it leads to.
pub(crate) struct Turn<'a> {
    pub(crate) now: Now,
    pub(crate) topics: &'a dyn Topics,
    pub(crate) settings: &'a Settings,
    pub(crate) records: Vec<GroupRecord>,
    pub(crate) replies: Vec<Reply>,
    pub(crate) patterns: Vec<Resolve>,
    /// Whether the group's members are as large as they were.
    pub(crate) keeps_members: bool,
    /// The earliest moment at which a group that was touched wants to be looked at.
    wake_at: u64,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(now: Now, topics: &'a dyn Topics, settings: &'a Settings) -> Turn<'a> {
        Turn {
            now,
            topics,
            settings,
            records: Vec::new(),
            replies: Vec::new(),
            patterns: Vec::new(),
            keeps_members: false,
            wake_at: u64::MAX,
        }
    }

    /// What holds for this group, being one of the consumer protocol.
    pub(crate) fn consumer(&self, group: &GroupId) -> Intervals {
        self.settings.consumer.intervals(self.topics.group(group))
    }

    pub(crate) fn reply(&mut self, ticket: Ticket, answer: Answer) {
        self.replies.push(Reply { ticket, answer });
    }

    /// Asks for the topics that a pattern matches.
    pub(crate) fn resolve(&mut self, group: GroupId, pattern: Arc<str>, version: i64) {
        self.patterns.push(Resolve { group, pattern, version });
    }

    /// The moment so many milliseconds from now, at which the group will be looked at.
    pub(crate) fn in_ms(&mut self, delay: u64) -> u64 {
        let at = self.now.elapsed_ms.saturating_add(delay);
        self.wake_by(at);
        at
    }

    /// The moment so many milliseconds from now, negative ones being none.
    pub(crate) fn in_timeout(&mut self, delay_ms: i32) -> u64 {
        self.in_ms(u64::try_from(delay_ms).unwrap_or(0))
    }

    pub(crate) fn wake_by(&mut self, at: u64) {
        self.wake_at = self.wake_at.min(at);
    }

    pub(crate) fn wake_at(&self) -> u64 {
        self.wake_at
    }
}
