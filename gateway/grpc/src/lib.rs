//! gRPC beside REST, on the same port: the only door to tonic.
#![forbid(unsafe_code)]

mod consume;
#[allow(unused_qualifications, clippy::all, reason = "generated")]
#[rustfmt::skip]
mod generated;
pub mod message;
mod produce;
mod records;
mod sessions;
mod status;
mod topics;

pub use generated::{records_service_client, sessions_service_client, topics_service_client};

pub use produce::terms;

use aquifer_gateway::Gateway;
use generated::records_service_server::RecordsServiceServer;
use generated::sessions_service_server::SessionsServiceServer;
use generated::topics_service_server::TopicsServiceServer;
use tonic::service::Routes;

/// A record may be as large as its topic takes; a message holds several.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A method could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("read the descriptors of the services")]
pub struct ReflectionError(#[from] tonic_reflection::server::Error);

/// Every service with health and reflection, as routes to be served beside others.
pub async fn routes(gateway: Gateway) -> Result<Routes, ReflectionError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<RecordsServiceServer<records::Records>>().await;
    health.set_serving::<TopicsServiceServer<topics::Topics>>().await;
    health.set_serving::<SessionsServiceServer<sessions::Sessions>>().await;
    let draining = gateway.draining().clone();
    gateway.runtime().spawn("grpc health", async move {
        draining.wait().await;
        health.set_not_serving::<RecordsServiceServer<records::Records>>().await;
        health.set_not_serving::<TopicsServiceServer<topics::Topics>>().await;
        health.set_not_serving::<SessionsServiceServer<sessions::Sessions>>().await;
        health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
    });
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(aquifer_contract::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let records = RecordsServiceServer::new(records::Records(gateway.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(usize::MAX);
    let topics = TopicsServiceServer::new(topics::Topics(gateway.clone()));
    let sessions =
        SessionsServiceServer::new(sessions::Sessions(gateway)).max_encoding_message_size(usize::MAX);
    Ok(Routes::new(health_service)
        .add_service(described().build_v1()?)
        .add_service(described().build_v1alpha()?)
        .add_service(records)
        .add_service(topics)
        .add_service(sessions))
}
