//! Which chunks there are, and whether one is whole, still there and will stay as it is.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aquifer_client::{OffsetAt, Place, Resource};
use aquifer_types::{BatchEpoch, Offset, TopicPartition};

use super::archive::{Source, no_such};
use super::layout::Layout;
use super::span::{CHUNK_OFFSETS, Found, Span};
use crate::gateway::Gateway;
use crate::position::From;
use crate::refusal::{Code, Refusal};

/// Enough for a batch's header; brokers bring the whole batch.
const ONE_BATCH: i32 = 1;
const MAX_AGE: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const PUBLIC: &str = "aquifer.chunks.public";
const KEPT_MS: &str = "aquifer.chunks.max.age.ms";

/// A chunk that is whole.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub(super) source: Source,
    pub(super) number: i64,
    pub(super) span: Span,
    epoch: BatchEpoch,
    pub keeping: Keeping,
    /// If it was read before.
    pub layout: Option<Arc<Layout>>,
}

/// How caches may keep a topic's chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// Whether those may that many callers share.
    pub is_public: bool,
    pub max_age: Duration,
}

/// The chunks that there are of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkList {
    pub topic: String,
    pub numbers: Range<i64>,
    /// The first offset that the partition still has.
    pub earliest: Offset,
    /// Behind the last record that is in a chunk.
    pub next: Offset,
}

struct Ends {
    start: Offset,
    /// Of what is committed.
    end: Offset,
    keeping: Keeping,
}

impl Chunk {
    /// Another one if its bytes are others.
    #[must_use]
    pub fn tag(&self) -> String {
        let TopicPartition { topic, partition } = self.source.place;
        format!("{}-{partition}-{}-{}", topic.0, self.number, self.epoch)
    }

    pub(super) fn key(&self) -> super::layout::Key {
        (self.source.place, self.number, self.epoch)
    }
}

impl Gateway {
    /// A chunk, if it can be served.
    pub async fn chunk(&self, place: TopicPartition, number: i64) -> Result<Chunk, Refusal> {
        let span = Span::of(number).ok_or_else(|| {
            Refusal::new(Code::InvalidParameter, format!("no chunk can have the number {number}"))
        })?;
        let source = self.source(place).await?;
        let Ends { start, end, keeping } = self.ends(&source).await?;
        let refused = |code, detail| {
            let mut refusal = self.archive().at(&source, Refusal::new(code, detail));
            refusal.facts.earliest_offset = Some(start.0.to_string());
            refusal.facts.latest_offset = Some(end.0.to_string());
            Err(refusal)
        };
        if span.start < start {
            let detail = format!("the chunk begins at {}, and the partition at {start}", span.start);
            return refused(Code::ChunkGone, detail);
        }
        if span.end > end {
            let detail = format!("the chunk ends at {}, and what is committed at {end}", span.end);
            return refused(Code::ChunkOpen, detail);
        }
        let last = self.batch_of(&source, Offset(span.end.0 - 1)).await?;
        let mut chunk = Chunk { source, number, span, epoch: last.epoch, keeping, layout: None };
        chunk.layout = self.archive().layouts.get(&chunk.key());
        Ok(chunk)
    }

    /// The chunks from a place on.
    pub async fn chunks(&self, place: TopicPartition, from: &From) -> Result<ChunkList, Refusal> {
        let source = self.source(place).await?;
        let (ends, from) = (self.ends(&source).await?, self.start(&source.topic, place, from).await?);
        let first =
            ends.start.0.div_euclid(CHUNK_OFFSETS) + i64::from(ends.start.0.rem_euclid(CHUNK_OFFSETS) > 0);
        let end = ends.end.0.div_euclid(CHUNK_OFFSETS).max(first);
        let after = |number: i64| Offset(number * CHUNK_OFFSETS);
        let (mut begin, mut next) = (first, ends.start);
        if end > first {
            next = self.batch_of(&source, Offset(after(end).0 - 1)).await?.end;
            if from >= next {
                begin = end;
            } else if from > after(first) {
                // The batch that holds the offset may have begun a chunk earlier.
                let base = self.batch_of(&source, from).await?.base;
                begin = base.0.div_euclid(CHUNK_OFFSETS).clamp(first, end);
            }
        }
        let topic = source.topic.to_string();
        Ok(ChunkList { topic, numbers: begin..end, earliest: ends.start, next })
    }

    async fn source(&self, place: TopicPartition) -> Result<Source, Refusal> {
        let topic = self.archive().name_of(place.topic).await?;
        if self.topic_of(&topic, place.partition.0).await? != place.topic {
            self.archive().forget(place.topic);
            return Err(no_such(place.topic));
        }
        Ok(Source { topic, place })
    }

    async fn ends(&self, source: &Source) -> Result<Ends, Refusal> {
        let refused = |error| self.archive().at(source, Refusal::of_client(&error));
        let place: Place = (source.topic.clone(), source.place.partition);
        let at = |at| {
            let wanted = [(place.clone(), at)];
            async move {
                let listed = self.client().list_offsets(&wanted, true).await.pop();
                let listed = listed.ok_or_else(|| Refusal::new(Code::Internal, "the broker left it out"))?;
                Ok(listed.map_err(refused)?.offset.unwrap_or(Offset(0)))
            }
        };
        let resource = Resource::Topic(source.topic.to_string());
        let configs = self.client().describe_configs(&resource);
        let (start, end, configs) =
            futures_util::future::join3(at(OffsetAt::Start), at(OffsetAt::End), configs).await;
        let configs = configs.map_err(refused)?;
        let value = |name: &str| configs.iter().find(|entry| entry.name == name)?.value.as_deref();
        if value("cleanup.policy").is_some_and(|policy| policy.split(',').any(|it| it.trim() == "compact")) {
            let detail = "the topic is compacted: what is read of it later may be less";
            return Err(self.archive().at(source, Refusal::new(Code::NotImmutable, detail)));
        }
        let max_age = value(KEPT_MS).and_then(|value| value.parse().ok()).map(Duration::from_millis);
        let is_public = value(PUBLIC) == Some("true");
        let keeping = Keeping { is_public, max_age: max_age.unwrap_or(MAX_AGE).min(MAX_AGE) };
        Ok(Ends { start: start?, end: end?, keeping })
    }

    /// The batch that holds an offset.
    async fn batch_of(&self, source: &Source, offset: Offset) -> Result<Found, Refusal> {
        let fetched = self.archive().fetch(source, offset, ONE_BATCH).await?;
        Found::first_in(&fetched.records).ok_or_else(|| {
            let detail = format!("no batch can be read at offset {offset}");
            self.archive().at(source, Refusal::new(Code::Corrupt, detail))
        })
    }
}
