//! Reading records and asking where they are.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::answer::{Answer, Failure};

const LIMIT: Duration = Duration::from_secs(20);

fn consumer(mut config: ClientConfig, reset: &str) -> Result<BaseConsumer, Failure> {
    config
        .set("group.id", "unused")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "200")
        .set("auto.offset.reset", reset);
    Ok(config.create()?)
}

fn topic(r: &Value) -> &str {
    r["topic"].as_str().unwrap_or_default()
}

fn partition(r: &Value) -> i32 {
    r["partition"].as_i64().unwrap_or(0) as i32
}

fn at(r: &Value, offset: i64) -> Result<TopicPartitionList, Failure> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic(r), partition(r), Offset::Offset(offset))?;
    Ok(list)
}

pub fn read(config: ClientConfig, r: &Value) -> Answer {
    let reset = match r["reset"].as_str() {
        None | Some("none") => "error",
        Some(reset) => reset,
    };
    let consumer = consumer(config, reset)?;
    consumer.assign(&at(r, r["from"].as_i64().unwrap_or(0))?)?;
    let until = Instant::now() + Duration::from_millis(r["timeout_ms"].as_u64().unwrap_or(0));
    let count = r["count"].as_u64().unwrap_or(0) as usize;
    let mut records = Vec::new();
    while records.len() < count && Instant::now() < until {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            records.push(record(&message?));
        }
    }
    Ok(json!({ "records": records }))
}

fn text(data: Option<&[u8]>) -> Option<String> {
    data.map(|data| String::from_utf8_lossy(data).into_owned())
}

fn record(message: &BorrowedMessage<'_>) -> Value {
    let headers = message.headers().map(|headers| {
        headers.iter().map(|header| json!([header.key, text(header.value)])).collect::<Vec<Value>>()
    });
    json!({
        "offset": message.offset(),
        "timestamp": message.timestamp().to_millis(),
        "key": text(message.key()),
        "value": text(message.payload()),
        "headers": headers.unwrap_or_default(),
    })
}

pub fn ends(config: ClientConfig, r: &Value) -> Answer {
    let (beginning, end) = consumer(config, "error")?.fetch_watermarks(topic(r), partition(r), LIMIT)?;
    Ok(json!({ "beginning": beginning, "end": end }))
}

pub fn offset_for_time(config: ClientConfig, r: &Value) -> Answer {
    let asked = at(r, r["timestamp"].as_i64().unwrap_or(0))?;
    let found = consumer(config, "error")?.offsets_for_times(asked, LIMIT)?;
    let found = found.elements()[0].offset();
    Ok(json!({ "offset": if let Offset::Offset(offset) = found { Some(offset) } else { None } }))
}

pub fn partitions(config: ClientConfig, r: &Value) -> Answer {
    let metadata = consumer(config, "error")?.fetch_metadata(Some(topic(r)), LIMIT)?;
    let described = &metadata.topics()[0];
    match described.error() {
        Some(error) => Err(RDKafkaErrorCode::from(error).into()),
        None => Ok(json!({ "partitions": described.partitions().len() })),
    }
}
