//! `Follower`: one reader of a topic or of one of its partitions, a page at a time, only when the next is asked for.

use std::time::Duration;

use aquifer_client::Place;
use aquifer_record::Record;
use aquifer_session::{Cursor, Positions};
use aquifer_types::{Offset, PartitionIndex, TopicId, TopicPartition};
use aquifer_wire::Text;

use crate::gateway::Gateway;
use crate::limits::ReadLimits;
use crate::position::{From, InvalidFrom};
use crate::read::{Page, Position};
use crate::refusal::{Code, Refusal};
use crate::session::refused_cursor;

/// What fits into one page; a reader that is slow keeps no more than this waiting.
const PAGE_BYTES: usize = 256 * 1024;
const PAGE_RECORDS: usize = 1_000;
/// Something is said at least so often, so that nobody in between takes the connection for dead.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Follows partitions from positions on.
pub struct Follower {
    gateway: Gateway,
    topic: String,
    id: TopicId,
    positions: Vec<Position>,
    /// Whether nothing was known to be there behind the last page.
    is_at_end: bool,
}

/// What the next page is.
pub enum Next {
    Records(Page),
    /// Nothing came for a while.
    Quiet,
    /// This node is about to stop.
    Draining,
    Refused(Refusal),
}

impl Follower {
    /// Of all partitions, or of one.
    pub async fn new(
        gateway: &Gateway,
        topic: &str,
        partition: Option<i32>,
        from: &str,
    ) -> Result<Follower, Refusal> {
        let gateway = gateway.clone();
        let id = gateway.topic_of(topic, partition.unwrap_or(0)).await?;
        let from = From::read(from)?;
        let partitions: Vec<i32> = match partition {
            Some(partition) => vec![partition],
            None => (0..gateway.partitions_of(topic).await?).collect(),
        };
        if partitions.len() > 1 && matches!(from, From::Offset(_)) {
            let detail = "an offset names a place in one partition; follow that one, or start from a time";
            return Err(Refusal::new(Code::InvalidPosition, detail));
        }
        let places = partitions.iter().map(|index| (Text::from(topic), PartitionIndex(*index)));
        let places: Vec<_> = places.collect();
        let positions = match &from {
            From::Cursor(text) => resume(&gateway, topic, id, &places, text).await?,
            from => {
                let resolved = gateway.resolve_all(&places, from).await?;
                let each = places.into_iter().zip(resolved).map(|(place, offset)| Ok((place, offset?)));
                each.collect::<Result<_, Refusal>>()?
            }
        };
        Ok(Follower { gateway, topic: topic.to_owned(), id, positions, is_at_end: false })
    }

    /// Waits for records, though not for longer than is quiet.
    pub async fn next(&mut self) -> Next {
        let limits = ReadLimits { wait: KEEPALIVE, ..Follower::limits(u64::MAX) };
        let mut page = if std::mem::take(&mut self.is_at_end) {
            self.gateway.read_on(&self.positions, &limits).await
        } else {
            self.gateway.read(&self.positions, &limits).await
        };
        if let Some((_, refusal)) = page.refused.pop() {
            // What heals by itself is waited for.
            if refusal.code.entry().retryable {
                self.gateway.runtime().sleep(Duration::from_millis(200)).await;
                return Next::Quiet;
            }
            return Next::Refused(refusal);
        }
        if page.is_draining {
            return Next::Draining;
        }
        if page.parts.is_empty() {
            self.reach(&page.reached);
            return Next::Quiet;
        }
        Next::Records(page)
    }

    /// Hands `visit` at most `credit` records of a page, and stands behind them. What is left of it comes again.
    pub fn take(
        &mut self,
        page: &Page,
        credit: u64,
        mut visit: impl FnMut(&str, PartitionIndex, &Record<'_>, Option<String>),
    ) -> Result<(), Refusal> {
        let single = self.positions.len() == 1;
        let (positions, topic, id) = (&self.positions, &self.topic, self.id);
        let reached = page.take(&Follower::limits(credit), |index, record| {
            let partition = positions[index].0.1;
            let place = TopicPartition { topic: id, partition };
            // Of several partitions the cursor is told with the page's end: it would outweigh small records.
            let cursor =
                single.then(|| Cursor::of_topic(id, [(place, record.offset.plus(1))].into()).to_string());
            visit(topic, partition, record, cursor);
        })?;
        self.is_at_end = page.is_last(&reached);
        self.reach(&reached);
        // Whoever was served is asked last next time.
        self.positions.rotate_left(1);
        Ok(())
    }

    fn reach(&mut self, reached: &[Offset]) {
        self.positions.iter_mut().zip(reached).for_each(|((_, offset), reached)| *offset = *reached);
    }

    /// Where it stands.
    pub fn cursor(&self) -> String {
        let positions = self.positions.iter();
        let positions = positions.map(|((_, partition), offset)| {
            (TopicPartition { topic: self.id, partition: *partition }, *offset)
        });
        Cursor::of_topic(self.id, positions.collect()).to_string()
    }

    fn limits(credit: u64) -> ReadLimits {
        let records_max = usize::try_from(credit).unwrap_or(usize::MAX).min(PAGE_RECORDS);
        ReadLimits { bytes_max: PAGE_BYTES, records_max, wait: Duration::ZERO }
    }
}

/// Where a cursor says, and from its start in a partition that came after it.
async fn resume(
    gateway: &Gateway,
    topic: &str,
    id: TopicId,
    places: &[Place],
    text: &str,
) -> Result<Vec<Position>, Refusal> {
    if let [place] = places {
        let whole = TopicPartition { topic: id, partition: place.1 };
        let offset = gateway.start(topic, whole, &From::Cursor(text.to_owned())).await?;
        return Ok(vec![(place.clone(), offset)]);
    }
    let known = positions_in(text, id)?;
    let starts = gateway.resolve_all(places, &From::Earliest).await?;
    let mut positions = Vec::with_capacity(places.len());
    for (place, start) in places.iter().zip(starts) {
        let whole = TopicPartition { topic: id, partition: place.1 };
        let offset = match known.get(&whole) {
            Some(offset) => *offset,
            None => start?,
        };
        positions.push((place.clone(), offset));
    }
    Ok(positions)
}

impl Gateway {
    /// The offset that `from` names in a partition, a cursor's too.
    pub async fn start(&self, topic: &str, place: TopicPartition, from: &From) -> Result<Offset, Refusal> {
        let From::Cursor(text) = from else {
            // In memory of its own, which those that read on and wait have no use for.
            return Box::pin(self.resolve(topic, place.partition, from)).await;
        };
        positions_in(text, place.topic)?.get(&place).copied().ok_or_else(|| {
            Refusal::new(Code::ForeignCursor, "the cursor is of other partitions of the topic")
        })
    }
}

impl From {
    /// The place that `text` names.
    pub fn read(text: &str) -> Result<From, Refusal> {
        text.parse().map_err(|error: InvalidFrom| Refusal::new(Code::InvalidPosition, error.to_string()))
    }
}

/// What a cursor of this topic says.
fn positions_in(text: &str, topic: TopicId) -> Result<Positions, Refusal> {
    Cursor::parse(text).and_then(|cursor| cursor.in_topic(topic)).map_err(refused_cursor)
}
