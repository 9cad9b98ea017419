//! `Laid`: a topic that was laid down, and how far it is in the tier.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aquifer_client::Client;
use aquifer_types::PartitionIndex;
use aquifer_wire::Text;
use aquifer_wire::messages::aquifer_tier_response::TieredPartition;
use aquifer_wire::messages::{AquiferTierRequest, AquiferTierResponse};

use crate::batch::Load;
use crate::scenario::History;
use crate::work::TestTopic;
use crate::work::fetch::fill;

const SHOW: i8 = 0;
const FLUSH: i8 = 1;
const ASK_INTERVAL: Duration = Duration::from_millis(50);
/// What a cluster may take to upload a history, and to give up the local copy.
const LIMIT: Duration = Duration::from_secs(300);

/// A topic with the same batch again and again.
pub struct Laid {
    pub topic: TestTopic,
    pub load: Load,
    pub partitions: i32,
    /// In each partition.
    pub batches: i64,
}

impl Laid {
    /// Produces all of it. A tiered topic keeps nothing on local disk that is in the tier.
    pub async fn produce(client: &Client, history: &History, is_tiered: bool) -> Result<Laid> {
        let load = Load::new(client.runtime(), history.batch_bytes, history.record_bytes)?;
        let batches = i64::try_from(history.bytes / load.batch.len())?.max(1);
        let laid = Laid {
            topic: create_topic(client, history, is_tiered).await?,
            partitions: history.partitions,
            load,
            batches,
        };
        for partition in 0..laid.partitions {
            fill(client, &laid.topic, PartitionIndex(partition), &laid.load, batches).await?;
        }
        Ok(laid)
    }

    /// Produces all of a tiered topic, turn by turn over its partitions, at so many bytes a second.
    pub async fn paced(client: &Client, history: &History, bytes_per_second: f64) -> Result<Laid> {
        let load = Load::new(client.runtime(), history.batch_bytes, history.record_bytes)?;
        let batches = i64::try_from(history.bytes / load.batch.len())?.max(1);
        let topic = create_topic(client, history, true).await?;
        let began = client.runtime().now().monotonic;
        let mut bytes = 0.0;
        for _ in 0..batches {
            for partition in 0..history.partitions {
                fill(client, &topic, PartitionIndex(partition), &load, 1).await?;
                bytes += load.batch.len() as f64;
                let due = Duration::from_secs_f64(bytes / bytes_per_second);
                let took = client.runtime().now().monotonic.since(began);
                client.runtime().sleep(due.saturating_sub(took)).await;
            }
        }
        Ok(Laid { topic, load, partitions: history.partitions, batches })
    }

    /// Produces all of it, and comes back when only the tier has it.
    pub async fn cold(client: &Client, history: &History) -> Result<Laid> {
        let laid = Laid::produce(client, history, true).await?;
        flush(client, &laid.topic).await?;
        until_cold(client, &laid.topic).await?;
        Ok(laid)
    }

    /// Of all partitions.
    pub fn bytes(&self) -> f64 {
        self.load.batch.len() as f64 * self.batches as f64 * f64::from(self.partitions)
    }
}

/// An empty topic of that kind.
pub async fn create_topic(client: &Client, history: &History, is_tiered: bool) -> Result<TestTopic> {
    let mut configs = BTreeMap::from([("segment.bytes".to_owned(), history.object_bytes.to_string())]);
    if is_tiered {
        configs.insert("remote.storage.enable".to_owned(), "true".to_owned());
        configs.insert("local.retention.bytes".to_owned(), "0".to_owned());
    }
    TestTopic::create(client, history.partitions, configs).await
}

/// Comes back when everything that is committed now is in the tier.
pub async fn flush(client: &Client, topic: &TestTopic) -> Result<()> {
    let ends: Vec<i64> = show(client, topic).await?.iter().map(|part| part.high_watermark).collect();
    let wait = async {
        loop {
            let found = ask(client, topic, FLUSH).await?;
            if found.iter().zip(&ends).all(|(part, end)| part.tier_end >= *end) {
                return Ok(());
            }
            client.runtime().sleep(ASK_INTERVAL).await;
        }
    };
    client.runtime().timeout(LIMIT, wait).await.context("not everything is uploaded")?
}

/// Comes back when local disk has nothing any more; says how many objects have it.
pub async fn until_cold(client: &Client, topic: &TestTopic) -> Result<u64> {
    let wait = async {
        loop {
            let found = show(client, topic).await?;
            if found.iter().all(|part| part.local_start >= part.high_watermark) {
                return Ok(found.iter().map(|part| u64::from(part.objects.unsigned_abs())).sum());
            }
            client.runtime().sleep(ASK_INTERVAL).await;
        }
    };
    client.runtime().timeout(LIMIT, wait).await.context("local copies do not go")?
}

/// Every partition, the first one first.
pub async fn show(client: &Client, topic: &TestTopic) -> Result<Vec<TieredPartition>> {
    ask(client, topic, SHOW).await
}

async fn ask(client: &Client, topic: &TestTopic, action: i8) -> Result<Vec<TieredPartition>> {
    let topics = Some(vec![Text::clone(&topic.name)]);
    let request = AquiferTierRequest { action, topics, timeout_ms: 50_000 };
    let answer: AquiferTierResponse = client.call_any(&request).await?;
    let topic = answer.topics.into_iter().next().context("the broker does not know the topic")?;
    ensure!(topic.error_code.is_none(), "the tier: {}", topic.error_code);
    let mut partitions = topic.partitions;
    partitions.sort_by_key(|part| part.partition_index);
    Ok(partitions)
}
