//! The cluster, its quorum, directories, coordinators and features.

use aquifer_metadata::Change;
use aquifer_record::{BatchBuilder, Encoding, NewRecord};
use aquifer_types::TimestampMs;
use aquifer_wire::messages::describe_log_dirs_request::DescribableLogDirTopic;
use aquifer_wire::messages::describe_quorum_request::{PartitionData, TopicData};
use aquifer_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use aquifer_wire::messages::update_features_request::FeatureUpdateKey;
use aquifer_wire::messages::{
    DescribeClusterRequest, DescribeLogDirsRequest, DescribeQuorumRequest, FindCoordinatorRequest,
    MetadataRequest, ProduceRequest, UpdateFeaturesRequest,
};
use aquifer_wire::{ErrorCode, Records, Text};

use crate::harness::{CLUSTER, Client, DIRECTORY, Node, OUTSIDE, text};

#[test]
fn callers_are_told_the_addresses_of_their_own_listener() {
    let node = Node::start();
    let own = ("127.0.0.1".to_owned(), i32::from(node.address().port()));
    let outside = (OUTSIDE.0.to_owned(), i32::from(OUTSIDE.1));

    for (mut client, address) in [(node.client(), own), (node.outside_client(), outside)] {
        let cluster = client.ask_newest(&DescribeClusterRequest::default());
        let metadata = client.ask_newest(&MetadataRequest::default());
        let coordinators = client.ask_newest(&FindCoordinatorRequest {
            coordinator_keys: vec![text("g")],
            ..FindCoordinatorRequest::default()
        });

        let known = &cluster.brokers[0];
        assert_eq!((known.host.to_string(), known.port), address);
        let known = &metadata.brokers[0];
        assert_eq!((known.host.to_string(), known.port), address);
        let coordinator = &coordinators.coordinators[0];
        assert_eq!((coordinator.host.to_string(), coordinator.port), address);
    }
}

#[test]
fn the_cluster_tells_its_id_controller_and_operations() {
    let node = Node::start();
    let mut client = node.client();
    let request = DescribeClusterRequest::default();
    let asking = DescribeClusterRequest { include_cluster_authorized_operations: true, ..request.clone() };

    let told = client.ask_newest(&request);
    let told_more = client.ask_newest(&asking);

    assert_eq!((told.cluster_id.to_string(), told.controller_id), (CLUSTER.to_string(), 0));
    assert_eq!((told.cluster_authorized_operations, told.endpoint_type), (i32::MIN, 1));
    assert_eq!(told_more.cluster_authorized_operations, 8096);
}

#[test]
fn fenced_brokers_are_told_only_when_asked() {
    let node = Node::start();
    let run = node.register_fenced(7);
    let mut client = node.client();
    let request = DescribeClusterRequest::default();
    let asking = DescribeClusterRequest { include_fenced_brokers: true, ..request.clone() };
    let mut known = |request: &DescribeClusterRequest| {
        let brokers = client.ask_newest(request).brokers.into_iter();
        brokers.map(|broker| (broker.broker_id, broker.is_fenced)).collect::<Vec<_>>()
    };

    assert_eq!(known(&request), [(0, false)]);
    assert_eq!(known(&asking), [(0, false), (7, true)]);
    node.propose(Change::UnfenceBroker(run));
    assert_eq!(known(&request), [(0, false), (7, false)]);
}

#[test]
fn a_broker_gives_no_addresses_of_controllers() {
    let node = Node::start();
    let mut client = node.client();
    let mut ask = |endpoint_type| {
        let request = DescribeClusterRequest { endpoint_type, ..DescribeClusterRequest::default() };
        let answer = client.ask_newest(&request);
        (answer.error_code, answer.error_message.is_some())
    };

    assert_eq!(ask(2), (ErrorCode::MISMATCHED_ENDPOINT_TYPE, true));
    assert_eq!(ask(9), (ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, true));
}

fn quorum_of(topic_name: &'static str, partition_index: i32) -> DescribeQuorumRequest {
    let partitions = vec![PartitionData { partition_index }];
    DescribeQuorumRequest { topics: vec![TopicData { topic_name: text(topic_name), partitions }] }
}

#[test]
fn the_quorum_tells_leader_voters_and_how_far_its_log_is() {
    let node = Node::start();
    let mut client = node.client();
    client.create("t", 1);

    let answer = client.ask_newest(&quorum_of("__cluster_metadata", 0));

    let partition = &answer.topics[0].partitions[0];
    let metrics = node.quorum.metrics();
    assert_eq!((partition.error_code, partition.leader_id), (ErrorCode::NONE, 0));
    assert_eq!(u64::try_from(partition.leader_epoch), Ok(metrics.term));
    let end = i64::try_from(metrics.committed.expect("a topic was made") + 1).expect("small");
    assert_eq!(partition.high_watermark, end);
    let voter = &partition.current_voters[0];
    assert_eq!((voter.replica_id, voter.replica_directory_id, voter.log_end_offset), (0, DIRECTORY.0, end));
    assert!(voter.last_caught_up_timestamp > 0);
    assert_eq!(answer.nodes[0].listeners.len(), 2);
}

#[test]
fn nothing_else_has_a_quorum() {
    let node = Node::start();
    let mut client = node.client();

    for (topic, partition) in [("__cluster_metadata", 1), ("t", 0)] {
        let answer = client.ask_newest(&quorum_of(topic, partition));

        let refused = &answer.topics[0].partitions[0];
        assert_eq!(refused.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
}

fn produce(client: &mut Client, topic: &'static str) -> i64 {
    let mut batch = BatchBuilder::new(Encoding::default());
    let record = NewRecord { value: Some(b"value"), timestamp: TimestampMs(1), ..NewRecord::default() };
    batch.push(&record).expect("a small record");
    let batch = batch.build().expect("a small batch");
    let bytes = i64::try_from(batch.len()).expect("small");
    let partition = PartitionProduceData { index: 0, records: Some(Records::Bytes(batch.into())) };
    let topic_data = TopicProduceData {
        name: text(topic),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 60_000,
        topic_data: vec![topic_data],
        ..ProduceRequest::default()
    };
    let answer = client.ask(12, &request);
    assert_eq!(answer.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
    bytes
}

/// Partitions of a topic, and the bytes of each.
type Sizes = Vec<(String, Vec<(i32, i64)>)>;

fn sizes(client: &mut Client, topics: Option<&[(&'static str, &[i32])]>) -> Sizes {
    let asked = |(name, partitions): &(&'static str, &[i32])| DescribableLogDirTopic {
        topic: text(name),
        partitions: partitions.to_vec(),
    };
    let topics = topics.map(|topics| topics.iter().map(asked).collect());
    let answer = client.ask_newest(&DescribeLogDirsRequest { topics });
    let result = answer.results.into_iter().next().expect("one directory");
    assert_eq!((answer.error_code, result.error_code), (ErrorCode::NONE, ErrorCode::NONE));
    assert!(0 < result.usable_bytes && result.usable_bytes <= result.total_bytes);
    let topics = result.topics.into_iter().map(|topic| {
        let sizes = topic.partitions.iter().map(|told| (told.partition_index, told.partition_size));
        (topic.name.to_string(), sizes.collect())
    });
    topics.collect()
}

#[test]
fn the_directory_tells_its_replicas_and_what_each_takes() {
    let node = Node::start();
    let mut client = node.client();
    client.create("t", 2);
    client.create("u", 1);
    let bytes = produce(&mut client, "t");
    let at = |name: &str, sizes: &[(i32, i64)]| (name.to_owned(), sizes.to_vec());

    assert_eq!(sizes(&mut client, None), [at("t", &[(0, bytes), (1, 0)]), at("u", &[(0, 0)])]);
    assert_eq!(
        sizes(&mut client, Some(&[("t", &[1, 5]), ("none", &[0]), ("t", &[1])])),
        [at("t", &[(1, 0)])]
    );
    assert_eq!(sizes(&mut client, Some(&[])), []);
    let answer = client.ask_newest(&DescribeLogDirsRequest { topics: None });
    assert_eq!(answer.results[0].log_dir, *node.folder.path().display().to_string());
}

#[test]
fn a_group_has_a_coordinator_and_transactions_have_none() {
    let node = Node::start();
    let mut client = node.client();
    let mut ask = |version, key_type| {
        let request = FindCoordinatorRequest {
            key: if version < 4 { text("k") } else { Text::EMPTY },
            key_type,
            coordinator_keys: if version < 4 { Vec::new() } else { vec![text("k"), text("l")] },
        };
        let answer = client.ask(version, &request);
        if version < 4 {
            return vec![(answer.node_id, answer.error_code)];
        }
        answer.coordinators.iter().map(|found| (found.node_id, found.error_code)).collect()
    };

    assert_eq!(ask(0, 0), [(0, ErrorCode::NONE)]);
    assert_eq!(ask(3, 0), [(0, ErrorCode::NONE)]);
    assert_eq!(ask(6, 0), [(0, ErrorCode::NONE); 2]);
    assert_eq!(ask(3, 1), [(-1, ErrorCode::INVALID_REQUEST)]);
    assert_eq!(ask(6, 1), [(-1, ErrorCode::INVALID_REQUEST); 2]);
    assert_eq!(ask(6, 2), [(-1, ErrorCode::INVALID_REQUEST); 2]);
    assert_eq!(ask(6, 9), [(-1, ErrorCode::INVALID_REQUEST); 2]);
}

#[test]
fn features_move_to_levels_that_exist_and_only_all_together() {
    let node = Node::start();
    let mut client = node.client();
    let update = |feature, max_version_level, upgrade_type| FeatureUpdateKey {
        feature: text(feature),
        max_version_level,
        upgrade_type,
        ..FeatureUpdateKey::default()
    };
    let mut ask = |version, feature_updates: Vec<FeatureUpdateKey>| {
        let request = UpdateFeaturesRequest { feature_updates, ..UpdateFeaturesRequest::default() };
        let answer = client.ask(version, &request);
        assert_eq!(answer.error_message.is_none(), answer.error_code.is_none());
        (answer.error_code, answer.results.len())
    };
    let good = || update("aquifer.metadata", 1, 1);

    assert_eq!(ask(1, vec![good()]), (ErrorCode::NONE, 1));
    assert_eq!(ask(2, vec![good()]), (ErrorCode::NONE, 0));
    assert_eq!(ask(2, vec![update("aquifer.metadata", 99, 1)]), (ErrorCode::INVALID_UPDATE_VERSION, 0));
    assert_eq!(ask(2, vec![update("aquifer.metadata", 0, 3)]), (ErrorCode::INVALID_UPDATE_VERSION, 0));
    assert_eq!(ask(1, vec![good(), update("unknown", 1, 1)]), (ErrorCode::INVALID_UPDATE_VERSION, 0));
    assert_eq!(ask(2, vec![update("aquifer.metadata", 1, 9)]), (ErrorCode::INVALID_REQUEST, 0));
    assert_eq!(ask(2, vec![good(), good()]), (ErrorCode::INVALID_REQUEST, 0));
}
