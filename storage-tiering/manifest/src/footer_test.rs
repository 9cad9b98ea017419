//! What a footer says, and what it refuses.

use proptest::prelude::*;

use super::*;

fn footer() -> Footer {
    let link = Link { end: Offset(10), epoch: BatchEpoch(2), crc: 99 };
    Footer {
        place: Place {
            cluster: ClusterId(Uuid::from_bytes([1; 16])),
            partition: TopicPartition {
                topic: TopicId(Uuid::from_bytes([2; 16])),
                partition: PartitionIndex(3),
            },
        },
        incarnation: 1,
        base: Offset(10),
        end: Offset(500),
        bytes: CHUNK_BYTES + 5,
        max_timestamp: TimestampMs(1_000),
        leader_epoch: LeaderEpoch(4),
        generation: 5,
        nonce: 6,
        previous: Some(link),
        last: Link { end: Offset(500), ..link },
        chunk_crcs: vec![7, 8],
        index: vec![
            IndexEntry { offset: 100, position: 1_000, max_timestamp: TimestampMs(50) },
            IndexEntry { offset: 200, position: 2_000, max_timestamp: TimestampMs(90) },
        ],
        epochs: vec![(BatchEpoch(1), Offset(0)), (BatchEpoch(2), Offset(7))],
        producers: b"producers".to_vec(),
        is_rewrite: true,
        aborted: vec![AbortedTransaction { producer: ProducerId(8), first: Offset(20), last: Offset(30) }],
        open: vec![OpenTransaction { producer: ProducerId(9), first: Offset(40) }],
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.bytes().filter_map(|byte| char::from(byte).to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn footers_that_were_written_before_are_read_for_ever() {
    let first = Footer { is_rewrite: false, aborted: Vec::new(), open: Vec::new(), ..footer() };

    assert_eq!(Footer::decode(&unhex(include_str!("../golden/footer-1.txt"))), Ok(first));
    let second = unhex(include_str!("../golden/footer-2.txt"));
    assert_eq!(Footer::decode(&second), Ok(footer()));
    assert_eq!(footer().encode(), second, "and written as ever");
}

#[test]
fn a_footer_reads_back_from_the_end_of_its_object() {
    let footer = footer();
    let object = [b"log bytes".to_vec(), footer.encode()].concat();

    let (all, bytes) = Footer::lengths(&object[object.len() - TRAILER_BYTES..]).unwrap();
    assert_eq!((all as usize, bytes), (footer.encode().len(), CHUNK_BYTES + 5));
    assert_eq!(Footer::decode(&object), Ok(footer));
}

#[test]
fn looking_begins_at_or_before_what_is_looked_for() {
    let footer = footer();

    let by_offset = [10, 109, 110, 209, 210, 499].map(|offset| footer.floor_by_offset(Offset(offset)));
    let by_time = [1, 50, 51, 90, 91].map(|time| footer.floor_by_time(TimestampMs(time)));

    assert_eq!(by_offset, [0, 0, 1_000, 1_000, 2_000, 2_000]);
    assert_eq!(by_time, [0, 0, 1_000, 1_000, 2_000]);
}

proptest! {
    #[test]
    fn no_damage_goes_unnoticed_and_none_panics(at in 0usize..1_000, flip in 1u8..) {
        let mut bytes = footer().encode();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        prop_assert!(Footer::decode(&bytes).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Footer::decode(&bytes).is_err());
    }
}

#[test]
fn a_stretch_begins_and_ends_where_the_index_knows_a_batch_to_begin() {
    let footer = footer();
    let (end, all) = (Offset(500), u64::from(footer.bytes));
    let stretch = |from, upto, bytes_max, position_max| {
        footer.stretch(Offset(from), upto, bytes_max, position_max).map(|(span, next)| (span, next.0))
    };

    assert_eq!(stretch(10, end, all, footer.bytes), Some((0..footer.bytes, 500)), "the whole range");
    assert_eq!(stretch(110, end, 1_500, footer.bytes), Some((1_000..2_000, 210)), "what is asked for");
    assert_eq!(stretch(10, Offset(300), all, footer.bytes), Some((0..2_000, 210)), "what may be seen");
    assert_eq!(stretch(10, end, all, 1_999), Some((0..1_000, 110)), "what is there");
    assert_eq!(stretch(110, end, 999, footer.bytes), None, "not even the first one fits");
    assert_eq!(stretch(111, end, all, footer.bytes), None, "in the middle");
    assert_eq!([10, 110, 111, 499].map(|from| footer.border_after(Offset(from)).0), [110, 210, 210, 500]);
}
