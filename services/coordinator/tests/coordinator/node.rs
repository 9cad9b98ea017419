//! A coordinator over one partition on a simulated disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aquifer_coordinator::{Coordinator, Counters, Surroundings, Unavailable};
use aquifer_disk::{Disk, SimDisk};
use aquifer_group::{
    Answer, Commit, CommitPartition, ConsumerHeartbeat, FetchOffsets, GroupId, MemberId, Request, Settings,
};
use aquifer_hotlog::format::{CleanFile, Layout, Meta, ProducersFile};
use aquifer_hotlog::{Directory, Opened, Recovered, Replay, RollPolicy, open};
use aquifer_metadata::{
    BrokerRun, Change, Command, Endpoint, Image, InitCluster, METADATA_LEVEL, NewTopic, PlacedReplica,
    Placement, ProducerPrefix, RegisterBroker, SecurityProtocol, State,
};
use aquifer_partition::{Durability, Lead};
use aquifer_record::BatchHeader;
use aquifer_replica::{Replica, ReplicaConfig};
use aquifer_runtime::Runtime;
use aquifer_types::{
    BrokerEpoch, ClusterId, DirectoryId, Incarnation, LeaderEpoch, NodeId, Offset, PartitionEpoch,
    PartitionIndex, TimestampMs, TopicId, TopicName, TopicPartition, Uuid,
};

const DIRECTORY: DirectoryId = DirectoryId(Uuid::from_bytes([2; 16]));
const META: Meta =
    Meta { cluster: ClusterId(Uuid::from_bytes([1; 16])), node: NodeId(0), directory: DIRECTORY };
pub const ID: TopicPartition =
    TopicPartition { topic: TopicId(Uuid::from_bytes([7; 16])), partition: PartitionIndex(0) };
const EPOCH: LeaderEpoch = LeaderEpoch(1);

pub struct Node {
    pub runtime: Runtime,
    pub directory: Directory,
    pub replica: Arc<Replica>,
    pub coordinator: Coordinator,
}

struct Unheard;

impl Replay for Unheard {
    fn restore(&mut self, _: TopicPartition, _: ProducersFile) {}

    fn batch(&mut self, _: TopicPartition, _: &BatchHeader) {}
}

pub fn disk() -> SimDisk {
    let disk = SimDisk::default();
    disk.create_dir(Path::new("/data")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

pub fn on_simulated_time<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

/// A cluster with topics `t`, of ten partitions, and `other`.
fn image() -> Image {
    let mut state = State::new();
    let placement = || Placement(vec![PlacedReplica { node: NodeId(0), directory: DIRECTORY }]);
    let topic = |name: &str, number: u8, partitions: usize| NewTopic {
        name: TopicName::new(name).unwrap(),
        id: TopicId(Uuid::from_bytes([number; 16])),
        partitions: (0..partitions).map(|_| placement()).collect(),
        replication_default: true,
        configs: Vec::new(),
    };
    let changes = [
        Change::InitCluster(InitCluster {
            cluster: META.cluster,
            level: METADATA_LEVEL,
            producer_prefix: ProducerPrefix::new(1).unwrap(),
        }),
        Change::RegisterBroker(RegisterBroker {
            node: NodeId(0),
            incarnation: Incarnation(Uuid::from_bytes([3; 16])),
            endpoints: vec![Endpoint {
                listener: "PLAINTEXT".to_owned(),
                host: "127.0.0.1".to_owned(),
                port: 9092,
                protocol: SecurityProtocol::Plaintext,
            }],
            rack: None,
            directories: vec![DIRECTORY],
            clean_epoch: None,
            verdicts: Vec::new(),
        }),
        Change::UnfenceBroker(BrokerRun { node: NodeId(0), epoch: BrokerEpoch(2) }),
        Change::CreateTopics(vec![topic("t", 8, 10), topic("other", 9, 1)]),
    ];
    for (index, change) in (1..).zip(changes) {
        state.apply(index, &Command { time: TimestampMs(0), change }, &mut Vec::new());
    }
    assert_eq!(state.image().topic_count(), 2);
    state.image().clone()
}

impl Node {
    pub fn start(disk: &SimDisk, seed: u64) -> Node {
        let runtime = Runtime::simulated(seed, TimestampMs(1_000_000));
        let settings = aquifer_hotlog::Settings { wal_bytes: Some(256 << 10), open_files_max: 16 };
        let layout = Layout::new("/data");
        let opened = open(Arc::new(disk.clone()), layout.clone(), &META, settings, &runtime, &mut Unheard);
        let Opened { directory, mut partitions, .. } = opened.expect("the directory opens");
        let recovered = partitions.remove(&ID).unwrap_or_else(|| Recovered::empty(ID));
        let config = ReplicaConfig {
            durability: Durability::Flushed,
            roll: RollPolicy { segment_bytes: 4_000, segment_ms: i64::MAX },
            deletes: false,
            retention_ms: None,
            retention_bytes: None,
            local: None,
            compaction: None,
        };
        let replica = Replica::new(NodeId(0), recovered, Vec::new(), config, (&directory, &runtime));
        replica.lead(Lead {
            epoch: EPOCH,
            partition_epoch: PartitionEpoch(1),
            replicas: vec![NodeId(0)],
            in_sync: vec![NodeId(0)],
            in_sync_min: 1,
            tier_end: Offset::ZERO,
        });
        let image = image();
        let coordinator = Coordinator::new(Surroundings {
            runtime: runtime.clone(),
            directory: directory.clone(),
            checkpoints: layout.groups(),
            image: Arc::new(move || image.clone()),
            settings: Settings::default(),
            checkpoint_every_bytes: 10_000,
            counters: Arc::default(),
        });
        coordinator.lead(&replica, EPOCH);
        Node { runtime, directory, replica, coordinator }
    }

    /// The answer, asked for again while the groups are loaded.
    pub async fn ask(&self, request: &Request) -> Result<Answer, Unavailable> {
        loop {
            match self.coordinator.ask(0, GroupId::new("g"), request.clone()).answer().await {
                Err(Unavailable::Loading) => self.pause(20).await,
                other => return other,
            }
        }
    }

    pub async fn commit(&self, partition: i32, offset: i64) -> Result<(), Unavailable> {
        match self.ask(&commit(partition, offset)).await? {
            Answer::Commit(Ok(outcomes)) => {
                assert_eq!(outcomes[0].1, [(partition, Ok(()))]);
                Ok(())
            }
            other => panic!("{other:?}"),
        }
    }

    pub async fn committed(&self, partition: i32) -> i64 {
        let fetch = FetchOffsets {
            member: None,
            epoch: -1,
            topics: Some(vec![(TopicName::new("t").unwrap(), vec![partition])]),
        };
        match self.ask(&Request::FetchOffsets(fetch)).await {
            Ok(Answer::FetchOffsets(Ok(fetched))) => fetched[0].1[0].offset.0,
            other => panic!("{other:?}"),
        }
    }

    pub async fn pause(&self, millis: u64) {
        self.runtime.sleep(Duration::from_millis(millis)).await;
    }

    pub fn counters(&self) -> &Counters {
        self.coordinator.counters()
    }

    pub fn checkpoints(&self) -> u64 {
        self.counters().checkpoints_written.load(Ordering::Relaxed)
    }

    pub fn loaded_bytes(&self) -> u64 {
        self.counters().loaded_bytes.load(Ordering::Relaxed)
    }

    /// Ends in order.
    pub async fn close(&self) {
        self.coordinator.stop();
        let ends = || {
            let (partition, _) = self.replica.ends().expect("it is online");
            Some((CleanFile { partitions: vec![partition], ..CleanFile::default() }, Vec::new()))
        };
        self.directory.close(&self.runtime, ends).await.expect("it closes");
    }
}

pub fn commit(partition: i32, offset: i64) -> Request {
    Request::Commit(Commit {
        member: MemberId::new(""),
        instance: None,
        generation: -1,
        knows_epochs: true,
        retention_ms: None,
        topics: vec![(
            TopicName::new("t").unwrap(),
            vec![CommitPartition {
                partition,
                offset: Offset(offset),
                leader_epoch: 0,
                metadata: "m".into(),
            }],
        )],
    })
}

/// A member that joins by this pattern.
pub fn join_by_pattern(pattern: &str) -> Request {
    Request::ConsumerHeartbeat(ConsumerHeartbeat {
        member: MemberId::new("m"),
        epoch: 0,
        instance: None,
        rack: None,
        client_id: "c".into(),
        client_host: "h".into(),
        rebalance_timeout_ms: 10_000,
        topics: Some(Vec::new()),
        pattern: Some(pattern.into()),
        assignor: None,
        owned: Some(Default::default()),
        session_timeout_ms: None,
    })
}
