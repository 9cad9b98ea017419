//! A random walk of a partition's life in the bucket: uploads, commits, cleaning, replacements, retention, deletions,
//! restarts and restores in any order, with uploads that land late and an older life of the cluster that goes on. Whatever
//! happens, what the quorum says can be read is there, the latest record of every key with it, and a restore brings back
//! what was committed, of the log that went on. In the end the bucket holds nothing that nobody names.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use aquifer_manifest::{BundleKey, FoundRange, ObjectKey, Tier, TierRange, generation, incarnation_of};
use aquifer_metadata::{
    Answer, BrokerRun, Change, Command, Endpoint, InitCluster, METADATA_LEVEL, NewTopic, PlacedReplica,
    Placement, ProducerPrefix, RegisterBroker, Restore, SecurityProtocol, State, TierAdd, TierCommit,
    TierDelete, TierDeleteReplaced, TierMove, TierReplace, TierStretch, TierTrim, decode_snapshot,
    encode_snapshot,
};
use aquifer_tiering::FoundObject;
use aquifer_types::{
    BrokerEpoch, ClusterId, DirectoryId, Incarnation, NodeId, Offset, PartitionIndex, TimestampMs, TopicId,
    TopicName, TopicPartition, Uuid,
};
use proptest::prelude::*;

use crate::partition::remains;

const NODE: NodeId = NodeId(0);
const GRACE_MS: i64 = 10;
/// Records have one of so many keys.
const KEYS: u64 = 7;

#[derive(Clone, Copy, Debug)]
enum Step {
    Produce(u8),
    /// Begin to upload so many records from where the tier ends.
    Upload(u8),
    /// Our disk keeps of every key the latest record that is in the tier.
    Clean,
    /// Begin to upload what our disk has of some live ranges, from one on.
    Rewrite(u8, u8),
    /// One that is under way gets into the bucket.
    Land(u8),
    /// One that is under way is committed, by the run that began it.
    Commit(u8),
    /// Local disk gives up what is in the tier.
    DropLocal,
    /// Retention moves the start.
    Trim(u8),
    WriteState,
    DecideDeletions,
    DeleteObjects,
    Forget,
    CollectOrphans,
    /// The broker is killed and starts again.
    Restart,
    /// All is lost; the bucket is all there is. The old life may go on and upload.
    Restore,
    /// The life before this one uploads what it has, as far as it does not know better.
    OldLifeUploads(u8),
    Pause(u8),
}

/// Of some offsets; none where cleaning took one.
type Records = Vec<Option<u64>>;

/// An upload under way.
#[derive(Clone, Debug)]
struct Upload {
    run: BrokerRun,
    add: TierAdd,
    is_rewrite: bool,
    records: Records,
    landed: bool,
}

/// An object, and when it got there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stored {
    range: TierRange,
    is_rewrite: bool,
    records: Records,
    at: i64,
}

type Bucket = BTreeMap<ObjectKey, Stored>;

struct World {
    state: State,
    index: u64,
    now: i64,
    run: BrokerRun,
    at: TopicPartition,
    /// What was acknowledged, from offset 0 on, whatever of it is still there.
    log: Vec<u64>,
    /// Offsets below that our disk has no record of any more.
    cleaned: BTreeSet<i64>,
    local_start: i64,
    next_record: u64,
    next_nonce: u64,
    uploads: Vec<Upload>,
    bucket: Bucket,
    /// The newest last.
    states: Vec<(u16, Vec<u8>)>,
    /// What the tier was by the state in the bucket.
    told: Tier,
    /// Of the life before: its generation, and its log and tier's end when it was left.
    old: Option<(u64, Vec<u64>, i64)>,
}

fn uuid(number: u8) -> Uuid {
    Uuid::from_bytes([number; 16])
}

fn prefix(number: u32) -> ProducerPrefix {
    ProducerPrefix::new(number).expect("a prefix")
}

impl World {
    fn new() -> World {
        let at = TopicPartition { topic: TopicId(uuid(3)), partition: PartitionIndex(0) };
        let mut world = World {
            state: State::new(),
            index: 0,
            now: 0,
            run: BrokerRun { node: NODE, epoch: BrokerEpoch(0) },
            at,
            log: Vec::new(),
            cleaned: BTreeSet::new(),
            local_start: 0,
            next_record: 0,
            next_nonce: 0,
            uploads: Vec::new(),
            bucket: Bucket::new(),
            states: Vec::new(),
            told: Tier::new(Offset::ZERO),
            old: None,
        };
        let init =
            InitCluster { cluster: ClusterId(uuid(1)), producer_prefix: prefix(1), level: METADATA_LEVEL };
        world.apply(Change::InitCluster(init));
        world.start();
        let placement = Placement(vec![PlacedReplica { node: NODE, directory: DirectoryId(uuid(2)) }]);
        world.apply(Change::CreateTopics(vec![NewTopic {
            name: TopicName::new("t").expect("a name"),
            id: at.topic,
            partitions: vec![placement],
            replication_default: true,
            configs: Vec::new(),
        }]));
        world.write_state();
        world
    }

    fn apply(&mut self, change: Change) -> Answer {
        self.index = self.index.max(self.state.image().applied()) + 1;
        let command = Command { time: TimestampMs(self.now), change };
        self.state.apply(self.index, &command, &mut Vec::new())
    }

    /// A new run registers and leads; what was under way is only remembered by the bucket.
    fn start(&mut self) {
        self.next_nonce += 1;
        let mut incarnation = [0; 16];
        incarnation[..8].copy_from_slice(&self.next_nonce.to_be_bytes());
        let register = RegisterBroker {
            node: NODE,
            incarnation: Incarnation(Uuid::from_bytes(incarnation)),
            endpoints: vec![Endpoint {
                listener: "a".to_owned(),
                host: "h".to_owned(),
                port: 1,
                protocol: SecurityProtocol::Plaintext,
            }],
            rack: None,
            directories: vec![DirectoryId(uuid(2))],
            clean_epoch: None,
            verdicts: Vec::new(),
        };
        let Answer::BrokerRegistered(Ok(epoch)) = self.apply(Change::RegisterBroker(register)) else {
            panic!("not registered")
        };
        self.run = BrokerRun { node: NODE, epoch };
        self.apply(Change::UnfenceBroker(self.run));
    }

    fn tier(&self) -> Tier {
        self.state.image().tier(self.at).map_or_else(|| Tier::new(Offset::ZERO), |tier| (**tier).clone())
    }

    fn generation(&self) -> u64 {
        generation(self.state.image().incarnation(), u64::try_from(self.run.epoch.0).expect("an index"))
    }

    fn moved(&self, offset: Offset) -> TierMove {
        let leader_epoch = self.state.image().partition(self.at).expect("it is there").leader_epoch();
        TierMove { partition: self.at, leader_epoch, offset }
    }

    fn range(&mut self, at: TierMove, end: i64, generation: u64) -> TierRange {
        self.next_nonce += 1;
        // Every other upload is a bundle, with nothing else in it that would be of this partition.
        let bundle = BundleKey::drawn(generation, self.next_nonce << 12);
        let is_bundled = self.next_nonce.is_multiple_of(2);
        TierRange {
            base: at.offset,
            end: Offset(end),
            bytes: 90,
            footer_bytes: 10,
            max_timestamp: TimestampMs(0),
            leader_epoch: at.leader_epoch,
            generation,
            nonce: if is_bundled { bundle.nonce_of(7) } else { self.next_nonce },
            position: if is_bundled { 716 } else { 0 },
        }
    }

    /// What our disk has, or had before it gave that up.
    fn records(&self, from: i64, to: i64) -> Records {
        (from..to).map(|offset| (!self.cleaned.contains(&offset)).then(|| self.record(offset))).collect()
    }

    fn record(&self, offset: i64) -> u64 {
        self.log[usize::try_from(offset).expect("not negative")]
    }

    /// The offsets below `end` of the latest records of their keys, of those from `start` on.
    fn latest(&self, start: i64, end: i64) -> BTreeSet<i64> {
        let latest: BTreeMap<u64, i64> =
            (start..end).map(|offset| (self.record(offset) % KEYS, offset)).collect();
        latest.into_values().collect()
    }

    fn end(&self) -> i64 {
        i64::try_from(self.log.len()).expect("few")
    }

    fn write_state(&mut self) {
        let image = self.state.image();
        self.states.push((image.incarnation(), encode_snapshot(image)));
        self.told = self.tier();
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Produce(count) => {
                for _ in 0..count {
                    self.log.push(self.next_record);
                    self.next_record += 1;
                }
            }
            Step::Upload(count) => {
                let at = self.moved(self.tier().end());
                let end = (at.offset.0 + i64::from(count)).min(self.end());
                if end > at.offset.0 {
                    let range = self.range(at, end, self.generation());
                    let records = self.records(at.offset.0, end);
                    let add = TierAdd { at, range };
                    let upload = Upload { run: self.run, add, is_rewrite: false, records, landed: false };
                    self.uploads.push(upload);
                }
            }
            Step::Clean => {
                let end = self.tier().end().0;
                let latest = self.latest(0, end);
                // What only the tier has is not cleaned.
                self.cleaned.extend((self.local_start..end).filter(|offset| !latest.contains(offset)));
            }
            Step::Rewrite(from, count) => {
                let tier = self.tier();
                let whole = tier.live().iter().filter(|range| range.base.0 >= self.local_start);
                let ranges: Vec<TierRange> = whole.copied().collect();
                if let Some(first) = usize::from(from).checked_rem(ranges.len()) {
                    let last = (first + usize::from(count)).min(ranges.len() - 1);
                    let at = self.moved(ranges[first].base);
                    let end = ranges[last].end.0;
                    let range = self.range(at, end, self.generation());
                    let records = self.records(at.offset.0, end);
                    let add = TierAdd { at, range };
                    let upload = Upload { run: self.run, add, is_rewrite: true, records, landed: false };
                    self.uploads.push(upload);
                }
            }
            Step::Land(which) => {
                if let Some(which) = self.pick(which) {
                    self.land(which);
                }
            }
            Step::Commit(which) => {
                if let Some(which) = self.pick(which)
                    && self.uploads[which].landed
                {
                    let Upload { run, add, is_rewrite, .. } = self.uploads.remove(which);
                    self.apply(if is_rewrite {
                        let stretch = TierStretch { at: add.at, ranges: vec![add.range] };
                        Change::TierReplace(TierReplace { run, stretches: vec![stretch] })
                    } else {
                        Change::TierCommit(TierCommit { run, ranges: vec![add] })
                    });
                }
            }
            Step::DropLocal => self.local_start = self.local_start.max(self.tier().end().0),
            Step::Trim(count) => {
                let start = (self.tier().start().0 + i64::from(count)).min(self.end());
                let starts = vec![self.moved(Offset(start))];
                self.apply(Change::TierTrim(TierTrim { run: self.run, starts }));
                self.local_start = self.local_start.max(self.tier().start().0);
            }
            Step::WriteState => self.write_state(),
            Step::DecideDeletions => {
                let tier = self.tier();
                let by = TimestampMs(self.now - GRACE_MS);
                if let Some(upto) = tier.deletable(by).filter(|upto| *upto <= self.told.start()) {
                    let delete = TierDelete { grace_ms: GRACE_MS, upto: vec![(self.at, upto)] };
                    self.apply(Change::TierDelete(delete));
                }
                let needs =
                    |range: &TierRange| self.told.ranges().contains(range) || self.told.end() < range.end;
                let deletable = tier.replaced().deletable(by).iter();
                let last = deletable.take_while(|replaced| !needs(&replaced.range)).last();
                if let Some(last) = last {
                    let upto = vec![(self.at, ObjectKey::of(&last.range))];
                    let delete = TierDeleteReplaced { grace_ms: GRACE_MS, upto };
                    self.apply(Change::TierDeleteReplaced(delete));
                }
            }
            Step::DeleteObjects => {
                let tier = self.tier();
                let replaced = tier.replaced().deleting().iter().map(|replaced| &replaced.range);
                let own =
                    tier.deleting().iter().chain(replaced).filter(|range| BundleKey::of(range).is_none());
                for range in own {
                    self.bucket.remove(&ObjectKey::of(range));
                }
                let image = self.state.image();
                self.bucket.retain(|_, stored| {
                    let held = BundleKey::of(&stored.range).and_then(|key| image.bundle(key));
                    held.is_none_or(|held| !held.is_deleting())
                });
            }
            Step::Forget => {
                let tier = self.tier();
                let is_gone = |range: &TierRange| {
                    BundleKey::of(range).is_some() || !self.bucket.contains_key(&ObjectKey::of(range))
                };
                let replaced = tier.replaced().deleting().iter();
                let replaced = replaced.take_while(|replaced| is_gone(&replaced.range)).last();
                let gone = tier.deleting().iter().take_while(|range| is_gone(range));
                if let Some(last) = gone.last() {
                    self.apply(Change::TierForget(vec![(self.at, last.end)]));
                }
                if let Some(last) = replaced {
                    let upto = vec![(self.at, ObjectKey::of(&last.range))];
                    self.apply(Change::TierForgetReplaced(upto));
                }
                let there: BTreeSet<BundleKey> =
                    self.bucket.values().filter_map(|stored| BundleKey::of(&stored.range)).collect();
                let going = self.state.image().bundles().filter(|(_, held)| held.is_deleting());
                let gone = going.map(|(key, _)| key).filter(|key| !there.contains(key)).collect();
                self.apply(Change::TierForgetBundles(gone));
            }
            Step::CollectOrphans => self.collect_orphans(),
            Step::Restart => self.start(),
            Step::Restore => self.restore(),
            Step::OldLifeUploads(count) => self.old_life_uploads(i64::from(count)),
            Step::Pause(time) => self.now += i64::from(time),
        }
    }

    /// Nothing new comes, and everything that is due is done.
    fn rest(&mut self) {
        self.step(Step::Restart);
        self.uploads.clear();
        self.step(Step::WriteState);
        self.step(Step::Pause(100));
        self.step(Step::DecideDeletions);
        // What is forgotten lets bundles go.
        for step in [Step::DeleteObjects, Step::Forget, Step::DeleteObjects, Step::Forget] {
            self.step(step);
        }
        self.step(Step::CollectOrphans);
    }

    fn pick(&self, which: u8) -> Option<usize> {
        usize::from(which).checked_rem(self.uploads.len())
    }

    fn land(&mut self, which: usize) {
        let Upload { add, is_rewrite, records, landed, .. } = &mut self.uploads[which];
        *landed = true;
        let key = ObjectKey::of(&add.range);
        let (range, is_rewrite, records) = (add.range, *is_rewrite, records.clone());
        let stored = Stored { range, is_rewrite, records, at: self.now };
        let before = self.bucket.insert(key, stored.clone());
        assert!(before.is_none_or(|before| before.records == stored.records), "a name was used twice: {key}");
    }

    /// What neither the quorum names nor this run may yet commit.
    fn collect_orphans(&mut self) {
        let own = self.generation();
        let flying: BTreeSet<u64> = self.uploads.iter().map(|upload| upload.add.range.nonce).collect();
        let tier = self.tier();
        let named: BTreeSet<ObjectKey> = tier.named().map(ObjectKey::of).collect();
        let image = self.state.image();
        self.bucket.retain(|key, stored| {
            let other_life = incarnation_of(key.generation) != incarnation_of(own);
            let is_named = match BundleKey::of(&stored.range) {
                Some(bundle) => image.bundle(bundle).is_some(),
                None => named.contains(key),
            };
            is_named || other_life || (key.generation == own && flying.contains(&key.nonce))
        });
    }

    /// The newest state, what is left of what it names, and what goes on there.
    fn restore(&mut self) {
        let (incarnation, bytes) = self.states.last().expect("one is written at once").clone();
        let image = decode_snapshot(&bytes).expect("ours").image().clone();
        let objects: BTreeMap<ObjectKey, FoundObject> = self
            .bucket
            .iter()
            .map(|(key, stored)| {
                let uploaded = TimestampMs(stored.at);
                (*key, FoundObject { uploaded, ..FoundObject::named(&stored.range) })
            })
            .collect();
        let known = image.tier(self.at).map(|tier| &**tier);
        let before = self.tier();
        let left = remains(known, &objects, incarnation, TimestampMs(i64::MAX));
        let mut tiers = BTreeMap::new();
        let mut end = 0;
        if let Some(left) = left {
            assert_eq!(left.lost, 0, "the state names what was deleted: {before:?}");
            let found = |(key, object): &(ObjectKey, FoundObject)| {
                let Stored { range, is_rewrite, .. } = self.bucket[key];
                let uploaded = object.uploaded;
                FoundRange { range, is_rewrite, uploaded, previous: None, last: None }
            };
            let later: Vec<FoundRange> = left.candidates.iter().map(found).collect();
            let (tier, _, _) = left.settle(&objects, &later, (true, TimestampMs(self.now)));
            let committed = before.live().last().map_or(Offset::ZERO, |last| last.end);
            assert!(tier.end() >= committed, "committed ranges are missing: {tier:?} of {before:?}");
            let readable = !before.live().is_empty();
            assert!(
                !readable || tier.start() <= before.start(),
                "it starts too late: {tier:?} of {before:?}"
            );
            end = tier.end().0;
            tiers.insert(self.at, tier);
        }
        assert!(end <= self.end(), "records that there never were");
        self.old = Some((self.generation(), self.log.clone(), before.end().0));
        let restore = Restore {
            cluster: ClusterId(uuid(1)),
            incarnation: incarnation + 1,
            node: NODE,
            directory: DirectoryId(uuid(2)),
            producer_prefix: prefix(u32::from(incarnation) + 1),
            left_out: BTreeSet::new(),
            tiers,
        };
        self.state = State::restored(&image, restore);
        self.index = 0;
        self.log.truncate(usize::try_from(end).expect("not negative"));
        self.cleaned.clear();
        self.local_start = end;
        self.uploads.clear();
        self.start();
        self.write_state();
    }

    /// It goes on with its own records, and does not know that it is over.
    fn old_life_uploads(&mut self, count: i64) {
        let Some((generation, mut log, from)) = self.old.take() else { return };
        for _ in 0..count {
            log.push(u64::MAX - self.next_nonce);
            self.next_nonce += 1;
        }
        let end = i64::try_from(log.len()).expect("few");
        if end > from {
            let range = self.range(self.moved(Offset(from)), end, generation);
            let records = log[usize::try_from(from).expect("not negative")..].iter().copied().map(Some);
            let stored = Stored { range, is_rewrite: false, records: records.collect(), at: self.now };
            self.bucket.insert(ObjectKey::of(&range), stored);
        }
        self.old = Some((generation, log, end));
    }

    /// Everything from the log's start on can be read, as it was acknowledged, but for what a later record of the same key in
    /// the tier stands against.
    fn check(&self) {
        let tier = self.tier();
        let latest = self.latest(tier.start().0, tier.end().0);
        for range in tier.live() {
            let stored = self
                .bucket
                .get(&ObjectKey::of(range))
                .unwrap_or_else(|| panic!("a live object is not there (I4, I6): {range:?}"));
            assert_eq!(stored.range, *range);
            for (offset, found) in (range.base.0..range.end.0).zip(&stored.records) {
                let is_latest = found.is_some() || !latest.contains(&offset);
                assert!(is_latest, "the latest record of a key is gone (I9): {offset} of {range:?}");
                let is_same = found.is_none_or(|found| found == self.record(offset));
                assert!(is_same, "another record (I2): {offset} of {range:?}");
            }
        }
        assert!(self.local_start <= tier.end().0.max(tier.start().0), "dropped before it was tiered (I6)");
        assert!(tier.end().0 <= self.end(), "tiered before it was committed");
    }
}

/// The most that orphans took of the bucket, by bytes, at any minute of the last six hours of two days. An upload a minute, of which one
/// in a thousand is given up and arrives all the same, and a kill in the middle of an upload twice a day. As brokers have it, what they
/// gave up is deleted after a quarter of an hour, and there is a look for orphans half an hour after each start and then every six hours.
fn orphans_of_two_days(seed: u64) -> f64 {
    const HOUR: u64 = 60;
    const GRACE: u64 = 15;
    let mut drawn = seed;
    let mut is_drawn = |of: u64| {
        drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (drawn >> 33).is_multiple_of(of)
    };
    let mut world = World::new();
    let mut most = 0.0_f64;
    let mut next_look = 2 * GRACE;
    let mut given_up: VecDeque<(u64, ObjectKey)> = VecDeque::new();
    for minute in 0..48 * HOUR {
        world.step(Step::Produce(10));
        world.step(Step::Upload(10));
        world.step(Step::Land(0));
        if is_drawn(12 * HOUR) {
            world.step(Step::Restart);
            world.uploads.clear();
            given_up.clear();
            next_look = minute + 2 * GRACE;
        } else if is_drawn(1_000) {
            let keys = world.uploads.drain(..).map(|upload| ObjectKey::of(&upload.add.range));
            given_up.extend(keys.map(|key| (minute + GRACE, key)));
        } else {
            world.step(Step::Commit(0));
        }
        while let Some((_, key)) = given_up.pop_front_if(|(due, _)| *due <= minute) {
            world.bucket.remove(&key);
        }
        if minute == next_look {
            world.step(Step::CollectOrphans);
            next_look += 6 * HOUR;
        }
        if minute >= 42 * HOUR {
            let tier = world.tier();
            let all: u64 = world.bucket.values().map(|stored| stored.range.object_bytes()).sum();
            let named: u64 = tier.named().map(TierRange::object_bytes).sum();
            most = most.max((all - named) as f64 / all as f64);
        }
    }
    world.check();
    most
}

#[test]
fn orphans_are_a_thousandth_of_what_clusters_have_in_buckets_at_most_after_two_days() {
    const CLUSTERS: u64 = 24;
    let shares: Vec<f64> = (0..CLUSTERS).map(orphans_of_two_days).collect();
    let mean = shares.iter().sum::<f64>() / CLUSTERS as f64;
    let worst = shares.iter().copied().fold(0.0, f64::max);
    println!(
        "orphans after 48 hours: {:.4} % of all bytes, {:.4} % at the worst",
        mean * 100.0,
        worst * 100.0
    );

    assert!(mean > 0.0, "uploads that are given up leave something");
    assert!(worst <= 0.001, "{shares:?}");
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1u8..20).prop_map(Step::Produce),
        4 => (1u8..20).prop_map(Step::Upload),
        4 => any::<u8>().prop_map(Step::Land),
        4 => any::<u8>().prop_map(Step::Commit),
        2 => Just(Step::Clean),
        3 => (any::<u8>(), 0u8..4).prop_map(|(from, count)| Step::Rewrite(from, count)),
        1 => Just(Step::DropLocal),
        1 => (1u8..20).prop_map(Step::Trim),
        1 => Just(Step::WriteState),
        2 => Just(Step::DecideDeletions),
        2 => Just(Step::DeleteObjects),
        1 => Just(Step::Forget),
        1 => Just(Step::CollectOrphans),
        1 => Just(Step::Restart),
        1 => Just(Step::Restore),
        1 => (1u8..20).prop_map(Step::OldLifeUploads),
        2 => (1u8..10).prop_map(Step::Pause),
    ];
    proptest::collection::vec(step, 1..150)
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_can_be_read_is_lost_and_a_restore_brings_back_what_was_committed(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
            world.check();
        }
        world.restore();
        world.check();
        world.rest();
        world.check();
        let own = world.state.image().incarnation();
        let tier = world.tier();
        let named: BTreeSet<ObjectKey> = tier.live().iter().map(ObjectKey::of).collect();
        let is_left = |key: &&ObjectKey| incarnation_of(key.generation) == own && !named.contains(key);
        prop_assert_eq!(world.bucket.keys().find(is_left), None, "nobody deletes it");
        prop_assert_eq!(tier.named().count(), named.len(), "what is gone is not forgotten");
        let held: BTreeSet<BundleKey> = world.state.image().bundles().map(|(key, _)| key).collect();
        let bundles: BTreeSet<BundleKey> = tier.live().iter().filter_map(BundleKey::of).collect();
        prop_assert_eq!(held, bundles, "a bundle is kept of which nothing is known");
    }
}
