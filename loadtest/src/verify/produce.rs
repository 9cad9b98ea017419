//! Verified producers: idempotent, with several batches under way, through broken connections and restarts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use aquifer_client::{Acks, Address, Client, ClientError, Connection, Produced, ProducerIdentity, Reply};
use aquifer_record::{BatchBuilder, Encoding, NewRecord};
use aquifer_runtime::{Monotonic, Runtime, Task};
use aquifer_types::{PartitionIndex, TopicId};
use aquifer_wire::Text;
use aquifer_wire::messages::ProduceResponse;
use bytes::Bytes;

use crate::server::client;
use crate::verify::ledger::{Entry, Ledger};
use crate::verify::stamp::Stamp;

/// As many as a broker remembers of one producer.
const IN_FLIGHT: usize = 5;
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// What verified producers do.
#[derive(Clone, Debug)]
pub struct Producing {
    pub address: Address,
    pub topic: String,
    pub partitions: i32,
    /// Each writes to one partition, several may share one.
    pub producers: usize,
    pub records_per_batch: usize,
    pub record_bytes: usize,
    /// Of each producer; as many as the window allows if absent.
    pub batches_per_second: Option<f64>,
    /// Until killed or given up if absent.
    pub run_for: Option<Duration>,
    /// How long a broker may be away.
    pub give_up_after: Duration,
}

/// Produces until the time is over; says how many records were acknowledged. A broker that stays away ends it without
/// an error, as that is how the tests end it.
pub async fn produce(runtime: &Runtime, producing: &Producing, ledger: &Ledger) -> Result<u64> {
    ensure!(producing.record_bytes >= Stamp::RECORD_BYTES_MIN, "a record must hold its stamp");
    ensure!(producing.partitions > 0 && producing.records_per_batch > 0, "nothing would be produced");
    // One line must be whole before the next, whoever writes it; a ledger takes care of that by itself.
    let ledger = Arc::new(ledger.share()?);
    let mut tasks: Vec<Task<Result<u64>>> = Vec::new();
    for index in 0..producing.producers {
        let partition = i32::try_from(index)? % producing.partitions;
        let producer = Producer::start(runtime, producing, partition, Arc::clone(&ledger)).await?;
        tasks.push(runtime.spawn("verified producer", producer.run()));
    }
    let mut acknowledged = 0;
    for task in tasks {
        acknowledged += task.await.context("a producer failed")??;
    }
    Ok(acknowledged)
}

struct Producer {
    runtime: Runtime,
    client: Client,
    producing: Producing,
    partition: PartitionIndex,
    identity: ProducerIdentity,
    stamp: Stamp,
    /// Batches sent or to be sent again, oldest first.
    unacknowledged: VecDeque<Batch>,
    batches: i32,
    started: Monotonic,
    acknowledged: u64,
    ledger: Arc<Ledger>,
}

struct Batch {
    first: Stamp,
    bytes: Bytes,
    reply: Option<Reply<ProduceResponse>>,
}

/// Why a connection is no longer produced to.
enum Trouble {
    Broker(ClientError),
    /// Nothing is proven if what was acknowledged is not noted.
    Ledger(anyhow::Error),
}

struct Leader {
    connection: Connection,
    topic: Text,
    topic_id: TopicId,
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Trouble {
        Trouble::Broker(error)
    }
}

impl Producer {
    async fn start(
        runtime: &Runtime,
        producing: &Producing,
        partition: i32,
        ledger: Arc<Ledger>,
    ) -> Result<Producer> {
        let client = client(runtime, &producing.address);
        let identity = client.producer_identity().await.context("ask for a producer id")?;
        Ok(Producer {
            runtime: runtime.clone(),
            client,
            producing: producing.clone(),
            partition: PartitionIndex(partition),
            identity,
            stamp: Stamp { producer: runtime.random_u64(), partition, sequence: 0 },
            unacknowledged: VecDeque::new(),
            batches: 0,
            started: runtime.now().monotonic,
            acknowledged: 0,
            ledger,
        })
    }

    async fn run(mut self) -> Result<u64> {
        let ends = self.producing.run_for.map(|limit| self.started.plus(limit));
        let mut gives_up = self.started.plus(self.producing.give_up_after);
        loop {
            let acknowledged = self.acknowledged;
            match self.run_on_one_connection(ends).await {
                Ok(()) => return Ok(self.acknowledged),
                Err(Trouble::Ledger(error)) => return Err(error),
                Err(Trouble::Broker(error)) if !error.retriable() => {
                    bail!("partition {}: {error}", self.partition);
                }
                Err(Trouble::Broker(error)) => {
                    let now = self.runtime.now().monotonic;
                    if self.acknowledged > acknowledged {
                        gives_up = now.plus(self.producing.give_up_after);
                    }
                    if now > gives_up {
                        eprintln!("partition {}: giving up: {error}", self.partition);
                        return Ok(self.acknowledged);
                    }
                }
            }
            // Everything unanswered goes out again, in order, under the sequences it had.
            self.unacknowledged.iter_mut().for_each(|batch| batch.reply = None);
            self.client.forget(&self.producing.topic);
            self.runtime.sleep(RETRY_INTERVAL).await;
        }
    }

    async fn run_on_one_connection(&mut self, ends: Option<Monotonic>) -> Result<(), Trouble> {
        let (topic, leader) = self.client.leader(&self.producing.topic, self.partition).await?;
        let leader = Leader {
            connection: self.client.connection(leader.node).await?,
            topic: Text::from(self.producing.topic.as_str()),
            topic_id: topic.id,
        };
        for index in 0..self.unacknowledged.len() {
            self.send(&leader, index).await?;
        }
        loop {
            let is_over = ends.is_some_and(|ends| self.runtime.now().monotonic >= ends);
            while !is_over && self.unacknowledged.len() < IN_FLIGHT {
                let wait = self.until_due();
                if !wait.is_zero() {
                    if self.unacknowledged.is_empty() {
                        self.runtime.sleep(wait).await;
                        continue;
                    }
                    break;
                }
                let batch = self.next_batch();
                self.unacknowledged.push_back(batch);
                self.send(&leader, self.unacknowledged.len() - 1).await?;
            }
            if self.unacknowledged.is_empty() {
                return Ok(());
            }
            self.take_answer().await?;
        }
    }

    async fn send(&mut self, leader: &Leader, index: usize) -> Result<(), ClientError> {
        let batch = &mut self.unacknowledged[index];
        let bytes = batch.bytes.clone();
        let request = Acks::All.request(&leader.topic, leader.topic_id, self.partition, bytes);
        batch.reply = Some(leader.connection.begin(&request).await?);
        Ok(())
    }

    async fn take_answer(&mut self) -> Result<(), Trouble> {
        let Some(batch) = self.unacknowledged.front_mut() else { return Ok(()) };
        let Some(reply) = &mut batch.reply else { return Ok(()) };
        let produced = Produced::from_response(&reply.answer().await.map_err(ClientError::from)?)?;
        let entry = Entry {
            partition: self.partition.0,
            base_offset: produced.base.0,
            producer: batch.first.producer,
            sequence: batch.first.sequence,
            records: self.producing.records_per_batch as u64,
        };
        self.unacknowledged.pop_front();
        self.acknowledged += entry.records;
        self.ledger.note(&entry).map_err(Trouble::Ledger)
    }

    /// How long until the next batch may go, where there is a rate.
    fn until_due(&self) -> Duration {
        let Some(rate) = self.producing.batches_per_second else { return Duration::ZERO };
        let due = self.started.plus(Duration::from_secs_f64(f64::from(self.batches) / rate));
        due.since(self.runtime.now().monotonic)
    }

    fn next_batch(&mut self) -> Batch {
        let first = self.stamp;
        let mut builder = BatchBuilder::new(Encoding::NONE);
        let timestamp = self.runtime.now().wall;
        let records = i32::try_from(self.producing.records_per_batch).unwrap_or(i32::MAX);
        builder.producer(self.identity.id, self.identity.epoch, self.batches.wrapping_mul(records));
        self.batches += 1;
        let mut value = vec![0; self.producing.record_bytes];
        for _ in 0..records {
            self.stamp.write(&mut value);
            self.stamp.sequence += 1;
            let record = NewRecord { timestamp, value: Some(&value), ..NewRecord::default() };
            builder.push(&record).expect("a few records fit a batch");
        }
        Batch { first, bytes: Bytes::from(builder.build().expect("there are records")), reply: None }
    }
}
