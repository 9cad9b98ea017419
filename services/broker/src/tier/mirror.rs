//! Mirrors follow: what was cleaned since it was uploaded is uploaded again and takes the place of what it was. Keeps I4.
//!
//! Of a log the oldest stretch goes first, like cleaning does: a tombstone goes only after what it stands against.

use std::sync::Arc;

use aquifer_manifest::{Span, Tier as Ranges, TierRange};
use aquifer_metadata::{Answer, Change, Image, TierMove, TierReplace, TierStretch};
use aquifer_replica::Replica;
use aquifer_types::Offset;
use futures_util::StreamExt as _;
use futures_util::stream;

use super::Tier;
use super::offload::{Purpose, ROUND_MAX, UPLOADS_MAX};
use crate::broker::Broker;

/// Offsets that our disk has other records of than the tier.
struct Cleaned {
    replica: Arc<Replica>,
    from: Offset,
    upto: Offset,
}

impl Broker {
    /// Replaces the first stretch of every mirrored log that was cleaned since it was uploaded.
    pub(super) async fn mirror_cleaned(&self, tier: &Arc<Tier>) {
        let cleaned = self.cleaned(&self.image());
        let uploads = stream::iter(cleaned).map(|cleaned| self.upload_cleaned(tier, cleaned));
        let uploaded: Vec<Option<TierStretch>> = uploads.buffer_unordered(UPLOADS_MAX).collect().await;
        let stretches: Vec<TierStretch> = uploaded.into_iter().flatten().collect();
        if stretches.is_empty() {
            return;
        }
        let replace = TierReplace { run: self.run, stretches: stretches.clone() };
        match self.decide(Change::TierReplace(replace)).await {
            Ok(Answer::TierReplaced(outcomes)) => {
                for (outcome, stretch) in outcomes.iter().zip(&stretches) {
                    tier.landed(stretch.ranges.iter().map(|range| range.nonce));
                    if let Err(refusal) = outcome {
                        // Its log's start was moved meanwhile, or another broker leads; what was uploaded is nobody's.
                        tracing::info!(partition = %stretch.at.partition, %refusal, "cleaned ranges are not committed");
                    }
                }
            }
            Ok(other) => tracing::error!(?other, "the quorum gave an answer to another question"),
            Err(error) => tracing::warn!(%error, "cleaned ranges are not committed"),
        }
    }

    fn cleaned(&self, image: &Image) -> Vec<Cleaned> {
        let mut found = Vec::new();
        for replica in self.replicas.all() {
            let Some(files) = replica.mirrored_files() else { continue };
            let files: Vec<Span> =
                files.iter().map(|file| Span { base: file.base, end: file.end, bytes: file.bytes }).collect();
            let difference =
                image.tier(replica.id()).and_then(|ranges| Ranges::first_difference(ranges, &files));
            if let Some((from, upto)) = difference {
                found.push(Cleaned { replica, from, upto });
            }
            if found.len() == ROUND_MAX {
                break;
            }
        }
        found
    }

    /// Uploads the stretch, file by file. None if not all of it could be.
    async fn upload_cleaned(&self, tier: &Arc<Tier>, cleaned: Cleaned) -> Option<TierStretch> {
        let Cleaned { replica, from, upto } = cleaned;
        let mut ranges: Vec<TierRange> = Vec::new();
        let mut leader_epoch = None;
        let mut next = from;
        while next < upto {
            let sealed = replica.sealed_between(next, upto);
            let first = sealed.as_ref().map(|sealed| sealed.leader_epoch);
            // Whoever leads in another epoch begins anew.
            let sealed = sealed.filter(|_| leader_epoch.is_none() || leader_epoch == first);
            leader_epoch = leader_epoch.or(first);
            let packed = match sealed {
                Some(sealed) => self.upload_sealed(tier, &replica, sealed, Purpose::Replace).await,
                None => None,
            };
            let Some(packed) = packed.filter(|packed| packed.range.base == next && packed.range.end <= upto)
            else {
                tier.landed(ranges.iter().map(|range| range.nonce));
                return None;
            };
            next = packed.range.end;
            ranges.push(packed.range);
        }
        let at = TierMove { partition: replica.id(), leader_epoch: leader_epoch?, offset: from };
        Some(TierStretch { at, ranges })
    }
}
