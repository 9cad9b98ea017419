//! Tests of `check`: each refusal, and that nothing sound is refused.

use aquifer_types::{ProducerEpoch, ProducerId};

use super::*;
use crate::{Attributes, BatchBuilder, Encoding, HEADER_BYTES, NewRecord};

fn batch(records: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Encoding::NONE);
    for _ in 0..records {
        let record =
            NewRecord { timestamp: TimestampMs(1_000), value: Some(b"value"), ..NewRecord::default() };
        builder.push(&record).expect("fits");
    }
    builder.build().expect("builds")
}

/// A batch with its header changed and the CRC made to fit.
fn changed(change: impl FnOnce(&mut BatchHeader)) -> Bytes {
    let mut bytes = batch(3);
    let mut header = BatchHeader::parse(&bytes).expect("parses");
    change(&mut header);
    bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
    header.crc = crc32c::crc32c(&bytes[21..]);
    bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
    bytes.into()
}

fn refusal(bytes: impl Into<Bytes>) -> Option<Refusal> {
    check(bytes.into(), &Limits::default()).err()
}

#[test]
fn a_sound_batch_passes_and_keeps_its_bytes() {
    let bytes = Bytes::from(batch(3));

    let checked = check(bytes.clone(), &Limits::default()).expect("sound");

    assert_eq!(checked.bytes().as_ptr(), bytes.as_ptr());
    assert_eq!(checked.header().count, 3);
}

#[test]
fn stamping_changes_offset_and_epoch_and_leaves_the_checksum_true() {
    let checked = check(batch(3).into(), &Limits::default()).expect("sound");

    let header = checked.stamped(Offset(1 << 40), BatchEpoch(7));

    let stamped = [&header[..], &checked.body()].concat();
    let view = BatchView::parse(&stamped).expect("parses");
    assert!(view.checksum_holds());
    let expected = BatchHeader { base_offset: Offset(1 << 40), epoch: BatchEpoch(7), ..*checked.header() };
    assert_eq!(view.header, expected);
}

#[test]
fn log_append_time_is_stamped_under_a_new_checksum() {
    let checked = check(batch(3).into(), &Limits::default()).expect("sound");
    let mut header = checked.stamped(Offset(5), BatchEpoch(1));

    crate::stamp_log_append_time(&mut header, &checked.body(), TimestampMs(99));

    let stamped = [&header[..], &checked.body()].concat();
    let view = BatchView::parse(&stamped).expect("parses");
    assert!(view.checksum_holds());
    assert_eq!(view.header.max_timestamp, TimestampMs(99));
    assert_eq!(view.header.attributes.timestamp_type(), TimestampType::LogAppendTime);
    let times: Vec<_> =
        crate::Records::new(&view.header, view.body()).map(|record| record.map(|r| r.timestamp)).collect();
    assert_eq!(times, [Ok(TimestampMs(99)); 3]);
}

#[test]
fn each_fault_has_its_own_refusal() {
    let bits = |bits: i16| move |header: &mut BatchHeader| header.attributes = Attributes(bits);
    for (bytes, expected) in [
        (Bytes::new(), Refusal::Empty),
        (changed(bits(1 << 7)), Refusal::UnknownAttributes(1 << 7)),
        (changed(bits(5)), Refusal::UnknownCompression(5)),
        (changed(bits(1 << 5)), Refusal::Control),
        (changed(bits(1 << 6)), Refusal::DeleteHorizon),
        (changed(bits(1 << 3)), Refusal::LogAppendTime),
        (changed(bits(1 << 4)), Refusal::TransactionWithoutProducer),
        (changed(|header| header.count = 2), Refusal::Count { count: 2, last_offset_delta: 2 }),
        (
            changed(|header| (header.count, header.last_offset_delta) = (0, 0)),
            Refusal::Count { count: 0, last_offset_delta: 0 },
        ),
        (changed(|header| header.count = -1), Refusal::Malformed(BatchError::Count(-1))),
        (
            changed(|header| header.last_offset_delta = -1),
            Refusal::Malformed(BatchError::LastOffsetDelta(-1)),
        ),
        (
            changed(|header| header.producer_id = ProducerId(4)),
            Refusal::Producer { producer_id: 4, epoch: -1, sequence: -1 },
        ),
    ] {
        assert_eq!(refusal(bytes), Some(expected));
    }
}

#[test]
fn a_batch_without_producer_may_leave_zeros_for_epoch_and_sequence() {
    let zeros = changed(|header| (header.producer_epoch, header.base_sequence) = (ProducerEpoch(0), 0));

    assert_eq!(refusal(zeros), None);
}

#[test]
fn old_formats_are_told_from_unknown_ones() {
    let mut bytes = batch(1);
    for (magic, expected) in
        [(0, Refusal::OldMagic(0)), (1, Refusal::OldMagic(1)), (3, Refusal::UnknownMagic(3))]
    {
        bytes[16] = magic;
        assert_eq!(refusal(bytes.clone()), Some(expected));
    }
}

#[test]
fn the_bytes_must_be_exactly_one_batch() {
    let one = batch(1);
    let short = BatchError::ShortBatch { held: one.len() - 1, wanted: one.len() };
    assert_eq!(refusal(one[..one.len() - 1].to_vec()), Some(Refusal::Malformed(short)));
    let two = [one.clone(), one.clone()].concat();
    assert_eq!(refusal(two), Some(Refusal::SeveralBatches(one.len())));
}

#[test]
fn every_flipped_bit_is_refused_unless_the_broker_overwrites_it() {
    let whole = batch(2);
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        // Offset and epoch are stamped over whatever the client left there; the offset's sign bit is not believed either.
        let overwritten = (0..8).contains(&(bit / 8)) || (12..16).contains(&(bit / 8));
        assert_eq!(refusal(bytes).is_none(), overwritten, "bit {bit}");
    }
}

#[test]
fn limits_of_size_and_time_are_inclusive() {
    let bytes = Bytes::from(batch(1));
    let limits =
        Limits { batch_bytes_max: bytes.len(), earliest: TimestampMs(1_000), latest: TimestampMs(1_000) };

    assert!(check(bytes.clone(), &limits).is_ok());

    let max = bytes.len() - 1;
    let size = Refusal::TooLarge { bytes: bytes.len(), max };
    assert_eq!(check(bytes.clone(), &Limits { batch_bytes_max: max, ..limits }).err(), Some(size));
    for outside in [
        Limits { latest: TimestampMs(999), ..Limits::default() },
        Limits { earliest: TimestampMs(1_001), ..Limits::default() },
    ] {
        let time = Refusal::Timestamp(TimestampMs(1_000));
        assert_eq!(check(bytes.clone(), &outside).err(), Some(time));
    }
}
