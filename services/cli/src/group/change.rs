//! Groups' offsets moved and deleted.

use std::collections::BTreeMap;

use aquifer_client::{Client, ClientError, Committed, NewOffset, Place};
use aquifer_runtime::Runtime;
use aquifer_wire::ErrorCode;
use serde::Serialize;

use super::arguments::{DeleteArguments, DeleteOffsetsArguments, ResetArguments};
use crate::failure::{Exit, Failure};
use crate::output::{Change, Show};
use crate::places;

#[derive(Debug, Serialize)]
struct Moved {
    group: String,
    topic: String,
    partition: i32,
    before: Option<i64>,
    offset: i64,
    /// Records that will be read again, or left out if negative.
    again: Option<i64>,
    lag: i64,
    dry_run: bool,
}

impl Show for Moved {
    fn columns() -> &'static [&'static str] {
        &["TOPIC", "PARTITION", "BEFORE", "OFFSET", "READ AGAIN", "LAG", "DONE"]
    }

    fn cells(&self) -> Vec<String> {
        let number = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        vec![
            self.topic.clone(),
            self.partition.to_string(),
            number(self.before),
            self.offset.to_string(),
            number(self.again),
            self.lag.to_string(),
            if self.dry_run { "no" } else { "yes" }.to_owned(),
        ]
    }
}

pub(super) async fn reset(runtime: &Runtime, arguments: &ResetArguments) -> Result<(), Failure> {
    let client = arguments.reach.client(runtime)?;
    let doing = format!("reset group {}", arguments.group);
    let failed = |error: ClientError| Failure::of_client(&doing, &error);
    let committed = client.group_offsets(&arguments.group).await.map_err(failed)?;
    if arguments.execute {
        refuse_active(&client, &arguments.group, &doing).await?;
    }
    let wanted = wanted(&client, arguments, &committed).await?;
    let start = arguments.to.start(runtime.now().wall);
    let resolved = places::resolved(&client, &wanted, start).await?;
    let moved: Vec<Moved> = resolved
        .iter()
        .map(|(ends, offset)| {
            let before = committed.get(&ends.place).map(|committed| committed.offset);
            Moved {
                group: arguments.group.clone(),
                topic: ends.place.0.to_string(),
                partition: ends.place.1.0,
                before: before.map(|before| before.0),
                offset: offset.0,
                again: before.map(|before| before.since(*offset)),
                lag: ends.end.since(*offset),
                dry_run: !arguments.execute,
            }
        })
        .collect();
    if arguments.execute {
        let offsets: Vec<NewOffset> =
            resolved.into_iter().map(|(ends, offset)| NewOffset::at(ends.place, offset)).collect();
        client.set_group_offsets(&arguments.group, &offsets).await.map_err(failed)?;
    }
    arguments.reach.printer().list(&moved)
}

/// The partitions whose offsets are to move.
async fn wanted(
    client: &Client,
    arguments: &ResetArguments,
    committed: &BTreeMap<Place, Committed>,
) -> Result<Vec<Place>, Failure> {
    if arguments.topic.is_empty() {
        if committed.is_empty() {
            return Err(Failure::new(Exit::NotFound, format!("group {} has no offsets", arguments.group))
                .hint("--topic says of which topics it is to have some"));
        }
        return Ok(committed.keys().cloned().collect());
    }
    let mut wanted = Vec::new();
    for topic in &arguments.topic {
        let described = client.describe_topic(topic).await;
        let described =
            described.map_err(|error| Failure::of_client(&format!("describe topic {topic}"), &error))?;
        wanted.extend(places::chosen(&described, &arguments.partition)?);
    }
    Ok(wanted)
}

/// Members that read would commit over what is set, so brokers refuse too; this says who they are.
async fn refuse_active(client: &Client, group: &str, doing: &str) -> Result<(), Failure> {
    match client.describe_group(group).await {
        Ok(described) if described.is_empty() => Ok(()),
        Ok(described) => {
            let clients: Vec<&str> =
                described.members.iter().map(|member| member.client_id.as_str()).collect();
            let message = format!("{doing}: {} members read ({})", clients.len(), clients.join(", "));
            Err(Failure::new(Exit::Refused, message).hint("stop them first"))
        }
        // Offsets make a group.
        Err(error) if error.code() == Some(ErrorCode::GROUP_ID_NOT_FOUND) => Ok(()),
        Err(error) => Err(Failure::of_client(doing, &error)),
    }
}

pub(super) async fn delete(runtime: &Runtime, arguments: &DeleteArguments) -> Result<(), Failure> {
    let client = arguments.reach.client(runtime)?;
    let mut changes = Vec::new();
    for group in &arguments.groups {
        let doing = format!("delete group {group}");
        let failed = |error: ClientError| Failure::of_client(&doing, &error);
        let described = client.describe_group(group).await.map_err(failed)?;
        let offsets = client.group_offsets(group).await.map_err(failed)?;
        refuse_active(&client, group, &doing).await?;
        if !arguments.dry_run {
            client.delete_group(group).await.map_err(failed)?;
        }
        let change = Change::new("delete", "group", &described.id, arguments.dry_run);
        changes.push(change.detail(format!("{} offsets", offsets.len())));
    }
    arguments.reach.printer().list(&changes)
}

pub(super) async fn delete_offsets(
    runtime: &Runtime,
    arguments: &DeleteOffsetsArguments,
) -> Result<(), Failure> {
    let client = arguments.reach.client(runtime)?;
    let doing = format!("delete offsets of group {}", arguments.group);
    let failed = |error: ClientError| Failure::of_client(&doing, &error);
    let committed = client.group_offsets(&arguments.group).await.map_err(failed)?;
    let is_chosen = |(topic, partition): &Place| {
        *topic == arguments.topic.as_str()
            && (arguments.partition.is_empty() || arguments.partition.contains(&partition.0))
    };
    let chosen: Vec<Place> = committed.keys().filter(|place| is_chosen(place)).cloned().collect();
    if chosen.is_empty() {
        let message = format!("group {} has no such offsets of {}", arguments.group, arguments.topic);
        return Err(Failure::new(Exit::NotFound, message).hint("`aquifer group lag GROUP` shows what it has"));
    }
    if !arguments.dry_run {
        client.delete_group_offsets(&arguments.group, &chosen).await.map_err(failed)?;
    }
    let changes = chosen.iter().map(|(topic, partition)| {
        let change = Change::new("delete", "offset", &arguments.group, arguments.dry_run);
        change.detail(format!("{topic} {partition} at {}", committed[&(topic.clone(), *partition)].offset))
    });
    arguments.reach.printer().list(&changes.collect::<Vec<_>>())
}
