//! Bundles go with the last of their ranges and never before: step by step, and on a random walk.

use std::collections::{BTreeMap, BTreeSet};

use aquifer_manifest::{BundleKey, ObjectKey, TierRange};
use aquifer_types::{LeaderEpoch, Offset, TimestampMs, TopicPartition};
use proptest::prelude::*;

use crate::answer::{Answer, TierCommandRefusal};
use crate::codec::{decode_snapshot, encode_snapshot};
use crate::command::{
    BrokerRun, Change, Command, TierAdd, TierCommit, TierDelete, TierDeleteReplaced, TierMove, TierReplace,
    TierStretch, TierTrim, TopicKey,
};
use crate::state::fixture::Cluster;

const GRACE_MS: i64 = 10;
const PARTITIONS: usize = 4;

fn moved(at: TopicPartition, offset: Offset) -> TierMove {
    TierMove { partition: at, leader_epoch: LeaderEpoch(0), offset }
}

fn range(key: BundleKey, place: usize, base: i64, end: i64) -> TierRange {
    TierRange {
        base: Offset(base),
        end: Offset(end),
        bytes: 90,
        footer_bytes: 10,
        max_timestamp: TimestampMs(0),
        leader_epoch: LeaderEpoch(0),
        generation: key.generation,
        nonce: key.nonce_of(place),
        position: 16 + 100 * place as u32,
    }
}

/// A cluster, and what a bucket holds of it.
struct World {
    cluster: Cluster,
    now: i64,
    run: BrokerRun,
    at: Vec<TopicPartition>,
    next_bundle: u64,
    /// Objects of their own.
    objects: BTreeSet<(TopicPartition, ObjectKey)>,
    bundles: BTreeSet<BundleKey>,
    /// Of these, such as the quorum ever knew; others are for who looks for orphans.
    committed: BTreeSet<BundleKey>,
    /// What was sent to the quorum and may come again.
    sent: Vec<Change>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A bundle of what follows in some partitions, as the bits say; of the others with the second it comes too late.
    Bundle(u8, u8),
    /// An object of its own.
    Upload(u8),
    /// Everything that is live, of some partitions, becomes one range each, of one bundle.
    Merge(u8),
    /// The last command but so many once more.
    Again(u8),
    Trim(u8, u8),
    DeleteTopic(u8),
    Undelete(u8),
    Decide,
    /// Objects of ranges go, and are forgotten.
    DeleteRanges,
    DeleteBundles,
    ForgetBundles,
    Pause(u8),
    Snapshot,
}

impl World {
    fn new() -> World {
        let mut cluster = Cluster::with_brokers(1);
        let at = (0..PARTITIONS).map(|number| cluster.create(&format!("t{number}"), &[0], &[])).collect();
        let run = cluster.run(0);
        World {
            cluster,
            now: 0,
            run,
            at,
            next_bundle: 1,
            objects: BTreeSet::new(),
            bundles: BTreeSet::new(),
            committed: BTreeSet::new(),
            sent: Vec::new(),
        }
    }

    fn apply(&mut self, change: Change) -> Answer {
        let index = self.cluster.image().applied() + 1;
        let command = Command { time: TimestampMs(self.now), change };
        self.cluster.state.apply(index, &command, &mut Vec::new())
    }

    fn end(&self, at: TopicPartition) -> i64 {
        self.cluster.image().tier(at).map_or(0, |tier| tier.end().0)
    }

    /// A bundle that is in the bucket by now.
    fn draw(&mut self) -> BundleKey {
        let key = BundleKey::drawn(1, self.next_bundle << 12);
        self.next_bundle += 1;
        self.bundles.insert(key);
        key
    }

    fn chosen(&self, bits: u8) -> Vec<(usize, TopicPartition)> {
        self.at.iter().copied().enumerate().filter(|(number, _)| bits >> number & 1 == 1).collect()
    }

    fn send(&mut self, change: Change) -> Answer {
        self.sent.push(change.clone());
        self.apply(change)
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Bundle(bits, late) => {
                let key = self.draw();
                let add = |world: &World, (number, at): (usize, TopicPartition)| {
                    let base = world.end(at) + i64::from(late >> number & 1);
                    TierAdd { at: moved(at, Offset(base)), range: range(key, number, base, base + 10) }
                };
                let ranges: Vec<TierAdd> =
                    self.chosen(bits).into_iter().map(|part| add(self, part)).collect();
                let commit = TierCommit { run: self.run, ranges: ranges.clone() };
                let Answer::TierCommitted(outcomes) = self.send(Change::TierCommit(commit)) else {
                    panic!("another answer")
                };
                let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
                let held = self.cluster.image().bundle(key).map_or(0, |held| held.held() as usize);
                assert_eq!(held, accepted, "what was refused does not count");
            }
            Step::Upload(which) => {
                let at = self.at[usize::from(which) % PARTITIONS];
                let base = self.end(at);
                let range = TierRange {
                    nonce: self.next_bundle << 12 | 0xfff,
                    position: 0,
                    ..range(BundleKey::drawn(1, 0), 0, base, base + 10)
                };
                self.next_bundle += 1;
                self.objects.insert((at, ObjectKey::of(&range)));
                let ranges = vec![TierAdd { at: moved(at, Offset(base)), range }];
                self.send(Change::TierCommit(TierCommit { run: self.run, ranges }));
            }
            Step::Merge(bits) => {
                let key = self.draw();
                let stretch = |(number, at): (usize, TopicPartition)| {
                    let tier = self.cluster.image().tier(at)?;
                    let (first, last) = (tier.live().first()?, tier.live().last()?);
                    let range = range(key, number, first.base.0, last.end.0);
                    Some(TierStretch { at: moved(at, first.base), ranges: vec![range] })
                };
                let stretches = self.chosen(bits).into_iter().filter_map(stretch).collect();
                self.send(Change::TierReplace(TierReplace { run: self.run, stretches }));
            }
            Step::Again(back) => {
                let sent = self.sent.iter().rev().nth(usize::from(back)).cloned();
                let before: BTreeMap<BundleKey, _> = self.cluster.image().bundles().collect();
                if let Some(change) = sent.filter(|change| self.may_come_again(change)) {
                    self.apply(change);
                    assert_eq!(self.cluster.image().bundles().collect::<BTreeMap<_, _>>(), before);
                }
            }
            Step::Trim(which, by) => {
                let at = self.at[usize::from(which) % PARTITIONS];
                let start = self.cluster.image().tier(at).map_or(Offset(0), |tier| tier.start());
                let starts = vec![moved(at, start.plus(i64::from(by)))];
                self.apply(Change::TierTrim(TierTrim { run: self.run, starts }));
            }
            Step::DeleteTopic(which) => {
                let topic = self.at[usize::from(which) % PARTITIONS].topic;
                self.apply(Change::DeleteTopics(vec![TopicKey::Id(topic)]));
            }
            Step::Undelete(which) => self.undelete(usize::from(which) % PARTITIONS),
            Step::Decide => self.decide(),
            Step::DeleteRanges => self.delete_ranges(),
            Step::DeleteBundles => {
                let image = self.cluster.image();
                let going = image.bundles().filter(|(_, held)| held.is_deleting()).map(|(key, _)| key);
                for key in going.collect::<Vec<_>>() {
                    self.bundles.remove(&key);
                }
            }
            Step::ForgetBundles => {
                let known = self.cluster.image().bundles().map(|(key, _)| key);
                let gone = known.filter(|key| !self.bundles.contains(key)).collect();
                let Answer::TierForgotten(outcomes) = self.apply(Change::TierForgetBundles(gone)) else {
                    panic!("another answer")
                };
                assert!(outcomes.iter().all(Result::is_ok));
                let held = self.cluster.image().bundles().filter(|(_, held)| !held.is_deleting());
                let held: Vec<BundleKey> = held.map(|(key, _)| key).collect();
                let Answer::TierForgotten(outcomes) = self.apply(Change::TierForgetBundles(held)) else {
                    panic!("another answer")
                };
                let refused = Err(TierCommandRefusal::BundleHeld);
                assert!(outcomes.iter().all(|outcome| *outcome == refused));
            }
            Step::Pause(time) => self.now += i64::from(time),
            Step::Snapshot => {
                let bytes = encode_snapshot(self.cluster.image());
                assert_eq!(decode_snapshot(&bytes).as_ref(), Ok(&self.cluster.state));
            }
        }
    }

    /// A command comes again before anything that it names is forgotten, or else it is refused for other reasons.
    fn may_come_again(&self, change: &Change) -> bool {
        let known = |range: &TierRange| {
            BundleKey::of(range).is_none_or(|key| self.cluster.image().bundle(key).is_some())
        };
        match change {
            Change::TierCommit(commit) => commit.ranges.iter().all(|add| known(&add.range)),
            Change::TierReplace(replace) => {
                replace.stretches.iter().flat_map(|stretch| &stretch.ranges).all(known)
            }
            _ => false,
        }
    }

    /// The topic comes back, its ranges copied to objects of their own.
    fn undelete(&mut self, number: usize) {
        let old = self.at[number];
        let image = self.cluster.image().clone();
        let Some(deleted) = image.deleted_topics().find(|deleted| deleted.id() == old.topic) else { return };
        let Ok(revived) = image.revived_tiers(deleted) else { return };
        let topic = crate::state::fixture::new_topic(
            deleted.name().as_str(),
            u8::try_from(100 + self.next_bundle % 100).expect("small"),
            &[&[0]],
        );
        let new = TopicPartition { topic: topic.id, ..old };
        let undelete = crate::command::UndeleteTopic { deleted: old.topic, topic };
        if self.apply(Change::UndeleteTopic(undelete)) == Answer::TopicUndeleted(Ok(())) {
            let copied = revived.iter().flat_map(|(_, tier)| tier.ranges());
            self.objects.extend(copied.map(|range| (new, ObjectKey::of(range))));
            // What is left of the old one is nobody's to write to.
            self.at[number] = new;
            let tier = self.cluster.image().tier(new).expect("it came back");
            assert!(tier.named().all(|range| BundleKey::of(range).is_none()), "it has two owners");
        }
    }

    fn decide(&mut self) {
        let by = TimestampMs(self.now - GRACE_MS);
        let image = self.cluster.image().clone();
        let upto = image.tiers().filter_map(|(at, tier)| Some((at, tier.deletable(by)?))).collect();
        self.apply(Change::TierDelete(TierDelete { grace_ms: GRACE_MS, upto }));
        let replaced = image
            .tiers()
            .filter_map(|(at, tier)| Some((at, ObjectKey::of(&tier.replaced().deletable(by).last()?.range))));
        let upto = replaced.collect();
        self.apply(Change::TierDeleteReplaced(TierDeleteReplaced { grace_ms: GRACE_MS, upto }));
    }

    fn delete_ranges(&mut self) {
        let image = self.cluster.image().clone();
        for (at, tier) in image.tiers() {
            let replaced = tier.replaced().deleting();
            let going = tier.deleting().iter().chain(replaced.iter().map(|replaced| &replaced.range));
            for range in going.filter(|range| BundleKey::of(range).is_none()) {
                self.objects.remove(&(at, ObjectKey::of(range)));
            }
            if let Some(last) = tier.deleting().last() {
                self.apply(Change::TierForget(vec![(at, last.end)]));
            }
            if let Some(last) = replaced.last() {
                self.apply(Change::TierForgetReplaced(vec![(at, ObjectKey::of(&last.range))]));
            }
        }
    }

    /// What is known counts, and no more; whatever is named is there.
    fn check(&mut self) {
        let image = self.cluster.image();
        self.committed.extend(image.bundles().map(|(key, _)| key));
        let mut named: BTreeMap<BundleKey, u32> = BTreeMap::new();
        let ranges = image.tiers().flat_map(|(at, tier)| tier.named().map(move |range| (at, range)));
        for (at, range) in ranges {
            match BundleKey::of(range) {
                Some(key) => *named.entry(key).or_default() += 1,
                None => {
                    assert!(
                        self.objects.contains(&(at, ObjectKey::of(range))),
                        "an object is not there (I6)"
                    );
                }
            }
        }
        for (key, count) in &named {
            assert!(self.bundles.contains(key), "a bundle with a range that is known is deleted (I6): {key}");
            assert_eq!(image.bundle(*key).map(|held| held.held()), Some(*count), "{key}");
        }
        let held = image.bundles().filter(|(_, held)| !held.is_deleting());
        assert_eq!(held.count(), named.len(), "a bundle is kept of which nobody knows a range");
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (any::<u8>(), any::<u8>()).prop_map(|(bits, late)| Step::Bundle(bits, bits & late)),
        3 => any::<u8>().prop_map(|bits| Step::Bundle(bits, 0)),
        1 => any::<u8>().prop_map(Step::Upload),
        2 => any::<u8>().prop_map(Step::Merge),
        2 => (0u8..4).prop_map(Step::Again),
        3 => (any::<u8>(), 1u8..30).prop_map(|(which, by)| Step::Trim(which, by)),
        1 => any::<u8>().prop_map(Step::DeleteTopic),
        1 => any::<u8>().prop_map(Step::Undelete),
        3 => Just(Step::Decide),
        3 => Just(Step::DeleteRanges),
        2 => Just(Step::DeleteBundles),
        2 => Just(Step::ForgetBundles),
        2 => (1u8..20).prop_map(Step::Pause),
        1 => Just(Step::Snapshot),
    ];
    proptest::collection::vec(step, 1..80)
}

proptest! {
    #[test]
    fn no_bundle_with_a_known_range_is_deleted_and_after_a_rest_nothing_unnamed_is_left(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
            world.check();
        }
        // Everything that is due is done.
        for step in [Step::Pause(100), Step::Decide, Step::DeleteRanges, Step::DeleteBundles, Step::ForgetBundles] {
            world.step(step);
            world.check();
        }
        let image = world.cluster.image();
        let named: BTreeSet<BundleKey> = image.tiers().flat_map(|(_, tier)| tier.live()).filter_map(BundleKey::of).collect();
        let known: BTreeSet<BundleKey> = image.bundles().map(|(key, _)| key).collect();
        prop_assert_eq!(&known, &named, "what is gone is not forgotten");
        let left: BTreeSet<BundleKey> = world.bundles.intersection(&world.committed).copied().collect();
        prop_assert_eq!(left, named, "nobody deletes it");
    }
}

#[test]
fn a_range_that_was_refused_is_refused_again_though_it_would_fit_by_now() {
    let mut world = World::new();
    let (first, second) = (world.at[0], world.at[1]);
    let key = world.draw();
    let adds = [(first, 0, 0), (second, 1, 10)].map(|(at, place, base)| TierAdd {
        at: moved(at, Offset(base)),
        range: range(key, place, base, base + 10),
    });
    let commit = Change::TierCommit(TierCommit { run: world.run, ranges: adds.to_vec() });
    // The second partition's tier ends before: something in between is missing.
    world.apply(Change::TierTrim(TierTrim { run: world.run, starts: vec![moved(second, Offset(5))] }));

    let Answer::TierCommitted(outcomes) = world.apply(commit.clone()) else { panic!("another answer") };
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
    world.apply(Change::TierTrim(TierTrim { run: world.run, starts: vec![moved(second, Offset(10))] }));
    let Answer::TierCommitted(again) = world.apply(commit) else { panic!("another answer") };

    assert_eq!(again, [Ok(()), Err(TierCommandRefusal::BundleCommitted)]);
    assert_eq!(world.cluster.image().bundle(key).map(|held| held.held()), Some(1));
}
