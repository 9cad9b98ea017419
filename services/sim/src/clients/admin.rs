//! `Admin`: makes, changes and deletes topics, and deletes records.

use std::collections::BTreeMap;

use aquifer_client::{ClientError, NewTopic};
use aquifer_types::{Offset, PartitionIndex};
use aquifer_wire::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use aquifer_wire::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use aquifer_wire::messages::{DeleteRecordsRequest, IncrementalAlterConfigsRequest};
use aquifer_wire::{ErrorCode, Text};

use crate::clients::Work;
use crate::plan::TopicPlan;

/// The config that is set, to a number that nobody sets twice.
pub const CONFIG: &str = "retention.ms";
const TOPIC: i8 = 2;
const SET: i8 = 0;
const NAMES: u64 = 4;
const TIMEOUT_MS: i32 = 1_000;

/// The administrator at work.
pub struct Admin {
    pub work: Work,
    pub topics: Vec<TopicPlan>,
    /// Whether topics come and go.
    pub changes: bool,
    /// Whether records are deleted.
    pub deletes: bool,
    /// How often a name was given up: a request without an answer may still be carried out, so that whatever else were
    /// asked of its topic would prove nothing.
    pub given_up: BTreeMap<u64, u64>,
}

impl Admin {
    /// Makes the topics that stay, then does what the plan says until it is over.
    pub async fn run(mut self) {
        for topic in self.topics.clone() {
            self.make(&topic).await;
        }
        let mut value = 1_000_000_000;
        while !self.work.is_over() && (self.changes || self.deletes) {
            value += 1;
            let number = self.work.dice.within(1..=NAMES);
            let name = format!("u{number}.{}", self.given_up.get(&number).copied().unwrap_or(0));
            let answered = match self.work.dice.within(0..=3) {
                0 if self.changes => self.create(&name, &value.to_string()).await,
                1 if self.changes => self.delete(&name).await,
                2 if self.changes => self.set(&name, &value.to_string()).await,
                3 if self.deletes => {
                    self.delete_records().await;
                    true
                }
                _ => true,
            };
            if !answered {
                *self.given_up.entry(number).or_default() += 1;
            }
            self.work.pause(60).await;
        }
    }

    async fn make(&mut self, topic: &TopicPlan) {
        let mut configs = BTreeMap::from([
            ("internal.segment.bytes".to_owned(), topic.segment_bytes.to_string()),
            ("retention.ms".to_owned(), "-1".to_owned()),
        ]);
        if !topic.flushed {
            configs.insert("aquifer.durability".to_owned(), "page-cache".to_owned());
        }
        if let Some(bytes) = topic.retention_bytes {
            configs.insert("retention.bytes".to_owned(), bytes.to_string());
        }
        let new = NewTopic {
            name: topic.name.clone(),
            partitions: Some(topic.partitions),
            configs,
            ..NewTopic::default()
        };
        while !self.work.trace.has_failed() {
            let made = self.work.client.create_topic(&new).await;
            self.work.trace.note(&self.work.name, format_args!("make {}: {made:?}", topic.name));
            match made {
                Ok(_) => return,
                Err(error) if error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS) => return,
                Err(error) if !is_answer(Some(&error)) => self.work.pause(50).await,
                Err(error) => {
                    self.work.trace.fail(&self.work.name, format_args!("make {}: {error}", topic.name));
                }
            }
        }
    }

    /// Says whether there was an answer, as `delete` and `set` do.
    async fn create(&mut self, name: &str, value: &str) -> bool {
        self.topics_state(|topics| {
            topics.create_asked(name, value);
            Ok(())
        });
        let configs = BTreeMap::from([(CONFIG.to_owned(), value.to_owned())]);
        let new = NewTopic { name: name.to_owned(), partitions: Some(2), configs, ..NewTopic::default() };
        let created = self.work.client.create_topic(&new).await;
        self.work.trace.note(&self.work.name, format_args!("create {name} {value}: {created:?}"));
        let answered = is_answer(created.as_ref().err());
        self.topics_state(|topics| match created {
            Ok(id) => topics.created(name, id, value),
            Err(error) if error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS) => topics.exists(name),
            Err(error) => unknown_unless_refused(&error),
        });
        answered
    }

    async fn delete(&mut self, name: &str) -> bool {
        self.topics_state(|topics| {
            topics.delete_asked(name);
            Ok(())
        });
        let deleted = self.work.client.delete_topic(name).await;
        self.work.trace.note(&self.work.name, format_args!("delete {name}: {deleted:?}"));
        let answered = is_answer(deleted.as_ref().err());
        self.topics_state(|topics| match deleted {
            Ok(()) => topics.deleted(name),
            Err(error) if error.code() == Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) => topics.missing(name),
            Err(error) => unknown_unless_refused(&error),
        });
        answered
    }

    async fn set(&mut self, name: &str, value: &str) -> bool {
        self.topics_state(|topics| {
            topics.set_asked(name, value);
            Ok(())
        });
        let config = AlterableConfig {
            name: Text::from(CONFIG),
            config_operation: SET,
            value: Some(Text::from(value)),
        };
        let resource = AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: Text::from(name),
            configs: vec![config],
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
        let answered = self.work.client.call_any(&request).await;
        let code = answered.map(|response| response.responses.first().map(|first| first.error_code));
        self.work.trace.note(&self.work.name, format_args!("set {name} {value}: {code:?}"));
        let answered =
            matches!(code, Ok(Some(code)) if !code.retriable() && code != ErrorCode::BROKER_NOT_AVAILABLE);
        self.topics_state(|topics| match code {
            Ok(Some(code)) if code.is_none() => {
                topics.set(name, value);
                Ok(())
            }
            Ok(Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)) => topics.missing(name),
            _ => Ok(()),
        });
        answered
    }

    async fn delete_records(&mut self) {
        let at = self.work.dice.index(self.topics.len());
        let topic = self.topics[at].clone();
        let index = i32::try_from(self.work.dice.index(usize::try_from(topic.partitions).unwrap_or(1)));
        let index = PartitionIndex(index.unwrap_or(0));
        let known = self.work.oracle.partition(&topic.name, index, |known| Ok(known.known_end()));
        let Some(known) = known.filter(|end| *end > Offset::ZERO) else { return };
        let upto = Offset(i64::try_from(self.work.dice.within(0..=known.0.unsigned_abs())).unwrap_or(0));
        let before = self.work.oracle.partition(&topic.name, index, |known| {
            known.delete_asked(upto);
            Ok(known.started())
        });
        let partition = DeleteRecordsPartition { partition_index: index.0, offset: upto.0 };
        let named = DeleteRecordsTopic { name: Text::from(topic.name.as_str()), partitions: vec![partition] };
        let request = DeleteRecordsRequest { topics: vec![named], timeout_ms: TIMEOUT_MS };
        let answered = self.work.client.call_any(&request).await;
        let result = answered.ok().and_then(|response| {
            let partition = response.topics.first()?.partitions.first()?;
            Some((partition.error_code, Offset(partition.low_watermark)))
        });
        self.work.trace.note(
            &self.work.name,
            format_args!("delete {}-{} below {upto}: {result:?}", topic.name, index.0),
        );
        if let Some((code, start)) = result
            && code.is_none()
            && let Some(before) = before
        {
            self.work.oracle.partition(&topic.name, index, |known| known.starts(start, before));
        }
    }

    fn topics_state(&self, ask: impl FnOnce(&mut crate::oracle::Topics) -> Result<(), String>) {
        let asked = ask(&mut self.work.oracle.state().topics);
        if let Err(broken) = asked {
            self.work.trace.fail("oracle", format_args!("{broken}"));
        }
    }
}

/// An error that says nothing of whether it was done is no broken promise; a refusal of what is allowed is one.
fn unknown_unless_refused(error: &ClientError) -> Result<(), String> {
    if !is_answer(Some(error)) { Ok(()) } else { Err(format!("refused: {error}")) }
}

fn is_answer(error: Option<&ClientError>) -> bool {
    // A broker whose quorum has stopped cannot say what became of a command.
    error.is_none_or(|error| !error.retriable() && error.code() != Some(ErrorCode::BROKER_NOT_AVAILABLE))
}
