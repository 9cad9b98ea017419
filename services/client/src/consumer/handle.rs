//! `Consumer`: the door through which records are consumed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aquifer_types::{NodeId, Offset, PartitionIndex};
use aquifer_wire::Text;
use tokio::sync::{Notify, Semaphore, mpsc};

use super::chunk::Chunk;
use super::fetcher::Fetcher;
use super::keeper::keep;
use super::settings::ConsumerSettings;
use super::start::Start;
use super::state::{State, Trouble};
use crate::client::Client;
use crate::error::ClientError;
use crate::per_leader::Place;

/// Consumes the partitions it is assigned.
pub struct Consumer {
    shared: Arc<Shared>,
    /// Not bounded by number: chunks hold their share of the buffer, and the others are few.
    messages: mpsc::UnboundedReceiver<Message>,
}

/// What a consumer's tasks have in common.
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) settings: ConsumerSettings,
    pub(crate) keeper: Notify,
    pub(crate) buffer: Arc<Semaphore>,
    pub(crate) buffer_permits: u32,
    state: Mutex<State>,
    fetchers: Mutex<BTreeMap<NodeId, Arc<Notify>>>,
    messages: mpsc::UnboundedSender<Message>,
}

/// From a fetcher or the keeper to the consumer.
pub(crate) enum Message {
    Chunk(Chunk),
    End {
        place: Place,
        version: u64,
        offset: Offset,
    },
    Trouble(Trouble),
    /// From a group's member.
    Assigned(Vec<Place>),
    Revoked(Vec<Place>),
    Refused(Arc<ClientError>),
}

/// What a consumer comes upon.
#[derive(Debug)]
pub enum Event {
    Records(Chunk),
    /// There is nothing more in the partition at the moment.
    End {
        topic: Text,
        partition: PartitionIndex,
        offset: Offset,
    },
    /// The group gave these to this member.
    Assigned(Vec<Place>),
    /// They are another's from here on, or nobody's.
    Revoked(Vec<Place>),
}

/// A partition cannot be read on; the others go on, and so does this one once it is sought anew.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    #[error("offset {offset} of partition {partition} of {topic} is out of range")]
    OutOfRange { topic: Text, partition: PartitionIndex, offset: Offset },
    #[error(
        "partition {partition} of {topic} was cut back to offset {end}, before offset {offset} that was read"
    )]
    Truncated { topic: Text, partition: PartitionIndex, offset: Offset, end: Offset },
    #[error("read partition {partition} of {topic}")]
    Failed { topic: Text, partition: PartitionIndex, source: Arc<ClientError> },
    /// Nothing more comes.
    #[error("the group does not take this member")]
    Group { source: Arc<ClientError> },
}

impl Consumer {
    #[must_use]
    pub fn new(client: Client, settings: ConsumerSettings) -> Consumer {
        let runtime = client.runtime().clone();
        let (sender, messages) = mpsc::unbounded_channel();
        let permits = settings.buffer_bytes_max.min(Semaphore::MAX_PERMITS);
        let shared = Arc::new(Shared {
            client,
            settings,
            keeper: Notify::new(),
            buffer: Arc::new(Semaphore::new(permits)),
            buffer_permits: u32::try_from(permits).unwrap_or(u32::MAX),
            state: Mutex::new(State::new(settings.out_of_range)),
            fetchers: Mutex::default(),
            messages: sender,
        });
        runtime.spawn("consumer keeper", keep(Arc::clone(&shared)));
        Consumer { shared, messages }
    }

    /// Reads a partition from there on; one that is read already is sought.
    pub fn assign(&self, topic: &str, partition: PartitionIndex, start: Start) {
        self.shared.seek([((Text::from(topic), partition), start)]);
    }

    /// Reads a partition no longer. What was fetched of it and not consumed is dropped.
    pub fn unassign(&self, topic: &str, partition: PartitionIndex) {
        self.shared.state().remove(&(Text::from(topic), partition));
    }

    /// Holds a partition, or lets it go on; what was fetched already still comes.
    pub fn pause(&self, topic: &str, partition: PartitionIndex, paused: bool) {
        self.shared.state().pause(&(Text::from(topic), partition), paused);
        self.shared.keeper.notify_one();
    }

    /// The offset that follows what was consumed, by partition, where it is known.
    #[must_use]
    pub fn positions(&self) -> BTreeMap<Place, Offset> {
        let state = self.shared.state();
        state.consumed().map(|(place, offset)| (place.clone(), offset)).collect()
    }

    /// What comes next, of whichever partition. May be cancelled.
    pub async fn next(&mut self) -> Result<Event, ConsumerError> {
        loop {
            let Some(message) = self.messages.recv().await else {
                // The shared part holds a sender for as long as this consumer lives.
                return std::future::pending().await;
            };
            match message {
                Message::Chunk(chunk) => {
                    let place = (chunk.topic.clone(), chunk.partition);
                    if self.shared.state().consume(&place, chunk.version, chunk.end) {
                        return Ok(Event::Records(chunk));
                    }
                }
                Message::End { place, version, offset } => {
                    if self.shared.state().is_current(&place, version) {
                        let (topic, partition) = place;
                        return Ok(Event::End { topic, partition, offset });
                    }
                }
                Message::Trouble(trouble) => return Err(trouble.into()),
                Message::Assigned(places) => return Ok(Event::Assigned(places)),
                Message::Revoked(places) => return Ok(Event::Revoked(places)),
                Message::Refused(source) => return Err(ConsumerError::Group { source }),
            }
        }
    }
}

impl Consumer {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.shared.buffer.close();
        self.shared.keeper.notify_one();
        Shared::wake_fetchers(&self.shared);
    }
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.buffer.is_closed()
    }

    pub(crate) fn seek(&self, starts: impl IntoIterator<Item = (Place, Start)>) {
        {
            let mut state = self.state();
            for (place, start) in starts {
                state.seek(place, start);
            }
        }
        self.keeper.notify_one();
    }

    /// Has the fetchers of all leaders look, each of which starts with its first partition.
    pub(crate) fn wake_fetchers(shared: &Arc<Shared>) {
        let leaders: Vec<NodeId> = shared.state().leaders().collect();
        let mut fetchers = shared.fetchers.lock().unwrap_or_else(PoisonError::into_inner);
        if !shared.is_closed() {
            for node in leaders {
                fetchers.entry(node).or_insert_with(|| {
                    let woken = Arc::new(Notify::new());
                    let fetcher = Fetcher::new(Arc::clone(shared), node, Arc::clone(&woken));
                    shared.client.runtime().spawn("consumer fetcher", fetcher.run());
                    woken
                });
            }
        }
        fetchers.values().for_each(|woken| woken.notify_one());
    }

    pub(crate) fn send(&self, message: Message) {
        // A consumer that is gone wants nothing more.
        let _ = self.messages.send(message);
    }
}

impl From<Trouble> for ConsumerError {
    fn from(trouble: Trouble) -> ConsumerError {
        match trouble {
            Trouble::OutOfRange { place: (topic, partition), offset } => {
                ConsumerError::OutOfRange { topic, partition, offset }
            }
            Trouble::Truncated { place: (topic, partition), offset, end } => {
                ConsumerError::Truncated { topic, partition, offset, end }
            }
            Trouble::Failed { place: (topic, partition), error } => {
                ConsumerError::Failed { topic, partition, source: error }
            }
        }
    }
}
