//! Request bodies of records, built once and sent again and again.

use anyhow::{Result, ensure};
use aquifer_contract::v1::{NewRecord as NewMessage, ProduceRequest};
use aquifer_record::{BatchBuilder, Encoding, NewRecord};
use aquifer_runtime::Runtime;
use bytes::Bytes;
use prost::Message as _;

use crate::scenario::Body;
use crate::work::gateway::http::Prepared;

/// Text of base64's letters: nothing that JSON escapes.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Records of one size, in every form that they are sent in.
pub struct Records {
    pub count: usize,
    value: String,
    /// The batch that holds them: its bytes are what a run counts, whatever the body.
    pub batch: Bytes,
}

impl Records {
    pub fn new(runtime: &Runtime, count: usize, record_bytes: usize) -> Result<Records> {
        ensure!(
            count > 0 && count * record_bytes <= 16 << 20,
            "a request takes 1 record at least, and 16 MiB"
        );
        let mut random = vec![0; record_bytes];
        runtime.fill_random(&mut random);
        let value: String = random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 64)])).collect();
        let mut builder = BatchBuilder::new(Encoding::NONE);
        let timestamp = runtime.now().wall;
        for _ in 0..count {
            let record = NewRecord { timestamp, value: Some(value.as_bytes()), ..NewRecord::default() };
            builder.push(&record)?;
        }
        let batch = Bytes::from(builder.build()?);
        Ok(Records { count, value, batch })
    }

    pub fn json(&self) -> Bytes {
        let record = format!("{{\"value_text\":\"{}\"}}", self.value);
        format!("{{\"records\":[{}]}}", vec![record; self.count].join(",")).into()
    }

    pub fn protobuf(&self) -> Bytes {
        let record = NewMessage { value: Some(self.value.clone().into_bytes()), ..NewMessage::default() };
        let request = ProduceRequest { records: vec![record; self.count], ..ProduceRequest::default() };
        request.encode_to_vec().into()
    }

    pub fn ndjson(&self) -> Bytes {
        format!("{{\"value_text\":\"{}\"}}\n", self.value).repeat(self.count).into()
    }

    /// A request with all of them, to one partition if its form names one.
    pub fn request(&self, body: Body, topic: &str, partition: i32) -> Result<Prepared> {
        match body {
            Body::RecordBatch => {
                let path = format!("/v1/topics/{topic}/partitions/{partition}/records:batch");
                Prepared::post(&path, "application/vnd.kafka.recordbatch", self.batch.clone())
            }
            Body::Protobuf => {
                let path = format!("/v1/topics/{topic}/records");
                Prepared::post(&path, "application/x-protobuf", self.protobuf())
            }
            Body::Ndjson => {
                let path = format!("/v1/topics/{topic}/records:ndjson");
                Prepared::post(&path, "application/x-ndjson", self.ndjson())
            }
            Body::Json => {
                Prepared::post(&format!("/v1/topics/{topic}/records"), "application/json", self.json())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_holds_all_records() {
        let records = Records::new(&Runtime::real(), 3, 100).expect("built");

        let json: serde_json::Value = serde_json::from_slice(&records.json()).expect("JSON");
        assert_eq!(json["records"].as_array().map(Vec::len), Some(3));
        let message = ProduceRequest::decode(&*records.protobuf()).expect("a message");
        assert_eq!(message.records.len(), 3);
        assert_eq!(records.ndjson().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count(), 3);
        assert_eq!(aquifer_record::BatchView::parse(&records.batch).expect("a batch").header.count, 3);
    }
}
