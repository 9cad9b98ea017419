//! Random histories of a small cluster, checked against what must always hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aquifer_manifest::{ObjectKey, TierRange};
use aquifer_types::{LeaderEpoch, NodeId, Offset, PartitionIndex, TimestampMs, TopicId, TopicPartition};
use proptest::prelude::*;

use crate::answer::Answer;
use crate::codec::{decode_command, decode_snapshot, encode_command, encode_snapshot};
use crate::command::{
    AllocateProducerIds, AlterConfig, Change, Command, ConfigChange, ConfigOperation, ConfigSetting,
    FeatureUpdate, Fence, FenceIf, NewPartitions, RecoveryVerdict, TierAdd, TierCommit, TierDelete,
    TierDeleteReplaced, TierMove, TierReplace, TierStretch, TierTrim, TopicKey, UndeleteTopic, Verdict,
};
use crate::config::{ConfigResource, Durability, TopicConfig};
use crate::features::METADATA_FEATURE;
use crate::partition::{Partition, RecoveryState};
use crate::producer_ids::ProducerPrefix;
use crate::state::State;
use crate::state::fixture::{Cluster, directory, name, new_topic, registration, topic_id};
use crate::topic::{Partitions, Topic};

const NODES: u8 = 4;
const NAMES: [&str; 5] = ["a", "b.c", "b_c", "__ours", "d"];
const SETTINGS: [(&str, &str); 6] = [
    ("min.insync.replicas", "1"),
    ("min.insync.replicas", "3"),
    ("aquifer.durability", "page-cache"),
    ("aquifer.durability", "flushed"),
    ("cleanup.policy", "compact"),
    ("retention.ms", "x"),
];

/// What to do next; numbers choose among what there is, so that most commands mean something.
#[derive(Clone, Debug)]
enum Step {
    Tick(i64),
    Register { node: u8, clean: bool, moved: bool, damage: u8 },
    Fence(u8),
    Unfence(u8),
    Create { topic: u8, id: u8, partitions: u8, copies: u8, first: u8, setting: u8 },
    Delete { topic: u8, by_id: bool },
    Extend { topic: u8, more: u8, first: u8 },
    Configure { topic: u8, setting: u8, operation: u8, replace: bool },
    ConfigureCluster { min_in_sync: u8 },
    ConfigureText { group: bool, name: String, value: Option<String> },
    Report { topic: u8, partition: u8, in_sync: u8, stale: bool },
    Allocate { node: u8, count: u16 },
    Update { level: i16 },
    Tier { topic: u8, partition: u8, what: u8, offset: u8, stale: bool },
    Undelete { which: u8, id: u8, first: u8 },
    Token { topic: u8, partition: u8, token: u8, expected: u8, stale: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => any::<i64>().prop_map(Step::Tick),
        3 => (0..NODES, any::<bool>(), prop::bool::weighted(0.1), any::<u8>()).prop_map(
            |(node, clean, moved, damage)| Step::Register { node, clean, moved, damage }
        ),
        2 => (0..NODES).prop_map(Step::Fence),
        6 => (0..NODES).prop_map(Step::Unfence),
        3 => (0u8..5, 0u8..8, 1u8..4, 1u8..=NODES, 0..NODES, any::<u8>()).prop_map(
            |(topic, id, partitions, copies, first, setting)| Step::Create {
                topic, id, partitions, copies, first, setting
            }
        ),
        1 => (0u8..5, any::<bool>()).prop_map(|(topic, by_id)| Step::Delete { topic, by_id }),
        1 => (0u8..5, 1u8..70, 0..NODES).prop_map(|(topic, more, first)| Step::Extend { topic, more, first }),
        2 => (0u8..5, any::<u8>(), 0u8..4, any::<bool>()).prop_map(
            |(topic, setting, operation, replace)| Step::Configure { topic, setting, operation, replace }
        ),
        1 => (1u8..4).prop_map(|min_in_sync| Step::ConfigureCluster { min_in_sync }),
        1 => (any::<bool>(), "[a-z.]{0,20}", prop::option::of(any::<String>())).prop_map(
            |(group, name, value)| Step::ConfigureText { group, name, value }
        ),
        6 => (0u8..5, 0u8..3, any::<u8>(), prop::bool::weighted(0.2)).prop_map(
            |(topic, partition, in_sync, stale)| Step::Report { topic, partition, in_sync, stale }
        ),
        1 => (0..NODES, any::<u16>()).prop_map(|(node, count)| Step::Allocate { node, count }),
        1 => (-1i16..3).prop_map(|level| Step::Update { level }),
        6 => (0u8..5, 0u8..3, 0u8..9, 0u8..40, any::<bool>()).prop_map(
            |(topic, partition, what, offset, stale)| Step::Tier { topic, partition, what, offset, stale }
        ),
        1 => (any::<u8>(), 100u8..110, 0..NODES).prop_map(
            |(which, id, first)| Step::Undelete { which, id, first }
        ),
        2 => (0u8..5, 0u8..3, 0u8..3, 0u8..5, prop::bool::weighted(0.2)).prop_map(
            |(topic, partition, token, expected, stale)| Step::Token { topic, partition, token, expected, stale }
        ),
    ]
}

fn nodes(first: u8, copies: usize) -> Vec<i32> {
    (0..copies).map(|at| i32::try_from((usize::from(first) + at) % usize::from(NODES)).unwrap_or(0)).collect()
}

fn set(name: &str, value: &str, operation: ConfigOperation) -> ConfigChange {
    ConfigChange { name: name.to_owned(), operation, value: Some(value.to_owned()) }
}

/// The command that a step means for the cluster as it is.
fn command(cluster: &Cluster, step: &Step) -> Command {
    let time = TimestampMs(if let Step::Tick(time) = step { *time } else { 0 });
    let topic_at = |topic: u8| cluster.image().topic(NAMES[usize::from(topic)]).cloned();
    let change = match step {
        Step::Tick(_) => Change::Tick,
        Step::Register { node, clean, moved, damage } => register(cluster, *node, *clean, *moved, *damage),
        Step::Fence(node) => Change::FenceBroker(cluster.run(i32::from(*node))),
        Step::Unfence(node) => Change::UnfenceBroker(cluster.run(i32::from(*node))),
        Step::Create { topic, id, partitions, copies, first, setting } => {
            let lists: Vec<Vec<i32>> =
                (0..*partitions).map(|at| nodes(first + at, usize::from(*copies))).collect();
            let lists: Vec<&[i32]> = lists.iter().map(Vec::as_slice).collect();
            let mut new = new_topic(NAMES[usize::from(*topic)], *id, &lists);
            if let Some((name, value)) = SETTINGS.get(usize::from(*setting)) {
                new.configs =
                    vec![ConfigSetting { name: (*name).to_owned(), value: Some((*value).to_owned()) }];
            }
            Change::CreateTopics(vec![new])
        }
        Step::Delete { topic, by_id } => Change::DeleteTopics(vec![match topic_at(*topic) {
            Some(topic) if *by_id => TopicKey::Id(topic.id()),
            _ => TopicKey::Name(name(NAMES[usize::from(*topic)])),
        }]),
        Step::Extend { topic, more, first } => {
            let copies = topic_at(*topic).map_or(1, |topic| topic.replication_factor());
            let lists: Vec<Vec<i32>> = (0..*more).map(|at| nodes(first + at, copies)).collect();
            let lists: Vec<&[i32]> = lists.iter().map(Vec::as_slice).collect();
            let expected = topic_at(*topic).map_or(0, |topic| topic.partition_count());
            let partitions = new_topic("x", 0, &lists).partitions;
            let topic = name(NAMES[usize::from(*topic)]);
            Change::CreatePartitions(vec![NewPartitions { topic, expected, partitions }])
        }
        Step::Configure { topic, setting, operation, replace } => {
            let (setting, value) = SETTINGS[usize::from(*setting) % SETTINGS.len()];
            let operation = ConfigOperation::from_number(i8::try_from(*operation).unwrap_or(0));
            let change = set(setting, value, operation.unwrap_or(ConfigOperation::Set));
            let resource = ConfigResource::Topic(name(NAMES[usize::from(*topic)]));
            Change::AlterConfigs(vec![AlterConfig { resource, replace: *replace, changes: vec![change] }])
        }
        Step::ConfigureCluster { min_in_sync } => {
            let change = set("min.insync.replicas", &min_in_sync.to_string(), ConfigOperation::Set);
            let resource = ConfigResource::Broker(None);
            Change::AlterConfigs(vec![AlterConfig { resource, replace: false, changes: vec![change] }])
        }
        Step::ConfigureText { group, name, value } => {
            let change =
                ConfigChange { name: name.clone(), operation: ConfigOperation::Set, value: value.clone() };
            let resource =
                if *group { ConfigResource::Group(name.clone()) } else { ConfigResource::Broker(None) };
            Change::AlterConfigs(vec![AlterConfig { resource, replace: false, changes: vec![change] }])
        }
        Step::Report { topic, partition, in_sync, stale } => {
            let id = topic_at(*topic).map_or(topic_id(255), |topic| topic.id());
            let at = TopicPartition { topic: id, partition: PartitionIndex(i32::from(*partition)) };
            let in_sync: Vec<i32> =
                (0..NODES).filter(|node| in_sync & (1 << node) != 0).map(i32::from).collect();
            let mut report = cluster.report(at, &in_sync);
            if *stale {
                report.partitions[0].partition_epoch.0 -= 1;
            }
            Change::AlterPartitions(report)
        }
        Step::Allocate { node, count } => Change::AllocateProducerIds(AllocateProducerIds {
            run: cluster.run(i32::from(*node)),
            count: u32::from(*count),
            spare_prefix: ProducerPrefix::new(7).expect("a prefix"),
        }),
        Step::Tier { topic, partition, what, offset, stale } => {
            let id = topic_at(*topic).map_or(topic_id(*offset), |topic| topic.id());
            let at = TopicPartition { topic: id, partition: PartitionIndex(i32::from(*partition)) };
            tier_change(cluster, at, *what, i64::from(*offset), *stale)
        }
        Step::Undelete { which, id, first } => {
            let deleted: Vec<_> = cluster.image().deleted_topics().collect();
            let chosen = usize::from(*which).checked_rem(deleted.len()).map(|at| deleted[at]);
            let (deleted, named, count) = chosen.map_or((topic_id(255), NAMES[0], 1), |deleted| {
                (deleted.id(), deleted.name().as_str(), deleted.partition_count())
            });
            let places = nodes(*first, 1);
            let topic = new_topic(named, *id, &vec![places.as_slice(); count]);
            Change::UndeleteTopic(UndeleteTopic { deleted, topic })
        }
        Step::Token { topic, partition, token, expected, stale } => {
            let id = topic_at(*topic).map_or(topic_id(255), |topic| topic.id());
            let at = TopicPartition { topic: id, partition: PartitionIndex(i32::from(*partition)) };
            let known = cluster.image().partition(at);
            let leader = known.and_then(|partition| partition.leader()).map_or(-1, |leader| leader.0);
            let epoch = known.map_or(LeaderEpoch(0), |partition| partition.leader_epoch());
            let word = |number: u8| (number > 0).then(|| number.to_string().parse().expect("a token"));
            Change::Fence(Fence {
                run: cluster.run(leader),
                partition: at,
                leader_epoch: LeaderEpoch(epoch.0 - i32::from(*stale)),
                token: word(*token),
                condition: if *expected > 2 { FenceIf::Any } else { FenceIf::Is(word(*expected)) },
            })
        }
        Step::Update { level } => Change::UpdateFeatures(vec![FeatureUpdate {
            name: METADATA_FEATURE.to_owned(),
            level: *level,
            allow_downgrade: true,
        }]),
    };
    Command { time, change }
}

/// What a partition's leader, or one that was, does to its tier.
fn tier_change(cluster: &Cluster, at: TopicPartition, what: u8, offset: i64, stale: bool) -> Change {
    let partition = cluster.image().partition(at);
    let leader = partition.and_then(|partition| partition.leader()).map_or(-1, |leader| leader.0);
    let run = cluster.run(leader);
    let leader_epoch = partition.map_or(LeaderEpoch(0), |partition| partition.leader_epoch());
    let leader_epoch = if stale { LeaderEpoch(leader_epoch.0 - 1) } else { leader_epoch };
    let end = cluster.image().tier(at).map_or(Offset(0), |tier| tier.end());
    let moved = |offset| TierMove { partition: at, leader_epoch, offset };
    match what {
        0..=2 => {
            let range = TierRange {
                base: end,
                end: Offset(end.0 + offset + 1),
                bytes: 1,
                footer_bytes: 1,
                max_timestamp: TimestampMs(offset),
                leader_epoch,
                generation: cluster.image().applied(),
                nonce: 0,
                position: 0,
            };
            Change::TierCommit(TierCommit { run, ranges: vec![TierAdd { at: moved(end), range }] })
        }
        3 => Change::TierTrim(TierTrim { run, starts: vec![moved(Offset(end.0 - 20 + offset))] }),
        4 => {
            Change::TierDelete(TierDelete { grace_ms: offset * 20, upto: vec![(at, Offset(end.0 - offset))] })
        }
        5 => Change::TierForget(vec![(at, Offset(end.0 - offset))]),
        6 => {
            let live = cluster.image().tier(at).map_or_else(Vec::new, |tier| tier.live().to_vec());
            let covered = live.get(live.len() / 3..).unwrap_or_default();
            let first = covered.first().map_or(Offset(0), |first| first.base);
            let last = covered.last().map_or(Offset(1), |last| last.end);
            let range = TierRange {
                base: first,
                end: Offset(last.0 + i64::from(offset == 0)),
                bytes: 1,
                footer_bytes: 1,
                max_timestamp: TimestampMs(offset),
                leader_epoch,
                generation: cluster.image().applied(),
                nonce: 1,
                position: 0,
            };
            let stretch = TierStretch { at: moved(first), ranges: vec![range] };
            Change::TierReplace(TierReplace { run, stretches: vec![stretch] })
        }
        7 => {
            let upto = vec![(at, replaced_at(cluster, at, offset))];
            Change::TierDeleteReplaced(TierDeleteReplaced { grace_ms: offset * 20, upto })
        }
        _ => Change::TierForgetReplaced(vec![(at, replaced_at(cluster, at, offset))]),
    }
}

/// The name of one of a partition's replaced ranges, if it has any.
fn replaced_at(cluster: &Cluster, at: TopicPartition, which: i64) -> ObjectKey {
    let replaced = cluster.image().tier(at).map_or_else(Vec::new, |tier| tier.replaced().all().to_vec());
    let place = usize::try_from(which).unwrap_or(0).checked_rem(replaced.len());
    let none = ObjectKey { base: Offset(0), leader_epoch: LeaderEpoch(0), generation: 0, nonce: 0 };
    place.map_or(none, |place| ObjectKey::of(&replaced[place].range))
}

/// A new run of a broker; `damage` picks what recovery found in its replicas, mostly nothing.
fn register(cluster: &Cluster, node: u8, clean: bool, moved: bool, damage: u8) -> Change {
    let number = i32::from(node);
    let incarnation = cluster.image().applied() as u8;
    let mut register = registration(number, incarnation);
    register.clean_epoch = clean.then(|| cluster.run(number).epoch);
    if moved {
        register.directories = vec![directory(number + i32::from(NODES))];
    }
    let found = match damage % 8 {
        0 => Verdict::Corrupt,
        1 => Verdict::Missing,
        2 => Verdict::TornTail,
        _ => Verdict::Clean,
    };
    let hit = |(at, _): &(usize, TopicPartition)| at % 3 == usize::from(damage) % 3;
    let replicas = cluster.state.partitions_on(NodeId(number)).into_iter().enumerate().filter(hit);
    register.verdicts =
        replicas.map(|(_, partition)| RecoveryVerdict { partition, verdict: found }).collect();
    register.verdicts.retain(|found| found.verdict != Verdict::Clean);
    Change::RegisterBroker(register)
}

/// What replicas really hold: how many records were acknowledged, and how many of those each copy has.
#[derive(Default)]
struct Copies {
    acknowledged: BTreeMap<TopicPartition, u64>,
    held: BTreeMap<(TopicPartition, NodeId), u64>,
}

impl Copies {
    /// What happens to files before the command is proposed, or because of it.
    fn before(&mut self, cluster: &Cluster, change: &Change) {
        let Change::RegisterBroker(register) = change else { return };
        let known = cluster.image().broker(register.node);
        let retry = known.is_some_and(|broker| broker.incarnation == register.incarnation);
        if retry {
            return;
        }
        let clean = known.is_some_and(|broker| register.clean_epoch == Some(broker.epoch));
        for at in cluster.state.partitions_on(register.node) {
            let topic = cluster.image().topic_by_id(at.topic).expect("hosted");
            let replica = topic.partition(at.partition).and_then(|partition| {
                partition.replicas().iter().find(|replica| replica.node == register.node)
            });
            let slot = replica.expect("hosted").directory;
            let gone = cluster.image().directory(slot).is_none_or(|id| !register.directories.contains(&id));
            let damaged = register.verdicts.iter().any(|found| {
                found.partition == at && matches!(found.verdict, Verdict::Corrupt | Verdict::Missing)
            });
            let in_memory = !clean && topic.config().durability == Durability::PageCache;
            if gone || damaged || in_memory {
                self.held.insert((at, register.node), 0);
            }
        }
    }

    /// Followers that a leader reports as in sync have copied everything; then one more record is acknowledged
    /// wherever there are enough of them.
    fn after(&mut self, cluster: &Cluster, change: &Change, answer: &Answer) {
        if let (Change::AlterPartitions(alter), Answer::PartitionsAltered(answers)) = (change, answer) {
            for (one, answer) in alter.partitions.iter().zip(answers) {
                if answer.is_ok() {
                    for member in &one.isr {
                        let all = self.acknowledged.get(&one.partition).copied().unwrap_or(0);
                        self.held.insert((one.partition, member.node), all);
                    }
                }
            }
        }
        if let Answer::TopicsDeleted(answers) = answer {
            for gone in answers.iter().flatten() {
                self.acknowledged.retain(|at, _| at.topic != gone.id);
                self.held.retain(|(at, _), _| at.topic != gone.id);
            }
        }
        for topic in cluster.image().topics() {
            for (index, partition) in topic.partitions() {
                let at = topic.at(index);
                self.check(at, partition);
                if partition.leader().is_some() && partition.isr().count() >= topic.min_in_sync(partition) {
                    let all = self.acknowledged.entry(at).or_default();
                    *all += 1;
                    self.held.extend(partition.isr().map(|node| ((at, node), *all)));
                }
            }
        }
    }

    /// A leader has every acknowledged record, unless the state says that it may not.
    fn check(&self, at: TopicPartition, partition: &Partition) {
        let Some(leader) = partition.leader() else { return };
        if partition.recovery() == RecoveryState::Recovering {
            return;
        }
        let all = self.acknowledged.get(&at).copied().unwrap_or(0);
        let held = self.held.get(&(at, leader)).copied().unwrap_or(0);
        let lost = partition.replicas().len() == 1 && held == 0;
        assert!(held == all || lost, "{leader} leads {at} with {held} of {all} records: {partition:?}");
    }
}

/// What holds after every command.
fn check(state: &State) {
    let image = state.image();
    let mut hosted: BTreeMap<NodeId, BTreeSet<_>> = BTreeMap::new();
    let mut names = BTreeSet::new();
    let mut collisions = BTreeSet::new();
    let mut partitions = 0;
    for topic in image.topics() {
        assert!(names.insert(topic.name().clone()));
        assert!(collisions.insert(topic.name().collision_key()));
        assert_eq!(**topic.config(), *image.resolve(topic.name(), topic.overrides()));
        for (index, partition) in topic.partitions() {
            partitions += 1;
            check_partition(state, topic.at(index), partition, topic.min_in_sync(partition));
            for replica in partition.replicas() {
                hosted.entry(replica.node).or_default().insert(topic.id());
            }
        }
    }
    assert!(image.fences.iter().all(|(at, _)| image.partition(*at).is_some()), "of what is there alone");
    assert_eq!(partitions, image.partition_count());
    assert_eq!(names.len(), image.topic_count());
    assert_eq!(hosted, state.hosted);
}

fn check_partition(state: &State, at: TopicPartition, partition: &Partition, min_in_sync: usize) {
    let isr: BTreeSet<NodeId> = partition.isr().collect();
    let elr: BTreeSet<NodeId> = partition.elr().collect();
    let last: BTreeSet<NodeId> = partition.last_known_elr().collect();
    match partition.leader() {
        Some(leader) => assert!(isr.contains(&leader), "the leader is in sync: {partition:?}"),
        None => assert!(isr.is_empty(), "somebody in sync can lead: {partition:?}"),
    }
    for node in &isr {
        let broker = state.image().broker(*node).expect("registered");
        assert!(!broker.fenced && !broker.untrusted.contains(&at), "{node} is live and sound: {partition:?}");
    }
    assert!(isr.is_disjoint(&elr) && isr.is_disjoint(&last) && elr.is_disjoint(&last), "{partition:?}");
    assert!(elr.is_empty() || isr.len() < min_in_sync, "eligible only while nothing is acknowledged");
    assert!(partition.replicas().len() <= 3 || partition.heap_bytes() > 0);
}

/// Epochs of partitions that were there before have not gone back, and moved where anything did.
fn check_epochs(before: &State, after: &State) {
    for topic in before.image().topics() {
        for (index, old) in topic.partitions() {
            let Some(new) = after.image().partition(topic.at(index)) else { continue };
            assert!(new.leader_epoch() >= old.leader_epoch());
            let moved = new.partition_epoch() > old.partition_epoch();
            assert!(moved || new == old, "a change without a new partition epoch: {old:?} {new:?}");
            assert!(new.leader() == old.leader() || new.leader_epoch() > old.leader_epoch());
        }
    }
}

/// What a broker acts on.
fn in_force(topic: &Arc<Topic>) -> (TopicId, &TopicConfig, &Partitions) {
    (topic.id, &topic.config, &topic.partitions)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_history_keeps_the_invariants(steps in prop::collection::vec(step(), 1..120)) {
        let mut cluster = Cluster::with_brokers(i32::from(NODES));
        let mut replayed = cluster.state.clone();
        let mut copies = Copies::default();
        for step in &steps {
            let before = cluster.state.clone();
            let command = command(&cluster, step);
            copies.before(&cluster, &command.change);
            let index = cluster.image().applied() + 1;
            let mut deltas = Vec::new();

            let answer = cluster.state.apply(index, &command, &mut deltas);

            check(&cluster.state);
            check_epochs(&before, &cluster.state);
            copies.after(&cluster, &command.change, &answer);
            let silent = deltas.is_empty();
            let alike = Arc::ptr_eq(&before.image().brokers, &cluster.image().brokers)
                && before.image().topics().map(in_force).eq(cluster.image().topics().map(in_force))
                && before.image().cluster_config == cluster.image().cluster_config
                && before.image().groups == cluster.image().groups
                && before.image().fences == cluster.image().fences;
            prop_assert!(!silent || alike, "changed without a delta: {:?}", command);

            let mut bytes = Vec::new();
            encode_command(&command, &mut bytes);
            let decoded = decode_command(&bytes);
            prop_assert_eq!(decoded.as_ref(), Ok(&command));
            let again = replayed.apply(index, &command, &mut Vec::new());
            prop_assert_eq!(again, answer);
        }
        let bytes = encode_snapshot(cluster.image());
        prop_assert_eq!(&encode_snapshot(replayed.image()), &bytes, "the same commands give the same bytes");
        let loaded = decode_snapshot(&bytes).expect("decodes");
        prop_assert_eq!(&loaded, &cluster.state);
        prop_assert_eq!(encode_snapshot(loaded.image()), bytes);
    }

    #[test]
    fn no_bytes_make_decoding_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 1u8..23) {
        let mut shaped = vec![kind, 1];
        shaped.extend_from_slice(&bytes);
        let _refused = (decode_command(&bytes), decode_command(&shaped));
        let _refused = (decode_snapshot(&bytes), decode_snapshot(&shaped));
    }
}
