//! `aquifer consume`: records to standard output, as they come or up to the end.

mod arguments;
mod curl;
mod reader;
mod sink;
mod style;
mod template;
mod writer;

pub(crate) use arguments::ConsumeArguments;
pub(crate) use reader::run;
