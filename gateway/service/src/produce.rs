//! Records in: merged with everybody's into batches, each answered for itself.

use std::borrow::Cow;

use aquifer_client::{Acks, Delivered, Delivery, DeliveryError, Outgoing, SendError, partition_of_key};
use aquifer_record::{BatchBuilder, CheckedBatch, Encoding, Header, Limits, NewRecord, check};
use aquifer_types::{PartitionIndex, TimestampMs};
use aquifer_wire::ErrorCode;
use bytes::Bytes;

use crate::gateway::Gateway;
use crate::refusal::{Code, Refusal};

/// What a topic takes is the broker's to say.
const ANY: Limits =
    Limits { batch_bytes_max: usize::MAX, earliest: TimestampMs(i64::MIN), latest: TimestampMs(i64::MAX) };

/// A header of a record; its value may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordHeader<'a> {
    pub name: Cow<'a, str>,
    pub value: Option<Cow<'a, [u8]>>,
}

/// A record to be appended. One without a value is a tombstone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    pub partition: Option<i32>,
    pub key: Option<Cow<'a, [u8]>>,
    pub value: Option<Cow<'a, [u8]>>,
    pub headers: Vec<RecordHeader<'a>>,
    pub timestamp: Option<TimestampMs>,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    pub partition: PartitionIndex,
    /// Unknown where a retry met a batch so old that the broker forgot its offset.
    pub offset: Option<i64>,
    /// Whether it stood there before, by an earlier try of the same request.
    pub duplicate: bool,
}

/// A record that went into a batch with those of others.
#[derive(Clone)]
pub struct Sent {
    delivery: Result<Delivery, Refusal>,
}

impl Sent {
    /// Waits until it is known what becomes of it.
    pub async fn arrive(&self) {
        if let Ok(delivery) = &self.delivery {
            // Whoever waits asks for the result afterwards.
            let _ = delivery.wait().await;
        }
    }

    /// What became of it, once that is known; nothing too if its batch was refused for a record that may be another.
    #[must_use]
    pub fn result(&self, topic: &str) -> Option<Result<Appended, Refusal>> {
        let delivery = match &self.delivery {
            Ok(delivery) => delivery,
            Err(refusal) => return Some(Err(refusal.clone())),
        };
        match delivery.settled()? {
            Ok(Delivered { partition, offset, .. }) => {
                Some(Ok(Appended { partition, offset: offset.map(|offset| offset.0), duplicate: false }))
            }
            Err(error) if spoils_others(&error) => None,
            Err(error) => Some(Err(Refusal::of_delivery(&error).at(topic, Some(delivery.partition().0)))),
        }
    }
}

impl Record<'_> {
    /// The same with memory of its own.
    #[must_use]
    pub fn into_owned(self) -> Record<'static> {
        let owned = |bytes: Option<Cow<'_, [u8]>>| bytes.map(|bytes| Cow::Owned(bytes.into_owned()));
        let headers = self.headers.into_iter().map(|header| RecordHeader {
            name: Cow::Owned(header.name.into_owned()),
            value: owned(header.value),
        });
        Record {
            partition: self.partition,
            key: owned(self.key),
            value: owned(self.value),
            headers: headers.collect(),
            timestamp: self.timestamp,
        }
    }

    /// Lends its headers as batches want them.
    pub(crate) fn lend(&self) -> Vec<Header<'_>> {
        let headers = self.headers.iter();
        headers.map(|header| Header { key: header.name.as_bytes(), value: header.value.as_deref() }).collect()
    }
}

impl Gateway {
    /// Appends records, each answered in its place.
    pub async fn append(&self, topic: &str, records: &[Record<'_>]) -> Vec<Result<Appended, Refusal>> {
        let sent = self.send(topic, records).await;
        self.settle(topic, records, sent).await
    }

    /// Takes records into batches; they are on their way when this returns.
    pub async fn send(&self, topic: &str, records: &[Record<'_>]) -> Vec<Sent> {
        let lent: Vec<_> = records.iter().map(Record::lend).collect();
        let outgoing = outgoing(topic, records, &lent);
        let mut sent = self.producer().send_all(&outgoing).await;
        // Partitions that were added since are not known to the producer.
        for (delivery, outgoing) in sent.iter_mut().zip(&outgoing) {
            let (Err(SendError::NoSuchPartition { .. }), Some(index)) = (&*delivery, outgoing.partition)
            else {
                continue;
            };
            self.client().forget(topic);
            let there = self.client().topic_when_known(topic).await;
            let count = there.map_or(0, |topic| topic.partitions);
            if usize::try_from(index.0).is_ok_and(|index| index < count) {
                *delivery = self.producer().send(*outgoing).await;
            }
        }
        told(topic, records, sent)
    }

    /// The same for who does not wait: nothing is taken where something stands in the way.
    #[must_use]
    pub fn send_now(&self, topic: &str, records: &[Record<'_>]) -> Option<Vec<Sent>> {
        let lent: Vec<_> = records.iter().map(Record::lend).collect();
        let sent = self.producer().send_all_now(&outgoing(topic, records, &lent))?;
        Some(told(topic, records, sent))
    }

    /// What became of records that were sent.
    pub async fn settle(
        &self,
        topic: &str,
        records: &[Record<'_>],
        sent: Vec<Sent>,
    ) -> Vec<Result<Appended, Refusal>> {
        let mut settled = Vec::with_capacity(sent.len());
        for (sent, record) in sent.into_iter().zip(records) {
            sent.arrive().await;
            settled.push(match (sent.result(topic), sent.delivery) {
                (Some(result), _) => result,
                (None, Ok(delivery)) => {
                    Box::pin(self.append_alone(topic, delivery.partition(), record)).await
                }
                (None, Err(refusal)) => Err(refusal),
            });
        }
        settled
    }

    /// Appends a record whose batch was refused as a whole: nothing of it was appended, and it may not be the culprit.
    async fn append_alone(
        &self,
        topic: &str,
        partition: PartitionIndex,
        record: &Record<'_>,
    ) -> Result<Appended, Refusal> {
        let refused = |refusal: Refusal| refusal.at(topic, Some(partition.0));
        let timestamp = record.timestamp.unwrap_or_else(|| self.runtime().now().wall);
        let headers = record.lend();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let fresh = NewRecord { timestamp, key, value, headers: &headers };
        let mut builder = BatchBuilder::new(Encoding::NONE);
        let built = builder.push(&fresh).and_then(|()| builder.build());
        let batch = built.map_err(|error| refused(Refusal::new(Code::InvalidRecord, error.to_string())))?;
        let produced = self.client().produce(topic, partition, Acks::All, &Bytes::from(batch)).await;
        let produced = produced.map_err(|error| refused(Refusal::of_client(&error)))?;
        Ok(Appended { partition, offset: produced.map(|produced| produced.base.0), duplicate: false })
    }

    /// Appends batches of a Kafka client's making as they are, one after another.
    pub async fn append_batches(
        &self,
        topic: &str,
        partition: PartitionIndex,
        body: &Bytes,
    ) -> Result<Vec<Appended>, Refusal> {
        let refused = |refusal: Refusal| refusal.at(topic, Some(partition.0));
        let mut rest = body.clone();
        let mut batches: Vec<CheckedBatch> = Vec::new();
        while !rest.is_empty() {
            let length = batch_length(&rest).filter(|length| *length <= rest.len());
            let length = length.ok_or_else(|| {
                refused(Refusal::new(Code::MalformedBody, "the last record batch is cut off"))
            })?;
            let batch = check(rest.split_to(length), &ANY);
            let batch = batch.map_err(|refusal| {
                refused(Refusal::new(
                    Code::InvalidRecord,
                    format!("record batch {}: {refusal}", batches.len()),
                ))
            })?;
            batches.push(batch);
        }
        let mut appended = Vec::with_capacity(batches.len());
        for batch in &batches {
            let produced = self.client().produce(topic, partition, Acks::All, batch.bytes()).await;
            let produced = produced.map_err(|error| refused(Refusal::of_client(&error)))?;
            appended.push(Appended {
                partition,
                offset: produced.map(|produced| produced.base.0),
                duplicate: false,
            });
        }
        Ok(appended)
    }

    /// Where Kafka's own clients put a record with this key.
    pub async fn partition_of(&self, topic: &str, key: &[u8]) -> Result<PartitionIndex, Refusal> {
        let known = self.client().topic_when_known(topic).await;
        let known = known.map_err(|error| Refusal::of_client(&error).at(topic, None))?;
        Ok(partition_of_key(key, known.partitions))
    }
}

/// Records as the producer takes them.
fn outgoing<'a>(
    topic: &'a str,
    records: &'a [Record<'_>],
    headers: &'a [Vec<Header<'a>>],
) -> Vec<Outgoing<'a>> {
    let each = records.iter().zip(headers).map(|(record, headers)| Outgoing {
        topic,
        partition: record.partition.map(PartitionIndex),
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers,
        timestamp: record.timestamp,
    });
    each.collect()
}

fn told(topic: &str, records: &[Record<'_>], sent: Vec<Result<Delivery, SendError>>) -> Vec<Sent> {
    let each = sent.into_iter().zip(records).map(|(delivery, record)| Sent {
        delivery: delivery.map_err(|error| Refusal::of_send(&error).at(topic, record.partition)),
    });
    each.collect()
}

/// The bytes that a batch claims to have: base offset and length field, then as many as that says.
fn batch_length(bytes: &[u8]) -> Option<usize> {
    let field: [u8; 4] = bytes.get(8..12)?.try_into().ok()?;
    usize::try_from(i32::from_be_bytes(field)).ok().map(|length| length + 12)
}

/// Whether one record's fault has a whole batch refused, that of others included.
fn spoils_others(error: &DeliveryError) -> bool {
    let spoils = |code: ErrorCode| {
        matches!(
            code,
            ErrorCode::INVALID_RECORD
                | ErrorCode::INVALID_TIMESTAMP
                | ErrorCode::MESSAGE_TOO_LARGE
                | ErrorCode::CORRUPT_MESSAGE
        )
    };
    matches!(error, DeliveryError::Refused { code, .. } if spoils(*code))
}
