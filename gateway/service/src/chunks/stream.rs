//! `ChunkStream`: a chunk's bytes on their way, a few pieces ahead of whoever reads them and no more.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aquifer_types::Offset;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::layout::{Layout, Learning};
use super::open::Chunk;
use crate::gateway::Gateway;
use crate::refusal::{Code, Refusal};
use crate::room::Claim;

/// What one fetch brings, if no batch is larger.
const PIECE_BYTES: i32 = 1024 * 1024;
/// A reader that takes nothing for so long is given up.
const STALLED: Duration = Duration::from_secs(60);

/// What comes of a chunk.
pub enum ChunkFrame {
    /// Bytes with the room that they have.
    Piece(Bytes, Claim),
    /// SHA-256 of everything, once that has come.
    Digest([u8; 32]),
}

/// Which bytes of a chunk.
#[derive(Clone, Debug)]
pub enum Wanted {
    All {
        /// Whether the digest is to follow.
        with_digest: bool,
    },
    /// Of a chunk whose layout is known.
    Part { bytes: Range<u64>, layout: Arc<Layout> },
}

/// Frames as they come. Reading ends when this is dropped.
pub struct ChunkStream {
    frames: mpsc::Receiver<Result<ChunkFrame, Refusal>>,
}

impl ChunkStream {
    /// The next frame; after a refusal nothing more.
    pub async fn next(&mut self) -> Option<Result<ChunkFrame, Refusal>> {
        self.frames.recv().await
    }
}

/// Reads a chunk from a batch on, piece by piece.
struct Walk<'a> {
    gateway: &'a Gateway,
    chunk: &'a Chunk,
    next: Offset,
    is_over: bool,
}

struct Piece {
    bytes: Bytes,
    claim: Claim,
    begins: Offset,
}

impl Gateway {
    /// Sends a chunk's bytes.
    pub async fn send_chunk(&self, chunk: Chunk, wanted: Wanted) -> Result<ChunkStream, Refusal> {
        let turn = self.archive().turns.claim(1).await?;
        // One is ready while the next is fetched.
        let (ready, frames) = mpsc::channel(1);
        let gateway = self.clone();
        self.runtime().spawn("chunk", async move {
            if let Err(refusal) = gateway.send_frames(&chunk, wanted, &ready).await {
                tracing::debug!(%refusal, chunk = chunk.tag(), "a chunk broke off");
                // Whoever read it may have gone.
                let _ = ready.send(Err(refusal)).await;
            }
            drop(turn);
        });
        Ok(ChunkStream { frames })
    }

    /// Reads a chunk for its layout with its digest, and remembers that.
    pub async fn measure_chunk(&self, chunk: &Chunk) -> Result<Arc<Layout>, Refusal> {
        if let Some(layout) = chunk.layout.as_ref().filter(|layout| layout.digest.is_some()) {
            return Ok(Arc::clone(layout));
        }
        let _turn = self.archive().turns.claim(1).await?;
        let mut learning = Learning::new(true);
        let mut walk = Walk::of(self, chunk, chunk.span.start);
        while let Some(piece) = walk.next().await? {
            learning.add(piece.begins, &piece.bytes);
        }
        Ok(self.archive().layouts.put(chunk.key(), learning.finish()))
    }

    async fn send_frames(
        &self,
        chunk: &Chunk,
        wanted: Wanted,
        ready: &mpsc::Sender<Result<ChunkFrame, Refusal>>,
    ) -> Result<(), Refusal> {
        let send = async |frame| {
            let sent = self.runtime().timeout(STALLED, ready.send(Ok(frame))).await;
            sent.is_some_and(|sent| sent.is_ok())
        };
        match wanted {
            Wanted::All { with_digest } => {
                let mut learning = Learning::new(with_digest);
                let mut walk = Walk::of(self, chunk, chunk.span.start);
                while let Some(Piece { bytes, claim, begins }) = walk.next().await? {
                    learning.add(begins, &bytes);
                    if !send(ChunkFrame::Piece(bytes, claim)).await {
                        return Ok(());
                    }
                }
                let layout = learning.finish();
                if let Some(digest) = layout.digest {
                    send(ChunkFrame::Digest(digest)).await;
                }
                self.archive().layouts.put(chunk.key(), layout);
            }
            Wanted::Part { bytes: range, layout } => {
                let Some(mark) = layout.mark_before(range.start) else { return Ok(()) };
                let mut walk = Walk::of(self, chunk, mark.offset);
                let mut position = mark.position;
                while position < range.end {
                    let Some(Piece { bytes, claim, .. }) = walk.next().await? else { break };
                    let wanted = within(&range, position, bytes.len());
                    position += bytes.len() as u64;
                    if !wanted.is_empty() && !send(ChunkFrame::Piece(bytes.slice(wanted), claim)).await {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Which of `length` bytes that begin at a position are in a range.
fn within(range: &Range<u64>, position: u64, length: usize) -> Range<usize> {
    let clip = |bound: u64| usize::try_from(bound.saturating_sub(position)).unwrap_or(usize::MAX).min(length);
    clip(range.start)..clip(range.end)
}

impl<'a> Walk<'a> {
    fn of(gateway: &'a Gateway, chunk: &'a Chunk, next: Offset) -> Walk<'a> {
        Walk { gateway, chunk, next, is_over: false }
    }

    async fn next(&mut self) -> Result<Option<Piece>, Refusal> {
        let archive = self.gateway.archive();
        while !self.is_over {
            let mut claim = self.room().await?;
            let fetched = archive.fetch(&self.chunk.source, self.next, PIECE_BYTES).await?;
            let records = fetched.records;
            let cut = self.chunk.span.cut(&records).filter(|cut| cut.next > self.next).ok_or_else(|| {
                let detail = format!("no batch can be read at offset {}", self.next);
                archive.at(&self.chunk.source, Refusal::new(Code::Corrupt, detail))
            })?;
            let begins = self.next;
            (self.next, self.is_over) = (cut.next, cut.is_last);
            if cut.bytes.is_empty() {
                continue;
            }
            let more = records.len().saturating_sub(claim.bytes());
            claim.add(self.gateway.answers().claim(more).await?);
            return Ok(Some(Piece { bytes: records.slice(cut.bytes), claim, begins }));
        }
        Ok(None)
    }

    /// Room for a piece. What has begun waits longer for it than what has not.
    async fn room(&self) -> Result<Claim, Refusal> {
        let runtime = self.gateway.runtime();
        let until = runtime.now().monotonic.plus(STALLED);
        loop {
            let claimed = self.gateway.answers().claim(PIECE_BYTES as usize).await;
            if claimed.is_ok() || runtime.now().monotonic >= until {
                return claimed;
            }
        }
    }
}

#[cfg(test)]
mod stream_test {
    use super::*;

    #[test]
    fn a_part_begins_and_ends_within_pieces() {
        assert_eq!(within(&(10..20), 0, 10), 10..10);
        assert_eq!(within(&(10..20), 0, 15), 10..15);
        assert_eq!(within(&(10..20), 12, 5), 0..5);
        assert_eq!(within(&(10..20), 15, 100), 0..5);
        assert_eq!(within(&(0..u64::MAX), 5, 7), 0..7);
    }
}
