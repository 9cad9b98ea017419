//! Prints what a million tiered ranges cost when a node starts: `cargo run --release --example ranges`.

use std::time::Instant;

use aquifer_manifest::TierRange;
use aquifer_metadata::{
    BrokerRun, Change, Command, Endpoint, InitCluster, METADATA_LEVEL, NewTopic, PlacedReplica, Placement,
    ProducerPrefix, RegisterBroker, SecurityProtocol, State, TierAdd, TierCommit, TierMove, decode_command,
    decode_snapshot, encode_command, encode_snapshot,
};
use aquifer_types::{
    ClusterId, DirectoryId, Incarnation, LeaderEpoch, NodeId, Offset, PartitionIndex, TimestampMs, TopicId,
    TopicName, TopicPartition, Uuid,
};

const PARTITIONS: i32 = 10_000;
const RANGES_EACH: i64 = 100;
const RECORDS: i64 = 1_000;
const NODE: NodeId = NodeId(0);
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
        cluster: ClusterId(Uuid::from_bytes([1; 16])),
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
        generation: 1,
        nonce: (round * i64::from(PARTITIONS) + i64::from(partition)).unsigned_abs(),
        position: 0,
    };
    let partition = TopicPartition { topic: TOPIC, partition: PartitionIndex(partition) };
    TierAdd { at: TierMove { partition, leader_epoch: LeaderEpoch(0), offset: base }, range }
}

fn main() {
    let log = cluster();
    let began = clock();
    let state = log.replay();
    let ranges: usize = (0..PARTITIONS)
        .map(|index| TopicPartition { topic: TOPIC, partition: PartitionIndex(index) })
        .filter_map(|at| state.image().tier(at))
        .map(|tier| tier.ranges().len())
        .sum();
    println!("{ranges} ranges of {PARTITIONS} partitions");
    println!("taking in their commands, {} MB: {:?}", log.bytes() / 1_000_000, began.elapsed());
    let began = clock();
    let snapshot = encode_snapshot(state.image());
    println!("writing a snapshot, {} MB: {:?}", snapshot.len() / 1_000_000, began.elapsed());
    let began = clock();
    let read = decode_snapshot(&snapshot).expect("as it was written");
    println!("reading it: {:?}", began.elapsed());
    assert!(read == state, "a snapshot holds everything");
}
