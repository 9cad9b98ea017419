//! Produce: one raw batch to one partition, and the producer identities that make repeating one harmless.

use std::time::Duration;

use aquifer_types::{Offset, PartitionIndex, ProducerEpoch, ProducerId, TimestampMs, TopicId};
use aquifer_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use aquifer_wire::messages::produce_response::PartitionProduceResponse;
use aquifer_wire::messages::{InitProducerIdRequest, ProduceRequest, ProduceResponse};
use aquifer_wire::{Records, Text};
use bytes::Bytes;

use crate::client::Client;
use crate::error::ClientError;

/// How long the broker may wait for its followers.
const REPLICATION_TIMEOUT: Duration = Duration::from_secs(25);

/// What must have happened to a batch before the broker answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// Nothing, and there is no answer.
    None,
    /// The leader has written it.
    Leader,
    /// It is as durable and replicated as the topic asks for.
    All,
}

/// Where a batch came to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Produced {
    pub base: Offset,
    pub log_start: Offset,
    /// Where the broker stamps times.
    pub appended_at: TimestampMs,
}

/// What makes a producer's batches known to brokers; goes into each batch with a sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdentity {
    pub id: ProducerId,
    pub epoch: ProducerEpoch,
}

impl Acks {
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        }
    }

    /// A request for batches of many partitions.
    pub(crate) fn request_for(self, topic_data: Vec<TopicProduceData>) -> ProduceRequest {
        ProduceRequest {
            transactional_id: None,
            acks: self.number(),
            timeout_ms: i32::try_from(REPLICATION_TIMEOUT.as_millis()).unwrap_or(i32::MAX),
            topic_data,
        }
    }

    /// A request for one batch, for whoever keeps a connection's window full by itself.
    #[must_use]
    pub fn request(
        self,
        topic: &Text,
        id: TopicId,
        partition: PartitionIndex,
        batch: Bytes,
    ) -> ProduceRequest {
        let data = PartitionProduceData { index: partition.0, records: Some(Records::Bytes(batch)) };
        let (name, partition_data) = (topic.clone(), vec![data]);
        self.request_for(vec![TopicProduceData { name, topic_id: id.0, partition_data }])
    }
}

impl Produced {
    /// What a response says of the one batch that was sent.
    pub fn from_response(response: &ProduceResponse) -> Result<Produced, ClientError> {
        let topic = response.responses.first();
        let partition = topic.and_then(|topic| topic.partition_responses.first());
        Produced::from_partition(partition.ok_or(ClientError::Incomplete("the partition"))?)
    }

    pub(crate) fn from_partition(partition: &PartitionProduceResponse) -> Result<Produced, ClientError> {
        ClientError::check(partition.error_code, partition.error_message.as_ref())?;
        Ok(Produced {
            base: Offset(partition.base_offset),
            log_start: Offset(partition.log_start_offset),
            appended_at: TimestampMs(partition.log_append_time_ms),
        })
    }
}

impl Client {
    /// Appends a batch. A batch whose answer was lost is sent again, so one without a producer identity may come to
    /// stand twice. Without acknowledgement nothing is known of where it stands.
    pub async fn produce(
        &self,
        topic: &str,
        partition: PartitionIndex,
        acks: Acks,
        batch: &Bytes,
    ) -> Result<Option<Produced>, ClientError> {
        let mut retry = self.retry();
        loop {
            match self.produce_once(topic, partition, acks, batch).await {
                Ok(produced) => return Ok(produced),
                Err(error) => retry.after(error, Some(topic)).await?,
            }
        }
    }

    async fn produce_once(
        &self,
        topic: &str,
        partition: PartitionIndex,
        acks: Acks,
        batch: &Bytes,
    ) -> Result<Option<Produced>, ClientError> {
        let (known, leader) = self.leader(topic, partition).await?;
        let connection = self.connection(leader.node).await?;
        let request = acks.request(&Text::from(topic), known.id, partition, batch.clone());
        if acks == Acks::None {
            connection.send_one_way(&request).await?;
            return Ok(None);
        }
        let response = connection.call(&request).await?;
        Produced::from_response(&response).map(Some)
    }

    /// A new producer identity, whose sequences start at zero in every partition.
    pub async fn producer_identity(&self) -> Result<ProducerIdentity, ClientError> {
        let request = InitProducerIdRequest { transactional_id: None, ..InitProducerIdRequest::default() };
        let mut retry = self.retry();
        loop {
            let answered = self.call_any(&request).await.and_then(|response| {
                ClientError::check(response.error_code, None)?;
                let (id, epoch) = (ProducerId(response.producer_id), ProducerEpoch(response.producer_epoch));
                Ok(ProducerIdentity { id, epoch })
            });
            match answered {
                Ok(identity) => return Ok(identity),
                Err(error) => retry.after(error, None).await?,
            }
        }
    }
}
