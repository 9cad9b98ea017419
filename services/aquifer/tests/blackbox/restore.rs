//! A cluster whose disks are lost comes back from its bucket, and the one before it stops writing.

use std::path::Path;

use serde_json::Value;

use crate::harness::{Node, Ports, create_topic, data_dir, pause, run, run_ok, skip_without};
use crate::tier::{FLUSH, TOPIC, create, delete_before, lines, objects, partition, produce, read, set, wait};

const AQUIFER: &str = env!("CARGO_BIN_EXE_aquifer");

/// A server that tiers into the bucket; `more` goes into its table of the tier.
fn start(folder: &Path, bucket: &Path, more: &str) -> Node {
    Node::begin_server(folder, Ports::free(), &tier(bucket, more)).ready()
}

fn tier(bucket: &Path, more: &str) -> String {
    format!("[topics]\nretention_check = \"1s\"\n[tier]\nurl = \"{}\"\n{more}", url(bucket))
}

fn url(bucket: &Path) -> String {
    format!("file://{}", bucket.display())
}

/// Restores into the folder from which `start` starts, and returns the report.
fn restore(bucket: &Path, folder: &Path, more: &[&str]) -> Value {
    let (from, to) = (url(bucket), folder.join("data"));
    let mut arguments =
        vec!["restore", "--from", &from, "--data-dir", to.to_str().expect("text"), "-o", "json"];
    arguments.extend(more);
    serde_json::from_str(&run_ok(AQUIFER, &arguments, "")).expect("one object")
}

fn commit(node: &Node, group: &str, count: usize) {
    let count = count.to_string();
    let arguments = ["consume", TOPIC, "-g", group, "-n", &count, "--brokers", &node.kafka, "-f", "%o\n"];
    run_ok(AQUIFER, &arguments, "");
}

/// Where the group goes on in partition 0 of the topic.
fn committed(node: &Node, group: &str) -> i64 {
    let lag = run_ok(AQUIFER, &["group", "lag", group, "--brokers", &node.kafka, "-o", "json"], "");
    let lag: Value = serde_json::from_str(&lag).expect("an array");
    lag[0]["offset"].as_i64().unwrap_or_else(|| panic!("no offset: {lag}"))
}

#[test]
fn everything_uploaded_comes_back_with_topics_settings_and_groups_and_goes_on_through_kills() {
    if skip_without("kcat") {
        return;
    }
    let (old, new, bucket) = (data_dir(), data_dir(), data_dir());
    let node = start(old.path(), bucket.path(), "");
    create(&node, &[("retention.ms", "-1")]);
    for round in 0..3 {
        produce(&node, &lines(round), "zstd");
    }
    commit(&node, "billing", 5_000);
    delete_before(&node, 2_000);
    partition(&node, FLUSH);
    node.kill();
    std::fs::remove_dir_all(old.path().join("data")).expect("the disk is lost");

    let report = restore(bucket.path(), new.path(), &[]);
    assert_eq!((&report["incarnation"], &report["topics"]), (&Value::from(2), &Value::from(1)), "{report}");
    assert_eq!(report["partitions"][0]["end"], 12_000);

    let mut expected: String = (0..3).map(lines).collect::<String>();
    expected = expected.lines().skip(2_000).map(|line| format!("{line}\n")).collect();
    let mut node = start(new.path(), bucket.path(), "");
    assert_eq!(read(&node, "beginning"), expected);
    assert_eq!(committed(&node, "billing"), 5_000);
    let state = partition(&node, 0);
    assert_eq!((state.log_start, state.local_start, state.high_watermark), (2_000, 12_000, 12_000));
    let config = run_ok(AQUIFER, &["topic", "config", "get", TOPIC, "--brokers", &node.kafka], "");
    assert!(config.contains("retention.ms"), "{config}");

    for round in 3..6 {
        produce(&node, &lines(round), "lz4");
        expected.push_str(&lines(round));
        node.kill();
        node = start(new.path(), bucket.path(), "");
        assert_eq!(read(&node, "beginning"), expected, "round {round}");
    }
    commit(&node, "billing", 1_000);
    assert_eq!(partition(&node, FLUSH).tier_end, 24_000);
    assert_eq!((committed(&node, "billing"), read(&node, "beginning")), (6_000, expected));
    assert!(node.terminate().success());
}

#[test]
fn what_was_uploaded_after_the_last_state_is_found_and_what_was_not_is_told() {
    if skip_without("kcat") {
        return;
    }
    let (old, new, bucket) = (data_dir(), data_dir(), data_dir());
    let often = "max_age = \"1s\"\nstate_interval = \"1s\"\n";
    let node = start(old.path(), bucket.path(), often);
    create(&node, &[]);
    produce(&node, &lines(0), "none");
    partition(&node, FLUSH);
    let seldom = "max_age = \"1s\"\nstate_interval = \"1day\"\n";
    node.kill();
    let node = start(old.path(), bucket.path(), seldom);
    produce(&node, &lines(1), "none");
    wait("everything is uploaded", || partition(&node, 0).tier_end == 8_000);
    set(&node, &[("remote.storage.enable", "false")]);
    produce(&node, &lines(2), "none");
    node.kill();

    let report = restore(bucket.path(), new.path(), &["--dry-run"]);
    assert_eq!(report["dry_run"], true);
    assert!(!new.path().join("data").exists(), "nothing was made");
    let report = restore(bucket.path(), new.path(), &[]);
    let found = report["partitions"][0]["objects_found"].as_u64().expect("a number");
    assert!(found > 0 && report["partitions"][0]["end"] == 8_000, "{report}");
    assert!(report["partitions"][0]["complete_until_ms"].as_i64() > report["state_written_ms"].as_i64());

    let node = start(new.path(), bucket.path(), "");
    assert_eq!(read(&node, "beginning"), [lines(0), lines(1)].concat());
    let to = new.path().join("data");
    let again = run(
        AQUIFER,
        &["restore", "--from", &url(bucket.path()), "--data-dir", to.to_str().expect("text"), "-o", "json"],
        "",
    );
    assert_eq!(again.status.code(), Some(2), "a directory in use is not made anew");
    assert!(String::from_utf8_lossy(&again.stderr).contains("not empty"));
}

#[test]
fn a_cluster_that_was_restored_elsewhere_stops_writing_and_harms_nothing() {
    if skip_without("kcat") {
        return;
    }
    let (old, new, bucket) = (data_dir(), data_dir(), data_dir());
    let quick = "max_age = \"1s\"\ngrace = \"1s\"\nstate_interval = \"1s\"\n";
    let alive = start(old.path(), bucket.path(), quick);
    create(&alive, &[]);
    produce(&alive, &lines(0), "none");
    partition(&alive, FLUSH);

    restore(bucket.path(), new.path(), &[]);
    let node = start(new.path(), bucket.path(), quick);
    produce(&node, &lines(1), "none");
    partition(&node, FLUSH);
    wait("the old cluster notices", || !alive.is_ready());
    let (status, why) = alive.get("/readyz").expect("it answers");
    assert!(status == 503 && why.contains("restored elsewhere"), "{status} {why}");

    let before = objects(bucket.path());
    let refused = run(
        "kcat",
        &["-b", &alive.kafka, "-P", "-t", TOPIC, "-X", "message.timeout.ms=2000", "-X", "acks=all"],
        "lost\n",
    );
    assert!(!refused.status.success(), "nothing is produced to the old cluster");
    set(&alive, &[("retention.bytes", "0")]);
    set(&alive, &[("remote.storage.enable", "false")]);
    assert_eq!(read(&alive, "beginning"), lines(0), "what it has can still be read");
    wait("the old one would have deleted by now", || partition(&alive, 0).log_start > 0);
    // Long enough for it to delete what it gave up, if it did.
    for _ in 0..300 {
        pause();
    }
    alive.kill();
    let alive = Node::begin_server(old.path(), Ports::free(), &tier(bucket.path(), quick));
    wait("it knows at once", || alive.get("/readyz").is_some_and(|(status, _)| status == 503));
    assert_eq!(objects(bucket.path()), before);
    assert_eq!(read(&node, "beginning"), [lines(0), lines(1)].concat());
}

#[test]
fn a_restore_can_go_back_in_time_and_be_done_again() {
    if skip_without("kcat") {
        return;
    }
    let (old, past, last, bucket) = (data_dir(), data_dir(), data_dir(), data_dir());
    let node = start(old.path(), bucket.path(), "");
    create(&node, &[]);
    produce(&node, &lines(0), "none");
    partition(&node, FLUSH);
    let newest = |folder: &Path| -> i64 {
        let found = restore(bucket.path(), folder, &["--dry-run"]);
        found["partitions"][0]["complete_until_ms"].as_i64().expect("a time")
    };
    let at = newest(past.path());
    wait("time passes", || {
        std::time::UNIX_EPOCH
            .elapsed()
            .is_ok_and(|now| now.as_millis() > u128::try_from(at).expect("now") + 5)
    });
    produce(&node, &lines(1), "none");
    partition(&node, FLUSH);
    node.kill();

    let report = restore(bucket.path(), past.path(), &["--at", &format!("@{at}")]);
    assert_eq!(
        (&report["partitions"][0]["end"], &report["incarnation"]),
        (&Value::from(4_000), &Value::from(2))
    );
    let node = start(past.path(), bucket.path(), "");
    assert_eq!(read(&node, "beginning"), lines(0));
    produce(&node, &lines(7), "none");
    partition(&node, FLUSH);
    node.kill();

    let report = restore(bucket.path(), last.path(), &[]);
    assert_eq!(report["incarnation"], 3, "{report}");
    let node = start(last.path(), bucket.path(), "");
    assert_eq!(read(&node, "beginning"), [lines(0), lines(7)].concat(), "of the newest life alone");
}

#[test]
fn a_topic_alone_comes_back_as_a_cluster_of_its_own_while_the_other_goes_on() {
    if skip_without("kcat") {
        return;
    }
    let (old, new, bucket) = (data_dir(), data_dir(), data_dir());
    let node = start(old.path(), bucket.path(), "grace = \"1s\"\nstate_interval = \"1s\"\n");
    create(&node, &[]);
    create_topic(&node.kafka, "other", 1, &[("remote.storage.enable", "true"), ("segment.bytes", "65536")]);
    run_ok("kcat", &["-b", &node.kafka, "-P", "-t", "other"], &lines(5));
    produce(&node, &lines(0), "gzip");
    commit(&node, "billing", 1_500);
    partition(&node, FLUSH);

    let unknown = ["restore", "--from", &url(bucket.path()), "--data-dir", "/nowhere", "--topic", "none"];
    assert_eq!(run(AQUIFER, &unknown, "").status.code(), Some(3));
    let report = restore(bucket.path(), new.path(), &["--topic", TOPIC]);
    assert_eq!((&report["topics"], report["cluster"] == report["from_cluster"]), (&Value::from(1), false));
    run_ok(AQUIFER, &["topic", "delete", TOPIC, "--brokers", &node.kafka], "");
    let copies = start(new.path(), bucket.path(), "");
    let of_old = |name: &str| objects(&bucket.path().join(name));
    let from = report["from_cluster"].as_str().expect("an id").to_owned();
    let before = of_old(&from);
    wait("the other cluster deletes what is its own", || of_old(&from) < before);

    assert_eq!(read(&copies, "beginning"), lines(0));
    assert_eq!(committed(&copies, "billing"), 1_500);
    assert!(node.is_ready(), "it was told nothing");
    produce(&copies, &lines(1), "none");
    assert_eq!(partition(&copies, FLUSH).tier_end, 8_000);
    assert_eq!(read(&copies, "beginning"), [lines(0), lines(1)].concat());
}
