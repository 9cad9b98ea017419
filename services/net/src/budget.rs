//! `Budget`: the frame bytes that may be in flight, over all connections and on each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::task::AtomicWaker;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics::NetMetrics;
use crate::pool::Pool;

/// What all connections share.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    bytes: Arc<Semaphore>,
    bytes_max: usize,
}

/// One connection's part, which wakes it when memory comes back.
#[derive(Debug)]
pub(crate) struct Usage {
    bytes: AtomicUsize,
    bytes_max: usize,
    waker: AtomicWaker,
    metrics: Arc<NetMetrics>,
}

/// Bytes taken from the budget; dropping it gives them back.
#[derive(Debug)]
pub(crate) struct Reservation {
    bytes: usize,
    usage: Arc<Usage>,
    _permit: OwnedSemaphorePermit,
}

/// A reservation that has to wait its turn.
pub(crate) type Waiting = BoxFuture<'static, Reservation>;

/// A frame in memory of its own, which goes back to the pool.
struct Frame {
    buffer: Vec<u8>,
    pool: Arc<Pool>,
    _reservation: Reservation,
}

/// A frame that shares its memory with its neighbours.
struct SharedFrame {
    bytes: Bytes,
    _reservation: Reservation,
}

impl Budget {
    pub(crate) fn new(bytes_max: usize) -> Budget {
        let bytes_max = bytes_max.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Budget { bytes: Arc::new(Semaphore::new(bytes_max)), bytes_max }
    }

    /// Takes `bytes`, at once if nobody waits for them. What is larger than the whole budget takes all of it.
    pub(crate) fn reserve(&self, bytes: usize, usage: &Arc<Usage>) -> Result<Reservation, Waiting> {
        let permits = u32::try_from(bytes.min(self.bytes_max)).unwrap_or(u32::MAX);
        let usage = Arc::clone(usage);
        match Arc::clone(&self.bytes).try_acquire_many_owned(permits) {
            Ok(permit) => Ok(Reservation::new(bytes, usage, permit)),
            Err(_used_up) => {
                let semaphore = Arc::clone(&self.bytes);
                let reservation = async move {
                    let permit = semaphore.acquire_many_owned(permits).await.expect("is never closed");
                    Reservation::new(bytes, usage, permit)
                };
                Err(reservation.boxed())
            }
        }
    }
}

impl Usage {
    pub(crate) fn new(bytes_max: usize, metrics: Arc<NetMetrics>) -> Arc<Usage> {
        Arc::new(Usage { bytes: AtomicUsize::new(0), bytes_max, waker: AtomicWaker::new(), metrics })
    }

    /// Ready while the connection may have more in flight.
    pub(crate) fn poll_free(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_free() {
            return Poll::Ready(());
        }
        self.waker.register(context.waker());
        // Memory may have come back before the waker was there.
        if self.is_free() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn is_free(&self) -> bool {
        self.bytes.load(Ordering::Acquire) < self.bytes_max
    }
}

impl Reservation {
    fn new(bytes: usize, usage: Arc<Usage>, permit: OwnedSemaphorePermit) -> Reservation {
        usage.bytes.fetch_add(bytes, Ordering::AcqRel);
        usage.metrics.in_flight_bytes.add(bytes as u64);
        Reservation { bytes, usage, _permit: permit }
    }

    /// The frame in `buffer`; reservation and buffer go back when its last slice is dropped.
    pub(crate) fn hold(self, buffer: Vec<u8>, pool: Arc<Pool>) -> Bytes {
        Bytes::from_owner(Frame { buffer, pool, _reservation: self })
    }

    /// The same for a frame in shared memory.
    pub(crate) fn hold_shared(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(SharedFrame { bytes, _reservation: self })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.usage.metrics.in_flight_bytes.subtract(self.bytes as u64);
        let before = self.usage.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        if before >= self.usage.bytes_max {
            self.usage.waker.wake();
        }
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.buffer));
    }
}

impl AsRef<[u8]> for SharedFrame {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
