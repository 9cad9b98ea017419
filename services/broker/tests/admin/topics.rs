//! Topics made, described, enlarged and deleted.

use aquifer_broker::Settings;
use aquifer_metadata::{Answer, Change, NewTopic, PlacedReplica, Placement};
use aquifer_types::{NodeId, TopicId, TopicName, Uuid};
use aquifer_wire::ErrorCode;
use aquifer_wire::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use aquifer_wire::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use aquifer_wire::messages::create_topics_response::CreatableTopicResult;
use aquifer_wire::messages::delete_topics_request::DeleteTopicState;
use aquifer_wire::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use aquifer_wire::messages::metadata_request::MetadataRequestTopic;
use aquifer_wire::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse, MetadataRequest,
};

use crate::harness::{Client, DIRECTORY, Node, text, topic};

fn create(client: &mut Client, topics: Vec<CreatableTopic>) -> Vec<CreatableTopicResult> {
    client.ask_newest(&CreateTopicsRequest { topics, ..CreateTopicsRequest::default() }).topics
}

fn assignment(partition_index: i32, broker_ids: &[i32]) -> CreatableReplicaAssignment {
    CreatableReplicaAssignment { partition_index, broker_ids: broker_ids.to_vec() }
}

fn setting(name: &'static str, value: &'static str) -> CreatableTopicConfig {
    CreatableTopicConfig { name: text(name), value: Some(text(value)) }
}

/// Partitions, copies and the error of Metadata about a topic.
fn shape(client: &mut Client, name: &'static str) -> (usize, usize, ErrorCode) {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic { name: Some(text(name)), ..Default::default() }]),
        allow_auto_topic_creation: false,
        ..MetadataRequest::default()
    };
    let topic = client.ask_newest(&request).topics.remove(0);
    let copies = topic.partitions.first().map_or(0, |partition| partition.replica_nodes.len());
    (topic.partitions.len(), copies, topic.error_code)
}

/// A topic of the cluster's own, which no client may make.
fn create_internal(node: &Node) {
    let placed = PlacedReplica { node: NodeId(0), directory: DIRECTORY };
    let topic = NewTopic {
        name: TopicName::new("__ours").expect("a name"),
        id: TopicId(Uuid::from_bytes([9; 16])),
        partitions: vec![Placement(vec![placed])],
        replication_default: false,
        configs: Vec::new(),
    };
    assert_eq!(node.propose(Change::CreateTopics(vec![topic])), Answer::TopicsCreated(vec![Ok(())]));
}

#[test]
fn a_topic_is_made_as_asked_and_the_answer_tells_all_of_it() {
    let node = Node::start();
    let mut client = node.client();
    let asked = CreatableTopic {
        num_partitions: 3,
        replication_factor: 1,
        configs: vec![setting("retention.ms", " 60000 ")],
        ..topic("orders")
    };

    let made = create(&mut client, vec![asked]).remove(0);

    assert_eq!((made.error_code, &made.error_message), (ErrorCode::NONE, &None));
    assert_eq!((made.num_partitions, made.replication_factor), (3, 1));
    assert!(!made.topic_id.is_zero());
    let configs = made.configs.expect("Java's Admin needs a list");
    let retention = configs.iter().find(|config| config.name == "retention.ms").expect("is told");
    assert_eq!((retention.value.as_deref(), retention.config_source), (Some("60000"), 1));
    assert!(configs.iter().all(|config| config.config_source > 0));
    assert_eq!(shape(&mut client, "orders"), (3, 1, ErrorCode::NONE));
}

#[test]
fn what_is_left_to_the_cluster_is_chosen_by_it() {
    let node = Node::start_with(Settings { default_partitions: 4, ..Settings::default() });

    let made = create(&mut node.client(), vec![topic("t")]).remove(0);

    assert_eq!((made.num_partitions, made.replication_factor), (4, 1));
}

#[test]
fn topics_that_cannot_be_made_are_refused_with_a_reason() {
    let node = Node::start();
    let mut client = node.client();
    client.create("taken.name", 1);
    let counts = |partitions, factor| CreatableTopic {
        num_partitions: partitions,
        replication_factor: factor,
        ..topic("t")
    };
    let assigned = |assignments| CreatableTopic { assignments, ..topic("t") };
    let configured = |config| CreatableTopic { configs: vec![config], ..topic("t") };

    for (asked, code) in [
        (topic("taken.name"), ErrorCode::TOPIC_ALREADY_EXISTS),
        (topic("taken_name"), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (topic("a b"), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (topic(""), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (topic("__mine"), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (counts(0, 1), ErrorCode::INVALID_PARTITIONS),
        (counts(-2, 1), ErrorCode::INVALID_PARTITIONS),
        (counts(10_001, 1), ErrorCode::POLICY_VIOLATION),
        (counts(i32::MAX, 1), ErrorCode::POLICY_VIOLATION),
        (counts(1, 0), ErrorCode::INVALID_REPLICATION_FACTOR),
        (counts(1, -2), ErrorCode::INVALID_REPLICATION_FACTOR),
        (counts(1, 2), ErrorCode::INVALID_REPLICATION_FACTOR),
        (assigned(vec![assignment(0, &[7])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned(vec![assignment(0, &[0, 0])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned(vec![assignment(0, &[])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned(vec![assignment(1, &[0])]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned(vec![assignment(0, &[0]); 2]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (
            CreatableTopic { assignments: vec![assignment(0, &[0])], ..counts(1, -1) },
            ErrorCode::INVALID_REQUEST,
        ),
        (configured(setting("no.such.config", "1")), ErrorCode::INVALID_CONFIG),
        (configured(setting("retention.ms", "soon")), ErrorCode::INVALID_CONFIG),
        (
            configured(CreatableTopicConfig { name: text("retention.ms"), value: None }),
            ErrorCode::INVALID_CONFIG,
        ),
    ] {
        let refused = create(&mut client, vec![asked.clone()]).remove(0);

        assert_eq!(refused.error_code, code, "{asked:?}");
        assert!(refused.error_message.is_some_and(|message| !message.is_empty()), "{asked:?}");
    }
    assert_eq!(shape(&mut client, "t"), (0, 0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
}

#[test]
fn a_refused_topic_does_not_keep_others_from_being_made() {
    let node = Node::start();
    let mut client = node.client();

    let results = create(&mut client, vec![topic("twice"), topic("good"), topic("twice"), topic("a b")]);

    let told: Vec<_> = results.iter().map(|result| (result.name.as_str(), result.error_code)).collect();
    assert_eq!(
        told,
        [
            ("twice", ErrorCode::INVALID_REQUEST),
            ("good", ErrorCode::NONE),
            ("a b", ErrorCode::INVALID_TOPIC_EXCEPTION)
        ]
    );
    assert_eq!(shape(&mut client, "twice").2, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn two_topics_of_one_request_that_collide_do_not_both_come_to_be() {
    let node = Node::start();

    let results = create(&mut node.client(), vec![topic("a.b"), topic("a_b")]);

    let codes: Vec<_> = results.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::INVALID_TOPIC_EXCEPTION]);
}

#[test]
fn assignments_say_which_brokers_hold_a_partition_and_who_is_preferred() {
    let node = Node::start();
    node.register_fenced(7);
    let mut client = node.client();
    let asked =
        CreatableTopic { assignments: vec![assignment(1, &[0, 7]), assignment(0, &[7, 0])], ..topic("t") };

    let made = create(&mut client, vec![asked]).remove(0);

    assert_eq!((made.error_code, made.num_partitions, made.replication_factor), (ErrorCode::NONE, 2, 2));
    let partitions = client
        .ask_newest(&MetadataRequest { topics: None, ..Default::default() })
        .topics
        .remove(0)
        .partitions;
    let told: Vec<_> = partitions
        .iter()
        .map(|partition| {
            (partition.replica_nodes.clone(), partition.leader_id, partition.offline_replicas.clone())
        })
        .collect();
    assert_eq!(told, [(vec![7, 0], 0, vec![7]), (vec![0, 7], 0, vec![7])]);
}

#[test]
fn a_request_that_is_far_too_long_closes_its_connection() {
    let node = Node::start();
    let asked = CreatableTopic { configs: vec![setting("retention.ms", "1"); 300_000], ..topic("t") };
    let request = CreateTopicsRequest { topics: vec![asked], ..CreateTopicsRequest::default() };

    assert_eq!(node.client().try_ask(7, &request), None);

    assert_eq!(shape(&mut node.client(), "t").2, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn a_request_that_only_validates_makes_nothing() {
    let node = Node::start();
    let mut client = node.client();
    let request = CreateTopicsRequest {
        topics: vec![topic("t"), CreatableTopic { num_partitions: 0, ..topic("u") }],
        validate_only: true,
        ..CreateTopicsRequest::default()
    };

    let results = client.ask_newest(&request).topics;

    let told: Vec<_> = results.iter().map(|result| (result.error_code, result.topic_id.is_zero())).collect();
    assert_eq!(told, [(ErrorCode::NONE, true), (ErrorCode::INVALID_PARTITIONS, true)]);
    assert_eq!(shape(&mut client, "t").2, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

fn by_name(name: &'static str) -> DeleteTopicState {
    DeleteTopicState { name: Some(text(name)), topic_id: Uuid::ZERO }
}

#[test]
fn topics_are_deleted_by_name_and_by_id() {
    let node = Node::start();
    let mut client = node.client();
    client.create("a", 1);
    let id = client.create("b", 1).topics[0].topic_id;
    let request = DeleteTopicsRequest {
        topics: vec![by_name("a"), DeleteTopicState { name: None, topic_id: id }],
        ..DeleteTopicsRequest::default()
    };

    let results = client.ask_newest(&request).responses;

    let told: Vec<_> = results.iter().map(|result| (result.name.as_deref(), result.error_code)).collect();
    assert_eq!(told, [(Some("a"), ErrorCode::NONE), (Some("b"), ErrorCode::NONE)]);
    assert_eq!(client.ask_newest(&MetadataRequest { topics: None, ..Default::default() }).topics, []);
}

#[test]
fn deletions_that_name_no_one_topic_are_refused() {
    let node = Node::start();
    create_internal(&node);
    let mut client = node.client();
    let id = client.create("a", 1).topics[0].topic_id;
    let unknown_id = Uuid::from_bytes([8; 16]);
    let state = |name: Option<&'static str>, topic_id| DeleteTopicState { name: name.map(text), topic_id };
    let request = DeleteTopicsRequest {
        topics: vec![
            state(Some("a"), id),
            state(None, Uuid::ZERO),
            by_name("none"),
            state(None, unknown_id),
            by_name("a"),
            state(None, id),
            by_name("__ours"),
        ],
        ..DeleteTopicsRequest::default()
    };

    let results = client.ask_newest(&request).responses;

    let codes: Vec<_> = results.iter().map(|result| result.error_code).collect();
    assert_eq!(
        codes,
        [
            ErrorCode::INVALID_REQUEST,
            ErrorCode::INVALID_REQUEST,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode::UNKNOWN_TOPIC_ID,
            ErrorCode::INVALID_REQUEST,
            ErrorCode::INVALID_REQUEST,
            ErrorCode::INVALID_TOPIC_EXCEPTION,
        ]
    );
    assert!(results.iter().all(|result| result.error_message.is_some()));
    assert_eq!(shape(&mut client, "a").2, ErrorCode::NONE);
}

fn more(name: &'static str, count: i32) -> CreatePartitionsTopic {
    CreatePartitionsTopic { name: text(name), count, assignments: None }
}

fn enlarge(client: &mut Client, topics: Vec<CreatePartitionsTopic>) -> Vec<ErrorCode> {
    let request = CreatePartitionsRequest { topics, ..CreatePartitionsRequest::default() };
    client.ask_newest(&request).results.into_iter().map(|result| result.error_code).collect()
}

#[test]
fn a_topic_grows_and_its_new_partitions_have_leaders() {
    let node = Node::start();
    let mut client = node.client();
    client.create("t", 1);
    let assigned = CreatePartitionsTopic {
        assignments: Some(vec![CreatePartitionsAssignment { broker_ids: vec![0] }]),
        ..more("t", 3)
    };

    assert_eq!(enlarge(&mut client, vec![more("t", 2)]), [ErrorCode::NONE]);
    assert_eq!(enlarge(&mut client, vec![assigned]), [ErrorCode::NONE]);

    let partitions = client
        .ask_newest(&MetadataRequest { topics: None, ..Default::default() })
        .topics
        .remove(0)
        .partitions;
    assert_eq!(partitions.iter().map(|partition| partition.leader_id).collect::<Vec<_>>(), [0, 0, 0]);
}

#[test]
fn topics_that_cannot_grow_so_are_refused() {
    let node = Node::start();
    create_internal(&node);
    let mut client = node.client();
    client.create("t", 2);
    let assigned = |nodes: &[&[i32]]| {
        let assignment = |nodes: &&[i32]| CreatePartitionsAssignment { broker_ids: nodes.to_vec() };
        CreatePartitionsTopic { assignments: Some(nodes.iter().map(assignment).collect()), ..more("t", 3) }
    };

    for (asked, code) in [
        (more("none", 3), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (more("__ours", 3), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (more("t", 2), ErrorCode::INVALID_PARTITIONS),
        (more("t", 1), ErrorCode::INVALID_PARTITIONS),
        (more("t", -5), ErrorCode::INVALID_PARTITIONS),
        (more("t", i32::MAX), ErrorCode::POLICY_VIOLATION),
        (assigned(&[&[0], &[0]]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned(&[]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned(&[&[7]]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned(&[&[0, 0]]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
    ] {
        assert_eq!(enlarge(&mut client, vec![asked.clone()]), [code], "{asked:?}");
    }
    assert_eq!(enlarge(&mut client, vec![more("t", 3), more("t", 4)]), [ErrorCode::INVALID_REQUEST]);
    let validate = CreatePartitionsRequest { topics: vec![more("t", 9)], timeout_ms: 0, validate_only: true };
    assert_eq!(client.ask_newest(&validate).results[0].error_code, ErrorCode::NONE);
    assert_eq!(shape(&mut client, "t").0, 2);
}

/// Topics with their partitions, and where the next page begins.
type Page = (Vec<(String, Vec<i32>)>, Option<(String, i32)>);

fn page(response: DescribeTopicPartitionsResponse) -> Page {
    let topics = response.topics.into_iter().map(|topic| {
        let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
        (topic.name.expect("a name").to_string(), indexes.collect())
    });
    let next = response.next_cursor.map(|cursor| (cursor.topic_name.to_string(), cursor.partition_index));
    (topics.collect(), next)
}

#[test]
fn topics_are_described_page_by_page_in_the_order_of_their_names() {
    let node = Node::start();
    let mut client = node.client();
    client.create("b", 3);
    client.create("a", 2);
    client.create("c", 1);
    let mut ask = |cursor: Option<(&'static str, i32)>| {
        let cursor = cursor.map(|(name, partition_index)| Cursor { topic_name: text(name), partition_index });
        page(client.ask_newest(&DescribeTopicPartitionsRequest {
            topics: Vec::new(),
            response_partition_limit: 2,
            cursor,
        }))
    };
    let at = |name: &str, indexes: &[i32]| (name.to_owned(), indexes.to_vec());

    assert_eq!(ask(None), (vec![at("a", &[0, 1])], Some(("b".to_owned(), 0))));
    assert_eq!(ask(Some(("b", 0))), (vec![at("b", &[0, 1])], Some(("b".to_owned(), 2))));
    assert_eq!(ask(Some(("b", 2))), (vec![at("b", &[2]), at("c", &[0])], None));
    assert_eq!(ask(Some(("bb", 5))), (vec![at("c", &[0])], None));
}

#[test]
fn topics_that_are_not_there_have_their_error_on_the_page() {
    let node = Node::start();
    let mut client = node.client();
    client.create("t", 1);
    let topics = ["t", "none", "a b"].map(|name| TopicRequest { name: text(name) }).to_vec();
    let request = DescribeTopicPartitionsRequest { topics, ..DescribeTopicPartitionsRequest::default() };

    let described = client.ask_newest(&request).topics;

    let told: Vec<_> = described.iter().map(|topic| (topic.name.as_deref(), topic.error_code)).collect();
    assert_eq!(
        told,
        [
            (Some("a b"), ErrorCode::INVALID_TOPIC_EXCEPTION),
            (Some("none"), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            (Some("t"), ErrorCode::NONE)
        ]
    );
    let partition = &described[2].partitions[0];
    assert_eq!(
        (&partition.eligible_leader_replicas, &partition.last_known_elr),
        (&Some(vec![]), &Some(vec![]))
    );
    assert_eq!(described[2].topic_authorized_operations, 3576);
    let cursor = Some(Cursor { topic_name: text("t"), partition_index: -1 });
    let refused = client.ask_newest(&DescribeTopicPartitionsRequest { cursor, ..request });
    assert!(refused.topics.iter().all(|topic| topic.error_code == ErrorCode::INVALID_REQUEST));
}

#[test]
fn metadata_tells_what_may_be_done_only_when_asked_and_names_a_topic_once() {
    let node = Node::start();
    let mut client = node.client();
    client.create("t", 1);
    let asked = MetadataRequestTopic { name: Some(text("t")), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![asked; 3]), ..MetadataRequest::default() };
    let asking = MetadataRequest {
        include_cluster_authorized_operations: true,
        include_topic_authorized_operations: true,
        ..request.clone()
    };

    let told = client.ask(10, &request);
    let told_more = client.ask(10, &asking);

    assert_eq!(told.topics.len(), 1);
    assert_eq!(told.topics[0].topic_authorized_operations, i32::MIN);
    assert_eq!(told.cluster_authorized_operations, i32::MIN);
    assert_eq!(told_more.topics[0].topic_authorized_operations, 3576);
    assert_eq!(told_more.cluster_authorized_operations, 8096);
}

#[test]
fn metadata_makes_topics_on_demand_but_none_that_are_reserved() {
    let node = Node::start();
    let mut client = node.client();
    let asked = ["made", "__mine", "a b"]
        .map(|name| MetadataRequestTopic { name: Some(text(name)), ..Default::default() });
    let request = MetadataRequest { topics: Some(asked.to_vec()), ..MetadataRequest::default() };

    let told = client.ask_newest(&request).topics;

    let codes: Vec<_> = told.iter().map(|topic| topic.error_code).collect();
    assert_eq!(
        codes,
        [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ErrorCode::INVALID_TOPIC_EXCEPTION]
    );
}
