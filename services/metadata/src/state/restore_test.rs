//! A restored cluster has its topics, one node, and greater epochs than any life before it.

use std::collections::{BTreeMap, BTreeSet};

use aquifer_manifest::{BundleKey, Tier, TierRange};
use aquifer_types::{ClusterId, LeaderEpoch, NodeId, Offset, TimestampMs, TopicPartition};

use crate::codec::{decode_snapshot, encode_snapshot};
use crate::command::{AllocateProducerIds, Change, TierAdd, TierCommit, TierMove};
use crate::producer_ids::ProducerPrefix;
use crate::state::fixture::{Cluster, directory, name, uuid};
use crate::state::{Restore, State};

fn tier(leader_epoch: i32) -> Tier {
    let mut tier = Tier::new(Offset(0));
    let range = TierRange {
        base: Offset(0),
        end: Offset(10),
        bytes: 1,
        footer_bytes: 1,
        max_timestamp: TimestampMs(0),
        leader_epoch: LeaderEpoch(leader_epoch),
        generation: 1,
        nonce: 0,
        position: 0,
    };
    tier.add(Offset(0), range).expect("the first");
    tier
}

fn restore() -> Restore {
    Restore {
        cluster: ClusterId(uuid(0x50, 1)),
        incarnation: 2,
        node: NodeId(0),
        directory: directory(9),
        producer_prefix: ProducerPrefix::new(77).expect("a prefix"),
        left_out: BTreeSet::new(),
        tiers: BTreeMap::new(),
    }
}

#[test]
fn a_restored_cluster_serves_every_topic_from_its_one_node_whatever_nodes_there_were() {
    let mut before = Cluster::with_brokers(3);
    let wide = before.create("wide.topic", &[2, 1, 0], &[("retention.ms", "5")]);
    let page_cache = before.create("other", &[1], &[("aquifer.durability", "page-cache")]);
    let tiers = BTreeMap::from([(wide, tier(41))]);

    let state = State::restored(before.image(), Restore { tiers, ..restore() });
    let mut cluster = Cluster { state, deltas: Vec::new() };
    let mut registration = crate::state::fixture::registration(0, 200);
    registration.directories = vec![directory(9)];
    cluster.apply(Change::RegisterBroker(registration));
    cluster.apply(Change::UnfenceBroker(cluster.run(0)));

    for at in [wide, page_cache] {
        assert_eq!(cluster.roles(at), (Some(0), vec![0], vec![], vec![]), "{at}");
    }
    assert_eq!(cluster.epochs(wide).0, 42, "above the epoch of the newest range");
    assert_eq!(cluster.epochs(page_cache).0, before.epochs(page_cache).0 + 1);
    let topic = cluster.image().topic("wide.topic").expect("it came back");
    assert_eq!(topic.config().retention_ms, Some(5));
    assert_eq!(cluster.image().tier(wide), Some(&std::sync::Arc::new(tier(41))));
    assert_eq!(cluster.image().cluster(), before.image().cluster());
    assert!(cluster.image().check_new_name(&name("wide_topic")).is_err(), "names collide as before");
}

#[test]
fn new_producers_get_ids_that_none_had_before() {
    let before = Cluster::with_brokers(1);

    let state = State::restored(before.image(), restore());

    let prefixes = state.image().producer_prefixes();
    assert_eq!(prefixes, [before.image().producer_prefixes(), &[restore().producer_prefix]].concat());
    let mut cluster = Cluster { state, deltas: Vec::new() };
    let mut registration = crate::state::fixture::registration(0, 200);
    registration.directories = vec![directory(9)];
    cluster.apply(Change::RegisterBroker(registration));
    let spare_prefix = ProducerPrefix::new(78).expect("a prefix");
    let allocate = AllocateProducerIds { run: cluster.run(0), count: 1, spare_prefix };
    let answer = format!("{:?}", cluster.apply(Change::AllocateProducerIds(allocate)));
    assert!(answer.contains(&format!("{}", 77_i64 << 32)), "{answer}");
}

#[test]
fn topics_can_be_left_out_and_the_incarnation_survives_a_snapshot() {
    let mut before = Cluster::with_brokers(1);
    let left_out = before.create("left", &[0], &[]);
    before.create("kept", &[0], &[]);

    let left_out = BTreeSet::from([left_out.topic]);
    let state = State::restored(before.image(), Restore { left_out, ..restore() });

    assert_eq!((state.image().topic_count(), state.image().incarnation()), (1, 2));
    assert!(state.image().topic("left").is_none());
    assert_eq!(decode_snapshot(&encode_snapshot(state.image())), Ok(state));
    assert_eq!(before.image().incarnation(), 1);
}

#[test]
fn bundles_are_kept_for_what_came_back_and_for_what_did_not() {
    let mut before = Cluster::with_brokers(1);
    let both = [before.create("a", &[0], &[]), before.create("b", &[0], &[])];
    let key = BundleKey::drawn(1, 1 << 12);
    let bundled =
        |place| TierRange { nonce: key.nonce_of(place), position: 16 + place as u32, ..tier(0).ranges()[0] };
    let add = |(place, partition): (usize, TopicPartition)| TierAdd {
        at: TierMove { partition, leader_epoch: LeaderEpoch(0), offset: Offset(0) },
        range: bundled(place),
    };
    let ranges = both.into_iter().enumerate().map(add).collect();
    before.apply(Change::TierCommit(TierCommit { run: before.run(0), ranges }));
    let tier_of = |at| (**before.image().tier(at).expect("committed")).clone();
    let held = |tiers: BTreeMap<_, _>, restore: Restore| {
        let state = State::restored(before.image(), Restore { tiers, ..restore });
        state.image().bundles().map(|(found, held)| (found, held.held())).collect::<Vec<_>>()
    };
    let whole = BTreeMap::from(both.map(|at| (at, tier_of(at))));
    let part = BTreeMap::from([(both[0], tier_of(both[0]))]);
    let copied = BTreeMap::from([(both[0], tier_of(both[0]).by_itself())]);

    assert_eq!(held(whole, restore()), [(key, 2)]);
    assert_eq!(held(part, restore()), [(key, 2)], "the other one may be wanted again");
    assert_eq!(held(copied, restore()), [], "nothing of it is named");
}
