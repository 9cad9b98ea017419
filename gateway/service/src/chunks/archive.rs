//! `Archive`: connections for reading history, apart from those that everybody else's answers come over.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aquifer_client::{Backoff, Client, ClientError, Connection, FetchSettings, Fetched};
use aquifer_types::{NodeId, Offset, TopicId, TopicPartition};
use aquifer_wire::{ErrorCode, Text};

use super::layout::Layouts;
use crate::refusal::{Code, Refusal};
use crate::room::Room;

/// Chunks that are sent at a time. Each holds three pieces in memory: one fetched, one ready, one on its way out.
const UNDER_WAY_MAX: usize = 48;
/// Connections that wait for the next chunk, for each broker.
const IDLE_MAX: usize = 4;
/// Names of topics by their ids; with more, all are asked for again.
const NAMES_MAX: usize = 10_000;
/// How long a broker may take to bring what it has, from object storage too.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it sits on one request.
const SITS: Duration = Duration::from_millis(500);
const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_LIMIT: Duration = Duration::from_secs(1);
/// A topic that brokers do not know so often is not there.
const UNKNOWN_TRIES: u32 = 4;

/// What reads of chunks share.
pub(crate) struct Archive {
    client: Client,
    idle: Mutex<BTreeMap<NodeId, Vec<Connection>>>,
    names: Mutex<BTreeMap<TopicId, Text>>,
    pub(super) layouts: Arc<Layouts>,
    pub(super) turns: Room,
}

/// The partition that a chunk is of.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) topic: Text,
    pub(super) place: TopicPartition,
}

impl Archive {
    pub(crate) fn new(client: Client, admission: Duration) -> Archive {
        let turns = Room::new(client.runtime().clone(), UNDER_WAY_MAX, admission, "another chunk");
        Archive { client, idle: Mutex::default(), names: Mutex::default(), layouts: Arc::default(), turns }
    }

    /// Other connections, in the same bounds, and what is known of chunks is known to both.
    pub(crate) fn over(&self, client: Client) -> Archive {
        let (layouts, turns) = (Arc::clone(&self.layouts), self.turns.clone());
        Archive { client, idle: Mutex::default(), names: Mutex::default(), layouts, turns }
    }

    /// The name of a topic.
    pub(super) async fn name_of(&self, id: TopicId) -> Result<Text, Refusal> {
        if let Some(name) = self.names().get(&id) {
            return Ok(name.clone());
        }
        let named = self.client.topic_names(&[id]).await.map_err(|error| Refusal::of_client(&error))?;
        let name = named.get(&id).cloned().ok_or_else(|| no_such(id))?;
        let mut names = self.names();
        if names.len() >= NAMES_MAX {
            names.clear();
        }
        names.insert(id, name.clone());
        Ok(name)
    }

    /// Forgets whose id this was.
    pub(super) fn forget(&self, id: TopicId) {
        self.names().remove(&id);
    }

    /// What stands from `offset` on, which is there: as much as fits, and the first batch however large it is.
    pub(super) async fn fetch(
        &self,
        source: &Source,
        offset: Offset,
        bytes: i32,
    ) -> Result<Fetched, Refusal> {
        let runtime = self.client.runtime();
        let until = runtime.now().monotonic.plus(PATIENCE);
        let mut backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_LIMIT);
        let mut unknown = 0;
        loop {
            let fetched = self.fetch_once(source, offset, bytes).await;
            let is_late = runtime.now().monotonic >= until;
            match fetched {
                Ok(None) => {
                    self.forget(source.place.topic);
                    return Err(self.at(source, no_such(source.place.topic)));
                }
                Ok(Some(fetched)) if !fetched.records.is_empty() => return Ok(fetched),
                // Brokers that read from object storage may bring nothing at first.
                Ok(Some(_)) if !is_late => {}
                Ok(Some(_)) => {
                    let detail = format!("the broker brought nothing of offset {offset} in time");
                    return Err(self.at(source, Refusal::new(Code::Unavailable, detail)));
                }
                Err(error) if error.code() == Some(ErrorCode::OFFSET_OUT_OF_RANGE) => {
                    let detail = format!("offset {offset} is no longer there");
                    return Err(self.at(source, Refusal::new(Code::ChunkGone, detail)));
                }
                Err(error) if !error.retriable() || is_late || unknown == UNKNOWN_TRIES => {
                    return Err(self.at(source, Refusal::of_client(&error)));
                }
                Err(error) => {
                    unknown += u32::from(is_unknown(&error));
                    self.client.forget(&source.topic);
                    runtime.sleep(backoff.draw(runtime.random_u64())).await;
                }
            }
        }
    }

    /// Nothing if the topic's name is another one's by now.
    async fn fetch_once(
        &self,
        source: &Source,
        offset: Offset,
        bytes: i32,
    ) -> Result<Option<Fetched>, ClientError> {
        let TopicPartition { topic: id, partition } = source.place;
        let (known, leader) = self.client.leader(&source.topic, partition).await?;
        if known.id != id {
            return Ok(None);
        }
        let waiting = self.idle().get_mut(&leader.node).and_then(Vec::pop);
        let connection = match waiting.filter(Connection::is_usable) {
            Some(connection) => connection,
            None => self.client.dedicated(leader.node).await?,
        };
        let settings = FetchSettings {
            bytes_min: 1,
            bytes_max: bytes,
            partition_bytes_max: bytes,
            wait_max: SITS,
            read_committed: true,
        };
        let response = connection.call(&settings.request_for(&source.topic, id, partition, offset)).await?;
        let mut idle = self.idle();
        let idle = idle.entry(leader.node).or_default();
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        if !response.error_code.is_none() {
            return Err(ClientError::Refused { code: response.error_code, message: None });
        }
        let answered = response.responses.first().and_then(|topic| topic.partitions.first());
        Fetched::from_partition(answered.ok_or(ClientError::Incomplete("the partition"))?).map(Some)
    }

    pub(super) fn at(&self, source: &Source, refusal: Refusal) -> Refusal {
        refusal.at(&source.topic, Some(source.place.partition.0))
    }

    fn idle(&self) -> MutexGuard<'_, BTreeMap<NodeId, Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<TopicId, Text>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_unknown(error: &ClientError) -> bool {
    matches!(
        error.code(),
        Some(
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
                | ErrorCode::UNKNOWN_TOPIC_ID
                | ErrorCode::INCONSISTENT_TOPIC_ID
        )
    )
}

pub(super) fn no_such(id: TopicId) -> Refusal {
    Refusal::new(Code::UnknownTopic, format!("no topic has the id {}", id.0))
}
