//! What replicas ask of a directory, and what they are told.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use aquifer_record::HEADER_BYTES;
use aquifer_types::{BatchEpoch, Offset, TopicPartition};
use bytes::Bytes;

use super::permit::Claim;
use crate::format::SegmentName;
use crate::log::{SealTask, Segment, SegmentFile};

/// Told what became of what was asked. Called without any lock held.
pub trait Sink: Send + Sync {
    fn notice(&self, notice: Notice);
}

/// What happened to a partition's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Everything below is in the page cache of its segments.
    Written { upto: Offset },
    /// Everything below is durable.
    Flushed { upto: Offset },
    /// Nothing from here on was written; the file is cut back to it.
    WriteFailed { from: Offset, full: bool },
    /// The log's start is durable.
    Started { log_start: Offset },
    /// The closed segment's index is in its file.
    Sealed { segment: SegmentName },
    /// A flush failed: the directory takes nothing more, and its cached pages cannot be trusted.
    Offline,
}

/// One partition's door to its directory.
pub struct LogHandle {
    pub id: TopicPartition,
    /// Writes of an attempt below this one follow one that failed: they are void.
    valid_attempt: AtomicU32,
    sink: OnceLock<Weak<dyn Sink>>,
    pub(super) claim: Mutex<Claim>,
}

impl std::fmt::Debug for LogHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogHandle({})", self.id)
    }
}

impl LogHandle {
    #[must_use]
    pub fn new(id: TopicPartition) -> Arc<LogHandle> {
        Arc::new(LogHandle {
            id,
            valid_attempt: AtomicU32::new(0),
            sink: OnceLock::new(),
            claim: Mutex::default(),
        })
    }

    /// Names who is told; once.
    pub fn connect(&self, sink: Weak<dyn Sink>) {
        assert!(self.sink.set(sink).is_ok(), "a log has one replica");
    }

    pub(super) fn tell(&self, notice: Notice) {
        if let Some(sink) = self.sink.get().and_then(Weak::upgrade) {
            sink.notice(notice);
        }
    }

    pub(super) fn is_void(&self, attempt: u32) -> bool {
        attempt < self.valid_attempt.load(Ordering::Acquire)
    }

    pub(super) fn void(&self, attempt: u32) {
        self.valid_attempt.fetch_max(attempt + 1, Ordering::AcqRel);
    }
}

/// A stamped batch on its way to the disk.
#[derive(Clone, Debug)]
pub struct Write {
    pub log: Arc<LogHandle>,
    pub segment: Arc<SegmentFile>,
    pub position: u64,
    /// The stamped header.
    pub header: [u8; HEADER_BYTES],
    /// The rest of the batch, still where it was received.
    pub body: Bytes,
    pub epoch: BatchEpoch,
    pub base: Offset,
    pub end: Offset,
    pub attempt: u32,
    /// Whether it goes through the write-ahead log, or only to the page cache.
    pub durable: bool,
}

impl Write {
    #[must_use]
    pub fn bytes(&self) -> u64 {
        (HEADER_BYTES + self.body.len()) as u64
    }
}

/// What a replica asks for, in order.
#[derive(Clone, Debug)]
pub enum Command {
    Write(Write),
    /// A segment was closed.
    Seal {
        log: Arc<LogHandle>,
        attempt: u32,
        task: Box<SealTask>,
    },
    /// Records below were given up, and with them whole segments, whose files go once the start is durable.
    Start {
        log: Arc<LogHandle>,
        log_start: Offset,
        dropped: Vec<Segment>,
    },
    /// What was only written is to be made durable before anything queued later is.
    Sync {
        log: Arc<LogHandle>,
        upto: Offset,
        segments: Vec<Arc<SegmentFile>>,
    },
    /// The partition was deleted.
    Drop {
        log: Arc<LogHandle>,
    },
}

impl Command {
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Command::Write(write) => write.bytes(),
            _ => 0,
        }
    }
}
