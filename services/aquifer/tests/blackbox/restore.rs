//! A cluster whose disks are lost comes back from its bucket, and the one before it stops writing.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Node, Ports, create_topic, data_dir, pause, run, run_ok, skip_without};
use crate::tier::{FLUSH, TOPIC, create, delete_before, lines, objects, partition, produce, read, set, wait};

const AQUIFER: &str = env!("CARGO_BIN_EXE_aquifer");

/// A server that tiers into the bucket; `more` goes into its table of the tier.
pub(crate) fn start(folder: &Path, bucket: &Path, more: &str) -> Node {
    Node::begin_server(folder, Ports::free(), &tier(bucket, more)).ready()
}

fn tier(bucket: &Path, more: &str) -> String {
    format!("[topics]\nretention_check = \"1s\"\n[tier]\nurl = \"{}\"\n{more}", url(bucket))
}

pub(crate) fn url(bucket: &Path) -> String {
    format!("file://{}", bucket.display())
}

/// Restores into the folder from which `start` starts, and returns the report.
pub(crate) fn restore(bucket: &Path, folder: &Path, more: &[&str]) -> Value {
    let (from, to) = (url(bucket), folder.join("data"));
    let mut arguments =
        vec!["restore", "--from", &from, "--data-dir", to.to_str().expect("text"), "-o", "json"];
    arguments.extend(more);
    serde_json::from_str(&run_ok(AQUIFER, &arguments, "")).expect("one object")
}

pub(crate) fn commit(node: &Node, group: &str, count: usize) {
    let count = count.to_string();
    let arguments = ["consume", TOPIC, "-g", group, "-n", &count, "--brokers", &node.kafka, "-f", "%o\n"];
    run_ok(AQUIFER, &arguments, "");
}

/// Where the group goes on in partition 0 of the topic.
pub(crate) fn committed(node: &Node, group: &str) -> i64 {
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

/// What `tier fsck` says of the only cluster in the bucket, and whether it says that all is well.
pub(crate) fn fsck(bucket: &Path, more: &[&str]) -> (bool, Value) {
    let url = url(bucket);
    let mut arguments = vec!["tier", "fsck", &url, "-o", "json"];
    arguments.extend(more);
    let output = run(AQUIFER, &arguments, "");
    let checks: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    assert_eq!(checks.as_array().map(Vec::len), Some(1), "{checks}");
    assert_eq!(output.status.success(), checks[0]["sound"], "{checks}");
    (output.status.success(), checks[0].clone())
}

/// Data objects in the order of their names.
pub(crate) fn data_objects(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(data_objects(&path));
        } else if path.extension().is_some_and(|extension| extension == "aqs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn a_bucket_is_checked_without_a_cluster_and_every_kind_of_damage_is_found() {
    if skip_without("kcat") {
        return;
    }
    let (old, bucket) = (data_dir(), data_dir());
    let node = start(old.path(), bucket.path(), "");
    create(&node, &[]);
    for round in 0..4 {
        produce(&node, &lines(round), "none");
        partition(&node, FLUSH);
    }
    assert!(fsck(bucket.path(), &["--deep"]).0, "of a cluster that runs");
    node.kill();
    let (sound, check) = fsck(bucket.path(), &["--deep"]);
    let of = |check: &Value, what: &str| check["partitions"][0][what].clone();
    assert!(sound && of(&check, "topic") == TOPIC && of(&check, "end") == 16_000, "{check}");
    assert_eq!((of(&check, "orphans"), of(&check, "lost")), (Value::from(0), Value::from(0)));

    let all = data_objects(bucket.path());
    let other = all[0].with_file_name(
        all[0]
            .file_name()
            .expect("a name")
            .to_str()
            .expect("text")
            .replace(&"0".repeat(20), &format!("{:020}", 77)),
    );
    std::fs::copy(&all[0], &other).expect("copied");
    let (sound, check) = fsck(bucket.path(), &[]);
    assert!(!sound && of(&check, "damaged").as_array().map(Vec::len) == Some(1), "another name: {check}");
    std::fs::remove_file(&other).expect("removed");

    let flip = |path: &Path, at: usize| {
        let mut bytes = std::fs::read(path).expect("an object");
        let at = if at == usize::MAX { bytes.len() - 100 } else { at };
        bytes[at] ^= 1;
        std::fs::write(path, bytes).expect("written");
    };
    flip(&all[1], 1_000);
    assert!(fsck(bucket.path(), &[]).0, "data is only looked at where that is asked for");
    assert!(!fsck(bucket.path(), &["--deep"]).0);
    flip(&all[1], 1_000);
    flip(&all[2], usize::MAX);
    assert!(!fsck(bucket.path(), &[]).0, "a footer");
    flip(&all[2], usize::MAX);
    assert!(fsck(bucket.path(), &["--deep"]).0, "all is well again");
    std::fs::remove_file(&all[1]).expect("removed");
    let (sound, check) = fsck(bucket.path(), &[]);
    assert!(!sound && of(&check, "lost") == 1, "{check}");

    let missing = run(AQUIFER, &["tier", "fsck", "file:///nowhere/at/all"], "");
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn objects_that_nobody_can_commit_any_more_are_collected_and_no_others() {
    if skip_without("kcat") {
        return;
    }
    let (old, bucket) = (data_dir(), data_dir());
    let node = start(old.path(), bucket.path(), "grace = \"1s\"\norphan_check = \"1day\"\n");
    create(&node, &[]);
    produce(&node, &lines(0), "none");
    partition(&node, FLUSH);
    node.kill();
    let live = data_objects(bucket.path());
    let name = live[0].file_name().expect("a name").to_str().expect("text").to_owned();
    let parts: Vec<&str> = name.trim_end_matches(".aqs").split('-').collect();
    let named = |incarnation: &str, run: &str, nonce: u64| {
        let folder =
            live[0].with_file_name(format!("{}-{}-{incarnation}{run}-{nonce:016x}.aqs", parts[0], parts[1]));
        std::fs::copy(&live[0], &folder).expect("copied");
        folder
    };
    let (incarnation, run) = parts[2].split_at(4);
    let of_this_run = named(incarnation, run, 1);
    let of_an_earlier_run = named(incarnation, "000000000001", 2);
    let of_no_run_yet = named(incarnation, "0000ffffffff", 3);
    let of_another_life = named("0000", run, 4);
    let (sound, check) = fsck(bucket.path(), &[]);
    assert_eq!(check["partitions"][0]["orphans"], 4, "{sound} {check}");

    let node = start(old.path(), bucket.path(), "grace = \"1s\"\norphan_check = \"1s\"\n");
    produce(&node, &lines(1), "none");
    partition(&node, FLUSH);
    wait("orphans go", || !of_an_earlier_run.exists() && !of_this_run.exists() && !of_no_run_yet.exists());

    assert!(of_another_life.exists(), "somebody may want to go back to it");
    assert!(live.iter().all(|path| path.exists()));
    assert_eq!(read(&node, "beginning"), [lines(0), lines(1)].concat());
    let (_, metrics) = node.get("/metrics").expect("it answers");
    assert!(metrics.contains("aquifer_tier_orphans_deleted_total 3"), "{metrics}");
}

#[test]
fn a_deleted_topic_comes_back_within_its_grace_and_keeps_its_own_objects() {
    if skip_without("kcat") {
        return;
    }
    let (old, bucket) = (data_dir(), data_dir());
    let settings = |grace| format!("grace = \"{grace}\"\nstate_interval = \"1s\"\norphan_check = \"1s\"\n");
    let node = start(old.path(), bucket.path(), &settings("1h"));
    create(&node, &[("retention.ms", "-1")]);
    produce(&node, &lines(0), "zstd");
    delete_before(&node, 100);
    partition(&node, FLUSH);
    let expected: String = lines(0).lines().skip(100).map(|line| format!("{line}\n")).collect();
    let topic = |node: &Node, words: &[&str]| {
        let arguments = [&["topic"], words, &["--brokers", &node.kafka, "-o", "json"]].concat();
        run(AQUIFER, &arguments, "")
    };
    assert_eq!(topic(&node, &["undelete", TOPIC]).status.code(), Some(3), "it was not deleted");
    assert!(topic(&node, &["delete", TOPIC]).status.success());
    node.kill();

    let node = start(old.path(), bucket.path(), &settings("1h"));
    let tried = topic(&node, &["undelete", TOPIC, "--dry-run"]);
    assert!(String::from_utf8_lossy(&tried.stdout).contains("3900 records"), "{tried:?}");
    assert_eq!(topic(&node, &["describe", TOPIC]).status.code(), Some(3), "nothing was done");
    assert!(topic(&node, &["undelete", TOPIC]).status.success());
    assert_eq!(read(&node, "beginning"), expected);
    let config = topic(&node, &["config", "get", TOPIC]);
    assert!(String::from_utf8_lossy(&config.stdout).contains("retention.ms"), "{config:?}");
    produce(&node, &lines(1), "none");
    partition(&node, FLUSH);
    let before = objects(bucket.path());
    node.kill();

    let node = start(old.path(), bucket.path(), &settings("1s"));
    wait("what it had before goes", || objects(bucket.path()) < before);
    assert_eq!(read(&node, "beginning"), [expected, lines(1)].concat());
    let (sound, check) = fsck(bucket.path(), &["--deep"]);
    assert!(sound, "{check}");
    assert!(topic(&node, &["delete", TOPIC]).status.success());
    wait("its own objects go too", || objects(bucket.path()) == 0);
    assert_eq!(topic(&node, &["undelete", TOPIC]).status.code(), Some(3), "nothing is left of it");
}
