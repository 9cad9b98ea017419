//! Append: one batch under conditions that only Aquifer's brokers know, with an answer that tells duplicates apart.

use std::collections::BTreeMap;
use std::time::Duration;

use aquifer_types::{FencingToken, Offset, PartitionIndex, ProducerEpoch, ProducerId};
use aquifer_wire::messages::describe_producers_request::TopicRequest;
use aquifer_wire::messages::{AquiferAppendRequest, AquiferAppendResponse, DescribeProducersRequest};
use aquifer_wire::{ErrorCode, Records, Text};
use bytes::Bytes;

use crate::client::Client;
use crate::error::{CallError, ClientError};
use crate::fence::token_of;

const PATIENCE: Duration = Duration::from_secs(25);

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendAnswer {
    Appended {
        base: Offset,
        /// Whether it stood there before.
        duplicate: bool,
    },
    /// The log ends elsewhere than was expected.
    UnexpectedEnd { end: Offset },
    /// The partition has another fencing token, or none.
    AnotherToken { current: Option<FencingToken> },
    /// A newer epoch of the producer has written.
    Fenced { epoch: ProducerEpoch },
    /// The producer's batches before it are missing, or it is older than what brokers remember.
    OutOfSequence { expected: i32 },
}

/// On what conditions a batch is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AppendIf {
    /// The partition's fencing token is this one.
    pub token: Option<FencingToken>,
    /// The log ends here.
    pub end: Option<Offset>,
}

/// What a partition knows of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownProducer {
    pub epoch: i32,
    pub last_sequence: i32,
}

impl Client {
    /// Appends a batch, on conditions. A batch with a producer identity is sent again when its answer was lost; one without
    /// is not, since nobody could tell whether it stands there already.
    pub async fn append(
        &self,
        topic: &str,
        partition: PartitionIndex,
        conditions: AppendIf,
        batch: &Bytes,
        identified: bool,
    ) -> Result<AppendAnswer, ClientError> {
        let mut retry = self.retry();
        loop {
            match self.append_once(topic, partition, conditions, batch).await {
                Err(error @ ClientError::Call(CallError::Closed(_) | CallError::TimedOut)) if !identified => {
                    return Err(error);
                }
                Err(error) => retry.after(error, Some(topic)).await?,
                Ok(answer) => return Ok(answer),
            }
        }
    }

    async fn append_once(
        &self,
        topic: &str,
        partition: PartitionIndex,
        conditions: AppendIf,
        batch: &Bytes,
    ) -> Result<AppendAnswer, ClientError> {
        let (known, leader) = self.leader(topic, partition).await?;
        let connection = self.connection(leader.node).await?;
        let request = AquiferAppendRequest {
            timeout_ms: i32::try_from(PATIENCE.as_millis()).unwrap_or(i32::MAX),
            topic_id: known.id.0,
            partition_index: partition.0,
            expected_offset: conditions.end.map_or(-1, |offset| offset.0),
            fencing_token: conditions.token.map(|token| Text::from(token.as_str())),
            records: Some(Records::Bytes(batch.clone())),
        };
        AppendAnswer::of(&connection.call(&request).await?)
    }

    /// What a partition knows of its idempotent producers.
    pub async fn known_producers(
        &self,
        topic: &str,
        partition: PartitionIndex,
    ) -> Result<BTreeMap<ProducerId, KnownProducer>, ClientError> {
        let (_, leader) = self.leader(topic, partition).await?;
        let asked = TopicRequest { name: Text::from(topic), partition_indexes: vec![partition.0] };
        let request = DescribeProducersRequest { topics: vec![asked] };
        let response = self.call(leader.node, &request).await?;
        let found = response.topics.first().and_then(|topic| topic.partitions.first());
        let found = found.ok_or(ClientError::Incomplete("the partition"))?;
        ClientError::check(found.error_code, found.error_message.as_ref())?;
        let producers = found.active_producers.iter().map(|producer| {
            let known =
                KnownProducer { epoch: producer.producer_epoch, last_sequence: producer.last_sequence };
            (ProducerId(producer.producer_id), known)
        });
        Ok(producers.collect())
    }
}

impl AppendAnswer {
    fn of(response: &AquiferAppendResponse) -> Result<AppendAnswer, ClientError> {
        match response.error_code {
            ErrorCode::NONE => Ok(AppendAnswer::Appended {
                base: Offset(response.base_offset),
                duplicate: response.duplicate,
            }),
            _ if response.fencing_token.is_some() => {
                Ok(AppendAnswer::AnotherToken { current: token_of(response.fencing_token.as_ref())? })
            }
            _ if response.log_end_offset >= 0 => {
                Ok(AppendAnswer::UnexpectedEnd { end: Offset(response.log_end_offset) })
            }
            _ if response.producer_epoch >= 0 => {
                Ok(AppendAnswer::Fenced { epoch: ProducerEpoch(response.producer_epoch) })
            }
            _ if response.expected_sequence >= 0 => {
                Ok(AppendAnswer::OutOfSequence { expected: response.expected_sequence })
            }
            code => Err(ClientError::Refused { code, message: response.error_message.clone() }),
        }
    }
}
