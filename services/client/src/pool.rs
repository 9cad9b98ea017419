//! `Pool`: buffers for large response frames, used again because memory touched for the first time is dear.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Below this a frame gets an allocation of its own, which malloc hands out from memory it has touched before.
const POOLED_BYTES_MIN: usize = 32 * 1024;

/// How many free buffers are kept; more come only from a caller that holds many frames at once.
const FREE_MAX: usize = 4;

/// Free buffers of one connection. What it keeps is at most [`FREE_MAX`] of the largest frames allowed.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    free: Mutex<Vec<Vec<u8>>>,
}

/// A buffer that returns to its pool when the last view of it is gone.
#[derive(Debug)]
pub(crate) struct Lease {
    buffer: Vec<u8>,
    length: usize,
    pool: Option<Arc<Pool>>,
}

impl Pool {
    /// A buffer for `length` bytes, with whatever it held before.
    pub(crate) fn lease(self: &Arc<Pool>, length: usize) -> Lease {
        if length < POOLED_BYTES_MIN {
            return Lease { buffer: vec![0; length], length, pool: None };
        }
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        // The one that came back last is the likeliest to be in the processor's cache.
        let fitting = free.iter().rposition(|buffer| buffer.len() >= length);
        let buffer = match fitting {
            Some(index) => free.remove(index),
            None => vec![0; length.next_power_of_two()],
        };
        Lease { buffer, length, pool: Some(Arc::clone(self)) }
    }

    fn put_back(&self, buffer: Vec<u8>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < FREE_MAX {
            free.push(buffer);
            return;
        }
        // Keep the larger: frames of one connection tend to have one size, and the smaller ones came first.
        if let Some(smallest) = free.iter_mut().min_by_key(|kept| kept.len())
            && smallest.len() < buffer.len()
        {
            *smallest = buffer;
        }
    }
}

impl Lease {
    pub(crate) fn as_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[..self.length]
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Lease {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.put_back(std::mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_once_its_last_view_is_gone() {
        let pool = Arc::new(Pool::default());
        let frame = pool.lease(100_000).into_bytes();
        let (address, view) = (frame.as_ptr(), frame.slice(10..20));
        drop(frame);

        let meanwhile = pool.lease(100_000);
        drop(view);
        let after = pool.lease(90_000);

        assert_ne!(meanwhile.as_ref().as_ptr(), address);
        assert_eq!(after.as_ref().as_ptr(), address);
        assert_eq!(after.as_ref().len(), 90_000);
    }

    #[test]
    fn the_buffer_that_came_back_last_is_used_first() {
        let pool = Arc::new(Pool::default());
        let leases: Vec<Lease> = (0..3).map(|_| pool.lease(100_000)).collect();
        let addresses: Vec<*const u8> = leases.iter().map(|lease| lease.as_ref().as_ptr()).collect();
        drop(leases);

        let again: Vec<Lease> = (0..3).map(|_| pool.lease(100_000)).collect();

        let order: Vec<*const u8> = again.iter().map(|lease| lease.as_ref().as_ptr()).collect();
        assert_eq!(order, [addresses[2], addresses[1], addresses[0]]);
    }

    #[test]
    fn only_so_many_free_buffers_are_kept_and_the_larger_ones() {
        let pool = Arc::new(Pool::default());
        let leases: Vec<Lease> = (0..10).map(|index| pool.lease(POOLED_BYTES_MIN << (index % 3))).collect();

        drop(leases);

        let mut kept: Vec<usize> = pool.free.lock().expect("no holder panics").iter().map(Vec::len).collect();
        kept.sort_unstable();
        assert_eq!(kept, [64 * 1024, 128 * 1024, 128 * 1024, 128 * 1024]);
    }
}
