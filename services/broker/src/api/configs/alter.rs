//! AlterConfigs and IncrementalAlterConfigs: the settings of each resource are changed all or none.

use std::sync::Arc;

use aquifer_metadata::{AlterConfig, Answer, Change, ConfigChange, ConfigOperation, ConfigResource, Image};
use aquifer_quorum::ProposeError;
use aquifer_replica::Replica;
use aquifer_wire::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, alter_configs_request, alter_configs_response,
    incremental_alter_configs_request, incremental_alter_configs_response,
};
use aquifer_wire::{ErrorCode, Text};

use crate::api::each_once::each_once;
use crate::broker::Broker;
use crate::refusal::{Refused, settle, told};

/// A resource as the request names it, and how it is to be changed.
type Planned = ((i8, Text), Result<AlterConfig, Refused>);

pub(crate) async fn alter_configs(broker: &Broker, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let resources = each_once(request.resources, |resource: &alter_configs_request::AlterConfigsResource| {
        (resource.resource_type, resource.resource_name.clone())
    });
    let planned = resources.into_iter().map(|(named, asked)| {
        let plan = asked.and_then(|asked| {
            let changes = asked.configs.iter().map(|config| {
                Ok(ConfigChange {
                    name: config.name.to_string(),
                    operation: ConfigOperation::Set,
                    value: config.value.as_ref().map(ToString::to_string),
                })
            });
            broker.plan_alter(&named, true, changes)
        });
        (named, plan)
    });
    let outcomes = carry_out(broker, planned.collect(), request.validate_only).await;
    let responses = outcomes.into_iter().map(|((resource_type, resource_name), outcome)| {
        let (error_code, error_message) = outcome;
        alter_configs_response::AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type,
            resource_name,
        }
    });
    AlterConfigsResponse { responses: responses.collect(), ..AlterConfigsResponse::default() }
}

pub(crate) async fn incremental_alter_configs(
    broker: &Broker,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let named = |resource: &incremental_alter_configs_request::AlterConfigsResource| {
        (resource.resource_type, resource.resource_name.clone())
    };
    let planned = each_once(request.resources, named).into_iter().map(|(named, asked)| {
        let plan = asked.and_then(|asked| {
            let changes = asked.configs.iter().map(|config| {
                let operation = ConfigOperation::from_number(config.config_operation);
                let unknown =
                    || Refused::invalid_request(format!("no operation {}", config.config_operation));
                Ok(ConfigChange {
                    name: config.name.to_string(),
                    operation: operation.ok_or_else(unknown)?,
                    value: config.value.as_ref().map(ToString::to_string),
                })
            });
            broker.plan_alter(&named, false, changes)
        });
        (named, plan)
    });
    let outcomes = carry_out(broker, planned.collect(), request.validate_only).await;
    let responses = outcomes.into_iter().map(|((resource_type, resource_name), outcome)| {
        let (error_code, error_message) = outcome;
        incremental_alter_configs_response::AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type,
            resource_name,
        }
    });
    IncrementalAlterConfigsResponse {
        responses: responses.collect(),
        ..IncrementalAlterConfigsResponse::default()
    }
}

impl Broker {
    fn plan_alter(
        &self,
        named: &(i8, Text),
        replace: bool,
        changes: impl Iterator<Item = Result<ConfigChange, Refused>>,
    ) -> Result<AlterConfig, Refused> {
        let resource = ConfigResource::from_kafka(named.0, &named.1)?;
        if let ConfigResource::Broker(Some(node)) = &resource {
            self.check_asks_us(*node)?;
        }
        Ok(AlterConfig { resource, replace, changes: changes.collect::<Result<_, _>>()? })
    }

    fn check_alter(&self, image: &Image, alter: &AlterConfig) -> Result<(), Refused> {
        image.check_alter_config(alter)?;
        let is_dropped = |replica: &Arc<Replica>| {
            let log = replica.describe();
            log.log_start < log.local_start
        };
        image.check_begins_to_compact(alter, |topic| {
            self.replicas.of_topic(topic.id()).iter().any(is_dropped)
        })?;
        Ok(())
    }
}

/// Checks the plans, and unless that is all that is wanted has those that stand decided in one command.
async fn carry_out(
    broker: &Broker,
    mut planned: Vec<Planned>,
    validate_only: bool,
) -> Vec<((i8, Text), (ErrorCode, Option<Text>))> {
    let image = broker.image();
    let mut alters = Vec::new();
    for (_, plan) in &mut planned {
        if let Ok(alter) = plan {
            match broker.check_alter(&image, alter) {
                Ok(()) => alters.push(alter.clone()),
                Err(refused) => *plan = Err(refused),
            }
        }
    }
    if !validate_only && !alters.is_empty() {
        let outcomes = match broker.decide(Change::AlterConfigs(alters)).await {
            Ok(Answer::ConfigsAltered(outcomes)) => Ok(outcomes),
            Ok(_) => Err(ProposeError::Unknown),
            Err(error) => Err(error),
        };
        settle(planned.iter_mut().map(|(_, plan)| plan), outcomes);
    }
    planned.into_iter().map(|(named, plan)| (named, told(&plan))).collect()
}
