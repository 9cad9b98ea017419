//! Requests about many partitions, each sent to the broker that leads it, and again where that helps.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use aquifer_types::{NodeId, PartitionIndex};
use aquifer_wire::{ErrorCode, Text};

use crate::client::Client;
use crate::cluster::Leader;
use crate::error::ClientError;

/// A partition may be unknown for a moment after its topic was created; one that is unknown so often is not there.
const UNKNOWN_TRIES: u32 = 4;

/// A partition by its topic's name.
pub type Place = (Text, PartitionIndex);

/// One question, asked of several brokers about the partitions that they lead.
pub(crate) trait PerLeader: Sync {
    type Answer: Send;

    /// Asks `node` about those of `places` that it leads, by their index.
    fn ask(
        &self,
        client: &Client,
        node: NodeId,
        led: &[(usize, Leader)],
    ) -> impl Future<Output = Result<Answers<Self::Answer>, ClientError>> + Send;
}

/// What a broker said, by the index of the place.
pub(crate) type Answers<T> = Vec<(usize, Result<T, ClientError>)>;

impl Client {
    /// The answer for each place, in their order.
    pub(crate) async fn ask_leaders<Q: PerLeader>(
        &self,
        places: &[Place],
        question: &Q,
    ) -> Vec<Result<Q::Answer, ClientError>> {
        let mut answers: BTreeMap<usize, Result<Q::Answer, ClientError>> = BTreeMap::new();
        let mut open: Vec<usize> = (0..places.len()).collect();
        let mut retry = self.retry();
        let mut unknown = 0;
        while !open.is_empty() {
            for (index, answer) in self.ask_once(places, &open, question).await {
                answers.insert(index, answer);
            }
            open.retain(|index| match answers.get(index) {
                Some(Err(error)) => error.retriable(),
                Some(Ok(_)) => false,
                None => true,
            });
            let Some(first) = open.first() else { break };
            let last = match answers.remove(first) {
                Some(Err(error)) => Arc::new(error),
                _ => Arc::new(ClientError::Incomplete("a partition")),
            };
            for index in &open {
                self.forget(&places[*index].0);
            }
            unknown += u32::from(last.code() == Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
            let goes_on = unknown < UNKNOWN_TRIES;
            let again = match goes_on {
                true => retry.after(ClientError::Shared(Arc::clone(&last)), None).await.is_ok(),
                false => false,
            };
            if !again {
                for index in open.drain(..) {
                    let shared = || Err(ClientError::Shared(Arc::clone(&last)));
                    answers.entry(index).or_insert_with(shared);
                }
            }
        }
        answers.into_values().collect()
    }

    async fn ask_once<Q: PerLeader>(
        &self,
        places: &[Place],
        open: &[usize],
        question: &Q,
    ) -> Answers<Q::Answer> {
        let mut answers = Vec::new();
        let mut by_node: BTreeMap<NodeId, Vec<(usize, Leader)>> = BTreeMap::new();
        for index in open {
            let (topic, partition) = &places[*index];
            match self.leader(topic, *partition).await {
                Ok((_, leader)) => by_node.entry(leader.node).or_default().push((*index, leader)),
                Err(error) => answers.push((*index, Err(error))),
            }
        }
        for (node, led) in by_node {
            match question.ask(self, node, &led).await {
                Ok(answered) => answers.extend(answered),
                Err(error) => {
                    let shared = Arc::new(error);
                    let failed = |(index, _)| (index, Err(ClientError::Shared(Arc::clone(&shared))));
                    answers.extend(led.into_iter().map(failed));
                }
            }
        }
        answers
    }
}

/// The places of one request by topic, as requests want them.
pub(crate) fn by_topic<'a>(
    places: &'a [Place],
    led: &[(usize, Leader)],
) -> BTreeMap<&'a Text, Vec<(usize, Leader, PartitionIndex)>> {
    let mut topics: BTreeMap<&Text, Vec<_>> = BTreeMap::new();
    for (index, leader) in led {
        let (topic, partition) = &places[*index];
        topics.entry(topic).or_default().push((*index, *leader, *partition));
    }
    topics
}

/// Finds the index of a place that an answer names.
pub(crate) fn index_of(
    places: &[Place],
    led: &[(usize, Leader)],
    topic: &str,
    partition: i32,
) -> Option<usize> {
    let mut indices = led.iter().map(|(index, _)| *index);
    indices.find(|index| places[*index].0 == *topic && places[*index].1.0 == partition)
}
