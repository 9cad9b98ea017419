//! `Versions`: which version of each API a broker and this client have in common.

use std::collections::BTreeMap;

use aquifer_wire::messages::ApiVersionsResponse;
use aquifer_wire::{ApiKey, Request};

/// The version ranges that one broker advertises, inclusive as Kafka counts them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    ranges: BTreeMap<i16, (i16, i16)>,
}

impl Versions {
    /// The highest version of `R` that both know.
    #[must_use]
    pub fn common<R: Request>(&self) -> Option<i16> {
        let (min, max) = self.advertised(R::KEY.number())?;
        let highest = max.min(R::VERSION_MAX);
        (highest >= min.max(R::VERSION_MIN)).then_some(highest)
    }

    /// What the broker says of an API, also of one that has no codec here.
    #[must_use]
    pub fn advertised(&self, api_key: i16) -> Option<(i16, i16)> {
        self.ranges.get(&api_key).copied()
    }

    /// All that the broker says, by number.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (i16, (i16, i16))> {
        self.ranges.iter().map(|(key, range)| (*key, *range))
    }

    /// The highest version of ApiVersions itself to ask with, where the first try was refused.
    pub(crate) fn api_versions(&self) -> i16 {
        let supported = ApiKey::ApiVersions.supported();
        let (_, max) = self.advertised(ApiKey::ApiVersions.number()).unwrap_or_default();
        max.clamp(supported.min, supported.max)
    }
}

impl From<&ApiVersionsResponse> for Versions {
    fn from(response: &ApiVersionsResponse) -> Versions {
        let ranges = response.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version)));
        Versions { ranges: ranges.collect() }
    }
}

#[cfg(test)]
mod tests {
    use aquifer_wire::messages::api_versions_response::ApiVersion;
    use aquifer_wire::messages::{FetchRequest, MetadataRequest, ProduceRequest};

    use super::*;

    #[test]
    fn the_highest_version_that_both_know_is_used() {
        let produce = ApiVersion { api_key: 0, min_version: 0, max_version: 8 };
        let fetch = ApiVersion { api_key: 1, min_version: 90, max_version: 99 };
        let response = ApiVersionsResponse { api_keys: vec![produce, fetch], ..Default::default() };

        let versions = Versions::from(&response);

        assert_eq!(versions.common::<ProduceRequest>(), Some(8));
        assert_eq!(versions.common::<FetchRequest>(), None);
        assert_eq!(versions.common::<MetadataRequest>(), None);
        assert_eq!(versions.advertised(1), Some((90, 99)));
    }
}
