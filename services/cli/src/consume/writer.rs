//! `Writer`: chunks of records into buffers, buffers to the sink.

use std::ops::ControlFlow;

use aquifer_client::{Chunk, ReadError, RecordReader};
use aquifer_types::Offset;

use super::sink::{Sink, SinkClosed};
use super::style::Style;

/// From here on a buffer is handed on.
const BUFFER_BYTES: usize = 256 * 1024;

/// Writes records until there have been enough.
pub(super) struct Writer {
    style: Style,
    sink: Sink,
    buffer: Vec<u8>,
    reader: RecordReader,
    left: Option<u64>,
    has_begun: bool,
    /// Of the chunk under way, everything before has been handed on or stands in the buffer.
    upto: Offset,
}

/// What became of a chunk.
pub(super) enum Wrote {
    All,
    /// There have been enough records.
    Enough,
    Closed,
    Unreadable(ReadError),
}

/// Why a walk over records is broken off.
enum Broken {
    Enough,
    Full(Offset),
}

impl Writer {
    pub(super) fn new(style: Style, sink: Sink, count: Option<u64>) -> Writer {
        let (buffer, reader) = (Vec::with_capacity(BUFFER_BYTES * 2), RecordReader::default());
        Writer { style, sink, buffer, reader, left: count, has_begun: false, upto: Offset::ZERO }
    }

    /// Whether there have been enough records before the first.
    pub(super) fn has_enough(&self) -> bool {
        self.left == Some(0)
    }

    /// Writes a chunk's records.
    pub(super) async fn write(&mut self, mut chunk: Chunk) -> Wrote {
        self.upto = chunk.from;
        loop {
            let read = self.read(&chunk);
            if matches!(read, Ok(ControlFlow::Continue(()))) {
                self.upto = chunk.end;
            }
            if self.buffer.len() >= BUFFER_BYTES && self.flush().await.is_err() {
                return Wrote::Closed;
            }
            match read {
                Err(error) => return Wrote::Unreadable(error),
                Ok(ControlFlow::Continue(())) => return Wrote::All,
                Ok(ControlFlow::Break(Broken::Enough)) => return Wrote::Enough,
                // The walk begins anew behind the last record; batches before it are passed over by their headers.
                Ok(ControlFlow::Break(Broken::Full(next))) => chunk.from = next,
            }
        }
    }

    fn read(&mut self, chunk: &Chunk) -> Result<ControlFlow<Broken>, ReadError> {
        let Writer { style, buffer, reader, left, has_begun, upto, .. } = self;
        let (topic, partition) = (chunk.topic.as_str(), chunk.partition.0);
        reader.read(chunk, |record| {
            if !std::mem::replace(has_begun, true) {
                style.begin(buffer);
            }
            style.write(topic, partition, record, buffer);
            let next = record.offset.plus(1);
            *upto = next;
            if let Some(left) = left {
                *left -= 1;
                if *left == 0 {
                    return ControlFlow::Break(Broken::Enough);
                }
            }
            if buffer.len() >= BUFFER_BYTES * 8 {
                return ControlFlow::Break(Broken::Full(next));
            }
            ControlFlow::Continue(())
        })
    }

    /// Hands on what there is, so that it is seen.
    pub(super) async fn flush(&mut self) -> Result<(), SinkClosed> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.sink.write(&mut self.buffer).await
    }

    /// Hands on what there is, and waits until all of it is written.
    pub(super) async fn settle(&mut self) -> Result<(), SinkClosed> {
        self.flush().await?;
        self.sink.settle().await
    }

    /// How far the chunk under way has come; it counts once everything is written.
    pub(super) fn upto(&self) -> Offset {
        self.upto
    }

    /// Writes what stands behind the last record, and waits until all is written. Where nothing was read because reading
    /// failed, nothing is written.
    pub(super) async fn finish(mut self, has_failed: bool) -> std::io::Result<()> {
        if !self.has_begun && !has_failed {
            self.style.begin(&mut self.buffer);
        }
        if self.has_begun || !has_failed {
            self.style.end(&mut self.buffer);
        }
        // If the sink is closed, its own error says why.
        let _ = self.flush().await;
        self.sink.finish().await
    }
}
