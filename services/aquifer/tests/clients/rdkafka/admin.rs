//! Administering topics.

use futures_executor::block_on;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Failure};

fn admin(config: &ClientConfig) -> Result<AdminClient<DefaultClientContext>, Failure> {
    Ok(config.create()?)
}

fn topic(r: &Value) -> &str {
    r["topic"].as_str().unwrap_or_default()
}

pub fn create_topic(config: &ClientConfig, r: &Value) -> Answer {
    let partitions = r["partitions"].as_i64().unwrap_or(1) as i32;
    let none = Map::new();
    let configs = r["configs"].as_object().unwrap_or(&none);
    let new = configs
        .iter()
        .fold(NewTopic::new(topic(r), partitions, TopicReplication::Fixed(1)), |new, (name, value)| {
            new.set(name, value.as_str().unwrap_or_default())
        });
    let outcome = block_on(admin(config)?.create_topics([&new], &AdminOptions::new()))?;
    first(outcome).map_err(|(_, code)| Failure::from(code))
}

pub fn create_partitions(config: &ClientConfig, r: &Value) -> Answer {
    let new = NewPartitions::new(topic(r), r["partitions"].as_u64().unwrap_or(1) as usize);
    let outcome = block_on(admin(config)?.create_partitions([&new], &AdminOptions::new()))?;
    first(outcome).map_err(|(_, code)| Failure::from(code))
}

pub fn describe_configs(config: &ClientConfig, r: &Value) -> Answer {
    let resource = ResourceSpecifier::Topic(topic(r));
    let outcome = block_on(admin(config)?.describe_configs([&resource], &AdminOptions::new()))?;
    let described = outcome.into_iter().next().expect("an outcome for each")?;
    Ok(described
        .entries
        .into_iter()
        .map(|entry| (entry.name, Value::from(entry.value)))
        .collect::<Map<_, _>>()
        .into())
}

pub fn alter_config(config: &ClientConfig, r: &Value) -> Answer {
    let (name, value) = (r["name"].as_str().unwrap_or_default(), r["value"].as_str().unwrap_or_default());
    let change = AlterConfig::new(ResourceSpecifier::Topic(topic(r))).set(name, value);
    let outcome = block_on(admin(config)?.alter_configs([&change], &AdminOptions::new()))?;
    first(outcome).map_err(|(_, code)| Failure::from(code))
}

pub fn delete_records(config: &ClientConfig, r: &Value) -> Answer {
    let mut before = TopicPartitionList::new();
    let partition = r["partition"].as_i64().unwrap_or(0) as i32;
    before.add_partition_offset(topic(r), partition, Offset::Offset(r["before"].as_i64().unwrap_or(0)))?;
    let deleted = block_on(admin(config)?.delete_records(&before, &AdminOptions::new()))?;
    deleted.elements()[0].error()?;
    Ok(json!({}))
}

pub fn delete_topic(config: &ClientConfig, r: &Value) -> Answer {
    let outcome = block_on(admin(config)?.delete_topics(&[topic(r)], &AdminOptions::new()))?;
    first(outcome).map_err(|(_, code)| Failure::from(code))
}

fn first<T, E>(outcome: Vec<Result<T, E>>) -> Result<Value, E> {
    outcome.into_iter().next().expect("an outcome for each").map(|_| json!({}))
}
