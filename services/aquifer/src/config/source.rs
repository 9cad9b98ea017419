//! Where values come from: a file, variables of the environment, flags; the later overrides the earlier.

use std::fmt;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigError;
use super::key::{self, Written};

const VARIABLE_PREFIX: &str = "AQUIFER__";

/// Who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    File { name: String, line: usize },
    Variable(String),
    Flag(String),
    Default,
}

/// One value somebody set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) path: String,
    pub(super) written: Written,
    pub(super) origin: Origin,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { name, line } => write!(out, "{name}, line {line}"),
            Origin::Variable(name) => write!(out, "variable {name}"),
            Origin::Flag(flag) => write!(out, "flag {flag}"),
            Origin::Default => write!(out, "default"),
        }
    }
}

/// What a TOML file sets.
pub(super) fn from_file(name: &Path, text: &str) -> Result<Vec<Assignment>, ConfigError> {
    let mut file = File { name: name.display().to_string(), text, found: Vec::new() };
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        origin: file.origin(error.span().map_or(0, |span| span.start)),
        problem: error.message().to_owned(),
    })?;
    file.walk("", table.get_ref())?;
    Ok(file.found)
}

/// What the environment's variables `AQUIFER__A__B` set.
pub(super) fn from_variables(
    variables: impl Iterator<Item = (String, String)>,
) -> Result<Vec<Assignment>, ConfigError> {
    let mut found = Vec::new();
    for (name, text) in variables {
        let Some(rest) = name.strip_prefix(VARIABLE_PREFIX) else { continue };
        let path = rest.to_lowercase().replace("__", ".");
        let origin = Origin::Variable(name);
        known(&path, &origin)?;
        found.push(Assignment { path, written: Written::Loose(text), origin });
    }
    // The environment has no order.
    found.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(found)
}

/// What a flag `--set KEY=VALUE` sets.
pub(super) fn from_flag(flag: &str, setting: &str) -> Result<Assignment, ConfigError> {
    let origin = Origin::Flag(format!("{flag} {setting}"));
    let Some((path, text)) = setting.split_once('=') else {
        return Err(ConfigError::Syntax { origin, problem: "KEY=VALUE is expected".to_owned() });
    };
    known(path, &origin)?;
    Ok(Assignment { path: path.to_owned(), written: Written::Loose(text.to_owned()), origin })
}

fn known(path: &str, origin: &Origin) -> Result<(), ConfigError> {
    if key::find(path).is_some() {
        return Ok(());
    }
    let origin = origin.clone();
    Err(ConfigError::Unknown { key: path.to_owned(), origin, meant: key::nearest(path) })
}

struct File<'t> {
    name: String,
    text: &'t str,
    found: Vec<Assignment>,
}

impl File<'_> {
    fn origin(&self, at: usize) -> Origin {
        let before = self.text.get(..at).unwrap_or(self.text);
        Origin::File { name: self.name.clone(), line: before.matches('\n').count() + 1 }
    }

    fn walk(&mut self, above: &str, table: &DeTable<'_>) -> Result<(), ConfigError> {
        for (name, value) in table {
            let path = if above.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{above}.{}", name.get_ref())
            };
            let origin = self.origin(name.span().start);
            self.take(path, value, origin)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        path: String,
        value: &Spanned<DeValue<'_>>,
        origin: Origin,
    ) -> Result<(), ConfigError> {
        let written = match value.get_ref() {
            DeValue::Table(inner) if key::is_table(&path) => return self.walk(&path, inner),
            DeValue::Array(items) if key::is_table(&format!("{path}.0")) => {
                for (place, item) in items.iter().enumerate() {
                    let origin = self.origin(item.span().start);
                    self.take(format!("{path}.{place}"), item, origin)?;
                }
                return Ok(());
            }
            DeValue::String(text) => Written::Quoted(text.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => Written::Bare(number.as_str().to_owned()),
            DeValue::Boolean(switch) => Written::Bare(switch.to_string()),
            _ => Written::Bare(self.text.get(value.span()).unwrap_or_default().to_owned()),
        };
        if key::is_table(&path) {
            let expected = format!("a table [{path}]");
            return Err(ConfigError::Value { key: path, written: written.shown(), origin, expected });
        }
        known(&path, &origin)?;
        self.found.push(Assignment { path, written, origin });
        Ok(())
    }
}

impl Written {
    /// As it stands in the file or the environment.
    pub(super) fn shown(&self) -> String {
        match self {
            Written::Bare(text) | Written::Loose(text) => text.clone(),
            Written::Quoted(text) => format!("\"{text}\""),
        }
    }
}
