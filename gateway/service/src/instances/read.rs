//! Reading as an instance: where the last read ended, which it says itself.

use std::time::Duration;

use aquifer_client::Place;
use aquifer_record::Record;
use aquifer_session::{Instance, Positions, Progress, Reads, StartAt};
use aquifer_types::{Offset, PartitionIndex, TopicPartition};
use aquifer_wire::Text;

use crate::gateway::Gateway;
use crate::limits::ReadLimits;
use crate::position::From;
use crate::principal::Principal;
use crate::read::Page;
use crate::refusal::{Code, Refusal};
use crate::session::Polled;

/// What a read of an instance brought, records still packed.
pub struct InstanceRead {
    instance: Instance,
    brought: Brought,
}

enum Brought {
    Given(Box<Polled>),
    Chosen { page: Page, limits: ReadLimits, read: Vec<(TopicPartition, Place)> },
}

impl Gateway {
    /// Reads on as an instance. What the last read brought counts as dealt with if the instance commits itself.
    pub async fn read_instance(
        &self,
        caller: &Principal,
        (group, name): (&str, &str),
        is_json: Option<bool>,
        wait: Option<Duration>,
        bytes_max: usize,
    ) -> Result<InstanceRead, Refusal> {
        let mut instance = self.instance(caller, group, name).await?;
        if is_json.is_some_and(|is_json| is_json != instance.is_json) {
            let format = if instance.is_json { "json" } else { "binary" };
            return Err(Refusal::new(Code::NotAcceptable, format!("the instance's format is {format}")));
        }
        let own = Duration::from_millis(u64::try_from(instance.wait_ms).unwrap_or_default());
        let limits = ReadLimits { bytes_max, records_max: usize::MAX, wait: wait.unwrap_or(own) };
        let brought = match instance.reads.clone() {
            Reads::Nothing => {
                let detail = "the instance has not subscribed to anything";
                return Err(Refusal::new(Code::SubscriptionConflict, detail));
            }
            Reads::Chosen(chosen) => self.read_chosen(&mut instance, &chosen, limits).await?,
            Reads::Pattern(pattern) => {
                instance.session.topics = self.topics_like(&pattern).await?;
                self.read_given(&instance, limits).await?
            }
            Reads::Topics => self.read_given(&instance, limits).await?,
        };
        Ok(InstanceRead { instance, brought })
    }

    async fn read_given(&self, instance: &Instance, limits: ReadLimits) -> Result<Brought, Refusal> {
        let none = Progress::default();
        let ack = if instance.commits_itself { &instance.progress } else { &none };
        let session = instance.session.clone();
        let polled = self.poll_with(session, ack, Some(&instance.progress), limits).await?;
        Ok(Brought::Given(Box::new(polled)))
    }

    async fn read_chosen(
        &self,
        instance: &mut Instance,
        chosen: &[(String, i32)],
        limits: ReadLimits,
    ) -> Result<Brought, Refusal> {
        if instance.commits_itself {
            self.commit_chosen(instance, &instance.progress.positions.clone()).await?;
        }
        let read = self.chosen_places(chosen).await?;
        let missing: Vec<_> =
            read.iter().filter(|(id, _)| !instance.progress.positions.contains_key(id)).cloned().collect();
        let starts = self.starts_of(instance, &missing).await?;
        instance.progress.positions.extend(starts);
        let positions = &instance.progress.positions;
        let wanted =
            read.iter().map(|(id, place)| (place.clone(), positions.get(id).copied().unwrap_or_default()));
        let wanted: Vec<_> = wanted.collect();
        let mut page = self.read(&wanted, &limits).await;
        if page.parts.is_empty()
            && let Some((_, refusal)) = page.refused.pop()
        {
            return Err(refusal);
        }
        Ok(Brought::Chosen { page, limits, read })
    }

    /// The partitions that an instance has chosen, by the ids that their topics have.
    pub(super) async fn chosen_places(
        &self,
        chosen: &[(String, i32)],
    ) -> Result<Vec<(TopicPartition, Place)>, Refusal> {
        let mut places = Vec::with_capacity(chosen.len());
        for (topic, partition) in chosen {
            let (id, partition) = (self.topic_of(topic, *partition).await?, PartitionIndex(*partition));
            let place = (Text::from(topic.as_str()), partition);
            places.push((TopicPartition { topic: id, partition }, place));
        }
        Ok(places)
    }

    /// Where the group is in these, else where the instance is to begin.
    async fn starts_of(
        &self,
        instance: &Instance,
        places: &[(TopicPartition, Place)],
    ) -> Result<Positions, Refusal> {
        if places.is_empty() {
            return Ok(Positions::new());
        }
        let named: Vec<Place> = places.iter().map(|(_, place)| place.clone()).collect();
        let committed = self.client().group_offsets_at(&instance.session.group, &named).await;
        let committed = committed.map_err(|error| Refusal::of_client(&error))?;
        let start = match instance.session.start {
            StartAt::Earliest => From::Earliest,
            StartAt::Latest => From::Latest,
            StartAt::Time(time) => From::Time(time),
        };
        let starts = self.resolve_all(&named, &start).await?;
        let mut positions = Positions::new();
        for ((id, place), start) in places.iter().zip(starts) {
            let offset = match committed.get(place) {
                Some(committed) => committed.offset,
                None => start?,
            };
            positions.insert(*id, offset);
        }
        Ok(positions)
    }

    /// Keeps where a read ended; only then may its records leave.
    pub async fn keep_read(&self, caller: &Principal, read: InstanceRead) -> Result<(), Refusal> {
        let InstanceRead { mut instance, brought } = read;
        if let Brought::Given(polled) = brought {
            (instance.session, instance.progress) = polled.next();
        }
        self.keep_instance(caller, &instance).await
    }
}

impl InstanceRead {
    /// Whether keys and values are shown as JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.instance.is_json
    }

    /// What the records take up, packed.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.brought {
            Brought::Given(polled) => polled.bytes(),
            Brought::Chosen { page, .. } => page.bytes(),
        }
    }

    /// Hands `visit` the records, each with its partition.
    pub fn take(&mut self, mut visit: impl FnMut(&Place, &Record<'_>)) -> Result<(), Refusal> {
        match &mut self.brought {
            Brought::Given(polled) => polled.take(visit),
            Brought::Chosen { page, limits, read } => {
                let reached: Vec<Offset> =
                    page.take(limits, |index, record| visit(&read[index].1, record))?;
                let positions = &mut self.instance.progress.positions;
                positions.extend(read.iter().zip(reached).map(|((id, _), offset)| (*id, offset)));
                Ok(())
            }
        }
    }
}
