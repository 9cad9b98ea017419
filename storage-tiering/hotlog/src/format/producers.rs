//! `.producers`: what a partition knew of its idempotent producers before a segment's first batch.

use aquifer_record::{ProducerBatch, ProducerState, RecentBatches};
use aquifer_types::{Offset, ProducerEpoch, ProducerId, TimestampMs};
use bytes::{Buf, BufMut};

use super::checked::{self, FormatError};

const MAGIC: [u8; 4] = *b"AQPR";
const VERSION: u32 = 1;
const PRODUCER_BYTES: usize = 8 + 2 + 4 + 8 + 8 + 1;

/// A snapshot of all producers at `end`. Sections for open and aborted transactions follow them, empty for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducersFile {
    pub end: Offset,
    pub producers: Vec<ProducerState>,
}

impl ProducersFile {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(16 + self.producers.len() * 64);
        body.put_i64_le(self.end.0);
        body.put_u32_le(u32::try_from(self.producers.len()).expect("producers are bounded per partition"));
        for producer in &self.producers {
            body.put_i64_le(producer.id.0);
            body.put_i16_le(producer.epoch.0);
            body.put_i32_le(producer.coordinator_epoch);
            body.put_i64_le(producer.first_open_offset.map_or(-1, |offset| offset.0));
            body.put_i64_le(producer.last_timestamp.0);
            body.put_u8(u8::try_from(producer.batches.len()).expect("at most five"));
            for batch in producer.batches.iter() {
                body.put_i32_le(batch.first_sequence);
                body.put_i32_le(batch.last_sequence);
                body.put_i64_le(batch.base.0);
                body.put_i64_le(batch.end.0);
                body.put_i64_le(batch.timestamp.0);
            }
        }
        // Open transactions, then aborted ones.
        body.put_u32_le(0);
        body.put_u32_le(0);
        checked::frame(MAGIC, VERSION, &body)
    }

    pub fn decode(bytes: &[u8]) -> Result<ProducersFile, FormatError> {
        let mut rest = checked::body(MAGIC, VERSION, bytes)?;
        let end = Offset(rest.try_get_i64_le()?);
        let count = checked::count(&mut rest, PRODUCER_BYTES)?;
        let mut producers = Vec::with_capacity(count);
        for _ in 0..count {
            producers.push(producer(&mut rest)?);
        }
        if rest.try_get_u32_le()? != 0 || rest.try_get_u32_le()? != 0 {
            return Err(FormatError::Length);
        }
        checked::ends(rest)?;
        Ok(ProducersFile { end, producers })
    }
}

fn producer(rest: &mut &[u8]) -> Result<ProducerState, FormatError> {
    let id = ProducerId(rest.try_get_i64_le()?);
    let mut state = ProducerState::new(id, ProducerEpoch(rest.try_get_i16_le()?));
    state.coordinator_epoch = rest.try_get_i32_le()?;
    state.first_open_offset = match rest.try_get_i64_le()? {
        none if none < 0 => None,
        offset => Some(Offset(offset)),
    };
    state.last_timestamp = TimestampMs(rest.try_get_i64_le()?);
    let batches = rest.try_get_u8()?;
    let mut recent = RecentBatches::default();
    for _ in 0..batches {
        recent.push(ProducerBatch {
            first_sequence: rest.try_get_i32_le()?,
            last_sequence: rest.try_get_i32_le()?,
            base: Offset(rest.try_get_i64_le()?),
            end: Offset(rest.try_get_i64_le()?),
            timestamp: TimestampMs(rest.try_get_i64_le()?),
        });
    }
    state.batches = recent;
    Ok(state)
}
