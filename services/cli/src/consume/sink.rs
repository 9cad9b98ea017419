//! `Sink`: standard output behind a thread of its own, so that a reader who does not read holds up nothing but itself.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;

use aquifer_runtime::{Runtime, Task};
use tokio::sync::mpsc;

const BUFFERS: usize = 4;

/// Takes whole buffers and gives written ones back.
pub(super) struct Sink {
    full: mpsc::Sender<Vec<u8>>,
    empty: mpsc::Receiver<Vec<u8>>,
    writing: Task<io::Result<()>>,
}

/// Nobody reads what is written, or it cannot be written.
pub(super) struct SinkClosed;

impl Sink {
    /// Writes to standard output past the standard library's buffer, which looks for lines in everything.
    pub(super) fn start(runtime: &Runtime) -> io::Result<Sink> {
        let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let (full, mut to_write) = mpsc::channel::<Vec<u8>>(BUFFERS);
        let (written, empty) = mpsc::channel(BUFFERS);
        let writing = runtime.spawn_blocking("standard output", move || {
            while let Some(mut buffer) = to_write.blocking_recv() {
                output.write_all(&buffer)?;
                buffer.clear();
                // One that does not fit is one too many.
                let _ = written.try_send(buffer);
            }
            Ok(())
        });
        Ok(Sink { full, empty, writing })
    }

    /// Has `buffer` written, and gives an empty one in its place.
    pub(super) async fn write(&mut self, buffer: &mut Vec<u8>) -> Result<(), SinkClosed> {
        let next = self.empty.try_recv().unwrap_or_default();
        let full = std::mem::replace(buffer, next);
        self.full.send(full).await.map_err(|_gone| SinkClosed)
    }

    /// Waits until everything is written.
    pub(super) async fn finish(self) -> io::Result<()> {
        drop(self.full);
        self.writing.await.unwrap_or_else(|| Err(io::Error::other("the writing thread ended")))
    }
}
