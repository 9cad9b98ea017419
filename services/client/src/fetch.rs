//! Fetch: the raw batches of one partition, without a session.

use std::time::Duration;

use aquifer_record::batches;
use aquifer_types::{Offset, PartitionIndex, ProducerId, TopicId};
use aquifer_wire::messages::FetchRequest;
use aquifer_wire::messages::fetch_request::{FetchPartition, FetchTopic};
use aquifer_wire::messages::fetch_response::PartitionData;
use aquifer_wire::{Records, Text};
use bytes::Bytes;

use crate::client::Client;
use crate::error::ClientError;

/// How much a fetch brings and how long it waits for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchSettings {
    /// The broker answers once it has so many bytes or the wait is over.
    pub bytes_min: i32,
    pub bytes_max: i32,
    pub partition_bytes_max: i32,
    pub wait_max: Duration,
    /// Whether records of open transactions are held back, and those of aborted ones named.
    pub read_committed: bool,
}

/// What a fetch brought of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Whole batches; the first may start below the offset that was asked for, the last may be cut off.
    pub records: Bytes,
    pub high_watermark: Offset,
    pub last_stable_offset: Offset,
    pub log_start: Offset,
    /// Transactions that were given up, by producer and first offset; only where records are read committed.
    pub aborted: Vec<(ProducerId, Offset)>,
}

impl Default for FetchSettings {
    fn default() -> FetchSettings {
        FetchSettings {
            bytes_min: 1,
            bytes_max: 50 * 1024 * 1024,
            partition_bytes_max: 1024 * 1024,
            wait_max: Duration::from_millis(500),
            read_committed: false,
        }
    }
}

impl FetchSettings {
    /// A request without topics or session.
    #[must_use]
    pub fn request(&self) -> FetchRequest {
        FetchRequest {
            max_wait_ms: i32::try_from(self.wait_max.as_millis()).unwrap_or(i32::MAX),
            min_bytes: self.bytes_min,
            max_bytes: self.bytes_max,
            isolation_level: i8::from(self.read_committed),
            ..FetchRequest::default()
        }
    }

    /// A request for one partition, for whoever keeps several under way.
    #[must_use]
    pub fn request_for(
        &self,
        topic: &Text,
        id: TopicId,
        partition: PartitionIndex,
        offset: Offset,
    ) -> FetchRequest {
        let wanted = FetchPartition {
            partition: partition.0,
            fetch_offset: offset.0,
            partition_max_bytes: self.partition_bytes_max,
            ..FetchPartition::default()
        };
        let topic = FetchTopic { topic: topic.clone(), topic_id: id.0, partitions: vec![wanted] };
        FetchRequest { topics: vec![topic], ..self.request() }
    }
}

impl Fetched {
    /// What a response says of one partition.
    pub fn from_partition(partition: &PartitionData) -> Result<Fetched, ClientError> {
        ClientError::check(partition.error_code, None)?;
        let records = partition.records.as_ref().and_then(Records::as_bytes);
        let aborted = partition.aborted_transactions.iter().flatten();
        Ok(Fetched {
            records: records.cloned().unwrap_or_default(),
            high_watermark: Offset(partition.high_watermark),
            last_stable_offset: Offset(partition.last_stable_offset),
            log_start: Offset(partition.log_start_offset),
            aborted: aborted.map(|it| (ProducerId(it.producer_id), Offset(it.first_offset))).collect(),
        })
    }

    /// Where the whole batches that came end; nothing if none came.
    #[must_use]
    pub fn end(&self) -> Option<Offset> {
        batches(&self.records).last().map(|batch| batch.header.end())
    }
}

impl Client {
    /// Reads from `offset` on. Nothing within the wait is an empty answer.
    pub async fn fetch(
        &self,
        topic: &str,
        partition: PartitionIndex,
        offset: Offset,
        settings: &FetchSettings,
    ) -> Result<Fetched, ClientError> {
        let mut retry = self.retry();
        loop {
            match self.fetch_once(topic, partition, offset, settings).await {
                Ok(fetched) => return Ok(fetched),
                Err(error) => retry.after(error, Some(topic)).await?,
            }
        }
    }

    async fn fetch_once(
        &self,
        topic: &str,
        partition: PartitionIndex,
        offset: Offset,
        settings: &FetchSettings,
    ) -> Result<Fetched, ClientError> {
        let (known, leader) = self.leader(topic, partition).await?;
        let connection = self.connection(leader.node).await?;
        let request = settings.request_for(&Text::from(topic), known.id, partition, offset);
        let response = connection.call(&request).await?;
        ClientError::check(response.error_code, None)?;
        let topic = response.responses.first();
        let partition = topic.and_then(|topic| topic.partitions.first());
        Fetched::from_partition(partition.ok_or(ClientError::Incomplete("the partition"))?)
    }
}
