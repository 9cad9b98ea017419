//! `Show`: something with columns for people and fields for programs.

use serde::Serialize;

/// A result. Programs get all its fields, people its cells.
pub trait Show: Serialize {
    fn columns() -> &'static [&'static str];
    /// As many as there are columns.
    fn cells(&self) -> Vec<String>;
}

/// Something that was done, or would be.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Change {
    /// What was done: `create`, `delete`, `set` …
    pub(crate) action: &'static str,
    /// To what: `topic`, `group` …
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    /// What exactly, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) detail: String,
    /// Nothing was changed; it was only said what would be.
    pub(crate) dry_run: bool,
}

impl Change {
    pub(crate) fn new(action: &'static str, kind: &'static str, name: &str, dry_run: bool) -> Change {
        Change { action, kind, name: name.to_owned(), detail: String::new(), dry_run }
    }

    pub(crate) fn detail(self, detail: impl Into<String>) -> Change {
        Change { detail: detail.into(), ..self }
    }
}

impl Show for Change {
    fn columns() -> &'static [&'static str] {
        &["ACTION", "KIND", "NAME", "DETAIL"]
    }

    fn cells(&self) -> Vec<String> {
        let action = if self.dry_run { format!("would {}", self.action) } else { self.action.to_owned() };
        vec![action, self.kind.to_owned(), self.name.clone(), self.detail.clone()]
    }
}
