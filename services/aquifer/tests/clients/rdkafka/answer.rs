//! What the driver answers, and the ways in which it fails.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use serde_json::{Value, json};

pub type Answer = Result<Value, Failure>;

pub enum Failure {
    Absent(String),
    Kafka(KafkaError),
    Code(RDKafkaErrorCode),
}

impl From<KafkaError> for Failure {
    fn from(error: KafkaError) -> Failure {
        Failure::Kafka(error)
    }
}

impl From<RDKafkaErrorCode> for Failure {
    fn from(code: RDKafkaErrorCode) -> Failure {
        Failure::Code(code)
    }
}

pub fn json(answer: Answer) -> Value {
    match answer {
        Ok(ok) => json!({ "ok": ok }),
        Err(Failure::Absent(why)) => json!({ "absent": why }),
        Err(Failure::Kafka(error)) => {
            let code = error.rdkafka_error_code().and_then(broker_code);
            json!({ "error": { "code": code, "message": error.to_string() } })
        }
        Err(Failure::Code(code)) => {
            json!({ "error": { "code": broker_code(code), "message": code.to_string() } })
        }
    }
}

/// librdkafka has codes of its own below zero; one of them stands for the broker's.
fn broker_code(code: RDKafkaErrorCode) -> Option<i32> {
    match code {
        RDKafkaErrorCode::AutoOffsetReset => Some(RDKafkaErrorCode::OffsetOutOfRange as i32),
        code => (code as i32 > 0).then_some(code as i32),
    }
}
