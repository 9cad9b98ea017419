//! Views of the batches in a byte range, without copies.

use crate::header::{BatchError, BatchHeader, CRC_FROM, HEADER_BYTES};

/// One whole batch inside a byte range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchView<'a> {
    pub header: BatchHeader,
    /// Where in the range the batch starts.
    pub position: usize,
    /// The whole batch.
    pub bytes: &'a [u8],
}

/// Walks the batches of a byte range; stops where no whole batch follows, and says why.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    bytes: &'a [u8],
    position: usize,
    error: Option<BatchError>,
}

/// Where a walk over batches came to its end, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Bytes of the whole batches seen.
    pub position: usize,
    /// What stands there instead of a batch; `None` at the end of the range.
    pub error: Option<BatchError>,
}

/// The batches in `bytes`, which start with one.
#[must_use]
pub fn batches(bytes: &[u8]) -> Batches<'_> {
    Batches { bytes, position: 0, error: None }
}

impl<'a> BatchView<'a> {
    /// The batch at the start of `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<BatchView<'a>, BatchError> {
        let header = BatchHeader::parse(bytes)?;
        let wanted = header.total_bytes();
        let held = bytes.len();
        let bytes = bytes.get(..wanted).ok_or(BatchError::ShortBatch { held, wanted })?;
        Ok(BatchView { header, position: 0, bytes })
    }

    /// The records as they are packed.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        &self.bytes[HEADER_BYTES..]
    }

    /// Whether the bytes are those the CRC was computed from.
    #[must_use]
    pub fn checksum_holds(&self) -> bool {
        self.checksum() == self.header.crc
    }

    /// The CRC of the bytes it should cover.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        crc32c::crc32c(&self.bytes[CRC_FROM..])
    }
}

impl Batches<'_> {
    /// Where the walk stands; final once `next` gave `None`.
    #[must_use]
    pub fn ended(&self) -> Ended {
        Ended { position: self.position, error: self.error }
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = BatchView<'a>;

    fn next(&mut self) -> Option<BatchView<'a>> {
        if self.error.is_some() || self.position == self.bytes.len() {
            return None;
        }
        match BatchView::parse(&self.bytes[self.position..]) {
            Ok(view) => {
                let position = self.position;
                self.position += view.bytes.len();
                Some(BatchView { position, ..view })
            }
            Err(error) => {
                self.error = Some(error);
                None
            }
        }
    }
}

impl std::iter::FusedIterator for Batches<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchBuilder, Encoding, NewRecord};

    fn batch(records: usize) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Encoding::NONE);
        for _ in 0..records {
            builder.push(&NewRecord { value: Some(b"value"), ..NewRecord::default() }).expect("fits");
        }
        builder.build().expect("builds")
    }

    #[test]
    fn a_walk_sees_every_batch_and_says_where_a_torn_tail_starts() {
        let whole = [batch(1), batch(3)].concat();
        let torn = [whole.clone(), batch(2)[..70].to_vec()].concat();
        let mut walk = batches(&torn);

        let seen: Vec<_> = walk.by_ref().map(|view| (view.position, view.header.count)).collect();

        assert_eq!(seen, [(0, 1), (batch(1).len(), 3)]);
        let error = BatchError::ShortBatch { held: 70, wanted: batch(2).len() };
        assert_eq!(walk.ended(), Ended { position: whole.len(), error: Some(error) });
    }

    #[test]
    fn a_whole_range_ends_without_an_error() {
        let whole = batch(1);
        let mut walk = batches(&whole);

        assert!(walk.by_ref().all(|view| view.checksum_holds()));

        assert_eq!(walk.ended(), Ended { position: whole.len(), error: None });
    }

    #[test]
    fn every_flipped_bit_under_the_checksum_is_noticed() {
        let whole = batch(2);
        for bit in CRC_FROM * 8..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let held = BatchView::parse(&bytes).is_ok_and(|view| view.checksum_holds());
            assert!(!held, "bit {bit}");
        }
    }
}
