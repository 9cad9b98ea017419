//! Consumer instances: created, subscribed, deleted.

use std::time::Duration;

use aquifer_gateway::{Code, NewInstance};
use aquifer_session::StartAt;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::media::Shown;
use crate::body::take;
use crate::caller::Caller;
use crate::door::Door;
use crate::extract::Named;

/// What a configuration that no instance can have is.
const INVALID_CONFIG: u16 = 42_204;
const INVALID_BODY: u16 = 422;
const WAIT_MS: u64 = 1_000;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Create {
    name: Option<String>,
    id: Option<String>,
    format: Option<String>,
    #[serde(rename = "auto.offset.reset")]
    reset: Option<String>,
    #[serde(rename = "auto.commit.enable", alias = "enable.auto.commit")]
    commits_itself: Option<Flag>,
    #[serde(rename = "consumer.request.timeout.ms")]
    wait_ms: Option<Count>,
}

/// Configurations come as what they are, and as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Flag {
    Is(bool),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Count {
    Is(u64),
    Text(String),
}

#[derive(Serialize)]
pub(super) struct Created {
    instance_id: String,
    base_uri: String,
}

#[derive(Deserialize)]
struct Subscribe {
    #[serde(default)]
    topics: Option<Vec<String>>,
    #[serde(default)]
    topic_pattern: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Subscription {
    topics: Vec<String>,
}

#[derive(Deserialize, Serialize)]
pub(super) struct Partitions {
    pub(super) partitions: Vec<Partition>,
}

#[derive(Deserialize, Serialize)]
pub(super) struct Partition {
    pub(super) topic: String,
    pub(super) partition: i32,
}

impl Flag {
    fn read(&self) -> Result<bool, Fault> {
        match self {
            Flag::Is(is) => Ok(*is),
            Flag::Text(text) => text.to_ascii_lowercase().parse().map_err(|_neither| {
                Fault::unprocessable(INVALID_CONFIG, format!("auto.commit.enable is {text:?}"))
            }),
        }
    }
}

impl Count {
    fn read(&self) -> Result<u64, Fault> {
        match self {
            Count::Is(count) => Ok(*count),
            Count::Text(text) => text.parse().map_err(|_none| {
                Fault::unprocessable(INVALID_CONFIG, format!("consumer.request.timeout.ms is {text:?}"))
            }),
        }
    }
}

impl Create {
    fn read(self) -> Result<NewInstance, Fault> {
        let invalid = |detail: String| Err(Fault::unprocessable(INVALID_CONFIG, detail));
        let is_json = match self.format.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("binary") => false,
            Some("json") => true,
            Some(other) => return invalid(format!("format is {other:?}; binary and json are known here")),
        };
        let start = match self.reset.as_deref() {
            None | Some("latest" | "largest") => StartAt::Latest,
            Some("earliest" | "smallest") => StartAt::Earliest,
            Some(other) => return invalid(format!("auto.offset.reset is {other:?}")),
        };
        let wait = self.wait_ms.map(|wait| wait.read()).transpose()?.unwrap_or(WAIT_MS);
        Ok(NewInstance {
            name: self.name.or(self.id).filter(|name| !name.is_empty()),
            is_json,
            commits_itself: self.commits_itself.map_or(Ok(true), |flag| flag.read())?,
            wait: Duration::from_millis(wait),
            start,
        })
    }
}

/// What a body says; one that is empty says nothing.
pub(super) async fn read<T: DeserializeOwned>(
    door: &Door,
    headers: &HeaderMap,
    body: Body,
) -> Result<Option<T>, Fault> {
    let taken = take(door, headers, body).await?;
    if taken.bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let read = serde_json::from_slice(&taken.bytes);
    read.map(Some).map_err(|error| Fault::unprocessable(INVALID_BODY, error.to_string()))
}

pub(super) async fn must_read<T: DeserializeOwned>(
    door: &Door,
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Fault> {
    let read = read(door, headers, body).await?;
    read.ok_or_else(|| Fault::unprocessable(INVALID_BODY, "the body is empty"))
}

pub(super) async fn create(
    Caller { door, principal: caller }: Caller,
    Named(group): Named<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Shown<Created>, Fault> {
    let wanted: Create = read(&door, &headers, body).await?.unwrap_or_default();
    let instance_id = door.gateway.create_instance(&caller, &group, &wanted.read()?).await?;
    // The address that the client used: whatever stands between, it leads here or to another gateway.
    let named = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = named("x-forwarded-proto").or(uri.scheme_str()).unwrap_or("http");
    let host = named("x-forwarded-host").or(named(header::HOST.as_str()));
    let host = host.or(uri.authority().map(|authority| authority.as_str())).unwrap_or("localhost");
    let segment = uri.path().rsplit('/').find(|segment| !segment.is_empty()).unwrap_or_default();
    let name = encoded(&instance_id);
    let base_uri = format!("{scheme}://{host}/consumers/{segment}/instances/{name}");
    Ok(Shown(Created { instance_id, base_uri }))
}

/// A name as a path has it.
fn encoded(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

pub(super) async fn delete(
    Caller { door, principal: caller }: Caller,
    Named((group, name)): Named<(String, String)>,
) -> Result<StatusCode, Fault> {
    door.gateway.delete_instance(&caller, &group, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn subscribe(
    Caller { door, principal: caller }: Caller,
    Named((group, name)): Named<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Fault> {
    let wanted: Subscribe = must_read(&door, &headers, body).await?;
    let topics = wanted.topics.unwrap_or_default();
    if topics.is_empty() == wanted.topic_pattern.is_none() {
        return Err(Fault::new(
            Code::SubscriptionConflict,
            "a subscription names topics, or a topic_pattern",
        ));
    }
    door.gateway.subscribe_instance(&caller, (&group, &name), topics, wanted.topic_pattern).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn subscription(
    Caller { door, principal: caller }: Caller,
    Named((group, name)): Named<(String, String)>,
) -> Result<Shown<Subscription>, Fault> {
    Ok(Shown(Subscription { topics: door.gateway.instance_topics(&caller, &group, &name).await? }))
}

pub(super) async fn unsubscribe(
    Caller { door, principal: caller }: Caller,
    Named((group, name)): Named<(String, String)>,
) -> Result<StatusCode, Fault> {
    door.gateway.unsubscribe_instance(&caller, &group, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn assign(
    Caller { door, principal: caller }: Caller,
    Named((group, name)): Named<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Fault> {
    let wanted: Partitions = must_read(&door, &headers, body).await?;
    let chosen = wanted.partitions.into_iter().map(|it| (it.topic, it.partition)).collect();
    door.gateway.assign_instance(&caller, (&group, &name), chosen).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn assignments(
    Caller { door, principal: caller }: Caller,
    Named((group, name)): Named<(String, String)>,
) -> Result<Shown<Partitions>, Fault> {
    let owned = door.gateway.instance_assignment(&caller, &group, &name).await?;
    let partitions = owned.into_iter().map(|(topic, partition)| Partition { topic, partition });
    Ok(Shown(Partitions { partitions: partitions.collect() }))
}
