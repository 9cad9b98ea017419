//! What is set: on topics, brokers and groups.

mod alter;
mod asked_node;
mod describe;
mod list;

pub(crate) use alter::{alter_configs, incremental_alter_configs};
pub(crate) use describe::describe_configs;
pub(crate) use list::list_config_resources;
