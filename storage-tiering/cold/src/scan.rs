//! Finding whole batches in chunks that lie one behind the other.

use std::ops::Range;

use aquifer_record::{BatchHeader, HEADER_BYTES};
use aquifer_types::{Offset, TimestampMs};
use bytes::Bytes;

/// Chunks of one object without a gap, from the position of the first one on.
pub(crate) struct Run {
    pub(crate) position: u32,
    pub(crate) chunks: Vec<Bytes>,
}

/// Whole batches in a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Batches {
    pub(crate) parts: Vec<Bytes>,
    /// Where in the object they stand.
    pub(crate) span: Range<u32>,
    /// The offset after the last one.
    pub(crate) next: Offset,
}

/// What a scan comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scanned<T> {
    Found(T),
    /// The answer lies, or ends, behind what there is.
    Beyond,
    /// No batch stands where one should.
    Damaged,
}

impl Run {
    /// Bytes that begin there in the object: where the run begins, or ends.
    pub(crate) fn push(&mut self, bytes: Bytes, position: u32) {
        if self.chunks.is_empty() {
            self.position = position;
        }
        self.chunks.push(bytes);
    }

    fn end(&self) -> u32 {
        self.position + self.chunks.iter().map(|chunk| chunk.len() as u32).sum::<u32>()
    }

    /// Bytes of a range that lies within.
    fn slices(&self, from: u32, to: u32) -> Vec<Bytes> {
        let mut slices = Vec::new();
        let mut at = self.position;
        for chunk in &self.chunks {
            let end = at + chunk.len() as u32;
            let (start, stop) = (from.max(at), to.min(end));
            if start < stop {
                slices.push(chunk.slice((start - at) as usize..(stop - at) as usize));
            }
            at = end;
        }
        slices
    }

    /// The bytes of a range that lies in one chunk, as nearly all headers do.
    fn within_one(&self, from: u32, to: u32) -> Option<&[u8]> {
        let mut at = self.position;
        for chunk in &self.chunks {
            let end = at + chunk.len() as u32;
            if from < end {
                return (to <= end).then(|| &chunk[(from - at) as usize..(to - at) as usize]);
            }
            at = end;
        }
        None
    }

    fn header(&self, at: u32) -> Scanned<BatchHeader> {
        let end = at.saturating_add(HEADER_BYTES as u32);
        if end > self.end() {
            return Scanned::Beyond;
        }
        let parsed = match self.within_one(at, end) {
            Some(bytes) => BatchHeader::parse(bytes),
            None => BatchHeader::parse(&self.slices(at, end).concat()),
        };
        parsed.map_or(Scanned::Damaged, Scanned::Found)
    }

    /// The batches from the one that holds `offset` on, looked for from `at` on: up to `bytes_max`, but at least one; none
    /// that ends beyond `upto`.
    pub(crate) fn batches(&self, at: u32, offset: Offset, upto: Offset, bytes_max: u64) -> Scanned<Batches> {
        let mut start = at;
        let mut end = loop {
            match self.header(start) {
                Scanned::Found(header) if header.end() > offset => break start,
                Scanned::Found(header) => start += header.total_bytes() as u32,
                Scanned::Beyond => return Scanned::Beyond,
                Scanned::Damaged => return Scanned::Damaged,
            }
        };
        let mut next = offset;
        // What stands behind the last batch that is wholly there is for the next read.
        while let Scanned::Found(header) = self.header(end) {
            let after = end.saturating_add(header.total_bytes() as u32);
            let too_much = end > start && u64::from(after - start) > bytes_max;
            if after > self.end() || too_much || header.end() > upto {
                break;
            }
            (end, next) = (after, header.end());
        }
        if end == start {
            return Scanned::Beyond;
        }
        Scanned::Found(Batches { parts: self.slices(start, end), span: start..end, next })
    }

    /// The first whole batch, looked for from `at` on, with a record of this time or a later one.
    pub(crate) fn at_time(&self, at: u32, time: TimestampMs) -> Scanned<Batches> {
        let mut start = at;
        loop {
            match self.header(start) {
                Scanned::Found(header) => {
                    let end = start + header.total_bytes() as u32;
                    if header.count > 0 && header.max_timestamp >= time {
                        if end > self.end() {
                            return Scanned::Beyond;
                        }
                        return Scanned::Found(Batches {
                            parts: self.slices(start, end),
                            span: start..end,
                            next: header.end(),
                        });
                    }
                    start = end;
                }
                Scanned::Beyond => return Scanned::Beyond,
                Scanned::Damaged => return Scanned::Damaged,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aquifer_record::{BatchBuilder, Encoding, NewRecord};

    use super::*;

    fn batch(base: i64) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Encoding::NONE);
        builder.base_offset(Offset(base));
        let record =
            NewRecord { timestamp: TimestampMs(base * 10), value: Some(b"value"), ..NewRecord::default() };
        builder.push(&record).unwrap();
        builder.build().unwrap()
    }

    /// Ten batches of one record, from offset 100 on, in chunks of this size.
    fn run(chunk_bytes: usize) -> (Run, usize) {
        let log: Vec<u8> = (100..110).flat_map(batch).collect();
        let chunks = log.chunks(chunk_bytes).map(Bytes::copy_from_slice).collect();
        (Run { position: 0, chunks }, log.len() / 10)
    }

    #[test]
    fn batches_are_found_wherever_chunks_are_cut() {
        for chunk_bytes in [7, 61, 64, 100, 10_000] {
            let (run, size) = run(chunk_bytes);
            let Scanned::Found(found) = run.batches(0, Offset(103), Offset(110), 2 * size as u64) else {
                panic!("found")
            };
            assert_eq!(found.next, Offset(105));
            assert_eq!(found.parts.concat(), [batch(103), batch(104)].concat(), "chunks of {chunk_bytes}");
        }
    }

    #[test]
    fn one_batch_is_found_whatever_its_size_and_none_beyond_the_limit() {
        let (run, _) = run(100);

        let Scanned::Found(one) = run.batches(0, Offset(100), Offset(110), 1) else { panic!("found") };
        let Scanned::Found(two) = run.batches(0, Offset(100), Offset(102), 10_000) else { panic!("found") };

        assert_eq!((one.next, two.next), (Offset(101), Offset(102)));
    }

    #[test]
    fn what_is_not_wholly_there_is_beyond() {
        let (mut run, size) = run(1_000_000);
        run.chunks = vec![run.chunks[0].slice(..size * 3 + 5)];

        assert_eq!(run.batches(0, Offset(103), Offset(110), 1), Scanned::Beyond);
        let Scanned::Found(found) = run.batches(0, Offset(102), Offset(110), 10_000) else { panic!("found") };
        assert_eq!(found.next, Offset(103));
    }

    #[test]
    fn times_are_found() {
        let (run, _) = run(50);

        let Scanned::Found(found) = run.at_time(0, TimestampMs(1_041)) else { panic!("found") };

        assert_eq!(found.parts.concat(), batch(105));
        assert_eq!(run.at_time(0, TimestampMs(2_000)), Scanned::Beyond);
    }

    #[test]
    fn garbage_is_noticed() {
        let run = Run { position: 0, chunks: vec![Bytes::from(vec![9; 500])] };

        assert_eq!(run.batches(0, Offset(0), Offset(9), 100), Scanned::Damaged);
    }
}
