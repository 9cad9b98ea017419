//! Topics and their configs.

use std::collections::BTreeMap;

use aquifer_gateway::{
    Code, ConfigView, NewTopic, PartitionView, TopicChange, TopicCreated, TopicView, listed,
};
use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::produce::read_json;
use crate::body::{must_be, take};
use crate::caller::Caller;
use crate::extract::{Asked, Named};
use crate::problem::{Problem, Refused};

/// A topic.
#[derive(Serialize, ToSchema)]
pub(crate) struct Topic {
    name: String,
    /// Of this topic alone: one that is created again under its name has another.
    id: String,
    /// Whether the cluster keeps its own state in it.
    internal: bool,
    partitions: Vec<Partition>,
    /// Its own and inherited settings; absent in lists.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    configs: Option<Vec<Config>>,
}

/// A partition of a topic.
#[derive(Serialize, ToSchema)]
pub(crate) struct Partition {
    partition: i32,
    /// Absent while nobody leads it.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<i32>,
    replicas: Vec<i32>,
    in_sync: Vec<i32>,
}

/// A setting of a topic as it is in force.
#[derive(Serialize, ToSchema)]
pub(crate) struct Config {
    name: String,
    /// Absent where it is set to nothing.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// Where the value comes from: `topic`, `broker`, `cluster`, `file`, `default`. More may come.
    source: String,
    /// Whether the topic inherits it.
    inherited: bool,
}

/// A page of topics.
#[derive(Serialize, ToSchema)]
pub(crate) struct TopicPage {
    items: Vec<Topic>,
    /// Asks for the next page; absent on the last.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// What a topic is to be.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateTopicRequest {
    /// The cluster's default if absent.
    #[schema(nullable = false)]
    partitions: Option<i32>,
    /// The cluster's default if absent.
    #[schema(nullable = false)]
    replication_factor: Option<i32>,
    /// Kafka's names for a topic's settings.
    #[serde(default)]
    configs: BTreeMap<String, String>,
}

/// What is to change of a topic.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeTopicRequest {
    /// No fewer than there are.
    #[schema(nullable = false)]
    partitions: Option<i32>,
    #[serde(default)]
    set_configs: BTreeMap<String, String>,
    /// Back to their defaults.
    #[serde(default)]
    unset_configs: Vec<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// At most 1000.
    #[param(nullable = false, default = 100, minimum = 1)]
    pub(crate) page_size: Option<i32>,
    /// As the page before told it.
    #[param(nullable = false)]
    pub(crate) page_token: Option<String>,
}

impl PageQuery {
    /// The page of `items` that is asked for, with the token of the next.
    pub(crate) fn of<T>(
        &self,
        items: Vec<T>,
        name: impl Fn(&T) -> &str,
    ) -> Result<(Vec<T>, Option<String>), Refused> {
        Ok(listed(
            items,
            self.page_size.map(i64::from),
            self.page_token.as_deref().unwrap_or_default(),
            name,
        )?)
    }
}

impl From<TopicView> for Topic {
    fn from(view: TopicView) -> Topic {
        let configs =
            (!view.configs.is_empty()).then(|| view.configs.into_iter().map(Config::from).collect());
        Topic {
            name: view.name,
            id: view.id.0.to_string(),
            internal: view.is_internal,
            partitions: view.partitions.into_iter().map(Partition::from).collect(),
            configs,
        }
    }
}

impl From<PartitionView> for Partition {
    fn from(view: PartitionView) -> Partition {
        let PartitionView { index, leader, replicas, in_sync } = view;
        Partition { partition: index, leader, replicas, in_sync }
    }
}

impl From<ConfigView> for Config {
    fn from(view: ConfigView) -> Config {
        let ConfigView { name, value, source, is_default } = view;
        Config { name, value, source: source.to_owned(), inherited: is_default }
    }
}

/// List topics
#[utoipa::path(
    get, path = "/v1/topics", operation_id = "listTopics", tag = "topics", params(PageQuery),
    responses(
        (status = 200, description = "Topics by name", body = TopicPage),
    ),
)]
pub(crate) async fn list_topics(
    Caller { door, .. }: Caller,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<TopicPage>, Refused> {
    let (items, next_page_token) = query.of(door.gateway.topics().await?, |topic| &topic.name)?;
    Ok(Json(TopicPage { items: items.into_iter().map(Topic::from).collect(), next_page_token }))
}

/// Look at a topic
#[utoipa::path(
    get, path = "/v1/topics/{topic}", operation_id = "getTopic", tag = "topics",
    params(("topic" = String, Path, description = "The topic's name")),
    responses(
        (status = 200, description = "The topic with its configs", body = Topic),
        (status = 404, description = "The topic is not there", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_topic(
    Caller { door, .. }: Caller,
    Named(topic): Named<String>,
) -> Result<Json<Topic>, Refused> {
    Ok(Json(door.gateway.topic(&topic).await?.into()))
}

/// Have a topic be there
///
/// Asked again with the same body it answers 200; if the topic is there and differs from the body, 409.
#[utoipa::path(
    put, path = "/v1/topics/{topic}", operation_id = "createTopic", tag = "topics",
    params(("topic" = String, Path, description = "The topic's name")),
    request_body(content = CreateTopicRequest, content_type = "application/json", description = "What the topic is to be; all defaults without one"),
    responses(
        (status = 200, description = "The topic was there, just so", body = Topic),
        (status = 201, description = "The topic was created", body = Topic),
        (status = 409, description = "The topic is there and differs", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create_topic(
    Caller { door, .. }: Caller,
    Named(topic): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let taken = take(&door, &headers, body).await?;
    let wanted = if taken.bytes.is_empty() {
        CreateTopicRequest::default()
    } else {
        must_be(&headers, "application/json")?;
        read_json(&taken.bytes)?
    };
    let replication_factor = wanted.replication_factor.map(i16::try_from).transpose();
    let replication_factor = replication_factor
        .map_err(|_wide| Refused::new(Code::InvalidTopic, "replication_factor is larger than 32767"))?;
    let new = NewTopic { partitions: wanted.partitions, replication_factor, configs: wanted.configs };
    Ok(match door.gateway.create_topic(&topic, &new).await? {
        TopicCreated::Fresh(view) => (StatusCode::CREATED, Json(Topic::from(view))).into_response(),
        TopicCreated::Found(view) => Json(Topic::from(view)).into_response(),
    })
}

/// Change configs, add partitions
#[utoipa::path(
    patch, path = "/v1/topics/{topic}", operation_id = "changeTopic", tag = "topics",
    params(("topic" = String, Path, description = "The topic's name")),
    request_body(content = ChangeTopicRequest, content_type = "application/json", description = "What is to change"),
    responses(
        (status = 200, description = "The topic as it is after that", body = Topic),
        (status = 404, description = "The topic is not there", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn change_topic(
    Caller { door, .. }: Caller,
    Named(topic): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Topic>, Refused> {
    must_be(&headers, "application/json")?;
    let taken = take(&door, &headers, body).await?;
    let wanted: ChangeTopicRequest = read_json(&taken.bytes)?;
    let set = wanted.set_configs.into_iter().map(|(name, value)| (name, Some(value)));
    let unset = wanted.unset_configs.into_iter().map(|name| (name, None));
    let change = TopicChange { partitions: wanted.partitions, configs: set.chain(unset).collect() };
    Ok(Json(door.gateway.change_topic(&topic, &change).await?.into()))
}

/// Delete a topic
#[utoipa::path(
    delete, path = "/v1/topics/{topic}", operation_id = "deleteTopic", tag = "topics",
    params(("topic" = String, Path, description = "The topic's name")),
    responses(
        (status = 204, description = "The topic is gone"),
        (status = 404, description = "The topic is not there", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete_topic(
    Caller { door, .. }: Caller,
    Named(topic): Named<String>,
) -> Result<StatusCode, Refused> {
    door.gateway.delete_topic(&topic).await?;
    Ok(StatusCode::NO_CONTENT)
}
