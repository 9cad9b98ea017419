//! Topics made, given partitions, deleted.

use aquifer_client::{ClientError, NewTopic};
use aquifer_runtime::Runtime;
use aquifer_wire::messages::AquiferTierRequest;
use aquifer_wire::{ErrorCode, Text};

use super::arguments::{AddPartitionsArguments, CreateArguments, DeleteArguments, UndeleteArguments};
use crate::failure::Failure;
use crate::output::Change;

/// What a broker is asked to do about a deleted topic: bring it back, or say what would come back.
const UNDELETE: i8 = 2;
const UNDELETE_TRY: i8 = 3;

pub(super) async fn create(runtime: &Runtime, arguments: &CreateArguments) -> Result<(), Failure> {
    let client = arguments.reach.client(runtime)?;
    let topic = NewTopic {
        name: arguments.topic.clone(),
        partitions: arguments.partitions,
        replication_factor: arguments.replication,
        configs: arguments.config.iter().map(|it| (it.name.clone(), it.value.clone())).collect(),
    };
    let change = Change::new("create", "topic", &topic.name, arguments.dry_run);
    let change = match client.create_topic_or_try(&topic, arguments.dry_run).await {
        Ok(created) => {
            let partitions = created.partitions.or(topic.partitions);
            let replication = created.replication_factor.or(topic.replication_factor);
            change.detail(match (partitions, replication) {
                (Some(partitions), Some(copies)) => {
                    format!("{partitions} partitions, {copies} copies of each")
                }
                (Some(partitions), None) => format!("{partitions} partitions"),
                _ => String::new(),
            })
        }
        Err(error) if arguments.if_not_exists && error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS) => {
            Change { action: "keep", ..change }.detail("it exists already")
        }
        Err(error) => return Err(Failure::of_client(&format!("create topic {}", topic.name), &error)),
    };
    arguments.reach.printer().one(&change)
}

pub(super) async fn delete(runtime: &Runtime, arguments: &DeleteArguments) -> Result<(), Failure> {
    let client = arguments.reach.client(runtime)?;
    let mut found = Vec::new();
    // All of them are looked up before the first is deleted, so that a wrong name deletes nothing.
    for name in &arguments.topics {
        match client.describe_topic(name).await {
            Ok(topic) => found.push(topic),
            Err(error) if arguments.if_exists && error.is_unknown_topic() => {}
            Err(error) => return Err(Failure::of_client(&format!("delete topic {name}"), &error)),
        }
    }
    let mut changes = Vec::new();
    for topic in found {
        if !arguments.dry_run {
            let deleted = client.delete_topic(&topic.name).await;
            deleted.map_err(|error| Failure::of_client(&format!("delete topic {}", topic.name), &error))?;
        }
        let change = Change::new("delete", "topic", &topic.name, arguments.dry_run);
        changes.push(change.detail(format!("{} partitions", topic.partitions.len())));
    }
    arguments.reach.printer().list(&changes)
}

pub(super) async fn undelete(runtime: &Runtime, arguments: &UndeleteArguments) -> Result<(), Failure> {
    let client = arguments.reach.client(runtime)?;
    let UndeleteArguments { topic, dry_run, .. } = arguments;
    let request = AquiferTierRequest {
        action: if *dry_run { UNDELETE_TRY } else { UNDELETE },
        topics: Some(vec![Text::from(topic.as_str())]),
        ..AquiferTierRequest::default()
    };
    let failed = |error: &ClientError| Failure::of_client(&format!("undelete topic {topic}"), error);
    let answer = client.call_any(&request).await.map_err(|error| failed(&error))?;
    if !answer.error_code.is_none() {
        return Err(failed(&ClientError::Refused { code: answer.error_code, message: answer.error_message }));
    }
    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    let records: i64 = partitions.clone().map(|partition| partition.tier_end - partition.log_start).sum();
    let detail = format!("{} partitions, {records} records, without groups' offsets", partitions.count());
    let change = Change::new("undelete", "topic", topic, *dry_run).detail(detail);
    arguments.reach.printer().one(&change)
}

pub(super) async fn add_partitions(
    runtime: &Runtime,
    arguments: &AddPartitionsArguments,
) -> Result<(), Failure> {
    let client = arguments.reach.client(runtime)?;
    let AddPartitionsArguments { topic, count, dry_run, .. } = arguments;
    let done = client.create_partitions(topic, *count, *dry_run).await;
    done.map_err(|error| Failure::of_client(&format!("give topic {topic} {count} partitions"), &error))?;
    let change = Change::new("grow", "topic", topic, *dry_run).detail(format!("{count} partitions"));
    arguments.reach.printer().one(&change)
}
