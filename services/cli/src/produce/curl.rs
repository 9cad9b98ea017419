//! What `aquifer produce` is over HTTP.

use serde_json::{Map, Value, json};

use super::arguments::{Input, ProduceArguments};
use crate::curl::{Request, segment};

impl ProduceArguments {
    pub(super) fn requests(&self) -> Result<Vec<Request>, &'static str> {
        if self.dry_run {
            return Err("it has no dry run");
        }
        let topic = format!("/v1/topics/{}", segment(&self.topic));
        if self.value.is_empty() {
            if self.input != Input::Ndjson {
                return Err("it takes records as JSON: give values with --value, or --input ndjson");
            }
            let file = self.file.as_ref().map_or("-".to_owned(), |file| file.display().to_string());
            let request = Request::new("POST", format!("{topic}/records:ndjson"));
            return Ok(vec![request.body("application/x-ndjson", format!("@{file}"))]);
        }
        let records = self.value.iter().map(|value| {
            let mut record = Map::new();
            if let Some(key) = &self.key {
                record.insert("key_text".to_owned(), key.as_str().into());
            }
            if value.is_empty() && self.empty_as_null {
                record.insert("tombstone".to_owned(), true.into());
            } else {
                record.insert("value_text".to_owned(), value.as_str().into());
            }
            if !self.header.is_empty() {
                let headers = self.header.iter().map(|it| json!({"name": it.name, "value_text": it.value}));
                record.insert("headers".to_owned(), Value::Array(headers.collect()));
            }
            if let Some(partition) = self.partition {
                record.insert("partition".to_owned(), partition.into());
            }
            Value::Object(record)
        });
        let records: Vec<Value> = records.collect();
        Ok(vec![Request::new("POST", format!("{topic}/records")).json(&json!({"records": records}))])
    }
}
