//! Tests of `BatchBuilder`: what goes in comes out, under every codec.

use proptest::prelude::*;

use super::*;
use crate::{BatchView, Limits, check, decode, decompress};

type Owned = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        (any::<u8>(), 0..20_000usize).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn records() -> impl Strategy<Value = Vec<Owned>> {
    let headers = prop::collection::vec((bytes(), prop::option::of(bytes())), 0..3);
    let record = (-1..1i64 << 41, prop::option::of(bytes()), prop::option::of(bytes()), headers);
    prop::collection::vec(record, 1..12)
}

fn push(builder: &mut BatchBuilder, (timestamp, key, value, headers): &Owned) {
    let headers: Vec<_> =
        headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
    let record = NewRecord {
        timestamp: TimestampMs(*timestamp),
        key: key.as_deref(),
        value: value.as_deref(),
        headers: &headers,
    };
    builder.push(&record).expect("fits");
}

fn owned(record: &Record<'_>) -> Owned {
    (
        record.timestamp.0,
        record.key.map(<[u8]>::to_vec),
        record.value.map(<[u8]>::to_vec),
        record.headers.map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec))).collect(),
    )
}

fn encoding() -> impl Strategy<Value = Encoding> {
    let level = prop::option::of(-3..30i32);
    (prop::sample::select(Compression::ALL.to_vec()), level)
        .prop_map(|(compression, level)| Encoding { compression, level })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_was_pushed_is_read_back_and_passes_the_check(records in records(), encoding in encoding()) {
        let mut builder = BatchBuilder::new(encoding);
        records.iter().for_each(|record| push(&mut builder, record));
        let batch = builder.build().expect("builds");

        let limits = Limits { batch_bytes_max: usize::MAX, ..Limits::default() };
        let checked = check(batch.clone().into(), &limits).expect("sound");
        let mut scratch = Vec::new();
        let read: Vec<Owned> = decode(checked.header(), &batch[HEADER_BYTES..], 1 << 22, &mut scratch)
            .expect("unpacks")
            .map(|record| owned(&record.expect("sound")))
            .collect();

        prop_assert_eq!(&read, &records);
        let max = records.iter().map(|record| record.0).max();
        prop_assert_eq!(Some(checked.header().max_timestamp.0), max);
    }

    #[test]
    fn a_rewrite_keeps_offsets_and_times(records in records(), encoding in encoding(), keep: u16) {
        let mut builder = BatchBuilder::new(Encoding::NONE);
        builder.base_offset(Offset(1_000)).epoch(BatchEpoch(4)).producer(ProducerId(8), ProducerEpoch(1), 5);
        records.iter().for_each(|record| push(&mut builder, record));
        let original = builder.build().expect("builds");
        let view = BatchView::parse(&original).expect("parses");
        let kept = |offset: Offset| keep >> offset.since(Offset(1_000)) & 1 == 1;

        let mut rewrite = BatchBuilder::rewrite(&view.header, encoding);
        let mut expected = Vec::new();
        for record in crate::Records::new(&view.header, view.body()).map(|record| record.expect("sound")) {
            if kept(record.offset) {
                rewrite.keep(&record).expect("in range");
                expected.push((record.offset, owned(&record)));
            }
        }
        let rewritten = rewrite.build().expect("builds");

        let after = BatchView::parse(&rewritten).expect("parses");
        prop_assert!(after.checksum_holds());
        prop_assert_eq!(after.header.end(), view.header.end());
        prop_assert_eq!(after.header.last_sequence(), view.header.last_sequence());
        prop_assert_eq!(after.header.epoch, BatchEpoch(4));
        let mut scratch = Vec::new();
        let read: Vec<_> = decode(&after.header, after.body(), 1 << 22, &mut scratch)
            .expect("unpacks")
            .map(|record| record.map(|record| (record.offset, owned(&record))).expect("sound"))
            .collect();
        prop_assert_eq!(read, expected);
    }
}

#[test]
fn a_bomb_is_refused_at_the_bound_and_takes_no_more_memory() {
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let mut bomb = Vec::new();
        compress(compression.into(), &vec![0; 16 << 20], &mut bomb).expect("packs");
        let mut output = Vec::new();

        let refused = decompress(compression, &bomb, 100_000, &mut output);

        assert!(matches!(refused, Err(CodecError::TooLarge { max: 100_000 })), "{compression:?}");
        assert!(output.capacity() < 400_000, "{compression:?} took {}", output.capacity());
        assert!(
            decompress(compression, &bomb, 16 << 20, &mut output).is_ok(),
            "{compression:?} exactly fits"
        );
    }
}

#[test]
fn raw_snappy_is_read_too() {
    let raw = snap::raw::Encoder::new().compress_vec(b"some records").expect("packs");
    let mut output = Vec::new();

    decompress(Compression::Snappy, &raw, 100, &mut output).expect("unpacks");

    assert_eq!(output, b"some records");
}

#[test]
fn cut_off_bytes_are_malformed_under_every_codec() {
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let mut packed = Vec::new();
        compress(compression.into(), &[7; 5_000], &mut packed).expect("packs");

        let cut = decompress(compression, &packed[..packed.len() - 5], 10_000, &mut Vec::new());

        assert!(matches!(cut, Err(CodecError::Malformed(_))), "{compression:?}");
    }
}

#[test]
fn a_batch_of_nothing_is_only_made_by_compaction() {
    assert!(matches!(BatchBuilder::new(Encoding::NONE).build(), Err(BuildError::Empty)));
    let mut builder = BatchBuilder::new(Compression::Zstd.into());
    builder.push(&NewRecord::default()).expect("fits");
    let original = BatchHeader::parse(&builder.build().expect("builds")).expect("parses");

    let emptied = BatchBuilder::rewrite(&original, Compression::Zstd.into()).build().expect("builds");

    let view = BatchView::parse(&emptied).expect("parses");
    assert_eq!((view.header.count, view.header.end()), (0, original.end()));
    assert!(view.checksum_holds() && view.body().is_empty());
}

#[test]
fn a_delete_horizon_leaves_the_records_times_alone() {
    let mut builder = BatchBuilder::new(Encoding::NONE);
    builder.push(&NewRecord { timestamp: TimestampMs(500), ..NewRecord::default() }).expect("fits");
    let original = builder.build().expect("builds");
    let view = BatchView::parse(&original).expect("parses");
    let mut rewrite = BatchBuilder::rewrite(&view.header, Encoding::NONE);
    rewrite.delete_horizon(TimestampMs(90_000));
    for record in crate::Records::new(&view.header, view.body()) {
        rewrite.keep(&record.expect("sound")).expect("in range");
    }

    let after = rewrite.build().expect("builds");

    let view = BatchView::parse(&after).expect("parses");
    assert_eq!(view.header.base_timestamp, TimestampMs(90_000));
    let record = crate::Records::new(&view.header, view.body()).next().expect("one").expect("sound");
    assert_eq!(record.timestamp, TimestampMs(500));
}
