//! What else a session is asked: to commit, to go elsewhere, to end.

use aquifer_client::Place;
use aquifer_session::{Cursor, Intent, Positions, Progress};
use aquifer_types::{Offset, PartitionIndex, TopicPartition};
use aquifer_wire::Text;

use super::drive::{Drive, Held, progress, refused_cursor};
use crate::gateway::Gateway;
use crate::position::From;
use crate::principal::Principal;
use crate::refusal::{Code, Refusal};

/// What came of an acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    pub held: Held,
    /// Where the group stands in the partitions that were acknowledged and are owned.
    pub committed: Vec<(Place, Offset)>,
}

/// Where a session is to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub topic: String,
    /// All that the session owns of the topic if absent.
    pub partition: Option<i32>,
    pub from: From,
}

impl Gateway {
    /// Commits what lies before a cursor.
    pub async fn commit_session(
        &self,
        caller: &Principal,
        token: &str,
        ack: &str,
    ) -> Result<Acknowledged, Refusal> {
        self.acknowledge(caller, token, Some(ack), Intent::Commit).await
    }

    /// Commits what lies before a cursor, if there is one, and leaves the group. A session that is gone is closed.
    pub async fn close_session(
        &self,
        caller: &Principal,
        token: &str,
        ack: Option<&str>,
    ) -> Result<Acknowledged, Refusal> {
        self.acknowledge(caller, token, ack, Intent::Close).await
    }

    async fn acknowledge(
        &self,
        caller: &Principal,
        token: &str,
        ack: Option<&str>,
        intent: Intent,
    ) -> Result<Acknowledged, Refusal> {
        let session = self.present(caller, token).await?;
        let ack = progress(&session.group, ack)?.unwrap_or_default();
        let mut drive = Drive::begin(self, session, intent, &ack, None).await;
        drive.settle().await?;
        let committed = drive.poll.outcome().committed.into_iter();
        let committed = committed.filter_map(|(id, offset)| Some((drive.names.place(id)?, offset)));
        Ok(Acknowledged { committed: committed.collect(), held: drive.held(&Positions::new()) })
    }

    /// Makes a cursor that reads on elsewhere in what the session owns, and in the rest where `after` says.
    pub async fn seek_session(
        &self,
        caller: &Principal,
        token: &str,
        after: Option<&str>,
        targets: &[Target],
    ) -> Result<Held, Refusal> {
        let session = self.present(caller, token).await?;
        let after = progress(&session.group, after)?;
        let ack = Progress::default();
        let mut drive = Drive::begin(self, session, Intent::Commit, &ack, after.as_ref()).await;
        drive.settle().await?;
        let mut sought = Positions::new();
        for target in targets {
            self.seek(&drive, target, &mut sought).await?;
        }
        Ok(drive.held(&sought))
    }

    async fn seek(&self, drive: &Drive, target: &Target, sought: &mut Positions) -> Result<(), Refusal> {
        let Target { topic, partition, from } = target;
        let not_owned = |detail: &str| {
            let detail = format!("the session does not own {detail} of {topic}");
            Err(Refusal::new(Code::NotAssigned, detail).at(topic, *partition))
        };
        let Some(id) = drive.names.id(topic) else { return not_owned("any partition") };
        let owned = drive.poll.outcome().assigned;
        let of_topic = owned.keys().filter(|place| place.topic == id).map(|place| place.partition.0);
        let partitions: Vec<i32> = match partition {
            Some(partition) => of_topic.filter(|owned| owned == partition).collect(),
            None => of_topic.collect(),
        };
        if partitions.is_empty() {
            return match partition {
                Some(partition) => not_owned(&format!("partition {partition}")),
                None => not_owned("any partition"),
            };
        }
        let ids: Vec<_> = partitions
            .iter()
            .map(|index| TopicPartition { topic: id, partition: PartitionIndex(*index) })
            .collect();
        if let From::Cursor(text) = from {
            let positions = Cursor::parse(text).and_then(|cursor| cursor.in_topic(id));
            let positions = positions.map_err(refused_cursor)?;
            sought.extend(positions.into_iter().filter(|(place, _)| ids.contains(place)));
            return Ok(());
        }
        let places: Vec<_> =
            partitions.iter().map(|index| (Text::from(topic.as_str()), PartitionIndex(*index))).collect();
        let found = self.resolve_all(&places, from).await?;
        for (id, offset) in ids.into_iter().zip(found) {
            sought.insert(id, offset?);
        }
        Ok(())
    }
}
