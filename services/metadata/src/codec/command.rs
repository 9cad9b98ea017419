//! The bytes of commands.

use aquifer_manifest::{BundleKey, TierRange};

use crate::broker::{Endpoint, SecurityProtocol};
use crate::codec::wire::{DecodeError, Input, Wire, fields, put_no_tagged, words};
use crate::command::{
    AllocateProducerIds, AlterConfig, AlterPartition, AlterPartitions, BrokerRun, Change, Command,
    ConfigChange, ConfigOperation, ConfigSetting, FeatureUpdate, Fence, FenceIf, InitCluster, NewPartitions,
    NewTopic, PlacedReplica, Placement, RecoveryVerdict, RegisterBroker, TierAdd, TierCommit, TierDelete,
    TierDeleteReplaced, TierMove, TierReplace, TierStretch, TierTrim, TopicKey, UndeleteTopic, Verdict,
};
use crate::partition::RecoveryState;

const VERSION: u8 = 1;
/// Of commands that name ranges in bundles.
const BUNDLED_VERSION: u8 = 2;

/// What a command is, for ever: numbers are never given twice.
mod kind {
    pub(super) const TICK: u64 = 1;
    pub(super) const INIT_CLUSTER: u64 = 2;
    pub(super) const REGISTER_BROKER: u64 = 3;
    pub(super) const FENCE_BROKER: u64 = 4;
    pub(super) const UNFENCE_BROKER: u64 = 5;
    pub(super) const CREATE_TOPICS: u64 = 6;
    pub(super) const DELETE_TOPICS: u64 = 7;
    pub(super) const CREATE_PARTITIONS: u64 = 8;
    pub(super) const ALTER_CONFIGS: u64 = 9;
    pub(super) const ALLOCATE_PRODUCER_IDS: u64 = 10;
    pub(super) const ALTER_PARTITIONS: u64 = 11;
    pub(super) const UPDATE_FEATURES: u64 = 12;
    pub(super) const TIER_COMMIT: u64 = 13;
    pub(super) const TIER_TRIM: u64 = 14;
    pub(super) const TIER_DELETE: u64 = 15;
    pub(super) const TIER_FORGET: u64 = 16;
    pub(super) const UNDELETE_TOPIC: u64 = 17;
    pub(super) const FENCE: u64 = 18;
    pub(super) const TIER_REPLACE: u64 = 19;
    pub(super) const TIER_DELETE_REPLACED: u64 = 20;
    pub(super) const TIER_FORGET_REPLACED: u64 = 21;
    pub(super) const TIER_FORGET_BUNDLES: u64 = 22;
}

fields!(InitCluster { cluster, producer_prefix, level });
fields!(Endpoint { listener, host, port, protocol });
words!(SecurityProtocol { Plaintext = 0, Ssl = 1, SaslPlaintext = 2, SaslSsl = 3 });
fields!(RegisterBroker { node, incarnation, endpoints, rack, directories, clean_epoch, verdicts });
fields!(RecoveryVerdict { partition, verdict });
words!(Verdict { Clean = 0, TornTail = 1, Corrupt = 2, Missing = 3 });
fields!(BrokerRun { node, epoch });
fields!(NewTopic { name, id, partitions, replication_default, configs });
fields!(PlacedReplica { node, directory });
fields!(ConfigSetting { name, value });
fields!(NewPartitions { topic, expected, partitions });
fields!(AlterConfig { resource, replace, changes });
fields!(ConfigChange { name, operation, value });
words!(ConfigOperation { Set = 0, Delete = 1, Append = 2, Subtract = 3 });
fields!(AllocateProducerIds { run, count, spare_prefix });
fields!(AlterPartitions { run, partitions });
fields!(AlterPartition { partition, leader_epoch, partition_epoch, isr, recovery });
words!(RecoveryState { Recovered = 0, Recovering = 1 });
fields!(FeatureUpdate { name, level, allow_downgrade });
fields!(TierCommit { run, ranges });
fields!(TierAdd { at, range });
fields!(TierTrim { run, starts });
fields!(TierMove { partition, leader_epoch, offset });
fields!(TierDelete { grace_ms, upto });
fields!(TierReplace { run, stretches });
fields!(TierStretch { at, ranges });
fields!(TierDeleteReplaced { grace_ms, upto });
fields!(UndeleteTopic { deleted, topic });
fields!(Fence { run, partition, leader_epoch, token, condition });

impl Wire for Placement {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(input: &mut Input<'_>) -> Result<Placement, DecodeError> {
        Wire::take(input).map(Placement)
    }
}

impl Wire for TopicKey {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            TopicKey::Id(id) => {
                out.push(0);
                id.put(out);
            }
            TopicKey::Name(name) => {
                out.push(1);
                name.put(out);
            }
        }
    }

    fn take(input: &mut Input<'_>) -> Result<TopicKey, DecodeError> {
        match input.byte()? {
            0 => Wire::take(input).map(TopicKey::Id),
            1 => Wire::take(input).map(TopicKey::Name),
            _ => Err(DecodeError::Invalid("topic key")),
        }
    }
}

impl Wire for FenceIf {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            FenceIf::Any => out.push(0),
            FenceIf::Is(token) => {
                out.push(1);
                token.put(out);
            }
        }
    }

    fn take(input: &mut Input<'_>) -> Result<FenceIf, DecodeError> {
        match input.byte()? {
            0 => Ok(FenceIf::Any),
            1 => Wire::take(input).map(FenceIf::Is),
            _ => Err(DecodeError::Invalid("fence condition")),
        }
    }
}

/// Appends the bytes of a command to `out`.
pub fn encode_command(command: &Command, out: &mut Vec<u8>) {
    kind_of(&command.change).put(out);
    version_of(&command.change).put(out);
    command.time.put(out);
    match &command.change {
        Change::Tick => {}
        Change::InitCluster(init) => init.put(out),
        Change::RegisterBroker(register) => register.put(out),
        Change::FenceBroker(run) | Change::UnfenceBroker(run) => run.put(out),
        Change::CreateTopics(topics) => topics.put(out),
        Change::DeleteTopics(keys) => keys.put(out),
        Change::CreatePartitions(topics) => topics.put(out),
        Change::AlterConfigs(alters) => alters.put(out),
        Change::AllocateProducerIds(allocate) => allocate.put(out),
        Change::AlterPartitions(alter) => alter.put(out),
        Change::UpdateFeatures(updates) => updates.put(out),
        Change::TierCommit(commit) => commit.put(out),
        Change::TierTrim(trim) => trim.put(out),
        Change::TierDelete(delete) => delete.put(out),
        Change::TierForget(gone) => gone.put(out),
        Change::TierReplace(replace) => replace.put(out),
        Change::TierDeleteReplaced(delete) => delete.put(out),
        Change::TierForgetReplaced(gone) => gone.put(out),
        Change::TierForgetBundles(gone) => gone.put(out),
        Change::UndeleteTopic(undelete) => undelete.put(out),
        Change::Fence(fence) => fence.put(out),
    }
    put_no_tagged(out);
}

/// The command that these bytes are.
pub fn decode_command(bytes: &[u8]) -> Result<Command, DecodeError> {
    let mut input = Input(bytes);
    let kind = u64::take(&mut input)?;
    let version = input.byte()?;
    let known_kind = (kind::TICK..=kind::TIER_FORGET_BUNDLES).contains(&kind);
    if !known_kind {
        return Err(DecodeError::UnknownKind(kind));
    }
    let known = match kind {
        kind::TIER_COMMIT | kind::TIER_REPLACE => BUNDLED_VERSION,
        _ => VERSION,
    };
    if version == 0 || version > known {
        return Err(DecodeError::UnknownVersion { kind, version, known });
    }
    let time = Wire::take(&mut input)?;
    let change = take_change(kind, &mut input)?;
    input.skip_tagged()?;
    input.end()?;
    Ok(Command { time, change })
}

fn version_of(change: &Change) -> u8 {
    let is_bundled = |range: &TierRange| BundleKey::of(range).is_some();
    let is_bundled = match change {
        Change::TierCommit(commit) => commit.ranges.iter().any(|add| is_bundled(&add.range)),
        Change::TierReplace(replace) => {
            replace.stretches.iter().flat_map(|stretch| &stretch.ranges).any(is_bundled)
        }
        _ => false,
    };
    if is_bundled { BUNDLED_VERSION } else { VERSION }
}

fn kind_of(change: &Change) -> u64 {
    match change {
        Change::Tick => kind::TICK,
        Change::InitCluster(_) => kind::INIT_CLUSTER,
        Change::RegisterBroker(_) => kind::REGISTER_BROKER,
        Change::FenceBroker(_) => kind::FENCE_BROKER,
        Change::UnfenceBroker(_) => kind::UNFENCE_BROKER,
        Change::CreateTopics(_) => kind::CREATE_TOPICS,
        Change::DeleteTopics(_) => kind::DELETE_TOPICS,
        Change::CreatePartitions(_) => kind::CREATE_PARTITIONS,
        Change::AlterConfigs(_) => kind::ALTER_CONFIGS,
        Change::AllocateProducerIds(_) => kind::ALLOCATE_PRODUCER_IDS,
        Change::AlterPartitions(_) => kind::ALTER_PARTITIONS,
        Change::UpdateFeatures(_) => kind::UPDATE_FEATURES,
        Change::TierCommit(_) => kind::TIER_COMMIT,
        Change::TierTrim(_) => kind::TIER_TRIM,
        Change::TierDelete(_) => kind::TIER_DELETE,
        Change::TierForget(_) => kind::TIER_FORGET,
        Change::TierReplace(_) => kind::TIER_REPLACE,
        Change::TierDeleteReplaced(_) => kind::TIER_DELETE_REPLACED,
        Change::TierForgetReplaced(_) => kind::TIER_FORGET_REPLACED,
        Change::TierForgetBundles(_) => kind::TIER_FORGET_BUNDLES,
        Change::UndeleteTopic(_) => kind::UNDELETE_TOPIC,
        Change::Fence(_) => kind::FENCE,
    }
}

fn take_change(kind: u64, input: &mut Input<'_>) -> Result<Change, DecodeError> {
    match kind {
        kind::TICK => Ok(Change::Tick),
        kind::INIT_CLUSTER => Wire::take(input).map(Change::InitCluster),
        kind::REGISTER_BROKER => Wire::take(input).map(Change::RegisterBroker),
        kind::FENCE_BROKER => Wire::take(input).map(Change::FenceBroker),
        kind::UNFENCE_BROKER => Wire::take(input).map(Change::UnfenceBroker),
        kind::CREATE_TOPICS => Wire::take(input).map(Change::CreateTopics),
        kind::DELETE_TOPICS => Wire::take(input).map(Change::DeleteTopics),
        kind::CREATE_PARTITIONS => Wire::take(input).map(Change::CreatePartitions),
        kind::ALTER_CONFIGS => Wire::take(input).map(Change::AlterConfigs),
        kind::ALLOCATE_PRODUCER_IDS => Wire::take(input).map(Change::AllocateProducerIds),
        kind::ALTER_PARTITIONS => Wire::take(input).map(Change::AlterPartitions),
        kind::UPDATE_FEATURES => Wire::take(input).map(Change::UpdateFeatures),
        kind::TIER_COMMIT => Wire::take(input).map(Change::TierCommit),
        kind::TIER_TRIM => Wire::take(input).map(Change::TierTrim),
        kind::TIER_DELETE => Wire::take(input).map(Change::TierDelete),
        kind::TIER_FORGET => Wire::take(input).map(Change::TierForget),
        kind::TIER_REPLACE => Wire::take(input).map(Change::TierReplace),
        kind::TIER_DELETE_REPLACED => Wire::take(input).map(Change::TierDeleteReplaced),
        kind::TIER_FORGET_REPLACED => Wire::take(input).map(Change::TierForgetReplaced),
        kind::TIER_FORGET_BUNDLES => Wire::take(input).map(Change::TierForgetBundles),
        kind::UNDELETE_TOPIC => Wire::take(input).map(Change::UndeleteTopic),
        kind::FENCE => Wire::take(input).map(Change::Fence),
        _ => Err(DecodeError::UnknownKind(kind)),
    }
}
