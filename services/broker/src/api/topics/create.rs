//! Making topics: a plan of names, counts and configs becomes a proposal with ids and placements.

use aquifer_metadata::{
    Answer, Change, ConfigSetting, CreateTopicRefusal, Image, NewTopic, PlacedReplica, Placement,
};
use aquifer_quorum::ProposeError;
use aquifer_types::{TopicId, TopicName};

use crate::broker::Broker;

/// A topic somebody wants.
#[derive(Clone, Debug)]
pub(crate) struct TopicPlan {
    pub(crate) name: TopicName,
    pub(crate) partitions: i32,
    /// `None` leaves the number to the cluster.
    pub(crate) replication: Option<usize>,
    pub(crate) configs: Vec<ConfigSetting>,
}

impl Broker {
    /// The proposal for a plan, its replicas spread over the live brokers.
    pub(crate) fn new_topic(&self, image: &Image, plan: TopicPlan) -> NewTopic {
        const DEFAULT_REPLICATION: usize = 3;
        let brokers: Vec<_> = image.live_brokers().collect();
        let copies =
            plan.replication.unwrap_or_else(|| DEFAULT_REPLICATION.min(brokers.len())).min(brokers.len());
        let start = usize::try_from(self.runtime.random_u64() % brokers.len().max(1) as u64).unwrap_or(0);
        let placements = (0..usize::try_from(plan.partitions).unwrap_or(0)).map(|partition| {
            let place = |copy: usize| {
                let broker = brokers[(start + partition + copy) % brokers.len()];
                let directory = broker.directories[partition % broker.directories.len()];
                PlacedReplica { node: broker.node, directory }
            };
            Placement((0..copies).map(place).collect())
        });
        NewTopic {
            name: plan.name,
            id: TopicId(self.runtime.random_uuid()),
            partitions: placements.collect(),
            replication_default: plan.replication.is_none(),
            configs: plan.configs,
        }
    }
}

/// Makes the topics; outcomes in the order of the plans.
pub(crate) async fn create_topics_now(
    broker: &Broker,
    plans: Vec<TopicPlan>,
) -> Result<Vec<Result<(), CreateTopicRefusal>>, ProposeError> {
    let image = broker.image();
    let topics = plans.into_iter().map(|plan| broker.new_topic(&image, plan)).collect();
    match broker.decide(Change::CreateTopics(topics)).await? {
        Answer::TopicsCreated(outcomes) => Ok(outcomes),
        _ => Err(ProposeError::Unknown),
    }
}
