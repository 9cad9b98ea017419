//! CreatePartitions: topics get more partitions.

use aquifer_metadata::{Answer, Change, Image, NewPartitions, Placement, Topic, UnknownTopic};
use aquifer_quorum::ProposeError;
use aquifer_wire::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use aquifer_wire::messages::create_partitions_response::CreatePartitionsTopicResult;
use aquifer_wire::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use aquifer_wire::{ErrorCode, Text};

use super::placement::{PartitionBudget, assigned, copies};
use crate::api::each_once::each_once;
use crate::broker::Broker;
use crate::refusal::{Refused, settle, told};

pub(crate) async fn create_partitions(
    broker: &Broker,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let image = broker.image();
    let mut budget = PartitionBudget::default();
    let mut planned: Vec<(Text, Result<NewPartitions, Refused>)> =
        each_once(request.topics, |topic: &CreatePartitionsTopic| topic.name.clone())
            .into_iter()
            .map(|(name, asked)| {
                (name, asked.and_then(|asked| broker.plan_partitions(&image, &asked, &mut budget)))
            })
            .collect();
    let new: Vec<NewPartitions> =
        planned.iter().filter_map(|(_, plan)| plan.as_ref().ok().cloned()).collect();
    if !request.validate_only && !new.is_empty() {
        let outcomes = match broker.decide(Change::CreatePartitions(new)).await {
            Ok(Answer::PartitionsCreated(outcomes)) => Ok(outcomes),
            Ok(_) => Err(ProposeError::Unknown),
            Err(error) => Err(error),
        };
        settle(planned.iter_mut().map(|(_, plan)| plan), outcomes);
    }
    let results = planned.into_iter().map(|(name, outcome)| {
        let (error_code, error_message) = told(&outcome);
        CreatePartitionsTopicResult { name, error_code, error_message }
    });
    CreatePartitionsResponse { results: results.collect(), ..CreatePartitionsResponse::default() }
}

impl Broker {
    fn plan_partitions(
        &self,
        image: &Image,
        asked: &CreatePartitionsTopic,
        budget: &mut PartitionBudget,
    ) -> Result<NewPartitions, Refused> {
        let topic = image.topic(&asked.name).ok_or(UnknownTopic)?;
        if topic.is_internal() {
            let message = "the cluster's own topics keep their number of partitions";
            return Err(Refused::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message));
        }
        let current = topic.partition_count();
        if asked.count <= current {
            let message = format!("the topic has {current} partitions: {} are not more", asked.count);
            return Err(Refused::new(ErrorCode::INVALID_PARTITIONS, message));
        }
        let more = usize::try_from(asked.count - current).unwrap_or(usize::MAX);
        budget.take(more)?;
        let partitions = self.added(image, topic, more, asked)?;
        let new = NewPartitions { topic: topic.name().clone(), expected: current, partitions };
        image.check_new_partitions(&new)?;
        Ok(new)
    }

    fn added(
        &self,
        image: &Image,
        topic: &Topic,
        more: usize,
        asked: &CreatePartitionsTopic,
    ) -> Result<Vec<Placement>, Refused> {
        let first = usize::try_from(topic.partition_count()).unwrap_or(0);
        let Some(assignments) = &asked.assignments else {
            let copies = copies(image, Some(topic.replication_factor()))?;
            return Ok(self.spread(image, first, more, copies));
        };
        if assignments.len() != more {
            let message = format!("{more} partitions are added, and {} assigned", assignments.len());
            return Err(Refused::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
        }
        let place = |(at, assignment): (usize, &CreatePartitionsAssignment)| {
            assigned(image, first + at, &assignment.broker_ids)
        };
        assignments.iter().enumerate().map(place).collect()
    }
}
