//! UpdateFeatures: finalized levels are raised or lowered, all or none.

use aquifer_metadata::{Answer, Change, FeatureUpdate};
use aquifer_quorum::ProposeError;
use aquifer_wire::messages::update_features_request::FeatureUpdateKey;
use aquifer_wire::messages::update_features_response::UpdatableFeatureResult;
use aquifer_wire::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};
use aquifer_wire::{ErrorCode, Text};

use crate::api::each_once::each_once;
use crate::broker::Broker;
use crate::refusal::{Refused, settle, told};

/// Kafka's numbers of what an update may do.
const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;
/// From this version on an answer has no part for each feature.
const WHOLE_FROM: i16 = 2;

type Planned = (Text, Result<FeatureUpdate, Refused>);

pub(crate) async fn update_features(
    broker: &Broker,
    version: i16,
    request: UpdateFeaturesRequest,
) -> UpdateFeaturesResponse {
    let image = broker.image();
    let asked = each_once(request.feature_updates, |update: &FeatureUpdateKey| update.feature.clone());
    let mut planned: Vec<Planned> = asked
        .into_iter()
        .map(|(name, asked)| {
            let plan = asked.and_then(|asked| {
                let update = update(&asked)?;
                image.check_feature(&update)?;
                Ok(update)
            });
            (name, plan)
        })
        .collect();
    let updates: Result<Vec<FeatureUpdate>, Refused> = planned.iter().map(|(_, plan)| plan.clone()).collect();
    if let Ok(updates) = updates
        && !request.validate_only
        && !updates.is_empty()
    {
        let outcomes = match broker.decide(Change::UpdateFeatures(updates)).await {
            Ok(Answer::FeaturesUpdated(outcomes)) => Ok(outcomes),
            Ok(_) => Err(ProposeError::Unknown),
            Err(error) => Err(error),
        };
        settle(planned.iter_mut().map(|(_, plan)| plan), outcomes);
    }
    answer(version, planned)
}

fn update(asked: &FeatureUpdateKey) -> Result<FeatureUpdate, Refused> {
    let allow_downgrade = match asked.upgrade_type {
        UPGRADE => asked.allow_downgrade,
        SAFE_DOWNGRADE | UNSAFE_DOWNGRADE => true,
        other => return Err(Refused::invalid_request(format!("there are no updates of type {other}"))),
    };
    Ok(FeatureUpdate { name: asked.feature.to_string(), level: asked.max_version_level, allow_downgrade })
}

/// The first refusal stands for all, as nothing is done then.
fn answer(version: i16, planned: Vec<Planned>) -> UpdateFeaturesResponse {
    let refused = planned.iter().find_map(|(name, plan)| Some((name, plan.as_ref().err()?)));
    let (error_code, error_message) = match refused {
        Some((name, refused)) => (refused.code, Some(Text::from(format!("{name}: {}", refused.message)))),
        None => (ErrorCode::NONE, None),
    };
    let failed = !error_code.is_none();
    let results = planned.into_iter().filter(|_| version < WHOLE_FROM && !failed).map(|(feature, plan)| {
        let (error_code, error_message) = told(&plan);
        UpdatableFeatureResult { feature, error_code, error_message }
    });
    UpdateFeaturesResponse {
        error_code,
        error_message,
        results: results.collect(),
        ..UpdateFeaturesResponse::default()
    }
}
