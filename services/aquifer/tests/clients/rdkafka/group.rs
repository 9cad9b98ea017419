//! `Member`: a consumer in a group, which reads and commits by itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::message::Message as _;
use serde_json::{Value, json};

use crate::answer::Failure;

#[derive(Default)]
struct State {
    partitions: Vec<i32>,
    assignments: u32,
    /// Read and committed since they were last asked for.
    records: Vec<(i32, i64)>,
    failure: Option<String>,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<State>>);

impl ClientContext for Shared {}

impl ConsumerContext for Shared {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let mut state = self.0.lock().expect("nobody panics");
        match rebalance {
            Rebalance::Assign(told) => {
                state.assignments += 1;
                state.partitions.extend(told.elements().iter().map(|one| one.partition()));
                state.partitions.sort_unstable();
            }
            Rebalance::Revoke(told) => {
                let gone: Vec<i32> = told.elements().iter().map(|one| one.partition()).collect();
                state.partitions.retain(|one| !gone.contains(one));
            }
            Rebalance::Error(error) => state.failure = Some(error.to_string()),
        }
    }
}

pub struct Member {
    shared: Shared,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    pub fn join(mut config: ClientConfig, r: &Value) -> Result<Member, Failure> {
        config
            .set("group.id", r["group"].as_str().unwrap_or_default())
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "200");
        if r["protocol"] == "consumer" {
            config.set("group.protocol", "consumer");
        } else {
            config.set("session.timeout.ms", "10000").set("heartbeat.interval.ms", "500");
        }
        if let Some(instance) = r["instance"].as_str() {
            config.set("group.instance.id", instance);
        }
        let shared = Shared::default();
        let consumer: BaseConsumer<Shared> = config.create_with_context(shared.clone())?;
        consumer.subscribe(&[r["topic"].as_str().unwrap_or_default()])?;
        let ending = Arc::new(AtomicBool::new(false));
        let (told, state) = (Arc::clone(&ending), shared.clone());
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
                let outcome = message.and_then(|message| {
                    consumer.commit_message(&message, CommitMode::Sync)?;
                    Ok((message.partition(), message.offset()))
                });
                let mut state = state.0.lock().expect("nobody panics");
                match outcome {
                    Ok(record) => state.records.push(record),
                    Err(error) => state.failure = Some(error.to_string()),
                }
            }
        });
        Ok(Member { shared, ending, thread: Some(thread) })
    }

    pub fn poll(&self) -> Value {
        let mut state = self.shared.0.lock().expect("nobody panics");
        json!({
            "partitions": state.partitions,
            "assignments": state.assignments,
            "records": std::mem::take(&mut state.records),
            "failure": state.failure,
        })
    }
}

impl Drop for Member {
    /// The consumer leaves the group when its thread drops it.
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("nobody panics");
        }
    }
}
