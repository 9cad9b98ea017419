//! `Pool`: memory for large frames, used again because first-touched memory is expensive.

use std::collections::{BTreeMap, TryReserveError};
use std::sync::{Arc, Mutex, MutexGuard};

/// Buffers are made in steps of this size, so that frames of about one size share them.
const STEP_BYTES: usize = 64 * 1024;

/// Free buffers by their capacity.
#[derive(Debug)]
pub(crate) struct Pool {
    free: Mutex<Free>,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Free {
    by_capacity: BTreeMap<usize, Vec<Vec<u8>>>,
    bytes: usize,
}

impl Pool {
    pub(crate) fn new(bytes_max: usize) -> Arc<Pool> {
        Arc::new(Pool { free: Mutex::default(), bytes_max })
    }

    /// An empty buffer for `bytes`. A fresh one takes address space only: its memory is touched as bytes arrive.
    pub(crate) fn take(&self, bytes: usize) -> Result<Vec<u8>, TryReserveError> {
        if let Some(buffer) = self.lock().take(bytes) {
            return Ok(buffer);
        }
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(bytes.next_multiple_of(STEP_BYTES))?;
        Ok(buffer)
    }

    pub(crate) fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let capacity = buffer.capacity();
        let mut free = self.lock();
        if capacity > 0 && free.bytes + capacity <= self.bytes_max {
            free.bytes += capacity;
            free.by_capacity.entry(capacity).or_default().push(buffer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Free> {
        self.free.lock().expect("nothing panics under this lock")
    }
}

impl Free {
    /// The smallest buffer that is large enough, unless it is more than twice as large.
    fn take(&mut self, bytes: usize) -> Option<Vec<u8>> {
        let (&capacity, buffers) = self.by_capacity.range_mut(bytes..=bytes.saturating_mul(2)).next()?;
        let buffer = buffers.pop()?;
        if buffers.is_empty() {
            self.by_capacity.remove(&capacity);
        }
        self.bytes -= capacity;
        Some(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_given_back_is_used_again_for_what_is_about_its_size() {
        let pool = Pool::new(1 << 20);
        let buffer = pool.take(100_000).expect("memory");
        let (address, capacity) = (buffer.as_ptr(), buffer.capacity());
        pool.give_back(buffer);

        assert_ne!(pool.take(capacity / 2 - 1).expect("memory").as_ptr(), address);
        assert_eq!(pool.take(capacity - 1).expect("memory").as_ptr(), address);
    }

    #[test]
    fn no_more_is_kept_than_allowed() {
        let pool = Pool::new(2 * STEP_BYTES);
        let buffers: Vec<_> = (0..3).map(|_| pool.take(STEP_BYTES).expect("memory")).collect();

        buffers.into_iter().for_each(|buffer| pool.give_back(buffer));

        assert_eq!(pool.lock().bytes, 2 * STEP_BYTES);
    }
}
