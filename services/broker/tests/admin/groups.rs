//! Consumer groups over sockets: every version of every API, restarts, and what is refused.

use std::thread;

use aquifer_broker::Settings;
use aquifer_wire::messages::*;
use aquifer_wire::{ErrorCode, Message as _, Request, Text};
use bytes::Bytes;

use crate::harness::{Client, Node, text};

fn node() -> Node {
    let groups =
        aquifer_group::Settings { initial_rebalance_delay_ms: 0, ..aquifer_group::Settings::default() };
    Node::start_with(Settings { groups, ..Settings::default() })
}

/// A client of a cluster with topic `t` that knows its coordinator.
fn client(node: &Node) -> Client {
    let mut client = node.client();
    client.create("t", 4);
    client.find();
    client
}

impl Client {
    /// Has the groups' topic made.
    fn find(&mut self) {
        let asked = FindCoordinatorRequest { coordinator_keys: vec![text("g")], ..Default::default() };
        assert_eq!(self.ask_newest(&asked).coordinators[0].error_code, ErrorCode::NONE);
    }

    /// Asks again while groups are loaded.
    fn ask_loaded<R: Request>(
        &mut self,
        version: i16,
        request: &R,
        code: impl Fn(&R::Response) -> ErrorCode,
    ) -> R::Response {
        loop {
            let response = self.ask(version, request);
            if code(&response) != ErrorCode::COORDINATOR_LOAD_IN_PROGRESS {
                return response;
            }
            thread::yield_now();
        }
    }

    fn join(&mut self, version: i16, request: &JoinGroupRequest) -> JoinGroupResponse {
        self.ask_loaded(version, request, |response| response.error_code)
    }

    fn commit_one(
        &mut self,
        version: i16,
        group: &str,
        offset: i64,
        topic_id: aquifer_types::Uuid,
    ) -> ErrorCode {
        let request = OffsetCommitRequest {
            group_id: Text::from(group),
            topics: vec![offset_commit_request::OffsetCommitRequestTopic {
                name: if version < 10 { text("t") } else { Text::EMPTY },
                topic_id: if version < 10 { Default::default() } else { topic_id },
                partitions: vec![offset_commit_request::OffsetCommitRequestPartition {
                    partition_index: 1,
                    committed_offset: offset,
                    committed_metadata: Some(text("m")),
                    ..Default::default()
                }],
            }],
            ..Default::default()
        };
        let code = |response: &OffsetCommitResponse| response.topics[0].partitions[0].error_code;
        code(&self.ask_loaded(version, &request, code))
    }

    /// The offset of partition 1 of `t`, with its metadata.
    fn committed(&mut self, version: i16, group: &str, topic_id: aquifer_types::Uuid) -> (i64, String) {
        let partition_indexes = vec![1];
        let request = if version < 8 {
            OffsetFetchRequest {
                group_id: Text::from(group),
                topics: Some(vec![offset_fetch_request::OffsetFetchRequestTopic {
                    name: text("t"),
                    partition_indexes,
                }]),
                ..Default::default()
            }
        } else {
            OffsetFetchRequest {
                groups: vec![offset_fetch_request::OffsetFetchRequestGroup {
                    group_id: Text::from(group),
                    topics: Some(vec![offset_fetch_request::OffsetFetchRequestTopics {
                        name: if version < 10 { text("t") } else { Text::EMPTY },
                        topic_id: if version < 10 { Default::default() } else { topic_id },
                        partition_indexes,
                    }]),
                    ..Default::default()
                }],
                ..Default::default()
            }
        };
        let code = |response: &OffsetFetchResponse| match response.groups.first() {
            Some(group) => group.error_code,
            None => response.error_code,
        };
        let response = self.ask_loaded(version, &request, code);
        let told = |metadata: &Option<Text>| metadata.as_deref().unwrap_or_default().to_owned();
        if version < 8 {
            let partition = &response.topics[0].partitions[0];
            (partition.committed_offset, told(&partition.metadata))
        } else {
            let partition = &response.groups[0].topics[0].partitions[0];
            (partition.committed_offset, told(&partition.metadata))
        }
    }

    fn topic_id(&mut self) -> aquifer_types::Uuid {
        let asked = metadata_request::MetadataRequestTopic { name: Some(text("t")), ..Default::default() };
        let request = MetadataRequest { topics: Some(vec![asked]), ..Default::default() };
        self.ask_newest(&request).topics[0].topic_id
    }
}

fn join(group: &str, member: &Text) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: Text::from(group),
        session_timeout_ms: 10_000,
        member_id: member.clone(),
        protocol_type: text("consumer"),
        protocols: vec![join_group_request::JoinGroupRequestProtocol {
            name: text("range"),
            metadata: Bytes::from_static(b"subscription"),
        }],
        ..Default::default()
    }
}

#[test]
fn a_classic_member_lives_in_every_version() {
    let node = node();
    let mut client = client(&node);
    for version in JoinGroupRequest::VERSION_MIN..=JoinGroupRequest::VERSION_MAX {
        let group = format!("g{version}");
        let mut request = join(&group, &Text::EMPTY);
        if version >= 1 {
            request.rebalance_timeout_ms = 10_000;
        }
        let mut joined = client.join(version, &request);
        if version >= 4 {
            assert_eq!(joined.error_code, ErrorCode::MEMBER_ID_REQUIRED, "version {version}");
            request.member_id = joined.member_id.clone();
            joined = client.join(version, &request);
        }
        assert_eq!(joined.error_code, ErrorCode::NONE, "version {version}: {joined:?}");
        assert_eq!((joined.leader.clone(), joined.generation_id), (joined.member_id.clone(), 1));
        assert_eq!(joined.protocol_name, Some(text("range")));
        assert_eq!(joined.members[0].metadata, Bytes::from_static(b"subscription"));

        let sync = SyncGroupRequest {
            group_id: Text::from(group.as_str()),
            generation_id: 1,
            member_id: joined.member_id.clone(),
            assignments: vec![sync_group_request::SyncGroupRequestAssignment {
                member_id: joined.member_id.clone(),
                assignment: Bytes::from_static(b"assignment"),
            }],
            ..Default::default()
        };
        let synced = client.ask(version.min(SyncGroupRequest::VERSION_MAX), &sync);
        assert_eq!((synced.error_code, &synced.assignment[..]), (ErrorCode::NONE, &b"assignment"[..]));

        let beat = HeartbeatRequest {
            group_id: Text::from(group.as_str()),
            generation_id: 1,
            member_id: joined.member_id.clone(),
            ..Default::default()
        };
        let version_of_beat = version.min(HeartbeatRequest::VERSION_MAX);
        assert_eq!(client.ask(version_of_beat, &beat).error_code, ErrorCode::NONE);
        let past = HeartbeatRequest { generation_id: 0, ..beat };
        assert_eq!(client.ask(version_of_beat, &past).error_code, ErrorCode::ILLEGAL_GENERATION);

        let describe =
            DescribeGroupsRequest { groups: vec![Text::from(group.as_str())], ..Default::default() };
        let described = client.ask(version.min(DescribeGroupsRequest::VERSION_MAX), &describe);
        assert_eq!(described.groups[0].group_state, "Stable");
        assert_eq!(described.groups[0].members[0].client_host, "/127.0.0.1");
        assert_eq!(described.groups[0].members[0].client_id, "test");

        let delete = DeleteGroupsRequest { groups_names: vec![Text::from(group.as_str())] };
        let version_of_delete = version.min(DeleteGroupsRequest::VERSION_MAX);
        assert_eq!(client.ask(version_of_delete, &delete).results[0].error_code, ErrorCode::NON_EMPTY_GROUP);

        let version_of_leave = version.min(LeaveGroupRequest::VERSION_MAX);
        let mut leave = LeaveGroupRequest { group_id: Text::from(group.as_str()), ..Default::default() };
        if version_of_leave < 3 {
            leave.member_id = joined.member_id.clone();
        } else {
            leave.members = vec![leave_group_request::MemberIdentity {
                member_id: joined.member_id.clone(),
                ..Default::default()
            }];
        }
        let left = client.ask(version_of_leave, &leave);
        assert_eq!(left.error_code, ErrorCode::NONE);
        assert!(left.members.iter().all(|member| member.error_code == ErrorCode::NONE));

        let list = ListGroupsRequest::default();
        let listed = client.ask(version.min(ListGroupsRequest::VERSION_MAX), &list);
        assert!(listed.groups.iter().any(|listed| listed.group_id == group.as_str()), "version {version}");
        assert_eq!(client.ask(version_of_delete, &delete).results[0].error_code, ErrorCode::NONE);
        let gone = client.ask(version.min(DescribeGroupsRequest::VERSION_MAX), &describe);
        let expected = if version < 6 { ErrorCode::NONE } else { ErrorCode::GROUP_ID_NOT_FOUND };
        assert_eq!(gone.groups[0].error_code, expected, "version {version}");
    }
}

#[test]
fn offsets_are_committed_and_fetched_in_every_version_and_survive_a_restart() {
    let mut node = node();
    let mut first = client(&node);
    let id = first.topic_id();
    for version in OffsetCommitRequest::VERSION_MIN..=OffsetCommitRequest::VERSION_MAX {
        assert_eq!(
            first.commit_one(version, "g", i64::from(version), id),
            ErrorCode::NONE,
            "version {version}"
        );
        for fetch in OffsetFetchRequest::VERSION_MIN..=OffsetFetchRequest::VERSION_MAX {
            let told = first.committed(fetch, "g", id);
            assert_eq!(told, (i64::from(version), "m".to_owned()), "version {fetch}");
        }
    }
    assert_eq!(first.committed(8, "nobody", id), (-1, String::new()));

    node.restart();
    let mut second = node.client();
    assert_eq!(second.committed(10, "g", id), (10, "m".to_owned()));
    let delete = OffsetDeleteRequest {
        group_id: text("g"),
        topics: ["t", "none"]
            .map(|name| offset_delete_request::OffsetDeleteRequestTopic {
                name: text(name),
                partitions: vec![offset_delete_request::OffsetDeleteRequestPartition { partition_index: 1 }],
            })
            .to_vec(),
    };
    let deleted = second.ask_newest(&delete);
    let codes = deleted.topics.iter().map(|topic| (topic.name.to_string(), topic.partitions[0].error_code));
    let mut codes: Vec<_> = codes.collect();
    codes.sort();
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(codes, [("none".to_owned(), unknown), ("t".to_owned(), ErrorCode::NONE)]);
    assert_eq!(second.committed(7, "g", id).0, -1);
}

fn beat(member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: text("c"),
        member_id: Text::from(member),
        member_epoch: epoch,
        rebalance_timeout_ms: if epoch == 0 { 30_000 } else { -1 },
        subscribed_topic_names: (epoch == 0).then(|| vec![text("t")]),
        topic_partitions: (epoch == 0).then(Vec::new),
        ..Default::default()
    }
}

#[test]
fn a_member_of_the_consumer_protocol_owns_everything_and_has_the_session_timeout_it_asked_for() {
    let node = node();
    let mut client = client(&node);
    let id = client.topic_id();
    let asked = ConsumerGroupHeartbeatRequest { session_timeout_ms: 600_000, ..beat("m", 0) };
    let joined = client.ask_loaded(1, &asked, |response| response.error_code);

    assert_eq!((joined.error_code, joined.session_timeout_ms), (ErrorCode::NONE, 600_000), "{joined:?}");
    let assigned = &joined.assignment.expect("an assignment").topic_partitions;
    assert_eq!((assigned[0].topic_id, &assigned[0].partitions[..]), (id, &[0, 1, 2, 3][..]));
    let later = client.ask(1, &beat("m", joined.member_epoch));
    assert_eq!((later.error_code, later.session_timeout_ms), (ErrorCode::NONE, -1), "told only when asked");
    let fenced = client.ask(1, &beat("m", joined.member_epoch + 5));
    assert_eq!(fenced.error_code, ErrorCode::FENCED_MEMBER_EPOCH);
    let unknown = client.ask(1, &beat("stranger", 3));
    assert_eq!(unknown.error_code, ErrorCode::UNKNOWN_MEMBER_ID);

    let describe = ConsumerGroupDescribeRequest { group_ids: vec![text("c")], ..Default::default() };
    for version in 0..=1 {
        let described = client.ask(version, &describe);
        let group = &described.groups[0];
        assert_eq!((group.error_code, group.assignor_name.as_str()), (ErrorCode::NONE, "uniform"));
        assert_eq!(group.members[0].assignment.topic_partitions[0].topic_name, "t");
    }
    let classic = client.ask(6, &DescribeGroupsRequest { groups: vec![text("c")], ..Default::default() });
    assert_eq!(classic.groups[0].error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(client.commit_one(10, "c", 3, id), ErrorCode::UNKNOWN_MEMBER_ID, "strangers do not commit");
    let left = client.ask(1, &beat("m", -1));
    assert_eq!((left.error_code, left.member_epoch), (ErrorCode::NONE, -1));

    let new = client.ask(0, &beat("", 0));
    assert!(new.member_id.is_some_and(|drawn| !drawn.is_empty()), "version 0 is given an id");
}

#[test]
fn a_classic_member_of_a_consumer_group_is_answered_and_described_as_one() {
    let node = node();
    let mut client = client(&node);
    let modern = client.ask_loaded(1, &beat("m", 0), |response| response.error_code);
    assert_eq!(modern.error_code, ErrorCode::NONE, "{modern:?}");
    // Version 0, topic t, no user data.
    let subscription = Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff");
    let mut request = JoinGroupRequest { rebalance_timeout_ms: 10_000, ..join("c", &Text::EMPTY) };
    request.protocols[0].metadata = subscription;

    let told = client.join(9, &request);
    assert_eq!(told.error_code, ErrorCode::MEMBER_ID_REQUIRED);
    request.member_id = told.member_id;
    let joined = client.join(9, &request);

    assert_eq!(
        (joined.error_code, joined.protocol_name.clone()),
        (ErrorCode::NONE, Some(text("range"))),
        "{joined:?}"
    );
    let sync = SyncGroupRequest {
        group_id: text("c"),
        generation_id: joined.generation_id,
        member_id: request.member_id.clone(),
        ..Default::default()
    };
    let synced = client.ask(5, &sync);
    // Everything is the other member's yet.
    assert_eq!(synced.error_code, ErrorCode::NONE);
    assert_eq!(&synced.assignment[..], b"\0\0\0\0\0\0\xff\xff\xff\xff");
    let describe = ConsumerGroupDescribeRequest { group_ids: vec![text("c")], ..Default::default() };
    let described = client.ask(1, &describe);
    let mut types: Vec<(bool, i8)> = described.groups[0]
        .members
        .iter()
        .map(|member| (member.member_id == request.member_id, member.member_type))
        .collect();
    types.sort_unstable();
    assert_eq!(types, [(false, 1), (true, 0)]);
}

#[test]
fn what_groups_do_not_take_is_refused_with_kafkas_own_error() {
    let node = node();
    let mut client = client(&node);
    let id = client.topic_id();
    client.commit_one(10, "g", 1, id);

    let pattern = |pattern: &str| ConsumerGroupHeartbeatRequest {
        subscribed_topic_names: Some(Vec::new()),
        subscribed_topic_regex: Some(Text::from(pattern)),
        ..beat("m", 0)
    };
    let long = "a".repeat(5_000);
    for blown in ["(?:a{1000}){1000}", "(", r"(\w{100}){100}", &long] {
        let told = client.ask_loaded(1, &pattern(blown), |response| response.error_code);
        assert_eq!(told.error_code, ErrorCode::INVALID_REGULAR_EXPRESSION, "{blown}");
    }
    let long_name = "g".repeat(5_000);
    assert_eq!(client.commit_one(9, &long_name, 1, id), ErrorCode::INVALID_GROUP_ID);
    assert_eq!(client.join(9, &join("", &Text::EMPTY)).error_code, ErrorCode::INVALID_GROUP_ID);
    let hasty = JoinGroupRequest { session_timeout_ms: 1, ..join("g", &Text::EMPTY) };
    assert_eq!(client.join(9, &hasty).error_code, ErrorCode::INVALID_SESSION_TIMEOUT);
    let stranger = join("g", &text("stranger"));
    assert_eq!(client.join(9, &stranger).error_code, ErrorCode::UNKNOWN_MEMBER_ID);

    let told = client.ask_newest(&OffsetCommitRequest {
        group_id: text("g"),
        generation_id_or_member_epoch: 7,
        member_id: text("stranger"),
        topics: vec![offset_commit_request::OffsetCommitRequestTopic {
            topic_id: id,
            partitions: vec![Default::default()],
            ..Default::default()
        }],
        ..Default::default()
    });
    let code = told.topics[0].partitions[0].error_code;
    assert!([ErrorCode::ILLEGAL_GENERATION, ErrorCode::UNKNOWN_MEMBER_ID].contains(&code), "{code:?}");

    let request = |partition_index, metadata: String| OffsetCommitRequest {
        group_id: text("g"),
        topics: vec![offset_commit_request::OffsetCommitRequestTopic {
            name: text("t"),
            partitions: vec![offset_commit_request::OffsetCommitRequestPartition {
                partition_index,
                committed_metadata: Some(Text::from(metadata)),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    for (partition, metadata, expected) in [
        (0, "m".repeat(5_000), ErrorCode::OFFSET_METADATA_TOO_LARGE),
        (99, String::new(), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (-1, String::new(), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    ] {
        let told = client.ask(9, &request(partition, metadata));
        assert_eq!(told.topics[0].partitions[0].error_code, expected, "partition {partition}");
    }
    assert_eq!(client.committed(9, "g", id).0, 1, "nothing of it had an effect");
}
