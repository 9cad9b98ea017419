//! What operators ask.

use aquifer_client::{Client, ConfigChange, ConfigSource, NewTopic, OffsetAt, Resource};
use aquifer_types::{Offset, PartitionIndex};
use aquifer_wire::ErrorCode;

use super::server::Stage;

pub(super) async fn topics_are_made_shown_changed_and_deleted(stage: Stage) {
    let client = &stage.client;
    let topic = NewTopic { name: "operated".to_owned(), partitions: Some(2), ..NewTopic::default() };

    client.create_topic_or_try(&topic, true).await.expect("would do");
    assert!(client.topics().await.expect("topics").iter().all(|it| it.name != topic.name));
    let created = client.create_topic_or_try(&topic, false).await.expect("created");
    let twice = client.create_topic(&topic).await.expect_err("exists");
    client.create_partitions(&topic.name, 3, true).await.expect("would do");
    let two = client.describe_topic(&topic.name).await.expect("described");
    client.create_partitions(&topic.name, 3, false).await.expect("three");
    // A broker may answer before it has heard of a change.
    let mut three = client.describe_topic(&topic.name).await.expect("described");
    while three.partitions.len() == 2 || three.partitions.iter().any(|partition| partition.leader.is_none()) {
        three = client.describe_topic(&topic.name).await.expect("described");
    }
    client.delete_topic(&topic.name).await.expect("deleted");
    let gone = loop {
        if let Err(gone) = client.describe_topic(&topic.name).await {
            break gone;
        }
    };

    assert_eq!((created.partitions, created.replication_factor), (Some(2), Some(1)));
    assert_eq!(twice.code(), Some(ErrorCode::TOPIC_ALREADY_EXISTS));
    assert_eq!(Some(two.id), created.id);
    assert_eq!((two.partitions.len(), three.partitions.len()), (2, 3));
    assert_eq!(gone.code(), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
}

pub(super) async fn configs_are_set_and_unset(stage: Stage) {
    let topic = Resource::Topic(stage.topic(1).await);
    let (client, name) = (&stage.client, "retention.ms".to_owned());
    let set = [ConfigChange::Set { name: name.clone(), value: "1000".to_owned() }];
    let wrong = [ConfigChange::Set { name: name.clone(), value: "soon".to_owned() }];

    client.alter_configs(&topic, &set, true).await.expect("would do");
    let before = retention(client, &topic, ConfigSource::Default).await;
    client.alter_configs(&topic, &set, false).await.expect("set");
    let after = retention(client, &topic, ConfigSource::Topic).await;
    client.alter_configs(&topic, &[ConfigChange::Unset { name }], false).await.expect("unset");
    let unset = retention(client, &topic, ConfigSource::Default).await;
    let refused = client.alter_configs(&topic, &wrong, true).await.expect_err("no number");

    assert_eq!(after, "1000");
    assert_eq!(unset, before);
    assert_eq!(refused.code(), Some(ErrorCode::INVALID_CONFIG));
}

/// The value once it comes from `source`: a broker may answer before it has heard of a change.
async fn retention(client: &Client, topic: &Resource, source: ConfigSource) -> String {
    loop {
        let entries = client.describe_configs(topic).await.expect("described");
        let entry = entries.into_iter().find(|entry| entry.name == "retention.ms").expect("listed");
        if entry.source == source {
            return entry.value.expect("a number");
        }
    }
}

pub(super) async fn the_cluster_says_who_it_is(stage: Stage) {
    let client = &stage.client;
    let topic = stage.topic(1).await;
    stage.fill(&topic, 0, 0..10).await;

    let cluster = client.describe_cluster().await.expect("described");
    let node = cluster.brokers[0].node;
    let quorum = client.describe_quorum().await.expect("described");
    let dirs = client.log_dirs(node).await.expect("described");
    let features = client.features().await.expect("listed");
    let apis = client.apis(Some(node)).await.expect("listed");

    assert_eq!(cluster.id.len(), 22);
    assert_eq!(cluster.brokers.len(), 1);
    assert!(quorum.voters.iter().any(|voter| voter.node == quorum.leader));
    let held = dirs.iter().flat_map(|dir| &dir.replicas).find(|replica| replica.topic == topic);
    assert!(held.is_some_and(|replica| replica.bytes > 0), "{dirs:?}");
    assert!(features.iter().all(|feature| feature.min <= feature.max));
    assert!(apis.iter().any(|api| api.name == Some("Produce") && api.max >= 13));
}

pub(super) async fn records_are_deleted_up_to_an_offset(stage: Stage) {
    let topic = stage.topic(2).await;
    stage.fill(&topic, 0, 0..10).await;
    stage.fill(&topic, 1, 0..20).await;
    let place = |index| (topic.as_str().into(), PartitionIndex(index));

    let cut = [(place(0), Offset(4)), (place(1), Offset(20))];
    let starts = stage.client.delete_records(&cut).await;
    let beyond = stage.client.delete_records(&[(place(0), Offset(99))]).await;
    let mut listed = Vec::new();
    for at in [OffsetAt::Start, OffsetAt::End] {
        listed.extend(stage.client.list_offsets(&[(place(0), at), (place(1), at)], false).await);
    }

    assert!(matches!(starts[..], [Ok(Offset(4)), Ok(Offset(20))]), "{starts:?}");
    let code = beyond[0].as_ref().expect_err("beyond the end").code();
    assert_eq!(code, Some(ErrorCode::OFFSET_OUT_OF_RANGE));
    let offsets: Vec<i64> =
        listed.into_iter().map(|listed| listed.expect("listed").offset.expect("there").0).collect();
    assert_eq!(offsets, [4, 20, 10, 20]);
}
