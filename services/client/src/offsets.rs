//! ListOffsets: which offset of a partition a time stands for.

use aquifer_types::{Offset, PartitionIndex, TimestampMs};
use aquifer_wire::Text;
use aquifer_wire::messages::ListOffsetsRequest;
use aquifer_wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};

use crate::client::Client;
use crate::error::ClientError;

/// A place in a partition, named by something other than its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetAt {
    /// The first record there is.
    Start,
    /// After the last record that consumers see.
    End,
    /// The first record of that time or later.
    Time(TimestampMs),
}

impl OffsetAt {
    fn number(self) -> i64 {
        match self {
            OffsetAt::Start => -2,
            OffsetAt::End => -1,
            OffsetAt::Time(time) => time.0,
        }
    }
}

impl Client {
    /// The offset at `at`; `None` if no record is that late.
    pub async fn offset(
        &self,
        topic: &str,
        partition: PartitionIndex,
        at: OffsetAt,
    ) -> Result<Option<Offset>, ClientError> {
        let mut retry = self.retry();
        loop {
            match self.offset_once(topic, partition, at).await {
                Ok(offset) => return Ok(offset),
                Err(error) => retry.after(error, Some(topic)).await?,
            }
        }
    }

    async fn offset_once(
        &self,
        topic: &str,
        partition: PartitionIndex,
        at: OffsetAt,
    ) -> Result<Option<Offset>, ClientError> {
        let (_, leader) = self.leader(topic, partition).await?;
        let asked = ListOffsetsPartition {
            partition_index: partition.0,
            current_leader_epoch: leader.epoch.0,
            timestamp: at.number(),
        };
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![ListOffsetsTopic { name: Text::from(topic), partitions: vec![asked] }],
            ..ListOffsetsRequest::default()
        };
        let response = self.call(leader.node, &request).await?;
        let answered = response.topics.first().and_then(|topic| topic.partitions.first());
        let answered = answered.ok_or(ClientError::Incomplete("the partition"))?;
        ClientError::check(answered.error_code, None)?;
        Ok(Some(Offset(answered.offset)).filter(|offset| offset.0 >= 0))
    }
}
