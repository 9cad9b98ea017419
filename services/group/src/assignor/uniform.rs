//! The uniform assignor: everyone keeps what it may, the rest goes to who has least, and only imbalance moves anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use aquifer_types::TopicId;

use super::Candidate;
use crate::input::Topics;
use crate::names::MemberId;
use crate::record::Partitions;

struct Balance<'a> {
    candidates: Vec<&'a Candidate>,
    /// Who subscribes to a topic, by place in `candidates`.
    subscribers: BTreeMap<TopicId, Vec<usize>>,
    held: Vec<Partitions>,
    loads: Vec<usize>,
    topics: &'a dyn Topics,
    /// Whether any member said where it is.
    racks_matter: bool,
}

pub(super) fn assign(
    members: &BTreeMap<MemberId, Candidate>,
    sizes: &BTreeMap<TopicId, i32>,
    topics: &dyn Topics,
) -> BTreeMap<MemberId, Partitions> {
    let candidates: Vec<&Candidate> = members.values().collect();
    let subscribers = sizes.keys().map(|topic| {
        let places = (0..candidates.len()).filter(|at| candidates[*at].topics.contains(topic));
        (*topic, places.collect())
    });
    let mut balance = Balance {
        subscribers: subscribers.collect(),
        held: vec![Partitions::new(); candidates.len()],
        loads: vec![0; candidates.len()],
        topics,
        racks_matter: candidates.iter().any(|candidate| candidate.rack.is_some()),
        candidates,
    };
    let free = balance.keep(sizes);
    balance.place(free);
    balance.level();
    members.keys().cloned().zip(balance.held).collect()
}

impl Balance<'_> {
    /// Lets everyone keep what it had and may still have; returns what nobody has, rarest subscribers first.
    fn keep(&mut self, sizes: &BTreeMap<TopicId, i32>) -> Vec<(TopicId, i32)> {
        let mut free = Vec::new();
        for (topic, size) in sizes {
            let mut is_free = vec![true; usize::try_from(*size).unwrap_or(0)];
            for at in self.subscribers[topic].clone() {
                let candidate = self.candidates[at];
                for partition in candidate.held.get(topic).into_iter().flatten() {
                    let place = usize::try_from(*partition).ok().and_then(|place| is_free.get_mut(place));
                    if let Some(is_free) = place
                        && *is_free
                    {
                        *is_free = false;
                        self.give(at, *topic, *partition);
                    }
                }
            }
            free.extend((0..*size).zip(is_free).filter(|(_, is_free)| *is_free).map(|(at, _)| (*topic, at)));
        }
        free.sort_by_key(|(topic, partition)| (self.subscribers[topic].len(), *topic, *partition));
        free
    }

    fn place(&mut self, free: Vec<(TopicId, i32)>) {
        for (topic, partition) in free {
            let least = self.subscribers[&topic]
                .iter()
                .copied()
                .min_by_key(|at| (self.loads[*at], !self.is_near(*at, topic, partition), *at));
            if let Some(at) = least {
                self.give(at, topic, partition);
            }
        }
    }

    /// Moves partitions from who has most to who has least, as long as that evens things out.
    fn level(&mut self) {
        let mut donors: Vec<usize> = (0..self.candidates.len()).collect();
        loop {
            donors.sort_by_key(|at| std::cmp::Reverse(self.loads[*at]));
            let Some((from, to, topic)) = donors.iter().find_map(|from| self.best_move(*from)) else {
                return;
            };
            let Some(partition) = self.partition_to_move(from, to, topic) else { return };
            self.take(from, topic, partition);
            self.give(to, topic, partition);
        }
    }

    fn best_move(&self, from: usize) -> Option<(usize, usize, TopicId)> {
        let topics = self.held[from].keys();
        let moves = topics.filter_map(|topic| {
            let to = self.subscribers[topic].iter().copied().min_by_key(|at| (self.loads[*at], *at))?;
            (self.loads[to] + 1 < self.loads[from]).then_some((from, to, *topic))
        });
        moves.min_by_key(|(_, to, topic)| (self.loads[*to], *topic))
    }

    /// One that is nearer to the taker than to the giver, if there is one; else the last.
    fn partition_to_move(&self, from: usize, to: usize, topic: TopicId) -> Option<i32> {
        let partitions = self.held[from].get(&topic)?;
        let gain = |partition: i32| {
            i32::from(self.is_near(to, topic, partition)) - i32::from(self.is_near(from, topic, partition))
        };
        partitions.iter().copied().max_by_key(|partition| (gain(*partition), *partition))
    }

    fn is_near(&self, at: usize, topic: TopicId, partition: i32) -> bool {
        if !self.racks_matter {
            return true;
        }
        let Some(rack) = &self.candidates[at].rack else { return false };
        let mut racks: Vec<Arc<str>> = Vec::new();
        self.topics.racks(topic, partition, &mut racks);
        racks.contains(rack)
    }

    fn give(&mut self, at: usize, topic: TopicId, partition: i32) {
        let partitions = self.held[at].entry(topic).or_default();
        if let Err(place) = partitions.binary_search(&partition) {
            partitions.insert(place, partition);
            self.loads[at] += 1;
        }
    }

    fn take(&mut self, at: usize, topic: TopicId, partition: i32) {
        let Some(partitions) = self.held[at].get_mut(&topic) else { return };
        if let Ok(place) = partitions.binary_search(&partition) {
            partitions.remove(place);
            self.loads[at] -= 1;
        }
        if partitions.is_empty() {
            self.held[at].remove(&topic);
        }
    }
}
