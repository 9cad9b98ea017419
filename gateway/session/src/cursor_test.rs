//! Cursors as clients hold them: they come back as they were, and nothing else is taken for one.

use aquifer_types::{Offset, PartitionIndex, TopicId, TopicPartition, Uuid};
use proptest::prelude::*;

use crate::cursor::{Cursor, CursorError, Progress};
use crate::places::Positions;

fn topic(number: u8) -> TopicId {
    TopicId(Uuid::from_bytes([number; 16]))
}

fn at(topic_number: u8, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic(topic_number), partition: PartitionIndex(partition) }
}

fn positions(topics: std::ops::Range<u8>) -> impl Strategy<Value = Positions> {
    let place = (topics, prop_oneof![0..20, 0..=i32::MAX]);
    let offset = prop_oneof![0..1_000_i64, 0..=i64::MAX];
    proptest::collection::btree_map(place, offset, 0..40).prop_map(|all| {
        all.into_iter().map(|((topic, index), offset)| (at(topic, index), Offset(offset))).collect()
    })
}

fn any_cursor() -> impl Strategy<Value = Cursor> {
    let of_topic = positions(1..2).prop_map(|positions| Cursor::of_topic(topic(1), positions));
    let of_group = ("[a-z:/]{1,12}", any::<u32>(), positions(1..5));
    let of_group = of_group
        .prop_map(|(group, tenure, positions)| Cursor::of_group(&group, Progress { tenure, positions }));
    prop_oneof![of_topic, of_group]
}

proptest! {
    #[test]
    fn a_cursor_comes_back_as_it_was(cursor in any_cursor()) {
        let text = cursor.to_string();

        prop_assert!(Cursor::is_meant_by(&text));
        prop_assert_eq!(Cursor::parse(&text), Ok(cursor.clone()));
        prop_assert_eq!(Cursor::parse(&format!("c.{text}")), Ok(cursor));
    }

    #[test]
    fn a_cursor_with_another_letter_is_none(
        cursor in any_cursor(),
        which in any::<prop::sample::Index>(),
        letter in "[a-zA-Z0-9_-]",
    ) {
        let mut text = cursor.to_string();
        let at = 2 + which.index(text.len() - 2);
        prop_assume!(text[at..=at] != letter);
        text.replace_range(at..=at, &letter);

        prop_assert_eq!(Cursor::parse(&text), Err(CursorError::Malformed));
    }

    #[test]
    fn a_cursor_cut_short_is_none(cursor in any_cursor(), which in any::<prop::sample::Index>()) {
        let text = cursor.to_string();
        let cut = &text[..which.index(text.len())];

        prop_assert_eq!(Cursor::parse(cut), Err(CursorError::Malformed));
    }

    #[test]
    fn whatever_is_not_a_cursor_is_refused(text in "\\PC{0,80}") {
        prop_assert!(Cursor::parse(&text).is_err());
    }
}

#[test]
fn a_cursor_is_of_one_topic_or_of_one_group() {
    let own = Positions::from([(at(1, 0), Offset(7))]);
    let of_topic = Cursor::of_topic(topic(1), own.clone());
    let progress = Progress { tenure: 3, positions: own.clone() };
    let of_group = Cursor::of_group("billing", progress.clone());

    assert_eq!(of_topic.clone().in_topic(topic(1)), Ok(own.clone()));
    assert_eq!(of_topic.clone().in_topic(topic(2)), Err(CursorError::OtherTopic));
    assert_eq!(of_topic.in_group("billing"), Err(CursorError::OfTopic));
    assert_eq!(of_group.clone().in_group("billing"), Ok(progress));
    assert_eq!(of_group.clone().in_group("shipping"), Err(CursorError::OtherGroup));
    assert_eq!(of_group.in_topic(topic(1)), Err(CursorError::OfGroup));
}

#[test]
fn the_largest_cursor_can_be_read_and_a_longer_text_is_refused() {
    let many = (0..2_000_u16).map(|number| {
        let mut bytes = [0xff; 16];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        let place =
            TopicPartition { topic: TopicId(Uuid::from_bytes(bytes)), partition: PartitionIndex(i32::MAX) };
        (place, Offset(i64::MAX))
    });

    let text =
        Cursor::of_group("group", Progress { tenure: u32::MAX, positions: many.collect() }).to_string();

    assert!(Cursor::parse(&text).is_ok(), "{} bytes", text.len());
    assert_eq!(Cursor::parse(&"A".repeat(70_000)), Err(CursorError::TooLong));
}
