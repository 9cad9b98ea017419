//! A topic's configs.

use aquifer_client::{ConfigSource, Resource};
use aquifer_runtime::Runtime;

use super::arguments::TopicConfigCommand;
use crate::config::{alter, show};
use crate::failure::Failure;

pub(super) async fn run(runtime: &Runtime, command: &TopicConfigCommand) -> Result<(), Failure> {
    let resource = |topic: &str| Resource::Topic(topic.to_owned());
    match command {
        TopicConfigCommand::Get(it) => {
            let own = &[ConfigSource::Topic];
            show(runtime, &it.reach, &resource(&it.topic), &it.settings, own).await
        }
        TopicConfigCommand::Set(it) => {
            let changes: Vec<_> = it.configs.iter().map(crate::config::Assignment::change).collect();
            alter(runtime, &it.reach, (&resource(&it.topic), "topic", &it.topic), &changes, it.dry_run).await
        }
        TopicConfigCommand::Unset(it) => {
            let changes = it.names.changes();
            alter(runtime, &it.reach, (&resource(&it.topic), "topic", &it.topic), &changes, it.dry_run).await
        }
    }
}
