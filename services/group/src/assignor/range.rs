//! The range assignor: each topic is cut into runs of neighbours, one for each subscriber.

use std::collections::BTreeMap;

use aquifer_types::TopicId;

use super::Candidate;
use crate::names::MemberId;
use crate::record::Partitions;

pub(super) fn assign(
    members: &BTreeMap<MemberId, Candidate>,
    sizes: &BTreeMap<TopicId, i32>,
) -> BTreeMap<MemberId, Partitions> {
    let mut assignment: BTreeMap<MemberId, Partitions> =
        members.keys().map(|id| (id.clone(), Partitions::new())).collect();
    for (topic, size) in sizes {
        let mut subscribers: Vec<(&MemberId, &Candidate)> =
            members.iter().filter(|(_, candidate)| candidate.topics.contains(topic)).collect();
        // Static members first and by instance, so that one that comes back has the place it had.
        subscribers
            .sort_by_key(|(id, candidate)| (candidate.instance.is_none(), candidate.instance.clone(), *id));
        let count = i32::try_from(subscribers.len()).unwrap_or(i32::MAX);
        let mut next = 0;
        for (at, (id, _)) in (0..).zip(subscribers) {
            let share = size / count + i32::from(at < size % count);
            if share > 0
                && let Some(partitions) = assignment.get_mut(id)
            {
                partitions.insert(*topic, (next..next + share).collect());
            }
            next += share;
        }
    }
    assignment
}
