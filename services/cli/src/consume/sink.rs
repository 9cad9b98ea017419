//! `Sink`: standard output behind a thread of its own, so that a reader who does not read holds up nothing but itself.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;

use aquifer_runtime::{Runtime, Task};
use tokio::sync::{mpsc, oneshot};

const BUFFERS: usize = 4;

/// Takes whole buffers and gives written ones back.
pub(super) struct Sink {
    full: mpsc::Sender<Full>,
    empty: mpsc::Receiver<Vec<u8>>,
    writing: Task<io::Result<()>>,
    /// Whether something was handed on since everything was known to be written.
    is_ahead: bool,
}

enum Full {
    Buffer(Vec<u8>),
    /// Everything before it is written.
    Mark(oneshot::Sender<()>),
}

/// Nobody reads what is written, or it cannot be written.
pub(super) struct SinkClosed;

impl Sink {
    /// Writes to standard output past the standard library's buffer, which looks for lines in everything.
    pub(super) fn start(runtime: &Runtime) -> io::Result<Sink> {
        let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let (full, mut to_write) = mpsc::channel(BUFFERS);
        let (written, empty) = mpsc::channel(BUFFERS);
        let writing = runtime.spawn_blocking("standard output", move || {
            while let Some(full) = to_write.blocking_recv() {
                match full {
                    Full::Buffer(mut buffer) => {
                        output.write_all(&buffer)?;
                        buffer.clear();
                        // One that does not fit is one too many.
                        let _ = written.try_send(buffer);
                    }
                    // Whoever asked may have been interrupted.
                    Full::Mark(passed) => drop(passed.send(())),
                }
            }
            Ok(())
        });
        Ok(Sink { full, empty, writing, is_ahead: false })
    }

    /// Has `buffer` written, and gives an empty one in its place. Whoever breaks it off still has what was in the buffer.
    pub(super) async fn write(&mut self, buffer: &mut Vec<u8>) -> Result<(), SinkClosed> {
        let room = self.full.reserve().await.map_err(|_gone| SinkClosed)?;
        let next = self.empty.try_recv().unwrap_or_default();
        room.send(Full::Buffer(std::mem::replace(buffer, next)));
        self.is_ahead = true;
        Ok(())
    }

    /// Waits until everything that was handed on is written.
    pub(super) async fn settle(&mut self) -> Result<(), SinkClosed> {
        if self.is_ahead {
            let (mark, passed) = oneshot::channel();
            self.full.send(Full::Mark(mark)).await.map_err(|_gone| SinkClosed)?;
            passed.await.map_err(|_gone| SinkClosed)?;
            self.is_ahead = false;
        }
        Ok(())
    }

    /// Waits until everything is written, and ends.
    pub(super) async fn finish(self) -> io::Result<()> {
        drop(self.full);
        self.writing.await.unwrap_or_else(|| Err(io::Error::other("the writing thread ended")))
    }
}
