//! `Sweeps`: walks over all groups that remove offsets, a bounded number at a time.

use std::collections::VecDeque;
use std::ops::Bound;

use aquifer_types::{TopicId, TopicName};

use crate::answer::Step;
use crate::input::{Now, Topics};
use crate::names::GroupId;
use crate::settings::Settings;
use crate::shard::{DependsOn, Shard};

/// How many groups one step looks at.
const GROUPS_PER_STEP: usize = 256;

#[derive(Clone, Debug)]
pub(crate) struct Sweeps {
    next_expiry: u64,
    running: VecDeque<Sweep>,
}

#[derive(Clone, Debug)]
struct Sweep {
    /// The topics whose offsets go; `None` removes what has expired.
    deleted: Option<Vec<(TopicName, TopicId)>>,
    /// The last group that is done.
    after: Option<GroupId>,
}

impl Sweeps {
    pub(crate) fn new(now: Now, settings: &Settings) -> Sweeps {
        Sweeps { next_expiry: now.elapsed_ms + settings.offsets_check_interval_ms, running: VecDeque::new() }
    }

    pub(crate) fn next_deadline(&self) -> u64 {
        if self.running.is_empty() { self.next_expiry } else { 0 }
    }

    pub(crate) fn topics_deleted(&mut self, topics: Vec<(TopicName, TopicId)>) {
        self.running.push_back(Sweep { deleted: Some(topics), after: None });
    }
}

impl Shard {
    /// One step of the sweep that runs, or of the expiry that is due.
    pub(crate) fn sweep(&mut self, now: Now, topics: &dyn Topics) -> Step {
        if self.sweeps.next_expiry <= now.elapsed_ms {
            self.sweeps.next_expiry = now.elapsed_ms + self.settings.offsets_check_interval_ms.max(1);
            self.sweeps.running.push_back(Sweep { deleted: None, after: None });
        }
        let mut whole = Step { base: self.next, ..Step::default() };
        let Some(mut sweep) = self.sweeps.running.pop_front() else { return whole };
        let from = sweep.after.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.groups.range((from, Bound::Unbounded));
        let ids: Vec<GroupId> = range.map(|(id, _)| id.clone()).take(GROUPS_PER_STEP).collect();
        let mut is_done = ids.len() < GROUPS_PER_STEP;
        let max = self.settings.limits.expiry_records_max;
        for id in ids {
            let room = max.saturating_sub(whole.records.len());
            let deleted = sweep.deleted.as_deref();
            let step = self.with_group(now, topics, &id, DependsOn::State, |group, turn| match deleted {
                Some(deleted) => {
                    let partitions = deleted.iter().flat_map(|(topic, topic_id)| {
                        let of_topic = group.offsets.of_topic(topic, *topic_id);
                        of_topic.into_iter().map(|partition| (topic.clone(), partition))
                    });
                    let gone: Vec<_> = partitions.take(room).collect();
                    group.offsets.remove_all(turn, &group.id, gone);
                }
                None => group.expire(turn, room),
            });
            whole.records.extend(step.records);
            whole.patterns.extend(step.patterns);
            if whole.records.len() >= max {
                // There may be more of this group: the next step begins with it.
                is_done = false;
                break;
            }
            sweep.after = Some(id);
        }
        if !is_done {
            self.sweeps.running.push_front(sweep);
        }
        whole
    }
}
