//! AquiferTier for deleted topics: what of them would come back, or that they do.

use aquifer_wire::messages::AquiferTierResponse;
use aquifer_wire::messages::aquifer_tier_response::{TieredPartition, TieredTopic};
use aquifer_wire::{ErrorCode, Text};

use crate::broker::Broker;
use crate::refusal::Refused;
use crate::tier::{Revived, Tier};

/// Brings topics back, one after the other, up to the first that does not come back.
pub(super) async fn undelete(
    broker: &Broker,
    tier: &Tier,
    topics: Vec<Text>,
    really: bool,
) -> AquiferTierResponse {
    let mut response = AquiferTierResponse {
        error_message: None,
        url: Some(Text::from(tier.settings.url.as_str())),
        ..AquiferTierResponse::default()
    };
    for name in topics {
        let revived = if really {
            broker.undelete(tier, &name).await
        } else {
            broker.deleted(&broker.image(), &name).map(|(_, revived)| revived)
        };
        match revived {
            Ok(revived) => response.topics.push(told(name.detached(), &revived)),
            Err(Refused { code, message }) => {
                response.error_code = code;
                response.error_message = Some(message);
                break;
            }
        }
    }
    response
}

fn told(name: Text, revived: &Revived) -> TieredTopic {
    let partitions = revived.iter().map(|(index, tier)| TieredPartition {
        partition_index: index.0,
        log_start: tier.start().0,
        local_start: tier.end().0,
        tier_end: tier.end().0,
        high_watermark: tier.end().0,
        local_bytes: 0,
        tier_bytes: i64::try_from(tier.live_bytes()).unwrap_or(i64::MAX),
        objects: i32::try_from(tier.live().len()).unwrap_or(i32::MAX),
        error_code: ErrorCode::NONE,
    });
    TieredTopic { name, error_code: ErrorCode::NONE, tiered: true, partitions: partitions.collect() }
}
