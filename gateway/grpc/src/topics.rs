//! `TopicsService`.

use std::collections::BTreeMap;

use aquifer_contract::v1::{
    CreateTopicRequest, CreateTopicResponse, DeleteTopicRequest, DeleteTopicResponse, GetTopicRequest,
    GetTopicResponse, ListTopicsRequest, ListTopicsResponse,
};
use aquifer_gateway::{Code, Gateway, NewTopic, Refusal, TopicCreated, listed};
use tonic::{Request, Response, Status, async_trait};

use crate::generated::topics_service_server::TopicsService;
use crate::message::{said, topic};
use crate::status::{caller, status};

pub(crate) struct Topics(pub(crate) Gateway);

#[async_trait]
impl TopicsService for Topics {
    async fn list_topics(
        &self,
        request: Request<ListTopicsRequest>,
    ) -> Result<Response<ListTopicsResponse>, Status> {
        let (_, gateway) = caller(&self.0, request.metadata()).await?;
        let ListTopicsRequest { page_size, page_token } = request.into_inner();
        let all = gateway.topics().await.map_err(|refusal| status(&refusal))?;
        let page = listed(all, said(page_size), &page_token, |topic| &topic.name);
        let (topics, next) = page.map_err(|refusal| status(&refusal))?;
        let topics = topics.into_iter().map(topic).collect();
        Ok(Response::new(ListTopicsResponse { topics, next_page_token: next.unwrap_or_default() }))
    }

    async fn get_topic(
        &self,
        request: Request<GetTopicRequest>,
    ) -> Result<Response<GetTopicResponse>, Status> {
        let (_, gateway) = caller(&self.0, request.metadata()).await?;
        let view = gateway.topic(&request.get_ref().topic).await.map_err(|refusal| status(&refusal))?;
        Ok(Response::new(GetTopicResponse { topic: Some(topic(view)) }))
    }

    async fn create_topic(
        &self,
        request: Request<CreateTopicRequest>,
    ) -> Result<Response<CreateTopicResponse>, Status> {
        let (_, gateway) = caller(&self.0, request.metadata()).await?;
        let wanted = request.into_inner();
        let replication_factor = wanted.replication_factor.map(i16::try_from).transpose();
        let replication_factor = replication_factor.map_err(|_wide| {
            status(&Refusal::new(Code::InvalidTopic, "replication_factor is larger than 32767"))
        })?;
        let configs: BTreeMap<_, _> = wanted.configs.into_iter().collect();
        let new = NewTopic { partitions: wanted.partitions, replication_factor, configs };
        let created = gateway.create_topic(&wanted.topic, &new).await;
        let (view, created) = match created.map_err(|refusal| status(&refusal))? {
            TopicCreated::Fresh(view) => (view, true),
            TopicCreated::Found(view) => (view, false),
        };
        Ok(Response::new(CreateTopicResponse { topic: Some(topic(view)), created }))
    }

    async fn delete_topic(
        &self,
        request: Request<DeleteTopicRequest>,
    ) -> Result<Response<DeleteTopicResponse>, Status> {
        let (_, gateway) = caller(&self.0, request.metadata()).await?;
        gateway.delete_topic(&request.get_ref().topic).await.map_err(|refusal| status(&refusal))?;
        Ok(Response::new(DeleteTopicResponse {}))
    }
}
