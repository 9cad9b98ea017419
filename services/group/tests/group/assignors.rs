//! Properties of the server-side assignors.

use std::collections::{BTreeMap, BTreeSet};

use aquifer_group::{Assignor, Candidate, MemberId, Partitions};
use aquifer_types::TopicId;
use proptest::prelude::*;

use crate::cluster::Cluster;

fn members(count: usize, topics: &BTreeSet<TopicId>) -> BTreeMap<MemberId, Candidate> {
    let member = |at| {
        let candidate = Candidate { topics: topics.clone(), ..Candidate::default() };
        (MemberId::new(&format!("m{at:03}")), candidate)
    };
    (0..count).map(member).collect()
}

fn load(partitions: &Partitions) -> usize {
    partitions.values().map(Vec::len).sum()
}

fn cluster(sizes: &[i32]) -> (Cluster, BTreeMap<TopicId, i32>) {
    let mut cluster = Cluster::default();
    for (at, size) in sizes.iter().enumerate() {
        cluster.create(&format!("t{at}"), *size);
    }
    let sizes = cluster.topics.values().copied().collect();
    (cluster, sizes)
}

fn covers_once(assignment: &BTreeMap<MemberId, Partitions>, sizes: &BTreeMap<TopicId, i32>) {
    let mut all: Vec<(TopicId, i32)> = assignment
        .values()
        .flat_map(|topics| topics.iter().flat_map(|(topic, at)| at.iter().map(|at| (*topic, *at))))
        .collect();
    all.sort_unstable();
    let wanted: Vec<_> = sizes.iter().flat_map(|(topic, size)| (0..*size).map(|at| (*topic, at))).collect();
    assert_eq!(all, wanted);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn uniform_is_balanced_and_moves_as_little_as_it_can(
        sizes in prop::collection::vec(1i32..12, 1..6), before in 1usize..9, after in 1usize..9,
    ) {
        let (cluster, sizes) = cluster(&sizes);
        let topics: BTreeSet<TopicId> = sizes.keys().copied().collect();
        let first = Assignor::Uniform.assign(&members(before, &topics), &sizes, &cluster);
        let mut then = members(after, &topics);
        for (id, candidate) in &mut then {
            candidate.held = first.get(id).cloned().unwrap_or_default();
        }

        let second = Assignor::Uniform.assign(&then, &sizes, &cluster);

        for (count, assignment) in [(before, &first), (after, &second)] {
            covers_once(assignment, &sizes);
            let total: usize = sizes.values().map(|size| *size as usize).sum();
            for partitions in assignment.values() {
                prop_assert!((total / count..=total.div_ceil(count)).contains(&load(partitions)));
            }
        }
        // Who stays gives up only what the new balance asks of it.
        let total: usize = sizes.values().map(|size| *size as usize).sum();
        let moved: usize = then.iter().map(|(id, candidate)| {
            candidate.held.iter().map(|(topic, at)| {
                let has = second[id].get(topic);
                at.iter().filter(|at| !has.is_some_and(|has| has.contains(at))).count()
            }).sum::<usize>()
        }).sum();
        let mut loads: Vec<usize> = then.values().map(|candidate| load(&candidate.held)).collect();
        loads.sort_unstable_by_key(|load| std::cmp::Reverse(*load));
        let larger = total % after;
        let least: usize = loads.iter().enumerate().map(|(at, load)| {
            load.saturating_sub(total / after + usize::from(at < larger))
        }).sum();
        prop_assert_eq!(moved, least);
    }

    #[test]
    fn members_get_what_they_subscribe_to_and_nothing_can_be_evened_out(
        sizes in prop::collection::vec(1i32..10, 3), subscribed in prop::collection::vec(1u8..8, 1..7),
    ) {
        let (cluster, sizes) = cluster(&sizes);
        let ids: Vec<TopicId> = sizes.keys().copied().collect();
        let members: BTreeMap<MemberId, Candidate> = subscribed.iter().enumerate().map(|(at, mask)| {
            let topics = (0..3).filter(|bit| mask & (1 << bit) != 0).map(|bit| ids[bit]).collect();
            (MemberId::new(&format!("m{at}")), Candidate { topics, ..Candidate::default() })
        }).collect();
        let wanted: BTreeMap<TopicId, i32> = sizes.iter()
            .filter(|(topic, _)| members.values().any(|member| member.topics.contains(topic)))
            .map(|(topic, size)| (*topic, *size)).collect();

        for assignor in [Assignor::Uniform, Assignor::Range] {
            let assignment = assignor.assign(&members, &wanted, &cluster);

            covers_once(&assignment, &wanted);
            for (id, partitions) in &assignment {
                for topic in partitions.keys() {
                    prop_assert!(members[id].topics.contains(topic));
                    let least = assignment.iter()
                        .filter(|(other, _)| members[*other].topics.contains(topic))
                        .map(|(_, partitions)| load(partitions)).min().expect("one at least");
                    prop_assert!(assignor == Assignor::Range || load(partitions) <= least + 1);
                }
            }
        }
    }
}

#[test]
fn members_get_partitions_of_their_own_rack_where_that_costs_no_balance() {
    let (cluster, sizes) = cluster(&[6]);
    let topics: BTreeSet<TopicId> = sizes.keys().copied().collect();
    let mut members = members(3, &topics);
    for (candidate, rack) in members.values_mut().zip(["rack-c", "rack-a", "rack-b"]) {
        candidate.rack = Some(rack.into());
    }

    let assignment = Assignor::Uniform.assign(&members, &sizes, &cluster);

    let held: Vec<Vec<i32>> = assignment.into_values().flat_map(Partitions::into_values).collect();
    assert_eq!(held, [[2, 5], [0, 3], [1, 4]]);
}

#[test]
fn range_gives_neighbours_and_the_first_get_one_more() {
    let (cluster, sizes) = cluster(&[7]);
    let topics: BTreeSet<TopicId> = sizes.keys().copied().collect();

    let assignment = Assignor::Range.assign(&members(3, &topics), &sizes, &cluster);

    let held: Vec<Vec<i32>> = assignment.into_values().flat_map(Partitions::into_values).collect();
    assert_eq!(held, [vec![0, 1, 2], vec![3, 4], vec![5, 6]]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn racks_cost_no_balance_and_no_moves(
        size in 1i32..30, before in prop::collection::vec(0usize..4, 1..8), after in prop::collection::vec(0usize..4, 1..8),
    ) {
        let (cluster, sizes) = cluster(&[size]);
        let topics: BTreeSet<TopicId> = sizes.keys().copied().collect();
        let with_racks = |at: &[usize], held: &BTreeMap<MemberId, Partitions>| {
            let mut members = members(at.len(), &topics);
            for ((id, candidate), at) in members.iter_mut().zip(at) {
                candidate.rack = ["rack-a", "rack-b", "rack-c"].get(*at).map(|rack| (*rack).into());
                candidate.held = held.get(id).cloned().unwrap_or_default();
            }
            members
        };
        let first = Assignor::Uniform.assign(&with_racks(&before, &BTreeMap::new()), &sizes, &cluster);
        let second = Assignor::Uniform.assign(&with_racks(&after, &first), &sizes, &cluster);
        let third = Assignor::Uniform.assign(&with_racks(&after, &second), &sizes, &cluster);

        prop_assert_eq!(&second, &third, "nothing is left to be moved");
        for assignment in [&first, &second] {
            covers_once(assignment, &sizes);
            let (size, count) = (size as usize, assignment.len());
            for partitions in assignment.values() {
                prop_assert!((size / count..=size.div_ceil(count)).contains(&load(partitions)));
            }
        }
    }

    #[test]
    fn range_is_even_topic_by_topic_keeps_what_it_may_and_assigns_like_topics_alike(
        sizes in prop::collection::vec(1i32..12, 1..5), before in 1usize..7, after in 1usize..7,
    ) {
        let (cluster, sizes) = cluster(&sizes);
        let topics: BTreeSet<TopicId> = sizes.keys().copied().collect();
        let first = Assignor::Range.assign(&members(before, &topics), &sizes, &cluster);
        let mut then = members(after, &topics);
        for (id, candidate) in &mut then {
            candidate.held = first.get(id).cloned().unwrap_or_default();
        }

        let second = Assignor::Range.assign(&then, &sizes, &cluster);

        covers_once(&second, &sizes);
        prop_assert_eq!(&Assignor::Range.assign(&then, &sizes, &cluster), &second);
        for (topic, size) in &sizes {
            let of = |assignment: &BTreeMap<MemberId, Partitions>, id: &MemberId| {
                assignment.get(id).and_then(|held| held.get(topic)).cloned().unwrap_or_default()
            };
            let least = *size as usize / after;
            let kept = |id: &MemberId| {
                let got = of(&second, id);
                of(&first, id).iter().filter(|partition| got.contains(partition)).count()
            };
            // As many as can be keep one more than the rest.
            let mut loads: Vec<usize> = then.keys().map(|id| of(&first, id).len()).collect();
            loads.sort_unstable_by_key(|load| std::cmp::Reverse(*load));
            let larger = *size as usize % after;
            let most = loads.iter().enumerate().map(|(at, load)| *load.min(&(least + usize::from(at < larger))));
            prop_assert_eq!(then.keys().map(kept).sum::<usize>(), most.sum::<usize>());
            for id in then.keys() {
                let (held, got) = (of(&first, id), of(&second, id));
                prop_assert!((least..=(*size as usize).div_ceil(after)).contains(&got.len()));
                // Only what is over one's share is given up, and the lowest are kept.
                let kept = held.iter().filter(|partition| got.contains(partition)).count();
                prop_assert!(kept >= held.len().min(least));
                prop_assert!(kept == held.len().min(got.len()), "{:?} {:?}", held, got);
            }
            for like in sizes.iter().filter(|(_, like)| *like == size).map(|(like, _)| like) {
                prop_assert!(second.values().all(|got| got.get(topic) == got.get(like)));
            }
        }
    }
}

#[test]
fn range_assigns_a_topic_that_comes_later_like_the_one_it_is_joined_with() {
    let (cluster, sizes) = cluster(&[4, 4]);
    let topics: BTreeSet<TopicId> = sizes.keys().copied().collect();
    let known = *topics.first().expect("a topic");
    let mut members = members(2, &topics);
    for (candidate, held) in members.values_mut().zip([vec![1, 2], vec![0, 3]]) {
        candidate.held = Partitions::from([(known, held)]);
    }

    let assignment = Assignor::Range.assign(&members, &sizes, &cluster);

    let held: Vec<Vec<i32>> = assignment.into_values().flat_map(Partitions::into_values).collect();
    assert_eq!(held, [[1, 2], [1, 2], [0, 3], [0, 3]]);
}

#[test]
fn range_leaves_one_more_to_whoever_has_it() {
    let (cluster, sizes) = cluster(&[3]);
    let topics: BTreeSet<TopicId> = sizes.keys().copied().collect();
    let topic = *topics.first().expect("a topic");
    let mut members = members(2, &topics);
    for (candidate, held) in members.values_mut().zip([vec![0], vec![1, 2]]) {
        candidate.held = Partitions::from([(topic, held)]);
    }

    let assignment = Assignor::Range.assign(&members, &sizes, &cluster);

    let held: Vec<Vec<i32>> = assignment.into_values().flat_map(Partitions::into_values).collect();
    assert_eq!(held, [vec![0], vec![1, 2]]);
}
