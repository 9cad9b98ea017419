//! Chunks as brokers send them: batches that begin too early, control records, aborted transactions, damage.

use std::ops::ControlFlow;
use std::sync::Arc;

use aquifer_record::{Attributes, BatchBuilder, Compression, NewRecord};
use aquifer_types::{BatchEpoch, Offset, PartitionIndex, ProducerEpoch, ProducerId};
use aquifer_wire::Text;
use bytes::Bytes;
use tokio::sync::Semaphore;

use super::chunk::Chunk;
use super::reader::{ReadError, RecordReader};
use crate::fetch::Fetched;

const ABORT: &[u8] = &[0, 0, 0, 0];

fn batch(base: i64, values: &[&str], change: impl Fn(&mut BatchBuilder)) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None.into());
    change(&mut builder);
    for value in values {
        builder.push(&NewRecord { value: Some(value.as_bytes()), ..NewRecord::default() }).expect("fits");
    }
    builder.base_offset(Offset(base)).epoch(BatchEpoch(3));
    builder.build().expect("builds")
}

fn of_producer(id: i64) -> impl Fn(&mut BatchBuilder) {
    move |builder| {
        builder.producer(ProducerId(id), ProducerEpoch(0), 0);
        builder.attributes(Attributes::default().with_transactional());
    }
}

fn marker(base: i64, id: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None.into());
    builder.producer(ProducerId(id), ProducerEpoch(0), -1);
    builder.attributes(Attributes::default().with_transactional().with_control());
    builder.push(&NewRecord { key: Some(ABORT), ..NewRecord::default() }).expect("fits");
    builder.base_offset(Offset(base)).epoch(BatchEpoch(3));
    builder.build().expect("builds")
}

fn chunk(from: i64, batches: &[Vec<u8>], aborted: &[(i64, i64)]) -> Chunk {
    let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("free");
    Chunk {
        topic: Text::from_static("orders"),
        partition: PartitionIndex(0),
        from: Offset(from),
        end: Offset(0),
        high_watermark: Offset(0),
        last_epoch: None,
        records: Bytes::from(batches.concat()),
        aborted: aborted.iter().map(|(id, first)| (ProducerId(*id), Offset(*first))).collect(),
        version: 0,
        _held: Arc::new(permit),
    }
}

fn read(chunk: &Chunk) -> Result<Vec<(i64, String)>, ReadError> {
    let mut seen = Vec::new();
    let walked = RecordReader::default().read(chunk, |record| {
        let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
        seen.push((record.offset.0, value));
        ControlFlow::<()>::Continue(())
    })?;
    assert_eq!(walked, ControlFlow::Continue(()));
    Ok(seen)
}

#[test]
fn records_before_the_wanted_offset_are_left_out() {
    let chunk = chunk(12, &[batch(5, &["a"], |_| {}), batch(10, &["b", "c", "d", "e"], |_| {})], &[]);

    let seen = read(&chunk).expect("reads");

    assert_eq!(seen, [(12, "d".to_owned()), (13, "e".to_owned())]);
}

#[test]
fn aborted_transactions_and_markers_are_left_out_and_others_of_the_same_producer_are_not() {
    let batches = [
        batch(0, &["gone"], of_producer(7)),
        batch(1, &["kept"], of_producer(8)),
        marker(2, 7),
        batch(3, &["later"], of_producer(7)),
    ];

    let seen = read(&chunk(0, &batches, &[(7, 0)])).expect("reads");

    assert_eq!(seen, [(1, "kept".to_owned()), (3, "later".to_owned())]);
}

#[test]
fn every_codec_is_read() {
    for compression in Compression::ALL {
        let mut builder = BatchBuilder::new(compression.into());
        builder.push(&NewRecord { value: Some(b"packed"), ..NewRecord::default() }).expect("fits");

        let seen = read(&chunk(0, &[builder.build().expect("builds")], &[])).expect("reads");

        assert_eq!(seen, [(0, "packed".to_owned())], "{compression:?}");
    }
}

#[test]
fn a_damaged_batch_is_named_by_its_offset() {
    let mut damaged = batch(1, &["b"], |_| {});
    if let Some(last) = damaged.last_mut() {
        *last ^= 1;
    }

    let error = read(&chunk(0, &[batch(0, &["a"], |_| {}), damaged], &[])).expect_err("damaged");

    assert!(matches!(error, ReadError::Checksum(Offset(1))), "{error}");
}

#[test]
fn a_batch_cut_off_at_the_end_is_left_for_the_next_fetch() {
    let mut bytes = batch(1, &["b"], |_| {});
    bytes.truncate(bytes.len() - 1);

    let seen = read(&chunk(0, &[batch(0, &["a"], |_| {}), bytes], &[])).expect("reads");

    assert_eq!(seen, [(0, "a".to_owned())]);
}

#[test]
fn whether_anything_shows_is_told_without_reading_where_the_header_tells() {
    let shows = |records: &[Vec<u8>], aborted: &[(i64, i64)], from: i64| {
        let Chunk { records, aborted, .. } = chunk(from, records, aborted);
        let ends = Offset(100);
        let fetched = Fetched {
            records,
            high_watermark: ends,
            last_stable_offset: ends,
            log_start: Offset(0),
            aborted,
        };
        RecordReader::default().shows_any(&fetched, Offset(from))
    };
    let plain = || batch(5, &["a", "b"], |_| {});
    assert!(shows(&[plain()], &[], 6));
    assert!(!shows(&[plain()], &[], 7), "all of it lies before");
    assert!(!shows(&[], &[], 0));
    let given_up = [batch(10, &["c"], of_producer(7)), marker(11, 7)];
    assert!(!shows(&given_up, &[(7, 10)], 10), "an aborted transaction and its end");
    assert!(shows(&given_up, &[], 10), "the same if it was not given up");
    let mut damaged = batch(10, &["c"], of_producer(7));
    *damaged.last_mut().expect("bytes") ^= 1;
    assert!(shows(&[damaged], &[], 10), "whoever reads it is told");
}
