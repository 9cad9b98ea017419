//! `aquifer produce`: records from arguments, lines or NDJSON.

mod arguments;
mod curl;
mod input;
mod line;
mod ndjson;
mod sender;

pub(crate) use arguments::ProduceArguments;
pub(crate) use sender::run;
