//! Who leads and who is in sync, as brokers stop, come back and lose data.

use aquifer_types::{LeaderEpoch, NodeId, PartitionEpoch};

use crate::answer::{AlterPartitionRefusal, Answer, RunRefusal};
use crate::command::{AlterConfig, Change, ConfigChange, ConfigOperation, RecoveryVerdict, Verdict};
use crate::config::ConfigResource;
use crate::partition::RecoveryState;
use crate::state::fixture::{Cluster, Roles, directory, name, registration};

fn roles(leader: Option<i32>, isr: &[i32], elr: &[i32], last_known: &[i32]) -> Roles {
    (leader, isr.to_vec(), elr.to_vec(), last_known.to_vec())
}

#[test]
fn the_first_live_replica_leads_a_new_partition() {
    let mut cluster = Cluster::with_brokers(3);
    cluster.apply(Change::FenceBroker(cluster.run(1)));

    let at = cluster.create("t", &[1, 2, 0], &[]);

    assert_eq!(cluster.roles(at), roles(Some(2), &[2, 0], &[], &[]));
    assert_eq!(cluster.epochs(at), (0, 0));
}

#[test]
fn fencing_the_leader_elects_the_next_in_sync_replica_in_a_new_epoch() {
    let mut cluster = Cluster::with_brokers(3);
    let at = cluster.create("t", &[0, 1, 2], &[]);

    cluster.apply(Change::FenceBroker(cluster.run(0)));

    assert_eq!(cluster.roles(at), roles(Some(1), &[1, 2], &[], &[]));
    assert_eq!(cluster.epochs(at), (1, 1));
}

#[test]
fn a_replica_that_leaves_below_the_minimum_stays_eligible() {
    let mut cluster = Cluster::with_brokers(2);
    let at = cluster.create("t", &[0, 1], &[]);

    cluster.apply(Change::FenceBroker(cluster.run(1)));
    assert_eq!(cluster.roles(at), roles(Some(0), &[0], &[1], &[]));

    cluster.apply(Change::FenceBroker(cluster.run(0)));
    assert_eq!(cluster.roles(at), roles(None, &[], &[0, 1], &[]));

    cluster.apply(Change::UnfenceBroker(cluster.run(1)));
    assert_eq!(cluster.roles(at), roles(Some(1), &[1], &[0], &[]));
}

#[test]
fn the_only_broker_leads_again_after_a_crash_in_a_new_epoch() {
    let mut cluster = Cluster::with_brokers(1);
    let at = cluster.create("t", &[0], &[]);

    cluster.restart(0, false);
    assert_eq!((cluster.roles(at), cluster.epochs(at)), (roles(None, &[], &[0], &[]), (1, 1)));

    cluster.apply(Change::UnfenceBroker(cluster.run(0)));
    assert_eq!((cluster.roles(at), cluster.epochs(at)), (roles(Some(0), &[0], &[], &[]), (2, 2)));
    assert_eq!(cluster.partition(at).recovery(), RecoveryState::Recovered);
}

#[test]
fn a_page_cache_replica_is_eligible_after_a_clean_stop_only() {
    let page_cache = [("aquifer.durability", "page-cache")];
    for (clean, expected) in [(true, roles(None, &[], &[0, 1], &[])), (false, roles(None, &[], &[1], &[0]))] {
        let mut cluster = Cluster::with_brokers(2);
        let at = cluster.create("t", &[0, 1], &page_cache);
        cluster.apply(Change::FenceBroker(cluster.run(1)));

        cluster.restart(0, clean);

        assert_eq!(cluster.roles(at), expected, "clean: {clean}");
    }
}

#[test]
fn the_sole_copy_of_a_page_cache_partition_leads_after_a_crash_as_recovering() {
    let mut cluster = Cluster::with_brokers(1);
    let at = cluster.create("t", &[0], &[("aquifer.durability", "page-cache")]);

    cluster.restart(0, false);
    cluster.apply(Change::UnfenceBroker(cluster.run(0)));

    assert_eq!(cluster.roles(at), roles(Some(0), &[0], &[], &[]));
    assert_eq!(cluster.partition(at).recovery(), RecoveryState::Recovering);

    let answer = cluster.apply(Change::AlterPartitions(cluster.report(at, &[0])));
    assert!(matches!(answer, Answer::PartitionsAltered(answers) if answers[0].is_ok()));
    assert_eq!(cluster.partition(at).recovery(), RecoveryState::Recovered);
}

#[test]
fn a_damaged_replica_does_not_lead_even_if_it_is_the_only_one() {
    for verdict in [Verdict::Corrupt, Verdict::Missing] {
        let mut cluster = Cluster::with_brokers(1);
        let at = cluster.create("t", &[0], &[]);
        let mut damaged = registration(0, 9);
        damaged.verdicts = vec![RecoveryVerdict { partition: at, verdict }];

        cluster.apply(Change::RegisterBroker(damaged));
        cluster.apply(Change::UnfenceBroker(cluster.run(0)));
        assert_eq!(cluster.roles(at), roles(None, &[], &[], &[0]));

        cluster.restart(0, true);
        cluster.apply(Change::UnfenceBroker(cluster.run(0)));
        assert_eq!(cluster.roles(at), roles(Some(0), &[0], &[], &[]), "sound again after {verdict:?}");
    }
}

#[test]
fn a_torn_tail_takes_nothing_from_a_flushed_replica() {
    let mut cluster = Cluster::with_brokers(1);
    let at = cluster.create("t", &[0], &[]);
    let mut torn = registration(0, 9);
    torn.verdicts = vec![RecoveryVerdict { partition: at, verdict: Verdict::TornTail }];

    cluster.apply(Change::RegisterBroker(torn));

    assert_eq!(cluster.roles(at), roles(None, &[], &[0], &[]));
}

#[test]
fn a_replica_whose_directory_is_gone_does_not_lead_until_it_is_back() {
    let mut cluster = Cluster::with_brokers(1);
    let at = cluster.create("t", &[0], &[]);
    let mut elsewhere = registration(0, 9);
    elsewhere.directories = vec![directory(7)];

    cluster.apply(Change::RegisterBroker(elsewhere));
    cluster.apply(Change::UnfenceBroker(cluster.run(0)));
    assert_eq!(cluster.roles(at), roles(None, &[], &[], &[0]));

    cluster.restart(0, true);
    cluster.apply(Change::UnfenceBroker(cluster.run(0)));
    assert_eq!(cluster.roles(at).0, Some(0));
}

#[test]
fn several_copies_that_all_crashed_in_the_page_cache_wait_for_an_operator() {
    let mut cluster = Cluster::with_brokers(2);
    let at = cluster.create("t", &[0, 1], &[("aquifer.durability", "page-cache")]);

    for node in [0, 1] {
        cluster.restart(node, false);
    }
    for node in [0, 1] {
        cluster.apply(Change::UnfenceBroker(cluster.run(node)));
    }

    assert_eq!(cluster.roles(at), roles(None, &[], &[], &[0, 1]));
}

#[test]
fn a_replica_that_caught_up_joins_and_what_was_found_in_it_is_forgotten() {
    let mut cluster = Cluster::with_brokers(2);
    let at = cluster.create("t", &[0, 1], &[]);
    let mut damaged = registration(1, 9);
    damaged.verdicts = vec![RecoveryVerdict { partition: at, verdict: Verdict::Corrupt }];
    cluster.apply(Change::RegisterBroker(damaged));
    cluster.apply(Change::UnfenceBroker(cluster.run(1)));
    assert_eq!(cluster.roles(at), roles(Some(0), &[0], &[], &[1]));

    cluster.apply(Change::AlterPartitions(cluster.report(at, &[0, 1])));

    assert_eq!(cluster.roles(at), roles(Some(0), &[0, 1], &[], &[]));
    assert!(cluster.image().broker(NodeId(1)).expect("registered").untrusted.is_empty());
    cluster.apply(Change::FenceBroker(cluster.run(0)));
    assert_eq!(cluster.roles(at).0, Some(1));
}

#[test]
fn lowering_the_minimum_forgets_who_was_eligible() {
    let mut cluster = Cluster::with_brokers(2);
    let at = cluster.create("t", &[0, 1], &[]);
    cluster.apply(Change::FenceBroker(cluster.run(1)));

    let set = ConfigChange {
        name: "min.insync.replicas".to_owned(),
        operation: ConfigOperation::Set,
        value: Some("1".to_owned()),
    };
    let resource = ConfigResource::Topic(name("t"));
    cluster.apply(Change::AlterConfigs(vec![AlterConfig { resource, replace: false, changes: vec![set] }]));

    assert_eq!(cluster.roles(at), roles(Some(0), &[0], &[], &[]), "0 acknowledges alone from here on");
}

#[test]
fn reports_that_were_overtaken_change_nothing() {
    let mut cluster = Cluster::with_brokers(3);
    let at = cluster.create("t", &[0, 1, 2], &[]);
    let shrink = cluster.report(at, &[0, 1]);

    let first = cluster.apply(Change::AlterPartitions(shrink.clone()));
    let second = cluster.apply(Change::AlterPartitions(shrink));

    assert!(matches!(first, Answer::PartitionsAltered(answers) if answers[0].is_ok()));
    let refusal =
        AlterPartitionRefusal::PartitionEpoch { current: PartitionEpoch(1), named: PartitionEpoch(0) };
    assert_eq!(second, Answer::PartitionsAltered(vec![Err(refusal)]));
    assert!(cluster.deltas.is_empty());
}

#[test]
fn reports_that_must_not_be_believed_are_refused() {
    let mut cluster = Cluster::with_brokers(3);
    let at = cluster.create("t", &[0, 1], &[]);
    let good = cluster.report(at, &[0, 1]);
    let answer_to = |cluster: &mut Cluster, report| match cluster.apply(Change::AlterPartitions(report)) {
        Answer::PartitionsAltered(mut answers) => answers.remove(0).map(|_| ()),
        other => panic!("{other:?}"),
    };

    let mut not_leader = good.clone();
    not_leader.run = cluster.run(1);
    assert_eq!(answer_to(&mut cluster, not_leader), Err(AlterPartitionRefusal::NotLeader(NodeId(1))));

    let mut old_epoch = good.clone();
    old_epoch.partitions[0].leader_epoch = LeaderEpoch(-1);
    let refusal = AlterPartitionRefusal::LeaderEpoch { current: LeaderEpoch(0), named: LeaderEpoch(-1) };
    assert_eq!(answer_to(&mut cluster, old_epoch), Err(refusal));

    for isr in [&[1][..], &[0, 2], &[0, 0], &[]] {
        let report = cluster.report(at, isr);
        assert_eq!(answer_to(&mut cluster, report), Err(AlterPartitionRefusal::InSyncSet), "{isr:?}");
    }

    let mut old_run = good.clone();
    old_run.partitions[0].isr[1].epoch.0 -= 1;
    assert_eq!(answer_to(&mut cluster, old_run), Err(AlterPartitionRefusal::Ineligible(NodeId(1))));

    let mut backwards = good.clone();
    backwards.partitions[0].recovery = RecoveryState::Recovering;
    assert_eq!(answer_to(&mut cluster, backwards), Err(AlterPartitionRefusal::Recovery));

    let old = good.run.epoch;
    cluster.restart(0, true);
    let current = cluster.run(0).epoch;
    assert!(current > old);
    let refusal = AlterPartitionRefusal::Run(RunRefusal::Stale { node: NodeId(0), current });
    assert_eq!(answer_to(&mut cluster, good), Err(refusal));
}
