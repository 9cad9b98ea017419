//! `AlignedBuf`: memory that O_DIRECT accepts.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// What O_DIRECT asks of offsets, lengths and memory, and the unit in which a WAL group is placed.
pub const BLOCK_BYTES: usize = 4096;

/// A growing byte buffer whose start is aligned to `BLOCK_BYTES`, and whose memory is kept when it is cleared.
pub struct AlignedBuf {
    start: NonNull<u8>,
    capacity: usize,
    len: usize,
}

// SAFETY: the buffer owns its memory alone, as a Vec does.
unsafe impl Send for AlignedBuf {}
// SAFETY: shared access only reads.
unsafe impl Sync for AlignedBuf {}

impl std::fmt::Debug for AlignedBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlignedBuf").field("len", &self.len).field("capacity", &self.capacity).finish()
    }
}

impl AlignedBuf {
    /// An empty buffer with room for `capacity` bytes, rounded up to whole blocks.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> AlignedBuf {
        let layout = layout(capacity);
        // Nothing is read beyond `len`, so pages are touched once there is something to put into them.
        // SAFETY: the layout's size is at least one block.
        let start = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        AlignedBuf { start, capacity: layout.size(), len: 0 }
    }

    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    pub fn clear(&mut self) {
        self.len = 0;
    }

    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        // SAFETY: `reserve` made room for `bytes` after `len`, and `bytes` cannot overlap memory that we own alone.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.as_ptr().add(self.len), bytes.len());
        }
        self.len += bytes.len();
    }

    /// Zeroes up to the next whole block.
    pub fn pad_to_block(&mut self) {
        let padded = self.len.next_multiple_of(BLOCK_BYTES);
        self.reserve(padded - self.len);
        // SAFETY: `reserve` made room up to `padded`.
        unsafe {
            self.start.as_ptr().add(self.len).write_bytes(0, padded - self.len);
        }
        self.len = padded;
    }

    fn reserve(&mut self, more: usize) {
        let needed = self.len + more;
        if needed <= self.capacity {
            return;
        }
        let mut grown = AlignedBuf::with_capacity(needed.max(self.capacity * 2));
        grown.extend_from_slice(self);
        *self = grown;
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        // SAFETY: allocated in `with_capacity` with the layout of this capacity.
        unsafe { dealloc(self.start.as_ptr(), layout(self.capacity)) }
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the first `len` bytes are initialised and live as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

fn layout(capacity: usize) -> Layout {
    let bytes = capacity.max(1).next_multiple_of(BLOCK_BYTES);
    Layout::from_size_align(bytes, BLOCK_BYTES).expect("a buffer is far smaller than the address space")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_keeps_its_bytes_and_stays_aligned() {
        let mut buffer = AlignedBuf::with_capacity(1);
        let bytes: Vec<u8> = (0..10_000u32).map(|n| n as u8).collect();

        buffer.extend_from_slice(&bytes);
        buffer.pad_to_block();

        assert_eq!(buffer.as_ptr() as usize % BLOCK_BYTES, 0);
        assert_eq!(buffer.len(), 12_288);
        assert_eq!(&buffer[..10_000], &bytes);
        assert!(buffer[10_000..].iter().all(|byte| *byte == 0));
    }
}
