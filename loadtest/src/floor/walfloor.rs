//! Walfloor: the whole flushed path. Receive, checksum, append to the stream's file, copy into a group, one direct
//! write and one fdatasync per group over a file written before, acknowledge.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};

use crate::floor::frames::{ACK_BYTES, receive, run};
use crate::floor::worker::Worker;
use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::scenario::Frames;

const FILE_BYTES: usize = 256 << 20;
const BLOCK_BYTES: usize = 4096;

/// A group takes no more once it holds so much; one larger frame still fits.
const GROUP_BYTES: usize = 4 << 20;

/// Memory that starts at a block, as direct writes need it.
struct Aligned {
    bytes: Vec<u8>,
    start: usize,
    length: usize,
}

/// Frames that are written together, and who waits for them.
struct Group {
    buffer: Aligned,
    waiting: Vec<Arc<TcpStream>>,
}

/// The group that is being filled.
#[derive(Clone)]
struct Filling {
    shared: Arc<(Mutex<State>, Condvar)>,
}

struct State {
    group: Group,
    ended: bool,
}

pub async fn walfloor(harness: &Harness, work: &Frames) -> Result<Measurement> {
    let directory = harness.fresh_directory("walfloor")?;
    let log = prefilled(&directory.join("wal"))?;
    let filling = Filling::new(work.frame_bytes);
    let flusher = {
        let (filling, spare) = (filling.clone(), Group::new(work.frame_bytes));
        Worker::start(&harness.runtime, "floor flusher", move || flush(&filling, &log, spare))?
    };
    let measurement = run(harness, work, |index, stream| {
        let file = File::create(directory.join(index.to_string()))?;
        let filling = filling.clone();
        Worker::start(&harness.runtime, "walfloor", move || serve(stream, file, &filling))
    });
    let measurement = measurement.await?;
    filling.end();
    flusher.join()?;
    std::fs::remove_dir_all(directory)?;
    Ok(measurement)
}

fn prefilled(path: &Path) -> Result<File> {
    let mut file = File::create(path)?;
    let zeros = vec![0; 1 << 20];
    for _ in 0..FILE_BYTES / zeros.len() {
        file.write_all(&zeros)?;
    }
    file.sync_all()?;
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(libc::O_DIRECT);
    options.open(path).context("open the log for direct writes")
}

fn serve(mut stream: TcpStream, mut file: File, filling: &Filling) -> Result<()> {
    let acks = Arc::new(stream.try_clone()?);
    let mut buffer = Vec::new();
    while let Some(frame) = receive(&mut stream, &mut buffer)? {
        std::hint::black_box(crc32c::crc32c(frame));
        file.write_all(frame)?;
        filling.add(frame, &acks);
    }
    Ok(())
}

fn flush(filling: &Filling, log: &File, mut spare: Group) -> Result<()> {
    let mut position = 0;
    while let Some(mut group) = filling.take(spare) {
        let blocks = group.buffer.padded();
        if position + blocks.len() > FILE_BYTES {
            position = 0;
        }
        log.write_all_at(blocks, position as u64)?;
        log.sync_data()?;
        position += blocks.len();
        for stream in group.waiting.drain(..) {
            (&*stream).write_all(&[0; ACK_BYTES])?;
        }
        group.buffer.length = 0;
        spare = group;
    }
    Ok(())
}

impl Filling {
    fn new(frame_bytes: usize) -> Filling {
        let state = State { group: Group::new(frame_bytes), ended: false };
        Filling { shared: Arc::new((Mutex::new(state), Condvar::new())) }
    }

    /// Copies a frame into the group, once it has room.
    fn add(&self, frame: &[u8], acks: &Arc<TcpStream>) {
        let mut state = self.lock();
        while state.group.buffer.length > 0 && state.group.buffer.length + frame.len() > GROUP_BYTES {
            state = self.wait(state);
        }
        state.group.buffer.push(frame);
        state.group.waiting.push(Arc::clone(acks));
        drop(state);
        self.shared.1.notify_all();
    }

    /// The group as soon as it holds anything, replaced by `spare`; `None` after the end.
    fn take(&self, spare: Group) -> Option<Group> {
        let mut state = self.lock();
        while state.group.waiting.is_empty() {
            if state.ended {
                return None;
            }
            state = self.wait(state);
        }
        let group = std::mem::replace(&mut state.group, spare);
        drop(state);
        self.shared.1.notify_all();
        Some(group)
    }

    fn end(&self) {
        self.lock().ended = true;
        self.shared.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.shared.1.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    fn new(frame_bytes: usize) -> Group {
        let length = GROUP_BYTES.max(frame_bytes) + BLOCK_BYTES;
        Group { buffer: Aligned::new(length), waiting: Vec::new() }
    }
}

impl Aligned {
    fn new(length: usize) -> Aligned {
        let bytes = vec![0u8; length + BLOCK_BYTES];
        let start = bytes.as_ptr().align_offset(BLOCK_BYTES);
        Aligned { bytes, start, length: 0 }
    }

    fn push(&mut self, more: &[u8]) {
        let from = self.start + self.length;
        self.bytes[from..from + more.len()].copy_from_slice(more);
        self.length += more.len();
    }

    /// What was pushed, up to the end of its last block.
    fn padded(&self) -> &[u8] {
        let length = self.length.next_multiple_of(BLOCK_BYTES);
        &self.bytes[self.start..self.start + length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_written_from_an_aligned_address_in_whole_blocks() {
        let mut aligned = Aligned::new(3 * BLOCK_BYTES);

        aligned.push(&[1; BLOCK_BYTES]);
        aligned.push(&[2; 10]);

        let padded = aligned.padded();
        assert_eq!(padded.as_ptr().align_offset(BLOCK_BYTES), 0);
        assert_eq!(padded.len(), 2 * BLOCK_BYTES);
        assert_eq!((padded[BLOCK_BYTES - 1], padded[BLOCK_BYTES + 9], padded[BLOCK_BYTES + 10]), (1, 2, 0));
    }
}
