//! `Reader`: reads all partitions from the start on, again and again, and shows the oracle everything it sees.

use std::collections::BTreeMap;
use std::time::Duration;

use aquifer_client::{FetchSettings, OffsetAt};
use aquifer_types::{Offset, PartitionIndex};
use aquifer_wire::ErrorCode;

use crate::clients::Work;
use crate::plan::TopicPlan;

/// One reader at work.
pub struct Reader {
    pub work: Work,
    pub topics: Vec<TopicPlan>,
}

impl Reader {
    pub async fn run(mut self) {
        let mut places: BTreeMap<(usize, i32), Offset> = BTreeMap::new();
        while !self.work.is_over() {
            let at = self.work.dice.index(self.topics.len());
            let partitions = usize::try_from(self.topics[at].partitions).unwrap_or(1);
            let index = i32::try_from(self.work.dice.index(partitions)).unwrap_or(0);
            let place = places.entry((at, index)).or_insert(Offset::ZERO);
            if self.work.dice.one_in(30) {
                *place = Offset::ZERO;
            }
            let from = *place;
            let topic = self.topics[at].clone();
            *place = self.read(&topic, PartitionIndex(index), from).await;
            self.work.pause(10).await;
        }
    }

    /// Reads once; returns where to read next.
    async fn read(&mut self, topic: &TopicPlan, index: PartitionIndex, from: Offset) -> Offset {
        let settings = FetchSettings {
            wait_max: self.work.dice.millis(0..=60),
            partition_bytes_max: self.work.dice.pick(&[1, 1_000, 100_000]),
            ..FetchSettings::default()
        };
        let name = &topic.name;
        match self.work.client.fetch(name, index, from, &settings).await {
            Ok(fetched) => self.work.oracle.read(name, index, from, &fetched.records).unwrap_or(from),
            Err(error) if error.code() == Some(ErrorCode::OFFSET_OUT_OF_RANGE) => {
                self.work
                    .trace
                    .note(&self.work.name, format_args!("{name}-{} {from} is out of range", index.0));
                self.work.oracle.partition(name, index, |known| known.out_of_range(from));
                self.start_of(name, index).await.unwrap_or(from)
            }
            Err(error) => {
                if !error.retriable() {
                    self.work
                        .trace
                        .fail(&self.work.name, format_args!("reading {name}-{} at {from}: {error}", index.0));
                }
                self.work.runtime.sleep(Duration::from_millis(20)).await;
                from
            }
        }
    }

    async fn start_of(&self, name: &str, index: PartitionIndex) -> Option<Offset> {
        let before = self.work.oracle.partition(name, index, |known| Ok(known.started()))?;
        let start = self.work.client.offset(name, index, OffsetAt::Start).await.ok()??;
        self.work.oracle.partition(name, index, |known| known.starts(start, before))?;
        Some(start)
    }
}
