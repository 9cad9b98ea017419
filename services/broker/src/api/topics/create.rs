//! Making topics: a plan of names, counts and configs becomes a proposal with ids and placements.

use std::collections::BTreeMap;

use aquifer_metadata::{
    Answer, Change, ConfigEntry, ConfigSetting, CreateTopicRefusal, Image, NewTopic, Placement,
};
use aquifer_quorum::ProposeError;
use aquifer_types::{TopicId, TopicName};
use aquifer_wire::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use aquifer_wire::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use aquifer_wire::messages::{CreateTopicsRequest, CreateTopicsResponse};
use aquifer_wire::{ErrorCode, Text};

use super::placement::{PartitionBudget, assigned, copies};
use crate::api::each_once::each_once;
use crate::broker::Broker;
use crate::refusal::{Refused, settle, told};

/// Stands for a number that the cluster chooses.
const UNSPECIFIED: i32 = -1;

/// A topic that could be made, and the configs it would have.
struct Plan {
    topic: NewTopic,
    configs: Vec<ConfigEntry>,
}

pub(crate) async fn create_topics(broker: &Broker, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let image = broker.image();
    let mut budget = PartitionBudget::default();
    let mut planned: Vec<(Text, Result<Plan, Refused>)> =
        each_once(request.topics, |topic: &CreatableTopic| topic.name.clone())
            .into_iter()
            .map(|(name, asked)| (name, asked.and_then(|asked| broker.plan(&image, &asked, &mut budget))))
            .collect();
    let topics: Vec<NewTopic> =
        planned.iter().filter_map(|(_, plan)| Some(plan.as_ref().ok()?.topic.clone())).collect();
    if !request.validate_only && !topics.is_empty() {
        settle(planned.iter_mut().map(|(_, plan)| plan), create(broker, topics).await);
    }
    let topics = planned.into_iter().map(|(name, outcome)| result(name, outcome, request.validate_only));
    CreateTopicsResponse { topics: topics.collect(), ..CreateTopicsResponse::default() }
}

/// Makes the topics; outcomes in their order.
pub(crate) async fn create(
    broker: &Broker,
    topics: Vec<NewTopic>,
) -> Result<Vec<Result<(), CreateTopicRefusal>>, ProposeError> {
    match broker.decide(Change::CreateTopics(topics)).await? {
        Answer::TopicsCreated(outcomes) => Ok(outcomes),
        _ => Err(ProposeError::Unknown),
    }
}

fn result(name: Text, outcome: Result<Plan, Refused>, validate_only: bool) -> CreatableTopicResult {
    let (error_code, error_message) = told(&outcome);
    let refused = CreatableTopicResult { name, error_code, error_message, ..CreatableTopicResult::default() };
    let Ok(Plan { topic, configs }) = outcome else { return refused };
    let copies = topic.partitions.first().map_or(0, |placement| placement.0.len());
    CreatableTopicResult {
        topic_id: if validate_only { TopicId::default().0 } else { topic.id.0 },
        num_partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
        replication_factor: i16::try_from(copies).unwrap_or(i16::MAX),
        configs: Some(configs.into_iter().map(config).collect()),
        ..refused
    }
}

fn config(entry: ConfigEntry) -> CreatableTopicConfigs {
    CreatableTopicConfigs {
        name: Text::from_static(entry.name),
        value: entry.value.map(Text::from),
        read_only: entry.read_only,
        config_source: entry.source as i8,
        is_sensitive: false,
    }
}

impl Broker {
    /// What a client asks for as a proposal that would be taken now.
    fn plan(
        &self,
        image: &Image,
        asked: &CreatableTopic,
        budget: &mut PartitionBudget,
    ) -> Result<Plan, Refused> {
        let name = TopicName::new(&asked.name)?;
        if name.is_reserved() {
            return Err(Refused::new(
                ErrorCode::INVALID_TOPIC_EXCEPTION,
                "names that start with two underscores are reserved for the cluster's own topics",
            ));
        }
        image.check_new_name(&name)?;
        let partitions = self.placements(image, asked, budget)?;
        let setting = |config: &CreatableTopicConfig| {
            let value = config.value.as_ref().map(ToString::to_string);
            ConfigSetting { name: config.name.to_string(), value }
        };
        let topic = NewTopic {
            name,
            id: TopicId(self.runtime.random_uuid()),
            partitions,
            replication_default: asked.assignments.is_empty()
                && i32::from(asked.replication_factor) == UNSPECIFIED,
            configs: self.with_defaults(asked.configs.iter().map(setting).collect()),
        };
        let own = image.check_new_topic(&topic)?;
        Ok(Plan { topic, configs: image.describe_topic_settings(&own) })
    }

    /// The settings with those that new topics are given.
    fn with_defaults(&self, mut own: Vec<ConfigSetting>) -> Vec<ConfigSetting> {
        add_missing(&mut own, &self.settings.new_topics);
        // Whoever says what stays on local disk wants the rest elsewhere.
        if self.tier.is_some() && own.iter().any(|setting| setting.name.starts_with("local.retention.")) {
            add_missing(&mut own, &[("remote.storage.enable".to_owned(), "true".to_owned())]);
        }
        own
    }

    /// What a topic is given that comes about because a client asked for it.
    pub(crate) fn auto_configs(&self) -> Vec<ConfigSetting> {
        let mut own = self.with_defaults(Vec::new());
        add_missing(&mut own, &self.settings.auto_topics);
        own
    }

    fn placements(
        &self,
        image: &Image,
        asked: &CreatableTopic,
        budget: &mut PartitionBudget,
    ) -> Result<Vec<Placement>, Refused> {
        if !asked.assignments.is_empty() {
            if asked.num_partitions != UNSPECIFIED || i32::from(asked.replication_factor) != UNSPECIFIED {
                return Err(Refused::invalid_request(
                    "with assignments given, the numbers of partitions and copies must be -1",
                ));
            }
            budget.take(asked.assignments.len())?;
            return placements_as_assigned(image, &asked.assignments);
        }
        let partitions = match asked.num_partitions {
            UNSPECIFIED => self.settings.default_partitions,
            number => number,
        };
        let partitions =
            usize::try_from(partitions).ok().filter(|partitions| *partitions > 0).ok_or_else(|| {
                Refused::new(
                    ErrorCode::INVALID_PARTITIONS,
                    "the number of partitions must be positive, or -1 for the default",
                )
            })?;
        let factor = match i32::from(asked.replication_factor) {
            UNSPECIFIED => None,
            factor => Some(usize::try_from(factor).ok().filter(|factor| *factor > 0).ok_or_else(|| {
                Refused::new(
                    ErrorCode::INVALID_REPLICATION_FACTOR,
                    "the replication factor must be positive, or -1 for the default",
                )
            })?),
        };
        let copies = copies(image, factor)?;
        budget.take(partitions)?;
        Ok(self.spread(image, 0, partitions, copies))
    }

    /// The proposal for a topic that leaves everything but the number of partitions to the cluster.
    pub(crate) fn default_topic(
        &self,
        image: &Image,
        name: TopicName,
        partitions: usize,
    ) -> Result<NewTopic, Refused> {
        let copies = copies(image, None)?;
        Ok(NewTopic {
            name,
            id: TopicId(self.runtime.random_uuid()),
            partitions: self.spread(image, 0, partitions, copies),
            replication_default: true,
            configs: Vec::new(),
        })
    }
}

fn add_missing(own: &mut Vec<ConfigSetting>, defaults: &[(String, String)]) {
    for (name, value) in defaults {
        if own.iter().all(|setting| setting.name != *name) {
            own.push(ConfigSetting { name: name.clone(), value: Some(value.clone()) });
        }
    }
}

/// Partitions 0 and up, each named once, in whatever order.
fn placements_as_assigned(
    image: &Image,
    assignments: &[CreatableReplicaAssignment],
) -> Result<Vec<Placement>, Refused> {
    let mut by_partition = BTreeMap::new();
    for assignment in assignments {
        if by_partition.insert(assignment.partition_index, &assignment.broker_ids).is_some() {
            let message = format!("partition {} is assigned twice", assignment.partition_index);
            return Err(Refused::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
        }
    }
    if by_partition.keys().zip(0..).any(|(partition, expected)| *partition != expected) {
        return Err(Refused::new(
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            "assignments must name the partitions from 0 on without a gap",
        ));
    }
    by_partition.values().enumerate().map(|(partition, nodes)| assigned(image, partition, nodes)).collect()
}
