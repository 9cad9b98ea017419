//! `Inbound`: cuts what a broker sends into frames.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use crate::error::Closed;
use crate::pool::{Lease, Pool};

/// Reads small answers many at a time; large ones go on from here straight into their own buffer.
const SCRATCH_BYTES: usize = 64 * 1024;

/// The size and the correlation id.
const PREFIX_BYTES: usize = 8;

/// A response without its size.
#[derive(Clone, Debug)]
pub struct Frame {
    /// All of it, or its head where only that was asked for.
    pub bytes: Bytes,
    /// How long the whole frame was.
    pub length: usize,
}

/// How much of a response is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Whole,
    /// So many bytes; the others are read and dropped.
    Head(usize),
}

/// The reading half of a connection.
pub(crate) struct Inbound {
    reader: Box<dyn AsyncRead + Send + Unpin>,
    scratch: Box<[u8]>,
    start: usize,
    end: usize,
    body: Option<Body>,
    pool: Arc<Pool>,
    frame_bytes_max: usize,
}

/// A frame of which the size is known.
struct Body {
    kept: Lease,
    seen: usize,
    length: usize,
}

impl Inbound {
    pub(crate) fn new(reader: Box<dyn AsyncRead + Send + Unpin>, frame_bytes_max: usize) -> Inbound {
        Inbound {
            reader,
            scratch: vec![0; SCRATCH_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            body: None,
            pool: Arc::default(),
            frame_bytes_max,
        }
    }

    /// The next frame. `keep` says by correlation id how much of it is wanted.
    pub(crate) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
        mut keep: impl FnMut(i32) -> Result<Keep, Closed>,
    ) -> Poll<Result<Frame, Closed>> {
        loop {
            let Some(mut body) = self.body.take() else {
                match self.begin(&mut keep)? {
                    Some(body) => self.body = Some(body),
                    None => ready!(self.fill(context))?,
                }
                continue;
            };
            self.start += body.take(&self.scratch[self.start..self.end]);
            if body.seen == body.length {
                return Poll::Ready(Ok(Frame { bytes: body.kept.into_bytes(), length: body.length }));
            }
            let read = if body.is_keeping() {
                body.poll_read(&mut self.reader, context)
            } else {
                self.fill(context)
            };
            self.body = Some(body);
            ready!(read)?;
        }
    }

    /// Starts a frame if its size and id are there.
    fn begin(&mut self, keep: &mut impl FnMut(i32) -> Result<Keep, Closed>) -> Result<Option<Body>, Closed> {
        let Some(prefix) = self.scratch[self.start..self.end].first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let [s0, s1, s2, s3, id @ ..] = *prefix;
        let size = i32::from_be_bytes([s0, s1, s2, s3]);
        let length = usize::try_from(size)
            .ok()
            .filter(|length| (PREFIX_BYTES - 4..=self.frame_bytes_max).contains(length))
            .ok_or(Closed::FrameLength { length: size })?;
        let kept = match keep(i32::from_be_bytes(id))? {
            Keep::Whole => length,
            Keep::Head(bytes) => bytes.min(length),
        };
        self.start += 4;
        Ok(Some(Body { kept: self.pool.lease(kept), seen: 0, length }))
    }

    /// Reads more into the scratch buffer, of which less than a prefix is left.
    fn fill(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        self.scratch.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let read = ready!(poll_read(&mut self.reader, context, &mut self.scratch[self.end..]))?;
        self.end += read;
        Poll::Ready(Ok(()))
    }
}

impl Body {
    fn is_keeping(&self) -> bool {
        self.seen < self.kept.as_ref().len()
    }

    /// Takes what belongs to this frame from `bytes`; says how much that was.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.length - self.seen);
        if self.is_keeping() {
            let room = &mut self.kept.as_mut()[self.seen..];
            let copied = room.len().min(taken);
            room[..copied].copy_from_slice(&bytes[..copied]);
        }
        self.seen += taken;
        taken
    }

    fn poll_read(
        &mut self,
        reader: &mut (impl AsyncRead + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        let seen = self.seen;
        self.seen += ready!(poll_read(reader, context, &mut self.kept.as_mut()[seen..]))?;
        Poll::Ready(Ok(()))
    }
}

fn poll_read(
    reader: &mut (impl AsyncRead + Unpin),
    context: &mut Context<'_>,
    room: &mut [u8],
) -> Poll<Result<usize, Closed>> {
    let mut buffer = ReadBuf::new(room);
    let read = ready!(Pin::new(reader).poll_read(context, &mut buffer));
    Poll::Ready(match read {
        Ok(()) if buffer.filled().is_empty() => Err(Closed::ByPeer),
        Ok(()) => Ok(buffer.filled().len()),
        Err(error) => Err(Closed::Read(Arc::new(error))),
    })
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    use super::*;

    fn frame(id: i32, length: usize) -> Vec<u8> {
        let mut frame = (length as i32).to_be_bytes().to_vec();
        frame.extend_from_slice(&id.to_be_bytes());
        frame.extend((4..length).map(|index| (index % 251) as u8));
        frame
    }

    /// Sends `sent` through a pipe of `pipe_bytes` and reads frames until it ends.
    async fn read_all(sent: Vec<u8>, pipe_bytes: usize, keep: impl Fn(i32) -> Keep) -> (Vec<Frame>, Closed) {
        let (mut near, far) = tokio::io::duplex(pipe_bytes);
        let mut inbound = Inbound::new(Box::new(far), 1 << 20);
        let write = async move {
            // The reader may have refused the bytes and gone.
            let _ = near.write_all(&sent).await;
        };
        let read = async {
            let mut frames = Vec::new();
            loop {
                match poll_fn(|context| inbound.poll_frame(context, |id| Ok(keep(id)))).await {
                    Ok(frame) => frames.push(frame),
                    Err(closed) => {
                        drop(inbound);
                        return (frames, closed);
                    }
                }
            }
        };
        tokio::join!(read, write).0
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn frames_come_out_as_they_went_in_however_they_are_cut(
            lengths in prop::collection::vec(prop_oneof![4usize..40, 60_000usize..70_000, Just(300_000)], 1..8),
            pipe_bytes in 1usize..200_000,
            head in prop::option::of(0usize..100_000),
        ) {
            let sent: Vec<u8> =
                lengths.iter().enumerate().flat_map(|(id, length)| frame(id as i32, *length)).collect();
            let keep = |id: i32| match head {
                Some(bytes) if id % 2 == 0 => Keep::Head(bytes),
                _ => Keep::Whole,
            };
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");

            let (frames, closed) = runtime.block_on(read_all(sent, pipe_bytes, keep));

            prop_assert!(matches!(closed, Closed::ByPeer), "{closed:?}");
            prop_assert_eq!(frames.len(), lengths.len());
            for (id, (read, length)) in frames.iter().zip(&lengths).enumerate() {
                let whole = &frame(id as i32, *length)[4..];
                let kept = match keep(id as i32) {
                    Keep::Whole => whole,
                    Keep::Head(bytes) => &whole[..bytes.min(whole.len())],
                };
                prop_assert_eq!(read.length, *length);
                prop_assert_eq!(&read.bytes[..], kept);
            }
        }
    }

    #[tokio::test]
    async fn sizes_that_no_frame_has_end_the_connection_before_any_memory_is_taken() {
        for size in [-1, 0, 3, (1 << 20) + 1, i32::MAX] {
            let mut sent = size.to_be_bytes().to_vec();
            sent.extend_from_slice(&[0; 16]);

            let (frames, closed) = read_all(sent, 1_000, |_| Keep::Whole).await;

            assert!(frames.is_empty());
            assert!(matches!(closed, Closed::FrameLength { length } if length == size), "{closed:?}");
        }
    }
}
