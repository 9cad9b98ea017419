//! What is left of one partition: the ranges that the state names and that are there, and those that may follow.

use std::collections::{BTreeMap, BTreeSet};

use aquifer_manifest::{FoundRange, ObjectKey, Tier, TierRange, go_on, incarnation_of, mended, surviving};
use aquifer_tiering::FoundObject;
use aquifer_types::{Offset, TimestampMs};

/// What a partition's names come to, before any footer is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remains {
    pub(crate) tier: Tier,
    /// Ranges that could be read by the state, and whose objects are gone.
    pub(crate) lost: usize,
    /// Objects that the state does not name and that may go on where it ends, or hold what is lost.
    pub(crate) candidates: Vec<(ObjectKey, FoundObject)>,
    known: Tier,
    until: TimestampMs,
}

impl Remains {
    /// The last range that is left, of which it is to be known how it ends.
    pub(crate) fn tail(&self) -> Option<&TierRange> {
        self.tier.live().last()
    }

    /// With what footers say of candidates and of the last range. A deleted topic's log does not go on. Says how many ranges
    /// are lost and how many follow.
    pub(crate) fn settle(
        self,
        objects: &BTreeMap<ObjectKey, FoundObject>,
        found: &[FoundRange],
        (goes_on, now): (bool, TimestampMs),
    ) -> (Tier, usize, usize) {
        let is_there = |range: &TierRange| is_there(objects, range, self.until);
        let whole = mended(&self.known, found, is_there, now);
        let (mut tier, _) = surviving(&whole, is_there);
        let lost = lost(&whole, objects);
        let tail = tier.live().last().and_then(|tail| found.iter().find(|found| found.range == *tail));
        let last = tail.and_then(|tail| tail.last);
        let added = if goes_on { go_on(&mut tier, last, found, now) } else { 0 };
        (tier, lost, added)
    }
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
    let named: BTreeSet<ObjectKey> = known.iter().flat_map(|tier| tier.named()).map(ObjectKey::of).collect();
    let unnamed = found.iter().filter(|(key, object)| {
        !named.contains(key) && incarnation_of(key.generation) == incarnation && in_time(object)
    });
    let unnamed: Vec<(ObjectKey, FoundObject)> = unnamed.map(|(key, object)| (*key, *object)).collect();
    let first = unnamed.first().map(|(key, _)| Tier::new(key.base));
    let known = known.cloned().or(first)?;
    let (tier, _) = surviving(&known, |range| is_there(found, range, until));
    let first_gap = known.live().iter().find(|range| !is_there(found, range, until));
    let lost = lost(&known, found);
    // What takes the place of a range may begin long before it.
    let from = if tier.live().is_empty() || first_gap.is_some() { Offset::ZERO } else { tier.end() };
    let candidates = unnamed.into_iter().filter(|(key, _)| key.base >= from).collect();
    Some(Remains { tier, lost, candidates, known, until })
}

fn is_there(objects: &BTreeMap<ObjectKey, FoundObject>, range: &TierRange, until: TimestampMs) -> bool {
    let object = objects.get(&ObjectKey::of(range));
    object.is_some_and(|object| {
        (object.bytes, object.position) == (range.object_bytes(), range.position) && object.uploaded <= until
    })
}

/// Live ranges whose objects are gone, or not what they were.
fn lost(tier: &Tier, objects: &BTreeMap<ObjectKey, FoundObject>) -> usize {
    let is_gone = |range: &&TierRange| !is_there(objects, range, TimestampMs(i64::MAX));
    tier.live().iter().filter(is_gone).count()
}

#[cfg(test)]
mod tests {
    use aquifer_manifest::generation;
    use aquifer_types::LeaderEpoch;

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
            position: 0,
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
        let uploaded = |range: &TierRange| TimestampMs(range.end.0);
        let object =
            |range: &TierRange| FoundObject { uploaded: uploaded(range), ..FoundObject::named(range) };
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
