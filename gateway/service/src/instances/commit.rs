//! Commits of instances, and what their groups have committed.

use aquifer_client::{NewOffset, Place};
use aquifer_session::{Instance, Intent, Positions, Progress, Reads};
use aquifer_types::{Offset, PartitionIndex, TopicPartition};
use aquifer_wire::Text;

use crate::gateway::Gateway;
use crate::principal::Principal;
use crate::refusal::{Code, Refusal};
use crate::session::Drive;

/// The next offset of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetOf {
    pub topic: String,
    pub partition: i32,
    pub next: i64,
}

/// What a group has committed in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedAt {
    pub place: Place,
    pub offset: Offset,
    pub metadata: String,
}

impl Gateway {
    /// Commits these offsets, or everything that the instance has read.
    pub async fn commit_instance(
        &self,
        caller: &Principal,
        (group, name): (&str, &str),
        offsets: Option<Vec<OffsetOf>>,
    ) -> Result<(), Refusal> {
        let mut instance = self.instance(caller, group, name).await?;
        let (ack, explicit) = match offsets {
            None => (instance.progress.clone(), None),
            Some(offsets) => {
                let positions = self.positions_of(&offsets).await?;
                // Named now, so it counts whatever changed before.
                let tenure = instance.session.tenure.saturating_add(1);
                (Progress { tenure, positions: positions.clone() }, Some(positions))
            }
        };
        if let Reads::Chosen(_) = instance.reads {
            return self.commit_chosen(&instance, &ack.positions).await;
        }
        let mut drive = Drive::begin(self, instance.session.clone(), Intent::Commit, &ack, None).await;
        drive.settle().await?;
        let committed = drive.poll.outcome().committed;
        let left_out = explicit.iter().flatten().find(|(place, _)| !committed.contains_key(*place));
        let refusal = left_out.map(|(place, _)| {
            let detail = format!("the instance does not own partition {} of the topic", place.partition);
            Refusal::new(Code::NotAssigned, detail)
        });
        // Where it reads on is its own affair.
        let (session, progress) = drive.next();
        instance.session = session;
        instance.progress.tenure = progress.tenure;
        let owned = instance.session.owned.clone().unwrap_or_default();
        let revoked = drive.poll.outcome().revoked;
        instance.progress.positions.retain(|place, _| owned.contains_key(place) && !revoked.contains(place));
        self.keep_instance(caller, &instance).await?;
        refusal.map_or(Ok(()), Err)
    }

    /// Commits for an instance that is no member of its group; never lower than the group is.
    pub(super) async fn commit_chosen(
        &self,
        instance: &Instance,
        positions: &Positions,
    ) -> Result<(), Refusal> {
        let Reads::Chosen(chosen) = &instance.reads else { return Ok(()) };
        let places = self.chosen_places(chosen).await?;
        let named: Vec<Place> = places.iter().map(|(_, place)| place.clone()).collect();
        let group = &instance.session.group;
        let refused = |error| Refusal::of_client(&error);
        let committed = self.client().group_offsets_at(group, &named).await.map_err(refused)?;
        let higher = places.into_iter().filter_map(|(id, place)| {
            let offset = positions.get(&id)?;
            let reached = committed.get(&place).map(|committed| committed.offset);
            reached.is_none_or(|reached| reached < *offset).then(|| NewOffset::at(place, *offset))
        });
        let higher: Vec<_> = higher.collect();
        self.client().set_group_offsets(group, &higher).await.map_err(refused)
    }

    pub(super) async fn positions_of(&self, offsets: &[OffsetOf]) -> Result<Positions, Refusal> {
        let mut positions = Positions::new();
        for OffsetOf { topic, partition, next } in offsets {
            if *next < 0 {
                let detail = "an offset is below zero";
                return Err(Refusal::new(Code::InvalidPosition, detail).at(topic, Some(*partition)));
            }
            let id = self.topic_of(topic, *partition).await?;
            let place = TopicPartition { topic: id, partition: PartitionIndex(*partition) };
            positions.insert(place, Offset(*next));
        }
        Ok(positions)
    }

    /// What the instance's group has committed of these, of those where it has.
    pub async fn instance_committed(
        &self,
        caller: &Principal,
        (group, name): (&str, &str),
        partitions: &[(String, i32)],
    ) -> Result<Vec<CommittedAt>, Refusal> {
        self.instance(caller, group, name).await?;
        let mut places = Vec::with_capacity(partitions.len());
        for (topic, partition) in partitions {
            self.topic_of(topic, *partition).await?;
            places.push((Text::from(topic.as_str()), PartitionIndex(*partition)));
        }
        let found = self.client().group_offsets_at(group, &places).await;
        let found = found.map_err(|error| Refusal::of_client(&error))?;
        let committed = places.into_iter().filter_map(|place| {
            let at = found.get(&place)?;
            Some(CommittedAt { offset: at.offset, metadata: at.metadata.clone(), place })
        });
        Ok(committed.collect())
    }
}
