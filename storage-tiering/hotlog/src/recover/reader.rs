//! `BatchReader`: whole batches of a segment file, one position after the other.

use std::io;

use aquifer_disk::FileHandle;
use aquifer_record::{BatchError, BatchHeader, BatchView, HEADER_BYTES};

/// A batch is far smaller; what claims to be larger is damage.
const BATCH_BYTES_MAX: usize = 1 << 30;
const READ_BYTES: usize = 1 << 20;

/// What stands at a position is not a whole, undamaged batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoBatch {
    #[error(transparent)]
    Header(#[from] BatchError),
    #[error("batch claims to have {0} bytes")]
    TooLong(usize),
    #[error("batch at offset {0} does not have the checksum it was written with")]
    Checksum(aquifer_types::Offset),
}

/// Reads batches through a buffer.
pub(crate) struct BatchReader<'a> {
    file: &'a FileHandle,
    buffer: Vec<u8>,
    buffered_at: u64,
}

impl<'a> BatchReader<'a> {
    pub(crate) fn new(file: &'a FileHandle) -> BatchReader<'a> {
        BatchReader { file, buffer: Vec::new(), buffered_at: 0 }
    }

    /// The batch at `position`, if a whole one with the right checksum stands there.
    pub(crate) fn batch_at(&mut self, position: u64) -> io::Result<Result<BatchView<'_>, NoBatch>> {
        let header = match BatchHeader::parse(self.bytes_at(position, HEADER_BYTES)?) {
            Ok(header) => header,
            Err(error) => return Ok(Err(error.into())),
        };
        if header.total_bytes() > BATCH_BYTES_MAX {
            return Ok(Err(NoBatch::TooLong(header.total_bytes())));
        }
        Ok(match BatchView::parse(self.bytes_at(position, header.total_bytes())?) {
            Ok(view) if view.checksum_holds() => Ok(view),
            Ok(_) => Err(NoBatch::Checksum(header.base_offset)),
            Err(error) => Err(error.into()),
        })
    }

    /// The bytes from `position` on; fewer than `wanted` where the file ends.
    fn bytes_at(&mut self, position: u64, wanted: usize) -> io::Result<&[u8]> {
        let held = position >= self.buffered_at
            && position + wanted as u64 <= self.buffered_at + self.buffer.len() as u64;
        if !held {
            self.buffer.resize(wanted.max(READ_BYTES), 0);
            let read = self.file.read_at(position, &mut self.buffer)?;
            self.buffer.truncate(read);
            self.buffered_at = position;
        }
        let from = usize::try_from(position - self.buffered_at).expect("within the buffer");
        let rest = &self.buffer[from..];
        Ok(&rest[..wanted.min(rest.len())])
    }
}
