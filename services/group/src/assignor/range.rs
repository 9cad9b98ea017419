//! The range assignor: of each topic every subscriber gets as many partitions as any other, or one more, and keeps what it
//! had; what is free is handed out in runs of neighbours. Topics of one size with the same subscribers are assigned
//! alike, so that records of one key meet at one member.

use std::collections::BTreeMap;

use aquifer_types::TopicId;

use super::Candidate;
use crate::names::MemberId;
use crate::record::Partitions;

/// A subscriber, and the partitions it has.
type Shares<'a> = Vec<(&'a MemberId, Vec<i32>)>;

pub(super) fn assign(
    members: &BTreeMap<MemberId, Candidate>,
    sizes: &BTreeMap<TopicId, i32>,
) -> BTreeMap<MemberId, Partitions> {
    let mut assignment: BTreeMap<MemberId, Partitions> =
        members.keys().map(|id| (id.clone(), Partitions::new())).collect();
    // Static members first and by instance, so that one that comes back has the place it had.
    let mut ordered: Vec<(&MemberId, &Candidate)> = members.iter().collect();
    ordered.sort_by_key(|(id, candidate)| (candidate.instance.is_none(), candidate.instance.clone(), *id));

    let mut alike: BTreeMap<(i32, Vec<&MemberId>), Vec<TopicId>> = BTreeMap::new();
    for (topic, size) in sizes {
        let subscribers = ordered.iter().filter(|(_, candidate)| candidate.topics.contains(topic));
        let subscribers: Vec<&MemberId> = subscribers.map(|(id, _)| *id).collect();
        if !subscribers.is_empty() {
            alike.entry((*size, subscribers)).or_default().push(*topic);
        }
    }
    for ((size, subscribers), topics) in alike {
        let held = |topic: &TopicId| held(members, &subscribers, *topic, size);
        // The one of which most is held says what all of them look like.
        let most = topics
            .iter()
            .map(held)
            .max_by_key(|shares| shares.iter().map(|(_, partitions)| partitions.len()).sum::<usize>());
        for (id, partitions) in even_out(most.unwrap_or_default(), size) {
            let Some(of_member) = assignment.get_mut(id).filter(|_| !partitions.is_empty()) else { continue };
            of_member.extend(topics.iter().map(|topic| (*topic, partitions.clone())));
        }
    }
    assignment
}

/// What each subscriber has of the topic; a partition that several claim is the first one's.
fn held<'a>(
    members: &BTreeMap<MemberId, Candidate>,
    subscribers: &[&'a MemberId],
    topic: TopicId,
    size: i32,
) -> Shares<'a> {
    let mut is_free = vec![true; usize::try_from(size).unwrap_or(0)];
    let shares = subscribers.iter().map(|id| {
        let claimed = members.get(*id).and_then(|candidate| candidate.held.get(&topic)).into_iter().flatten();
        let held = claimed.copied().filter(|partition| {
            let place = usize::try_from(*partition).ok().and_then(|place| is_free.get_mut(place));
            place.is_some_and(std::mem::take)
        });
        (*id, held.collect())
    });
    shares.collect()
}

/// Cuts everyone down to its share, the first of those with more being left one more, and hands out what is free.
fn even_out(mut shares: Shares<'_>, size: i32) -> Shares<'_> {
    let size = usize::try_from(size).unwrap_or(0);
    let quota = size / shares.len().max(1);
    let mut larger = size % shares.len().max(1);
    let mut rooms = vec![quota; shares.len()];
    for ((_, partitions), room) in shares.iter().zip(&mut rooms) {
        if partitions.len() > quota && larger > 0 {
            larger -= 1;
            *room += 1;
        }
    }
    for room in rooms.iter_mut().filter(|room| **room == quota) {
        if larger > 0 {
            larger -= 1;
            *room += 1;
        }
    }
    let mut is_free = vec![true; size];
    for ((_, partitions), room) in shares.iter_mut().zip(&rooms) {
        partitions.truncate(*room);
        for partition in partitions {
            if let Some(is_free) = usize::try_from(*partition).ok().and_then(|place| is_free.get_mut(place)) {
                *is_free = false;
            }
        }
    }
    let mut free = (0..).zip(is_free).filter(|(_, is_free)| *is_free).map(|(partition, _)| partition);
    for ((_, partitions), room) in shares.iter_mut().zip(&rooms) {
        let missing = room - partitions.len();
        partitions.extend(free.by_ref().take(missing));
        partitions.sort_unstable();
    }
    shares
}
