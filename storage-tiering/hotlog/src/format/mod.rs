//! What stands on disk: names, and the files beside the segments. Segments themselves are bare batches.
//!
//! ```text
//! DIR/meta                          cluster, node and directory ids
//! DIR/founding                      the same, until the cluster that they name is made
//! DIR/lock                          held by the process that owns the directory
//! DIR/clean                         written last at shutdown: every partition's segments and ends
//! DIR/marks                         how far each partition's segments are durable, saved before WAL files are reused
//! DIR/wal/NNNN.wal, DIR/wal/floor   the write-ahead log shared by all partitions
//! DIR/raft/                         the quorum's log and snapshots
//! DIR/groups/{topic id}-{partition}  what the groups of a partition of __consumer_offsets came to; can be removed
//! DIR/cold/{generation}-{nonce}-{base}-{position}-{chunk}-{bytes}  chunks of objects of the tier; can be removed
//! DIR/partitions/{topic id}/{partition}/{base:020}-{generation}.log|idx|producers
//! ```

mod checked;
mod clean;
mod index;
mod layout;
mod marks;
mod meta;
mod producers;

pub use checked::FormatError;
pub use clean::{CleanFile, CleanPartition, CleanSegment};
pub use index::{IndexEntry, IndexFile, SegmentSummary, floor_by_offset, floor_by_position, floor_by_time};
pub use layout::{Layout, SegmentName, Suffix};
pub use marks::{Mark, MarksFile, PartitionMark, WalEntry};
pub use meta::Meta;
pub use producers::ProducersFile;
