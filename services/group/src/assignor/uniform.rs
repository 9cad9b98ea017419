//! The uniform assignor: everyone keeps what it may, the rest goes to who has least, and only imbalance moves anything.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use aquifer_types::TopicId;

use super::Candidate;
use crate::input::Topics;
use crate::names::MemberId;
use crate::record::Partitions;

struct Balance<'a> {
    candidates: Vec<&'a Candidate>,
    /// Who subscribes to a topic, by place in `candidates`.
    subscribers: BTreeMap<TopicId, Rc<[usize]>>,
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
    let mut balance = Balance {
        subscribers: subscribers(&candidates, sizes),
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

/// Most members of a group read the same topics: those topics share one list.
fn subscribers(candidates: &[&Candidate], sizes: &BTreeMap<TopicId, i32>) -> BTreeMap<TopicId, Rc<[usize]>> {
    let mut alike: Vec<(&BTreeSet<TopicId>, Vec<usize>)> = Vec::new();
    for (at, candidate) in candidates.iter().enumerate() {
        match alike.iter_mut().find(|(topics, _)| **topics == candidate.topics) {
            Some((_, places)) => places.push(at),
            None => alike.push((&candidate.topics, vec![at])),
        }
    }
    let alike: Vec<(&BTreeSet<TopicId>, Rc<[usize]>)> =
        alike.into_iter().map(|(topics, places)| (topics, places.into())).collect();
    let of_topic = |topic: &TopicId| {
        let readers: Vec<&Rc<[usize]>> =
            alike.iter().filter(|(topics, _)| topics.contains(topic)).map(|(_, places)| places).collect();
        if let [one] = readers[..] {
            return one.clone();
        }
        let mut places: Vec<usize> = readers.into_iter().flat_map(|places| places.iter().copied()).collect();
        places.sort_unstable();
        places.into()
    };
    sizes.keys().map(|topic| (*topic, of_topic(topic))).collect()
}

impl Balance<'_> {
    /// Lets everyone keep what it had and may still have; returns what nobody has, rarest subscribers first.
    fn keep(&mut self, sizes: &BTreeMap<TopicId, i32>) -> Vec<(TopicId, i32)> {
        let mut is_free: BTreeMap<TopicId, Vec<bool>> = sizes
            .iter()
            .map(|(topic, size)| (*topic, vec![true; usize::try_from(*size).unwrap_or(0)]))
            .collect();
        for at in 0..self.candidates.len() {
            let candidate = self.candidates[at];
            for (topic, partitions) in &candidate.held {
                let Some(is_free) = is_free.get_mut(topic).filter(|_| candidate.topics.contains(topic))
                else {
                    continue;
                };
                for partition in partitions {
                    let place = usize::try_from(*partition).ok().and_then(|place| is_free.get_mut(place));
                    if place.is_some_and(std::mem::take) {
                        self.give(at, *topic, *partition);
                    }
                }
            }
        }
        let free = is_free.into_iter().flat_map(|(topic, is_free)| {
            let of_topic = (0..).zip(is_free).filter(|(_, is_free)| *is_free);
            of_topic.map(move |(partition, _)| (topic, partition))
        });
        let mut free: Vec<(TopicId, i32)> = free.collect();
        free.sort_by_key(|(topic, partition)| (self.subscribers[topic].len(), *topic, *partition));
        free
    }

    fn place(&mut self, free: Vec<(TopicId, i32)>) {
        for (topic, partition) in free {
            let racks = self.racks(topic, partition);
            let least = self.subscribers[&topic]
                .iter()
                .copied()
                .min_by_key(|at| (self.loads[*at], !self.is_near(*at, &racks), *at));
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
        if !self.racks_matter {
            return partitions.last().copied();
        }
        let gain = |partition: i32| {
            let racks = self.racks(topic, partition);
            i32::from(self.is_near(to, &racks)) - i32::from(self.is_near(from, &racks))
        };
        partitions.iter().copied().max_by_key(|partition| (gain(*partition), *partition))
    }

    /// Where the partition's replicas are, if anyone cares.
    fn racks(&self, topic: TopicId, partition: i32) -> Vec<Arc<str>> {
        let mut racks = Vec::new();
        if self.racks_matter {
            self.topics.racks(topic, partition, &mut racks);
        }
        racks
    }

    fn is_near(&self, at: usize, racks: &[Arc<str>]) -> bool {
        self.candidates[at].rack.as_ref().is_some_and(|rack| racks.contains(rack))
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
