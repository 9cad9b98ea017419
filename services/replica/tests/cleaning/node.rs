//! One replica over a simulated disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aquifer_disk::{Disk, SimDisk};
use aquifer_hotlog::format::{CleanFile, Layout, Meta, ProducersFile};
use aquifer_hotlog::{
    CompactionPolicy, Directory, Limits, LogHandle, Opened, Recovered, Replay, RollPolicy, Settings, open,
};
use aquifer_partition::{Acknowledgement, Acks, Durability, Isolation, Lead};
use aquifer_record::{
    BatchBuilder, BatchHeader, BatchView, Encoding, NewRecord, ProducerBatch, ProducerState, batches, check,
    decode,
};
use aquifer_replica::{Appended, Fetched, NewBatch, Replica, ReplicaConfig};
use aquifer_runtime::Runtime;
use aquifer_types::{
    ClusterId, DirectoryId, LeaderEpoch, NodeId, Offset, PartitionEpoch, PartitionIndex, ProducerEpoch,
    ProducerId, TimestampMs, TopicId, TopicPartition, Uuid,
};

const META: Meta = Meta {
    cluster: ClusterId(Uuid::from_bytes([1; 16])),
    node: NodeId(0),
    directory: DirectoryId(Uuid::from_bytes([2; 16])),
};
pub const ID: TopicPartition =
    TopicPartition { topic: TopicId(Uuid::from_bytes([7; 16])), partition: PartitionIndex(0) };
/// Many steps, several turns.
pub const LIMITS: Limits = Limits { keys_max: 1_000, chunk_bytes: 400 };

/// A replica that leads.
pub struct Node {
    pub runtime: Runtime,
    pub directory: Directory,
    pub replica: Arc<Replica>,
    pub handle: Arc<LogHandle>,
    /// The last batch of every producer that recovery met or remembered.
    pub producers: BTreeMap<ProducerId, ProducerBatch>,
    /// When an append counts as done.
    pub acks: Acks,
}

/// One record as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub offset: i64,
    pub key: String,
    pub value: Option<String>,
}

#[derive(Default)]
struct Heard(BTreeMap<ProducerId, ProducerState>);

impl Replay for Heard {
    fn restore(&mut self, _: TopicPartition, file: ProducersFile) {
        self.0 = file.producers.into_iter().map(|producer| (producer.id, producer)).collect();
    }

    fn batch(&mut self, _: TopicPartition, header: &BatchHeader) {
        if header.has_producer() {
            let new = || ProducerState::new(header.producer_id, header.producer_epoch);
            let state = self.0.entry(header.producer_id).or_insert_with(new);
            state.observe(header, header.max_timestamp);
        }
    }
}

pub fn config() -> ReplicaConfig {
    ReplicaConfig {
        durability: Durability::Flushed,
        roll: RollPolicy { segment_bytes: 1_000, segment_ms: i64::MAX },
        deletes: false,
        retention_ms: None,
        retention_bytes: None,
        local: None,
        compaction: Some(CompactionPolicy {
            min_dirty_ratio: 0.0,
            min_lag_ms: 0,
            max_lag_ms: i64::MAX,
            tombstone_retention_ms: 1_000,
            segment_bytes: 1_000,
        }),
    }
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
        // The test is polled between any two polls of other tasks, so that it looks at every step.
        .event_interval(1)
        .build()
        .unwrap()
        .block_on(work)
}

/// Names of the partition's files with this ending.
pub fn file_names(disk: &SimDisk, ending: &str) -> Vec<String> {
    let entries = disk.list(&Layout::new("/data").partition(ID)).unwrap_or_default();
    entries.into_iter().map(|entry| entry.name).filter(|name| name.ends_with(ending)).collect()
}

/// This node leads in this epoch, with these in sync.
pub fn lead(epoch: i32, in_sync: &[NodeId]) -> Lead {
    Lead {
        epoch: LeaderEpoch(epoch),
        partition_epoch: PartitionEpoch(epoch),
        replicas: in_sync.to_vec(),
        in_sync: in_sync.to_vec(),
        in_sync_min: 1,
        tier_end: Offset::ZERO,
    }
}

impl Node {
    /// Leads in the epoch `seed`, so a later start takes a larger one.
    pub fn start(disk: &SimDisk, seed: u64) -> Node {
        let runtime = Runtime::simulated(seed, TimestampMs(1_000_000));
        let mut heard = Heard::default();
        let settings = Settings { wal_bytes: Some(256 << 10), open_files_max: 16 };
        let opened =
            open(Arc::new(disk.clone()), Layout::new("/data"), &META, settings, &runtime, &mut heard);
        let Opened { directory, mut partitions, .. } = opened.expect("the directory opens");
        let recovered = partitions.remove(&ID).unwrap_or_else(|| Recovered::empty(ID));
        let handle = recovered.handle.clone();
        let replica = Replica::new(NodeId(0), recovered, Vec::new(), config(), (&directory, &runtime));
        replica.lead(lead(i32::try_from(seed).unwrap(), &[NodeId(0)]));
        let last = |(id, state): (ProducerId, ProducerState)| Some((id, state.batches.last()?));
        let producers = heard.0.into_iter().filter_map(last).collect();
        Node { runtime, directory, replica, handle, producers, acks: Acks::All }
    }

    /// Appends one batch and waits until it is durable.
    pub async fn append(&self, rows: &[(&str, Option<&str>)]) -> Acknowledgement {
        self.append_as(rows, None).await
    }

    pub async fn append_as(
        &self,
        rows: &[(&str, Option<&str>)],
        producer: Option<(i64, i32)>,
    ) -> Acknowledgement {
        let mut builder = BatchBuilder::new(Encoding::NONE);
        if let Some((id, sequence)) = producer {
            builder.producer(ProducerId(id), ProducerEpoch(0), sequence);
        }
        for (key, value) in rows {
            let record = NewRecord {
                timestamp: self.runtime.now().wall,
                key: Some(key.as_bytes()),
                value: value.map(str::as_bytes),
                ..NewRecord::default()
            };
            builder.push(&record).expect("fits");
        }
        let batch = check(builder.build().expect("builds").into(), &Default::default()).expect("sound");
        let new = NewBatch {
            batch,
            acks: self.acks,
            expected_epoch: None,
            log_append_time: None,
            token: None,
            expected_end: None,
            strict: false,
        };
        let appended = self.replica.append(&new);
        self.directory.nudge();
        match appended {
            Appended::Waiting(outcome) => outcome.await.expect("the replica lives").expect("it is taken"),
            other => panic!("not taken: {other:?}"),
        }
    }

    pub async fn pause(&self, millis: u64) {
        self.runtime.sleep(Duration::from_millis(millis)).await;
    }

    pub async fn clean(&self) -> Option<aquifer_hotlog::CleaningReport> {
        self.replica.clean(self.runtime.now().wall, LIMITS).await.expect("it can be cleaned")
    }

    pub fn fetch(&self, from: i64) -> Fetched {
        self.replica.read(Offset(from), Isolation::ReadUncommitted, None, None).expect("within the log")
    }

    /// The headers and records of what was fetched, and where to go on.
    pub fn resolve(&self, fetched: &Fetched) -> (Vec<BatchHeader>, Vec<Row>, i64) {
        let located = fetched.located.as_ref().expect("there are records");
        let range = located.resolve(self.directory.files(), 1).expect("they can be read");
        let mut bytes = vec![0; usize::try_from(range.len).unwrap()];
        range.file.read_exact_at(range.at, &mut bytes).expect("whole");
        let headers = batches(&bytes).map(|batch| batch.header).collect();
        (headers, batches(&bytes).flat_map(|batch| rows(&batch)).collect(), range.next.0)
    }

    /// The first record at an offset or behind it.
    pub fn first_from(&self, offset: i64) -> Option<Row> {
        let (mut from, end) = (offset, self.replica.describe().high_watermark.0);
        while from < end {
            let (_, rows, next) = self.resolve(&self.fetch(from));
            if let Some(row) = rows.into_iter().find(|row| row.offset >= offset) {
                return Some(row);
            }
            from = next;
        }
        None
    }

    /// Every record there is.
    pub fn read_all(&self) -> Vec<Row> {
        let mut found = Vec::new();
        let mut from = self.replica.describe().log_start.0;
        while from < self.replica.describe().high_watermark.0 {
            let (_, rows, next) = self.resolve(&self.fetch(from));
            found.extend(rows);
            from = next;
        }
        found
    }

    /// Ends in order.
    pub async fn close(&self) {
        let ends = || {
            let (partition, _) = self.replica.ends().expect("it is online");
            Some((CleanFile { partitions: vec![partition], ..CleanFile::default() }, Vec::new()))
        };
        self.directory.close(&self.runtime, ends).await.expect("it closes");
    }
}

fn rows(batch: &BatchView<'_>) -> Vec<Row> {
    let mut unpacked = Vec::new();
    let records = decode(&batch.header, batch.body(), 1 << 20, &mut unpacked).expect("a codec");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    records
        .map(|record| record.expect("a record"))
        .map(|record| Row {
            offset: record.offset.0,
            key: text(record.key.expect("a key")),
            value: record.value.map(text),
        })
        .collect()
}
