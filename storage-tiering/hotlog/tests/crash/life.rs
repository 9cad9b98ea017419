//! One life of a directory: appends, rolls, deletions and flushes on simulated time, until its end or a power cut.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aquifer_disk::{Disk, SimDisk};
use aquifer_hotlog::format::{CleanFile, Layout, Meta, ProducersFile};
use aquifer_hotlog::{
    Command, Directory, Log, LogHandle, Notice, Opened, Recovered, Replay, RollPolicy, Settings, Sink, Write,
    open,
};
use aquifer_record::{BatchBuilder, BatchHeader, Encoding, HEADER_BYTES, NewRecord};
use aquifer_runtime::Runtime;
use aquifer_types::{
    BatchEpoch, ClusterId, DirectoryId, NodeId, Offset, PartitionIndex, TimestampMs, TopicId, TopicPartition,
    Uuid,
};
use bytes::Bytes;

use crate::cleaner::Cleaner;
use crate::oracle::{Batch, Oracle};

const META: Meta = Meta {
    cluster: ClusterId(Uuid::from_bytes([1; 16])),
    node: NodeId(0),
    directory: DirectoryId(Uuid::from_bytes([2; 16])),
};

/// What a life does.
pub struct Plan {
    pub seed: u64,
    pub partitions: i32,
    pub rounds: u64,
    /// Larger batches, small segments, deletions: everything turns over.
    pub wide: bool,
    /// Records have few keys, some are tombstones, and cleanings run beside everything else.
    pub compacts: bool,
}

/// Notes what the directory tells.
#[derive(Default)]
struct Told(Mutex<Vec<Notice>>);

impl Sink for Told {
    fn notice(&self, notice: Notice) {
        self.0.lock().unwrap().push(notice);
    }
}

struct NoReplay;

impl Replay for NoReplay {
    fn restore(&mut self, _: TopicPartition, _: ProducersFile) {}
    fn batch(&mut self, _: TopicPartition, _: &BatchHeader) {}
}

pub struct Partition {
    pub log: Log,
    pub handle: Arc<LogHandle>,
    told: Arc<Told>,
}

fn on_simulated_time<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

fn settings() -> Settings {
    Settings { wal_bytes: Some(256 << 10), open_files_max: 4 }
}

/// Opens a copy of the disk as a start would.
pub fn recover(disk: &SimDisk) -> Opened {
    on_simulated_time(async {
        let runtime = Runtime::simulated(1, TimestampMs(1_000_000));
        open(Arc::new(disk.clone()), Layout::new("/data"), &META, settings(), &runtime, &mut NoReplay)
            .expect("a directory opens after a power cut")
    })
}

/// Lives through `plan`, noting in `oracle` what was promised.
pub fn live(disk: &SimDisk, plan: &Plan, oracle: &mut Oracle) {
    on_simulated_time(async {
        let runtime = Runtime::simulated(plan.seed, TimestampMs(1_000_000));
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let opened = open(shared, Layout::new("/data"), &META, settings(), &runtime, &mut NoReplay);
        let Ok(Opened { directory, partitions: mut found, lock, .. }) = opened else { return };
        let mut partitions: Vec<Partition> = (0..plan.partitions)
            .map(|number| {
                let id = TopicPartition {
                    topic: TopicId(Uuid::from_bytes([7; 16])),
                    partition: PartitionIndex(number),
                };
                let recovered = found.remove(&id).unwrap_or_else(|| Recovered::empty(id));
                let told = Arc::new(Told::default());
                let sink: Arc<dyn Sink> = told.clone();
                recovered.handle.connect(Arc::downgrade(&sink));
                oracle.logs.entry(id).or_default().compacts = plan.compacts;
                Partition { log: recovered.log, handle: recovered.handle, told }
            })
            .collect();
        let mut cleaner = Cleaner::default();
        for round in 0..plan.rounds {
            let at = usize::try_from(runtime.random_u64() % partitions.len() as u64).unwrap();
            act(&mut partitions[at], (&directory, &runtime, plan), round, oracle);
            directory.nudge();
            if runtime.random_u64().is_multiple_of(3) {
                runtime.sleep(Duration::from_micros(runtime.random_u64() % 3000)).await;
            }
            for partition in &mut partitions {
                hear(partition, oracle);
            }
            if plan.compacts {
                let before = disk.operations();
                cleaner.go_on(&mut partitions, (&directory, &runtime), oracle);
                if cleaner.has_begun() {
                    oracle.first_cleaning.get_or_insert(before);
                }
            }
        }
        runtime.sleep(Duration::from_millis(100)).await;
        partitions.iter_mut().for_each(|partition| hear(partition, oracle));
        // A cleaning under way is given up, or everything that can be cleaned is.
        if plan.compacts && !plan.seed.is_multiple_of(3) {
            oracle.first_cleaning.get_or_insert(disk.operations());
            cleaner.clean_all(&mut partitions, (&directory, &runtime), oracle);
        }
        drop(cleaner);
        if plan.seed.is_multiple_of(2) {
            let ends = || {
                let partitions = partitions.iter().map(|partition| partition.log.to_clean()).collect();
                Some((CleanFile { partitions, ..CleanFile::default() }, Vec::new()))
            };
            let closing = directory.close(&runtime, ends);
            // A failed directory is left as it is.
            let _closed = runtime.timeout(Duration::from_secs(5), closing).await;
        }
        drop(lock);
    });
}

fn act(partition: &mut Partition, around: (&Directory, &Runtime, &Plan), round: u64, oracle: &mut Oracle) {
    let (directory, runtime, plan) = around;
    let segment_bytes = match (plan.compacts, plan.wide) {
        (true, true) => 900,
        (true, false) => 250,
        (false, true) => 6_000,
        (false, false) => 20_000,
    };
    let policy = RollPolicy { segment_bytes, segment_ms: i64::MAX };
    let promise = oracle.logs.get_mut(&partition.log.id()).expect("known");
    if plan.wide && runtime.random_u64().is_multiple_of(10) && promise.durable > partition.log.log_start() {
        let spread = promise.durable.since(partition.log.log_start()).unsigned_abs();
        let upto = partition.log.log_start().plus((runtime.random_u64() % (spread + 1)).cast_signed());
        // The oracle follows batches: deletions fall on their ends.
        let boundary = promise.appended.iter().map(|batch| batch.end).filter(|end| *end <= upto).max();
        if let Some(upto) = boundary.filter(|upto| *upto > partition.log.log_start()) {
            promise.start_asked = upto;
            let dropped = partition.log.start_at(upto);
            directory.enqueue(Command::Start { log: partition.handle.clone(), log_start: upto, dropped });
        }
        return;
    }
    let bytes = if plan.compacts {
        keyed_batch(partition.log.end(), runtime)
    } else {
        batch(partition.log.end(), round, runtime.random_u64() % if plan.wide { 9_000 } else { 1_500 })
    };
    let header = BatchHeader::parse(&bytes).expect("built");
    if partition.log.should_roll(&header, TimestampMs(0), &policy) {
        let attempt = partition.log.attempt();
        if let Some(task) = partition.log.roll(Vec::new()) {
            directory.enqueue(Command::Seal { log: partition.handle.clone(), attempt, task: Box::new(task) });
        }
    }
    let attempt = partition.log.attempt();
    let place = partition.log.append(&header, TimestampMs(0));
    promise.appended.push(Batch { base: header.base_offset, end: header.end(), bytes: bytes.to_vec() });
    directory.enqueue(Command::Write(Write {
        log: partition.handle.clone(),
        segment: place.segment,
        position: place.position,
        header: *bytes.first_chunk::<HEADER_BYTES>().expect("whole"),
        body: bytes.slice(HEADER_BYTES..),
        epoch: header.epoch,
        base: header.base_offset,
        end: header.end(),
        attempt,
        durable: true,
    }));
}

fn hear(partition: &mut Partition, oracle: &mut Oracle) {
    let promise = oracle.logs.get_mut(&partition.log.id()).expect("known");
    for notice in std::mem::take(&mut *partition.told.0.lock().unwrap()) {
        match notice {
            Notice::Flushed { upto } => {
                promise.durable = promise.durable.max(upto);
                partition.log.show(upto);
            }
            Notice::Started { log_start } => promise.started = promise.started.max(log_start),
            Notice::WriteFailed { from, .. } => {
                assert!(from >= promise.durable, "what was durable is said to be void");
                partition.log.rewind(from);
                promise.appended.retain(|batch| batch.end <= from);
            }
            Notice::Sealed { segment } => partition.log.sealed(segment),
            Notice::Written { .. } | Notice::Offline => {}
        }
    }
}

fn batch(base: Offset, round: u64, size: u64) -> Bytes {
    let value = vec![u8::try_from(round % 251).unwrap(); usize::try_from(size).unwrap()];
    let mut builder = BatchBuilder::new(Encoding::NONE);
    builder.base_offset(base).epoch(BatchEpoch(0));
    for _ in 0..1 + round % 3 {
        let record = NewRecord { value: Some(&value), ..NewRecord::default() };
        builder.push(&record).expect("fits");
    }
    builder.build().expect("builds").into()
}

/// A few records with a few keys, some of them tombstones.
fn keyed_batch(base: Offset, runtime: &Runtime) -> Bytes {
    let mut builder = BatchBuilder::new(Encoding::NONE);
    builder.base_offset(base).epoch(BatchEpoch(0));
    for number in 0..1 + runtime.random_u64() % 3 {
        let key = format!("k{}", runtime.random_u64() % 6);
        let value = format!("{base}+{number} {}", "v".repeat((runtime.random_u64() % 120) as usize));
        let value = (!runtime.random_u64().is_multiple_of(4)).then_some(value);
        let record = NewRecord {
            timestamp: runtime.now().wall,
            key: Some(key.as_bytes()),
            value: value.as_ref().map(String::as_bytes),
            ..NewRecord::default()
        };
        builder.push(&record).expect("fits");
    }
    builder.build().expect("builds").into()
}
