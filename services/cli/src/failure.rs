//! `Failure`: what went wrong, as a person reads it and a script handles it.

use std::io::Write as _;
use std::process::ExitCode;

use aquifer_client::{ClientError, ConnectError};
use aquifer_wire::ErrorCode;
use serde::Serialize;

use crate::output::Format;

/// What a script may rely on. The numbers stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Anything without a number of its own.
    Failed = 1,
    /// The command line, or what was to be read, is wrong.
    Usage = 2,
    NotFound = 3,
    /// The cluster understood and does not do it: it exists already, is in use, is not allowed, is not valid.
    Refused = 4,
    /// No broker answered, or not in time. Trying again may help.
    Unreachable = 5,
    /// Ended by the user.
    Interrupted = 130,
}

/// A command did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    pub retryable: bool,
    /// Kafka's name of the error, where a broker named one.
    pub kafka_error: Option<String>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    kafka_error: Option<&'a str>,
}

impl Exit {
    /// The word that stands for it in error objects.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Exit::Failed => "failed",
            Exit::Usage => "usage",
            Exit::NotFound => "not_found",
            Exit::Refused => "refused",
            Exit::Unreachable => "unreachable",
            Exit::Interrupted => "interrupted",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl Failure {
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into(), hint: None, retryable: false, kafka_error: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    pub(crate) fn interrupted() -> Failure {
        Failure::new(Exit::Interrupted, "interrupted")
    }

    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Failure {
        Failure { hint: Some(hint.into()), ..self }
    }

    /// What failed while `doing` something with a cluster.
    pub(crate) fn of_client(doing: &str, error: &ClientError) -> Failure {
        let code = error.code();
        let exit = code.map_or_else(|| of_transport(error), of_code);
        let hint = code.and_then(hint_for).or_else(|| match exit {
            Exit::Refused if code.is_none() => {
                Some("check mechanism, user and password; `aquifer context set` keeps them")
            }
            Exit::Unreachable => {
                Some("is it running there? see --brokers, --context and `aquifer context show`")
            }
            _ => None,
        });
        Failure {
            exit,
            message: format!("{doing}: {}", with_sources(error)),
            hint: hint.map(str::to_owned),
            // Kafka would look again for what is not there; whoever gave the name should look at it.
            retryable: error.retriable() && exit != Exit::NotFound,
            kafka_error: code.and_then(ErrorCode::name).map(str::to_owned),
        }
    }

    /// Writes it to standard error in the way that was asked for.
    pub fn print(&self, format: Format) {
        let body = Body {
            code: self.exit.code(),
            message: &self.message,
            hint: self.hint.as_deref(),
            retryable: self.retryable,
            kafka_error: self.kafka_error.as_deref(),
        };
        let text = match format {
            Format::Table => match &self.hint {
                Some(hint) => format!("aquifer: {}\n  hint: {hint}", self.message),
                None => format!("aquifer: {}", self.message),
            },
            Format::Json | Format::Ndjson => {
                serde_json::to_string(&Envelope { error: body }).unwrap_or_else(|_never| self.message.clone())
            }
        };
        // Where standard error is gone there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

/// An error with everything it names as its cause.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn of_transport(error: &ClientError) -> Exit {
    match error {
        ClientError::Connect(ConnectError::Login { .. }) => Exit::Refused,
        ClientError::Shared(error) => of_transport(error),
        error if error.retriable() => Exit::Unreachable,
        _ => Exit::Failed,
    }
}

fn of_code(code: ErrorCode) -> Exit {
    match code {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::UNKNOWN_TOPIC_ID
        | ErrorCode::GROUP_ID_NOT_FOUND
        | ErrorCode::RESOURCE_NOT_FOUND => Exit::NotFound,
        ErrorCode::UNKNOWN_SERVER_ERROR => Exit::Failed,
        code if code.retriable() => Exit::Unreachable,
        _ => Exit::Refused,
    }
}

fn hint_for(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
            "`aquifer topic list` shows what there is, `aquifer topic create` makes one"
        }
        ErrorCode::TOPIC_ALREADY_EXISTS => "`aquifer topic describe` shows the one that exists",
        ErrorCode::GROUP_ID_NOT_FOUND => "`aquifer group list` shows what there is",
        ErrorCode::NON_EMPTY_GROUP
        | ErrorCode::UNKNOWN_MEMBER_ID
        | ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC
        | ErrorCode::STALE_MEMBER_EPOCH => {
            "stop the group's members first; `aquifer group describe` names them"
        }
        ErrorCode::INVALID_CONFIG => "`aquifer topic config get TOPIC` lists the names with what they mean",
        ErrorCode::INVALID_REPLICATION_FACTOR => "`aquifer cluster describe` says how many brokers there are",
        ErrorCode::OFFSET_OUT_OF_RANGE => "`aquifer topic offsets TOPIC` says where partitions start and end",
        ErrorCode::SASL_AUTHENTICATION_FAILED => "check user and password of the context",
        ErrorCode::TOPIC_AUTHORIZATION_FAILED
        | ErrorCode::GROUP_AUTHORIZATION_FAILED
        | ErrorCode::CLUSTER_AUTHORIZATION_FAILED => "ask whoever runs the cluster for the permission",
        ErrorCode::MESSAGE_TOO_LARGE => "raise max.message.bytes of the topic, or send smaller records",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_and_codes_are_what_scripts_rely_on() {
        let exits = [
            (Exit::Failed, 1, "failed"),
            (Exit::Usage, 2, "usage"),
            (Exit::NotFound, 3, "not_found"),
            (Exit::Refused, 4, "refused"),
            (Exit::Unreachable, 5, "unreachable"),
            (Exit::Interrupted, 130, "interrupted"),
        ];
        for (exit, number, code) in exits {
            assert_eq!((exit as u8, exit.code()), (number, code));
        }
    }

    #[test]
    fn errors_of_brokers_become_exits() {
        let refused = |code| ClientError::Refused { code, message: None };
        for (code, exit) in [
            (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, Exit::NotFound),
            (ErrorCode::GROUP_ID_NOT_FOUND, Exit::NotFound),
            (ErrorCode::TOPIC_ALREADY_EXISTS, Exit::Refused),
            (ErrorCode::NON_EMPTY_GROUP, Exit::Refused),
            (ErrorCode::NOT_ENOUGH_REPLICAS, Exit::Unreachable),
        ] {
            assert_eq!(Failure::of_client("try", &refused(code)).exit, exit, "{code}");
        }
        assert_eq!(Failure::of_client("try", &ClientError::NoBroker).exit, Exit::Unreachable);
    }
}
