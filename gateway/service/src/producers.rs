//! Records in exactly once: producer sessions and one-shot keys.
//!
//! Every partition of a request gets one batch, never merged with others', so that a retry through any node makes the
//! same batches and brokers know them again.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use aquifer_client::{ClientError, FetchSettings, RecordReader, Topic, partition_of_key};
use aquifer_record::{BatchBuilder, Encoding, Header, NewRecord};
use aquifer_session::{Cursor, OneShot, Positions, ProducerSession};
use aquifer_types::{FencingToken, Offset, PartitionIndex, ProducerEpoch, TopicPartition};
use aquifer_wire::ErrorCode;
use bytes::Bytes;

use crate::gateway::Gateway;
use crate::numbered::Numbered;
use crate::principal::Principal;
use crate::produce::{Appended, Record};
use crate::refusal::{Code, Refusal};
use crate::session::refused_token;

const KEY_BYTES_MAX: usize = 255;

/// A producer session that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedProducer {
    pub id: String,
    pub epoch: i16,
    pub partitions: usize,
    /// Of a producer that has sent nothing.
    pub state: String,
}

/// What makes a request safe to send again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Once {
    /// A session's records, numbered in their one partition.
    Sequence { producer: String, epoch: i16, first: i32 },
    /// A session's records, numbered by the state that the last answer told.
    State { producer: String, epoch: i16, state: String },
    /// A key of the client's own for this one request.
    Key(String),
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    pub results: Vec<Result<Appended, Refusal>>,
    /// For the session's next request.
    pub state: Option<String>,
}

/// Records by the partition that they go to, by their places in the request.
type Parts = BTreeMap<PartitionIndex, Vec<usize>>;

impl Gateway {
    /// A producer of one topic, whose sequences start at 0 in every partition.
    pub async fn open_producer(&self, principal: &Principal, topic: &str) -> Result<OpenedProducer, Refusal> {
        let refused = |error: ClientError| Refusal::of_client(&error).at(topic, None);
        let known = self.client().topic_when_known(topic).await.map_err(refused)?;
        let identity = self.client().producer_identity().await.map_err(refused)?;
        let session = ProducerSession {
            cluster: self.cluster().await?,
            principal: principal.name().to_owned(),
            id: identity.id,
            topic: known.id,
            partitions: u32::try_from(known.partitions).unwrap_or(u32::MAX),
        };
        Ok(OpenedProducer {
            id: session.seal(self.keys(), self.nonce()),
            epoch: identity.epoch.0,
            partitions: known.partitions,
            state: Cursor::of_topic(known.id, Positions::new()).to_string(),
        })
    }

    /// Appends records once, however often the request comes.
    pub(crate) async fn append_once(
        &self,
        principal: &Principal,
        topic: &str,
        records: &[Record<'_>],
        once: &Once,
        token: Option<FencingToken>,
    ) -> Result<Settled, Refusal> {
        let known = self.client().topic_when_known(topic).await;
        let known = known.map_err(|error| Refusal::of_client(&error).at(topic, None))?;
        match once {
            Once::Key(key) => self.append_by_key(principal, topic, &known, records, (key, token)).await,
            Once::Sequence { producer, epoch, first } => {
                let session = self.session_of(principal, topic, &known, producer).await?;
                let parts = parts(records, session.partitions, home(&session))?;
                if parts.len() > 1 {
                    let detail = "records with a Producer-Seq go to one partition, or bring producer_state";
                    return Err(Refusal::new(Code::InvalidRecord, detail));
                }
                let results = self.append_parts(topic, records, &parts, |_, count| Numbered {
                    id: session.id,
                    epoch: ProducerEpoch(*epoch),
                    sequence: *first,
                    count,
                    is_session: true,
                    token,
                });
                Ok(Settled { results: results.await, state: None })
            }
            Once::State { producer, epoch, state } => {
                let session = self.session_of(principal, topic, &known, producer).await?;
                let parts = parts(records, session.partitions, home(&session))?;
                let cursor = Cursor::parse(state).and_then(|cursor| cursor.in_topic(known.id));
                let next = cursor
                    .map_err(|error| Refusal::new(Code::InvalidCursor, format!("producer_state: {error}")))?;
                let place = |partition| TopicPartition { topic: known.id, partition };
                let sequence = |partition| {
                    let next = next.get(&place(partition)).map_or(0, |next| next.0);
                    i32::try_from(next).unwrap_or(0)
                };
                let results = self.append_parts(topic, records, &parts, |partition, count| Numbered {
                    id: session.id,
                    epoch: ProducerEpoch(*epoch),
                    sequence: sequence(partition),
                    count,
                    is_session: true,
                    token,
                });
                let results = results.await;
                let mut after_these = next.clone();
                for (partition, places) in &parts {
                    if places.iter().all(|place| results[*place].is_ok()) {
                        let count = i32::try_from(places.len()).unwrap_or(i32::MAX);
                        let after = aquifer_record::sequence_after(sequence(*partition), count);
                        after_these.insert(place(*partition), Offset(i64::from(after)));
                    }
                }
                let state = Cursor::of_topic(known.id, after_these).to_string();
                Ok(Settled { results, state: Some(state) })
            }
        }
    }

    async fn session_of(
        &self,
        principal: &Principal,
        topic: &str,
        known: &Topic,
        producer: &str,
    ) -> Result<ProducerSession, Refusal> {
        let cluster = self.cluster().await?;
        let opened = ProducerSession::open(self.keys(), producer, cluster, principal.name());
        let session = opened.map_err(refused_token)?;
        if session.topic != known.id {
            let detail =
                format!("the producer is of another topic than {topic}, or of one of its name before");
            return Err(Refusal::new(Code::ForeignToken, detail));
        }
        Ok(session)
    }

    async fn append_by_key(
        &self,
        principal: &Principal,
        topic: &str,
        known: &Topic,
        records: &[Record<'_>],
        (key, token): (&str, Option<FencingToken>),
    ) -> Result<Settled, Refusal> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            let detail = format!("an Idempotency-Key has 1 to {KEY_BYTES_MAX} bytes");
            return Err(Refusal::new(Code::InvalidParameter, detail));
        }
        let one = OneShot::of(principal.name(), known.id, key);
        let count = u32::try_from(known.partitions).unwrap_or(u32::MAX);
        let home = one.partition(count).unwrap_or(PartitionIndex(0));
        let parts = parts(records, count, home)?;
        let numbered = |_, count| Numbered {
            id: one.id,
            epoch: ProducerEpoch(0),
            sequence: 0,
            count,
            is_session: false,
            token,
        };
        let mut results = self.append_parts(topic, records, &parts, numbered).await;
        let conflict = |partition: &PartitionIndex| {
            let detail = "the Idempotency-Key was used for other records";
            Refusal::new(Code::IdempotencyConflict, detail).at(topic, Some(partition.0))
        };
        for (partition, places) in &parts {
            let spoiled = match &results[places[0]] {
                // Another number of records was sent with this key.
                Err(refusal) => refusal.code == Code::SequenceGap,
                Ok(appended) if appended.duplicate => {
                    !self.stands_there(topic, *partition, appended.offset, records, places).await?
                }
                Ok(_) => false,
            };
            if spoiled {
                places.iter().for_each(|place| results[*place] = Err(conflict(partition)));
            }
        }
        Ok(Settled { results, state: None })
    }

    /// Whether what was appended before are these records. What retention took is believed.
    async fn stands_there(
        &self,
        topic: &str,
        partition: PartitionIndex,
        base: Option<i64>,
        records: &[Record<'_>],
        places: &[usize],
    ) -> Result<bool, Refusal> {
        let Some(base) = base.map(Offset) else { return Ok(true) };
        let settings = FetchSettings { bytes_min: 0, wait_max: Duration::ZERO, ..FetchSettings::default() };
        let fetched = match self.client().fetch(topic, partition, base, &settings).await {
            Ok(fetched) => fetched,
            Err(error) if error.code() == Some(ErrorCode::OFFSET_OUT_OF_RANGE) => return Ok(true),
            Err(error) => return Err(Refusal::of_client(&error).at(topic, Some(partition.0))),
        };
        let mut same = true;
        let read = RecordReader::default().read_fetched(&fetched, base, |stored| {
            // By its offset: compaction may have taken some of them.
            let index = usize::try_from(stored.offset.0 - base.0).ok();
            let Some(record) = index.and_then(|index| places.get(index)).map(|place| &records[*place]) else {
                return ControlFlow::Break(());
            };
            let headers: Vec<Header<'_>> = stored.headers.collect();
            same &= stored.key == record.key.as_deref()
                && stored.value == record.value.as_deref()
                && headers == record.lend();
            if same { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        match read {
            Ok(_) => Ok(same),
            Err(error) => Err(Refusal::new(Code::Corrupt, error.to_string())),
        }
    }

    /// Appends one batch to each partition, and tells the outcome of each record in its place.
    async fn append_parts(
        &self,
        topic: &str,
        records: &[Record<'_>],
        parts: &Parts,
        numbered: impl Fn(PartitionIndex, i32) -> Numbered,
    ) -> Vec<Result<Appended, Refusal>> {
        let appends = parts.iter().map(|(partition, places)| async {
            let numbered = numbered(*partition, i32::try_from(places.len()).unwrap_or(i32::MAX));
            let batch = self.batch(places.iter().map(|place| &records[*place]), Some(numbered));
            let appended = match batch {
                Ok(batch) => self.append_numbered(topic, *partition, &batch, numbered).await,
                Err(refusal) => Err(refusal),
            };
            appended.map_err(|refusal| refusal.at(topic, Some(partition.0)))
        });
        let appended = futures_util::future::join_all(appends).await;
        let mut results: Vec<_> =
            records.iter().map(|_| Err(Refusal::new(Code::Internal, "a record was left out"))).collect();
        for ((partition, places), outcome) in parts.iter().zip(appended) {
            for (index, place) in (0..).zip(places) {
                results[*place] = outcome.clone().map(|(base, duplicate)| Appended {
                    offset: base.map(|base| base.0 + index),
                    ..placed(*partition, Offset(0), index, duplicate)
                });
            }
        }
        results
    }

    pub(crate) fn batch<'a>(
        &self,
        records: impl Iterator<Item = &'a Record<'a>>,
        numbered: Option<Numbered>,
    ) -> Result<Bytes, Refusal> {
        let now = self.runtime().now().wall;
        let mut builder = BatchBuilder::new(Encoding::NONE);
        if let Some(Numbered { id, epoch, sequence, .. }) = numbered {
            builder.producer(id, epoch, sequence);
        }
        for record in records {
            let headers = record.lend();
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            let timestamp = record.timestamp.unwrap_or(now);
            let pushed = builder.push(&NewRecord { timestamp, key, value, headers: &headers });
            pushed.map_err(|error| Refusal::new(Code::InvalidRecord, error.to_string()))?;
        }
        let built = builder.build().map_err(|error| Refusal::new(Code::InvalidRecord, error.to_string()))?;
        Ok(built.into())
    }
}

/// Where records without a key and a partition of a session go.
fn home(session: &ProducerSession) -> PartitionIndex {
    let count = i64::from(session.partitions.max(1));
    PartitionIndex(i32::try_from(session.id.0.rem_euclid(count)).unwrap_or(0))
}

/// Which record goes where: by name, else by key among the partitions there were at first, else home.
fn parts(records: &[Record<'_>], partitions: u32, home: PartitionIndex) -> Result<Parts, Refusal> {
    let count = usize::try_from(partitions).unwrap_or(usize::MAX);
    let mut parts = Parts::new();
    for (index, record) in records.iter().enumerate() {
        let partition = match (record.partition, &record.key) {
            (Some(partition), _) => PartitionIndex(partition),
            (None, Some(key)) => partition_of_key(key, count),
            (None, None) => home,
        };
        if usize::try_from(partition.0).map_or(true, |index| index >= count) {
            let detail =
                format!("records[{index}]: there are {partitions} partitions, and no partition {partition}");
            return Err(Refusal::new(Code::UnknownPartition, detail));
        }
        parts.entry(partition).or_default().push(index);
    }
    Ok(parts)
}

pub(crate) fn placed(partition: PartitionIndex, base: Offset, index: i64, duplicate: bool) -> Appended {
    Appended { partition, offset: Some(base.0 + index), duplicate }
}

#[cfg(test)]
mod producers_test {
    use super::*;

    #[test]
    fn records_go_by_name_then_by_key_then_home() {
        let of = |partition, key: Option<&'static str>| Record {
            partition,
            key: key.map(|key| key.as_bytes().into()),
            ..Record::default()
        };
        let records = [of(Some(2), Some("k")), of(None, Some("k")), of(None, None), of(None, Some("k"))];
        let parts = parts(&records, 3, PartitionIndex(1)).expect("they fit");
        let hashed = partition_of_key(b"k", 3);
        assert!(parts[&hashed].contains(&1) && parts[&hashed].contains(&3));
        assert!(parts[&PartitionIndex(2)].contains(&0) && parts[&PartitionIndex(1)].contains(&2));
        assert_eq!(
            super::parts(&[of(Some(3), None)], 3, PartitionIndex(0)).map_err(|it| it.code),
            Err(Code::UnknownPartition)
        );
    }
}
