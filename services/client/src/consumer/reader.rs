//! `RecordReader`: a chunk's records, borrowed from the frame where they are not compressed.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use aquifer_record::{BatchHeader, BatchView, CodecError, Record, RecordError, batches, decode};
use aquifer_types::{Offset, ProducerId};

use super::chunk::Chunk;
use crate::fetch::Fetched;

const UNPACKED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A control record's key: its version, then its kind, of which 0 ends a transaction that does not count.
const ABORT_MARKER: [u8; 2] = [0, 0];

/// Reads chunks, one after another, with memory that it keeps for what has to be unpacked.
#[derive(Debug)]
pub struct RecordReader {
    scratch: Vec<u8>,
    unpacked_bytes_max: usize,
}

/// How far what a fetch brought was read, batch by batch.
#[derive(Clone, Debug, Default)]
pub struct ReadUpto {
    position: usize,
    /// So many of the aborted transactions have begun.
    begun: usize,
    /// Whose transactions are known to have been given up, as the batches go by.
    open: BTreeSet<ProducerId>,
}

/// A batch cannot be read, so nothing behind it in its chunk was.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the checksum of the batch at offset {0} does not hold")]
    Checksum(Offset),
    #[error("unpack the batch at offset {at}")]
    Unpack { at: Offset, source: CodecError },
    #[error("read the records of the batch at offset {at}")]
    Records { at: Offset, source: RecordError },
}

impl ReadError {
    /// The first offset of the batch that cannot be read.
    #[must_use]
    pub fn offset(&self) -> Offset {
        match self {
            ReadError::Checksum(at) | ReadError::Unpack { at, .. } | ReadError::Records { at, .. } => *at,
        }
    }
}

impl Default for RecordReader {
    fn default() -> RecordReader {
        RecordReader { scratch: Vec::new(), unpacked_bytes_max: UNPACKED_BYTES_MAX }
    }
}

impl RecordReader {
    /// Hands `visit` every record that is wanted, in order, until it breaks off. Control records, records of aborted
    /// transactions and those before the chunk's first wanted offset are not among them.
    pub fn read<B>(
        &mut self,
        chunk: &Chunk,
        visit: impl FnMut(&Record<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, ReadError> {
        self.read_stored(&chunk.records, &chunk.aborted, chunk.from, visit)
    }

    /// The same for what a fetch brought, from `from` on.
    pub fn read_fetched<B>(
        &mut self,
        fetched: &Fetched,
        from: Offset,
        visit: impl FnMut(&Record<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, ReadError> {
        self.read_stored(&fetched.records, &fetched.aborted, from, visit)
    }

    /// Whether a consumer sees any record of what a fetch brought, from `from` on. What cannot be read is for whoever reads
    /// it to tell.
    pub fn shows_any(&mut self, fetched: &Fetched, from: Offset) -> bool {
        let Some(first) = batches(&fetched.records).find(|batch| batch.header.end() > from) else {
            return false;
        };
        let BatchHeader { attributes, count, last_offset_delta, .. } = first.header;
        let is_plain = !attributes.is_transactional() && !attributes.is_control();
        // Its header tells where every offset has its record; else the records must be looked at.
        if is_plain && count == last_offset_delta.saturating_add(1) {
            return true;
        }
        self.read_fetched(fetched, from, |_| ControlFlow::Break(())).map_or(true, |flow| flow.is_break())
    }

    /// Hands `visit` what is wanted of the next batch of what a fetch brought. `None` behind the last one.
    pub fn read_next<B>(
        &mut self,
        fetched: &Fetched,
        from: Offset,
        upto: &mut ReadUpto,
        mut visit: impl FnMut(&Record<'_>) -> ControlFlow<B>,
    ) -> Result<Option<ControlFlow<B>>, ReadError> {
        self.next_batch((&fetched.records, &fetched.aborted), from, upto, &mut visit)
    }

    fn read_stored<B>(
        &mut self,
        stored: &[u8],
        aborted: &[(ProducerId, Offset)],
        from: Offset,
        mut visit: impl FnMut(&Record<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, ReadError> {
        let mut upto = ReadUpto::default();
        while let Some(flow) = self.next_batch((stored, aborted), from, &mut upto, &mut visit)? {
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn next_batch<B>(
        &mut self,
        (stored, aborted): (&[u8], &[(ProducerId, Offset)]),
        from: Offset,
        upto: &mut ReadUpto,
        visit: &mut impl FnMut(&Record<'_>) -> ControlFlow<B>,
    ) -> Result<Option<ControlFlow<B>>, ReadError> {
        let left = stored.get(upto.position..).unwrap_or_default();
        let Some(batch) = batches(left).next() else { return Ok(None) };
        upto.position += batch.bytes.len();
        if batch.header.end() <= from {
            return Ok(Some(ControlFlow::Continue(())));
        }
        if !batch.checksum_holds() {
            return Err(ReadError::Checksum(batch.header.base_offset));
        }
        let counts = upto.counts(aborted, &batch.header);
        if batch.header.attributes.is_control() {
            upto.end(&batch, &mut self.scratch);
        } else if counts {
            return self.read_batch(&batch, from, visit).map(Some);
        }
        Ok(Some(ControlFlow::Continue(())))
    }

    fn read_batch<B>(
        &mut self,
        batch: &BatchView<'_>,
        from: Offset,
        visit: &mut impl FnMut(&Record<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, ReadError> {
        let at = batch.header.base_offset;
        let records = decode(&batch.header, batch.body(), self.unpacked_bytes_max, &mut self.scratch);
        for record in records.map_err(|source| ReadError::Unpack { at, source })? {
            let record = record.map_err(|source| ReadError::Records { at, source })?;
            if record.offset < from {
                continue;
            }
            if let ControlFlow::Break(broken) = visit(&record) {
                return Ok(ControlFlow::Break(broken));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl ReadUpto {
    /// Whether a batch's records count.
    fn counts(&mut self, aborted: &[(ProducerId, Offset)], header: &BatchHeader) -> bool {
        while let Some((producer, first)) = aborted.get(self.begun) {
            if *first >= header.end() {
                break;
            }
            self.open.insert(*producer);
            self.begun += 1;
        }
        !(header.attributes.is_transactional() && self.open.contains(&header.producer_id))
    }

    /// Takes in a control batch: an abort marker ends its producer's transaction.
    fn end(&mut self, batch: &BatchView<'_>, scratch: &mut Vec<u8>) {
        let records = decode(&batch.header, batch.body(), UNPACKED_BYTES_MAX, scratch);
        let mut records = records.into_iter().flatten();
        let key = records.next().and_then(Result::ok).and_then(|record| record.key);
        if key.is_some_and(|key| key.get(2..4) == Some(&ABORT_MARKER)) {
            self.open.remove(&batch.header.producer_id);
        }
    }
}
