//! Records as server-sent events: `id` is a cursor, so that a browser that connects again misses nothing.

use std::convert::Infallible;

use aquifer_gateway::{Follower, Next};
use axum::body::Body;
use axum::http::{HeaderMap, header};
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
    headers: HeaderMap,
) -> Result<Response, Refused> {
    respond(&door, &topic, None, &query, &headers).await
}

pub(super) async fn partition(
    Caller { door, .. }: Caller,
    Named((topic, partition)): Named<(String, i32)>,
    Asked(query): Asked<FollowQuery>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    respond(&door, &topic, Some(partition), &query, &headers).await
}

async fn respond(
    door: &Door,
    topic: &str,
    partition: Option<i32>,
    query: &FollowQuery,
    headers: &HeaderMap,
) -> Result<Response, Refused> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).filter(|id| !id.is_empty());
    let from = last.unwrap_or(query.from());
    let follower = Follower::new(&door.gateway, topic, partition, from).await?;
    let values = query.values();
    // Its own place at once: a browser that loses the connection before the first record comes back to here.
    let hello = format!("retry: 1000\nid: {}\nevent: control\ndata: {{}}\n\n", follower.cursor());
    let events = unfold((Some(follower), Some(hello)), move |(follower, hello)| async move {
        let mut follower = follower?;
        if let Some(hello) = hello {
            return Some((Ok::<Bytes, Infallible>(hello.into()), (Some(follower), None)));
        }
        let (bytes, goes_on) = events(&mut follower, values).await;
        Some((Ok(bytes.into()), (goes_on.then_some(follower), None)))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies that collect answers would keep events back.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(events)).into_response())
}

/// The next events, and whether more may come.
async fn events(follower: &mut Follower, values: Values) -> (Vec<u8>, bool) {
    match follower.next().await {
        Next::Quiet => (b": still here\n\n".to_vec(), true),
        Next::Draining => {
            let cursor = follower.cursor();
            (format!("id: {cursor}\nevent: reconnect\ndata: {{\"cursor\":\"{cursor}\"}}\n\n").into(), false)
        }
        Next::Refused(refusal) => (failed(&refusal), false),
        Next::Records(page) => {
            let mut bytes = Vec::new();
            let taken = follower.take(&page, u64::MAX, |topic, partition, record, cursor| {
                if let Some(cursor) = cursor {
                    bytes.extend_from_slice(format!("id: {cursor}\n").as_bytes());
                }
                bytes.extend_from_slice(b"data: ");
                Shown::new(topic, partition.0, record, values).write(&mut bytes);
                bytes.extend_from_slice(b"\n\n");
            });
            if let Err(refusal) = taken {
                bytes.extend(failed(&refusal));
                return (bytes, false);
            }
            let cursor = follower.cursor();
            bytes.extend_from_slice(
                format!("id: {cursor}\nevent: control\ndata: {{\"cursor\":\"{cursor}\"}}\n\n").as_bytes(),
            );
            (bytes, true)
        }
    }
}

fn failed(refusal: &aquifer_gateway::Refusal) -> Vec<u8> {
    let problem = serde_json::to_string(&Problem::from(refusal)).unwrap_or_default();
    format!("event: problem\ndata: {problem}\n\n").into()
}
