//! A shard's records as one batch in its partition.

use aquifer_group::GroupRecord;
use aquifer_partition::Acks;
use aquifer_record::{BatchBuilder, BuildError, Encoding, Limits, NewRecord, Refusal, check};
use aquifer_replica::{AppendOutcome, Appended, NewBatch, Replica};
use aquifer_types::{Offset, TimestampMs};
use bytes::Bytes;
use tokio::sync::oneshot;

/// Records that did not get into the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppendError {
    #[error("pack the batch: {0}")]
    Build(#[from] BuildError),
    #[error("pack the batch: {0}")]
    Check(#[from] Refusal),
    #[error("append the batch: {0}")]
    Refused(#[from] aquifer_partition::Refusal),
    #[error("append the batch: the replica is gone")]
    Gone,
    #[error("append the batch: the disk is full")]
    DiskFull,
    #[error("the batch lies at offset {found}, not at {expected}")]
    Elsewhere { found: Offset, expected: Offset },
}

/// A batch that may not be committed yet.
#[derive(Debug)]
pub(crate) struct Appending {
    pub(crate) base: Offset,
    pub(crate) end: Offset,
    pub(crate) bytes: u64,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Known(AppendOutcome),
    Awaited(oneshot::Receiver<AppendOutcome>),
}

/// Appends the records, expected to lie from `base` on. Call `nudge` on the directory afterwards.
pub(crate) fn append(
    replica: &Replica,
    base: Offset,
    records: &[GroupRecord],
    now: TimestampMs,
) -> Result<Appending, AppendError> {
    let mut builder = BatchBuilder::new(Encoding::NONE);
    for record in records {
        let (key, value) = (record.key(), record.value());
        let record =
            NewRecord { timestamp: now, key: Some(&key), value: value.as_deref(), ..NewRecord::default() };
        builder.push(&record)?;
    }
    let bytes = Bytes::from(builder.build()?);
    let batch_bytes = bytes.len() as u64;
    let batch = check(bytes, &Limits { batch_bytes_max: usize::MAX, ..Limits::default() })?;
    let new = NewBatch {
        batch,
        acks: Acks::All,
        expected_epoch: None,
        log_append_time: None,
        token: None,
        expected_end: None,
        strict: false,
    };
    let outcome = match replica.append(&new) {
        Appended::Done(outcome) => Outcome::Known(outcome),
        Appended::Waiting(receiver) => Outcome::Awaited(receiver),
        Appended::DiskFull => return Err(AppendError::DiskFull),
        Appended::Unanswered => return Err(AppendError::Gone),
    };
    Ok(Appending { base, end: base.plus(records.len() as i64), bytes: batch_bytes, outcome })
}

impl Appending {
    /// Returns once the batch is committed where it was expected. Can be dropped and called again.
    pub(crate) async fn committed(&mut self) -> Result<Offset, AppendError> {
        let outcome = match &mut self.outcome {
            Outcome::Known(outcome) => *outcome,
            Outcome::Awaited(receiver) => receiver.await.map_err(|_dropped| AppendError::Gone)?,
        };
        self.outcome = Outcome::Known(outcome);
        let found = outcome?.base;
        if found == self.base {
            Ok(self.end)
        } else {
            Err(AppendError::Elsewhere { found, expected: self.base })
        }
    }
}
