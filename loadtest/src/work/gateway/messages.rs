//! Streams of gRPC that produce: a client that keeps so many messages under way, whoever answers them.

use std::collections::VecDeque;

use anyhow::{Context as _, Result, bail, ensure};
use aquifer_client::Address;
use aquifer_contract::v1::{NewRecord, ProduceRequest, ProduceStreamRequest, ProduceStreamResponse};
use futures_util::stream::unfold;
use hyper::http::uri::PathAndQuery;
use tokio::sync::mpsc;
use tonic::Request;
use tonic::transport::Channel;
use tonic_prost::ProstCodec;

use crate::measurement::Latencies;
use crate::meter::Meter;
use crate::work::gateway::produce::Sent;

/// Where a gateway takes such streams.
pub const PATH: &str = "/aquifer.v1.RecordsService/ProduceStream";

/// One stream's client.
pub struct Streamer {
    pub address: Address,
    pub message: ProduceStreamRequest,
    pub in_flight: usize,
    /// What an acknowledged message counts for.
    pub bytes: u64,
    pub meter: Meter,
}

/// A message of one record without a key.
pub fn message(topic: &str, value: Vec<u8>) -> ProduceStreamRequest {
    let record = NewRecord { value: Some(value), ..NewRecord::default() };
    let request =
        ProduceRequest { topic: topic.to_owned(), records: vec![record], ..ProduceRequest::default() };
    ProduceStreamRequest { request: Some(request) }
}

impl Streamer {
    /// Sends until the meter's window is over, then waits for what is under way.
    pub async fn run(self) -> Result<Sent> {
        let channel = Channel::from_shared(format!("http://{}", self.address))?.tcp_nodelay(true);
        let channel = channel.connect().await.with_context(|| format!("connect to {}", self.address))?;
        let (outgoing, coming) = mpsc::channel::<ProduceStreamRequest>(self.in_flight);
        let requests = unfold(coming, |mut coming| async move { Some((coming.recv().await?, coming)) });
        let mut grpc = tonic::client::Grpc::new(channel);
        grpc.ready().await?;
        let codec = ProstCodec::<ProduceStreamRequest, ProduceStreamResponse>::default();
        let answers = grpc.streaming(Request::new(requests), PathAndQuery::from_static(PATH), codec).await?;
        let mut answers = answers.into_inner();
        let (mut credit, mut answered) = (0, 0);
        let mut latencies = Latencies::default();
        let mut pending = VecDeque::with_capacity(self.in_flight);
        let mut outgoing = Some(outgoing);
        loop {
            while let Some(open) = &outgoing
                && credit > 0
                && pending.len() < self.in_flight
            {
                if self.meter.is_over() {
                    outgoing = None;
                    break;
                }
                pending.push_back(self.meter.now());
                credit -= 1;
                open.send(self.message.clone()).await.context("the stream broke off")?;
            }
            if outgoing.is_none() && pending.is_empty() {
                return Ok(Sent { answered, latencies });
            }
            let Some(answer) = answers.message().await? else { bail!("the stream ended early") };
            credit += answer.credit;
            ensure!(answer.problem.is_none(), "a message was refused: {:?}", answer.problem);
            let Some(response) = answer.response else { continue };
            ensure!(response.failed == 0, "a record was refused: {:?}", response.results);
            let sent = pending.pop_front().context("an answer that nothing was sent for")?;
            answered += 1;
            let now = self.meter.now();
            if self.meter.count(now, self.bytes) {
                latencies.record(now.saturating_sub(sent));
            }
        }
    }
}
