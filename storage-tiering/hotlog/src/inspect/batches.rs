//! `SegmentWalk`: a segment file's batches, one after the other.

use aquifer_disk::{DiskError, FileHandle, OpenMode};
use aquifer_record::BatchHeader;
use aquifer_types::TopicPartition;

use super::directory::Inspection;
use crate::format::{SegmentName, Suffix};
use crate::recover::{BatchReader, NoBatch};

/// A whole, undamaged batch.
#[derive(Clone, Copy, Debug)]
pub struct BatchPlace<'a> {
    pub position: u64,
    pub header: BatchHeader,
    /// Its records, as they are packed.
    pub body: &'a [u8],
}

/// Where a walk came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentWalk {
    /// Bytes of the whole batches from the start on.
    pub valid_bytes: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// What stands behind the valid bytes, if anything does.
    pub ended: Option<NoBatch>,
}

impl Inspection<'_> {
    /// Shows `visit` every batch of a segment until it has seen enough, answering false.
    pub fn walk(
        &self,
        id: TopicPartition,
        segment: SegmentName,
        visit: &mut dyn FnMut(BatchPlace<'_>) -> bool,
    ) -> Result<SegmentWalk, DiskError> {
        let path = self.layout.segment(id, segment, Suffix::Log);
        let file: FileHandle = self.disk.open(&path, OpenMode::Read)?;
        let failed = |source| DiskError { attempted: "read", path: path.clone(), source };
        let bytes = file.size().map_err(failed)?;
        let mut reader = BatchReader::new(&file);
        let mut walk = SegmentWalk { valid_bytes: 0, bytes, ended: None };
        while walk.valid_bytes < bytes {
            match reader.batch_at(walk.valid_bytes).map_err(failed)? {
                Ok(batch) => {
                    let position = walk.valid_bytes;
                    walk.valid_bytes += batch.bytes.len() as u64;
                    if !visit(BatchPlace { position, header: batch.header, body: batch.body() }) {
                        break;
                    }
                }
                Err(none) => {
                    walk.ended = Some(none);
                    break;
                }
            }
        }
        Ok(walk)
    }
}
