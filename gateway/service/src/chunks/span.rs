//! `Span`: which offsets a chunk stands for, and which bytes of a fetch are of it.

use std::ops::Range;

use aquifer_record::batches;
use aquifer_types::{BatchEpoch, Offset};

/// How many offsets a chunk stands for: 8 MiB of records of a KiB. Caches keep chunks by their numbers for a year, so
/// this never changes.
pub const CHUNK_OFFSETS: i64 = 8192;

/// The offsets that the batches of a chunk begin at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: Offset,
    pub(super) end: Offset,
}

/// What a fetch brought of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) bytes: Range<usize>,
    /// Where the batch behind them begins.
    pub(super) next: Offset,
    /// Whether nothing of the chunk follows.
    pub(super) is_last: bool,
}

/// A batch that some offset lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) base: Offset,
    pub(super) end: Offset,
    pub(super) epoch: BatchEpoch,
}

impl Span {
    /// Nothing for numbers beyond any offset.
    pub(super) fn of(number: i64) -> Option<Span> {
        let start = number.checked_mul(CHUNK_OFFSETS).filter(|start| *start >= 0)?;
        Some(Span { start: Offset(start), end: Offset(start.checked_add(CHUNK_OFFSETS)?) })
    }

    /// What is of the chunk in the batches that `fetched` begins with; nothing if there is no whole batch.
    pub(super) fn cut(&self, fetched: &[u8]) -> Option<Cut> {
        let mut cut: Option<Cut> = None;
        for batch in batches(fetched) {
            let (base, next) = (batch.header.base_offset, batch.header.end());
            let (start, end) = (batch.position, batch.position + batch.bytes.len());
            let so_far = cut.as_ref().map_or(0..0, |cut| cut.bytes.clone());
            if base >= self.end {
                return Some(Cut { bytes: so_far, next: base, is_last: true });
            }
            // A fetch begins with the batch that holds its offset, which may have begun in the chunk before.
            let bytes = match base < self.start {
                true => end..end,
                false if so_far.is_empty() => start..end,
                false => so_far.start..end,
            };
            cut = Some(Cut { bytes, next, is_last: next >= self.end });
        }
        cut
    }
}

impl Found {
    /// The first whole batch of a fetch.
    pub(super) fn first_in(fetched: &[u8]) -> Option<Found> {
        let header = batches(fetched).next()?.header;
        Some(Found { base: header.base_offset, end: header.end(), epoch: header.epoch })
    }
}

#[cfg(test)]
mod span_test {
    use aquifer_record::{BatchBuilder, Encoding, NewRecord};
    use proptest::prelude::*;

    use super::*;

    fn batch(base: i64, records: i64) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Encoding::NONE);
        for _ in 0..records {
            builder.push(&NewRecord { value: Some(b"v"), ..NewRecord::default() }).expect("it fits");
        }
        let mut bytes = builder.build().expect("it has records");
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        bytes
    }

    #[test]
    fn numbers_beyond_any_offset_are_no_chunk() {
        assert_eq!(Span::of(2), Some(Span { start: Offset(16_384), end: Offset(24_576) }));
        for number in [-1, i64::MIN, i64::MAX, i64::MAX / CHUNK_OFFSETS + 1] {
            assert_eq!(Span::of(number), None);
        }
    }

    #[test]
    fn a_batch_that_is_cut_off_is_not_of_a_cut() {
        let span = Span { start: Offset(0), end: Offset(10) };
        let whole = batch(0, 3);
        assert_eq!(span.cut(&whole[..whole.len() - 1]), None);
        let two = [whole.clone(), batch(3, 2)].concat();
        let cut = span.cut(&two[..two.len() - 1]);
        assert_eq!(cut, Some(Cut { bytes: 0..whole.len(), next: Offset(3), is_last: false }));
    }

    proptest! {
        /// However fetches fall, the chunks of a partition are its batches, each once and in their order.
        #[test]
        fn chunks_are_the_batches_each_once(lengths in prop::collection::vec(1..30_i64, 1..40), per_fetch in 1..5_usize) {
            let (mut log, mut end) = (Vec::new(), 0);
            for length in &lengths {
                log.push((end, end + length, batch(end, *length)));
                end += length;
            }
            let n = 16;
            let mut read = Vec::new();
            for number in 0..=end / n {
                let span = Span { start: Offset(number * n), end: Offset((number + 1) * n) };
                let mut next = span.start;
                while next.0 < end {
                    let holds = log.iter().position(|(_, end, _)| *end > next.0).expect("it is in the log");
                    let some: Vec<u8> =
                        log[holds..].iter().take(per_fetch).flat_map(|(_, _, bytes)| bytes.clone()).collect();
                    let cut = span.cut(&some).expect("a whole batch");
                    for batch in batches(&some[cut.bytes.clone()]) {
                        prop_assert!(span.start <= batch.header.base_offset && batch.header.base_offset < span.end);
                    }
                    read.extend_from_slice(&some[cut.bytes]);
                    next = cut.next;
                    if cut.is_last {
                        break;
                    }
                }
            }
            let whole: Vec<u8> = log.into_iter().flat_map(|(_, _, bytes)| bytes).collect();
            prop_assert_eq!(read, whole);
        }
    }
}
