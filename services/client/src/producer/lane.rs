//! `Lane`: the requests to one broker, a few under way at a time, answered in order.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use aquifer_record::{BuildError, Compression};
use aquifer_types::NodeId;
use aquifer_wire::messages::{ProduceRequest, ProduceResponse};
use tokio::sync::Notify;

use super::core::{Sent, Settled};
use super::handle::Shared;
use super::packing::{Answers, pack};
use super::queue::{Answer, Due};
use crate::cluster::Leader;
use crate::connection::{Connection, Reply};
use crate::error::{CallError, ClientError};
use crate::produce::Acks;

/// What one broker's requests are made from.
pub(crate) struct Lane {
    shared: Arc<Shared>,
    node: NodeId,
    woken: Arc<Notify>,
    under_way: VecDeque<UnderWay>,
}

struct UnderWay {
    batches: Vec<Sent>,
    reply: Reply<ProduceResponse>,
}

impl Lane {
    pub(crate) fn new(shared: Arc<Shared>, node: NodeId, woken: Arc<Notify>) -> Lane {
        Lane { shared, node, woken, under_way: VecDeque::new() }
    }

    /// Works until the producer is closed and nothing is under way.
    pub(crate) async fn run(mut self) {
        let runtime = self.shared.client.runtime().clone();
        loop {
            let room = self.under_way.len() < self.shared.settings.in_flight_max;
            let now = runtime.now();
            let (drained, freed) = {
                let mut core = self.shared.core();
                if core.is_closed() && self.under_way.is_empty() {
                    return;
                }
                let drained = core.drain(self.node, now, room);
                (drained, core.freed())
            };
            self.shared.give_back(freed);
            if !drained.batches.is_empty() {
                self.send(drained.batches).await;
                continue;
            }
            let due = async {
                match drained.due {
                    Due::Now => {}
                    Due::At(at) => runtime.sleep(at.since(now.monotonic)).await,
                    Due::Later => pending().await,
                }
            };
            tokio::select! {
                biased;
                answered = front(&mut self.under_way) => self.answered(answered),
                () = self.woken.notified() => {}
                () = due => {}
            }
        }
    }

    async fn send(&mut self, batches: Vec<Sent>) {
        let acks = self.shared.settings.acks;
        let (request, packed, failed) = self.pack(batches, acks);
        for (sent, error) in failed {
            self.settle(sent, Answer::Unpackable(error), false);
        }
        if packed.is_empty() {
            return;
        }
        let sent = match self.shared.client.connection(self.node).await {
            Ok(connection) => self.begin(&connection, &request).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(Some(reply)) => self.under_way.push_back(UnderWay { batches: packed, reply }),
            Ok(None) => {
                packed.into_iter().for_each(|sent| self.settle(sent, Answer::Unacknowledged, true));
            }
            Err(error) => self.fail(packed, error),
        }
    }

    async fn begin(
        &self,
        connection: &Connection,
        request: &ProduceRequest,
    ) -> Result<Option<Reply<ProduceResponse>>, ClientError> {
        if self.shared.settings.acks == Acks::None {
            connection.send_one_way(request).await?;
            return Ok(None);
        }
        Ok(Some(connection.begin(request).await?))
    }

    fn pack(&self, batches: Vec<Sent>, acks: Acks) -> (ProduceRequest, Vec<Sent>, Vec<(Sent, BuildError)>) {
        if self.shared.settings.encoding.compression == Compression::None {
            return pack(batches, acks);
        }
        self.shared.client.runtime().hold_up(&self.shared.packing, || pack(batches, acks))
    }

    fn answered(&mut self, answered: Result<ProduceResponse, CallError>) {
        let Some(UnderWay { batches, .. }) = self.under_way.pop_front() else { return };
        let response = match answered {
            Ok(response) => response,
            Err(error) => return self.fail(batches, error.into()),
        };
        let answers = Answers::of(&response);
        for sent in batches {
            let hint = answers.partition(&sent).map(|part| &part.current_leader);
            let hint = hint.and_then(|hint| Leader::from_hint(hint.leader_id, hint.leader_epoch));
            if let Some(leader) = hint {
                let endpoints = response.node_endpoints.iter();
                let endpoints = endpoints.map(|node| (node.node_id, &*node.host, node.port));
                self.shared.client.learn_leader(&sent.topic, sent.partition, leader, endpoints);
            }
            let answer = answers.answer(&sent);
            self.settle(sent, answer, hint.is_some());
        }
    }

    /// None of these reached the broker, as far as anybody knows.
    fn fail(&self, batches: Vec<Sent>, error: ClientError) {
        let error = Arc::new(error);
        for sent in batches {
            self.settle(sent, Answer::Failed(ClientError::Shared(Arc::clone(&error))), false);
        }
    }

    /// `knows_leader` says whether the broker named the leader with its answer.
    fn settle(&self, sent: Sent, answer: Answer, knows_leader: bool) {
        let runtime = self.shared.client.runtime();
        let (now, random) = (runtime.now(), runtime.random_u64());
        let topic = sent.topic.clone();
        let settled = self.shared.core().settle(sent, answer, now, random);
        if settled == Settled::Leaderless {
            if !knows_leader {
                self.shared.client.forget(&topic);
            }
            self.shared.router.notify_one();
        }
    }
}

async fn front(under_way: &mut VecDeque<UnderWay>) -> Result<ProduceResponse, CallError> {
    match under_way.front_mut() {
        Some(first) => first.reply.answer().await,
        None => pending().await,
    }
}
