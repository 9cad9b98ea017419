//! `Refused`: Kafka's code for a refusal, and the sentence that goes with it.

use std::fmt::Display;

use aquifer_quorum::ProposeError;
use aquifer_wire::{ErrorCode, Text};

use crate::refusal::propose_error;

/// Why something was not done, as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: ErrorCode,
    pub(crate) message: Text,
}

impl Refused {
    pub(crate) fn new(code: ErrorCode, message: impl Display) -> Refused {
        Refused { code, message: Text::from(message.to_string()) }
    }

    pub(crate) fn invalid_request(message: impl Display) -> Refused {
        Refused::new(ErrorCode::INVALID_REQUEST, message)
    }
}

/// What an answer says of an outcome: no error and no message, or both.
pub(crate) fn told<T>(outcome: &Result<T, Refused>) -> (ErrorCode, Option<Text>) {
    match outcome {
        Ok(_) => (ErrorCode::NONE, None),
        Err(refused) => (refused.code, Some(refused.message.clone())),
    }
}

/// Refuses the plans that were refused when they were decided. Only plans that still stood were proposed, so that
/// `outcomes` holds theirs, in their order.
pub(crate) fn settle<'a, T: 'a, U, E: Into<Refused>>(
    plans: impl Iterator<Item = &'a mut Result<T, Refused>>,
    outcomes: Result<Vec<Result<U, E>>, ProposeError>,
) {
    let mut outcomes = outcomes.map(Vec::into_iter);
    for plan in plans.filter(|plan| plan.is_ok()) {
        let refused = match &mut outcomes {
            Ok(outcomes) => outcomes.next().and_then(Result::err).map(Into::into),
            Err(error) => Some(Refused::from(&*error)),
        };
        if let Some(refused) = refused {
            *plan = Err(refused);
        }
    }
}

impl From<&ProposeError> for Refused {
    fn from(error: &ProposeError) -> Refused {
        Refused::new(propose_error(error), error)
    }
}
