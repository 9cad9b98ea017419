//! Undeleting: a deleted topic comes back with what the tier has of it, while its objects are still there.
//!
//! It comes back under another id, like every topic that is made again: nothing that still goes on about the old one
//! touches it. The store copies its objects to where the new id is looked for, so that none has two owners.

use std::sync::Arc;

use aquifer_manifest::{Place, Tier as Ranges};
use aquifer_metadata::{
    Answer, Change, ConfigSetting, Deleted, Image, NewTopic, UndeleteRefusal, UndeleteTopic,
};
use aquifer_objects::Problem;
use aquifer_quorum::ProposeError;
use aquifer_tiering::copy_range;
use aquifer_types::{PartitionIndex, TopicPartition};
use aquifer_wire::ErrorCode;
use futures_util::{StreamExt as _, stream};

use super::Tier;
use crate::broker::Broker;
use crate::refusal::Refused;

/// Copies at a time.
const COPIES_MAX: usize = 32;

/// What comes back of each partition.
pub(crate) type Revived = Vec<(PartitionIndex, Ranges)>;

impl Broker {
    /// What would come back of the topic that had this name last.
    pub(crate) fn deleted(&self, image: &Image, name: &str) -> Result<(Arc<Deleted>, Revived), Refused> {
        let named = image.deleted_topics().filter(|deleted| deleted.name().as_str() == name);
        let last = named.max_by_key(|deleted| deleted.at()).ok_or(UndeleteRefusal::Unknown)?;
        image.check_new_name(last.name()).map_err(UndeleteRefusal::Create)?;
        Ok((last.clone(), image.revived_tiers(last)?))
    }

    /// Brings it back.
    pub(crate) async fn undelete(&self, tier: &Tier, name: &str) -> Result<Revived, Refused> {
        // Until they are committed the copies look like orphans.
        let _copying = tier.copying.lock().await;
        let image = self.image();
        let (deleted, revived) = self.deleted(&image, name)?;
        let count = deleted.partition_count();
        let topic = self.default_topic(&image, deleted.name().clone(), count)?;
        let configs = deleted.overrides().iter();
        let configs = configs
            .map(|(name, value)| ConfigSetting { name: name.to_owned(), value: Some(value.to_owned()) });
        let topic = NewTopic { configs: configs.collect(), ..topic };
        let ranges =
            revived.iter().flat_map(|(index, tier)| tier.ranges().iter().map(move |range| (*index, *range)));
        let (from, to) = (deleted.id(), topic.id);
        let copies = stream::iter(ranges.collect::<Vec<_>>()).map(|(partition, range)| {
            let place = |topic| {
                let partition = TopicPartition { topic, partition };
                Place { cluster: self.cluster, partition }
            };
            let (from, to) = (place(from), place(to));
            async move { copy_range(&tier.store, &from, &to, &range).await }
        });
        let mut copies = copies.buffer_unordered(COPIES_MAX);
        while let Some(copied) = copies.next().await {
            match copied {
                // It was decided meanwhile that it goes.
                Ok(()) => {}
                Err(error) if error.problem == Problem::Missing => {
                    return Err(UndeleteRefusal::TooLate.into());
                }
                Err(error) => return Err(Refused::new(ErrorCode::KAFKA_STORAGE_ERROR, error)),
            }
        }
        let undelete = UndeleteTopic { deleted: deleted.id(), topic };
        match self.decide(Change::UndeleteTopic(undelete)).await.map_err(|error| Refused::from(&error))? {
            Answer::TopicUndeleted(outcome) => outcome?,
            _ => return Err(Refused::from(&ProposeError::Unknown)),
        }
        tracing::info!(topic = name, "a deleted topic is back, as far as it was in the tier");
        Ok(revived)
    }
}
