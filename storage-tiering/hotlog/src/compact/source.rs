//! `Source`: reads one segment's batches in chunks of bounded size.

use aquifer_disk::{DiskError, FileHandle};
use aquifer_record::{BatchError, BatchView, HEADER_BYTES, batches};
use aquifer_types::Offset;

use super::cleaning::CleaningError;
use crate::log::{FilePool, Segment};

/// Where reading of a segment stands.
#[derive(Debug)]
pub(super) struct Source {
    file: FileHandle,
    base: Offset,
    position: u64,
    bytes: u64,
}

impl Source {
    pub(super) fn open(files: &FilePool, segment: &Segment) -> Result<Source, DiskError> {
        let file = files.open(&segment.file, false)?;
        Ok(Source { file, base: segment.summary.base, position: 0, bytes: segment.summary.bytes })
    }

    pub(super) fn is_read(&self) -> bool {
        self.position == self.bytes
    }

    /// The next whole batches, about `chunk_bytes` of them but at least one, each with the right checksum.
    pub(super) fn next<'b>(
        &mut self,
        chunk_bytes: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Vec<BatchView<'b>>, CleaningError> {
        self.read(chunk_bytes.max(HEADER_BYTES), buffer)?;
        if let Err(BatchError::ShortBatch { wanted, .. }) = BatchView::parse(buffer) {
            self.read(wanted, buffer)?;
        }
        let mut walk = batches(buffer);
        let found: Vec<BatchView<'b>> = walk.by_ref().collect();
        let whole = found.iter().take_while(|batch| batch.checksum_holds()).count();
        if whole < found.len() || found.is_empty() {
            let position = self.position + found.get(whole).map_or(0, |batch| batch.position as u64);
            return Err(CleaningError::Damaged { segment: self.base, position });
        }
        self.position += walk.ended().position as u64;
        Ok(found)
    }

    fn read(&self, wanted: usize, buffer: &mut Vec<u8>) -> Result<(), CleaningError> {
        let left = self.bytes - self.position;
        buffer.resize(wanted.min(usize::try_from(left).unwrap_or(usize::MAX)), 0);
        Ok(self.file.read_exact_at(self.position, buffer)?)
    }
}
