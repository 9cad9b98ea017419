//! Who is silent too long, and who holds what others wait for; patterns that have been resolved.

use std::collections::BTreeSet;
use std::sync::Arc;

use aquifer_types::TopicName;

use super::group::ConsumerGroup;
use crate::names::MemberId;
use crate::record::{GroupRecord, PatternValue};
use crate::turn::Turn;

impl ConsumerGroup {
    pub(crate) fn tick(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.elapsed_ms;
        let late = self.members.iter().filter(|(_, member)| member.deadline() <= now);
        let late: Vec<MemberId> = late.map(|(id, _)| id.clone()).collect();
        self.remove(turn, &late);
        self.assign_if_due(turn);
        let deadlines = self.members.values().map(|member| member.deadline());
        turn.wake_by(deadlines.min().unwrap_or(u64::MAX));
    }

    /// A new coordinator gives everyone the whole of their time.
    pub(crate) fn rearm(&mut self, turn: &mut Turn<'_>) {
        let group_ms = turn.consumer(&self.id).session_timeout_ms;
        for member in self.members.values_mut() {
            member.session_ends = turn.in_timeout(member.session_ms(group_ms));
        }
        self.demand_yields(turn);
        turn.wake_by(self.assignment_due(turn));
    }

    /// Looks at the topics again, if any of these is read here or may match a pattern.
    pub(crate) fn topics_may_have_changed(&mut self, turn: &mut Turn<'_>, names: &BTreeSet<TopicName>) {
        let mut read = self.members.values().flat_map(|member| &member.said.topics);
        if !self.pattern_users.is_empty() || read.any(|topic| names.contains(&**topic)) {
            self.follow_topics(turn, false);
        }
    }

    /// Takes in which topics a pattern matches, if anyone still uses it.
    pub(crate) fn pattern_resolved(
        &mut self,
        turn: &mut Turn<'_>,
        pattern: &Arc<str>,
        mut topics: Vec<Arc<str>>,
        version: i64,
    ) {
        topics.truncate(turn.settings.limits.pattern_topics_max);
        let is_used = self.pattern_users.contains_key(pattern);
        let before = self.patterns.get(pattern);
        let is_late = self.resolving.get(pattern).is_some_and(|asked| *asked > version);
        if !is_used || is_late || before.is_some_and(|before| before.topics == topics) {
            return;
        }
        let value = PatternValue { topics, version, resolved_at: turn.now.wall };
        let (group, pattern) = (self.id.clone(), pattern.clone());
        self.write(turn, GroupRecord::Pattern { group, pattern, value: Some(value) });
        self.bump(turn);
    }
}
