//! HTTP parse: an axum handler that parses a request's records, counts them and answers.

use std::borrow::Cow;

use anyhow::{Context as _, Result};
use aquifer_client::Address;
use aquifer_runtime::Task;
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::floor::worker::Worker;
use crate::harness::Harness;
use crate::measurement::{Latencies, Measurement};
use crate::scenario::{Body, HttpParse};
use crate::work::{HttpConnection, Records, Sender, Sent};

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    records: Vec<Record<'a>>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    value_text: Cow<'a, str>,
}

pub async fn http_parse(harness: &Harness, work: &HttpParse) -> Result<Measurement> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = Address { host: "127.0.0.1".to_owned(), port: listener.local_addr()?.port() };
    let (stop, stopped) = oneshot::channel();
    let serving = Worker::serve(&harness.runtime, "http floor", serve(listener, stopped))?;
    let records = Records::new(&harness.runtime, work.records, work.record_bytes)?;
    let mut connections = Vec::new();
    for _ in 0..work.connections {
        connections.push(HttpConnection::open(&harness.runtime, &address).await?);
    }
    let (meter, watch) = harness.start_measuring(None)?;
    let mut tasks: Vec<Task<Result<Sent>>> = Vec::new();
    for connection in connections {
        let request = records.request(Body::Json, "floor", 0)?;
        let bytes = records.batch.len() as u64;
        let sender = Sender { connection, request, bytes, meter: meter.clone() };
        tasks.push(harness.runtime.spawn("http floor client", sender.run(None)));
    }
    let mut measurement = watch.wait().await?;
    let mut latencies = Latencies::default();
    for task in tasks {
        latencies.add(&task.await.context("a floor's client failed")??.latencies);
    }
    measurement.set_latencies("ack", &latencies);
    measurement.set_per_operation();
    // It may have failed before it was asked to stop, which joining tells.
    let _ = stop.send(());
    let ended = harness.runtime.spawn_blocking("floor end", move || serving.join());
    ended.await.context("the floor failed")??;
    Ok(measurement)
}

async fn serve(listener: std::net::TcpListener, stopped: oneshot::Receiver<()>) -> Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let router = Router::new().route("/v1/topics/{topic}/records", post(parse));
    tokio::select! {
        served = axum::serve(listener, router) => served.context("serve"),
        _ = stopped => Ok(()),
    }
}

async fn parse(body: Bytes) -> (StatusCode, String) {
    match serde_json::from_slice::<Request<'_>>(&body) {
        Ok(request) => {
            let bytes: usize = request.records.iter().map(|record| record.value_text.len()).sum();
            (StatusCode::OK, format!("{{\"records\":{},\"bytes\":{bytes}}}", request.records.len()))
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()),
    }
}
