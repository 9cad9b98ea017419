//! The commands on contexts.

use std::path::{Path, PathBuf};

use aquifer_client::Address;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::file::{Context, Contexts, Login, LoginMechanism, Tls};
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
                            aquifer context set prod --brokers a:9093,b:9093 --tls --mechanism scram-sha-512 \
                            --user alice --password-file ./secret --use")]
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
    /// Speak TLS
    #[arg(long)]
    tls: bool,
    /// Trust brokers whose certificates these signed (PEM), in place of those the system trusts
    #[arg(long, value_name = "FILE", requires = "tls")]
    ca: Option<PathBuf>,
    /// Our own certificate chain (PEM), for brokers that ask for one
    #[arg(long, value_name = "FILE", requires_all = ["tls", "private_key"])]
    certificate: Option<PathBuf>,
    /// The key to our certificate (PEM)
    #[arg(long, value_name = "FILE", requires_all = ["tls", "certificate"])]
    private_key: Option<PathBuf>,
    /// How to log in
    #[arg(long, value_enum, requires_all = ["user", "password_file"])]
    mechanism: Option<LoginMechanism>,
    /// Who to log in as
    #[arg(long, value_name = "NAME", requires = "mechanism")]
    user: Option<String>,
    /// The file that holds the password; `-` reads it from standard input
    #[arg(long, value_name = "FILE", requires = "mechanism")]
    password_file: Option<PathBuf>,
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
    tls: bool,
    user: Option<String>,
}

impl Show for Shown {
    fn columns() -> &'static [&'static str] {
        &["NAME", "CURRENT", "TLS", "USER", "BROKERS"]
    }

    fn cells(&self) -> Vec<String> {
        let current = if self.current { "*" } else { "" };
        let tls = if self.tls { "yes" } else { "no" };
        let user = self.user.clone().unwrap_or_default();
        vec![self.name.clone(), current.to_owned(), tls.to_owned(), user, self.brokers.join(",")]
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
        tls: context.tls.is_some(),
        user: context.login.map(|login| login.user),
    })
}

fn set(mut contexts: Contexts, arguments: &SetArguments) -> Result<(), Failure> {
    if arguments.name == "-" || arguments.name.is_empty() {
        return Err(Failure::usage("a context needs a name other than -"));
    }
    let tls = Tls {
        ca: absolute(arguments.ca.as_deref())?,
        certificate: absolute(arguments.certificate.as_deref())?,
        key: absolute(arguments.private_key.as_deref())?,
    };
    let context = Context {
        brokers: arguments.brokers.clone(),
        tls: arguments.tls.then_some(tls),
        login: login(arguments)?,
    };
    contexts.set(&arguments.name, &context);
    if arguments.make_current || contexts.current.is_none() {
        contexts.switch(&arguments.name);
    }
    let change = Change::new("set", "context", &arguments.name, arguments.dry_run);
    finish(&contexts, &change, arguments.output)
}

/// A path that means the same from every folder.
fn absolute(path: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let absolute = path.map(std::path::absolute).transpose();
    absolute.map_err(|error| Failure::usage(format!("find a file: {error}")))
}

/// The password comes from a file, as arguments are seen by everybody on the machine.
fn login(arguments: &SetArguments) -> Result<Option<Login>, Failure> {
    let (Some(mechanism), Some(user), Some(file)) =
        (arguments.mechanism, &arguments.user, &arguments.password_file)
    else {
        return Ok(None);
    };
    let read = match file.as_os_str() == "-" {
        true => std::io::read_to_string(std::io::stdin()),
        false => std::fs::read_to_string(file),
    };
    let password =
        read.map_err(|error| Failure::usage(format!("read the password from {}: {error}", file.display())))?;
    let password = password.trim_end_matches(['\n', '\r']).to_owned();
    Ok(Some(Login { mechanism, user: user.clone(), password }))
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
    finish(&contexts, &Change::new("use", "context", &name, arguments.dry_run), arguments.output)
}

fn delete(mut contexts: Contexts, arguments: &DeleteArguments) -> Result<(), Failure> {
    contexts.get(&arguments.name)?;
    contexts.remove(&arguments.name);
    let change = Change::new("delete", "context", &arguments.name, arguments.dry_run);
    finish(&contexts, &change, arguments.output)
}

fn finish(contexts: &Contexts, change: &Change, output: OutputArguments) -> Result<(), Failure> {
    if !change.dry_run {
        contexts.save()?;
    }
    Printer::new(output.format()).one(change)
}
