//! Groups, shown.

use std::collections::{BTreeMap, BTreeSet};

use aquifer_client::{ClientError, GroupDescription, GroupListing, GroupMember, Place};
use aquifer_runtime::Runtime;
use aquifer_types::PartitionIndex;
use aquifer_wire::Text;
use serde::Serialize;

use super::arguments::{ListArguments, OneArguments};
use crate::failure::Failure;
use crate::output::{Format, Show};
use crate::places;

#[derive(Debug, Serialize)]
struct Listed {
    group: String,
    kind: &'static str,
    state: String,
    protocol_type: String,
    coordinator: i32,
}

#[derive(Debug, Serialize)]
struct Described {
    group: String,
    kind: &'static str,
    state: String,
    assignor: String,
    epoch: Option<i32>,
    members: Vec<Member>,
}

#[derive(Debug, Serialize)]
struct Member {
    member: String,
    instance: Option<String>,
    client: String,
    host: String,
    epoch: Option<i32>,
    assigned: BTreeMap<String, BTreeSet<i32>>,
}

#[derive(Debug, Serialize)]
struct Lag {
    topic: String,
    partition: i32,
    offset: Option<i64>,
    end: i64,
    lag: Option<i64>,
    member: Option<String>,
    client: Option<String>,
}

impl Show for Listed {
    fn columns() -> &'static [&'static str] {
        &["GROUP", "KIND", "STATE", "COORDINATOR"]
    }

    fn cells(&self) -> Vec<String> {
        vec![self.group.clone(), self.kind.to_owned(), self.state.clone(), self.coordinator.to_string()]
    }
}

impl Show for Described {
    fn columns() -> &'static [&'static str] {
        &["GROUP", "KIND", "STATE", "ASSIGNOR", "MEMBERS"]
    }

    fn cells(&self) -> Vec<String> {
        let members = self.members.len().to_string();
        vec![self.group.clone(), self.kind.to_owned(), self.state.clone(), self.assignor.clone(), members]
    }
}

impl Show for Member {
    fn columns() -> &'static [&'static str] {
        &["MEMBER", "INSTANCE", "CLIENT", "HOST", "EPOCH", "ASSIGNED"]
    }

    fn cells(&self) -> Vec<String> {
        let assigned = self.assigned.iter().map(|(topic, partitions)| {
            let numbers: Vec<String> = partitions.iter().map(i32::to_string).collect();
            format!("{topic}:{}", numbers.join(","))
        });
        vec![
            self.member.clone(),
            self.instance.clone().unwrap_or_default(),
            self.client.clone(),
            self.host.clone(),
            self.epoch.map(|epoch| epoch.to_string()).unwrap_or_default(),
            assigned.collect::<Vec<_>>().join(" "),
        ]
    }
}

impl Show for Lag {
    fn columns() -> &'static [&'static str] {
        &["TOPIC", "PARTITION", "OFFSET", "END", "LAG", "CLIENT", "MEMBER"]
    }

    fn cells(&self) -> Vec<String> {
        let number = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        vec![
            self.topic.clone(),
            self.partition.to_string(),
            number(self.offset),
            self.end.to_string(),
            number(self.lag),
            self.client.clone().unwrap_or_default(),
            self.member.clone().unwrap_or_default(),
        ]
    }
}

impl From<GroupListing> for Listed {
    fn from(group: GroupListing) -> Listed {
        Listed {
            group: group.id,
            kind: group.kind.name(),
            state: group.state,
            protocol_type: group.protocol_type,
            coordinator: group.coordinator.0,
        }
    }
}

impl From<GroupMember> for Member {
    fn from(member: GroupMember) -> Member {
        Member {
            member: member.id,
            instance: member.instance_id,
            client: member.client_id,
            host: member.host,
            epoch: member.epoch,
            assigned: member.assigned,
        }
    }
}

impl From<GroupDescription> for Described {
    fn from(group: GroupDescription) -> Described {
        Described {
            group: group.id,
            kind: group.kind.name(),
            state: group.state,
            assignor: group.assignor,
            epoch: group.epoch,
            members: group.members.into_iter().map(Member::from).collect(),
        }
    }
}

pub(super) async fn list(runtime: &Runtime, arguments: &ListArguments) -> Result<(), Failure> {
    let groups = arguments.reach.client(runtime)?.groups().await;
    let groups = groups.map_err(|error| Failure::of_client("list groups", &error))?;
    arguments.reach.printer().list(&groups.into_iter().map(Listed::from).collect::<Vec<_>>())
}

pub(super) async fn describe(runtime: &Runtime, arguments: &OneArguments) -> Result<(), Failure> {
    let doing = format!("describe group {}", arguments.group);
    let group = arguments.reach.client(runtime)?.describe_group(&arguments.group).await;
    let described = Described::from(group.map_err(|error| Failure::of_client(&doing, &error))?);
    let printer = arguments.reach.printer();
    if printer.format() != Format::Table {
        return printer.one(&described);
    }
    printer.one(&described)?;
    if described.members.is_empty() {
        return Ok(());
    }
    printer.text("\n")?;
    printer.list(&described.members)
}

pub(super) async fn lag(runtime: &Runtime, arguments: &OneArguments) -> Result<(), Failure> {
    let client = arguments.reach.client(runtime)?;
    let doing = format!("look after group {}", arguments.group);
    let failed = |error: ClientError| Failure::of_client(&doing, &error);
    let group = client.describe_group(&arguments.group).await.map_err(failed)?;
    let committed = client.group_offsets(&arguments.group).await.map_err(failed)?;
    let readers = readers(&group);
    let mut all: BTreeSet<Place> = committed.keys().cloned().collect();
    all.extend(readers.keys().cloned());
    let places: Vec<Place> = all.into_iter().collect();
    let ends = places::ends(&client, &places).await?;
    let lags = ends.into_iter().map(|ends| {
        let offset = committed.get(&ends.place).map(|committed| committed.offset);
        let reader = readers.get(&ends.place);
        Lag {
            topic: ends.place.0.to_string(),
            partition: ends.place.1.0,
            offset: offset.map(|offset| offset.0),
            end: ends.end.0,
            lag: offset.map(|offset| ends.end.since(offset).max(0)),
            member: reader.map(|member| member.id.clone()),
            client: reader.map(|member| member.client_id.clone()),
        }
    });
    arguments.reach.printer().list(&lags.collect::<Vec<_>>())
}

/// Who reads what.
fn readers(group: &GroupDescription) -> BTreeMap<Place, &GroupMember> {
    let mut readers = BTreeMap::new();
    for member in &group.members {
        for (topic, partitions) in &member.assigned {
            for partition in partitions {
                readers.insert((Text::from(topic.as_str()), PartitionIndex(*partition)), member);
            }
        }
    }
    readers
}
