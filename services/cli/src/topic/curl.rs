//! What commands on topics are over HTTP.

use serde_json::{Map, Value, json};

use super::arguments::{TopicCommand, TopicConfigCommand};
use crate::curl::{Request, segment};
use crate::reach::Reach;

const NO_DRY_RUN: &str = "it has no dry run";

impl TopicCommand {
    pub(super) fn reach(&self) -> &Reach {
        match self {
            TopicCommand::List(arguments) => &arguments.reach,
            TopicCommand::Describe(arguments) => &arguments.reach,
            TopicCommand::Create(arguments) => &arguments.reach,
            TopicCommand::Delete(arguments) => &arguments.reach,
            TopicCommand::Undelete(arguments) => &arguments.reach,
            TopicCommand::AddPartitions(arguments) => &arguments.reach,
            TopicCommand::Offsets(arguments) => &arguments.reach,
            TopicCommand::Trim(arguments) => &arguments.reach,
            TopicCommand::Config(TopicConfigCommand::Get(arguments)) => &arguments.reach,
            TopicCommand::Config(TopicConfigCommand::Set(arguments)) => &arguments.reach,
            TopicCommand::Config(TopicConfigCommand::Unset(arguments)) => &arguments.reach,
        }
    }

    pub(super) fn requests(&self) -> Result<Vec<Request>, &'static str> {
        let at = |topic: &str| format!("/v1/topics/{}", segment(topic));
        let one = |request| Ok(vec![request]);
        match self {
            TopicCommand::List(_) => one(Request::get("/v1/topics")),
            TopicCommand::Describe(arguments) => {
                Ok(arguments.topics.iter().map(|topic| Request::get(at(topic))).collect())
            }
            TopicCommand::Create(arguments) if arguments.dry_run => Err(NO_DRY_RUN),
            TopicCommand::Create(arguments) => {
                let mut body = Map::new();
                if let Some(partitions) = arguments.partitions {
                    body.insert("partitions".to_owned(), partitions.into());
                }
                if let Some(replication) = arguments.replication {
                    body.insert("replication_factor".to_owned(), replication.into());
                }
                if !arguments.config.is_empty() {
                    let configs =
                        arguments.config.iter().map(|it| (it.name.clone(), Value::from(it.value.as_str())));
                    body.insert("configs".to_owned(), Value::Object(configs.collect()));
                }
                one(Request::new("PUT", at(&arguments.topic)).json(&Value::Object(body)))
            }
            TopicCommand::Delete(arguments) if arguments.dry_run => Err(NO_DRY_RUN),
            TopicCommand::Delete(arguments) => {
                Ok(arguments.topics.iter().map(|topic| Request::new("DELETE", at(topic))).collect())
            }
            TopicCommand::AddPartitions(arguments) if arguments.dry_run => Err(NO_DRY_RUN),
            TopicCommand::AddPartitions(arguments) => {
                one(Request::new("PATCH", at(&arguments.topic)).json(&json!({"partitions": arguments.count})))
            }
            TopicCommand::Config(TopicConfigCommand::Get(arguments)) => {
                one(Request::get(at(&arguments.topic)))
            }
            TopicCommand::Config(TopicConfigCommand::Set(arguments)) if arguments.dry_run => Err(NO_DRY_RUN),
            TopicCommand::Config(TopicConfigCommand::Set(arguments)) => {
                let set =
                    arguments.configs.iter().map(|it| (it.name.clone(), Value::from(it.value.as_str())));
                let body = json!({"set_configs": Value::Object(set.collect())});
                one(Request::new("PATCH", at(&arguments.topic)).json(&body))
            }
            TopicCommand::Config(TopicConfigCommand::Unset(arguments)) if arguments.dry_run => {
                Err(NO_DRY_RUN)
            }
            TopicCommand::Config(TopicConfigCommand::Unset(arguments)) => {
                let body = json!({"unset_configs": arguments.names.names()});
                one(Request::new("PATCH", at(&arguments.topic)).json(&body))
            }
            TopicCommand::Undelete(_) => Err("topics come back through the Kafka port"),
            TopicCommand::Offsets(_) => Err("reads tell next_offset and high_watermark"),
            TopicCommand::Trim(_) => Err("records are deleted through the Kafka port"),
        }
    }
}
