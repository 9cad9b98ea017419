//! Which logs are worth cleaning, and which segments become one.

use aquifer_types::{Offset, PartitionIndex, TimestampMs, TopicId, TopicPartition, Uuid};

use super::plan::{CompactionPolicy, Dirtiness, groups};
use crate::format::{SegmentName, SegmentSummary};
use crate::log::{Segment, SegmentFile};

const POLICY: CompactionPolicy = CompactionPolicy {
    min_dirty_ratio: 0.5,
    min_lag_ms: 100,
    max_lag_ms: 10_000,
    tombstone_retention_ms: 0,
    segment_bytes: 1_000,
};
const NOW: TimestampMs = TimestampMs(50_000);

fn summary(base: i64, end: i64, bytes: u64, clean_upto: i64, written: i64) -> SegmentSummary {
    SegmentSummary {
        base: Offset(base),
        end: Offset(end),
        bytes,
        max_timestamp: TimestampMs(written),
        first_append: TimestampMs(written),
        last_append: TimestampMs(written),
        epochs: Vec::new(),
        replaces_from: Offset(base),
        clean_upto: Offset(clean_upto),
    }
}

fn of(summaries: &[SegmentSummary]) -> Dirtiness {
    Dirtiness::of(summaries.iter(), NOW, &POLICY)
}

#[test]
fn dirty_is_what_follows_the_part_that_was_held_against_everything_later() {
    let recent = NOW.0 - 1_000;
    let found = of(&[
        summary(0, 10, 400, 10, recent),
        summary(10, 20, 300, 15, recent),
        summary(20, 30, 500, 20, recent),
    ]);

    assert_eq!((found.clean_bytes, found.dirty_bytes), (400, 800));
    assert_eq!((found.dirty_from, found.upto), (Offset(15), Offset(30)));
    assert!(found.is_due(&POLICY));
    assert!(!of(&[summary(0, 10, 400, 10, recent), summary(10, 20, 400, 10, recent)]).is_due(&POLICY));
    assert!(!of(&[summary(0, 10, 400, 10, recent)]).is_due(&POLICY));
}

#[test]
fn records_that_are_too_young_are_left_alone_with_all_behind_them() {
    let (old, young) = (NOW.0 - 100, NOW.0 - 99);
    let found = of(&[summary(0, 10, 7, 0, old), summary(10, 20, 7, 10, young), summary(20, 30, 7, 20, old)]);

    assert_eq!((found.dirty_bytes, found.upto), (7, Offset(10)));
    // A timestamp that lies ahead of our clock does not hold cleaning up for ever.
    let ahead = SegmentSummary { max_timestamp: TimestampMs(NOW.0 * 2), ..summary(0, 10, 7, 0, old) };
    assert_eq!(of(&[ahead]).dirty_bytes, 7);
}

#[test]
fn an_old_dirty_record_has_the_log_cleaned_whatever_its_share() {
    let (old, recent) = (NOW.0 - 10_001, NOW.0 - 1_000);
    let clean = summary(0, 10, 1_000, 10, old);

    assert!(of(&[clean.clone(), summary(10, 20, 1, 10, old)]).is_due(&POLICY));
    assert!(!of(&[clean, summary(10, 20, 1, 10, recent)]).is_due(&POLICY));
}

#[test]
fn neighbours_become_one_within_the_topics_size_and_an_indexs_reach() {
    let id = TopicPartition { topic: TopicId(Uuid::from_bytes([1; 16])), partition: PartitionIndex(0) };
    let segments = |sizes: &[(i64, i64, u64)]| -> Vec<Segment> {
        let segment = |(base, end, bytes): &(i64, i64, u64)| {
            let name = SegmentName { base: Offset(*base), generation: 0 };
            Segment::sealed(SegmentFile::new(id, name), summary(*base, *end, *bytes, *base, 0))
        };
        sizes.iter().map(segment).collect()
    };
    let grouped = |sizes: &[(i64, i64, u64)]| -> Vec<usize> {
        groups(segments(sizes), 1_000).iter().map(Vec::len).collect()
    };

    assert_eq!(grouped(&[(0, 1, 400), (1, 2, 600), (2, 3, 1)]), [2, 1]);
    assert_eq!(grouped(&[(0, 1, 5_000), (1, 2, 1), (2, 3, 1)]), [1, 2]);
    let far = i64::from(u32::MAX);
    assert_eq!(grouped(&[(0, 10, 1), (10, far - 1, 1), (far - 1, far, 1)]), [2, 1]);
    assert_eq!(grouped(&[]), []);
}
