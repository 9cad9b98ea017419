//! `Ahead`: sees to it that file ranges are in memory before the reactor sends them.

use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use aquifer_disk::{File, FileHandle};
use aquifer_runtime::Runtime;

use crate::load::Load;
use crate::metrics::NetMetrics;
use crate::sys;

/// What is asked for at once whether it is in memory.
const PROBED_BYTES: u64 = 1 << 20;
/// How far beyond a reply's range is read for a sequential reader.
const BEYOND_BYTES: u64 = 4 << 20;
/// Files of one connection whose readers are remembered.
const FILES_MAX: usize = 4;

/// What one connection's replies wait for on disk.
pub(crate) struct Ahead {
    runtime: Runtime,
    metrics: Arc<NetMetrics>,
    /// Those that met a cold range; the latest last.
    readers: Vec<Reader>,
}

/// A connection's way through one file.
struct Reader {
    file: Weak<dyn File>,
    /// A range began where the last one ended, so more of the file will be wanted.
    sequential: bool,
    /// Where the last range sent from it ended.
    sent_upto: u64,
    load: Arc<Load>,
}

impl Ahead {
    pub(crate) fn new(runtime: Runtime, metrics: Arc<NetMetrics>) -> Ahead {
        Ahead { runtime, metrics, readers: Vec::new() }
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn metrics(&self) -> &NetMetrics {
        &self.metrics
    }

    /// Ready with a position up to which the range can be sent without waiting for the disk.
    pub(crate) fn poll_resident(
        &mut self,
        context: &mut Context<'_>,
        file: &FileHandle,
        at: u64,
        end: u64,
    ) -> Poll<u64> {
        let known = self.readers.iter().position(|reader| reader.is_of(file));
        let probed = end.min(at.saturating_add(PROBED_BYTES));
        let Some(known) = known else {
            if is_resident(file, at, probed) {
                return Poll::Ready(probed);
            }
            return self.start(context, file, at, end, false);
        };
        let reader = &mut self.readers[known];
        reader.sequential |= reader.sent_upto == at;
        let sequential = reader.sequential;
        let loaded = reader.load.poll_loaded(context, at);
        if loaded.is_pending() {
            return Poll::Pending;
        }
        if loaded == Poll::Ready(u64::MAX) {
            // Loading failed: whoever sends the range meets the same error, and closes the connection.
            return Poll::Ready(probed);
        }
        // What was loaded may have left memory again, and what was not loaded may be there all the same.
        let upto = match loaded {
            Poll::Ready(loaded) if loaded > at => loaded.min(probed),
            _ => probed,
        };
        if is_resident(file, at, upto) {
            reader.load.go_on(&self.runtime, file, reader.limit(end));
            return Poll::Ready(upto);
        }
        self.readers.remove(known);
        self.start(context, file, at, end, sequential)
    }

    /// Notes that a range was sent to its end.
    pub(crate) fn sent(&mut self, file: &FileHandle, end: u64) {
        if let Some(reader) = self.readers.iter_mut().find(|reader| reader.is_of(file)) {
            reader.sent_upto = end;
        }
    }

    fn start(
        &mut self,
        context: &mut Context<'_>,
        file: &FileHandle,
        at: u64,
        end: u64,
        sequential: bool,
    ) -> Poll<u64> {
        self.metrics.cold_reads.add(1);
        if self.readers.len() == FILES_MAX {
            self.readers.remove(0);
        }
        let load = Load::new(at);
        let reader =
            Reader { file: Arc::downgrade(file), sequential, sent_upto: u64::MAX, load: Arc::clone(&load) };
        load.go_on(&self.runtime, file, reader.limit(end));
        self.readers.push(reader);
        load.poll_loaded(context, at).map(|upto| upto.clamp(at, end))
    }
}

impl Reader {
    fn is_of(&self, file: &FileHandle) -> bool {
        std::ptr::addr_eq(self.file.as_ptr(), Arc::as_ptr(file))
    }

    fn limit(&self, end: u64) -> u64 {
        if self.sequential { end.saturating_add(BEYOND_BYTES) } else { end }
    }
}

/// Whether the range can be sent without waiting. Pages that are still being read count as cached, so the last byte is
/// asked for as well: reads finish in order.
fn is_resident(file: &FileHandle, at: u64, upto: u64) -> bool {
    if upto <= at {
        return true;
    }
    if !file.is_resident(at, upto - at) {
        return false;
    }
    let Some(descriptor) = file.descriptor() else { return true };
    let waits = |error: std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
    !sys::read_now(descriptor, upto - 1, &mut Vec::with_capacity(1), 1).is_err_and(waits)
}
