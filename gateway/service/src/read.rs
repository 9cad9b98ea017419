//! Reads: records of several partitions from offsets on, waiting at the ends where nothing has come yet.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use aquifer_client::{
    ClientError, FetchSettings, Fetched, OffsetAt, Place, ReadError, ReadUpto, RecordReader,
};
use aquifer_record::Record;
use aquifer_types::{Offset, PartitionIndex, TopicId};
use aquifer_wire::{ErrorCode, Text};

use crate::gateway::Gateway;
use crate::limits::ReadLimits;
use crate::position::From;
use crate::refusal::{Code, Refusal};
use crate::tail::Arrival;

/// How long records that are there may take to come, however short the caller's own wait.
const FETCHED_WITHIN: Duration = Duration::from_secs(10);

/// A partition and the first offset that is wanted of it.
pub type Position = (Place, Offset);

/// Records of one of the positions that were asked for.
#[derive(Clone, Debug)]
pub struct Part {
    pub index: usize,
    pub from: Offset,
    pub fetched: Arc<Fetched>,
}

/// What a read brought.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub parts: Vec<Part>,
    /// Where each position stands after records that nobody sees; those of `parts` stand behind what is taken of them.
    pub reached: Vec<Offset>,
    /// Where consumers see each position's partition end, as far as this read was told.
    pub ends: Vec<Option<Offset>>,
    pub refused: Vec<(usize, Refusal)>,
    /// Whether there are records that did not come: brokers fetch old ones from object storage first.
    is_behind: bool,
    /// Whether it was waited for, so that all that is known to be there is in it.
    is_awaited: bool,
    /// Whether it ended early because this node is about to stop.
    pub is_draining: bool,
}

impl Page {
    fn of_nothing(positions: &[Position]) -> Page {
        let reached = positions.iter().map(|(_, offset)| *offset).collect();
        Page { reached, ends: vec![None; positions.len()], ..Page::default() }
    }

    /// Whether nothing is known to come behind `reached`, where this page was taken to.
    pub(crate) fn is_last(&self, reached: &[Offset]) -> bool {
        let is_whole = |part: &Part| reached.get(part.index) >= Some(&part.fetched.high_watermark);
        self.is_awaited && self.parts.iter().all(is_whole)
    }

    /// Where consumers see the partition of a position end, as far as this read was told.
    #[must_use]
    pub fn high_watermark(&self, index: usize) -> Option<Offset> {
        self.ends.get(index).copied().flatten()
    }

    /// What the records take up, packed.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.fetched.records.len()).sum()
    }

    /// Hands `visit` the records within the limits, each with the index of its position, and says where every position
    /// stands behind them.
    pub fn take(
        &self,
        limits: &ReadLimits,
        mut visit: impl FnMut(usize, &Record<'_>),
    ) -> Result<Vec<Offset>, Refusal> {
        let mut taking = self.taking();
        while self.take_next(&mut taking, limits, &mut visit)? {}
        Ok(taking.reached)
    }

    /// For those who take batch by batch.
    #[must_use]
    pub fn taking(&self) -> Taking {
        let reached = self.reached.clone();
        Taking {
            reached,
            part: 0,
            upto: ReadUpto::default(),
            last: None,
            bytes: 0,
            records: 0,
            reader: RecordReader::default(),
        }
    }

    /// The same as `take` for the next batch alone. `false` once no other follows.
    pub fn take_next(
        &self,
        taking: &mut Taking,
        limits: &ReadLimits,
        mut visit: impl FnMut(usize, &Record<'_>),
    ) -> Result<bool, Refusal> {
        let Some(part) = self.parts.get(taking.part) else { return Ok(false) };
        let Taking { reader, upto, last, bytes, records, .. } = taking;
        let taken = reader.read_next(&part.fetched, part.from, upto, |record| {
            let more = size_of(record);
            if *records > 0 && (*bytes + more > limits.bytes_max || *records >= limits.records_max) {
                return ControlFlow::Break(());
            }
            (*bytes, *records) = (*bytes + more, *records + 1);
            *last = Some(record.offset);
            visit(part.index, record);
            ControlFlow::Continue(())
        });
        let is_whole = match taken {
            Ok(Some(ControlFlow::Continue(()))) => return Ok(true),
            Ok(Some(ControlFlow::Break(()))) => false,
            Ok(None) => true,
            // What stands before the batch that cannot be read is good.
            Err(_) if last.is_some() => false,
            Err(error) => return Err(unreadable(&error)),
        };
        let end = part.fetched.end().filter(|_| is_whole);
        let next = end.or(last.map(|offset| offset.plus(1))).unwrap_or(part.from);
        if let Some(position) = taking.reached.get_mut(part.index) {
            *position = next.max(part.from);
        }
        taking.part = if is_whole { taking.part + 1 } else { self.parts.len() };
        (taking.upto, taking.last) = (ReadUpto::default(), None);
        Ok(taking.part < self.parts.len())
    }
}

/// How far a page was taken.
#[derive(Debug)]
pub struct Taking {
    /// Where each position stands, once nothing more follows.
    pub reached: Vec<Offset>,
    part: usize,
    upto: ReadUpto,
    last: Option<Offset>,
    bytes: usize,
    records: usize,
    reader: RecordReader,
}

fn unreadable(error: &ReadError) -> Refusal {
    Refusal::new(Code::Corrupt, error.to_string())
}

fn size_of(record: &Record<'_>) -> usize {
    let headers = record.headers;
    let headers = headers.map(|header| header.key.len() + header.value.map_or(0, <[u8]>::len));
    record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len) + headers.sum::<usize>()
}

impl Gateway {
    /// A topic's id, where it has such a partition; one that was added since this node last asked is found.
    pub async fn topic_of(&self, topic: &str, partition: i32) -> Result<TopicId, Refusal> {
        let mut there = 0;
        for asked_anew in [false, true] {
            if asked_anew {
                self.client().forget(topic);
            }
            // In memory of its own: whoever asks reads and waits afterwards.
            let known = Box::pin(self.client().topic_when_known(topic)).await;
            let known = known.map_err(|error| Refusal::of_client(&error).at(topic, None))?;
            if usize::try_from(partition).is_ok_and(|index| index < known.partitions) {
                return Ok(known.id);
            }
            there = known.partitions;
        }
        let detail = format!("{topic} has {there} partitions, and no partition {partition}");
        Err(Refusal::new(Code::UnknownPartition, detail).at(topic, Some(partition)))
    }

    /// How many partitions a topic has, as far as this node knows.
    pub(crate) async fn partitions_of(&self, topic: &str) -> Result<i32, Refusal> {
        let known = self.client().topic_when_known(topic).await;
        let known = known.map_err(|error| Refusal::of_client(&error).at(topic, None))?;
        Ok(i32::try_from(known.partitions).unwrap_or(i32::MAX))
    }

    /// Where in a partition `from` is. A cursor is nobody's here: whoever made it reads it.
    pub async fn resolve(
        &self,
        topic: &str,
        partition: PartitionIndex,
        from: &From,
    ) -> Result<Offset, Refusal> {
        let place = (Text::from(topic), partition);
        let resolved = self.resolve_all(&[place], from).await?.pop();
        resolved.unwrap_or_else(|| Err(Refusal::new(Code::Internal, "the broker left out the partition")))
    }

    /// The same for several partitions, in their order.
    pub async fn resolve_all(
        &self,
        places: &[Place],
        from: &From,
    ) -> Result<Vec<Result<Offset, Refusal>>, Refusal> {
        let at = |at: OffsetAt| {
            let wanted: Vec<_> = places.iter().map(|place| (place.clone(), at)).collect();
            async move { self.client().list_offsets(&wanted, true).await }
        };
        let refused = |place: &Place, error: &ClientError| refusal_at(place, error);
        let known = |place: &Place, listed: Result<aquifer_client::Listed, ClientError>| match listed {
            Ok(listed) => Ok(listed.offset),
            Err(error) => Err(refused(place, &error)),
        };
        let resolved = match from {
            From::Offset(offset) => return Ok(vec![Ok(*offset); places.len()]),
            From::Cursor(_) => {
                return Err(Refusal::new(Code::InvalidPosition, "a cursor names no single place here"));
            }
            From::Earliest => at(OffsetAt::Start).await,
            From::Latest => at(OffsetAt::End).await,
            From::BeforeEnd(count) => {
                let (starts, ends) = (at(OffsetAt::Start).await, at(OffsetAt::End).await);
                let both = places.iter().zip(starts).zip(ends).map(|((place, start), end)| {
                    let (start, end) = (known(place, start)?, known(place, end)?);
                    let (start, end) = (start.unwrap_or(Offset(0)), end.unwrap_or(Offset(0)));
                    Ok(Offset((end.0.saturating_sub(*count)).max(start.0)))
                });
                return Ok(both.collect());
            }
            From::Time(time) => {
                let (found, ends) = (at(OffsetAt::Time(*time)).await, at(OffsetAt::End).await);
                let either = places.iter().zip(found).zip(ends).map(|((place, found), end)| {
                    let later = known(place, found)?;
                    Ok(later.or(known(place, end)?).unwrap_or(Offset(0)))
                });
                return Ok(either.collect());
            }
        };
        let each = places.iter().zip(resolved);
        Ok(each.map(|(place, listed)| Ok(known(place, listed)?.unwrap_or(Offset(0)))).collect())
    }

    /// Reads from positions on. Waits, if nothing is there, until something comes, the wait is over, or the node drains.
    pub fn read<'a>(
        &'a self,
        wanted: &'a [Position],
        limits: &'a ReadLimits,
    ) -> impl Future<Output = Page> + Send + 'a {
        self.look_or_wait(wanted, limits, true)
    }

    /// The same from positions that a wait has ended at: it goes on at once, and is told of what has come meanwhile. A
    /// hundred who follow a partition would look for nothing a hundred times.
    pub(crate) fn read_on<'a>(
        &'a self,
        wanted: &'a [Position],
        limits: &'a ReadLimits,
    ) -> impl Future<Output = Page> + Send + 'a {
        self.look_or_wait(wanted, limits, false)
    }

    async fn look_or_wait(&self, wanted: &[Position], limits: &ReadLimits, looks: bool) -> Page {
        let until = self.runtime().now().monotonic.plus(limits.wait);
        let mut positions = wanted.to_vec();
        let mut looks = looks;
        loop {
            let page = if std::mem::replace(&mut looks, true) {
                // In memory of its own, which is free again while this waits: thousands do.
                Box::pin(self.look(&mut positions, limits)).await
            } else {
                Page::of_nothing(&positions)
            };
            if !page.parts.is_empty() || !page.refused.is_empty() {
                return page;
            }
            if page.reached.iter().zip(&positions).any(|(reached, (_, offset))| reached > offset) {
                positions.iter_mut().zip(&page.reached).for_each(|((_, offset), reached)| *offset = *reached);
                continue;
            }
            let mut left = until.since(self.runtime().now().monotonic);
            if page.is_behind {
                left = left.max(FETCHED_WITHIN);
            }
            if left.is_zero() || positions.is_empty() {
                return page;
            }
            let arrived = tokio::select! {
                biased;
                () = self.draining().wait() => return Page { is_draining: true, ..page },
                arrived = self.runtime().timeout(left, self.tail().wait(&positions)) => arrived,
            };
            match arrived {
                None => return page,
                Some(Ok(Arrival::Records { index, fetched })) => {
                    let from = positions[index].1;
                    if RecordReader::default().shows_any(&fetched, from) {
                        let mut page = page;
                        page.ends[index] = Some(fetched.high_watermark);
                        page.is_awaited = true;
                        return Page { parts: vec![Part { index, from, fetched }], ..page };
                    }
                    if let Some(end) = fetched.end() {
                        positions[index].1 = end.max(from);
                    }
                }
                // The next look tells what it is.
                Some(Ok(Arrival::Look) | Err(_)) => {}
            }
        }
    }

    /// What is there now.
    async fn look(&self, positions: &mut [Position], limits: &ReadLimits) -> Page {
        let bytes = i32::try_from(limits.bytes_max).unwrap_or(i32::MAX).max(1);
        let settings = FetchSettings {
            bytes_min: 0,
            bytes_max: bytes,
            partition_bytes_max: bytes,
            wait_max: Duration::ZERO,
            read_committed: true,
        };
        let mut page = Page::default();
        let fetched = self.client().fetch_places(positions, &settings).await;
        for (index, ((place, from), fetched)) in positions.iter().zip(fetched).enumerate() {
            let mut reached = *from;
            page.ends.push(fetched.as_ref().ok().map(|fetched| fetched.high_watermark));
            match fetched {
                Ok(fetched) if RecordReader::default().shows_any(&fetched, *from) => {
                    page.parts.push(Part { index, from: *from, fetched: Arc::new(fetched) });
                }
                Ok(fetched) => {
                    reached = fetched.end().map_or(*from, |end| end.max(*from));
                    page.is_behind |= fetched.last_stable_offset > reached;
                }
                Err(error) => page.refused.push((index, self.refused_read(place, *from, &error).await)),
            }
            page.reached.push(reached);
        }
        page
    }

    async fn refused_read(&self, place: &Place, from: Offset, error: &ClientError) -> Refusal {
        if error.code() != Some(ErrorCode::OFFSET_OUT_OF_RANGE) {
            return refusal_at(place, error);
        }
        let ends = [(place.clone(), OffsetAt::Start), (place.clone(), OffsetAt::End)];
        let mut listed = Vec::new();
        for end in ends {
            let answer = self.client().list_offsets(&[end], true).await.pop();
            listed.push(answer.and_then(Result::ok).and_then(|listed| listed.offset));
        }
        let text = |offset: Option<Offset>| offset.map(|offset| offset.0.to_string());
        let detail = match (listed[0], listed[1]) {
            (Some(start), Some(end)) => format!("offset {from} is not between {start} and {end}"),
            _ => format!("offset {from} is not in the partition"),
        };
        let mut refusal = Refusal::new(Code::OffsetOutOfRange, detail).at(&place.0, Some(place.1.0));
        refusal.facts.earliest_offset = text(listed[0]);
        refusal.facts.latest_offset = text(listed[1]);
        refusal
    }
}

fn refusal_at(place: &Place, error: &ClientError) -> Refusal {
    let refusal = Refusal::of_client(error);
    let partition = place.1.0;
    // Brokers have one error for a topic that is not there and for a partition that is not.
    match error {
        ClientError::NoLeader { .. } => Refusal { code: Code::Unavailable, ..refusal },
        _ => refusal,
    }
    .at(&place.0, Some(partition))
}
