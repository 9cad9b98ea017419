//! `Client`: what the scenarios ask of every Kafka client, and what comes back.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A Kafka client behind the requests that `tests/clients/README.md` lists.
pub(super) trait Client {
    fn ask(&mut self, request: &Value) -> Result<Value, Refusal>;
}

/// Why a request was not fulfilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The client has no such thing.
    Absent(String),
    /// The client reported an error; the code is the broker's, if it was the broker that refused.
    Error { code: Option<i64>, message: String },
    /// The client did not answer; what it complained of instead.
    Silent(String),
}

/// Names and values, in the order they were given.
pub(super) type Headers = Vec<(String, Option<String>)>;

/// A record as clients write and read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(default, skip_serializing)]
    pub(super) offset: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timestamp: Option<i64>,
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) headers: Headers,
}

impl Record {
    pub(super) fn new(key: impl Into<String>, value: impl Into<String>) -> Record {
        Record { key: Some(key.into()), value: Some(value.into()), ..Record::default() }
    }

    /// What its writer decided, without what the broker added.
    pub(super) fn as_written(&self) -> (&Option<String>, &Option<String>, &Headers) {
        (&self.key, &self.value, &self.headers)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Absent(why) => write!(f, "{why}"),
            Refusal::Error { code: Some(code), message } => write!(f, "error {code}: {message}"),
            Refusal::Error { code: None, message } => write!(f, "the client's own error: {message}"),
            Refusal::Silent(said) => write!(f, "no answer: {said}"),
        }
    }
}

impl std::error::Error for Refusal {}
