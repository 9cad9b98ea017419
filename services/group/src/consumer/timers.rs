//! Who is silent too long, and who holds what others wait for; patterns that have been resolved.

use std::sync::Arc;

use super::group::ConsumerGroup;
use super::heartbeat::session_ms;
use crate::names::MemberId;
use crate::record::{GroupRecord, PatternValue};
use crate::turn::Turn;

impl ConsumerGroup {
    pub(crate) fn tick(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.elapsed_ms;
        let late = self
            .members
            .iter()
            .filter(|(_, member)| member.session_ends <= now || member.yield_by.is_some_and(|by| by <= now));
        let late: Vec<MemberId> = late.map(|(id, _)| id.clone()).collect();
        self.remove(turn, &late);
        let deadlines = self
            .members
            .values()
            .flat_map(|member| [member.session_ends, member.yield_by.unwrap_or(u64::MAX)]);
        turn.wake_by(deadlines.min().unwrap_or(u64::MAX));
    }

    /// A new coordinator gives everyone the whole of their time.
    pub(crate) fn rearm(&mut self, turn: &mut Turn<'_>) {
        for member in self.members.values_mut() {
            member.session_ends = turn.in_timeout(session_ms(turn, member));
        }
        self.demand_yields(turn);
    }

    /// Takes in which topics a pattern matches, if anyone still uses it.
    pub(crate) fn pattern_resolved(
        &mut self,
        turn: &mut Turn<'_>,
        pattern: &Arc<str>,
        topics: Vec<Arc<str>>,
        version: i64,
    ) {
        let is_used = self.members.values().any(|member| member.said.pattern.as_ref() == Some(pattern));
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
