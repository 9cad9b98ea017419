//! The data directory that a restored node starts from.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use aquifer_disk::{Disk, DiskError};
use aquifer_hotlog::format::{Layout, Mark, MarksFile, Meta, PartitionMark, SegmentName, Suffix};
use aquifer_metadata::State;
use aquifer_record::{BatchBuilder, BuildError, Encoding, NewRecord};
use aquifer_types::{BatchEpoch, Offset, TimestampMs, TopicPartition};

use crate::error::RestoreError;

/// Records of one batch, and about how many bytes of them.
const BATCH_RECORDS_MAX: i32 = 10_000;
const BATCH_BYTES_MAX: usize = 512 << 10;

/// Records that a partition's log begins with.
pub(crate) type Seeds = BTreeMap<TopicPartition, Vec<(Vec<u8>, Vec<u8>)>>;

/// Refuses a directory that holds anything.
pub(crate) fn check_empty(disk: &dyn Disk, root: &Path) -> Result<(), RestoreError> {
    match disk.list(root) {
        Ok(entries) if entries.iter().all(|entry| entry.name == "lost+found") => Ok(()),
        Ok(_) => Err(RestoreError::NotEmpty(root.to_owned())),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Writes everything but the ids, without which no node starts in it. Waits for the disk.
pub(crate) fn prepare(
    disk: &Arc<dyn Disk>,
    layout: &Layout,
    meta: &Meta,
    state: &State,
    seeds: &Seeds,
    now: TimestampMs,
) -> Result<(), RestoreError> {
    disk.create_dir(layout.root())?;
    for above in layout.root().ancestors().skip(1) {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        match disk.sync_dir(above) {
            // Nobody creates anything in a directory that may not even be opened: it was there before.
            Err(error) if error.source.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    let mut marks = MarksFile::default();
    for (at, records) in seeds.iter().filter(|(_, records)| !records.is_empty()) {
        let epoch = state.image().partition(*at).map_or(0, |partition| partition.leader_epoch().0);
        let start = state.image().tier(*at).map_or(Offset::ZERO, |tier| tier.end());
        let log = log_of(start, records, BatchEpoch(epoch), now);
        let (log, end) = log.map_err(|error| RestoreError::Offsets(*at, error))?;
        disk.create_dir(&layout.partition(*at))?;
        let segment = SegmentName { base: start, generation: 0 };
        disk.replace(&layout.segment(*at, segment, Suffix::Log), &log)?;
        disk.sync_dir(&layout.topic(at.topic))?;
        let mark = Mark { segment, position: log.len() as u64, end };
        marks.partitions.push(PartitionMark { id: *at, log_start: start, mark });
    }
    if !marks.partitions.is_empty() {
        disk.create_dir(&layout.partitions())?;
        disk.sync_dir(&layout.partitions())?;
        disk.replace(&layout.marks(), &marks.encode())?;
    }
    aquifer_quorum::plant(disk.clone(), layout.raft(), meta.node, state)?;
    disk.sync_dir(layout.root())?;
    Ok(())
}

/// From now on the directory is a node's.
pub(crate) fn settle(disk: &dyn Disk, layout: &Layout, meta: &Meta) -> Result<(), DiskError> {
    disk.replace(&layout.meta(), &meta.encode())
}

/// The bytes of a segment that holds the records from an offset on, and where it ends.
fn log_of(
    start: Offset,
    records: &[(Vec<u8>, Vec<u8>)],
    epoch: BatchEpoch,
    now: TimestampMs,
) -> Result<(Vec<u8>, Offset), BuildError> {
    let mut log = Vec::new();
    let mut next = start;
    let mut records = records.iter().peekable();
    while records.peek().is_some() {
        let mut builder = BatchBuilder::new(Encoding::NONE);
        builder.base_offset(next).epoch(epoch);
        while builder.count() < BATCH_RECORDS_MAX
            && builder.unpacked_bytes() < BATCH_BYTES_MAX
            && let Some((key, value)) = records.next()
        {
            let (key, value) = (Some(key.as_slice()), Some(value.as_slice()));
            builder.push(&NewRecord { timestamp: now, key, value, ..NewRecord::default() })?;
        }
        next = next.plus(i64::from(builder.count()));
        log.extend(builder.build()?);
    }
    Ok((log, next))
}

#[cfg(test)]
mod tests {
    use aquifer_record::{batches, decode};

    use super::*;

    #[test]
    fn seeds_are_batches_that_follow_each_other() {
        let number = |number: usize| number.to_be_bytes().to_vec();
        let records: Vec<_> = (0..25_000).map(|at| (number(at), number(at + 1))).collect();

        let (log, end) = log_of(Offset(40), &records, BatchEpoch(3), TimestampMs(7)).expect("small");

        let mut found = Vec::new();
        let mut next = Offset(40);
        for batch in batches(&log) {
            assert!(batch.checksum_holds());
            assert_eq!((batch.header.base_offset, batch.header.epoch), (next, BatchEpoch(3)));
            next = batch.header.end();
            let mut unpacked = Vec::new();
            let decoded = decode(&batch.header, batch.body(), 1 << 20, &mut unpacked).expect("ours");
            found.extend(decoded.map(|record| {
                let record = record.expect("ours");
                (record.key.expect("a key").to_vec(), record.value.expect("a value").to_vec())
            }));
        }
        assert_eq!((found, end), (records, next));
    }
}
