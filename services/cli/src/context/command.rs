//! The commands on contexts.

use aquifer_client::Address;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::file::{Context, Contexts};
use crate::failure::{Exit, Failure};
use crate::output::{Change, OutputArguments, Printer, Show};

#[derive(Debug, Subcommand)]
pub enum ContextCommand {
    /// Show all contexts
    #[command(after_help = "Examples:\n  aquifer context list\n  aquifer context list -o json")]
    List(ListArguments),
    /// Show one context, by default the current one; credentials are left out
    #[command(after_help = "Examples:\n  aquifer context show\n  aquifer context show prod")]
    Show(ShowArguments),
    /// Make or replace a context
    #[command(after_help = "Examples:\n  aquifer context set dev --brokers 127.0.0.1:9092\n  \
                            aquifer context set prod --brokers a:9092,b:9092 --use")]
    Set(SetArguments),
    /// Make a context the current one; `-` is the one before
    #[command(after_help = "Examples:\n  aquifer context use prod\n  aquifer context use -")]
    Use(UseArguments),
    /// Forget a context
    #[command(after_help = "Examples:\n  aquifer context delete old\n  aquifer context delete old --dry-run")]
    Delete(DeleteArguments),
}

#[derive(Debug, Args)]
pub struct ListArguments {
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub struct ShowArguments {
    name: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub struct SetArguments {
    name: String,
    /// Brokers to ask first
    #[arg(short, long, value_name = "HOST:PORT", value_delimiter = ',', required = true)]
    brokers: Vec<Address>,
    /// Make it the current one too
    #[arg(long = "use")]
    make_current: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub struct UseArguments {
    #[arg(allow_hyphen_values = true)]
    name: String,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub struct DeleteArguments {
    name: String,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    current: bool,
    brokers: Vec<String>,
}

impl Show for Shown {
    fn columns() -> &'static [&'static str] {
        &["NAME", "CURRENT", "BROKERS"]
    }

    fn cells(&self) -> Vec<String> {
        let current = if self.current { "*" } else { "" };
        vec![self.name.clone(), current.to_owned(), self.brokers.join(",")]
    }
}

pub(crate) fn run(command: &ContextCommand) -> Result<(), Failure> {
    let contexts = Contexts::load()?;
    match command {
        ContextCommand::List(arguments) => {
            let shown: Result<Vec<Shown>, Failure> =
                contexts.names().map(|name| shown(&contexts, name)).collect();
            Printer::new(arguments.output.format()).list(&shown?)
        }
        ContextCommand::Show(arguments) => {
            let name = arguments.name.as_deref().or(contexts.current.as_deref());
            let name = name.ok_or_else(|| {
                Failure::new(Exit::NotFound, "no context is current, so 127.0.0.1:9092 is asked")
                    .hint("`aquifer context set NAME --brokers HOST:PORT --use` makes one")
            })?;
            Printer::new(arguments.output.format()).one(&shown(&contexts, name)?)
        }
        ContextCommand::Set(arguments) => set(contexts, arguments),
        ContextCommand::Use(arguments) => switch(contexts, arguments),
        ContextCommand::Delete(arguments) => delete(contexts, arguments),
    }
}

fn shown(contexts: &Contexts, name: &str) -> Result<Shown, Failure> {
    let context = contexts.get(name)?;
    Ok(Shown {
        name: name.to_owned(),
        current: contexts.current.as_deref() == Some(name),
        brokers: context.brokers.iter().map(Address::to_string).collect(),
    })
}

fn set(mut contexts: Contexts, arguments: &SetArguments) -> Result<(), Failure> {
    if arguments.name == "-" || arguments.name.is_empty() {
        return Err(Failure::usage("a context needs a name other than -"));
    }
    contexts.set(&arguments.name, &Context { brokers: arguments.brokers.clone() });
    if arguments.make_current || contexts.current.is_none() {
        contexts.switch(&arguments.name);
    }
    let change = Change::new("set", "context", &arguments.name, arguments.dry_run);
    finish(&contexts, change, arguments.output)
}

fn switch(mut contexts: Contexts, arguments: &UseArguments) -> Result<(), Failure> {
    let name = match arguments.name.as_str() {
        "-" => contexts
            .previous
            .clone()
            .ok_or_else(|| Failure::new(Exit::NotFound, "there is no context before this one"))?,
        name => name.to_owned(),
    };
    contexts.get(&name)?;
    contexts.switch(&name);
    finish(&contexts, Change::new("use", "context", &name, arguments.dry_run), arguments.output)
}

fn delete(mut contexts: Contexts, arguments: &DeleteArguments) -> Result<(), Failure> {
    contexts.get(&arguments.name)?;
    contexts.remove(&arguments.name);
    let change = Change::new("delete", "context", &arguments.name, arguments.dry_run);
    finish(&contexts, change, arguments.output)
}

fn finish(contexts: &Contexts, change: Change, output: OutputArguments) -> Result<(), Failure> {
    if !change.dry_run {
        contexts.save()?;
    }
    Printer::new(output.format()).one(&change)
}
