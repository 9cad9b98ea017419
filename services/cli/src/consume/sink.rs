//! `Sink`: standard output, behind a thread of its own wherever its reader can hold us up.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileTypeExt as _;

use aquifer_runtime::{Runtime, Task};
use tokio::sync::{mpsc, oneshot};

const BUFFERS: usize = 4;

/// Takes whole buffers and gives written ones back.
pub(super) enum Sink {
    /// A file or `/dev/null`: nobody has to read for a write to end, and waking a thread for each costs more than writing.
    /// A write that failed is told once, at the end.
    Direct { output: File, outcome: io::Result<()> },
    /// A pipe, a terminal, a socket: a reader who does not read holds up nothing but the thread.
    Behind {
        full: mpsc::Sender<Full>,
        empty: mpsc::Receiver<Vec<u8>>,
        writing: Task<io::Result<()>>,
        /// Whether something was handed on since everything was known to be written.
        is_ahead: bool,
    },
}

pub(super) enum Full {
    Buffer(Vec<u8>),
    /// Everything before it is written.
    Mark(oneshot::Sender<()>),
}

/// Nobody reads what is written, or it cannot be written.
pub(super) struct SinkClosed;

impl Sink {
    /// Writes to standard output past the standard library's buffer, which looks for lines in everything.
    pub(super) fn start(runtime: &Runtime) -> io::Result<Sink> {
        let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        if ends_by_itself(&output)? {
            return Ok(Sink::Direct { output, outcome: Ok(()) });
        }
        let (full, to_write) = mpsc::channel(BUFFERS);
        let (written, empty) = mpsc::channel(BUFFERS);
        let writing =
            runtime.spawn_blocking("standard output", move || write_all(output, to_write, &written));
        Ok(Sink::Behind { full, empty, writing, is_ahead: false })
    }

    /// Has `buffer` written, and gives an empty one in its place. Whoever breaks it off still has what was in the buffer.
    pub(super) async fn write(&mut self, buffer: &mut Vec<u8>) -> Result<(), SinkClosed> {
        match self {
            Sink::Direct { output, outcome } => {
                if outcome.is_ok() {
                    *outcome = output.write_all(buffer);
                    buffer.clear();
                }
                // The error is told at the end.
                if outcome.is_ok() { Ok(()) } else { Err(SinkClosed) }
            }
            Sink::Behind { full, empty, is_ahead, .. } => {
                let room = full.reserve().await.map_err(|_gone| SinkClosed)?;
                let next = empty.try_recv().unwrap_or_default();
                room.send(Full::Buffer(std::mem::replace(buffer, next)));
                *is_ahead = true;
                Ok(())
            }
        }
    }

    /// Waits until everything that was handed on is written.
    pub(super) async fn settle(&mut self) -> Result<(), SinkClosed> {
        match self {
            Sink::Behind { full, is_ahead, .. } if *is_ahead => {
                let (mark, passed) = oneshot::channel();
                full.send(Full::Mark(mark)).await.map_err(|_gone| SinkClosed)?;
                passed.await.map_err(|_gone| SinkClosed)?;
                *is_ahead = false;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Waits until everything is written, and ends.
    pub(super) async fn finish(self) -> io::Result<()> {
        match self {
            Sink::Direct { outcome, .. } => outcome,
            Sink::Behind { full, writing, .. } => {
                drop(full);
                writing.await.unwrap_or_else(|| Err(io::Error::other("the writing thread ended")))
            }
        }
    }
}

/// Whether writes end without anybody reading.
fn ends_by_itself(output: &File) -> io::Result<bool> {
    let kind = output.metadata()?.file_type();
    Ok(kind.is_file() || kind.is_char_device() && !output.is_terminal())
}

fn write_all(
    mut output: File,
    mut to_write: mpsc::Receiver<Full>,
    written: &mpsc::Sender<Vec<u8>>,
) -> io::Result<()> {
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
}
