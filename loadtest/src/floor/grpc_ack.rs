//! gRPC ack: tonic streams whose messages are acknowledged as they come, one by one.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;

use anyhow::{Context as _, Result};
use aquifer_client::Address;
use aquifer_contract::v1::{ProduceResponse, ProduceResult, ProduceStreamRequest, ProduceStreamResponse};
use aquifer_runtime::{Runtime, Task};
use futures_util::stream::{Stream, StreamExt as _, once};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;
use tonic::server::{Grpc, StreamingService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::floor::worker::Worker;
use crate::harness::Harness;
use crate::measurement::{Latencies, Measurement};
use crate::scenario::GrpcAck;
use crate::work::{Sent, Streamer, message};

/// As much as a gateway gives.
const CREDIT: i64 = 10_000;

type Answers = Pin<Box<dyn Stream<Item = Result<ProduceStreamResponse, Status>> + Send>>;

struct Acknowledge;

impl StreamingService<ProduceStreamRequest> for Acknowledge {
    type Response = ProduceStreamResponse;
    type ResponseStream = Answers;
    type Future = Ready<Result<Response<Answers>, Status>>;

    fn call(&mut self, request: Request<Streaming<ProduceStreamRequest>>) -> Self::Future {
        let first = ProduceStreamResponse { credit: CREDIT, ..ProduceStreamResponse::default() };
        let answers = request.into_inner().enumerate().map(|(index, message)| {
            let offset = i64::try_from(index).ok();
            let records = message?.request.map_or(0, |request| request.records.len());
            let result = ProduceResult { partition: Some(0), offset, ..ProduceResult::default() };
            let response = ProduceResponse { results: vec![result; records], ..ProduceResponse::default() };
            Ok(ProduceStreamResponse {
                response: Some(response),
                credit: 1,
                ..ProduceStreamResponse::default()
            })
        });
        ready(Ok(Response::new(Box::pin(once(ready(Ok(first))).chain(answers)))))
    }
}

pub async fn grpc_ack(harness: &Harness, work: &GrpcAck) -> Result<Measurement> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = Address { host: "127.0.0.1".to_owned(), port: listener.local_addr()?.port() };
    let serving = Worker::serve(&harness.runtime, "grpc floor", serve(listener, work.streams))?;
    let mut value = vec![0; work.record_bytes];
    harness.runtime.fill_random(&mut value);
    let (meter, watch) = harness.start_measuring(None)?;
    let mut tasks: Vec<Task<Result<Sent>>> = Vec::new();
    for _ in 0..work.streams {
        let streamer = Streamer {
            address: address.clone(),
            message: message("floor", value.clone()),
            in_flight: work.in_flight,
            bytes: work.record_bytes as u64,
            meter: meter.clone(),
        };
        tasks.push(harness.runtime.spawn("grpc floor client", streamer.run()));
    }
    let mut measurement = watch.wait().await?;
    let mut latencies = Latencies::default();
    for task in tasks {
        latencies.add(&task.await.context("a floor's client failed")??.latencies);
    }
    measurement.set_latencies("ack", &latencies);
    measurement.set_per_operation();
    let ended = harness.runtime.spawn_blocking("floor end", move || serving.join());
    ended.await.context("the floor failed")??;
    Ok(measurement)
}

async fn serve(listener: std::net::TcpListener, streams: usize) -> Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let runtime = Runtime::real();
    let mut serving: Vec<Task<()>> = Vec::new();
    for _ in 0..streams {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        serving.push(runtime.spawn("grpc floor connection", async move {
            let acknowledge = service_fn(|request| async move {
                let codec = ProstCodec::<ProduceStreamResponse, ProduceStreamRequest>::default();
                Ok::<_, Infallible>(Grpc::new(codec).streaming(Acknowledge, request).await)
            });
            let builder = Builder::new(TokioExecutor::new());
            // The client leaves when the window is over.
            let _ = builder.serve_connection(TokioIo::new(stream), acknowledge).await;
        }));
    }
    for connection in serving {
        connection.await.context("a floor's connection failed")?;
    }
    Ok(())
}
