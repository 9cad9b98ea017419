//! The member task: heartbeats, giving up and taking partitions, commits in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aquifer_runtime::Monotonic;
use aquifer_types::{NodeId, TopicId};
use aquifer_wire::Text;
use aquifer_wire::messages::ConsumerGroupHeartbeatRequest;

use super::handle::Shared;
use super::membership::{Partitions, Verdict};
use super::settings::Commit;
use crate::backoff::Backoff;
use crate::connection::Connection;
use crate::consumer::{Message, Start};
use crate::error::ClientError;
use crate::per_leader::Place;

const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_LIMIT: Duration = Duration::from_secs(1);

/// Keeps the membership alive.
pub(crate) struct Member {
    shared: Arc<Shared>,
    /// Nobody else's: a heartbeat must not wait behind a fetch.
    connection: Option<Connection>,
    names: BTreeMap<TopicId, Text>,
    backoff: Backoff,
    committed_at: Monotonic,
    /// To be given up, whatever the target is meanwhile; and when that is done however much is still being dealt with.
    letting_go: Option<(Partitions, Monotonic)>,
}

impl Member {
    pub(crate) fn new(shared: Arc<Shared>) -> Member {
        let committed_at = shared.client().runtime().now().monotonic;
        let backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_LIMIT);
        Member { shared, connection: None, names: BTreeMap::new(), backoff, committed_at, letting_go: None }
    }

    /// Works until the group is left, or does not take us.
    pub(crate) async fn run(mut self) {
        loop {
            if self.shared.leaves() {
                self.leave().await;
                break;
            }
            let heartbeat = self.shared.membership().heartbeat();
            let heard = self.say(&heartbeat).await;
            let verdict = match heard {
                Ok(verdict) => verdict,
                Err(error) if error.retriable() => {
                    self.shared.membership().unheard();
                    Verdict::Again { elsewhere: true }
                }
                Err(error) => {
                    self.shared.consumer.send(Message::Refused(Arc::new(error)));
                    break;
                }
            };
            match verdict {
                Verdict::Member => self.after_heartbeat().await,
                Verdict::Fenced => self.lose_everything(),
                Verdict::Again { elsewhere } => {
                    if elsewhere {
                        self.connection = None;
                    }
                    self.rest(None).await;
                }
                Verdict::Refused(code) => {
                    let error = ClientError::Refused { code, message: None };
                    self.shared.consumer.send(Message::Refused(Arc::new(error)));
                    break;
                }
            }
        }
        self.shared.left.add_permits(1);
    }

    async fn after_heartbeat(&mut self) {
        self.backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_LIMIT);
        let (release, take) = {
            let membership = self.shared.membership();
            (membership.to_release(), membership.to_take())
        };
        if self.letting_go.is_some() || !release.is_empty() {
            if !self.let_go(release).await {
                // The group hears from us until whoever consumes comes back.
                return self.rest(Some(self.patience())).await;
            }
        } else if !take.is_empty() && self.take(&take).await.is_err() {
            // The coordinator waits for us, and hears from us meanwhile.
            return self.rest(None).await;
        }
        self.commit_if_due().await;
        let (news, interval) = {
            let membership = self.shared.membership();
            (membership.has_news(), membership.interval())
        };
        if !news {
            self.rest(Some(interval)).await;
        }
    }

    /// Waits for the next heartbeat's time, or for a reason to look before.
    async fn rest(&mut self, interval: Option<Duration>) {
        let runtime = self.shared.client().runtime().clone();
        let wait = interval.unwrap_or_else(|| self.backoff.draw(runtime.random_u64()));
        let until = runtime.now().monotonic.plus(wait);
        loop {
            let left = until.since(runtime.now().monotonic);
            // What went wrong is not tried again sooner for that.
            let can_go_on = interval.is_some() && self.can_let_go();
            if left.is_zero() || self.shared.leaves() || can_go_on {
                return;
            }
            let commit_in = self.commit_due().map_or(left, |due| due.since(runtime.now().monotonic));
            tokio::select! {
                biased;
                () = self.shared.woken.notified() => {}
                () = runtime.sleep(left.min(commit_in)) => {}
            }
            self.commit_if_due().await;
        }
    }

    fn commit_due(&self) -> Option<Monotonic> {
        match self.shared.settings.commit {
            Commit::ByHand => None,
            Commit::Every(interval) => Some(self.committed_at.plus(interval)),
        }
    }

    async fn commit_if_due(&mut self) {
        let now = self.shared.client().runtime().now().monotonic;
        if self.commit_due().is_some_and(|due| due <= now) {
            let runtime = self.shared.client().runtime();
            // What could not be committed in time for the next heartbeat stays to be committed next time.
            let _ = runtime.timeout(self.patience(), self.shared.commit_done()).await;
            self.committed_at = self.shared.client().runtime().now().monotonic;
        }
    }

    /// Gives partitions up once whoever consumes has dealt with what it was given of them, so that nobody reads it again;
    /// `false` while that is waited for. Who commits by hand commits in time or not at all.
    async fn let_go(&mut self, partitions: Partitions) -> bool {
        let now = self.shared.client().runtime().now().monotonic;
        let (partitions, until) = self
            .letting_go
            .take()
            .unwrap_or_else(|| (partitions, now.plus(self.shared.settings.rebalance_timeout / 2)));
        let places = self.places(&partitions);
        self.shared.let_go(&places);
        let waits = self.shared.settings.commit != Commit::ByHand && now < until;
        if waits && self.shared.is_awaited(&places) {
            self.letting_go = Some((partitions, until));
            return false;
        }
        self.release(&partitions).await;
        true
    }

    /// Whether what was waited for has been dealt with, or has taken too long.
    fn can_let_go(&self) -> bool {
        self.letting_go.as_ref().is_some_and(|(partitions, until)| {
            *until <= self.shared.client().runtime().now().monotonic
                || !self.shared.is_awaited(&self.places(partitions))
        })
    }

    /// Gives partitions up: nothing more comes from them, and what was consumed of them is committed.
    async fn release(&mut self, partitions: &Partitions) {
        let places = self.places(partitions);
        self.shared.let_go(&places);
        if self.shared.settings.commit != Commit::ByHand {
            let limit = self.shared.settings.rebalance_timeout / 2;
            let committing = self.shared.commit_done();
            // A group that takes no commits must not keep the others waiting; they read again what was not committed.
            let _ = self.shared.client().runtime().timeout(limit, committing).await;
        }
        self.shared.let_gone(&places);
        self.shared.membership().release(partitions);
        self.shared.consumer.send(Message::Revoked(places));
    }

    /// How long anything may take between two heartbeats.
    fn patience(&self) -> Duration {
        self.shared.membership().interval()
    }

    /// Takes partitions from where the group is in them.
    async fn take(&mut self, partitions: &Partitions) -> Result<(), ClientError> {
        let (runtime, patience) = (self.shared.client().runtime().clone(), self.patience());
        let taken = runtime.timeout(patience, self.take_slowly(partitions)).await;
        taken.unwrap_or(Err(ClientError::NoBroker))
    }

    async fn take_slowly(&mut self, partitions: &Partitions) -> Result<(), ClientError> {
        let unnamed: Vec<TopicId> = partitions
            .iter()
            .map(|(topic, _)| *topic)
            .filter(|topic| !self.names.contains_key(topic))
            .collect();
        let found = self.shared.client().topic_names(&unnamed).await?;
        self.names.extend(found);
        // A topic that was just created may have no name yet; it is taken with a later heartbeat.
        let named: Partitions =
            partitions.iter().filter(|(topic, _)| self.names.contains_key(topic)).copied().collect();
        if named.is_empty() {
            return Err(ClientError::Incomplete("the names of assigned topics"));
        }
        let committed = self.shared.client().group_offsets(&self.shared.settings.group).await?;
        let places = self.places(&named);
        let starts = places.iter().map(|place| {
            let start = committed.get(place).map(|at| Start::Offset(at.offset));
            (place.clone(), start.unwrap_or(self.shared.settings.start))
        });
        self.shared.consumer.seek(starts.collect::<Vec<_>>());
        self.shared.membership().own(named);
        self.shared.consumer.send(Message::Assigned(places));
        Ok(())
    }

    /// Others may own what was ours, so nothing is committed.
    fn lose_everything(&mut self) {
        let mut places: Vec<Place> = self.shared.consumer.state().places().cloned().collect();
        // What was being given up is stopped already.
        let letting_go = self.letting_go.take().map(|(partitions, _)| self.places(&partitions));
        places.extend(letting_go.into_iter().flatten());
        self.shared.lose(&places);
        if !places.is_empty() {
            self.shared.consumer.send(Message::Revoked(places));
        }
    }

    async fn leave(&mut self) {
        let owned = self.shared.membership().owned().clone();
        self.letting_go = None;
        self.release(&owned).await;
        let farewell = self.shared.membership().farewell();
        // Whoever is not heard leaves when its session is over.
        let _ = self.say(&farewell).await;
    }

    async fn say(&mut self, heartbeat: &ConsumerGroupHeartbeatRequest) -> Result<Verdict, ClientError> {
        let open = self.connection.take().filter(Connection::is_usable);
        let connection = match open {
            Some(connection) => connection,
            None => {
                let node: NodeId = self.shared.client().coordinator(&self.shared.settings.group).await?;
                self.shared.client().dedicated(node).await?
            }
        };
        let response = connection.call(heartbeat).await?;
        self.connection = Some(connection);
        Ok(self.shared.membership().take(&response))
    }

    fn places(&self, partitions: &Partitions) -> Vec<Place> {
        let named =
            partitions.iter().filter_map(|(topic, index)| Some((self.names.get(topic)?.clone(), *index)));
        named.collect()
    }
}
