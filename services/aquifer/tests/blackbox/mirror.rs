//! Compacted topics are mirrored to the bucket and come back from it; producers go on after a restore without duplicates.

use std::collections::BTreeMap;
use std::path::Path;

use aquifer_client::{Client, NewTopic};
use aquifer_record::{BatchBuilder, Encoding, NewRecord};
use aquifer_types::{Offset, ProducerEpoch, ProducerId};
use aquifer_wire::messages::{
    AquiferAppendRequest, AquiferAppendResponse, InitProducerIdRequest, MetadataRequest,
};
use aquifer_wire::{ErrorCode, Records, Text};
use bytes::Bytes;

use crate::compaction::{CONFIGS, Produced, TOPIC, is_clean};
use crate::harness::{Node, data_dir, run, skip_without};
use crate::restore::{data_objects, restore, start};
use crate::tier::{self, FLUSH, create, lines, partition, partition_of, produce, read, wait, with_client};

const QUICK: &str = "max_age = \"1s\"\ngrace = \"1s\"\nstate_interval = \"1s\"\n";

fn mirrored(node: &Node) {
    let tiered = [("remote.storage.enable", "true")];
    let configs: BTreeMap<String, String> = CONFIGS
        .iter()
        .chain(&tiered)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let topic = NewTopic { name: TOPIC.to_owned(), partitions: Some(1), configs, ..NewTopic::default() };
    with_client(node, async |client| client.create_topic(&topic).await.expect("created"));
}

/// What the command says that was to set this config, and could not.
fn refused(node: &Node, topic: &str, config: &str) -> String {
    let output = run(
        env!("CARGO_BIN_EXE_aquifer"),
        &["topic", "config", "set", topic, config, "--brokers", &node.kafka],
        "",
    );
    assert!(!output.status.success(), "{config} was taken");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn round(number: i32) -> Vec<(String, Option<String>)> {
    let value = |key: i32| Some(format!("round {number} of key {key} {}", "v".repeat(200)));
    (0..60).map(|key| (format!("k{key}"), value(key))).collect()
}

fn lost(folder: &Path) {
    std::fs::remove_dir_all(folder.join("data")).expect("the disk is lost");
}

#[test]
fn a_compacted_topic_is_mirrored_as_it_is_cleaned_and_comes_back_with_the_last_values() {
    if skip_without("kcat") {
        return;
    }
    let (old, new, bucket) = (data_dir(), data_dir(), data_dir());
    let node = start(old.path(), bucket.path(), QUICK);
    mirrored(&node);
    for config in ["local.retention.bytes=0", "local.retention.ms=1"] {
        let why = refused(&node, TOPIC, config);
        assert!(why.contains("compaction works on the local copy"), "{why}");
    }
    let mut produced = Produced::default();
    for number in 0..4 {
        produced.put(&node, round(number));
    }
    produced.fill(&node);
    let uploaded = partition_of(&node, TOPIC, FLUSH).tier_bytes;
    produced.wait(&node, "a clean log", is_clean);
    // What was replaced goes once the state in the bucket, which a flush writes, names what took its place.
    wait("the bucket holds what the log was cleaned to, and nothing else", || {
        let state = partition_of(&node, TOPIC, FLUSH);
        let objects = usize::try_from(state.objects).expect("a number");
        state.tier_bytes < uploaded && data_objects(bucket.path()).len() == objects
    });
    let state = partition_of(&node, TOPIC, FLUSH);
    assert_eq!((state.log_start, state.local_start), (0, 0), "the local copy stays whole");
    assert_eq!(state.tier_end, state.high_watermark);
    let before = produced.read_and_check(&node);
    node.kill();
    lost(old.path());

    let report = restore(bucket.path(), new.path(), &[]);
    assert_eq!(report["partitions"][0]["end"], state.high_watermark, "{report}");
    let mut node = start(new.path(), bucket.path(), QUICK);
    assert_eq!(produced.read_and_check(&node), before);
    let after = partition_of(&node, TOPIC, 0);
    assert_eq!((after.log_start, after.local_start), (0, state.high_watermark));
    // What only the bucket has is superseded by what comes, and deleted by tombstones, for good.
    produced.put(&node, (0..30).map(|key| (format!("k{key}"), None)).collect());
    for number in 4..7 {
        produced.put(&node, round(number).split_off(30));
        produced.fill(&node);
        node.kill();
        node = start(new.path(), bucket.path(), QUICK);
        produced.read_and_check(&node);
    }
    wait("the log goes on being mirrored", || {
        produced.read_and_check(&node);
        let state = partition_of(&node, TOPIC, FLUSH);
        state.tier_end == state.high_watermark
    });
    assert!(node.terminate().success());
}

#[test]
fn what_only_the_bucket_has_cannot_become_compacted() {
    if skip_without("kcat") {
        return;
    }
    let (folder, bucket) = (data_dir(), data_dir());
    let node = start(folder.path(), bucket.path(), QUICK);
    create(&node, &[]);
    produce(&node, &lines(0), "none");
    partition(&node, FLUSH);
    wait("local records are dropped", || partition(&node, 0).local_start > 0);
    tier::set(&node, &[("local.retention.bytes", "-2")]);

    let why = refused(&node, tier::TOPIC, "cleanup.policy=compact");

    assert!(why.contains("in the tier alone"), "{why}");
    assert_eq!(read(&node, "beginning"), lines(0));
}

/// Appends the producer's batch of these sequences; the same call again sends the same bytes.
async fn append(client: &Client, producer: ProducerId, sequence: i32) -> AquiferAppendResponse {
    let metadata = client
        .call_any(&MetadataRequest { topics: None, ..MetadataRequest::default() })
        .await
        .expect("answered");
    let named = |name: &Option<Text>| name.as_ref().is_some_and(|name| &**name == tier::TOPIC);
    let topic = metadata.topics.iter().find(|topic| named(&topic.name)).expect("it is there");
    let mut batch = BatchBuilder::new(Encoding::NONE);
    batch.producer(producer, ProducerEpoch(0), sequence).base_offset(Offset(0));
    for number in 0..10 {
        let value = format!("{sequence} {number}");
        batch.push(&NewRecord { value: Some(value.as_bytes()), ..NewRecord::default() }).expect("small");
    }
    let request = AquiferAppendRequest {
        topic_id: topic.topic_id,
        records: Some(Records::from(Bytes::from(batch.build().expect("small")))),
        ..AquiferAppendRequest::default()
    };
    let answer = client.call_any(&request).await.expect("answered");
    assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
    answer
}

#[test]
fn what_a_producer_sends_again_after_a_restore_is_not_appended_twice() {
    if skip_without("kcat") {
        return;
    }
    let (old, new, bucket) = (data_dir(), data_dir(), data_dir());
    let node = start(old.path(), bucket.path(), QUICK);
    create(&node, &[]);
    let producer = with_client(&node, async |client| {
        let asked = InitProducerIdRequest { transactional_id: None, ..InitProducerIdRequest::default() };
        let given = client.call_any(&asked).await.expect("answered");
        assert_eq!(given.error_code, ErrorCode::NONE);
        let producer = ProducerId(given.producer_id);
        append(client, producer, 0).await;
        append(client, producer, 10).await;
        assert!(append(client, producer, 10).await.duplicate);
        producer
    });
    produce(&node, &lines(0), "none");
    let end = partition(&node, FLUSH).tier_end;
    node.kill();
    lost(old.path());
    restore(bucket.path(), new.path(), &[]);

    let mut node = start(new.path(), bucket.path(), QUICK);
    for life in 0..2 {
        let again = with_client(&node, async |client| append(client, producer, 10).await);
        assert_eq!((again.duplicate, again.base_offset), (true, 10), "life {life}");
        node.kill();
        node = start(new.path(), bucket.path(), QUICK);
    }
    let next = with_client(&node, async |client| append(client, producer, 20).await);
    assert_eq!((next.duplicate, next.base_offset), (false, end));
    assert_eq!(partition(&node, 0).high_watermark, end + 10);
}
