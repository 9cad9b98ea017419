//! Prints what a million tiered ranges cost when a node starts, and when it is restored from a folder that has a file for each, with a
//! hole in the place of its data: `cargo run --release --example ranges FOLDER`. The folder must not be there; `data` in it can be
//! started from.

use std::fs::{File, create_dir_all};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use aquifer_disk::{Disk, RealDisk};
use aquifer_manifest::{Place, StateKey, StateKind, StateObject, TierRange, generation};
use aquifer_metadata::{
    BrokerRun, Change, Command, Endpoint, InitCluster, METADATA_LEVEL, NewTopic, PlacedReplica, Placement,
    ProducerPrefix, RegisterBroker, SecurityProtocol, State, TierAdd, TierCommit, TierMove, decode_command,
    decode_snapshot, encode_command, encode_snapshot,
};
use aquifer_restore::{Options, restore};
use aquifer_runtime::Runtime;
use aquifer_types::{
    ClusterId, DirectoryId, Incarnation, LeaderEpoch, NodeId, Offset, PartitionIndex, TimestampMs, TopicId,
    TopicName, TopicPartition, Uuid,
};

const PARTITIONS: i32 = 10_000;
const RANGES_EACH: i64 = 100;
const RECORDS: i64 = 1_000;
const NODE: NodeId = NodeId(0);
const CLUSTER: ClusterId = ClusterId(Uuid::from_bytes([1; 16]));
const DIRECTORY: DirectoryId = DirectoryId(Uuid::from_bytes([2; 16]));
const TOPIC: TopicId = TopicId(Uuid::from_bytes([3; 16]));

#[expect(
    clippy::disallowed_methods,
    reason = "an example that measures has no runtime to take the time from"
)]
fn clock() -> Instant {
    Instant::now()
}

/// Commands as the log keeps them, in order.
#[derive(Default)]
struct Log(Vec<Vec<u8>>);

impl Log {
    fn push(&mut self, change: Change) {
        let mut bytes = Vec::new();
        encode_command(&Command { time: TimestampMs(0), change }, &mut bytes);
        self.0.push(bytes);
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    fn replay(&self) -> State {
        let mut state = State::new();
        for (bytes, index) in self.0.iter().zip(1..) {
            let command = decode_command(bytes).expect("as it was written");
            state.apply(index, &command, &mut Vec::new());
        }
        state
    }
}

fn cluster() -> Log {
    let mut log = Log::default();
    log.push(Change::InitCluster(InitCluster {
        cluster: CLUSTER,
        producer_prefix: ProducerPrefix::new(1).expect("a prefix"),
        level: METADATA_LEVEL,
    }));
    log.push(Change::RegisterBroker(RegisterBroker {
        node: NODE,
        incarnation: Incarnation(Uuid::from_bytes([4; 16])),
        endpoints: vec![Endpoint {
            listener: "client".to_owned(),
            host: "localhost".to_owned(),
            port: 9092,
            protocol: SecurityProtocol::Plaintext,
        }],
        rack: None,
        directories: vec![DIRECTORY],
        clean_epoch: None,
        verdicts: Vec::new(),
    }));
    let epoch = log.replay().image().broker(NODE).expect("registered").epoch;
    let run = BrokerRun { node: NODE, epoch };
    log.push(Change::UnfenceBroker(run));
    let placed = Placement(vec![PlacedReplica { node: NODE, directory: DIRECTORY }]);
    log.push(Change::CreateTopics(vec![NewTopic {
        id: TOPIC,
        name: TopicName::new("history").expect("a name"),
        partitions: vec![placed; PARTITIONS as usize],
        replication_default: false,
        configs: Vec::new(),
    }]));
    for round in 0..RANGES_EACH {
        for first in (0..PARTITIONS).step_by(1_000) {
            let ranges = (first..first + 1_000).map(|partition| added(partition, round)).collect();
            log.push(Change::TierCommit(TierCommit { run, ranges }));
        }
    }
    log
}

fn added(partition: i32, round: i64) -> TierAdd {
    let (base, end) = (Offset(round * RECORDS), Offset((round + 1) * RECORDS));
    let range = TierRange {
        base,
        end,
        bytes: 64 << 20,
        footer_bytes: 4_096,
        max_timestamp: TimestampMs(end.0),
        leader_epoch: LeaderEpoch(0),
        generation: generation(1, 1),
        nonce: (round * i64::from(PARTITIONS) + i64::from(partition)).unsigned_abs(),
        position: 0,
    };
    let partition = TopicPartition { topic: TOPIC, partition: PartitionIndex(partition) };
    TierAdd { at: TierMove { partition, leader_epoch: LeaderEpoch(0), offset: base }, range }
}

fn partitions() -> impl Iterator<Item = TopicPartition> {
    (0..PARTITIONS).map(|index| TopicPartition { topic: TOPIC, partition: PartitionIndex(index) })
}

/// Lays down a file for each range, and the state that names them.
fn lay_down(bucket: &Path, state: &State) {
    for partition in partitions() {
        let place = Place { cluster: CLUSTER, partition };
        for range in state.image().tier(partition).iter().flat_map(|tier| tier.ranges()) {
            let path = bucket.join(place.key(range));
            create_dir_all(path.parent().expect("in folders")).expect("a folder");
            File::create(path).and_then(|file| file.set_len(range.object_bytes())).expect("a file");
        }
    }
    let key = StateKey { incarnation: state.image().incarnation(), sequence: 1 };
    let body = encode_snapshot(state.image());
    let written = StateObject { cluster: CLUSTER, kind: StateKind::Meta, key, written: TimestampMs(0), body };
    let path = bucket.join(written.name());
    create_dir_all(path.parent().expect("in folders")).expect("a folder");
    std::fs::write(path, written.encode()).expect("a file");
}

fn restored(folder: &Path) {
    let options = Options {
        url: format!("file://{}/bucket", folder.display()),
        cluster: None,
        data_dir: folder.join("data"),
        node: NODE,
        topics: Vec::new(),
        at: None,
        dry_run: false,
        is_mount: false,
    };
    let reactor = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let began = clock();
    let report = reactor.block_on(restore(&options, &disk, &Runtime::real())).expect("restored");
    println!("restoring {} partitions: {:?}", report.partitions.len(), began.elapsed());
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}

fn main() {
    let folder = std::env::args().nth(1).map(PathBuf::from).expect("a folder to be made");
    create_dir_all(folder.parent().expect("a folder in another")).expect("a folder");
    std::fs::create_dir(&folder).expect("a folder that is not there");
    let folder = folder.canonicalize().expect("it was made");
    let log = cluster();
    let began = clock();
    let state = log.replay();
    let ranges: usize =
        partitions().filter_map(|at| state.image().tier(at)).map(|tier| tier.ranges().len()).sum();
    println!("{ranges} ranges of {PARTITIONS} partitions");
    println!("taking in their commands, {} MB: {:?}", log.bytes() / 1_000_000, began.elapsed());
    let began = clock();
    let snapshot = encode_snapshot(state.image());
    println!("writing a snapshot, {} MB: {:?}", snapshot.len() / 1_000_000, began.elapsed());
    let began = clock();
    let read = decode_snapshot(&snapshot).expect("as it was written");
    println!("reading it: {:?}", began.elapsed());
    assert!(read == state, "a snapshot holds everything");
    lay_down(&folder.join("bucket"), &state);
    restored(&folder);
}
