//! The tier in a bucket of a server that speaks S3: offload, kills of either side, restore, and what is said when it is refused.

use std::path::Path;

use serde_json::Value;

use crate::harness::{Node, Ports, data_dir, pause, run, run_as, skip_without};
use crate::minio::{Minio, PASSWORD, USER};
use crate::tier::{self, FLUSH, TOPIC, create, delete_before, lines, partition, produce, read, wait};

/// A variable of an environment.
type Variable<'a> = (&'a str, &'a str);

const AQUIFER: &str = env!("CARGO_BIN_EXE_aquifer");
const KEYS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", USER),
    ("AWS_SECRET_ACCESS_KEY", PASSWORD),
    // Nothing beyond this machine is asked.
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

/// A server that tiers to the URL and has not begun to serve; `more` goes into its table of the tier.
pub(crate) fn begin(folder: &Path, ports: Ports, url: &str, more: &str, variables: &[(&str, &str)]) -> Node {
    let more = format!("[topics]\nretention_check = \"1s\"\n[tier]\nurl = \"{url}\"\n{more}");
    Node::begin_server_as(folder, ports, &more, variables)
}

fn start(folder: &Path, server: &Minio, more: &str) -> Node {
    begin(folder, Ports::free(), &server.url(), more, &KEYS).ready()
}

/// Restores into the folder from which `start` starts, and returns the report.
fn restore(server: &Minio, folder: &Path, more: &[&str]) -> Value {
    let (from, to) = (server.url(), folder.join("data"));
    let mut arguments =
        vec!["restore", "--from", &from, "--data-dir", to.to_str().expect("text"), "-o", "json"];
    arguments.extend(more);
    let output = run_as(AQUIFER, &arguments, "", &KEYS);
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// What `tier fsck` says of the only cluster in the bucket.
fn fsck(server: &Minio) -> Value {
    let output = run_as(AQUIFER, &["tier", "fsck", &server.url(), "--deep", "-o", "json"], "", &KEYS);
    let said = String::from_utf8_lossy(&output.stderr);
    let checks: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    checks[0].clone()
}

#[test]
fn every_record_is_read_from_the_bucket_with_every_codec_after_kills_and_by_time() {
    if skip_without("kcat") {
        return;
    }
    let Some(server) = Minio::start() else { return };
    let data = data_dir();

    tier::every_codec(|| start(data.path(), &server, ""));

    let check = fsck(&server);
    assert!(check["sound"] == true && check["partitions"][0]["end"] == 20_000, "{check}");
}

#[test]
fn a_server_that_is_killed_under_load_holds_up_no_producer_and_everything_heals() {
    if skip_without("kcat") {
        return;
    }
    let Some(mut server) = Minio::start() else { return };
    let data = data_dir();
    let ports = Ports::free();
    let begin =
        |server: &Minio| begin(data.path(), ports, &server.url(), "max_age = \"1s\"\n", &KEYS).ready();
    let mut node = begin(&server);
    create(&node, &[]);
    let mut expected = String::new();
    for round in 0..8 {
        let away = round % 2 == 1;
        if away {
            // At some moment of the uploads of what was produced just now.
            for _ in 0..round * 4 {
                pause();
            }
            server.go_away();
        }
        produce(&node, &lines(round), "lz4");
        expected.push_str(&lines(round));
        if round % 4 == 3 {
            node.kill();
            node = begin(&server);
        }
        if away {
            server.come_back();
        }
    }

    let state = partition(&node, FLUSH);
    assert_eq!((state.tier_end, state.high_watermark), (32_000, 32_000));
    assert_eq!(read(&node, "beginning"), expected);
    wait("local copies go", || partition(&node, 0).local_start > 28_000);
    node.kill();
    let node = begin(&server);
    assert_eq!(read(&node, "beginning"), expected);
    let check = fsck(&server);
    assert!(check["sound"] == true, "{check}");
}

#[test]
fn a_reader_of_what_only_the_bucket_has_goes_on_once_the_server_is_back() {
    if skip_without("kcat") {
        return;
    }
    let Some(mut server) = Minio::start() else { return };
    let data = data_dir();
    let node = start(data.path(), &server, "");
    create(&node, &[]);
    produce(&node, &lines(0), "none");
    partition(&node, FLUSH);
    wait("local copies go", || partition(&node, 0).local_start > 3_000);
    node.kill();
    let node = start(data.path(), &server, "");
    server.go_away();

    let cold =
        run("timeout", &["3", "kcat", "-b", &node.kafka, "-C", "-t", TOPIC, "-o", "0", "-c", "1", "-q"], "");
    assert!(cold.stdout.is_empty(), "what only the bucket has is not invented");
    produce(&node, &lines(1), "none");

    server.come_back();
    assert_eq!(read(&node, "beginning"), [lines(0), lines(1)].concat());
}

#[test]
fn a_cluster_comes_back_from_its_bucket_once_and_again_and_so_does_a_deleted_topic() {
    if skip_without("kcat") {
        return;
    }
    let Some(server) = Minio::start() else { return };
    let (old, new, alone) = (data_dir(), data_dir(), data_dir());
    let settings = "grace = \"1h\"\nstate_interval = \"1s\"\n";
    let node = start(old.path(), &server, settings);
    create(&node, &[("retention.ms", "-1")]);
    produce(&node, &lines(0), "zstd");
    delete_before(&node, 100);
    partition(&node, FLUSH);
    node.kill();
    std::fs::remove_dir_all(old.path().join("data")).expect("the disk is lost");

    let report = restore(&server, new.path(), &[]);
    assert_eq!(
        (&report["incarnation"], &report["partitions"][0]["end"]),
        (&2.into(), &4_000.into()),
        "{report}"
    );
    let mut expected: String = lines(0).lines().skip(100).map(|line| format!("{line}\n")).collect();
    let node = start(new.path(), &server, settings);
    assert_eq!(read(&node, "beginning"), expected);
    produce(&node, &lines(1), "none");
    expected.push_str(&lines(1));
    partition(&node, FLUSH);

    let topic = |words: &[&str]| run(AQUIFER, &[&["topic"], words, &["--brokers", &node.kafka]].concat(), "");
    assert!(topic(&["delete", TOPIC]).status.success());
    let undeleted = topic(&["undelete", TOPIC]);
    assert!(undeleted.status.success(), "{undeleted:?}");
    assert_eq!(read(&node, "beginning"), expected, "the server copied its objects");
    wait("the state is in the bucket", || {
        let check = fsck(&server);
        check["sound"] == true && check["partitions"].as_array().is_some_and(|all| all.len() == 2)
    });

    let report = restore(&server, alone.path(), &["--topic", TOPIC]);
    assert_ne!(report["cluster"], report["from_cluster"], "{report}");
    let copy = start(alone.path(), &server, settings);
    assert_eq!(read(&copy, "beginning"), expected);
    assert!(node.is_ready(), "the other cluster was told nothing");
}

fn metric(node: &Node, name: &str) -> u64 {
    let (_, metrics) = node.get("/metrics").expect("it answers");
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {metrics}"))
}

#[test]
fn what_is_read_again_leaves_from_local_disk_whoever_is_killed_or_away() {
    if skip_without("kcat") {
        return;
    }
    let Some(mut server) = Minio::start() else { return };
    let data = data_dir();
    let start = |server: &Minio, more| {
        let more = format!("state_interval = \"1day\"\n{more}");
        begin(data.path(), Ports::free(), &server.url(), &more, &KEYS).ready()
    };
    let node = start(&server, "");
    create(&node, &[("segment.bytes", "262144")]);
    for round in 0..10 {
        produce(&node, &lines(round), "none");
    }
    let expected: String = (0..10).map(lines).collect();
    partition(&node, FLUSH);
    wait("local copies go", || partition(&node, 0).local_start > 36_000);
    node.kill();
    let node = start(&server, "");
    assert_eq!(read(&node, "beginning"), expected);
    assert_eq!(metric(&node, "aquifer_cold_disk_writes_total"), 0, "one reader alone");
    wait("it comes to stand on disk", || {
        assert_eq!(read(&node, "beginning"), expected);
        metric(&node, "aquifer_cold_disk_hits_total") > 0
    });
    // At some moment while chunks are being written.
    node.kill();

    let node = start(&server, "");
    wait("all of it does", || {
        let asked = metric(&node, "aquifer_tier_read_requests_total");
        assert_eq!(read(&node, "beginning"), expected);
        let held = metric(&node, "aquifer_cold_disk_held_bytes");
        metric(&node, "aquifer_tier_read_requests_total") == asked && held > expected.len() as u64 / 2
    });
    node.kill();
    let node = start(&server, "");
    server.go_away();
    let sent = metric(&node, "aquifer_sendfile_bytes_total");
    assert_eq!(read(&node, "beginning"), expected, "the bucket is away");
    let sent = metric(&node, "aquifer_sendfile_bytes_total") - sent;
    assert!(sent > expected.len() as u64 / 2, "{sent} bytes left by sendfile");
    server.come_back();
    node.kill();

    let node = start(&server, "cache = \"0B\"\n");
    assert_eq!(read(&node, "beginning"), expected);
    assert!(!data.path().join("data/cold").exists(), "it is switched off");
}

/// What a server that cannot use the URL says before it ends.
fn refused(url: &str, variables: &[(&str, &str)]) -> String {
    let folder = data_dir();
    begin(folder.path(), Ports::free(), url, "", variables).last_words()
}

#[test]
fn wrong_credentials_and_a_bucket_that_is_not_there_are_refused_with_what_to_do() {
    let Some(server) = Minio::start() else { return };
    let folder = data_dir();
    let wrong = [("AWS_SECRET_ACCESS_KEY", "guessed"), KEYS[0], KEYS[2]];
    let home = folder.path().to_str().expect("text");
    let none = [("HOME", home), ("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", ""), KEYS[2]];
    let missing = server.url_of("nowhere");
    let url = server.url();
    let cases: [(&str, &[Variable<'_>], &str); 3] = [
        (&url, &wrong, "check the credentials"),
        (&url, &none, "set AWS_ACCESS_KEY_ID"),
        (&missing, &KEYS, "there is no such bucket; make it, or correct the URL"),
    ];
    for (url, variables, what) in cases {
        let said = refused(url, variables);
        assert!(said.contains(what), "{said}");
        let read = run_as(AQUIFER, &["tier", "fsck", url], "", variables);
        let said = String::from_utf8_lossy(&read.stderr);
        assert!(!read.status.success() && said.contains(what), "{said}");
    }
}
