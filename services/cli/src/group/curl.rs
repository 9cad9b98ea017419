//! What commands on groups are over HTTP.

use aquifer_types::TimestampMs;
use serde_json::{Value, json};

use super::arguments::GroupCommand;
use crate::curl::{Request, place, segment};
use crate::reach::Reach;

impl GroupCommand {
    pub(super) fn reach(&self) -> &Reach {
        match self {
            GroupCommand::List(arguments) => &arguments.reach,
            GroupCommand::Describe(arguments) | GroupCommand::Lag(arguments) => &arguments.reach,
            GroupCommand::Reset(arguments) => &arguments.reach,
            GroupCommand::Delete(arguments) => &arguments.reach,
            GroupCommand::DeleteOffsets(arguments) => &arguments.reach,
        }
    }

    pub(super) fn requests(&self, now: TimestampMs) -> Result<Vec<Request>, &'static str> {
        let at = |group: &str| format!("/v1/groups/{}", segment(group));
        let one = |request| Ok(vec![request]);
        match self {
            GroupCommand::List(_) => one(Request::get("/v1/groups")),
            GroupCommand::Describe(arguments) => one(Request::get(at(&arguments.group))),
            GroupCommand::Lag(arguments) => one(Request::get(format!("{}/lag", at(&arguments.group)))),
            GroupCommand::Reset(arguments) => {
                if arguments.topic.is_empty() {
                    return Err("it names the topics: say --topic");
                }
                let mut body = json!({"to": place(arguments.to, now), "dry_run": !arguments.execute});
                if arguments.partition.is_empty() {
                    body["topics"] = arguments.topic.clone().into();
                } else {
                    let named = arguments.topic.iter().flat_map(|topic| {
                        arguments.partition.iter().map(move |it| json!({"topic": topic, "partition": it}))
                    });
                    body["partitions"] = Value::Array(named.collect());
                }
                let path = format!("{}/offsets:reset", at(&arguments.group));
                one(Request::new("POST", path).json(&body))
            }
            GroupCommand::Delete(arguments) if arguments.dry_run => Err("it has no dry run"),
            GroupCommand::Delete(arguments) => {
                Ok(arguments.groups.iter().map(|group| Request::new("DELETE", at(group))).collect())
            }
            GroupCommand::DeleteOffsets(_) => Err("offsets are deleted through the Kafka port"),
        }
    }
}
