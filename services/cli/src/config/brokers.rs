//! `aquifer config get|set|unset`: configs of brokers while they run.

use aquifer_client::{ConfigSource, Resource};
use aquifer_runtime::Runtime;
use aquifer_types::NodeId;
use clap::{Args, Subcommand};

use super::entries::{Assignment, Settings, Unsettings, alter, show};
use crate::failure::Failure;
use crate::reach::Reach;

/// What follows from a change made while brokers run.
const OWN: [ConfigSource; 2] = [ConfigSource::Broker, ConfigSource::ClusterDefault];

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show configs of a running broker, or of all brokers
    #[command(after_help = "Examples:\n  aquifer config get --broker 0 --all\n  aquifer config get")]
    Get(GetArguments),
    /// Set configs of a running broker, or of all brokers
    #[command(after_help = "Examples:\n  aquifer config set log.retention.ms=86400000 --dry-run\n  \
                            aquifer config set --broker 0 log.retention.ms=86400000")]
    Set(SetArguments),
    /// Take configs of a running broker, or of all brokers, back to what their files say
    #[command(after_help = "Examples:\n  aquifer config unset log.retention.ms\n  \
                            aquifer config unset --broker 0 log.retention.ms --dry-run")]
    Unset(UnsetArguments),
}

#[derive(Debug, Args)]
pub struct Target {
    /// One broker; what all brokers share if absent
    #[arg(long, value_name = "ID")]
    broker: Option<i32>,
}

#[derive(Debug, Args)]
pub struct GetArguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
pub struct SetArguments {
    #[arg(required = true, value_name = "NAME=VALUE")]
    configs: Vec<Assignment>,
    #[command(flatten)]
    target: Target,
    /// Only say whether it would do
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
pub struct UnsetArguments {
    #[command(flatten)]
    names: Unsettings,
    #[command(flatten)]
    target: Target,
    /// Only say whether it would do
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    reach: Reach,
}

impl Target {
    fn resource(&self) -> Resource {
        Resource::Broker(self.broker.map(NodeId))
    }

    fn name(&self) -> String {
        self.broker.map_or_else(|| "all".to_owned(), |broker| broker.to_string())
    }
}

pub(crate) async fn run(command: &ConfigCommand) -> Result<(), Failure> {
    let runtime = Runtime::real();
    match command {
        ConfigCommand::Get(it) => show(&runtime, &it.reach, &it.target.resource(), &it.settings, &OWN).await,
        ConfigCommand::Set(it) => {
            let changes: Vec<_> = it.configs.iter().map(Assignment::change).collect();
            let target = (&it.target.resource(), "broker", it.target.name());
            alter(&runtime, &it.reach, (target.0, target.1, &target.2), &changes, it.dry_run).await
        }
        ConfigCommand::Unset(it) => {
            let target = (&it.target.resource(), "broker", it.target.name());
            let changes = it.names.changes();
            alter(&runtime, &it.reach, (target.0, target.1, &target.2), &changes, it.dry_run).await
        }
    }
}
