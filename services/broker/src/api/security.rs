//! What this cluster does not have: access rules, quotas and SCRAM credentials, each refused with Kafka's own words for it.

use std::collections::BTreeSet;

use aquifer_wire::messages::alter_client_quotas_response::EntityData;
use aquifer_wire::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use aquifer_wire::messages::create_acls_response::AclCreationResult;
use aquifer_wire::messages::delete_acls_response::DeleteAclsFilterResult;
use aquifer_wire::messages::describe_user_scram_credentials_response::DescribeUserScramCredentialsResult;
use aquifer_wire::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse, CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest,
    DeleteAclsResponse, DescribeAclsResponse, DescribeClientQuotasResponse,
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse, alter_client_quotas_response,
};
use aquifer_wire::{ErrorCode, Text};

const NO_ACLS: Text = Text::from_static("this cluster has no authorizer: everybody may do everything");
const NO_QUOTAS: Text = Text::from_static("this cluster has no quotas");
const NO_SCRAM: Text = Text::from_static("this cluster keeps no SCRAM credentials");

pub(crate) fn describe_acls() -> DescribeAclsResponse {
    DescribeAclsResponse {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some(NO_ACLS),
        ..DescribeAclsResponse::default()
    }
}

pub(crate) fn create_acls(request: &CreateAclsRequest) -> CreateAclsResponse {
    let refused =
        AclCreationResult { error_code: ErrorCode::SECURITY_DISABLED, error_message: Some(NO_ACLS) };
    CreateAclsResponse { results: vec![refused; request.creations.len()], ..CreateAclsResponse::default() }
}

pub(crate) fn delete_acls(request: &DeleteAclsRequest) -> DeleteAclsResponse {
    let refused = DeleteAclsFilterResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some(NO_ACLS),
        ..DeleteAclsFilterResult::default()
    };
    DeleteAclsResponse {
        filter_results: vec![refused; request.filters.len()],
        ..DeleteAclsResponse::default()
    }
}

/// There are none, which is an answer.
pub(crate) fn describe_client_quotas() -> DescribeClientQuotasResponse {
    DescribeClientQuotasResponse {
        error_message: None,
        entries: Some(Vec::new()),
        ..DescribeClientQuotasResponse::default()
    }
}

pub(crate) fn alter_client_quotas(request: AlterClientQuotasRequest) -> AlterClientQuotasResponse {
    let refused = request.entries.into_iter().map(|entry| alter_client_quotas_response::EntryData {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        error_message: Some(NO_QUOTAS),
        entity: entry
            .entity
            .into_iter()
            .map(|named| EntityData { entity_type: named.entity_type, entity_name: named.entity_name })
            .collect(),
    });
    AlterClientQuotasResponse { entries: refused.collect(), ..AlterClientQuotasResponse::default() }
}

/// Nobody has any; who is asked for by name is not found.
pub(crate) fn describe_user_scram_credentials(
    request: DescribeUserScramCredentialsRequest,
) -> DescribeUserScramCredentialsResponse {
    let unknown = |user| DescribeUserScramCredentialsResult {
        user,
        error_code: ErrorCode::RESOURCE_NOT_FOUND,
        error_message: Some(NO_SCRAM),
        ..DescribeUserScramCredentialsResult::default()
    };
    let named: BTreeSet<Text> = request.users.into_iter().flatten().map(|user| user.name).collect();
    DescribeUserScramCredentialsResponse {
        error_message: None,
        results: named.into_iter().map(unknown).collect(),
        ..DescribeUserScramCredentialsResponse::default()
    }
}

pub(crate) fn alter_user_scram_credentials(
    request: AlterUserScramCredentialsRequest,
) -> AlterUserScramCredentialsResponse {
    let deleted = request.deletions.into_iter().map(|deletion| deletion.name);
    let set = request.upsertions.into_iter().map(|upsertion| upsertion.name);
    let named: BTreeSet<Text> = deleted.chain(set).collect();
    let refused = |user| AlterUserScramCredentialsResult {
        user,
        error_code: ErrorCode::UNSUPPORTED_SASL_MECHANISM,
        error_message: Some(NO_SCRAM),
    };
    AlterUserScramCredentialsResponse {
        results: named.into_iter().map(refused).collect(),
        ..AlterUserScramCredentialsResponse::default()
    }
}
