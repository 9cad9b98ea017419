//! Writing records, and what became of each.

use std::sync::Mutex;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use serde_json::{Value, json};

use crate::answer::Answer;

/// One place for each record, in order.
#[derive(Default)]
struct Reports(Mutex<Vec<Option<Result<i64, KafkaError>>>>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<usize>;

    fn delivery(&self, result: &DeliveryResult<'_>, index: Box<usize>) {
        let outcome = match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.clone()),
        };
        self.0.lock().expect("nobody panics")[*index] = Some(outcome);
    }
}

pub fn produce(mut config: ClientConfig, r: &Value) -> Answer {
    config
        .set("compression.type", r["codec"].as_str().unwrap_or("none"))
        .set("enable.idempotence", r["idempotent"].as_bool().unwrap_or(false).to_string())
        .set("message.max.bytes", "10000000")
        .set("message.timeout.ms", "10000")
        .set("topic.metadata.propagation.max.ms", "1000");
    if let Some(bytes) = r["batch_bytes"].as_i64() {
        config.set("batch.size", bytes.to_string()).set("linger.ms", "0");
    }
    let producer: BaseProducer<Reports> = config.create_with_context(Reports::default())?;
    let records = r["records"].as_array().cloned().unwrap_or_default();
    producer.context().0.lock().expect("nobody panics").resize_with(records.len(), || None);
    for (index, record) in records.iter().enumerate() {
        let mut out = BaseRecord::with_opaque_to(r["topic"].as_str().unwrap_or_default(), Box::new(index));
        out.partition = Some(r["partition"].as_i64().unwrap_or(0) as i32);
        out.key = record["key"].as_str();
        out.payload = record["value"].as_str();
        out.timestamp = record["timestamp"].as_i64();
        if let Some(headers) = record["headers"].as_array() {
            let headers = headers.iter().fold(OwnedHeaders::new(), |all, header| {
                all.insert(Header { key: header[0].as_str().unwrap_or_default(), value: header[1].as_str() })
            });
            out.headers = Some(headers);
        }
        producer.send(out).map_err(|(error, _)| error)?;
    }
    producer.flush(Duration::from_secs(20))?;
    let reports = std::mem::take(&mut *producer.context().0.lock().expect("nobody panics"));
    let offsets: Result<Vec<i64>, KafkaError> = reports.into_iter().flatten().collect();
    Ok(json!({ "offsets": offsets? }))
}

pub fn transaction(mut config: ClientConfig, r: &Value) -> Answer {
    config.set("transactional.id", r["id"].as_str().unwrap_or_default());
    let producer: BaseProducer = config.create()?;
    producer.init_transactions(Duration::from_secs(3))?;
    Ok(json!({}))
}
