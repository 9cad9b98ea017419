//! Suites: scenarios that come with the program.

use anyhow::{Context as _, Result};

use crate::cli::SuiteName;
use crate::scenario::Scenario;

macro_rules! scenarios {
    ($($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../scenarios/", $file, ".toml")))),*]
    };
}

/// What was promised of producing, fetching and starting, in the order of the promise.
const ISSUE: &[(&str, &str)] = scenarios![
    "produce-page-cache-1",
    "produce-page-cache-4",
    "produce-flushed-1mb",
    "produce-flushed-16kb",
    "produce-sustained",
    "device-bytes",
    "many-partitions",
    "fetch-hot-1",
    "fetch-hot-4",
    "fetch-cold",
    "latency-page-cache",
    "latency-flushed",
    "memory-after-load",
    "idle",
    "start-empty",
    "start-full",
    "ten-thousand-partitions",
    "verify",
];

/// What was promised of groups, members and what consumes.
const GROUPS: &[(&str, &str)] = scenarios![
    "groups-members",
    "groups-commits",
    "groups-departure",
    "groups-idle-consumers",
    "groups-reload",
    "groups-consume",
    "groups-consume-command",
];

/// What was promised of the gateway, beside what the machine gives without it.
const GATEWAY: &[(&str, &str)] = scenarios![
    "gateway-produce-flushed",
    "gateway-produce-page-cache",
    "gateway-produce-parts",
    "gateway-single",
    "gateway-grpc",
    "gateway-history",
    "gateway-added-latency",
    "gateway-parked",
];

/// What was promised of the tier.
const TIER: &[(&str, &str)] = scenarios![
    "tier-replay",
    "tier-replay-slow-store",
    "tier-replay-one",
    "tier-warm",
    "tier-replay-latency",
    "tier-upload-latency",
    "tier-seek",
    "tier-uploads",
    "tier-idle",
    "tier-restore",
];

pub fn suite(name: SuiteName) -> Result<Vec<Scenario>> {
    let scenarios = match name {
        SuiteName::Issue => ISSUE,
        SuiteName::Groups => GROUPS,
        SuiteName::Gateway => GATEWAY,
        SuiteName::Tier => TIER,
    };
    let parsed = scenarios
        .iter()
        .map(|(name, text)| Scenario::parse(text).with_context(|| format!("understand the scenario {name}")));
    parsed.collect()
}
