//! Removing files of segments and partitions; what is gone already is as good.

use std::sync::Arc;

use aquifer_disk::DiskError;
use aquifer_types::TopicPartition;

use crate::format::{SegmentName, Suffix};
use crate::log::{FilePool, SegmentFile};

/// The files of segments whose records were given up.
pub(super) fn delete_segments(files: &FilePool, gone: &[Arc<SegmentFile>]) -> Result<(), DiskError> {
    for segment in gone {
        delete_replaced(files, segment)?;
        // What was known of producers at an offset is the same for every generation.
        let snapshot = SegmentName { base: segment.name.base, generation: 0 };
        remove(files, segment.id, snapshot, Suffix::Producers)?;
    }
    Ok(())
}

/// The files of a segment that another stands for.
pub(super) fn delete_replaced(files: &FilePool, segment: &SegmentFile) -> Result<(), DiskError> {
    remove(files, segment.id, segment.name, Suffix::Log)?;
    segment.close();
    remove(files, segment.id, segment.name, Suffix::Index)
}

pub(super) fn delete_partition(files: &FilePool, id: TopicPartition) -> Result<(), DiskError> {
    files.disk().remove_dir_all(&files.layout().partition(id)).or_else(absent)
}

fn remove(files: &FilePool, id: TopicPartition, name: SegmentName, suffix: Suffix) -> Result<(), DiskError> {
    files.disk().remove_file(&files.layout().segment(id, name, suffix)).or_else(absent)
}

fn absent(error: DiskError) -> Result<(), DiskError> {
    if error.is_not_found() { Ok(()) } else { Err(error) }
}
