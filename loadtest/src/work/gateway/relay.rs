//! `Relay`: an HTTP server that answers `/OFFSET` with what a fetch of one partition brings, and looks at none of it.

use std::convert::Infallible;
use std::net::TcpListener as StdListener;

use anyhow::{Context as _, Result};
use aquifer_client::{Address, Client, FetchSettings};
use aquifer_runtime::{Runtime, Task};
use aquifer_types::{Offset, PartitionIndex};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::floor::Worker;
use crate::server::client;

/// What a relay fetches, and for how many connections it waits.
#[derive(Clone)]
pub struct Relay {
    pub broker: Address,
    pub topic: String,
    pub answer_bytes: usize,
    pub connections: usize,
}

impl Relay {
    /// Serves so many connections apart from its clients, until they leave.
    pub fn start(self, runtime: &Runtime) -> Result<(Worker<()>, Address)> {
        let listener = StdListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let worker = Worker::serve(runtime, "relay", self.serve(listener))?;
        Ok((worker, Address { host: "127.0.0.1".to_owned(), port }))
    }

    async fn serve(self, listener: StdListener) -> Result<()> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let runtime = Runtime::real();
        let mut serving: Vec<Task<()>> = Vec::new();
        for _ in 0..self.connections {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            // As many connections to the broker as there are from clients.
            let (relay, client) = (self.clone(), client(&runtime, &self.broker));
            serving.push(runtime.spawn("relay connection", async move {
                let answer = service_fn(|request| relay.answer(&client, request));
                // The client leaves when the window is over.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
            }));
        }
        for connection in serving {
            connection.await.context("a relay failed")?;
        }
        Ok(())
    }

    async fn answer(
        &self,
        client: &Client,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let offset = request.uri().path().trim_start_matches('/').parse().unwrap_or(0);
        let bytes = i32::try_from(self.answer_bytes).unwrap_or(i32::MAX);
        let settings =
            FetchSettings { bytes_max: bytes, partition_bytes_max: bytes, ..FetchSettings::default() };
        let fetched = client.fetch(&self.topic, PartitionIndex(0), Offset(offset), &settings).await;
        Ok(match fetched {
            Ok(fetched) => Response::new(Full::new(fetched.records)),
            Err(error) => {
                let mut response = Response::new(Full::new(Bytes::from(error.to_string())));
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            }
        })
    }
}
