//! What an instance's group has committed, and where the instance reads on.

use aquifer_gateway::{From, OffsetOf, Seek};
use aquifer_types::TimestampMs;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use super::consumers::{Partitions, must_read, read};
use super::fault::Fault;
use super::media::Shown;
use crate::caller::Caller;
use crate::extract::Named;

#[derive(Deserialize)]
struct Offsets {
    #[serde(default)]
    offsets: Vec<Offset>,
    #[serde(default)]
    timestamps: Vec<Timestamp>,
}

#[derive(Deserialize)]
struct Offset {
    topic: String,
    partition: i32,
    offset: i64,
}

#[derive(Deserialize)]
struct Timestamp {
    topic: String,
    partition: i32,
    /// Of RFC 3339.
    timestamp: String,
}

#[derive(Serialize)]
pub(super) struct Committed {
    offsets: Vec<CommittedOffset>,
}

#[derive(Serialize)]
struct CommittedOffset {
    topic: String,
    partition: i32,
    offset: i64,
    metadata: String,
}

/// Commits; an offset that is named is the last that was dealt with.
pub(super) async fn commit(
    Caller { door, principal: caller }: Caller,
    Named((group, name)): Named<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Fault> {
    let named: Option<Offsets> = read(&door, &headers, body).await?;
    let named = named.filter(|named| !named.offsets.is_empty());
    let offsets = named.map(|named| {
        let all = named.offsets.into_iter();
        all.map(|at| OffsetOf { topic: at.topic, partition: at.partition, next: at.offset.saturating_add(1) })
            .collect()
    });
    door.gateway.commit_instance(&caller, (&group, &name), offsets).await?;
    Ok(StatusCode::OK)
}

pub(super) async fn committed(
    Caller { door, principal: caller }: Caller,
    Named((group, name)): Named<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Shown<Committed>, Fault> {
    let wanted: Partitions = must_read(&door, &headers, body).await?;
    let partitions: Vec<_> = wanted.partitions.into_iter().map(|it| (it.topic, it.partition)).collect();
    let found = door.gateway.instance_committed(&caller, (&group, &name), &partitions).await?;
    let offsets = found.into_iter().map(|at| CommittedOffset {
        topic: at.place.0.to_string(),
        partition: at.place.1.0,
        offset: at.offset.0,
        metadata: at.metadata,
    });
    Ok(Shown(Committed { offsets: offsets.collect() }))
}

/// Reads on from these offsets and times.
pub(super) async fn seek(
    Caller { door, principal: caller }: Caller,
    Named((group, name)): Named<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Fault> {
    let wanted: Offsets = must_read(&door, &headers, body).await?;
    let offsets = wanted.offsets.into_iter();
    let offsets: Vec<_> =
        offsets.map(|at| OffsetOf { topic: at.topic, partition: at.partition, next: at.offset }).collect();
    if !offsets.is_empty() {
        door.gateway.seek_instance(&caller, (&group, &name), &Seek::To(offsets)).await?;
    }
    for Timestamp { topic, partition, timestamp } in wanted.timestamps {
        let time: TimestampMs = aquifer_gateway::time_of(&timestamp).ok_or_else(|| {
            Fault::unprocessable(422, format!("timestamp {timestamp:?} is not of RFC 3339"))
        })?;
        let seek = Seek::All(vec![(topic, partition)], From::Time(time));
        door.gateway.seek_instance(&caller, (&group, &name), &seek).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn to_beginning(
    caller: Caller,
    instance: Named<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Fault> {
    seek_all(caller, instance, headers, body, From::Earliest).await
}

pub(super) async fn to_end(
    caller: Caller,
    instance: Named<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Fault> {
    seek_all(caller, instance, headers, body, From::Latest).await
}

async fn seek_all(
    Caller { door, principal: caller }: Caller,
    Named((group, name)): Named<(String, String)>,
    headers: HeaderMap,
    body: Body,
    from: From,
) -> Result<StatusCode, Fault> {
    let wanted: Partitions = must_read(&door, &headers, body).await?;
    let partitions = wanted.partitions.into_iter().map(|it| (it.topic, it.partition)).collect();
    door.gateway.seek_instance(&caller, (&group, &name), &Seek::All(partitions, from)).await?;
    Ok(StatusCode::NO_CONTENT)
}
