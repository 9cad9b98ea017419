//! Consumer groups: who is in them, how far they are, and where they are to go on.

use std::collections::BTreeMap;

use aquifer_client::{Committed, GroupDescription, GroupListing, NewOffset, Place};
use aquifer_types::{Offset, PartitionIndex};
use aquifer_wire::Text;

use crate::gateway::Gateway;
use crate::instances::SHADOW_PREFIX;
use crate::position::From;
use crate::refusal::{Code, Refusal};

/// How far a group is in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    pub place: Place,
    /// Where it goes on, if it has been there.
    pub offset: Option<Offset>,
    /// Behind the last record that consumers see; unknown while nobody leads the partition.
    pub end: Option<Offset>,
    /// Who reads it.
    pub member: Option<String>,
}

/// Where a group is to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// All partitions of these topics; with none of these and no `places`, everything that the group has offsets of.
    pub topics: Vec<String>,
    pub places: Vec<Place>,
    pub to: From,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// A partition whose offset moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResetOffset {
    pub place: Place,
    pub before: Option<Offset>,
    pub offset: Offset,
    pub end: Offset,
}

impl Lag {
    /// How many offsets lie before the group.
    #[must_use]
    pub fn records(&self) -> Option<i64> {
        Some(self.end?.since(self.offset?).max(0))
    }
}

impl Gateway {
    /// All groups by name, but for those that keep instances.
    pub async fn groups(&self) -> Result<Vec<GroupListing>, Refusal> {
        let mut groups = self.client().groups().await.map_err(|error| Refusal::of_client(&error))?;
        groups.retain(|group| !group.id.starts_with(SHADOW_PREFIX));
        Ok(groups)
    }

    pub async fn group(&self, group: &str) -> Result<GroupDescription, Refusal> {
        self.client().describe_group(group).await.map_err(|error| Refusal::of_client(&error))
    }

    /// What a group has committed.
    pub async fn group_offsets(&self, group: &str) -> Result<BTreeMap<Place, Committed>, Refusal> {
        let offsets = self.client().group_offsets(group).await;
        let offsets = offsets.map_err(|error| Refusal::of_client(&error))?;
        if offsets.is_empty() {
            // One that is not there has none either.
            self.group(group).await?;
        }
        Ok(offsets)
    }

    /// How far a group is, in everything that it reads or has offsets of.
    pub async fn group_lag(&self, group: &str) -> Result<Vec<Lag>, Refusal> {
        let described = self.group(group).await?;
        let offsets = self.client().group_offsets(group).await;
        let offsets = offsets.map_err(|error| Refusal::of_client(&error))?;
        let mut readers: BTreeMap<Place, Option<String>> =
            offsets.keys().map(|place| (place.clone(), None)).collect();
        for member in described.members {
            for (topic, partitions) in &member.assigned {
                let topic = Text::from(topic.as_str());
                for index in partitions {
                    readers.insert((topic.clone(), PartitionIndex(*index)), Some(member.id.clone()));
                }
            }
        }
        let places: Vec<Place> = readers.keys().cloned().collect();
        let ends = self.resolve_all(&places, &From::Latest).await?;
        let each = readers.into_iter().zip(ends);
        let lags = each.map(|((place, member), end)| {
            let offset = offsets.get(&place).map(|committed| committed.offset);
            Lag { place, offset, end: end.ok(), member }
        });
        Ok(lags.collect())
    }

    /// Moves the offsets of a group that nobody is in.
    pub async fn reset_group(&self, group: &str, reset: &Reset) -> Result<Vec<ResetOffset>, Refusal> {
        let refused = |error| Refusal::of_client(&error);
        match self.client().describe_group(group).await {
            Ok(described) if !described.is_empty() => {
                let detail = format!("{group} has {} members", described.members.len());
                return Err(Refusal::new(Code::GroupNotEmpty, detail));
            }
            // Offsets make a group.
            Ok(_) => {}
            Err(error) if Refusal::of_client(&error).code == Code::UnknownGroup => {}
            Err(error) => return Err(Refusal::of_client(&error)),
        }
        let committed = self.client().group_offsets(group).await.map_err(refused)?;
        let places = self.reset_places(group, reset, &committed).await?;
        let starts = self.resolve_all(&places, &From::Earliest).await?;
        let ends = self.resolve_all(&places, &From::Latest).await?;
        let wanted = self.resolve_all(&places, &reset.to).await?;
        let mut moves = Vec::with_capacity(places.len());
        for (((place, start), end), offset) in places.into_iter().zip(starts).zip(ends).zip(wanted) {
            let (start, end, offset) = (start?, end?, offset?);
            if offset < start || offset > end {
                let detail = format!("offset {offset} is not between {start} and {end}");
                let mut refusal = Refusal::new(Code::OffsetOutOfRange, detail).at(&place.0, Some(place.1.0));
                refusal.facts.earliest_offset = Some(start.to_string());
                refusal.facts.latest_offset = Some(end.to_string());
                return Err(refusal);
            }
            let before = committed.get(&place).map(|committed| committed.offset);
            moves.push(ResetOffset { place, before, offset, end });
        }
        if !reset.dry_run {
            let offsets = moves.iter().map(|moved| NewOffset::at(moved.place.clone(), moved.offset));
            let offsets: Vec<_> = offsets.collect();
            self.client().set_group_offsets(group, &offsets).await.map_err(|error| {
                let refusal = Refusal::of_client(&error);
                // Somebody joined meanwhile.
                match refusal.code {
                    Code::GroupFenced => Refusal { code: Code::GroupNotEmpty, ..refusal },
                    _ => refusal,
                }
            })?;
        }
        Ok(moves)
    }

    async fn reset_places(
        &self,
        group: &str,
        reset: &Reset,
        committed: &BTreeMap<Place, Committed>,
    ) -> Result<Vec<Place>, Refusal> {
        if reset.topics.is_empty() && reset.places.is_empty() {
            if committed.is_empty() {
                let detail = format!("{group} has no offsets; name topics or partitions");
                return Err(Refusal::new(Code::UnknownGroup, detail));
            }
            return Ok(committed.keys().cloned().collect());
        }
        let mut places = Vec::new();
        for (topic, partition) in &reset.places {
            self.topic_of(topic, partition.0).await?;
            places.push((topic.clone(), *partition));
        }
        for topic in &reset.topics {
            let described = self.client().describe_topic(topic).await;
            let described = described.map_err(|error| Refusal::of_client(&error).at(topic, None))?;
            let name = Text::from(topic.as_str());
            places.extend(described.partitions.iter().map(|partition| (name.clone(), partition.index)));
        }
        places.sort_unstable();
        places.dedup();
        Ok(places)
    }

    /// Deletes a group that nobody is in, with its offsets.
    pub async fn delete_group(&self, group: &str) -> Result<(), Refusal> {
        self.client().delete_group(group).await.map_err(|error| Refusal::of_client(&error))
    }
}
