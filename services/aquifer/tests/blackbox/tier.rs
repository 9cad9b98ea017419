//! A tiered topic: records move to the bucket and are read from there, whatever is killed, deleted or away meanwhile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aquifer_client::{Client, ClientSettings, ConnectionSettings, NewTopic, TcpConnector};
use aquifer_runtime::Runtime;
use aquifer_types::{Offset, PartitionIndex};
use aquifer_wire::messages::aquifer_tier_response::TieredPartition;
use aquifer_wire::messages::{AquiferTierRequest, AquiferTierResponse};
use aquifer_wire::{ErrorCode, Text};

use crate::harness::{Node, Ports, data_dir, pause, run, run_ok, skip_without};
use crate::objects::metric;

pub(crate) const TOPIC: &str = "cold";
pub(crate) const FLUSH: i8 = 1;
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) fn with_client<T>(node: &Node, work: impl AsyncFnOnce(&Client) -> T) -> T {
    let settings = ClientSettings {
        bootstrap: vec![node.kafka.parse().expect("an address")],
        connection: ConnectionSettings { request_timeout: PATIENCE, ..ConnectionSettings::default() },
        retry_for: PATIENCE,
    };
    let reactor = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a reactor");
    reactor.block_on(async {
        work(&Client::new(Runtime::real(), std::sync::Arc::new(TcpConnector), settings)).await
    })
}

pub(crate) fn create(node: &Node, more: &[(&str, &str)]) {
    let own = [("remote.storage.enable", "true"), ("segment.bytes", "65536"), ("local.retention.bytes", "0")];
    let configs: BTreeMap<String, String> =
        own.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let topic = NewTopic { name: TOPIC.to_owned(), partitions: Some(1), configs, ..NewTopic::default() };
    with_client(node, async |client| client.create_topic(&topic).await.expect("created"));
}

/// Sets configs of the topic, by this program's own command.
pub(crate) fn set(node: &Node, configs: &[(&str, &str)]) {
    let configs: Vec<String> = configs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut arguments = vec!["topic", "config", "set", TOPIC];
    arguments.extend(configs.iter().map(String::as_str));
    arguments.extend(["--brokers", &node.kafka]);
    run_ok(env!("CARGO_BIN_EXE_aquifer"), &arguments, "");
}

fn ask(node: &Node, topic: &'static str, action: i8) -> AquiferTierResponse {
    let request =
        AquiferTierRequest { action, topics: Some(vec![Text::from_static(topic)]), timeout_ms: 60_000 };
    with_client(node, async |client| client.call_any(&request).await.expect("answered"))
}

pub(crate) fn partition(node: &Node, action: i8) -> TieredPartition {
    partition_of(node, TOPIC, action)
}

/// Whether everything that is committed of the topic is in the tier, and nothing of it on local disk.
pub(crate) fn is_only_in_the_tier(node: &Node, topic: &'static str) -> bool {
    let answer = ask(node, topic, 0);
    let partitions = &answer.topics[0].partitions;
    partitions.iter().all(|at| at.tier_end == at.high_watermark && at.local_start == at.high_watermark)
}

/// The topic's first partition.
pub(crate) fn partition_of(node: &Node, topic: &'static str, action: i8) -> TieredPartition {
    let answer = ask(node, topic, action);
    assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
    answer.topics[0].partitions[0].clone()
}

pub(crate) fn produce(node: &Node, lines: &str, codec: &str) {
    run_ok("kcat", &["-b", &node.kafka, "-P", "-t", TOPIC, "-z", codec], lines);
}

pub(crate) fn read(node: &Node, from: &str) -> String {
    run_ok("kcat", &["-b", &node.kafka, "-C", "-t", TOPIC, "-o", from, "-e", "-q"], "")
}

pub(crate) fn lines(round: usize) -> String {
    (0..4_000).map(|line| format!("round {round} line {line} {}\n", "x".repeat(line % 50))).collect()
}

#[test]
fn every_record_is_read_from_the_bucket_with_every_codec_after_kills_and_by_time() {
    if skip_without("kcat") {
        return;
    }
    let data = data_dir();
    every_codec(|| Node::start(data.path()));
}

/// Produces with each codec, and reads it all back after a kill each time.
pub(crate) fn every_codec(start: impl Fn() -> Node) {
    let mut node = start();
    create(&node, &[]);
    let mut expected = Vec::new();
    for (round, codec) in ["none", "gzip", "snappy", "lz4", "zstd"].into_iter().enumerate() {
        produce(&node, &lines(round), codec);
        expected.push(lines(round));
        let state = partition(&node, FLUSH);
        assert_eq!(state.tier_end, state.high_watermark, "everything is in the tier");
        assert!(state.objects > 0);
        node.kill();
        node = start();
        assert_eq!(read(&node, "beginning"), expected.concat(), "round {round}");
    }
    let state = partition(&node, 0);
    assert!(state.local_start > 4_000, "little is left on local disk: {state:?}");
    assert_eq!((state.log_start, state.high_watermark), (0, 20_000));

    assert_eq!(read(&node, "8000"), expected[2..].concat());
    assert_eq!(
        read(&node, "-10"),
        expected[4].lines().skip(3_990).map(|line| format!("{line}\n")).collect::<String>()
    );
    let first = run_ok(
        "kcat",
        &["-b", &node.kafka, "-C", "-t", TOPIC, "-o", "12000", "-c", "1", "-f", "%T", "-q"],
        "",
    );
    let from_time = read(&node, &format!("s@{first}"));
    assert_eq!(from_time, expected[3..].concat(), "the first record of a time is found in the tier");
}

#[test]
fn what_is_produced_while_the_node_is_killed_again_and_again_is_read_back() {
    if skip_without("kcat") {
        return;
    }
    let data = data_dir();
    let mut expected = String::new();
    for round in 0..8 {
        let node = Node::start(data.path());
        if round == 0 {
            create(&node, &[]);
        }
        produce(&node, &lines(round), "lz4");
        expected.push_str(&lines(round));
        // At some moment between an upload, its commit and the removal of the local copy.
        for _ in 0..round * 3 {
            pause();
        }
        node.kill();
    }
    let node = Node::start(data.path());

    assert_eq!(read(&node, "beginning"), expected);
    let state = partition(&node, FLUSH);
    assert_eq!(state.tier_end, state.high_watermark);
    assert_eq!(read(&node, "beginning"), expected);
}

#[test]
fn a_bucket_that_is_away_holds_up_nobody_who_produces_and_everything_heals() {
    if skip_without("kcat") {
        return;
    }
    let data = data_dir();
    let node = Node::start(data.path());
    create(&node, &[]);
    produce(&node, &lines(0), "none");
    partition(&node, FLUSH);
    let (bucket, away) = (data.path().join("tier"), data.path().join("away"));
    std::fs::rename(&bucket, &away).expect("the bucket goes away");
    // A file in the folder's place keeps the store from making it anew.
    std::fs::write(&bucket, "").expect("a file");

    produce(&node, &lines(1), "none");
    let cold =
        run("timeout", &["3", "kcat", "-b", &node.kafka, "-C", "-t", TOPIC, "-o", "0", "-c", "1", "-q"], "");
    assert!(cold.stdout.is_empty(), "what only the bucket has is not invented");

    std::fs::remove_file(&bucket).expect("the file goes");
    std::fs::rename(&away, &bucket).expect("the bucket is back");
    let state = partition(&node, FLUSH);
    assert_eq!(state.tier_end, 8_000);
    assert_eq!(read(&node, "beginning"), [lines(0), lines(1)].concat());
}

pub(crate) fn delete_before(node: &Node, offset: i64) {
    let place = (Text::from_static(TOPIC), PartitionIndex(0));
    let starts = with_client(node, async |client| client.delete_records(&[(place, Offset(offset))]).await);
    assert_eq!(*starts[0].as_ref().expect("deleted"), Offset(offset));
}

#[test]
fn deleted_records_stay_deleted_whether_they_were_tiered_or_not() {
    if skip_without("kcat") {
        return;
    }
    let data = data_dir();
    let mut node = Node::start(data.path());
    create(&node, &[]);
    let mut expected = String::new();
    // Before anything is tiered; of what only the tier has; of what only our disk has.
    for (round, start) in [1_000, 3_000, 11_000].into_iter().enumerate() {
        produce(&node, &lines(round), "none");
        expected.push_str(&lines(round));
        if round == 1 {
            partition(&node, FLUSH);
        }
        delete_before(&node, start);
        node.kill();
        node = Node::start(data.path());
        let kept =
            || expected.lines().skip(usize::try_from(start).expect("small")).map(|line| format!("{line}\n"));
        assert_eq!(read(&node, "beginning"), kept().collect::<String>(), "from {start}");
        partition(&node, FLUSH);
        assert_eq!(partition(&node, 0).log_start, start);
        assert_eq!(read(&node, "beginning"), kept().collect::<String>(), "from {start}, tiered");
    }
}

#[test]
fn a_topic_that_is_not_tiered_for_a_while_is_tiered_on_from_where_its_log_starts() {
    if skip_without("kcat") {
        return;
    }
    let data = data_dir();
    let more = format!(
        "[topics]\nretention_check = \"1s\"\n[tier]\nurl = \"file://{}\"\n",
        data.path().join("bucket").display()
    );
    let node = Node::begin_server(data.path(), Ports::free(), &more).ready();
    create(&node, &[]);
    produce(&node, &lines(0), "none");
    partition(&node, FLUSH);
    set(&node, &[("remote.storage.enable", "false"), ("retention.bytes", "70000")]);
    for round in 1..4 {
        produce(&node, &lines(round), "none");
    }
    wait("retention passes what is tiered", || partition(&node, 0).log_start > 4_000);

    set(&node, &[("remote.storage.enable", "true"), ("retention.bytes", "-1")]);
    let start = partition(&node, 0).log_start;
    let state = partition(&node, FLUSH);

    assert_eq!((state.tier_end, state.log_start), (16_000, start));
    let all: String = (0..4).map(lines).collect();
    let kept: String =
        all.lines().skip(usize::try_from(start).expect("small")).map(|line| format!("{line}\n")).collect();
    assert_eq!(read(&node, "beginning"), kept);
}

#[test]
fn a_page_cache_topic_is_flushed_before_it_is_uploaded() {
    if skip_without("kcat") {
        return;
    }
    let data = data_dir();
    let node = Node::start(data.path());
    create(&node, &[("aquifer.durability", "page-cache")]);
    produce(&node, &lines(0), "none");

    let state = partition(&node, FLUSH);

    assert_eq!(state.tier_end, state.high_watermark);
    assert_eq!(read(&node, "beginning"), lines(0));
}

/// Data objects, each of one range.
pub(crate) fn objects(folder: &Path) -> usize {
    objects_of(folder, "aqs")
}

/// Objects whose names end so.
pub(crate) fn objects_of(folder: &Path, extension: &str) -> usize {
    files_of(folder, extension).len()
}

pub(crate) fn files_of(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let found = |entry: std::fs::DirEntry| match entry.path() {
        path if path.is_dir() => files_of(&path, extension),
        path => {
            Vec::from_iter(Some(path).filter(|path| path.extension().is_some_and(|found| found == extension)))
        }
    };
    entries.flat_map(|entry| found(entry.expect("an entry"))).collect()
}

#[test]
fn retention_deleted_records_and_deleted_topics_leave_the_bucket_empty_in_the_end() {
    if skip_without("kcat") {
        return;
    }
    let data = data_dir();
    let bucket = data.path().join("bucket");
    let more = format!(
        "[topics]\nretention_check = \"1s\"\n[tier]\nurl = \"file://{}\"\nmax_age = \"1s\"\ngrace = \"1s\"\n",
        bucket.display()
    );
    let node = Node::begin_server(data.path(), Ports::free(), &more).ready();
    create(&node, &[("retention.bytes", "200000")]);
    for round in 0..4 {
        produce(&node, &lines(round), "none");
        partition(&node, FLUSH);
    }
    let most = objects(&bucket);
    wait("retention moves the start", || partition(&node, 0).log_start > 4_000);
    let state = partition(&node, 0);
    let kept = read(&node, "beginning");
    let all: String = (0..4).map(lines).collect();
    assert!(all.ends_with(&kept) && !kept.is_empty());
    assert!(state.tier_bytes <= 300_000, "{state:?}");
    wait("objects go", || objects(&bucket) < most);

    with_client(&node, async |client| client.delete_topic(TOPIC).await.expect("deleted"));
    wait("all objects go", || objects(&bucket) == 0);
}

#[test]
fn uploads_wait_until_their_rate_allows_them() {
    if skip_without("kcat") {
        return;
    }
    let data = data_dir();
    let more = format!(
        "[tier]\nurl = \"file://{}\"\nmax_age = \"1s\"\nupload_rate = \"1 MiB\"\n",
        data.path().join("bucket").display()
    );
    let node = Node::begin_server(data.path(), Ports::free(), &more).ready();
    // An eighth of what is kept is in one object.
    create(&node, &[("retention.bytes", "8388608")]);
    let all: String = (0..36).map(lines).collect();
    produce(&node, &all, "none");

    let state = partition(&node, FLUSH);
    assert_eq!(state.tier_end, state.high_watermark, "everything is in the tier");
    assert!(state.tier_bytes > 5 << 20, "{state:?}");
    assert!(metric(&node, "aquifer_tier_upload_rate_wait_seconds_total") >= 2);
    assert_eq!(read(&node, "beginning"), all);
}

pub(crate) fn wait(what: &str, mut reached: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if reached() {
            return;
        }
        pause();
    }
    panic!("{what}: it did not come to that");
}
