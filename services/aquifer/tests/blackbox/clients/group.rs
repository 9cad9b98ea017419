//! Groups: members share partitions, take over from each other, and find their commits again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_json::json;

use super::client::{Client, Record};
use super::scene::Scene;
use super::table::Column;
use super::{Capability, PROMPT, start};
use crate::harness::{Node, Ports, create_topic, data_dir, pause, sleep};

const TOPIC: &str = "shared";
const PARTITIONS: i32 = 6;
/// Records of each partition that are produced at a time.
const RECORDS: i64 = 5;

/// All clients' fetches wait for 200 ms. Some hand out what a fetch brings that was under way when its partition moved,
/// and the new owner reads it again.
const FETCHES_END: Duration = Duration::from_millis(400);

pub(super) const CAPABILITIES: &[Capability] = &[
    (Column::Classic, "classic members share, take over, find their commits again", |scene| {
        members_share(scene, "classic")
    }),
    (Column::Consumer, "KIP-848 members share, take over, find their commits again", |scene| {
        members_share(scene, "consumer")
    }),
    (Column::Static, "a static member that restarts keeps its partitions", static_member),
];

/// What a driver tells about a member of its.
#[derive(Debug, Deserialize)]
struct Told {
    partitions: BTreeSet<i32>,
    assignments: u32,
    /// Read and committed since it was last asked.
    records: Vec<(i32, i64)>,
    failure: Option<String>,
}

/// What members read, all together.
#[derive(Default)]
struct Reading {
    readers: BTreeMap<(i32, i64), &'static str>,
    /// What every member was last told.
    members: BTreeMap<&'static str, Told>,
    produced: i64,
    /// Whether somebody died, whose last records are read again.
    died: bool,
}

impl Reading {
    fn poll(&mut self, client: &mut dyn Client, member: &'static str) -> Result<()> {
        let told: Told = serde_json::from_value(client.ask(&json!({ "op": "poll", "member": member }))?)?;
        for record in &told.records {
            let other = self.readers.insert(*record, member);
            let again = other.is_some() && !self.died;
            ensure!(!again, "{record:?} was read by {member} after {other:?} had committed it");
        }
        self.members.insert(member, told);
        Ok(())
    }

    fn owned_by(&self, member: &str) -> BTreeSet<i32> {
        self.members.get(member).map(|told| told.partitions.clone()).unwrap_or_default()
    }

    /// Every partition has one owner, and every member has partitions.
    fn is_shared(&self, members: &[&'static str]) -> bool {
        let owned: Vec<BTreeSet<i32>> = members.iter().map(|member| self.owned_by(member)).collect();
        let all: BTreeSet<i32> = owned.iter().flatten().copied().collect();
        all.len() == PARTITIONS as usize
            && owned.iter().map(BTreeSet::len).sum::<usize>() == all.len()
            && owned.iter().all(|one| !one.is_empty())
    }

    fn everything_is_read(&self) -> bool {
        self.readers.len() as i64 == self.produced * i64::from(PARTITIONS)
    }

    fn produce(&mut self, client: &mut dyn Client) -> Result<()> {
        for partition in 0..PARTITIONS {
            let records: Vec<Record> =
                (0..RECORDS).map(|n| Record::new(format!("k{n}"), format!("{partition}"))).collect();
            let request =
                json!({ "op": "produce", "topic": TOPIC, "partition": partition, "records": records });
            client.ask(&request).context("produce")?;
        }
        self.produced += RECORDS;
        Ok(())
    }

    /// Asks all members, each of its client, until `done`.
    fn wait(
        &mut self,
        clients: &mut [(&mut dyn Client, &[&'static str])],
        what: &str,
        done: impl Fn(&Reading) -> bool,
    ) -> Result<()> {
        for _ in 0..4000 {
            for (client, members) in &mut *clients {
                for member in *members {
                    self.poll(&mut **client, member)?;
                }
            }
            if done(self) {
                return Ok(());
            }
            pause();
        }
        let failures: Vec<&String> = self.members.values().filter_map(|told| told.failure.as_ref()).collect();
        let (read, members) = (self.readers.len(), &self.members);
        bail!("{what} never came: {read} records were read, {members:?}, failures {failures:?}")
    }
}

fn join(client: &mut dyn Client, member: &str, protocol: &str, instance: Option<&str>) -> Result<()> {
    let mut request =
        json!({ "op": "join", "member": member, "group": "readers", "topic": TOPIC, "protocol": protocol });
    if let Some(instance) = instance {
        request["instance"] = json!(instance);
    }
    client.ask(&request)?;
    Ok(())
}

fn leave(client: &mut dyn Client, reading: &mut Reading, member: &'static str) -> Result<()> {
    reading.poll(client, member)?;
    client.ask(&json!({ "op": "leave", "member": member })).context("leave")?;
    reading.members.remove(member);
    Ok(())
}

fn members_share(scene: &mut Scene, protocol: &str) -> Result<()> {
    let (data, ports) = (data_dir(), Ports::free());
    let node = Node::begin_server(data.path(), ports, PROMPT).ready();
    create_topic(&node.kafka, TOPIC, PARTITIONS, &[]);
    let Some(mut client) = start(scene.name, &node.kafka) else { return Ok(()) };
    let mut reading = Reading::default();

    join(&mut *client, "one", protocol, None)?;
    reading.wait(&mut [(&mut *client, &["one"])], "all partitions for the only member", |reading| {
        reading.is_shared(&["one"])
    })?;
    join(&mut *client, "two", protocol, None)?;
    reading.wait(&mut [(&mut *client, &["one", "two"])], "a share for both", |reading| {
        reading.is_shared(&["one", "two"])
    })?;
    sleep(FETCHES_END);
    reading.produce(&mut *client)?;
    reading.wait(
        &mut [(&mut *client, &["one", "two"])],
        "everything from both",
        Reading::everything_is_read,
    )?;
    for ((partition, _), reader) in &reading.readers {
        ensure!(reading.owned_by(reader).contains(partition), "{reader} read {partition} without owning it");
    }

    leave(&mut *client, &mut reading, "two")?;
    reading.wait(&mut [(&mut *client, &["one"])], "the share of the one that left", |reading| {
        reading.is_shared(&["one"])
    })?;
    reading.produce(&mut *client)?;
    reading.wait(
        &mut [(&mut *client, &["one"])],
        "everything from the one left",
        Reading::everything_is_read,
    )?;

    leave(&mut *client, &mut reading, "one")?;
    drop(client);
    node.kill();
    let node = Node::begin_server(data.path(), ports, PROMPT).ready();
    let Some(mut client) = start(scene.name, &node.kafka) else { return Ok(()) };
    reading.produce(&mut *client)?;
    join(&mut *client, "three", protocol, None)?;
    reading.wait(&mut [(&mut *client, &["three"])], "what was not committed", Reading::everything_is_read)?;
    leave(&mut *client, &mut reading, "three")
}

fn static_member(scene: &mut Scene) -> Result<()> {
    let data = data_dir();
    let node = Node::begin_server(data.path(), Ports::free(), PROMPT).ready();
    create_topic(&node.kafka, TOPIC, PARTITIONS, &[]);
    let Some(mut first) = start(scene.name, &node.kafka) else { return Ok(()) };
    let Some(mut second) = start(scene.name, &node.kafka) else { return Ok(()) };
    let mut reading = Reading::default();
    join(&mut *first, "one", "classic", Some("first"))?;
    join(&mut *second, "two", "classic", Some("second"))?;
    let both: &mut [(&mut dyn Client, &[&str])] = &mut [(&mut *first, &["one"]), (&mut *second, &["two"])];
    reading.wait(both, "a share for both", |reading| reading.is_shared(&["one", "two"]))?;
    let kept = reading.owned_by("two");
    sleep(FETCHES_END);
    reading.produce(&mut *first)?;
    let both: &mut [(&mut dyn Client, &[&str])] = &mut [(&mut *first, &["one"]), (&mut *second, &["two"])];
    reading.wait(both, "everything from both", Reading::everything_is_read)?;
    let assignments = reading.members["one"].assignments;

    // Killed: nobody is told that it left.
    drop(second);
    reading.died = true;
    let Some(mut second) = start(scene.name, &node.kafka) else { return Ok(()) };
    join(&mut *second, "two", "classic", Some("second"))?;
    let both: &mut [(&mut dyn Client, &[&str])] = &mut [(&mut *first, &["one"]), (&mut *second, &["two"])];
    reading.wait(both, "the restarted member's share", |reading| reading.owned_by("two") == kept)?;
    reading.produce(&mut *first)?;
    let both: &mut [(&mut dyn Client, &[&str])] = &mut [(&mut *first, &["one"]), (&mut *second, &["two"])];
    reading.wait(both, "everything after the restart", Reading::everything_is_read)?;
    let now = reading.members["one"].assignments;
    ensure!(
        now == assignments,
        "the other member was assigned {assignments} times before the restart, then {now}"
    );
    Ok(())
}
