//! Many small idle partitions share objects, and everything that is done with objects is done with parts of these.

use std::collections::BTreeSet;
use std::path::Path;

use crate::harness::{Node, create_topic, data_dir, run, run_ok, skip_without};
use crate::objects::metric;
use crate::restore::{fsck, restore, start};
use crate::tier::{FLUSH, files_of, is_only_in_the_tier, objects, objects_of, partition_of, wait};

const AQUIFER: &str = env!("CARGO_BIN_EXE_aquifer");
const TOPICS: [&str; 4] = ["idle-0", "idle-1", "idle-2", "idle-3"];
const PARTITIONS: i32 = 50;
const SETTINGS: &str = "max_age = \"2s\"\nstate_interval = \"1s\"\norphan_check = \"1s\"\n";

fn lines(topic: &str) -> BTreeSet<String> {
    (0..400).map(|line| format!("key {line}:{topic} line {line}")).collect()
}

fn produce(node: &Node, topic: &str) {
    let lines: String = lines(topic).iter().map(|line| format!("{line}\n")).collect();
    run_ok("kcat", &["-b", &node.kafka, "-P", "-t", topic, "-K", ":"], &lines);
}

fn assert_reads(node: &Node, topic: &str) {
    let arguments = ["-b", &node.kafka, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-K", ":"];
    let read = run_ok("kcat", &arguments, "");
    let read: Vec<&str> = read.lines().collect();
    assert_eq!(read.len(), lines(topic).len(), "each once");
    assert_eq!(read.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), lines(topic));
}

fn topic(node: &Node, words: &[&str]) -> Option<i32> {
    run(AQUIFER, &[&["topic"], words, &["--brokers", &node.kafka]].concat(), "").status.code()
}

#[test]
fn small_ranges_of_many_partitions_share_objects_that_go_with_the_last_of_them() {
    if skip_without("kcat") {
        return;
    }
    let (old, bucket) = (data_dir(), data_dir());
    let settings = |grace| format!("{SETTINGS}grace = \"{grace}\"\n");
    let node = start(old.path(), bucket.path(), &settings("1h"));
    for topic in TOPICS {
        let configs = [("remote.storage.enable", "true"), ("local.retention.bytes", "0")];
        create_topic(&node.kafka, topic, PARTITIONS, &configs);
    }
    TOPICS.iter().for_each(|topic| produce(&node, topic));
    wait("everything is in the tier alone", || TOPICS.iter().all(|topic| is_only_in_the_tier(&node, topic)));
    // As many ranges as partitions, and more where some were closed while they were produced to.
    let uploads = metric(&node, "aquifer_tier_uploads_total");
    assert!(uploads <= 60, "{uploads} uploads of {} partitions", TOPICS.len() * PARTITIONS as usize);
    assert!(metric(&node, "aquifer_tier_bundles_total") > 0);
    TOPICS.iter().for_each(|topic| assert_reads(&node, topic));

    assert_eq!(topic(&node, &["delete", TOPICS[0]]), Some(0));
    assert_eq!(topic(&node, &["undelete", TOPICS[0]]), Some(0));
    assert!(objects(bucket.path()) >= PARTITIONS as usize, "what came back was copied out of bundles");
    assert_reads(&node, TOPICS[0]);
    wait("the state in the bucket has all of it", || {
        let (sound, check) = fsck(bucket.path(), &["--deep"]);
        let partitions = || check["partitions"].as_array().into_iter().flatten();
        let of_topic = partitions().filter(|partition| partition["topic"] == TOPICS[0]).count();
        // A state from before the topic came back knows nothing of the copies.
        let knows_all = partitions().all(|partition| partition["orphans"] == 0);
        sound && knows_all && of_topic == PARTITIONS as usize && check["bundles"]["orphans"] == 0
    });
    node.kill();

    let alone = data_dir();
    let report = restore(bucket.path(), alone.path(), &["--topic", TOPICS[1]]);
    let node = start(alone.path(), bucket.path(), &settings("1h"));
    assert_reads(&node, TOPICS[1]);
    assert_eq!(topic(&node, &["describe", TOPICS[2]]), Some(3), "only one was asked for");
    node.kill();
    let copies = bucket.path().join(report["cluster"].as_str().expect("an id"));
    assert_eq!((objects(&copies), objects_of(&copies, "aqb")), (PARTITIONS as usize, 0));
    std::fs::remove_dir_all(copies).expect("it was there");

    let new = data_dir();
    let report = restore(bucket.path(), new.path(), &[]);
    assert_eq!(report["topics"], TOPICS.len());
    let node = start(new.path(), bucket.path(), &settings("1s"));
    TOPICS.iter().for_each(|topic| assert_reads(&node, topic));

    for deleted in &TOPICS[..3] {
        assert_eq!(topic(&node, &["delete", deleted]), Some(0));
    }
    wait("nothing is left of three topics", || {
        TOPICS[..3].iter().all(|deleted| topic(&node, &["undelete", deleted, "--dry-run"]) == Some(3))
    });
    assert_reads(&node, TOPICS[3]);
    assert!(objects_of(bucket.path(), "aqb") > 0);
    assert_eq!(topic(&node, &["delete", TOPICS[3]]), Some(0));
    wait("the bundles go with the last of their ranges", || objects_of(bucket.path(), "aqb") == 0);
    wait("and all other objects go", || objects(bucket.path()) == 0);
}

fn bundled_bytes(folder: &Path) -> u64 {
    // Some go while they are looked at.
    let sizes = files_of(folder, "aqb").into_iter().filter_map(|path| path.metadata().ok());
    sizes.map(|metadata| metadata.len()).sum()
}

#[test]
fn what_is_left_of_bundles_moves_to_others_once_most_of_them_is_gone() {
    if skip_without("kcat") {
        return;
    }
    let (data, bucket) = (data_dir(), data_dir());
    let node = start(data.path(), bucket.path(), &format!("{SETTINGS}grace = \"2s\"\n"));
    for topic in TOPICS {
        let configs = [("remote.storage.enable", "true"), ("local.retention.bytes", "0")];
        create_topic(&node.kafka, topic, PARTITIONS, &configs);
    }
    TOPICS.iter().for_each(|topic| produce(&node, topic));
    wait("everything is in the tier alone", || TOPICS.iter().all(|topic| is_only_in_the_tier(&node, topic)));
    let before = bundled_bytes(bucket.path());
    assert!(before > 0);

    let (gone, kept) = TOPICS.split_at(3);
    for name in gone {
        assert_eq!(topic(&node, &["delete", name]), Some(0));
    }
    // At least half of every bundle is what is kept, and that is a quarter of what there was.
    wait("bundles of which most is gone go", || {
        // What the state in the bucket still names is not deleted, and a flush writes it.
        partition_of(&node, kept[0], FLUSH);
        bundled_bytes(bucket.path()) < before / 10 * 6
    });
    assert_reads(&node, kept[0]);
    wait("the state in the bucket knows of it", || fsck(bucket.path(), &["--deep"]).0);
}
