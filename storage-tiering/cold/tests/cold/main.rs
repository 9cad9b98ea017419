//! Readers of objects in a store: what they get, how often the store is asked, and what a damaged object comes to.

mod lend;
mod shelf;

use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use aquifer_cold::{Cold, Found, Limits, Part, TimeFound, Wake, Wanted};
use aquifer_disk::{Disk, OpenMode, RealDisk};
use aquifer_manifest::{BundleKey, CHUNK_BYTES, Place, TierRange};
use aquifer_objects::{Operation, Problem, Store};
use aquifer_record::{BatchBuilder, Encoding, NewRecord};
use aquifer_runtime::Runtime;
use aquifer_tiering::{Packed, Source, Surroundings, bundle, pack, upload};
use aquifer_types::{
    BatchEpoch, ClusterId, LeaderEpoch, Offset, PartitionIndex, TimestampMs, TopicId, TopicPartition, Uuid,
};
use bytes::Bytes;
use tokio::sync::Notify;

const PLACE: Place = Place {
    cluster: ClusterId(Uuid::from_bytes([1; 16])),
    partition: TopicPartition { topic: TopicId(Uuid::from_bytes([2; 16])), partition: PartitionIndex(3) },
};
const BATCHES: i64 = 100;
const RECORD_BYTES: usize = 100_000;

/// Three objects of a hundred batches each, one offset a batch, a second apart.
struct Tier {
    store: Store,
    runtime: Runtime,
    ranges: Vec<TierRange>,
    log: Vec<u8>,
}

fn stretch(from: i64, record_bytes: usize) -> Vec<u8> {
    let batch = |offset: i64| {
        let mut builder = BatchBuilder::new(Encoding::NONE);
        builder.base_offset(Offset(offset)).epoch(BatchEpoch(1));
        let value = offset.to_be_bytes().repeat(record_bytes / 8);
        let record =
            NewRecord { timestamp: TimestampMs(offset * 1_000), value: Some(&value), ..NewRecord::default() };
        builder.push(&record).unwrap();
        builder.build().unwrap()
    };
    (from..from + BATCHES).flat_map(batch).collect()
}

fn packed(from: i64, nonce: u64, record_bytes: usize) -> Packed {
    let folder = tempfile::tempdir().unwrap();
    let log = stretch(from, record_bytes);
    let file = RealDisk.open(&folder.path().join("segment"), OpenMode::Create).unwrap();
    file.write_at(0, &[IoSlice::new(&log)]).unwrap();
    let source = Source { file, at: 0, bytes: u32::try_from(log.len()).unwrap() };
    let surroundings = Surroundings {
        place: PLACE,
        from: Offset(from),
        is_rewrite: false,
        incarnation: 1,
        leader_epoch: LeaderEpoch(1),
        generation: 1,
        nonce,
        previous: None,
        epochs: Vec::new(),
        producers: Vec::new(),
    };
    pack(&[source], surroundings).unwrap()
}

/// What of a part a reader is sent.
fn bytes(part: &Part) -> Bytes {
    match part {
        Part::Memory(bytes) => bytes.clone(),
        Part::File { file, at, bytes } => {
            let mut read = vec![0; usize::try_from(*bytes).unwrap()];
            file.read_exact_at(*at, &mut read).unwrap();
            Bytes::from(read)
        }
    }
}

impl Tier {
    async fn new() -> Tier {
        Tier::of(RECORD_BYTES).await
    }

    async fn of(record_bytes: usize) -> Tier {
        let store = Store::open("memory:///", &Runtime::real()).await.unwrap();
        Tier::within(store, record_bytes).await
    }

    async fn within(store: Store, record_bytes: usize) -> Tier {
        let runtime = Runtime::real();
        let mut tier = Tier { store, runtime, ranges: Vec::new(), log: Vec::new() };
        for (nonce, from) in (0..).zip([0, BATCHES, 2 * BATCHES]) {
            let packed = packed(from, nonce, record_bytes);
            upload(&tier.store, &packed, &tier.runtime).await.unwrap();
            tier.log.extend_from_slice(&packed.parts[0]);
            tier.ranges.push(packed.range);
        }
        tier
    }

    /// The same in one bundle.
    async fn bundled(store: Store) -> Tier {
        let key = BundleKey::drawn(1, 1 << 32);
        let mut ranges: Vec<Packed> = (0..)
            .zip([0, BATCHES, 2 * BATCHES])
            .map(|(number, from)| packed(from, key.nonce_of(number), RECORD_BYTES))
            .collect();
        let bundled = bundle(PLACE.cluster, key, &mut ranges);
        store.create(&bundled.name, &bundled.parts).await.unwrap();
        let log = ranges.iter().flat_map(|packed| packed.parts[0].to_vec()).collect();
        let ranges = ranges.iter().map(|packed| packed.range).collect();
        Tier { store, runtime: Runtime::real(), ranges, log }
    }

    async fn cold(&self, limits: Limits) -> Cold {
        Cold::open(self.store.clone(), limits, None, &self.runtime).await
    }

    fn reads(&self) -> u64 {
        self.store.counters().of(Operation::Read).0
    }

    /// What a reader at this offset gets, once it is there.
    async fn read(&self, cold: &Cold, from: i64, bytes_max: u64) -> Result<(Vec<Bytes>, i64), Problem> {
        let news = Arc::new(Notify::new());
        let told = news.clone();
        let wake: Wake = Arc::new(move || told.notify_one());
        loop {
            let ranges = &self.ranges[self.ranges.partition_point(|range| range.end.0 <= from)..];
            let upto = Offset(3 * BATCHES);
            let wanted = Wanted { place: PLACE, reader: 1, ranges, from: Offset(from), upto, bytes_max };
            match cold.read(&wanted, Some(&wake)) {
                Found::Ready { parts, next } => return Ok((parts.iter().map(bytes).collect(), next.0)),
                Found::Filling => {
                    self.runtime.timeout(Duration::from_secs(20), news.notified()).await.expect("it comes");
                }
                Found::Failed(error) => return Err(error.problem),
            }
        }
    }

    async fn read_all(&self, cold: &Cold) -> Vec<u8> {
        let (mut from, mut all) = (0, Vec::new());
        while from < 3 * BATCHES {
            let (parts, next) = self.read(cold, from, 1 << 20).await.expect("readable");
            assert!(next > from);
            all.extend(parts.concat());
            from = next;
        }
        all
    }
}

#[tokio::test]
async fn a_reader_gets_the_very_bytes_and_the_store_is_asked_for_each_part_once() {
    let tier = Tier::new().await;
    let cold = tier.cold(Limits::default()).await;

    assert!(tier.read_all(&cold).await == tier.log, "the very bytes");

    let chunks: u32 = tier.ranges.iter().map(|range| range.bytes.div_ceil(CHUNK_BYTES)).sum();
    assert_eq!(tier.reads(), u64::from(chunks) + 3, "each chunk and each footer");
    assert!(tier.read_all(&cold).await == tier.log);
    assert_eq!(tier.reads(), u64::from(chunks) + 3, "what is in memory is not asked for again");
}

#[tokio::test]
async fn what_lies_in_a_bundle_is_read_as_what_lies_alone() {
    let tier = Tier::bundled(Store::open("memory:///", &Runtime::real()).await.unwrap()).await;
    let cold = tier.cold(Limits::default()).await;

    assert!(tier.read_all(&cold).await == tier.log, "the very bytes");

    let chunks: u32 = tier.ranges.iter().map(|range| range.bytes.div_ceil(CHUNK_BYTES)).sum();
    assert_eq!(tier.reads(), u64::from(chunks) + 3, "each chunk and each footer");
}

#[tokio::test]
async fn many_readers_of_one_part_ask_for_it_once() {
    let tier = Tier::new().await;
    let cold = tier.cold(Limits::default()).await;

    // First all of them wait for the footer, then for the chunk.
    for _ in 0..2 {
        let ranges = &tier.ranges[..1];
        let (from, upto) = (Offset(0), Offset(BATCHES));
        let wanted = Wanted { place: PLACE, reader: 1, ranges, from, upto, bytes_max: 1 };
        let before = tier.reads();
        let news = Arc::new(Notify::new());
        let told = news.clone();
        let wake: Wake = Arc::new(move || told.notify_one());
        for _ in 0..50 {
            assert!(matches!(cold.read(&wanted, Some(&wake)), Found::Filling));
        }
        tier.runtime.timeout(Duration::from_secs(20), news.notified()).await.expect("it comes");
        assert_eq!(tier.reads(), before + 1);
    }

    assert_eq!(tier.read(&cold, 0, 1).await.expect("readable").1, 1);
}

#[tokio::test]
async fn a_small_pool_serves_everything_too() {
    let tier = Tier::new().await;
    let limits = Limits { pool_bytes_max: u64::from(CHUNK_BYTES) * 2, fetches_max: 2 };
    let cold = tier.cold(limits).await;

    assert!(tier.read_all(&cold).await == tier.log);
    assert!(cold.counters().held_bytes() <= limits.pool_bytes_max + u64::from(CHUNK_BYTES));
}

#[tokio::test]
async fn a_seek_asks_for_a_footer_and_a_chunk() {
    let tier = Tier::new().await;
    let cold = tier.cold(Limits::default()).await;

    let (parts, next) = tier.read(&cold, 150, 1).await.expect("readable");

    assert_eq!(next, 151);
    let size = parts.concat().len();
    assert_eq!(parts.concat(), tier.log[150 * size..151 * size]);
    assert!(tier.reads() <= 4, "a footer, a chunk, and what is fetched ahead: {}", tier.reads());
}

#[tokio::test]
async fn a_time_is_found_in_its_range() {
    let tier = Tier::new().await;
    let cold = tier.cold(Limits::default()).await;
    let size = tier.log.len() / (3 * BATCHES) as usize;

    let found = loop {
        match cold.at_time((&PLACE, 1), &tier.ranges[1], TimestampMs(149_500), None) {
            TimeFound::Ready(parts) => break parts.concat(),
            TimeFound::Filling => tokio::task::yield_now().await,
            TimeFound::Failed(error) => panic!("{error}"),
        }
    };

    assert_eq!(found, tier.log[150 * size..151 * size]);
}

#[tokio::test]
async fn a_damaged_object_is_refused_and_its_neighbours_are_served() {
    let tier = Tier::new().await;
    let packed = packed(BATCHES, 1, RECORD_BYTES);
    let mut bad = packed.parts[0].to_vec();
    bad[5_000_000] ^= 1;
    tier.store.delete(&packed.key()).await.unwrap();
    tier.store.create(&packed.key(), &[Bytes::from(bad), packed.parts[1].clone()]).await.unwrap();
    let cold = tier.cold(Limits::default()).await;

    assert_eq!(tier.read(&cold, 160, 1).await.expect_err("damaged"), Problem::Corrupt);
    assert_eq!(tier.read(&cold, 110, 1).await.expect("sound").1, 111);
    assert_eq!(tier.read(&cold, 210, 1).await.expect("sound").1, 211);
}

#[tokio::test]
async fn a_missing_object_is_said_to_be_missing() {
    let tier = Tier::new().await;
    tier.store.delete(&PLACE.key(&tier.ranges[0])).await.unwrap();

    assert_eq!(
        tier.read(&tier.cold(Limits::default()).await, 5, 1).await.expect_err("gone"),
        Problem::Missing
    );
}
