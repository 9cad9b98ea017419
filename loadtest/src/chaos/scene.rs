//! `Scene`: the broker, the producers and the members, and what is done to them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aquifer_client::{Client, ConfigChange, NewTopic, OffsetAt, Place, Resource};
use aquifer_runtime::{Runtime, Task};
use aquifer_types::{Offset, PartitionIndex};

use super::judge::{Deaths, Judge};
use super::member::{Member, Readings, Recipe, milliseconds};
use super::{Chaos, Outcome};
use crate::server::{Kind, Programs, Server, client};
use crate::verify::{Ledger, Producing, check, entries, produce};

const TOPIC: &str = "chaos";
const GROUP: &str = "survivors";

/// So that the dead are missed soon.
const SESSION: (&str, &str) = ("consumer.session.timeout.ms", "6000");
const HEARTBEAT: (&str, &str) = ("consumer.heartbeat.interval.ms", "500");

/// A broker that is down is started again within this time.
const OUTAGE_MS_MAX: u64 = 1_000;
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

pub(super) struct Scene<'a> {
    runtime: Runtime,
    programs: &'a Programs,
    chaos: &'a Chaos,
    directory: PathBuf,
    /// None while it is dead.
    server: Option<Server>,
    client: Client,
    recipe: Recipe,
    readings: Readings,
    members: Vec<Member>,
    started: usize,
    producing: Task<Result<u64>>,
    deaths: Deaths,
    committed: BTreeMap<Place, Offset>,
    outcome: Outcome,
}

impl<'a> Scene<'a> {
    pub(super) async fn set(
        runtime: &Runtime,
        programs: &'a Programs,
        directory: PathBuf,
        chaos: &'a Chaos,
    ) -> Result<Scene<'a>> {
        let server = programs.start(runtime, Kind::Aquifer, &directory.join("broker")).await?;
        let client = client(runtime, &server.address);
        let (partitions, replication_factor) = (Some(chaos.partitions), Some(1));
        let topic =
            NewTopic { name: TOPIC.to_owned(), partitions, replication_factor, ..NewTopic::default() };
        client.create_topic(&topic).await.context("create the topic")?;
        let change = |(name, value): (&str, &str)| ConfigChange::Set {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let changes = [change(SESSION), change(HEARTBEAT)];
        let altered = client.alter_configs(&Resource::Group(GROUP.to_owned()), &changes, false).await;
        altered.context("configure the group")?;
        let recipe = Recipe {
            runtime: runtime.clone(),
            program: programs.aquifer.clone(),
            address: server.address.clone(),
            topic: TOPIC.to_owned(),
            group: GROUP.to_owned(),
            directory: directory.clone(),
        };
        let ledger = Ledger::append_to(&directory.join("ledger"))?;
        let producing = Producing {
            address: server.address.clone(),
            topic: TOPIC.to_owned(),
            partitions: chaos.partitions,
            producers: chaos.producers,
            records_per_batch: 10,
            record_bytes: 256,
            batches_per_second: Some(chaos.batches_per_second),
            run_for: Some(chaos.lasts),
            give_up_after: chaos.lasts,
        };
        let producers = runtime.clone();
        let producing =
            runtime.spawn("producers", async move { produce(&producers, &producing, &ledger).await });
        let mut scene = Scene {
            runtime: runtime.clone(),
            programs,
            chaos,
            directory,
            server: Some(server),
            client,
            recipe,
            readings: Readings::default(),
            members: Vec::new(),
            started: 0,
            producing,
            deaths: Deaths::default(),
            committed: BTreeMap::new(),
            outcome: Outcome::default(),
        };
        for _ in 0..chaos.members {
            scene.add_member()?;
        }
        Ok(scene)
    }

    fn add_member(&mut self) -> Result<()> {
        self.members.push(Member::start(&self.recipe, self.started, &self.readings)?);
        self.started += 1;
        Ok(())
    }

    /// Kills, for as long as it lasts.
    pub(super) async fn rage(&mut self) -> Result<()> {
        let ends = self.runtime.now().monotonic.plus(self.chaos.lasts);
        while self.runtime.now().monotonic < ends {
            let pause = self.chaos.pause.mul_f64(0.5 + self.chance(1_000) as f64 / 1_000.0);
            self.runtime.sleep(pause).await;
            match self.chance(10) {
                0..=5 => self.kill_member().await?,
                6 => self.let_member_leave().await?,
                7 => {
                    // Both at once: whoever takes over finds no broker.
                    self.kill_member().await?;
                    self.kill_broker().await?;
                }
                _ => self.kill_broker().await?,
            }
            self.look_after_members()?;
            self.look_at_commits().await?;
        }
        Ok(())
    }

    fn chance(&self, of: u64) -> u64 {
        self.runtime.random_u64() % of
    }

    fn pick(&mut self) -> Member {
        let index = self.chance(self.members.len() as u64);
        self.members.swap_remove(usize::try_from(index).unwrap_or(0))
    }

    async fn kill_member(&mut self) -> Result<()> {
        let member = self.pick();
        let number = member.number;
        self.deaths.members.insert(number, milliseconds(&self.runtime));
        member.kill().await?;
        self.outcome.members_killed += 1;
        self.add_member()
    }

    async fn let_member_leave(&mut self) -> Result<()> {
        let member = self.pick();
        if let Err(error) = member.leave().await {
            self.outcome.violations.push(format!("{error:#}"));
        }
        self.outcome.members_left += 1;
        self.add_member()
    }

    async fn kill_broker(&mut self) -> Result<()> {
        let Some(server) = self.server.take() else { return Ok(()) };
        let address = server.address.clone();
        let died = milliseconds(&self.runtime);
        server.kill();
        let away = self.chance(OUTAGE_MS_MAX);
        self.runtime.sleep(Duration::from_millis(away)).await;
        let directory = self.directory.join("broker");
        let server = self.programs.start_again(&self.runtime, Kind::Aquifer, &directory, &address).await?;
        self.server = Some(server);
        self.deaths.outages.push(died..milliseconds(&self.runtime));
        self.outcome.broker_killed += 1;
        Ok(())
    }

    /// Whoever ended by itself is a violation, and is replaced.
    fn look_after_members(&mut self) -> Result<()> {
        for index in 0..self.members.len() {
            if let Some(ended) = self.members[index].ended()? {
                self.outcome.violations.push(ended);
                let number = self.members.swap_remove(index).number;
                self.deaths.members.insert(number, milliseconds(&self.runtime));
                return self.add_member();
            }
        }
        Ok(())
    }

    /// Committed offsets never go back.
    async fn look_at_commits(&mut self) -> Result<()> {
        let offsets = self.client.group_offsets(GROUP).await.context("ask for the group's offsets")?;
        for (place, before) in &self.committed {
            let after = offsets.get(place).map(|committed| committed.offset);
            if after.is_none_or(|after| after < *before) {
                let (_, partition) = place;
                self.outcome.violations.push(format!(
                    "partition {partition}: committed up to {before}, and later up to {after:?}"
                ));
            }
        }
        self.committed = offsets.into_iter().map(|(place, committed)| (place, committed.offset)).collect();
        Ok(())
    }

    /// Lets the group read the rest, and judges.
    pub(super) async fn calm_down(mut self) -> Result<Outcome> {
        self.outcome.acknowledged = (&mut self.producing).await.context("the producers failed")??;
        let mut ends = BTreeMap::new();
        for partition in 0..self.chaos.partitions {
            let end = self.client.offset(TOPIC, PartitionIndex(partition), OffsetAt::End).await?;
            ends.insert(partition, end.map_or(0, |end| end.0));
        }
        let limit = self.runtime.now().monotonic.plus(self.chaos.quiet_limit);
        while !self.has_read_all(&ends) {
            if self.runtime.now().monotonic > limit {
                let left = format!("the group did not come to the end: {:?} of {ends:?}", self.committed);
                self.outcome.violations.push(left);
                break;
            }
            self.runtime.sleep(PROGRESS_INTERVAL).await;
            self.look_after_members()?;
            self.look_at_commits().await?;
        }
        for member in std::mem::take(&mut self.members) {
            if let Err(error) = member.leave().await {
                self.outcome.violations.push(format!("{error:#}"));
            }
        }
        self.judge(&ends);
        let noted = entries(&self.directory.join("ledger"))?;
        let findings = check(&self.client, TOPIC, self.chaos.partitions, &noted).await?;
        self.outcome.violations.extend(findings.violations);
        if let Some(server) = self.server.take() {
            server.stop(&self.runtime).await?;
        }
        Ok(self.outcome)
    }

    fn has_read_all(&self, ends: &BTreeMap<i32, i64>) -> bool {
        let committed = |partition: i32| {
            let place = (TOPIC.into(), PartitionIndex(partition));
            self.committed.get(&place).map_or(0, |offset| offset.0)
        };
        ends.iter().all(|(partition, end)| committed(*partition) >= *end)
    }

    fn judge(&mut self, ends: &BTreeMap<i32, i64>) {
        let mut judge = Judge::default();
        judge.hear(self.readings.take(), &self.deaths);
        for (partition, end) in ends {
            judge.close(*partition, 0..*end);
            self.outcome.records += end.unsigned_abs();
        }
        self.outcome.repeated = judge.repeated;
        self.outcome.violations.extend(judge.violations);
    }
}
