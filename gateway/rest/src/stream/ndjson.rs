//! Records as lines of JSON; after each page a line that says where it ended.

use std::convert::Infallible;

use aquifer_gateway::{Follower, Next};
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::unfold;

use super::FollowQuery;
use crate::caller::Caller;
use crate::door::Door;
use crate::extract::{Asked, Named};
use crate::problem::{Problem, Refused};
use crate::record::{Shown, Values};

pub(super) async fn topic(
    Caller { door, .. }: Caller,
    Named(topic): Named<String>,
    Asked(query): Asked<FollowQuery>,
) -> Result<Response, Refused> {
    respond(&door, &topic, None, &query).await
}

pub(super) async fn partition(
    Caller { door, .. }: Caller,
    Named((topic, partition)): Named<(String, i32)>,
    Asked(query): Asked<FollowQuery>,
) -> Result<Response, Refused> {
    respond(&door, &topic, Some(partition), &query).await
}

async fn respond(
    door: &Door,
    topic: &str,
    partition: Option<i32>,
    query: &FollowQuery,
) -> Result<Response, Refused> {
    let follower = Follower::new(&door.gateway, topic, partition, query.from()).await?;
    let values = query.values();
    let lines = unfold(Some(follower), move |follower| async move {
        let mut follower = follower?;
        let (bytes, goes_on) = lines(&mut follower, values).await;
        Some((Ok::<Bytes, Infallible>(bytes.into()), goes_on.then_some(follower)))
    });
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// The next lines, and whether more may come.
async fn lines(follower: &mut Follower, values: Values) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let mut goes_on = true;
    match follower.next().await {
        Next::Quiet => {}
        Next::Draining => goes_on = false,
        Next::Refused(refusal) => return (failed(&refusal), false),
        Next::Records(page) => {
            let taken = follower.take(&page, u64::MAX, |topic, partition, record, _| {
                Shown::new(topic, partition.0, record, values).write(&mut bytes);
                bytes.push(b'\n');
            });
            if let Err(refusal) = taken {
                bytes.extend(failed(&refusal));
                return (bytes, false);
            }
        }
    }
    let reconnect = if goes_on { "" } else { ",\"reconnect\":true" };
    let control = format!("{{\"control\":{{\"cursor\":\"{}\"{reconnect}}}}}\n", follower.cursor());
    bytes.extend_from_slice(control.as_bytes());
    (bytes, goes_on)
}

/// A line that ends a stream.
pub(super) fn failed(refusal: &aquifer_gateway::Refusal) -> Vec<u8> {
    let problem = serde_json::to_string(&Problem::from(refusal)).unwrap_or_default();
    format!("{{\"error\":{problem}}}\n").into()
}
