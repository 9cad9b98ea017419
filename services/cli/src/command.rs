//! `Command`: the commands of this crate, and how one is run.

use std::process::ExitCode;

use clap::Subcommand;

use crate::cluster::{self, ClusterCommand};
use crate::completion::{self, CompletionArguments};
use crate::config::{self, ConfigCommand};
use crate::consume::{self, ConsumeArguments};
use crate::context::{self, ContextCommand};
use crate::failure::{Exit, Failure};
use crate::group::{self, GroupCommand};
use crate::output::Format;
use crate::produce::{self, ProduceArguments};
use crate::tier::{self, TierCommand};
use crate::topic::{self, TopicCommand};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make, show, change and delete topics
    #[command(subcommand)]
    Topic(TopicCommand),
    /// Send records: from arguments, lines or NDJSON
    Produce(Box<ProduceArguments>),
    /// Read records, from anywhere, for as long as wanted
    Consume(Box<ConsumeArguments>),
    /// Show groups and how far they are, move their offsets
    #[command(subcommand)]
    Group(GroupCommand),
    /// Show the cluster: brokers, quorum, disks, features
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Keep addresses and credentials of clusters under names
    #[command(subcommand)]
    Context(ContextCommand),
    /// Print a script that makes a shell complete commands
    #[command(
        after_help = "Examples:\n  source <(aquifer completion bash)\n  aquifer completion zsh > ~/.zfunc/_aquifer"
    )]
    Completion(CompletionArguments),
}

impl From<ConfigCommand> for Work {
    fn from(command: ConfigCommand) -> Work {
        Work::Config(command)
    }
}

impl From<TierCommand> for Work {
    fn from(command: TierCommand) -> Work {
        Work::Tier(command)
    }
}

impl From<Command> for Work {
    fn from(command: Command) -> Work {
        Work::Command(command)
    }
}

/// What there is to do: a command of this crate, or one that the program keeps among others of its own.
#[derive(Debug)]
pub enum Work {
    Command(Command),
    Config(ConfigCommand),
    Tier(TierCommand),
}

/// Runs a command to its end. `tree` is the whole program's, for completion; `format` is how errors are told.
#[must_use]
pub fn run(work: impl Into<Work>, tree: clap::Command, format: Format) -> ExitCode {
    let outcome = match work.into() {
        Work::Command(Command::Completion(arguments)) => completion::run(&arguments, tree),
        Work::Command(Command::Context(command)) => context::run(&command),
        other => on_reactor(other),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(format);
            failure.exit.into()
        }
    }
}

/// Says what is wrong with a command line, or what was asked to be said of the program.
#[must_use]
pub fn refuse(error: &clap::Error, format: Format) -> ExitCode {
    if !error.use_stderr() || format == Format::Table {
        // Where nobody can be told there is nothing else to do.
        let _ = error.print();
        return if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS };
    }
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let hint = lines.find_map(|line| line.strip_prefix("tip: "));
    let failure = Failure::usage(message).hint(hint.unwrap_or("--help shows what there is"));
    failure.print(format);
    failure.exit.into()
}

fn on_reactor(work: Work) -> Result<(), Failure> {
    // Who only reads does so on one thread: what was received is in its processor's cache when it is written, and nobody has
    // to be woken for it. A member of a group beats beside that, however long a write takes.
    let reads_alone =
        matches!(&work, Work::Command(Command::Consume(arguments)) if !arguments.joins_a_group());
    let reactor = match reads_alone {
        true => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        false => tokio::runtime::Builder::new_multi_thread().enable_all().build(),
    };
    let reactor =
        reactor.map_err(|error| Failure::new(Exit::Failed, format!("start the reactor: {error}")))?;
    // One that has to leave its group first ends by itself.
    let ends_by_itself = matches!(work, Work::Command(Command::Consume(_)));
    let outcome = reactor.block_on(async {
        tokio::select! {
            biased;
            outcome = work.run() => outcome,
            _ = tokio::signal::ctrl_c(), if !ends_by_itself => Err(Failure::interrupted()),
        }
    });
    // A thread may still wait for standard input, which has no end.
    reactor.shutdown_background();
    outcome
}

impl Work {
    async fn run(self) -> Result<(), Failure> {
        match self {
            Work::Config(command) => config::run(&command).await,
            Work::Tier(command) => tier::run(&command).await,
            Work::Command(Command::Topic(command)) => topic::run(&command).await,
            Work::Command(Command::Produce(arguments)) => produce::run(&arguments).await,
            Work::Command(Command::Consume(arguments)) => consume::run(&arguments).await,
            Work::Command(Command::Group(command)) => group::run(&command).await,
            Work::Command(Command::Cluster(command)) => cluster::run(&command).await,
            // These need no reactor, and were run without one.
            Work::Command(Command::Context(_) | Command::Completion(_)) => Ok(()),
        }
    }
}
