//! Where instances read on.

use aquifer_client::Place;
use aquifer_session::{Instance, Intent, Positions, Progress, Reads, Tenures};
use aquifer_types::{PartitionIndex, TopicPartition};
use aquifer_wire::Text;

use super::commit::OffsetOf;
use crate::gateway::Gateway;
use crate::position::From;
use crate::principal::Principal;
use crate::refusal::{Code, Refusal};
use crate::session::Drive;

/// Where to read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seek {
    To(Vec<OffsetOf>),
    /// At the same kind of place in all of these.
    All(Vec<(String, i32)>, From),
}

impl Gateway {
    /// Has an instance read on elsewhere in what it owns.
    pub async fn seek_instance(
        &self,
        caller: &Principal,
        (group, name): (&str, &str),
        seek: &Seek,
    ) -> Result<(), Refusal> {
        let mut instance = self.instance(caller, group, name).await?;
        let sought = match seek {
            Seek::To(offsets) => self.positions_of(offsets).await?,
            Seek::All(partitions, from) => self.positions_at(partitions, from).await?,
        };
        let owned = self.owned_now(&mut instance).await?;
        if let Some((place, _)) = sought.iter().find(|(place, _)| !owned.contains_key(*place)) {
            let detail = format!("the instance does not own partition {} of the topic", place.partition);
            return Err(Refusal::new(Code::NotAssigned, detail));
        }
        instance.progress.positions.extend(sought);
        self.keep_instance(caller, &instance).await
    }

    async fn positions_at(&self, partitions: &[(String, i32)], from: &From) -> Result<Positions, Refusal> {
        let mut ids = Vec::with_capacity(partitions.len());
        let mut places: Vec<Place> = Vec::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            let id = self.topic_of(topic, *partition).await?;
            ids.push(TopicPartition { topic: id, partition: PartitionIndex(*partition) });
            places.push((Text::from(topic.as_str()), PartitionIndex(*partition)));
        }
        let found = self.resolve_all(&places, from).await?;
        let mut positions = Positions::new();
        for (id, offset) in ids.into_iter().zip(found) {
            positions.insert(id, offset?);
        }
        Ok(positions)
    }

    /// What the instance owns, asked of the coordinator where its group gives it something.
    async fn owned_now(&self, instance: &mut Instance) -> Result<Tenures, Refusal> {
        if let Reads::Chosen(chosen) = &instance.reads {
            let places = self.chosen_places(chosen).await?;
            return Ok(places.into_iter().map(|(id, _)| (id, 0)).collect());
        }
        let (none, after) = (Progress::default(), &instance.progress);
        let mut drive =
            Drive::begin(self, instance.session.clone(), Intent::Commit, &none, Some(after)).await;
        drive.settle().await?;
        (instance.session, instance.progress) = drive.next();
        Ok(instance.session.owned.clone().unwrap_or_default())
    }

    /// The partitions that an instance owns or has chosen.
    pub async fn instance_assignment(
        &self,
        caller: &Principal,
        group: &str,
        name: &str,
    ) -> Result<Vec<(String, i32)>, Refusal> {
        let instance = self.instance(caller, group, name).await?;
        if let Reads::Chosen(chosen) = instance.reads {
            return Ok(chosen);
        }
        let owned: Vec<TopicPartition> =
            instance.session.owned.iter().flat_map(Tenures::keys).copied().collect();
        let ids: Vec<_> = owned.iter().map(|place| place.topic).collect();
        let names = self.client().topic_names(&ids).await.map_err(|error| Refusal::of_client(&error))?;
        let named =
            owned.iter().filter_map(|place| Some((names.get(&place.topic)?.to_string(), place.partition.0)));
        Ok(named.collect())
    }
}
