//! ListConfigResources: what has configs.

use aquifer_metadata::{ConfigResource as Kinds, Image};
use aquifer_wire::messages::list_config_resources_response::ConfigResource;
use aquifer_wire::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use aquifer_wire::{ErrorCode, Text};

use crate::broker::Broker;

/// Kafka's numbers for loggers and subscriptions to client metrics: known, and there are none.
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const KINDS: [i8; 5] = [Kinds::TOPIC, Kinds::BROKER, BROKER_LOGGER, CLIENT_METRICS, Kinds::GROUP];
/// Older versions ask for subscriptions to client metrics only.
const KINDS_FROM: i16 = 1;

pub(crate) fn list_config_resources(
    broker: &Broker,
    version: i16,
    request: &ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    if request.resource_types.iter().any(|kind| !KINDS.contains(kind)) {
        return ListConfigResourcesResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION,
            ..ListConfigResourcesResponse::default()
        };
    }
    let image = broker.image();
    let wanted = |kind: &i8| {
        version >= KINDS_FROM && (request.resource_types.is_empty() || request.resource_types.contains(kind))
    };
    let config_resources = KINDS.iter().filter(|kind| wanted(kind)).flat_map(|kind| list(&image, *kind));
    ListConfigResourcesResponse {
        config_resources: config_resources.collect(),
        ..ListConfigResourcesResponse::default()
    }
}

fn list(image: &Image, kind: i8) -> Vec<ConfigResource> {
    let named = |resource_name: Text| ConfigResource { resource_name, resource_type: kind };
    match kind {
        Kinds::TOPIC => image.topics().map(|topic| named(Text::from(topic.name().as_str()))).collect(),
        Kinds::BROKER => image.brokers().map(|broker| named(Text::from(broker.node.to_string()))).collect(),
        Kinds::GROUP => image.configured_groups().map(|group| named(Text::from(group))).collect(),
        _ => Vec::new(),
    }
}
