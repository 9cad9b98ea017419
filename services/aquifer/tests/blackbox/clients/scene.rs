//! `Scene`: one client, the node it talks to, and whoever stands in for what the client cannot do.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use aquifer_client::{
    Address, Client as Raw, ClientSettings, ConnectionSettings, FetchSettings, TcpConnector,
};
use aquifer_record::{BatchHeader, batches};
use aquifer_runtime::Runtime;
use aquifer_types::{Offset, PartitionIndex};
use serde_json::{Value, json};

use super::client::{Client, Record, Refusal};
use crate::harness::Node;

pub(super) struct Scene {
    pub(super) node: Node,
    pub(super) client: Box<dyn Client>,
    pub(super) stand_in: Option<Box<dyn Client>>,
    pub(super) name: &'static str,
}

impl Scene {
    /// Asks the client itself.
    pub(super) fn ask(&mut self, request: &Value) -> Result<Value, Refusal> {
        self.client.ask(request)
    }

    /// Asks the client, and its stand-in for what the client does not have.
    pub(super) fn ask_either(&mut self, request: &Value) -> Result<Value, Refusal> {
        match (self.client.ask(request), &mut self.stand_in) {
            (Err(Refusal::Absent(_)), Some(stand_in)) => stand_in.ask(request),
            (answer, _) => answer,
        }
    }

    /// A topic of this name, created by whoever can.
    pub(super) fn create(&mut self, topic: &str, partitions: i32) -> Result<()> {
        let request = json!({ "op": "create_topic", "topic": topic, "partitions": partitions });
        self.ask_either(&request).with_context(|| format!("create {topic}"))?;
        Ok(())
    }

    /// Writes records with the client; its offsets, where it tells them, must go up from `first`.
    pub(super) fn produce(&mut self, mut request: Value, records: &[Record], first: i64) -> Result<()> {
        request["op"] = json!("produce");
        request["records"] = json!(records);
        let answer = self.ask(&request)?;
        if let Some(offsets) = answer["offsets"].as_array() {
            let expected: Vec<Value> = (first..).take(records.len()).map(Value::from).collect();
            anyhow::ensure!(*offsets == expected, "offsets {offsets:?} were told, not {first} and on");
        }
        Ok(())
    }

    /// Reads `count` records of a partition, by whoever can.
    pub(super) fn read(
        &mut self,
        topic: &str,
        partition: i32,
        from: i64,
        count: usize,
    ) -> Result<Vec<Record>> {
        let request = json!({
            "op": "read", "topic": topic, "partition": partition, "from": from, "count": count, "timeout_ms": 20_000,
        });
        let answer = self.ask_either(&request).with_context(|| format!("read {topic}"))?;
        Ok(serde_json::from_value(answer["records"].clone())?)
    }

    /// The batches of a topic's first partition as they are stored.
    pub(super) fn stored(&self, topic: &str) -> Result<Vec<BatchHeader>> {
        let address: Address = self.node.kafka.parse()?;
        let settings = ClientSettings {
            bootstrap: vec![address],
            connection: ConnectionSettings::default(),
            retry_for: std::time::Duration::from_secs(10),
        };
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let raw = Raw::new(Runtime::real(), Arc::new(TcpConnector), settings);
            let fetch = FetchSettings { partition_bytes_max: 50 << 20, ..FetchSettings::default() };
            let fetched = raw.fetch(topic, PartitionIndex(0), Offset::ZERO, &fetch).await?;
            Ok(batches(&fetched.records).map(|batch| batch.header).collect())
        })
    }
}

/// Whether exactly these records were read, from `first` on.
pub(super) fn same(read: &[Record], written: &[Record], first: i64) -> Result<()> {
    anyhow::ensure!(read.len() == written.len(), "{} records were read of {}", read.len(), written.len());
    for ((read, written), offset) in read.iter().zip(written).zip(first..) {
        anyhow::ensure!(read.offset == offset, "{} stands where {offset} was expected", read.offset);
        anyhow::ensure!(read.as_written() == written.as_written(), "{read:?} was read, {written:?} written");
        let stamped = written.timestamp.is_none() || read.timestamp == written.timestamp;
        anyhow::ensure!(stamped, "{:?} was read as time, {:?} written", read.timestamp, written.timestamp);
    }
    Ok(())
}

/// Whether the broker refused with one of these codes and said why.
pub(super) fn refused(answer: Result<Value, Refusal>, codes: &[i64]) -> Result<()> {
    match answer {
        Err(Refusal::Error { code: Some(code), message }) if codes.contains(&code) => {
            anyhow::ensure!(!message.is_empty(), "error {code} came without a word");
            Ok(())
        }
        Err(absent @ Refusal::Absent(_)) => Err(absent.into()),
        Err(other) => anyhow::bail!("refused otherwise than with one of {codes:?}: {other}"),
        Ok(answer) => anyhow::bail!("not refused: {answer}"),
    }
}

/// Whether it failed, by the broker's word or the client's own, and not by silence.
pub(super) fn failed(answer: Result<Value, Refusal>) -> Result<()> {
    match answer {
        Err(Refusal::Error { .. }) => Ok(()),
        Err(other) => Err(other.into()),
        Ok(answer) => anyhow::bail!("not refused: {answer}"),
    }
}
