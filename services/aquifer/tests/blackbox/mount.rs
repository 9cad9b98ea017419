//! A read-only mount serves what the bucket holds and changes nothing, while the cluster goes on writing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use aquifer_client::{Client, ClientError, NewTopic};
use aquifer_types::{Offset, PartitionIndex};
use aquifer_wire::messages::{AquiferTierRequest, InitProducerIdRequest};
use aquifer_wire::{ErrorCode, Text};
use serde_json::json;

use crate::gateway::http::Http;
use crate::harness::{Node, data_dir, run, skip_without};
use crate::restore::{commit, committed, start, url};
use crate::tier::{FLUSH, TOPIC, create, delete_before, lines, partition, produce, read, with_client};

/// Every file below the folder, with its length.
fn listing(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let about = entry.metadata().expect("it is there");
            if about.is_dir() {
                folders.push(entry.path());
            } else {
                found.insert(entry.path(), about.len());
            }
        }
    }
    found
}

/// What the command says when it is refused.
fn refusal(node: &Node, arguments: &[&str], input: &str) -> String {
    let mut arguments = arguments.to_vec();
    arguments.extend(["--brokers", &node.kafka]);
    let output = run(env!("CARGO_BIN_EXE_aquifer"), &arguments, input);
    assert!(!output.status.success(), "{arguments:?} is refused");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn code(client: &Client, action: i8) -> (ErrorCode, Option<Text>) {
    let topics = Some(vec![Text::from_static(TOPIC)]);
    let request = AquiferTierRequest { action, topics, timeout_ms: 10_000 };
    let answer = client.call_any(&request).await.expect("answered");
    (answer.error_code, answer.error_message)
}

#[test]
fn a_mount_shows_what_is_in_the_bucket_and_changes_nothing_while_the_cluster_goes_on() {
    if skip_without("kcat") {
        return;
    }
    let (data, bucket) = (data_dir(), data_dir());
    let alive = start(data.path(), bucket.path(), "max_age = \"1h\"\nstate_interval = \"1day\"\n");
    create(&alive, &[("retention.ms", "-1")]);
    produce(&alive, &lines(0), "zstd");
    commit(&alive, "billing", 1_000);
    delete_before(&alive, 500);
    partition(&alive, FLUSH);
    let uploaded: String = lines(0).lines().skip(500).map(|line| format!("{line}\n")).collect();
    let before = listing(bucket.path());

    let mount = Node::mount(&url(bucket.path()));
    assert_eq!(read(&mount, "beginning"), uploaded);
    assert_eq!(committed(&mount, "billing"), 1_000);
    let state = partition(&mount, 0);
    assert_eq!((state.log_start, state.tier_end, state.high_watermark), (500, 4_000, 4_000));
    let produced = [
        refusal(&mount, &["produce", TOPIC], "one\n"),
        String::from_utf8_lossy(&run("kcat", &["-b", &mount.kafka, "-P", "-t", TOPIC], "one\n").stderr)
            .into(),
    ];
    for why in &produced {
        assert!(why.to_lowercase().replace('_', " ").contains("policy violation"), "{why}");
    }
    let refused = [
        refusal(&mount, &["topic", "create", "other"], ""),
        refusal(&mount, &["topic", "config", "set", TOPIC, "retention.ms=1"], ""),
    ];
    for why in &refused {
        assert!(why.contains("read-only mount"), "{why}");
    }
    with_client(&mount, async |client| {
        let topic = NewTopic { name: "other".to_owned(), ..NewTopic::default() };
        let created = client.create_topic(&topic).await.expect_err("refused");
        assert!(
            matches!(&created, ClientError::Refused { code, .. } if *code == ErrorCode::POLICY_VIOLATION),
            "{created:?}"
        );
        let init = InitProducerIdRequest { transactional_id: None, ..InitProducerIdRequest::default() };
        let producer = client.call_any(&init).await.expect("answered");
        assert_eq!(producer.error_code, ErrorCode::POLICY_VIOLATION);
        let place = (Text::from_static(TOPIC), PartitionIndex(0));
        let deleted = client.delete_records(&[(place, Offset(600))]).await;
        assert!(deleted[0].is_err());
        let (code, why) = code(client, FLUSH).await;
        assert!(code == ErrorCode::INVALID_REQUEST && why.expect("a reason").contains("read-only mount"));
    });
    let http = Http::at(&mount.http);
    let record = json!({"records": [{"value_text": "one"}]});
    http.json("PUT", "/v1/topics/other", &json!({"partitions": 1})).problem(409, "policy_violation");
    http.json("POST", &format!("/v1/topics/{TOPIC}/records"), &record).problem(409, "policy_violation");
    let joined = refusal(&mount, &["consume", TOPIC, "-g", "billing", "-n", "1"], "");
    assert!(joined.to_lowercase().contains("policy"), "{joined}");
    assert_eq!(listing(bucket.path()), before, "nothing was written to the bucket");

    produce(&alive, &lines(1), "none");
    assert_eq!(partition(&alive, FLUSH).tier_end, 8_000, "the cluster goes on");
    assert_eq!(committed(&alive, "billing"), 1_000);
    assert_eq!(read(&mount, "beginning"), uploaded, "as of the mount's start");
    // Its folder goes with it.
    assert!(mount.terminate().success());
    let mount = Node::mount(&url(bucket.path()));
    assert_eq!(read(&mount, "beginning"), uploaded + &lines(1));
    assert!(mount.terminate().success() && alive.terminate().success());
}
