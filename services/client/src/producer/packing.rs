//! Batches as one produce request, and each batch's part of the answer.

use std::collections::BTreeMap;

use aquifer_record::BuildError;
use aquifer_types::{TopicId, Uuid};
use aquifer_wire::messages::ProduceRequest;
use aquifer_wire::messages::ProduceResponse;
use aquifer_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use aquifer_wire::messages::produce_response::PartitionProduceResponse;
use aquifer_wire::{Records, Text};

use super::core::Sent;
use super::queue::Answer;
use crate::error::ClientError;
use crate::produce::{Acks, Produced};

/// Packs the batches; those that cannot be packed come back with the reason.
pub(crate) fn pack(batches: Vec<Sent>, acks: Acks) -> (ProduceRequest, Vec<Sent>, Vec<(Sent, BuildError)>) {
    let mut topics: BTreeMap<(Text, TopicId), Vec<PartitionProduceData>> = BTreeMap::new();
    let (mut packed, mut failed) = (Vec::with_capacity(batches.len()), Vec::new());
    for mut sent in batches {
        match sent.batch.pack() {
            Ok(bytes) => {
                let records = Some(Records::Bytes(bytes));
                let data = PartitionProduceData { index: sent.partition.0, records };
                topics.entry((sent.topic.clone(), sent.topic_id)).or_default().push(data);
                packed.push(sent);
            }
            Err(error) => failed.push((sent, error)),
        }
    }
    let topic_data = topics.into_iter().map(|((name, id), partition_data)| TopicProduceData {
        name,
        topic_id: id.0,
        partition_data,
    });
    (acks.request_for(topic_data.collect()), packed, failed)
}

/// An answer by topic and partition.
pub(crate) struct Answers<'a> {
    by_partition: BTreeMap<(Uuid, &'a str, i32), &'a PartitionProduceResponse>,
}

impl<'a> Answers<'a> {
    pub(crate) fn of(response: &'a ProduceResponse) -> Answers<'a> {
        let partitions = response.responses.iter().flat_map(|topic| {
            let name = topic.name.as_str();
            topic.partition_responses.iter().map(move |part| ((topic.topic_id, name, part.index), part))
        });
        Answers { by_partition: partitions.collect() }
    }

    /// Brokers answer by name or by id, depending on the version.
    pub(crate) fn partition(&self, sent: &Sent) -> Option<&'a PartitionProduceResponse> {
        let by_id = (sent.topic_id.0, "", sent.partition.0);
        let by_name = (Uuid::ZERO, sent.topic.as_str(), sent.partition.0);
        self.by_partition.get(&by_id).or_else(|| self.by_partition.get(&by_name)).copied()
    }

    pub(crate) fn answer(&self, sent: &Sent) -> Answer {
        let partition = self.partition(sent).ok_or(ClientError::Incomplete("the partition"));
        match partition.and_then(Produced::from_partition) {
            Ok(produced) => Answer::Produced(produced),
            Err(error) => Answer::Failed(error),
        }
    }
}
