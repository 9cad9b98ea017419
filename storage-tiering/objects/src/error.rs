//! `ObjectError`: what went wrong at the store, by what can be done about it.

use crate::counters::Operation;
use crate::credentials::CredentialsError;

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is no such object.
    Missing,
    /// The name is taken by something else.
    Taken,
    /// The credentials lack a permission, or are none.
    Denied,
    /// The store is away, slow or overloaded; it may answer later.
    Unavailable,
    /// What came is not what was asked for.
    Corrupt,
}

const NO_BUCKET: &str = "there is no such bucket; make it, or correct the URL";

/// An operation at the store did not come about.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation} '{key}': {message}")]
pub struct ObjectError {
    pub operation: Operation,
    pub key: String,
    pub problem: Problem,
    message: String,
}

impl ObjectError {
    /// For what was found wrong with what the store gave.
    #[must_use]
    pub fn new(operation: Operation, key: &str, problem: Problem, message: impl Into<String>) -> ObjectError {
        ObjectError { operation, key: key.to_owned(), problem, message: message.into() }
    }

    pub(crate) fn of(operation: Operation, key: &str, error: &object_store::Error) -> ObjectError {
        use object_store::Error;
        if let Some(error) = CredentialsError::behind(error) {
            let problem = match error {
                CredentialsError::None | CredentialsError::Invalid(_) => Problem::Denied,
                CredentialsError::Away(_) => Problem::Unavailable,
            };
            return ObjectError::new(operation, key, problem, error.to_string());
        }
        let message = error.to_string();
        // Where a request is not about one object, the client tells the store's answer by its words alone.
        let says = |words: &str| message.contains(words);
        let problem = match error {
            _ if says("<Code>NoSuchBucket</Code>") => {
                return ObjectError::new(operation, key, Problem::Missing, NO_BUCKET);
            }
            Error::NotFound { .. } => Problem::Missing,
            Error::AlreadyExists { .. } | Error::Precondition { .. } => Problem::Taken,
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Problem::Denied,
            _ if says("status code: 401") || says("status code: 403") => Problem::Denied,
            _ => Problem::Unavailable,
        };
        let remedy = match problem {
            Problem::Denied => "; check the credentials, and what they may do in the bucket",
            _ => "",
        };
        ObjectError::new(operation, key, problem, message + remedy)
    }

    /// Whether the same may go well later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self.problem, Problem::Unavailable | Problem::Denied)
    }
}
