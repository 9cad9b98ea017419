//! Random schedules of faults under the production code: objects are uploaded and read while their store loses answers, refuses,
//! pauses, garbles and goes away. Nothing that was uploaded is lost, no reader gets a wrong byte, and when faults cease all is well by
//! itself, without a storm of requests.

use std::io::IoSlice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aquifer_cold::{Cold, Found, Limits, Part, Shelf, TimeFound, Wake, Wanted};
use aquifer_disk::{Disk as _, FileHandle, OpenMode, RealDisk, SimDisk};
use aquifer_faults::{Faults, faulty};
use aquifer_manifest::{BundleIndex, BundleKey, CHUNK_BYTES, Place, TierRange};
use aquifer_objects::{ObjectError, Operation, Problem, Store};
use aquifer_record::{BatchBuilder, Encoding, NewRecord};
use aquifer_runtime::Runtime;
use aquifer_tiering::{Packed, Source, Surroundings, UploadError, bundle, pack, upload, upload_bundle};
use aquifer_types::{
    BatchEpoch, ClusterId, LeaderEpoch, Offset, PartitionIndex, TimestampMs, TopicId, TopicPartition, Uuid,
};
use bytes::Bytes;
use tokio::sync::Notify;

/// How many schedules run where AQUIFER_FAULT_SCHEDULES says nothing else.
const SCHEDULES: u64 = 10;
const PIECES: usize = 3;
/// In how many objects the pieces are: what is alone in one is an object of its own, the others share a bundle.
const OBJECTS: [&[&[usize]]; 4] = [&[&[0], &[1], &[2]], &[&[0, 1, 2]], &[&[0], &[1, 2]], &[&[0, 1], &[2]]];
const GENERATION: u64 = 1;
const BATCHES: i64 = 12;
const RECORD_BYTES: usize = 400_000;
/// Memory for a few parts only, so that readers contend for it.
const LIMITS: Limits = Limits { pool_bytes_max: CHUNK_BYTES as u64 * 4, fetches_max: 3 };
/// How long there are faults, and how long all may take to be well then.
const FAULTS_LAST: Duration = Duration::from_secs(60);
const HEALED_WITHIN: Duration = Duration::from_secs(120);

fn place() -> Place {
    let topic = TopicId(Uuid::from_bytes([2; 16]));
    let partition = TopicPartition { topic, partition: PartitionIndex(3) };
    Place { cluster: ClusterId(Uuid::from_bytes([1; 16])), partition }
}

/// A log in pieces, each of which becomes a range of two chunks; batches have one offset each, a second apart.
struct Log {
    bytes: Vec<u8>,
    batch_bytes: usize,
    pieces: Vec<FileHandle>,
    _folder: tempfile::TempDir,
}

fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let batch = |offset: i64| {
            let mut builder = BatchBuilder::new(Encoding::NONE);
            builder.base_offset(Offset(offset)).epoch(BatchEpoch(1));
            let value = offset.to_be_bytes().repeat(RECORD_BYTES / 8);
            let timestamp = TimestampMs(offset * 1_000);
            let record = NewRecord { timestamp, value: Some(&value), ..NewRecord::default() };
            builder.push(&record).expect("it fits");
            builder.build().expect("a batch")
        };
        let mut all = Log { bytes: Vec::new(), batch_bytes: 0, pieces: Vec::new(), _folder: folder };
        for piece in 0..PIECES as i64 {
            let bytes: Vec<u8> = (piece * BATCHES..(piece + 1) * BATCHES).flat_map(batch).collect();
            let path = all._folder.path().join(piece.to_string());
            let file = RealDisk.open(&path, OpenMode::Create).expect("a file");
            file.write_at(0, &[IoSlice::new(&bytes)]).expect("written");
            all.batch_bytes = bytes.len() / BATCHES as usize;
            all.bytes.extend(bytes);
            all.pieces.push(file);
        }
        all
    })
}

fn packed(piece: usize, nonce: u64) -> Packed {
    let bytes = u32::try_from(log().batch_bytes * BATCHES as usize).expect("small");
    let surroundings = Surroundings {
        place: place(),
        from: Offset(piece as i64 * BATCHES),
        is_rewrite: false,
        incarnation: 1,
        leader_epoch: LeaderEpoch(1),
        generation: GENERATION,
        nonce,
        previous: None,
        epochs: Vec::new(),
        producers: Vec::new(),
    };
    pack(&[Source { file: log().pieces[piece].clone(), at: 0, bytes }], surroundings).expect("packed")
}

/// One life of a few objects.
struct Life {
    seed: u64,
    runtime: Runtime,
    seen: Store,
    truth: Store,
    faults: Faults,
    live: Vec<TierRange>,
}

impl Life {
    fn begin(seed: u64) -> Life {
        let runtime = Runtime::simulated(seed, TimestampMs(1_000_000));
        let (seen, truth, faults) = faulty(&runtime);
        Life { seed, runtime, seen, truth, faults, live: Vec::new() }
    }

    fn chance(&self, of: u64) -> u64 {
        self.runtime.random_u64() % of
    }

    /// Uploads every piece, under another name each time, as brokers do; what was given up is deleted.
    async fn upload(&mut self) {
        let mut given_up = Vec::new();
        let objects = OBJECTS[usize::try_from(self.chance(OBJECTS.len() as u64)).expect("small")];
        for object in objects {
            loop {
                let (name, ranges, uploaded) = self.upload_once(object).await;
                match uploaded {
                    Ok(()) => {
                        self.live.extend(ranges);
                        break;
                    }
                    Err(_) => given_up.push(name),
                }
                assert!(given_up.len() < 1_000, "seed {}: nothing is uploaded any more", self.seed);
                self.runtime.sleep(Duration::from_secs(1)).await;
            }
        }
        for key in given_up {
            // An orphan that stays is found by whoever lists the bucket.
            drop(self.seen.delete(&key).await);
        }
    }

    /// Uploads the pieces as one object: its name, and what it then holds.
    async fn upload_once(&self, pieces: &[usize]) -> (String, Vec<TierRange>, Result<(), UploadError>) {
        let random = self.runtime.random_u64();
        if let [alone] = pieces {
            let packed = packed(*alone, random);
            let uploaded = upload(&self.seen, &packed, &self.runtime).await;
            return (packed.key(), vec![packed.range], uploaded);
        }
        let key = BundleKey::drawn(GENERATION, random);
        let mut ranges: Vec<Packed> =
            pieces.iter().enumerate().map(|(number, piece)| packed(*piece, key.nonce_of(number))).collect();
        let bundled = bundle(place().cluster, key, &mut ranges);
        let uploaded = upload_bundle(&self.seen, &bundled, &self.runtime).await;
        (bundled.name, ranges.into_iter().map(|packed| packed.range).collect(), uploaded)
    }

    /// Everything that was said to be uploaded is in the store, byte for byte.
    async fn check_live(&self) {
        for (piece, range) in self.live.iter().enumerate() {
            let key = place().key(range);
            let found = self.truth.read(&key, range.begins()..range.begins() + range.object_bytes()).await;
            let found =
                found.unwrap_or_else(|error| panic!("seed {}: an object is lost: {error}", self.seed));
            let whole = packed(piece, range.nonce).parts;
            assert!(is_made_of(&found, &whole), "seed {}: {key} is not what was uploaded", self.seed);
            if let Some(bundle) = BundleKey::of(range) {
                let bytes = self.truth.bytes_of(&key).await.expect("it was read");
                let whole = self.truth.read(&key, 0..bytes).await.expect("it was read");
                let index = BundleIndex::decode(&whole, place().cluster, bundle, bytes);
                let entries = index.unwrap_or_else(|error| panic!("seed {}: {error}", self.seed)).entries;
                assert!(entries.iter().any(|entry| entry.range == *range), "seed {}", self.seed);
            }
        }
    }

    /// The store is away now and then, and has more or fewer faults; in the end it has none.
    async fn rage(&self) {
        let ends = self.runtime.now().monotonic.plus(FAULTS_LAST);
        while self.runtime.now().monotonic < ends {
            self.faults.set(self.chance(700));
            self.faults.set_away(self.chance(6) == 0);
            self.runtime.sleep(Duration::from_millis(self.chance(20_000))).await;
        }
        self.faults.set_away(false);
        self.faults.set(0);
    }

    /// Reads from a random place to the end, or seeks, again and again until all is well and everything was read once then.
    async fn read(&self, cold: &Cold, reader: u64) {
        let ceased = self.runtime.now().monotonic.plus(FAULTS_LAST);
        let healed = ceased.plus(HEALED_WITHIN);
        loop {
            // What is in memory takes no time, and time must pass.
            self.runtime.sleep(Duration::from_millis(1 + self.chance(15_000))).await;
            let is_calm = self.runtime.now().monotonic >= ceased.plus(Duration::from_secs(30));
            let all = PIECES as i64 * BATCHES;
            let mut from = if is_calm { 0 } else { i64::try_from(self.chance(all as u64)).expect("small") };
            if !is_calm && self.chance(3) == 0 {
                self.seek(cold, reader, from).await;
                continue;
            }
            while from < all {
                let now = self.runtime.now().monotonic;
                assert!(now < healed, "seed {}: reader {reader} is stuck at {from}", self.seed);
                let bytes_max = 1 + self.chance(5_000_000);
                match self.look(cold, reader, from, bytes_max).await {
                    Ok(next) => from = next,
                    Err(error) => self.after(&error).await,
                }
            }
            if is_calm {
                return;
            }
        }
    }

    /// One look, and the right bytes if there are any.
    async fn look(&self, cold: &Cold, reader: u64, from: i64, bytes_max: u64) -> Result<i64, ObjectError> {
        let (wake, news) = waiter();
        let ranges = &self.live[self.live.partition_point(|range| range.end.0 <= from)..];
        let upto = Offset(PIECES as i64 * BATCHES);
        let wanted = Wanted { place: place(), reader, ranges, from: Offset(from), upto, bytes_max };
        match cold.read(&wanted, Some(&wake)) {
            Found::Ready { parts, next } => {
                let found: Vec<Bytes> = parts.iter().map(bytes_of).collect();
                let at = |offset: i64| usize::try_from(offset).expect("positive") * log().batch_bytes;
                assert!(next.0 > from, "seed {}: a reader gets nothing", self.seed);
                let expected = &log().bytes[at(from)..at(next.0)];
                assert!(is_made_of(expected, &found), "seed {}: wrong bytes", self.seed);
                Ok(next.0)
            }
            Found::Filling => {
                // A client's patience.
                self.runtime.timeout(Duration::from_millis(500), news.notified()).await;
                Ok(from)
            }
            Found::Failed(error) => Err(error),
        }
    }

    async fn seek(&self, cold: &Cold, reader: u64, to: i64) {
        let piece = usize::try_from(to / BATCHES).expect("positive");
        let (wake, news) = waiter();
        let time = TimestampMs(to * 1_000 - 500);
        match cold.at_time((&place(), reader), &self.live[piece], time, Some(&wake)) {
            TimeFound::Ready(parts) => {
                let at = usize::try_from(to).expect("positive") * log().batch_bytes;
                let expected = &log().bytes[at..at + log().batch_bytes];
                assert!(is_made_of(expected, &parts), "seed {}: another time was found", self.seed);
            }
            TimeFound::Filling => {
                self.runtime.timeout(Duration::from_millis(500), news.notified()).await;
            }
            TimeFound::Failed(error) => self.after(&error).await,
        }
    }

    /// What only a client that asks again comes past, and does.
    async fn after(&self, error: &ObjectError) {
        assert_ne!(error.problem, Problem::Missing, "seed {}: {error}", self.seed);
        self.runtime.sleep(Duration::from_millis(100)).await;
    }
}

fn waiter() -> (Wake, Arc<Notify>) {
    let news = Arc::new(Notify::new());
    let told = news.clone();
    (Arc::new(move || told.notify_one()), news)
}

/// Whether the parts, one behind the other, are these bytes. Putting them together first would be most of what schedules take.
fn is_made_of(whole: &[u8], parts: &[Bytes]) -> bool {
    let mut rest = whole;
    parts.iter().all(|part| match rest.split_at_checked(part.len()) {
        Some((first, behind)) => {
            rest = behind;
            first == part
        }
        None => false,
    }) && rest.is_empty()
}

fn bytes_of(part: &Part) -> Bytes {
    match part {
        Part::Memory(bytes) => bytes.clone(),
        Part::File { file, at, bytes } => {
            let mut read = vec![0; usize::try_from(*bytes).expect("small")];
            file.read_exact_at(*at, &mut read).expect("it is held open");
            Bytes::from(read)
        }
    }
}

/// Returns how many requests had faults.
async fn schedule(seed: u64) -> u64 {
    let mut life = Life::begin(seed);
    life.faults.set(life.chance(500));
    life.upload().await;
    life.check_live().await;

    let (uploads, began) = (life.seen.counters().of(Operation::Read).0, life.runtime.now().monotonic);
    let disk: Arc<SimDisk> = Arc::default();
    let shelf = Shelf::new(disk, "/cold".into(), if seed.is_multiple_of(2) { 1 << 30 } else { 0 });
    let cold = Cold::open(life.seen.clone(), LIMITS, Some(shelf), &life.runtime).await;
    let readers = async {
        tokio::join!(life.read(&cold, 0), life.read(&cold, 1), life.read(&cold, 2));
    };
    tokio::join!(life.rage(), readers);

    life.check_live().await;
    let took = life.runtime.now().monotonic.since(began).as_secs();
    let reads = life.seen.counters().of(Operation::Read).0 - uploads;
    let parts = PIECES as u64 * 3;
    // A failure is believed for a second; what is asked for twice and what had to make room comes on top.
    assert!(reads < parts * took * 2 + 2_000, "seed {seed}: {reads} requests in {took} s");
    assert!(cold.counters().held_bytes() <= LIMITS.pool_bytes_max + 1_000_000, "seed {seed}");
    life.faults.had_faults()
}

#[test]
fn nothing_is_lost_or_wrong_and_all_heals_whatever_the_store_does() {
    let chosen = std::env::var("AQUIFER_FAULT_SCHEDULES").ok().and_then(|count| count.parse().ok());
    let seeds = AtomicU64::new(0);
    let had_faults = AtomicU64::new(0);
    // Every schedule has a clock and a reactor of its own, so they may run beside each other.
    let run = || {
        loop {
            let seed = seeds.fetch_add(1, Ordering::Relaxed);
            if seed >= chosen.unwrap_or(SCHEDULES) {
                return;
            }
            let reactor = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .expect("a reactor");
            had_faults.fetch_add(reactor.block_on(schedule(seed)), Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(run);
        }
    });
    assert!(had_faults.into_inner() > 0, "there were faults");
}
