//! `Ahead`: sees to it that file ranges are in memory before the reactor sends them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use aquifer_disk::{File, FileHandle};
use aquifer_runtime::{Runtime, Task};

use crate::metrics::NetMetrics;
use crate::sys;

/// What is looked at and read at once.
const WINDOW_BYTES: u64 = 1 << 20;
/// Windows of one file being read at the same time: one is sent while the next comes.
const WINDOWS_MAX: usize = 2;
/// How far beyond a reply's range a sequential reader is read for.
const BEYOND_BYTES: u64 = 2 << 20;
/// Files of one connection whose readers are remembered.
const FILES_MAX: usize = 4;
/// One read of a background thread.
const STEP_BYTES: usize = 128 * 1024;

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
    /// Up to here reading was started.
    started_upto: u64,
    windows: VecDeque<Window>,
}

struct Window {
    from: u64,
    upto: u64,
    read: Task<()>,
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
        if let Some(known) = known {
            let reader = &mut self.readers[known];
            reader.sequential |= reader.sent_upto == at;
            if let Some(upto) = ready!(reader.poll_window(context, at)) {
                reader.start(&self.runtime, file, end);
                return Poll::Ready(upto.min(end));
            }
        }
        let upto = end.min(at.saturating_add(WINDOW_BYTES));
        if is_resident(file, at, upto) {
            if let Some(known) = known {
                self.readers[known].start(&self.runtime, file, end);
            }
            return Poll::Ready(upto);
        }
        self.metrics.cold_reads.add(1);
        let mut reader = Reader { started_upto: at, ..self.forget(known, file) };
        reader.windows.clear();
        reader.start(&self.runtime, file, end);
        let polled = reader.poll_window(context, at);
        self.readers.push(reader);
        // Without a window it came into memory in the meantime.
        Poll::Ready(ready!(polled).unwrap_or(upto).min(end))
    }

    /// Notes that a range was sent to its end.
    pub(crate) fn sent(&mut self, file: &FileHandle, end: u64) {
        if let Some(reader) = self.readers.iter_mut().find(|reader| reader.is_of(file)) {
            reader.sent_upto = end;
        }
    }

    /// Takes the file's reader out, or makes one; in any case there is room for one then.
    fn forget(&mut self, known: Option<usize>, file: &FileHandle) -> Reader {
        if let Some(known) = known {
            return self.readers.remove(known);
        }
        if self.readers.len() == FILES_MAX {
            self.readers.remove(0);
        }
        Reader {
            file: Arc::downgrade(file),
            sequential: false,
            sent_upto: u64::MAX,
            started_upto: 0,
            windows: VecDeque::new(),
        }
    }
}

impl Reader {
    fn is_of(&self, file: &FileHandle) -> bool {
        std::ptr::addr_eq(self.file.as_ptr(), Arc::as_ptr(file))
    }

    /// Waits for the window that holds `at`, if one is being read. A failed read is found out when the range is sent.
    fn poll_window(&mut self, context: &mut Context<'_>, at: u64) -> Poll<Option<u64>> {
        while self.windows.pop_front_if(|window| window.upto <= at).is_some() {}
        let Some(window) = self.windows.front_mut().filter(|window| window.from <= at) else {
            return Poll::Ready(None);
        };
        ready!(Pin::new(&mut window.read).poll(context));
        let upto = window.upto;
        self.windows.pop_front();
        Poll::Ready(Some(upto))
    }

    /// Keeps windows being read up to the range's end, and for a sequential reader beyond it.
    fn start(&mut self, runtime: &Runtime, file: &FileHandle, end: u64) {
        let limit = if self.sequential { end.saturating_add(BEYOND_BYTES) } else { end };
        while self.windows.len() < WINDOWS_MAX && self.started_upto < limit {
            let from = self.started_upto;
            let upto = limit.min(from.saturating_add(WINDOW_BYTES));
            self.started_upto = upto;
            if is_resident(file, from, upto) {
                continue;
            }
            let file = Arc::clone(file);
            let read = runtime.spawn_blocking("read ahead", move || load(&file, from, upto));
            self.windows.push_back(Window { from, upto, read });
        }
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

/// Reads a range into the page cache; on a thread that may wait.
fn load(file: &FileHandle, from: u64, upto: u64) {
    if let Some(descriptor) = file.descriptor() {
        sys::will_need(descriptor, from, upto - from);
    }
    let mut step = vec![0; STEP_BYTES];
    let mut at = from;
    while at < upto {
        let bytes = usize::try_from(upto - at).unwrap_or(STEP_BYTES).min(STEP_BYTES);
        match file.read_at(at, &mut step[..bytes]) {
            Ok(read) if read == bytes => at += read as u64,
            // The end of the file, or an error that sending will meet too.
            _ => return,
        }
    }
}
