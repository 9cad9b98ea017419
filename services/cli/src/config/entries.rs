//! Configs of anything, shown and changed.

use std::str::FromStr;

use aquifer_client::{ConfigChange, ConfigEntry, ConfigSource, Resource};
use aquifer_runtime::Runtime;
use clap::Args;
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::output::{Change, Show};
use crate::reach::Reach;

/// `NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// The text is not `NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write NAME=VALUE")]
pub struct InvalidAssignment;

/// Which configs to show.
#[derive(Debug, Args)]
pub struct Settings {
    /// Only these; all that were set if absent
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Those that nobody set too
    #[arg(long)]
    all: bool,
}

/// Which configs to take back.
#[derive(Debug, Args)]
pub struct Unsettings {
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

impl Unsettings {
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }
}

#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    value: Option<String>,
    source: &'static str,
    read_only: bool,
    sensitive: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    documentation: Option<String>,
}

impl FromStr for Assignment {
    type Err = InvalidAssignment;

    fn from_str(text: &str) -> Result<Assignment, InvalidAssignment> {
        let (name, value) = text.split_once('=').ok_or(InvalidAssignment)?;
        if name.is_empty() {
            return Err(InvalidAssignment);
        }
        Ok(Assignment { name: name.to_owned(), value: value.to_owned() })
    }
}

impl Assignment {
    pub(crate) fn change(&self) -> ConfigChange {
        ConfigChange::Set { name: self.name.clone(), value: self.value.clone() }
    }
}

impl Unsettings {
    pub(crate) fn changes(&self) -> Vec<ConfigChange> {
        self.names.iter().map(|name| ConfigChange::Unset { name: name.clone() }).collect()
    }
}

impl Show for Shown {
    fn columns() -> &'static [&'static str] {
        &["NAME", "VALUE", "SOURCE"]
    }

    fn cells(&self) -> Vec<String> {
        let value = match (&self.value, self.sensitive) {
            (_, true) => "(secret)".to_owned(),
            (Some(value), _) => value.clone(),
            (None, _) => String::new(),
        };
        vec![self.name.clone(), value, self.source.to_owned()]
    }
}

impl From<ConfigEntry> for Shown {
    fn from(entry: ConfigEntry) -> Shown {
        Shown {
            name: entry.name,
            value: entry.value,
            source: entry.source.name(),
            read_only: entry.is_read_only,
            sensitive: entry.is_sensitive,
            documentation: entry.documentation,
        }
    }
}

/// Shows configs of something: those from its `own` sources, unless others are asked for.
pub(crate) async fn show(
    runtime: &Runtime,
    reach: &Reach,
    resource: &Resource,
    settings: &Settings,
    own: &[ConfigSource],
) -> Result<(), Failure> {
    let client = reach.client(runtime)?;
    let entries = client.describe_configs(resource).await;
    let entries = entries.map_err(|error| Failure::of_client("read configs", &error))?;
    let unknown = settings.names.iter().find(|name| entries.iter().all(|entry| entry.name != **name));
    if let Some(name) = unknown {
        return Err(Failure::new(Exit::NotFound, format!("there is no config {name}"))
            .hint("--all lists those that there are"));
    }
    let wanted = |entry: &ConfigEntry| match settings.names.is_empty() {
        false => settings.names.contains(&entry.name),
        true => settings.all || own.contains(&entry.source),
    };
    let shown: Vec<Shown> = entries.into_iter().filter(wanted).map(Shown::from).collect();
    reach.printer().list(&shown)
}

/// Changes configs of something, given with what it is and its name.
pub(crate) async fn alter(
    runtime: &Runtime,
    reach: &Reach,
    (resource, kind, name): (&Resource, &'static str, &str),
    changes: &[ConfigChange],
    dry_run: bool,
) -> Result<(), Failure> {
    let client = reach.client(runtime)?;
    let altered = client.alter_configs(resource, changes, dry_run).await;
    altered.map_err(|error| Failure::of_client(&format!("change configs of {kind} {name}"), &error))?;
    let done = changes.iter().map(|change| match change {
        ConfigChange::Set { name: config, value } => {
            Change::new("set", kind, name, dry_run).detail(format!("{config}={value}"))
        }
        ConfigChange::Unset { name: config } => Change::new("unset", kind, name, dry_run).detail(config),
    });
    reach.printer().list(&done.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_hold_anything_and_a_name_must_be_there() {
        let parsed: Assignment = "a=b=c".parse().expect("parses");

        assert_eq!((parsed.name.as_str(), parsed.value.as_str()), ("a", "b=c"));
        for text in ["a", "=b", ""] {
            assert_eq!(text.parse::<Assignment>(), Err(InvalidAssignment), "{text}");
        }
    }
}
