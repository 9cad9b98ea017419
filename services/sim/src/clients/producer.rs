//! `Producer`: sends batches to a topic's partitions, and holds the node to what it answers.

use std::collections::BTreeMap;

use aquifer_client::{Acks, ClientError, ProducerIdentity};
use aquifer_record::{BatchBuilder, BatchHeader, Encoding, NewRecord, sequence_after};
use aquifer_types::{PartitionIndex, TimestampMs};
use aquifer_wire::ErrorCode;
use bytes::Bytes;

use crate::clients::Work;
use crate::oracle::{Ask, BatchId, Expectation};
use crate::plan::{ProducerKind, ProducerPlan, TopicPlan};

/// Before any clock of the simulation, so that no clock that jumps finds a record to be of the future.
const RECORD_TIME: TimestampMs = TimestampMs(1_600_000_000_000);

/// One producer at work.
pub struct Producer {
    pub work: Work,
    pub number: u64,
    pub plan: ProducerPlan,
    pub topic: TopicPlan,
}

/// What became of a batch.
enum Fate {
    Settled,
    /// Nobody can say whether it stands.
    Unknown,
}

/// A batch on its way.
struct Parcel {
    partition: PartitionIndex,
    id: BatchId,
    bytes: Bytes,
    count: i32,
}

impl Producer {
    pub async fn run(mut self) {
        let identity = match self.plan.kind {
            ProducerKind::Idempotent => match self.identity().await {
                Some(identity) => Some(identity),
                None => return,
            },
            _ => None,
        };
        let mut sequences: BTreeMap<PartitionIndex, i32> = BTreeMap::new();
        let mut number = 0;
        while !self.work.is_over() {
            number += 1;
            let partition = PartitionIndex(
                i32::try_from(self.work.dice.index(usize::try_from(self.topic.partitions).unwrap_or(1)))
                    .unwrap_or(0),
            );
            let sequence = sequences.entry(partition).or_default();
            let stamp = identity.map(|identity| (identity, *sequence));
            let parcel = self.pack(partition, number, stamp);
            *sequence = sequence_after(*sequence, parcel.count);
            self.deliver(&parcel).await;
            let pause = self.plan.pause_ms_max;
            self.work.pause(pause).await;
        }
    }

    async fn identity(&mut self) -> Option<ProducerIdentity> {
        while !self.work.is_over() {
            if let Ok(identity) = self.work.client.producer_identity().await {
                self.work.trace.note(&self.work.name, format_args!("is {identity:?}"));
                return Some(identity);
            }
            self.work.pause(50).await;
        }
        None
    }

    /// Makes a batch that nobody has sent to the partition before.
    fn pack(
        &mut self,
        partition: PartitionIndex,
        number: u64,
        stamp: Option<(ProducerIdentity, i32)>,
    ) -> Parcel {
        let bytes_max = self.plan.batch_bytes_max;
        loop {
            let count = self.work.dice.within(1..=5);
            let mut builder = BatchBuilder::new(Encoding::NONE);
            if let Some((identity, sequence)) = stamp {
                builder.producer(identity.id, identity.epoch, sequence);
            }
            let bytes = self.work.dice.magnitude(16..=bytes_max) / count;
            for record in 0..count {
                let mut value = format!("{} {number} {record} ", self.work.name).into_bytes();
                let filler = self.work.dice.number().to_le_bytes();
                value.extend(filler.iter().cycle().take(usize::try_from(bytes).unwrap_or(0)));
                let record =
                    NewRecord { timestamp: RECORD_TIME, value: Some(&value), ..NewRecord::default() };
                builder.push(&record).expect("a small record fits");
            }
            let bytes: Bytes = builder.build().expect("a small batch builds").into();
            let header = BatchHeader::parse(&bytes).expect("just built");
            let id = BatchId(header.crc);
            let ask = Ask { producer: self.number, number, expects: self.expectation() };
            let new = self.work.oracle.partition(&self.topic.name, partition, |known| {
                let new = !known.was_sent(id);
                if new {
                    known.sent(id, ask);
                }
                Ok(new)
            });
            if new == Some(true) {
                return Parcel { partition, id, bytes, count: header.count };
            }
        }
    }

    fn expectation(&self) -> Expectation {
        match self.plan.kind {
            ProducerKind::Idempotent => Expectation::Once,
            ProducerKind::Plain | ProducerKind::Once => Expectation::AtLeastOnce,
            ProducerKind::Leader => Expectation::PageCache,
        }
    }

    /// Sends the batch until its fate is settled, or once where that is the plan.
    async fn deliver(&mut self, parcel: &Parcel) {
        while !self.work.trace.has_failed() {
            if self.plan.kind == ProducerKind::Once {
                self.send_once(parcel).await;
                return;
            }
            match self.send(parcel).await {
                Fate::Settled => return,
                // A sequence must not be skipped; everyone else may give up when it is time.
                Fate::Unknown if self.plan.kind != ProducerKind::Idempotent && self.work.is_over() => return,
                Fate::Unknown => self.work.pause(30).await,
            }
        }
    }

    async fn send(&mut self, parcel: &Parcel) -> Fate {
        let acks = if self.plan.kind == ProducerKind::Leader { Acks::Leader } else { Acks::All };
        let name = &self.topic.name;
        let produced = self.work.client.produce(name, parcel.partition, acks, &parcel.bytes).await;
        match produced {
            Ok(Some(produced)) => {
                self.note(parcel, format_args!("stands at {}", produced.base));
                self.work.oracle.acknowledged(name, parcel.partition, parcel.id, produced.base);
                Fate::Settled
            }
            Ok(None) => Fate::Settled,
            Err(error) => {
                self.note(parcel, format_args!("{error}"));
                if !error.retriable() {
                    self.work.trace.fail(
                        &self.work.name,
                        format_args!("a sound batch for {name}-{} is refused: {error}", parcel.partition.0),
                    );
                }
                Fate::Unknown
            }
        }
    }

    /// Sends the batch on one connection, so that the first answer is the only one.
    async fn send_once(&mut self, parcel: &Parcel) {
        let name = self.topic.name.clone();
        let answered = self.ask_once(&name, parcel).await;
        match answered {
            Ok(produced) => {
                self.note(parcel, format_args!("stands at {}", produced.base));
                self.work.oracle.acknowledged(&name, parcel.partition, parcel.id, produced.base);
            }
            Err(error) => {
                self.note(parcel, format_args!("{error}"));
                // Before anything was sent the connection may not come about; afterwards only an answer tells, and
                // a timeout or a failing device is no answer.
                let settled = matches!(
                    error.code(),
                    Some(ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
                );
                if settled {
                    self.work.oracle.partition(&name, parcel.partition, |known| known.refused(parcel.id));
                }
            }
        }
    }

    async fn ask_once(&self, name: &str, parcel: &Parcel) -> Result<aquifer_client::Produced, ClientError> {
        let (topic, leader) = self.work.client.leader(name, parcel.partition).await?;
        let connection = self.work.client.connection(leader.node).await?;
        let name = aquifer_wire::Text::from(name);
        let request = Acks::All.request(&name, topic.id, parcel.partition, parcel.bytes.clone());
        let response = connection.call(&request).await?;
        aquifer_client::Produced::from_response(&response)
    }

    fn note(&self, parcel: &Parcel, what: std::fmt::Arguments<'_>) {
        self.work.trace.note(
            &self.work.name,
            format_args!("{}-{} {:08x} {what}", self.topic.name, parcel.partition.0, parcel.id.0),
        );
    }
}
