//! `Delivery`: what becomes of a record that was sent, known once its batch is settled.

use std::pin::pin;
use std::sync::{Arc, OnceLock};

use aquifer_record::BuildError;
use aquifer_types::{Offset, PartitionIndex, TimestampMs};
use aquifer_wire::{ErrorCode, Text};
use tokio::sync::Notify;

use crate::error::ClientError;

/// Where a record came to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    pub partition: PartitionIndex,
    /// Unknown where no acknowledgement was asked for, or where an earlier one was lost for good.
    pub offset: Option<Offset>,
    /// The broker's time where the topic asks for it.
    pub appended_at: Option<TimestampMs>,
}

/// A record did not reach its partition, or nobody knows whether it did.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error("the broker refused the batch: {code}{}", .message.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Refused { code: ErrorCode, message: Option<Text> },
    /// If an answer was lost, the record may have been appended all the same.
    #[error("the record was not acknowledged in time{}", .last.as_ref().map(|error| format!(", the last try failed: {error}")).unwrap_or_default())]
    TimedOut { last: Option<Arc<ClientError>> },
    #[error("pack the batch")]
    Pack(#[source] Arc<BuildError>),
    #[error("the producer was closed before the record was sent")]
    Closed,
}

/// What became of a whole batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Landed {
    pub(crate) base: Option<Offset>,
    pub(crate) appended_at: Option<TimestampMs>,
}

/// Shared by a batch and its records' deliveries.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    settled: OnceLock<Result<Landed, DeliveryError>>,
    waiting: Notify,
}

/// A record on its way. Dropping it changes nothing about the record.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub(crate) outcome: Arc<Outcome>,
    pub(crate) partition: PartitionIndex,
    /// Which record of the batch this is.
    pub(crate) index: i32,
}

impl Outcome {
    pub(crate) fn settle(&self, result: Result<Landed, DeliveryError>) {
        // A batch is settled once; whoever comes later has nothing new to say.
        let _ = self.settled.set(result);
        self.waiting.notify_waiters();
    }

    pub(crate) async fn wait(&self) -> &Result<Landed, DeliveryError> {
        // Of a batch's records, all but the first to wait find it settled.
        if let Some(result) = self.settled.get() {
            return result;
        }
        loop {
            let mut woken = pin!(self.waiting.notified());
            woken.as_mut().enable();
            if let Some(result) = self.settled.get() {
                return result;
            }
            woken.await;
        }
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.settled.get().is_some()
    }
}

impl Delivery {
    /// Waits until the record's batch is settled.
    pub async fn wait(&self) -> Result<Delivered, DeliveryError> {
        self.of(self.outcome.wait().await)
    }

    /// What became of the record, if its batch is settled.
    #[must_use]
    pub fn settled(&self) -> Option<Result<Delivered, DeliveryError>> {
        self.outcome.settled.get().map(|landed| self.of(landed))
    }

    fn of(&self, landed: &Result<Landed, DeliveryError>) -> Result<Delivered, DeliveryError> {
        let landed = landed.as_ref().map_err(Clone::clone)?;
        Ok(Delivered {
            partition: self.partition,
            offset: landed.base.map(|base| base.plus(i64::from(self.index))),
            appended_at: landed.appended_at,
        })
    }

    /// Where the record goes.
    #[must_use]
    pub fn partition(&self) -> PartitionIndex {
        self.partition
    }

    /// Whether waiting would return at once.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.outcome.is_settled()
    }
}
