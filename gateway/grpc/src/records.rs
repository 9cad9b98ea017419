//! `RecordsService`: requests with one answer; the streams are next door.

use std::pin::Pin;

use aquifer_contract::v1::{
    ConsumeRequest, ConsumeResponse, ConsumeStreamRequest, ConsumeStreamResponse, GetFencingTokenRequest,
    GetFencingTokenResponse, OpenProducerRequest, OpenProducerResponse, ProduceRequest, ProduceResponse,
    ProduceStreamRequest, ProduceStreamResponse, ReadRequest, ReadResponse, SetFencingTokenRequest,
    SetFencingTokenResponse,
};
use aquifer_gateway::{AskedLimits, FenceIf, From, Gateway, ReadLimits, Refusal, fencing_token};
use aquifer_session::Cursor;
use aquifer_types::{PartitionIndex, TopicPartition};
use aquifer_wire::Text;
use futures_util::Stream;
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::generated::records_service_server::RecordsService;
use crate::message::{said, shown};
use crate::status::{caller, status};
use crate::{consume, produce};

pub(crate) struct Records(pub(crate) Gateway);

/// What a stream sends, as it comes.
pub(crate) type Outgoing<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[async_trait]
impl RecordsService for Records {
    type ProduceStreamStream = Outgoing<ProduceStreamResponse>;
    type ConsumeStream = Outgoing<ConsumeResponse>;
    type ConsumeStreamStream = Outgoing<ConsumeStreamResponse>;

    async fn produce(&self, request: Request<ProduceRequest>) -> Result<Response<ProduceResponse>, Status> {
        let (principal, gateway) = caller(&self.0, request.metadata()).await?;
        let produced = produce::append(&gateway, &principal, request.get_ref()).await;
        produced.map(Response::new).map_err(|refusal| status(&refusal))
    }

    async fn produce_stream(
        &self,
        request: Request<Streaming<ProduceStreamRequest>>,
    ) -> Result<Response<Self::ProduceStreamStream>, Status> {
        let (principal, gateway) = caller(&self.0, request.metadata()).await?;
        Ok(Response::new(produce::stream(gateway, principal, request.into_inner())))
    }

    async fn open_producer(
        &self,
        request: Request<OpenProducerRequest>,
    ) -> Result<Response<OpenProducerResponse>, Status> {
        let (principal, gateway) = caller(&self.0, request.metadata()).await?;
        let opened = gateway.open_producer(&principal, &request.get_ref().topic).await;
        let opened = opened.map_err(|refusal| status(&refusal))?;
        Ok(Response::new(OpenProducerResponse {
            producer_id: opened.id,
            epoch: i32::from(opened.epoch),
            partitions: i32::try_from(opened.partitions).unwrap_or(i32::MAX),
            state: opened.state,
        }))
    }

    async fn get_fencing_token(
        &self,
        request: Request<GetFencingTokenRequest>,
    ) -> Result<Response<GetFencingTokenResponse>, Status> {
        let (_, gateway) = caller(&self.0, request.metadata()).await?;
        let GetFencingTokenRequest { topic, partition } = request.get_ref();
        let token = gateway.fencing_token(topic, *partition).await.map_err(|refusal| status(&refusal))?;
        Ok(Response::new(GetFencingTokenResponse { token: token.map(|token| token.to_string()) }))
    }

    async fn set_fencing_token(
        &self,
        request: Request<SetFencingTokenRequest>,
    ) -> Result<Response<SetFencingTokenResponse>, Status> {
        let (_, gateway) = caller(&self.0, request.metadata()).await?;
        let set = fence(&gateway, request.get_ref()).await;
        set.map_err(|refusal| status(&refusal))?;
        Ok(Response::new(SetFencingTokenResponse {}))
    }

    async fn read(&self, request: Request<ReadRequest>) -> Result<Response<ReadResponse>, Status> {
        let (_, gateway) = caller(&self.0, request.metadata()).await?;
        let read = read(&gateway, request.get_ref()).await;
        read.map(Response::new).map_err(|refusal| status(&refusal))
    }

    async fn consume(
        &self,
        request: Request<ConsumeRequest>,
    ) -> Result<Response<Self::ConsumeStream>, Status> {
        let (_, gateway) = caller(&self.0, request.metadata()).await?;
        Ok(Response::new(consume::follow(&gateway, request.get_ref()).await?))
    }

    async fn consume_stream(
        &self,
        request: Request<Streaming<ConsumeStreamRequest>>,
    ) -> Result<Response<Self::ConsumeStreamStream>, Status> {
        let (principal, gateway) = caller(&self.0, request.metadata()).await?;
        Ok(Response::new(consume::converse(gateway, principal, request.into_inner()).await?))
    }
}

async fn fence(gateway: &Gateway, request: &SetFencingTokenRequest) -> Result<(), Refusal> {
    let SetFencingTokenRequest { topic, partition, token, expected_token } = request;
    let read = |text: &str| if text.is_empty() { Ok(None) } else { fencing_token(text).map(Some) };
    let condition = match expected_token {
        None => FenceIf::Any,
        Some(expected) => FenceIf::Is(read(expected)?),
    };
    gateway.set_fencing_token(topic, *partition, read(token)?, condition).await
}

async fn read(gateway: &Gateway, request: &ReadRequest) -> Result<ReadResponse, Refusal> {
    let topic = &request.topic;
    let limits = ReadLimits::of_read(AskedLimits {
        bytes: said(request.max_bytes),
        records: said(request.max_records),
        wait_ms: said(request.wait_ms),
    })?;
    let from = From::read(if request.from.is_empty() { "earliest" } else { &request.from })?;
    let id = gateway.topic_of(topic, request.partition).await?;
    let place = TopicPartition { topic: id, partition: PartitionIndex(request.partition) };
    let offset = gateway.start(topic, place, &from).await?;
    let wanted = [((Text::from(topic.as_str()), place.partition), offset)];
    let mut page = gateway.read(&wanted, &limits).await;
    if let Some((_, refusal)) = page.refused.pop() {
        return Err(refusal);
    }
    let _room = gateway.answers().claim(page.bytes()).await?;
    let mut records = Vec::new();
    let reached = page.take(&limits, |_, record| records.push(shown(topic, request.partition, record)))?;
    let next = reached.first().copied().unwrap_or(offset);
    Ok(ReadResponse {
        records,
        next_offset: next.0,
        high_watermark: page.high_watermark(0).unwrap_or(next).0,
        cursor: Cursor::of_topic(id, [(place, next)].into()).to_string(),
    })
}
