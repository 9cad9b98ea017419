//! DeleteRecords: cuts partitions off before an offset.

use aquifer_types::{NodeId, Offset};
use aquifer_wire::messages::DeleteRecordsRequest;
use aquifer_wire::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};

use super::topics::TIMEOUT_MS;
use crate::client::Client;
use crate::cluster::Leader;
use crate::error::ClientError;
use crate::per_leader::{Answers, PerLeader, Place, by_topic, index_of};

/// Everything before these offsets goes.
struct Before<'a> {
    places: &'a [Place],
    offsets: &'a [Offset],
}

impl Client {
    /// Deletes all records before the given offsets; says where each partition starts after that.
    pub async fn delete_records(&self, before: &[(Place, Offset)]) -> Vec<Result<Offset, ClientError>> {
        let (places, offsets): (Vec<Place>, Vec<Offset>) = before.iter().cloned().unzip();
        self.ask_leaders(&places, &Before { places: &places, offsets: &offsets }).await
    }
}

impl PerLeader for Before<'_> {
    type Answer = Offset;

    async fn ask(
        &self,
        client: &Client,
        node: NodeId,
        led: &[(usize, Leader)],
    ) -> Result<Answers<Offset>, ClientError> {
        let topics = by_topic(self.places, led).into_iter().map(|(name, partitions)| DeleteRecordsTopic {
            name: name.clone(),
            partitions: partitions
                .into_iter()
                .map(|(index, _, partition)| DeleteRecordsPartition {
                    partition_index: partition.0,
                    offset: self.offsets[index].0,
                })
                .collect(),
        });
        let request = DeleteRecordsRequest { topics: topics.collect(), timeout_ms: TIMEOUT_MS };
        let response = client.call(node, &request).await?;
        let mut answers = Vec::new();
        for topic in &response.topics {
            for part in &topic.partitions {
                let Some(index) = index_of(self.places, led, &topic.name, part.partition_index) else {
                    continue;
                };
                let start = ClientError::check(part.error_code, None).map(|()| Offset(part.low_watermark));
                answers.push((index, start));
            }
        }
        Ok(answers)
    }
}
