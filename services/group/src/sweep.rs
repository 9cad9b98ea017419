//! `Sweeps`: walks over all groups that remove offsets or look at changed topics, a bounded number at a time.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Bound;

use aquifer_types::{TopicId, TopicName};

use crate::answer::Step;
use crate::input::{Now, Topics};
use crate::names::GroupId;
use crate::settings::Settings;
use crate::shard::{DependsOn, Shard};

/// How many groups one step looks at.
const GROUPS_PER_STEP: usize = 256;

/// After how many records of new targets, which may be large, a step ends.
const TARGETS_PER_STEP: usize = 64;

#[derive(Clone, Debug)]
pub(crate) struct Sweeps {
    next_expiry: u64,
    running: VecDeque<Sweep>,
}

#[derive(Clone, Debug)]
struct Sweep {
    task: Task,
    /// The last group that is done.
    after: Option<GroupId>,
}

#[derive(Clone, Debug)]
enum Task {
    /// Removes what has expired.
    Expire,
    /// Removes the offsets of these.
    Deleted(Vec<(TopicName, TopicId)>),
    /// Gives new targets where these are read.
    Changed(BTreeSet<TopicName>),
}

impl Sweeps {
    pub(crate) fn new(now: Now, settings: &Settings) -> Sweeps {
        Sweeps { next_expiry: now.elapsed_ms + settings.offsets_check_interval_ms, running: VecDeque::new() }
    }

    pub(crate) fn next_deadline(&self) -> u64 {
        if self.running.is_empty() { self.next_expiry } else { 0 }
    }

    pub(crate) fn topics_deleted(&mut self, topics: Vec<(TopicName, TopicId)>) {
        self.running.push_back(Sweep { task: Task::Deleted(topics), after: None });
    }

    pub(crate) fn topics_changed(&mut self, topics: Vec<TopicName>) {
        let topics = topics.into_iter().collect();
        self.running.push_back(Sweep { task: Task::Changed(topics), after: None });
    }
}

impl Shard {
    /// One step of the sweep that runs, or of the expiry that is due.
    pub(crate) fn sweep(&mut self, now: Now, topics: &dyn Topics) -> Step {
        if self.sweeps.next_expiry <= now.elapsed_ms {
            self.sweeps.next_expiry = now.elapsed_ms + self.settings.offsets_check_interval_ms.max(1);
            self.sweeps.running.push_back(Sweep { task: Task::Expire, after: None });
        }
        let mut whole = Step { base: self.next, ..Step::default() };
        let Some(mut sweep) = self.sweeps.running.pop_front() else { return whole };
        let from = sweep.after.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.groups.range((from, Bound::Unbounded));
        let ids: Vec<GroupId> = range.map(|(id, _)| id.clone()).take(GROUPS_PER_STEP).collect();
        let mut is_done = ids.len() < GROUPS_PER_STEP;
        let max = match sweep.task {
            Task::Changed(_) => TARGETS_PER_STEP,
            Task::Expire | Task::Deleted(_) => self.settings.limits.expiry_records_max,
        };
        for id in ids {
            let room = max.saturating_sub(whole.records.len());
            let task = &sweep.task;
            let step = self.with_group(now, topics, &id, DependsOn::State, |group, turn| match task {
                Task::Deleted(deleted) => {
                    let partitions = deleted.iter().flat_map(|(topic, topic_id)| {
                        let of_topic = group.offsets.of_topic(topic, *topic_id);
                        of_topic.into_iter().map(|partition| (topic.clone(), partition))
                    });
                    let gone: Vec<_> = partitions.take(room).collect();
                    group.offsets.remove_all(turn, &group.id, gone);
                }
                Task::Changed(names) => group.topics_may_have_changed(turn, names),
                Task::Expire => group.expire(turn, room),
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
