//! Every advertised version of every admin API is read and answered.

use aquifer_types::Uuid;
use aquifer_wire::messages::*;
use aquifer_wire::{ErrorCode, Request, SUPPORTED, Text};

use crate::harness::{Client, Node, text, topic};

/// Asks in every version; a connection that closes fails.
fn every_version<R: Request>(client: &mut Client, request: impl Fn(i16) -> R) -> Vec<R::Response> {
    (R::VERSION_MIN..=R::VERSION_MAX).map(|version| client.ask(version, &request(version))).collect()
}

#[test]
fn every_version_is_advertised_that_the_codec_has() {
    let node = Node::start();

    let answer = node
        .client()
        .ask(4, &ApiVersionsRequest { client_software_name: text("t"), client_software_version: text("1") });

    for told in &answer.api_keys {
        let supported = SUPPORTED.iter().find(|known| known.key.number() == told.api_key).expect("known");
        let min = if told.api_key == 0 { 0 } else { supported.min };
        assert_eq!((told.min_version, told.max_version), (min, supported.max), "{:?}", supported.key);
    }
    let keys: Vec<i16> = answer.api_keys.iter().map(|told| told.api_key).collect();
    assert_eq!(
        keys,
        [
            0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 29, 30, 31, 32, 33, 35, 37,
            42, 44, 46, 47, 48, 49, 50, 51, 55, 57, 60, 61, 68, 69, 74, 75, 20_000, 20_001, 20_002
        ],
        "what is advertised is served"
    );
}

#[test]
fn topics_in_every_version() {
    let node = Node::start();
    let mut client = node.client();
    every_version(&mut client, |version| CreateTopicsRequest {
        topics: vec![topic(
            ["", "", "t2", "t3", "t4", "t5", "t6", "t7"][usize::try_from(version).expect("small")],
        )],
        ..CreateTopicsRequest::default()
    });
    for answer in every_version(&mut client, |_| CreateTopicsRequest {
        topics: vec![topic("a b")],
        ..CreateTopicsRequest::default()
    }) {
        assert_eq!(answer.topics[0].error_code, ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    for validate_only in [false, true] {
        every_version(&mut client, |version| CreatePartitionsRequest {
            topics: ["t2", "none"]
                .map(|name| create_partitions_request::CreatePartitionsTopic {
                    name: text(name),
                    count: i32::from(version) + 2,
                    assignments: None,
                })
                .to_vec(),
            timeout_ms: 1000,
            validate_only,
        });
    }
    every_version(&mut client, |version| MetadataRequest {
        topics: (version > 0).then(Vec::new).or(Some(Vec::new())),
        ..MetadataRequest::default()
    });
    every_version(&mut client, |version| MetadataRequest {
        topics: Some(
            ["t3", "none", "a b"]
                .map(|name| metadata_request::MetadataRequestTopic {
                    name: Some(text(name)),
                    ..Default::default()
                })
                .to_vec(),
        ),
        allow_auto_topic_creation: version < 4,
        include_cluster_authorized_operations: (8..=10).contains(&version),
        include_topic_authorized_operations: version >= 8,
    });
    every_version(&mut client, |_| DescribeTopicPartitionsRequest {
        response_partition_limit: 1,
        ..DescribeTopicPartitionsRequest::default()
    });
    every_version(&mut client, |version| {
        let state =
            |name| delete_topics_request::DeleteTopicState { name: Some(text(name)), topic_id: Uuid::ZERO };
        let names = ["t2", "none"];
        DeleteTopicsRequest {
            topics: if version >= 6 { names.map(state).to_vec() } else { Vec::new() },
            topic_names: if version < 6 { names.map(text).to_vec() } else { Vec::new() },
            timeout_ms: 1000,
        }
    });
}

#[test]
fn a_topic_asked_for_by_id_is_answered_in_every_version_that_has_ids() {
    let node = Node::start();
    let mut client = node.client();
    let id = client.create("t", 1).topics[0].topic_id;

    for version in 10..=13 {
        let asked = [id, Uuid::from_bytes([8; 16])]
            .map(|topic_id| metadata_request::MetadataRequestTopic { topic_id, name: None });
        let answer = client
            .ask(version, &MetadataRequest { topics: Some(asked.to_vec()), ..MetadataRequest::default() });

        assert_eq!(answer.topics[0].name, Some(Text::from_static("t")));
        assert_eq!(answer.topics[1].error_code, ErrorCode::UNKNOWN_TOPIC_ID);
    }
}

#[test]
fn configs_in_every_version() {
    let node = Node::start();
    let mut client = node.client();
    client.create("t", 1);
    let named = [(2, "t"), (2, "none"), (4, "0"), (4, ""), (32, "g"), (16, "m")];
    every_version(&mut client, |version| DescribeConfigsRequest {
        resources: named
            .map(|(resource_type, name)| describe_configs_request::DescribeConfigsResource {
                resource_type,
                resource_name: text(name),
                configuration_keys: None,
            })
            .to_vec(),
        include_synonyms: true,
        include_documentation: version >= 3,
    });
    every_version(&mut client, |_| AlterConfigsRequest {
        resources: named
            .map(|(resource_type, name)| alter_configs_request::AlterConfigsResource {
                resource_type,
                resource_name: text(name),
                configs: Vec::new(),
            })
            .to_vec(),
        validate_only: false,
    });
    every_version(&mut client, |_| IncrementalAlterConfigsRequest {
        resources: named
            .map(|(resource_type, name)| incremental_alter_configs_request::AlterConfigsResource {
                resource_type,
                resource_name: text(name),
                configs: Vec::new(),
            })
            .to_vec(),
        validate_only: false,
    });
    every_version(&mut client, |_| ListConfigResourcesRequest::default());
}

#[test]
fn the_cluster_in_every_version() {
    let node = Node::start();
    node.register_fenced(7);
    let mut client = node.client();
    client.create("t", 1);
    every_version(&mut client, |version| DescribeClusterRequest {
        include_cluster_authorized_operations: true,
        include_fenced_brokers: version >= 2,
        ..DescribeClusterRequest::default()
    });
    every_version(&mut client, |_| DescribeQuorumRequest {
        topics: ["__cluster_metadata", "t"]
            .map(|name| describe_quorum_request::TopicData {
                topic_name: text(name),
                partitions: vec![describe_quorum_request::PartitionData { partition_index: 0 }],
            })
            .to_vec(),
    });
    every_version(&mut client, |_| DescribeLogDirsRequest { topics: None });
    let asked = |name: &'static str, partition_indexes: Vec<i32>| {
        list_partition_reassignments_request::ListPartitionReassignmentsTopics {
            name: text(name),
            partition_indexes,
        }
    };
    for topics in [None, Some(vec![asked("unknown", vec![0]), asked("t", vec![0, -1, 1000])])] {
        for answer in every_version(&mut client, |_| ListPartitionReassignmentsRequest {
            topics: topics.clone(),
            ..ListPartitionReassignmentsRequest::default()
        }) {
            assert_eq!((answer.error_code, answer.topics.len()), (ErrorCode::NONE, 0), "nothing moves");
        }
    }
    for key_type in [0, 1] {
        every_version(&mut client, |version| FindCoordinatorRequest {
            key: if version < 4 { text("k") } else { Text::EMPTY },
            key_type: if version == 0 { 0 } else { key_type },
            coordinator_keys: if version < 4 { Vec::new() } else { vec![text("k")] },
        });
    }
    for feature in ["aquifer.metadata", "unknown"] {
        every_version(&mut client, |_| UpdateFeaturesRequest {
            feature_updates: vec![update_features_request::FeatureUpdateKey {
                feature: text(feature),
                max_version_level: 1,
                ..update_features_request::FeatureUpdateKey::default()
            }],
            ..UpdateFeaturesRequest::default()
        });
    }
}

#[test]
fn what_the_cluster_does_not_have_is_refused_in_every_version() {
    let node = Node::start();
    let mut client = node.client();
    for answer in every_version(&mut client, |_| DescribeAclsRequest::default()) {
        assert_eq!(answer.error_code, ErrorCode::SECURITY_DISABLED);
    }
    for answer in every_version(&mut client, |_| CreateAclsRequest {
        creations: vec![create_acls_request::AclCreation::default(); 2],
    }) {
        let codes: Vec<_> = answer.results.iter().map(|result| result.error_code).collect();
        assert_eq!(codes, [ErrorCode::SECURITY_DISABLED; 2]);
    }
    for answer in every_version(&mut client, |_| DeleteAclsRequest {
        filters: vec![delete_acls_request::DeleteAclsFilter::default()],
    }) {
        assert_eq!(answer.filter_results[0].error_code, ErrorCode::SECURITY_DISABLED);
    }
    for answer in every_version(&mut client, |_| DescribeClientQuotasRequest::default()) {
        assert_eq!((answer.error_code, answer.entries), (ErrorCode::NONE, Some(Vec::new())));
    }
    for answer in every_version(&mut client, |_| AlterClientQuotasRequest {
        entries: vec![alter_client_quotas_request::EntryData::default()],
        ..AlterClientQuotasRequest::default()
    }) {
        assert!(answer.entries[0].error_message.is_some());
    }
    for answer in every_version(&mut client, |_| DescribeUserScramCredentialsRequest { users: None }) {
        assert_eq!((answer.error_code, answer.results.len()), (ErrorCode::NONE, 0));
    }
    for answer in every_version(&mut client, |_| AlterUserScramCredentialsRequest {
        deletions: vec![alter_user_scram_credentials_request::ScramCredentialDeletion::default()],
        ..AlterUserScramCredentialsRequest::default()
    }) {
        assert!(answer.results[0].error_message.is_some());
    }
}
