//! Cleaning without a disk, held against a model: a map from every key to its last record.

use std::collections::{BTreeMap, BTreeSet};

use aquifer_record::{
    Attributes, BatchBuilder, BatchHeader, BatchView, Compression, Encoding, NewRecord, Record, decode,
};
use aquifer_types::{BatchEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs};
use proptest::prelude::*;

use super::filter::{self, Filter, Kept, Tally};
use super::offset_map::OffsetMap;

const RETENTION_MS: i64 = 50;
/// How many batches the model takes for one segment.
const SEGMENT_BATCHES: usize = 3;

/// A record: key and value, either of which may be missing.
type Row = (Option<u8>, Option<u8>);

/// Key, value and timestamp.
type Content = (Option<Vec<u8>>, Option<Vec<u8>>, TimestampMs);

#[derive(Clone, Debug)]
struct NewBatch {
    rows: Vec<Row>,
    codec: Compression,
    producer: Option<i64>,
    /// Bytes that no record reader takes stand in its records' place.
    is_garbage: bool,
    is_control: bool,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let key = prop_oneof![9 => (0u8..6).prop_map(Some), 1 => Just(None)];
    let value = prop_oneof![3 => any::<u8>().prop_map(Some), 1 => Just(None)];
    proptest::collection::vec((key, value), 1..5)
}

fn new_batch() -> impl Strategy<Value = NewBatch> {
    let codec = prop_oneof![Just(Compression::None), Just(Compression::Lz4), Just(Compression::Zstd)];
    let rare = || prop_oneof![9 => Just(false), 1 => Just(true)];
    (rows(), codec, proptest::option::of(0i64..3), rare(), rare()).prop_map(
        |(rows, codec, producer, is_garbage, is_control)| NewBatch {
            rows,
            codec,
            producer,
            is_garbage,
            is_control,
        },
    )
}

impl NewBatch {
    fn build(&self, base: Offset) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Encoding::from(self.codec));
        builder.base_offset(base).epoch(BatchEpoch(3));
        if let Some(id) = self.producer {
            builder.producer(ProducerId(id), ProducerEpoch(1), i32::try_from(base.0).unwrap());
        }
        if self.is_control {
            builder.attributes(Attributes::default().with_control());
        }
        for (at, (key, value)) in self.rows.iter().enumerate() {
            let timestamp = TimestampMs(1_000 + base.0 * 3 + i64::try_from(at).unwrap());
            let (key, value) = (key.map(|byte| [byte]), value.map(|byte| [byte]));
            let record = NewRecord {
                timestamp,
                key: key.as_ref().map(|key| &key[..]),
                value: value.as_ref().map(|value| &value[..]),
                ..NewRecord::default()
            };
            builder.push(&record).unwrap();
        }
        let mut bytes = builder.build().unwrap();
        if self.is_garbage && self.codec == Compression::None {
            bytes[61..].fill(0xff);
        }
        bytes
    }
}

/// A log as a list of batches, and what cleaning remembers of it.
#[derive(Clone, Debug, Default)]
struct Bare {
    batches: Vec<Vec<u8>>,
    dirty_from: Offset,
    /// Where the segments ended that the last cleaning wrote.
    spans: Vec<Offset>,
}

fn view(bytes: &[u8]) -> BatchView<'_> {
    BatchView::parse(bytes).expect("a batch")
}

fn header(bytes: &[u8]) -> BatchHeader {
    view(bytes).header
}

fn each_record(bytes: &[u8], mut with: impl FnMut(&Record<'_>)) {
    let batch = view(bytes);
    let mut unpacked = Vec::new();
    let Ok(records) = decode(&batch.header, batch.body(), 1 << 20, &mut unpacked) else { return };
    let Ok(records) = records.collect::<Result<Vec<_>, _>>() else { return };
    records.iter().for_each(&mut with);
}

impl Bare {
    fn end(&self) -> Offset {
        self.batches.last().map_or(Offset::ZERO, |batch| header(batch).end())
    }

    fn append(&mut self, batch: &NewBatch) {
        let base = self.end();
        self.batches.push(batch.build(base));
    }

    fn last_batches(&self) -> BTreeMap<ProducerId, Offset> {
        let headers = self.batches.iter().map(|batch| header(batch));
        headers.filter(BatchHeader::has_producer).map(|header| (header.producer_id, header.end())).collect()
    }

    /// Cleans below the batch at `upto`, as a cleaning does: keys first, then batch by batch.
    fn clean(&mut self, upto: usize, now: TimestampMs, keys_max: usize) -> Tally {
        let mut latest = OffsetMap::new(keys_max, [1, 2]);
        let mut known_upto = self.dirty_from;
        for batch in &self.batches[..upto] {
            let batch = view(batch);
            if batch.header.end() <= self.dirty_from {
                continue;
            }
            let keys = filter::keys(&batch, &latest, &mut Vec::new()).unwrap_or_default();
            if !latest.take(&keys) {
                break;
            }
            known_upto = batch.header.end();
        }
        let last_batches = self.last_batches();
        let end = self.batches[..upto].last().map_or(Offset::ZERO, |batch| header(batch).end());
        let filter = Filter {
            latest: &latest,
            known_upto,
            span_end: end,
            now,
            tombstone_retention_ms: RETENTION_MS,
            keeps_tombstones: false,
            last_batches: &last_batches,
        };
        let mut tally = Tally::default();
        let rest = self.batches.split_off(upto);
        let judged = std::mem::take(&mut self.batches);
        let ends = judged.chunks(SEGMENT_BATCHES).map(|segment| segment.last().expect("not empty"));
        self.spans = ends.map(|batch| header(batch).end()).collect();
        for (at, batch) in judged.into_iter().enumerate() {
            let filter = Filter { span_end: self.spans[at / SEGMENT_BATCHES], ..filter };
            match filter.judge(&view(&batch), &mut Vec::new(), &mut tally) {
                Kept::Whole => self.batches.push(batch),
                Kept::Rewritten(bytes) => self.batches.push(bytes),
                Kept::Nothing => {}
            }
        }
        self.batches.extend(rest);
        assert!(known_upto > self.dirty_from || upto == 0 || known_upto == end, "no progress");
        self.dirty_from = known_upto;
        tally
    }

    /// Every readable record that a client wrote: offset, then key, value and timestamp.
    fn records(&self) -> BTreeMap<Offset, Content> {
        let mut found = BTreeMap::new();
        for batch in self.batches.iter().filter(|batch| !header(batch).attributes.is_control()) {
            each_record(batch, |record| {
                let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
                found.insert(record.offset, (key, value, record.timestamp));
            });
        }
        found
    }
}

/// Batches whose records compaction must leave alone.
fn untouchable(batches: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let odd = |bytes: &&Vec<u8>| {
        let mut readable = 0;
        each_record(bytes, |_| readable += 1);
        let header = header(bytes);
        header.attributes.is_control() || (readable == 0 && header.count > 0)
    };
    batches.iter().filter(odd).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn cleaning_keeps_the_latest_of_every_key_and_moves_nothing(
        turns in proptest::collection::vec(
            (proptest::collection::vec(new_batch(), 0..6), 0usize..12, 0i64..80, 1usize..12),
            1..6,
        ),
    ) {
        let mut log = Bare::default();
        let mut original = Bare::default();
        let mut now = 100_000;
        for (batches, held_back, passed, keys_max) in turns {
            for batch in &batches {
                log.append(batch);
                original.batches.push(log.batches.last().unwrap().clone());
            }
            now += passed;
            let upto = log.batches.len().saturating_sub(held_back);
            let committed = log.batches[..upto].last().map_or(Offset::ZERO, |batch| header(batch).end());
            if committed <= log.dirty_from {
                continue;
            }
            let (before, odd) = (log.records(), untouchable(&log.batches));
            let (end, producers) = (log.end(), log.last_batches());

            log.clean(upto, TimestampMs(now), keys_max);

            // Nothing moved, nothing was made up, nothing beyond what was committed was touched.
            let after = log.records();
            prop_assert_eq!(log.end(), end);
            for span in &log.spans {
                let ends_there = |batch: &Vec<u8>| header(batch).end() == *span;
                prop_assert!(log.batches.iter().any(ends_there), "a segment forgets where it ends");
            }
            prop_assert_eq!(&log.last_batches(), &producers);
            prop_assert_eq!(untouchable(&log.batches), odd);
            let all = original.records();
            for (offset, record) in &after {
                prop_assert_eq!(Some(record), all.get(offset));
            }
            for pair in log.batches.windows(2) {
                prop_assert!(header(&pair[0]).end() <= header(&pair[1]).base_offset);
            }
            for lost in before.iter().filter(|(offset, _)| !after.contains_key(offset)) {
                let (offset, (key, value, _)) = lost;
                prop_assert!(key.is_some(), "a record without a key went");
                let superseded = all
                    .iter()
                    .filter(|(_, (other, _, _))| other == key)
                    .any(|(later, _)| later > offset && *later < log.dirty_from);
                prop_assert!(superseded || value.is_none(), "{:?} was the latest", lost);
                prop_assert!(*offset < log.dirty_from);
                if !superseded {
                    // A tombstone goes only once its horizon, set by an earlier cleaning, is past.
                    let batch = original.batches.iter().find(|batch| header(batch).end() > *offset).unwrap();
                    prop_assert!(header(batch).end() <= log.dirty_from);
                }
                if value.is_none() {
                    let victims = after.iter().filter(|(_, (other, _, _))| other == key);
                    prop_assert_eq!(victims.filter(|(before, _)| *before < offset).count(), 0);
                }
            }
            // What was held against everything later holds every key once, keyless and odd batches apart.
            let mut seen = BTreeSet::new();
            for batch in log.batches.iter().filter(|batch| header(batch).end() <= log.dirty_from) {
                if header(batch).attributes.is_control() {
                    continue;
                }
                let mut repeated = None;
                each_record(batch, |record| {
                    if let Some(key) = record.key && !seen.insert(key.to_vec()) {
                        repeated = Some(record.offset);
                    }
                });
                prop_assert_eq!(repeated, None);
            }
        }
    }

    #[test]
    fn a_tombstone_stays_for_its_retention_from_the_first_cleaning_that_met_it(
        first in 0i64..100, second in 0i64..100,
    ) {
        let mut log = Bare::default();
        let batch = |rows: Vec<Row>| NewBatch {
            rows, codec: Compression::Lz4, producer: None, is_garbage: false, is_control: false,
        };
        log.append(&batch(vec![(Some(1), Some(7)), (Some(2), Some(7))]));
        log.append(&batch(vec![(Some(1), None)]));
        log.append(&batch(vec![(Some(3), Some(7))]));

        log.clean(3, TimestampMs(first), 10);

        let offsets = |log: &Bare| log.records().keys().map(|offset| offset.0).collect::<Vec<_>>();
        prop_assert_eq!(offsets(&log), [1, 2, 3]);
        let horizon = header(&log.batches[1]);
        prop_assert!(horizon.attributes.has_delete_horizon());
        prop_assert_eq!(horizon.base_timestamp, TimestampMs(first + RETENTION_MS));
        prop_assert_eq!(log.records()[&Offset(2)].2, TimestampMs(1_000 + 2 * 3));

        log.append(&batch(vec![(Some(4), Some(7))]));
        let tally = log.clean(4, TimestampMs(first + second), 10);

        let gone = second >= RETENTION_MS;
        prop_assert_eq!(offsets(&log), if gone { vec![1, 3, 4] } else { vec![1, 2, 3, 4] });
        prop_assert_eq!(tally.records_removed, u64::from(gone));
        if !gone {
            prop_assert_eq!(header(&log.batches[1]).base_timestamp, horizon.base_timestamp);
        }
    }
}

#[test]
fn a_batch_that_keeps_everything_is_kept_byte_for_byte_and_one_that_keeps_some_keeps_its_codec() {
    let mut log = Bare::default();
    let batch = |rows: Vec<Row>| NewBatch {
        rows,
        codec: Compression::Zstd,
        producer: Some(4),
        is_garbage: false,
        is_control: false,
    };
    log.append(&batch(vec![(Some(1), Some(1)), (Some(2), Some(1))]));
    log.append(&batch(vec![(Some(1), Some(2)), (Some(3), Some(2))]));
    let before = log.clone();

    log.clean(2, TimestampMs(0), 10);

    assert_eq!(log.batches[1], before.batches[1]);
    let (old, new) = (header(&before.batches[0]), header(&log.batches[0]));
    let fixed = |header: &BatchHeader| {
        let producer = (header.producer_id, header.producer_epoch, header.base_sequence);
        (header.base_offset, header.last_offset_delta, header.epoch, header.attributes, producer)
    };
    assert_eq!(fixed(&new), fixed(&old));
    assert_eq!((old.count, new.count), (2, 1));
}

#[test]
fn the_batch_that_ends_a_span_and_the_last_of_a_producer_stay_though_empty() {
    let mut log = Bare::default();
    let batch = |producer, key| NewBatch {
        rows: vec![(Some(key), Some(9))],
        codec: Compression::None,
        producer,
        is_garbage: false,
        is_control: false,
    };
    log.append(&batch(Some(1), 1));
    log.append(&batch(Some(1), 1));
    log.append(&batch(Some(2), 1));
    log.append(&batch(None, 1));
    log.append(&batch(Some(2), 1));

    // All but the last, in which the key lives on and the second producer too.
    log.clean(4, TimestampMs(0), 10);
    log.clean(log.batches.len(), TimestampMs(0), 10);

    let left: Vec<(i64, i32)> =
        log.batches.iter().map(|batch| (header(batch).base_offset.0, header(batch).count)).collect();
    assert_eq!(left, [(1, 0), (3, 0), (4, 1)]);
}

#[test]
fn a_batch_with_more_keys_than_the_map_takes_is_taken_alone() {
    let mut map = OffsetMap::new(2, [0, 0]);
    let digests = |map: &OffsetMap, keys: &[&[u8]]| {
        keys.iter().map(|key| (map.digest(key), Offset(1))).collect::<Vec<_>>()
    };

    let large = digests(&map, &[b"a", b"b", b"c"]);
    let small = digests(&map, &[b"d"]);

    assert!(map.take(&large));
    assert!(!map.take(&small));
    assert_eq!((map.latest(b"c"), map.latest(b"d")), (Some(Offset(1)), None));
}
