//! The tier, shown and flushed.

use std::time::Duration;

use aquifer_client::{Client, ClientError};
use aquifer_runtime::Runtime;
use aquifer_wire::messages::aquifer_tier_response::{TieredPartition, TieredTopic};
use aquifer_wire::messages::{AquiferTierRequest, AquiferTierResponse};
use aquifer_wire::{ErrorCode, Text};
use serde::Serialize;

use super::arguments::{FlushArguments, ShowArguments, TierCommand};
use crate::failure::{Exit, Failure};
use crate::output::Show;
use crate::reach::Reach;

const SHOW: i8 = 0;
const FLUSH: i8 = 1;
/// One request waits no longer; a flush asks again.
const REQUEST: Duration = Duration::from_secs(10);

#[derive(Debug, Serialize)]
struct Partition {
    topic: String,
    partition: i32,
    tiered: bool,
    log_start: i64,
    local_start: i64,
    tier_end: i64,
    high_watermark: i64,
    /// Records that only the tier has, that both have, and that only local disk has.
    cold: i64,
    both: i64,
    hot: i64,
    local_bytes: i64,
    tier_bytes: i64,
    objects: i32,
}

impl Partition {
    fn of(topic: &TieredTopic, partition: &TieredPartition) -> Partition {
        let TieredPartition { log_start, local_start, high_watermark, .. } = *partition;
        // Of a topic that is not in the tier everything is hot.
        let tier_end = partition.tier_end.clamp(log_start, high_watermark.max(log_start));
        let border = local_start.clamp(log_start, tier_end);
        Partition {
            topic: topic.name.to_string(),
            partition: partition.partition_index,
            tiered: topic.tiered,
            log_start,
            local_start,
            tier_end,
            high_watermark,
            cold: border - log_start,
            both: tier_end - border,
            hot: high_watermark - tier_end,
            local_bytes: partition.local_bytes,
            tier_bytes: partition.tier_bytes,
            objects: partition.objects,
        }
    }
}

impl Show for Partition {
    fn columns() -> &'static [&'static str] {
        &["TOPIC", "PARTITION", "TIERED", "COLD", "BOTH", "HOT", "TIER BYTES", "LOCAL BYTES", "OBJECTS"]
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.topic.clone(),
            self.partition.to_string(),
            if self.tiered { "yes" } else { "no" }.to_owned(),
            self.cold.to_string(),
            self.both.to_string(),
            self.hot.to_string(),
            self.tier_bytes.to_string(),
            self.local_bytes.to_string(),
            self.objects.to_string(),
        ]
    }
}

pub(crate) async fn run(command: &TierCommand) -> Result<(), Failure> {
    let runtime = Runtime::real();
    match command {
        TierCommand::Show(arguments) => show(&runtime, arguments).await,
        TierCommand::Flush(arguments) => flush(&runtime, arguments).await,
        TierCommand::Estimate(arguments) => super::estimate::run(arguments),
    }
}

async fn show(runtime: &Runtime, arguments: &ShowArguments) -> Result<(), Failure> {
    let client = arguments.reach.client(runtime)?;
    let answer = ask(&client, SHOW, &arguments.topics).await?;
    print(&arguments.reach, &answer)
}

async fn flush(runtime: &Runtime, arguments: &FlushArguments) -> Result<(), Failure> {
    let client = arguments.reach.client(runtime)?;
    let action = if arguments.dry_run { SHOW } else { FLUSH };
    let deadline = runtime.now().monotonic.plus(arguments.wait);
    loop {
        let answer = ask(&client, action, &arguments.topics).await?;
        if answer.error_code == ErrorCode::NONE {
            return print(&arguments.reach, &answer);
        }
        if deadline.since(runtime.now().monotonic).is_zero() {
            let failure = Failure::new(Exit::Unreachable, "not everything was uploaded in time");
            return Err(Failure { retryable: true, ..failure }
                .hint("the broker's log and aquifer_tier_* in /metrics say what holds uploads up; --wait is how long to wait"));
        }
    }
}

/// An answer; of a flush it may be that not everything is done yet.
async fn ask(client: &Client, action: i8, topics: &[String]) -> Result<AquiferTierResponse, Failure> {
    let topics: Vec<Text> = topics.iter().map(|topic| Text::from(topic.as_str())).collect();
    let request = AquiferTierRequest {
        action,
        topics: (!topics.is_empty()).then_some(topics),
        timeout_ms: i32::try_from(REQUEST.as_millis()).unwrap_or(i32::MAX),
    };
    let answer = client.call_any(&request).await;
    let answer = answer.map_err(|error| Failure::of_client("ask for the tier", &error))?;
    if answer.error_code != ErrorCode::NONE && answer.error_code != ErrorCode::REQUEST_TIMED_OUT {
        let message = answer.error_message.as_ref().map_or("refused", |message| message.as_str());
        return Err(Failure::new(Exit::Refused, message));
    }
    for topic in &answer.topics {
        if !topic.error_code.is_none() {
            let refused = ClientError::Refused { code: topic.error_code, message: None };
            return Err(Failure::of_client(&format!("topic '{}'", topic.name), &refused));
        }
    }
    Ok(answer)
}

fn print(reach: &Reach, answer: &AquiferTierResponse) -> Result<(), Failure> {
    let partitions = answer.topics.iter().flat_map(|topic| {
        let led = topic.partitions.iter().filter(|partition| partition.error_code == ErrorCode::NONE);
        led.map(move |partition| Partition::of(topic, partition))
    });
    reach.printer().list(&partitions.collect::<Vec<_>>())
}
