//! `Fetcher`: one broker's partitions over a fetch session on a connection of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aquifer_record::batches;
use aquifer_types::{LeaderEpoch, NodeId, Offset, ProducerId};
use aquifer_wire::messages::FetchResponse;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::chunk::Chunk;
use super::handle::{Message, Shared};
use super::state::Trouble;
use crate::backoff::Backoff;
use crate::connection::Connection;
use crate::error::ClientError;
use crate::fetch::Fetched;
use crate::fetch_session::{FetchSession, FromPartition, SessionError};
use crate::per_leader::Place;

const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_LIMIT: Duration = Duration::from_secs(1);

/// Fetches from one broker.
pub(crate) struct Fetcher {
    shared: Arc<Shared>,
    node: NodeId,
    woken: Arc<Notify>,
    session: FetchSession,
    connection: Option<Connection>,
    /// The partitions of the request under way, with the seeks they answer.
    asked: BTreeMap<Place, (u64, Offset)>,
}

impl Fetcher {
    pub(crate) fn new(shared: Arc<Shared>, node: NodeId, woken: Arc<Notify>) -> Fetcher {
        let session = FetchSession::new(shared.settings.fetch);
        Fetcher { shared, node, woken, session, connection: None, asked: BTreeMap::new() }
    }

    /// Works until the consumer is gone.
    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_LIMIT);
        while let Some(held) = self.room().await {
            if !self.choose() {
                drop(held);
                self.woken.notified().await;
                continue;
            }
            let failed = match self.fetch().await {
                Ok(response) => self.take(&response, held),
                Err(error) => self.lost(&error),
            };
            if failed {
                let runtime = self.shared.client.runtime();
                runtime.sleep(backoff.draw(runtime.random_u64())).await;
            } else {
                backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_LIMIT);
            }
        }
    }

    /// Waits until the buffer has room for a whole answer; nothing once the consumer is gone.
    async fn room(&self) -> Option<OwnedSemaphorePermit> {
        let claim = u32::try_from(self.shared.settings.fetch.bytes_max).unwrap_or(1);
        let claim = claim.min(self.shared.buffer_permits);
        Arc::clone(&self.shared.buffer).acquire_many_owned(claim).await.ok()
    }

    /// Makes the session want what the state wants; `false` if that is nothing.
    fn choose(&mut self) -> bool {
        let mut chosen = BTreeMap::new();
        {
            let state = self.shared.state();
            for (place, topic, version, wanted) in state.fetchable(self.node) {
                self.session.want(&place.0, topic, place.1, wanted);
                chosen.insert(place.clone(), (version, wanted.offset));
            }
        }
        for (topic, partition) in self.asked.keys().filter(|place| !chosen.contains_key(*place)) {
            self.session.forget(topic, *partition);
        }
        self.asked = chosen;
        !self.asked.is_empty()
    }

    async fn fetch(&mut self) -> Result<FetchResponse, ClientError> {
        let open = self.connection.take().filter(Connection::is_usable);
        let connection = match open {
            Some(connection) => connection,
            None => {
                self.session.end();
                self.shared.client.dedicated(self.node).await?
            }
        };
        let limit = self.shared.settings.fetch.wait_max + connection.request_timeout();
        let response = connection.call_within(&self.session.request(), limit).await?;
        self.connection = Some(connection);
        Ok(response)
    }

    /// Hands out what came; `true` if the broker should be left alone for a while.
    fn take(&mut self, response: &FetchResponse, held: OwnedSemaphorePermit) -> bool {
        let brought = match self.session.take(response) {
            Ok(brought) => brought,
            Err(SessionError::Over(_)) => return false,
            Err(SessionError::Refused(code)) => {
                return self.lost(&ClientError::Refused { code, message: None });
            }
        };
        let bytes: usize =
            brought.iter().map(|part| part.result.as_ref().map_or(0, |it| it.records.len())).sum();
        let held = Arc::new(keep(held, bytes));
        let mut failed = false;
        for part in brought {
            let place = (part.topic.clone(), part.partition);
            let Some((version, from)) = self.asked.get(&place).copied() else { continue };
            match part.result {
                Ok(fetched) => self.hand_out(place, version, from, fetched, &held),
                Err(ref error) => {
                    failed = true;
                    self.refused(&place, version, error, &part);
                }
            }
        }
        failed
    }

    fn hand_out(
        &self,
        place: Place,
        version: u64,
        from: Offset,
        fetched: Fetched,
        held: &Arc<OwnedSemaphorePermit>,
    ) {
        let high_watermark = if self.shared.settings.fetch.read_committed {
            fetched.last_stable_offset
        } else {
            fetched.high_watermark
        };
        let last = batches(&fetched.records).last().map(|last| (last.header.end(), last.header.epoch));
        if let Some((end, epoch)) = last {
            let end = end.max(from);
            if !self.shared.state().advance(&place, version, end, epoch) {
                return;
            }
            let held = Arc::clone(held);
            let aborted = sorted(fetched.aborted);
            self.shared.send(Message::Chunk(Chunk {
                topic: place.0.clone(),
                partition: place.1,
                from,
                end,
                high_watermark: fetched.high_watermark,
                last_epoch: Some(LeaderEpoch(epoch.0)).filter(|epoch| epoch.0 >= 0),
                records: fetched.records,
                aborted,
                version,
                _held: held,
            }));
        }
        if self.shared.state().reached_end(&place, version, high_watermark) {
            self.shared.send(Message::End { place, version, offset: high_watermark });
        }
    }

    fn refused(&self, place: &Place, version: u64, error: &ClientError, part: &FromPartition) {
        let trouble: Option<Trouble> = match error.code() {
            Some(code) => self.shared.state().refuse(place, version, code, part.leader),
            None => None,
        };
        if error.hints_at_stale_metadata() && part.leader.is_none() {
            self.shared.client.forget(&place.0);
        }
        if let Some(trouble) = trouble {
            self.shared.send(Message::Trouble(trouble));
        }
        self.shared.keeper.notify_one();
    }

    /// The broker gave no answer: its partitions' leaders are looked up again.
    fn lost(&mut self, error: &ClientError) -> bool {
        self.connection = None;
        self.session.end();
        let mut state = self.shared.state();
        for place in self.asked.keys() {
            if error.hints_at_stale_metadata() {
                self.shared.client.forget(&place.0);
            }
            state.lose_leader(place);
        }
        drop(state);
        self.shared.keeper.notify_one();
        true
    }
}

fn sorted(mut aborted: Vec<(ProducerId, Offset)>) -> Vec<(ProducerId, Offset)> {
    aborted.sort_unstable_by_key(|(_, first)| *first);
    aborted
}

/// Gives back what the answer did not take.
fn keep(mut held: OwnedSemaphorePermit, bytes: usize) -> OwnedSemaphorePermit {
    let surplus = held.num_permits().saturating_sub(bytes);
    drop(held.split(surplus));
    held
}
