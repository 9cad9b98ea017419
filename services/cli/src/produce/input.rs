//! Blocks of whole lines from a file or standard input, read by a thread of their own so that reading can be broken off.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use aquifer_runtime::{Runtime, Task};
use tokio::sync::mpsc;

const READ_BYTES: usize = 256 * 1024;
/// A line longer than this is no record that any broker takes.
const LINE_BYTES_MAX: usize = 128 * 1024 * 1024;
const BLOCKS_AHEAD: usize = 4;

/// Lines as they come.
pub(super) struct Blocks {
    receiver: mpsc::Receiver<io::Result<Vec<u8>>>,
    _reader: Task<()>,
    /// Bytes in all, where the input has an end that is known.
    pub(super) total: Option<u64>,
}

impl Blocks {
    pub(super) fn of(runtime: &Runtime, file: Option<&Path>) -> io::Result<Blocks> {
        let (source, total): (Box<dyn Read + Send>, Option<u64>) = match file {
            Some(path) if path.as_os_str() != "-" => {
                let file = File::open(path)?;
                let metadata = file.metadata()?;
                (Box::new(file), metadata.is_file().then_some(metadata.len()))
            }
            _ => (Box::new(io::stdin()), None),
        };
        let (sender, receiver) = mpsc::channel(BLOCKS_AHEAD);
        let reader = runtime.spawn_blocking("input", move || read(source, &sender));
        Ok(Blocks { receiver, _reader: reader, total })
    }

    /// The next whole lines, each with its end except perhaps the very last.
    pub(super) async fn next(&mut self) -> Option<io::Result<Vec<u8>>> {
        self.receiver.recv().await
    }
}

/// Sends lines as soon as they are whole, until there are no more or nobody wants them.
fn read(mut source: Box<dyn Read + Send>, sender: &mpsc::Sender<io::Result<Vec<u8>>>) {
    let mut held: Vec<u8> = Vec::new();
    loop {
        let at = held.len();
        held.resize(at + READ_BYTES, 0);
        let count = match source.read(&mut held[at..]) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => {
                let _ = sender.blocking_send(Err(error));
                return;
            }
        };
        held.truncate(at + count);
        if count == 0 {
            if !held.is_empty() {
                let _ = sender.blocking_send(Ok(held));
            }
            return;
        }
        let Some(last) = held[at..].iter().rposition(|byte| *byte == b'\n') else {
            if held.len() > LINE_BYTES_MAX {
                let error = io::Error::new(io::ErrorKind::InvalidData, "a line is longer than 128 MiB");
                let _ = sender.blocking_send(Err(error));
                return;
            }
            continue;
        };
        let rest = held.split_off(at + last + 1);
        let block = std::mem::replace(&mut held, rest);
        if sender.blocking_send(Ok(block)).is_err() {
            return;
        }
    }
}

/// The lines of a block without their ends.
pub(super) fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let body = block.strip_suffix(b"\n").unwrap_or(block);
    body.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// Gives its pieces one read at a time.
    struct Pieces(VecDeque<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let Some(piece) = self.0.pop_front() else { return Ok(0) };
            room[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    proptest! {
        #[test]
        fn lines_come_whole_however_they_are_read(
            text in "[ab\r\n]{0,40}",
            cuts in prop::collection::vec(1usize..6, 0..40),
        ) {
            let mut rest = text.as_bytes();
            let mut pieces = VecDeque::new();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                if !piece.is_empty() {
                    pieces.push_back(piece.to_vec());
                }
                rest = after;
            }
            if !rest.is_empty() {
                pieces.push_back(rest.to_vec());
            }
            let (sender, mut receiver) = mpsc::channel(1_000);

            read(Box::new(Pieces(pieces)), &sender);
            drop(sender);
            let mut seen: Vec<Vec<u8>> = Vec::new();
            while let Ok(block) = receiver.try_recv() {
                seen.extend(lines(&block.expect("readable")).map(<[u8]>::to_vec));
            }

            let body = text.strip_suffix('\n').unwrap_or(&text);
            let expected: Vec<Vec<u8>> = match text.is_empty() {
                true => Vec::new(),
                false => body.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line).into()).collect(),
            };
            prop_assert_eq!(seen, expected);
        }
    }
}
