//! Commands, what they answer and what they change, one behaviour at a time.

use aquifer_types::{BrokerEpoch, ClusterId, NodeId, ProducerId, TimestampMs, TopicId};

use crate::answer::{
    AlterConfigRefusal, Answer, CreatePartitionsRefusal, CreateTopicRefusal, DeletedTopic, FeatureRefusal,
    InitRefusal, PartitionCountRefusal, PlacementRefusal, RegisterRefusal, RunRefusal, UnknownTopic,
};
use crate::command::{
    AlterConfig, BrokerRun, Change, Command, ConfigChange, ConfigOperation, ConfigSetting, FeatureUpdate,
    NewPartitions, NewTopic, TopicKey,
};
use crate::config::{ConfigResource, InvalidConfig};
use crate::delta::Delta;
use crate::features::METADATA_FEATURE;
use crate::producer_ids::{ProducerIdBlock, ProducerPrefix};
use crate::state::State;
use crate::state::check::PARTITIONS_PER_TOPIC_MAX;
use crate::state::fixture::{Cluster, directory, init, name, new_topic, registration, topic_id, uuid};

fn created(cluster: &mut Cluster, topic: NewTopic) -> Result<(), CreateTopicRefusal> {
    match cluster.apply(Change::CreateTopics(vec![topic])) {
        Answer::TopicsCreated(mut answers) => answers.remove(0),
        other => panic!("{other:?}"),
    }
}

fn set(name: &str, value: &str) -> ConfigChange {
    ConfigChange { name: name.to_owned(), operation: ConfigOperation::Set, value: Some(value.to_owned()) }
}

fn altered(
    cluster: &mut Cluster,
    resource: ConfigResource,
    change: ConfigChange,
) -> Result<(), AlterConfigRefusal> {
    let alter = AlterConfig { resource, replace: false, changes: vec![change] };
    match cluster.apply(Change::AlterConfigs(vec![alter])) {
        Answer::ConfigsAltered(mut answers) => answers.remove(0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cluster_is_initialized_once() {
    let mut cluster = Cluster::with_brokers(0);
    let Change::InitCluster(mut other) = init() else { unreachable!("is an init") };
    other.cluster = ClusterId(uuid(0x51, 1));

    assert_eq!(cluster.apply(init()), Answer::ClusterInitialized(Ok(())), "a retry");
    let refusal = InitRefusal::Initialized(ClusterId(uuid(0x50, 1)));
    assert_eq!(cluster.apply(Change::InitCluster(other)), Answer::ClusterInitialized(Err(refusal)));
}

#[test]
fn the_clusters_time_never_goes_back() {
    let mut state = State::new();
    for (index, time) in [(1, 5), (2, 9), (3, 7)] {
        state.apply(index, &Command { time: TimestampMs(time), change: Change::Tick }, &mut Vec::new());
    }

    assert_eq!(state.image().time(), TimestampMs(9));
}

#[test]
#[should_panic(expected = "was applied after")]
fn an_index_that_comes_twice_stops_the_node() {
    let mut state = State::new();
    for _ in 0..2 {
        state.apply(1, &Command { time: TimestampMs(0), change: Change::Tick }, &mut Vec::new());
    }
}

#[test]
fn the_index_of_a_registration_is_the_broker_epoch_and_a_retry_gets_it_again() {
    let mut cluster = Cluster::with_brokers(0);

    let first = cluster.apply(Change::RegisterBroker(registration(3, 1)));
    let retry = cluster.apply(Change::RegisterBroker(registration(3, 1)));
    let next = cluster.apply(Change::RegisterBroker(registration(3, 2)));

    assert_eq!(first, Answer::BrokerRegistered(Ok(BrokerEpoch(2))));
    assert_eq!(retry, first);
    assert_eq!(next, Answer::BrokerRegistered(Ok(BrokerEpoch(4))));
    assert!(cluster.image().broker(NodeId(3)).expect("registered").fenced);
}

#[test]
fn registrations_that_cannot_be_are_refused() {
    let mut cluster = Cluster::with_brokers(1);
    let mut taken = registration(1, 5);
    taken.directories = vec![directory(0)];
    let mut bare = registration(1, 5);
    bare.endpoints.clear();
    let mut twice = registration(1, 5);
    twice.endpoints.push(twice.endpoints[0].clone());

    let owned = RegisterRefusal::DirectoryOwned { directory: directory(0).to_string(), owner: NodeId(0) };
    for (register, refusal) in [
        (taken, owned),
        (bare, RegisterRefusal::Incomplete),
        (twice, RegisterRefusal::Twice("client".to_owned())),
        (registration(1, 5).clone(), RegisterRefusal::NodeId(NodeId(-1))),
    ] {
        let mut register = register;
        if refusal == RegisterRefusal::NodeId(NodeId(-1)) {
            register.node = NodeId(-1);
        }
        assert_eq!(cluster.apply(Change::RegisterBroker(register)), Answer::BrokerRegistered(Err(refusal)));
    }
}

#[test]
fn only_the_current_run_of_a_broker_is_heard() {
    let mut cluster = Cluster::with_brokers(1);
    let stale = BrokerRun { node: NodeId(0), epoch: BrokerEpoch(1) };
    let unknown = BrokerRun { node: NodeId(9), epoch: BrokerEpoch(1) };

    let current = cluster.run(0).epoch;
    let refusal = RunRefusal::Stale { node: NodeId(0), current };
    assert_eq!(cluster.apply(Change::FenceBroker(stale)), Answer::BrokerFenced(Err(refusal)));
    let refusal = RunRefusal::Unknown(NodeId(9));
    assert_eq!(cluster.apply(Change::UnfenceBroker(unknown)), Answer::BrokerUnfenced(Err(refusal)));
}

#[test]
fn a_topic_that_was_made_is_found_by_name_and_by_id() {
    let mut cluster = Cluster::with_brokers(3);

    let answer = created(&mut cluster, new_topic("orders", 1, &[&[0, 1], &[1, 2]]));

    assert_eq!(answer, Ok(()));
    assert_eq!(cluster.deltas, [Delta::TopicCreated(topic_id(1))]);
    let topic = cluster.image().topic("orders").expect("exists");
    assert_eq!((topic.partition_count(), topic.replication_factor()), (2, 2));
    assert!(std::ptr::eq(&**topic, &**cluster.image().topic_by_id(topic_id(1)).expect("exists")));
    let retried = created(&mut cluster, new_topic("orders", 1, &[&[0, 1], &[1, 2]]));
    assert_eq!((retried, cluster.deltas.len()), (Ok(()), 0), "the same id is a retry");
}

#[test]
fn topics_that_cannot_be_are_refused_and_change_nothing() {
    let mut cluster = Cluster::with_brokers(2);
    cluster.apply(Change::FenceBroker(cluster.run(1)));
    assert_eq!(created(&mut cluster, new_topic("a.b", 1, &[&[0]])), Ok(()));
    let mut elsewhere = new_topic("t", 2, &[&[0]]);
    elsewhere.partitions[0].0[0].directory = directory(1);
    let mut unknown_config = new_topic("t", 2, &[&[0]]);
    unknown_config.configs = vec![ConfigSetting { name: "no".to_owned(), value: Some("1".to_owned()) }];
    let mut huge = new_topic("t", 2, &[&[0]]);
    huge.partitions = vec![huge.partitions[0].clone(); PARTITIONS_PER_TOPIC_MAX + 1];
    let before = cluster.image().clone();

    let collides = CreateTopicRefusal::Collides { name: name("a_b"), existing: name("a.b") };
    for (topic, refusal) in [
        (new_topic("a.b", 2, &[&[0]]), CreateTopicRefusal::Exists(name("a.b"))),
        (new_topic("a_b", 2, &[&[0]]), collides),
        (new_topic("t", 1, &[&[0]]), CreateTopicRefusal::IdUsed(topic_id(1))),
        (new_topic("t", 2, &[]), PartitionCountRefusal::None.into()),
        (huge, PartitionCountRefusal::OfTopic(PARTITIONS_PER_TOPIC_MAX).into()),
        (new_topic("t", 2, &[&[0], &[]]), PlacementRefusal::Empty(1).into()),
        (new_topic("t", 2, &[&[0], &[0, 1]]), PlacementRefusal::Uneven(1).into()),
        (new_topic("t", 2, &[&[0, 0]]), PlacementRefusal::Twice { partition: 0, node: NodeId(0) }.into()),
        (new_topic("t", 2, &[&[7]]), PlacementRefusal::UnknownNode(NodeId(7)).into()),
        (elsewhere, PlacementRefusal::UnknownDirectory(NodeId(0)).into()),
        (new_topic("t", 2, &[&[1]]), PlacementRefusal::NoneLive(0).into()),
        (unknown_config, AlterConfigRefusal::Invalid(InvalidConfig::Unknown("no".to_owned())).into()),
    ] {
        assert_eq!(cluster.image().check_new_topic(&topic).map(|_| ()), Err(refusal.clone()));
        assert_eq!(created(&mut cluster, topic), Err(refusal));
    }
    let mut after = cluster.image().clone();
    after.applied = before.applied;
    assert_eq!(after, before);
}

#[test]
fn a_deleted_topic_is_gone_and_its_name_is_free() {
    let mut cluster = Cluster::with_brokers(1);
    let keys = [TopicKey::Name(name("a.b")), TopicKey::Id(topic_id(2))];
    for (number, key) in (1..).zip(keys) {
        assert_eq!(created(&mut cluster, new_topic("a.b", number, &[&[0], &[0]])), Ok(()));

        let answer = cluster.apply(Change::DeleteTopics(vec![key.clone(), key]));

        let deleted = DeletedTopic { id: topic_id(number), name: name("a.b") };
        assert_eq!(answer, Answer::TopicsDeleted(vec![Ok(deleted), Err(UnknownTopic)]));
        assert_eq!(cluster.deltas, [Delta::TopicDeleted { id: topic_id(number), name: name("a.b") }]);
        assert_eq!((cluster.image().topic_count(), cluster.image().partition_count()), (0, 0));
    }
    assert_eq!(created(&mut cluster, new_topic("a_b", 3, &[&[0]])), Ok(()), "nothing left to collide with");
}

#[test]
fn partitions_are_added_only_to_what_the_proposer_saw() {
    let mut cluster = Cluster::with_brokers(2);
    cluster.create("t", &[0, 1], &[]);
    let placements = new_topic("x", 9, &[&[1, 0], &[0, 1]]).partitions;
    let new = NewPartitions { topic: name("t"), expected: 1, partitions: placements };

    let first = cluster.apply(Change::CreatePartitions(vec![new.clone()]));
    let deltas = cluster.deltas.clone();
    let again = cluster.apply(Change::CreatePartitions(vec![new.clone()]));

    let topic = cluster.image().topic("t").expect("exists");
    assert_eq!(first, Answer::PartitionsCreated(vec![Ok(())]));
    assert_eq!(deltas, [Delta::PartitionsAdded { topic: topic.id(), from: 1 }]);
    assert_eq!(topic.partition_count(), new.upto().0);
    let refusal = CreatePartitionsRefusal::Changed { current: 3, expected: 1 };
    assert_eq!(again, Answer::PartitionsCreated(vec![Err(refusal)]));
}

#[test]
fn added_partitions_have_as_many_copies_as_the_first() {
    let mut cluster = Cluster::with_brokers(2);
    cluster.create("t", &[0, 1], &[]);
    let partitions = new_topic("x", 9, &[&[1]]).partitions;

    let new = NewPartitions { topic: name("t"), expected: 1, partitions };

    let refusal = PlacementRefusal::Uneven(1).into();
    assert_eq!(
        cluster.apply(Change::CreatePartitions(vec![new])),
        Answer::PartitionsCreated(vec![Err(refusal)])
    );
}

#[test]
fn a_topics_config_is_resolved_when_it_or_the_clusters_changes() {
    let mut cluster = Cluster::with_brokers(1);
    let at = cluster.create("t", &[0], &[]);
    let other = cluster.create("u", &[0], &[("retention.ms", "7")]);

    assert_eq!(altered(&mut cluster, ConfigResource::Broker(None), set("log.retention.ms", "5")), Ok(()));
    assert_eq!(cluster.deltas, [Delta::ClusterConfigChanged, Delta::TopicConfigChanged(at.topic)]);
    assert_eq!(altered(&mut cluster, ConfigResource::Topic(name("t")), set("retention.ms", "6")), Ok(()));
    assert_eq!(cluster.deltas, [Delta::TopicConfigChanged(at.topic)]);

    let retention = |id: TopicId| cluster.image().topic_by_id(id).expect("exists").config().retention_ms;
    assert_eq!((retention(at.topic), retention(other.topic)), (Some(6), Some(7)));
}

#[test]
fn configs_that_cannot_be_are_refused() {
    let mut cluster = Cluster::with_brokers(1);
    cluster.create("__ours", &[0], &[]);
    let group = |name: &str| ConfigResource::Group(name.to_owned());
    let page_cache = set("aquifer.durability", "page-cache");

    for (resource, change, refusal) in [
        (
            ConfigResource::Topic(name("none")),
            set("retention.ms", "5"),
            AlterConfigRefusal::UnknownTopic(UnknownTopic),
        ),
        (
            ConfigResource::Topic(name("__ours")),
            page_cache,
            AlterConfigRefusal::Invalid(InvalidConfig::Internal("aquifer.durability")),
        ),
        (
            ConfigResource::Broker(Some(NodeId(0))),
            set("log.retention.ms", "5"),
            AlterConfigRefusal::ClusterWide("log.retention.ms"),
        ),
        (group(""), set("consumer.session.timeout.ms", "5"), AlterConfigRefusal::GroupId(1024)),
        (
            group("g"),
            set("retention.ms", "5"),
            AlterConfigRefusal::Invalid(InvalidConfig::Unknown("retention.ms".to_owned())),
        ),
    ] {
        assert_eq!(altered(&mut cluster, resource, change), Err(refusal));
    }
}

#[test]
fn a_group_has_configs_until_the_last_is_deleted() {
    let mut cluster = Cluster::with_brokers(0);
    let group = || ConfigResource::Group("g".to_owned());
    let delete = ConfigChange {
        name: "consumer.session.timeout.ms".to_owned(),
        operation: ConfigOperation::Delete,
        value: None,
    };

    assert_eq!(altered(&mut cluster, group(), set("consumer.session.timeout.ms", "60000")), Ok(()));
    assert_eq!(cluster.image().configured_groups().collect::<Vec<_>>(), ["g"]);
    assert_eq!(altered(&mut cluster, group(), delete), Ok(()));
    assert_eq!(cluster.image().configured_groups().count(), 0);
}

#[test]
fn producer_id_blocks_follow_each_other_under_the_clusters_prefix() {
    let mut cluster = Cluster::with_brokers(1);
    let spare_prefix = ProducerPrefix::new(7).expect("a prefix");
    let allocate = |run, count| {
        Change::AllocateProducerIds(crate::command::AllocateProducerIds { run, count, spare_prefix })
    };
    let first = 0xabcde << 32;

    for at in [0, 1000] {
        let run = cluster.run(0);
        let block = ProducerIdBlock { first: ProducerId(first + at), end: ProducerId(first + at + 1000) };
        assert_eq!(cluster.apply(allocate(run, 1000)), Answer::ProducerIdsAllocated(Ok(block)));
    }
}

#[test]
fn levels_move_within_what_is_known() {
    let mut cluster = Cluster::with_brokers(0);
    let update = |name: &str, level| FeatureUpdate { name: name.to_owned(), level, allow_downgrade: false };
    let epoch = cluster.image().features_epoch();

    let answer = cluster.apply(Change::UpdateFeatures(vec![
        update(METADATA_FEATURE, 1),
        update(METADATA_FEATURE, 2),
        update("no", 1),
    ]));

    let too_high = FeatureRefusal::Level { name: METADATA_FEATURE.to_owned(), level: 2, min: 1, max: 1 };
    let unknown = FeatureRefusal::Unknown("no".to_owned());
    assert_eq!(answer, Answer::FeaturesUpdated(vec![Ok(()), Err(too_high), Err(unknown)]));
    assert_eq!(cluster.image().features().collect::<Vec<_>>(), [(METADATA_FEATURE, 1)]);
    assert_eq!(cluster.image().features_epoch(), epoch, "nothing changed");
}

#[test]
fn an_image_does_not_see_what_comes_after_it() {
    let mut cluster = Cluster::with_brokers(1);
    let at = cluster.create("t", &[0], &[]);
    let before = cluster.image().clone();

    cluster.apply(Change::FenceBroker(cluster.run(0)));
    cluster.apply(Change::DeleteTopics(vec![TopicKey::Name(name("t"))]));

    assert_eq!(before.partition(at).and_then(|partition| partition.leader()), Some(NodeId(0)));
    assert_eq!(before.live_brokers().count(), 1);
}
