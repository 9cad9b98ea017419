//! What is left of one partition: the ranges that the state names and that are there, and those that may follow.

use std::collections::{BTreeMap, BTreeSet};

use aquifer_manifest::{ObjectKey, Tier, incarnation_of, surviving};
use aquifer_tiering::FoundObject;
use aquifer_types::TimestampMs;

/// What a partition's names come to, before any footer is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remains {
    pub(crate) tier: Tier,
    /// Ranges that could be read by the state, and whose objects are gone.
    pub(crate) lost: usize,
    /// Objects that the state does not name and that may go on where it ends.
    pub(crate) candidates: Vec<(ObjectKey, FoundObject)>,
}

/// What is left, and what may follow, of objects that were uploaded by a time. `incarnation` is that of the state: what an
/// older one uploaded counts only where the state names it.
pub(crate) fn remains(
    known: Option<&Tier>,
    found: &BTreeMap<ObjectKey, FoundObject>,
    incarnation: u16,
    until: TimestampMs,
) -> Option<Remains> {
    let in_time = |object: &FoundObject| object.uploaded <= until;
    let named: BTreeSet<ObjectKey> = known.iter().flat_map(|tier| tier.ranges()).map(ObjectKey::of).collect();
    let unnamed = found.iter().filter(|(key, object)| {
        !named.contains(key) && incarnation_of(key.generation) == incarnation && in_time(object)
    });
    let unnamed: Vec<(ObjectKey, FoundObject)> = unnamed.map(|(key, object)| (*key, *object)).collect();
    let first = unnamed.first().map(|(key, _)| Tier::new(key.base));
    let known = known.cloned().or(first)?;
    let is_there = |range: &aquifer_manifest::TierRange| {
        let object = found.get(&ObjectKey::of(range));
        object.filter(|object| object.bytes == range.object_bytes())
    };
    let (tier, _) = surviving(&known, |range| is_there(range).is_some_and(in_time));
    let lost = known.live().iter().filter(|range| is_there(range).is_none()).count();
    let empty = tier.live().is_empty();
    let candidates = unnamed.into_iter().filter(|(key, _)| empty || key.base >= tier.end()).collect();
    Some(Remains { tier, lost, candidates })
}

#[cfg(test)]
mod tests {
    use aquifer_manifest::{TierRange, generation};
    use aquifer_types::{LeaderEpoch, Offset};

    use super::*;

    fn range(base: i64, end: i64, incarnation: u16) -> TierRange {
        TierRange {
            base: Offset(base),
            end: Offset(end),
            bytes: 90,
            footer_bytes: 10,
            max_timestamp: TimestampMs(0),
            leader_epoch: LeaderEpoch(1),
            generation: generation(incarnation, 7),
            nonce: 3,
        }
    }

    fn tier(ends: &[i64]) -> Tier {
        let mut tier = Tier::new(Offset::ZERO);
        for end in ends {
            let base = tier.end();
            tier.add(base, range(base.0, *end, 1)).expect("it goes on");
        }
        tier
    }

    fn found(ranges: &[TierRange]) -> BTreeMap<ObjectKey, FoundObject> {
        let object = |range: &TierRange| FoundObject { bytes: 100, uploaded: TimestampMs(range.end.0) };
        ranges.iter().map(|range| (ObjectKey::of(range), object(range))).collect()
    }

    fn bases(remains: &Remains) -> Vec<i64> {
        remains.candidates.iter().map(|(key, _)| key.base.0).collect()
    }

    const NOW: TimestampMs = TimestampMs(i64::MAX);

    #[test]
    fn what_follows_the_state_counts_in_its_own_incarnation_alone() {
        let tier = tier(&[10, 20]);
        let later = [range(20, 30, 1), range(20, 25, 2), range(15, 20, 1)];
        let found = found(&[tier.ranges(), &later].concat());

        let own = remains(Some(&tier), &found, 1, NOW).expect("a tier");
        let next = remains(Some(&tier), &found, 2, NOW).expect("a tier");

        assert_eq!((own.tier.end(), bases(&own)), (Offset(20), vec![20]));
        assert_eq!(bases(&next), [20]);
        assert_eq!(incarnation_of(next.candidates[0].0.generation), 2);
    }

    #[test]
    fn a_time_cuts_what_was_uploaded_later_and_that_is_not_lost() {
        let tier = tier(&[10, 20, 30]);
        let found = found(&[tier.ranges(), &[range(30, 40, 1)]].concat());

        let cut = remains(Some(&tier), &found, 1, TimestampMs(25)).expect("a tier");

        assert_eq!((cut.tier.end(), cut.lost, bases(&cut)), (Offset(20), 0, vec![]));
    }

    #[test]
    fn objects_that_are_gone_or_of_another_size_are_lost() {
        let tier = tier(&[10, 20, 30]);
        let mut found = found(tier.ranges());
        found.remove(&ObjectKey::of(&tier.ranges()[0]));
        found.get_mut(&ObjectKey::of(&tier.ranges()[2])).expect("there").bytes = 99;

        let left = remains(Some(&tier), &found, 1, NOW).expect("a tier");

        assert_eq!((left.tier.start(), left.tier.end(), left.lost), (Offset(10), Offset(20), 2));
    }

    #[test]
    fn a_partition_that_the_state_does_not_name_begins_with_its_first_object() {
        let found = found(&[range(7, 9, 1), range(9, 12, 1)]);

        let left = remains(None, &found, 1, NOW).expect("a tier");

        assert_eq!((left.tier.start(), bases(&left)), (Offset(7), vec![7, 9]));
        assert_eq!(remains(None, &BTreeMap::new(), 1, NOW), None);
    }
}
