//! `aquifer tier`: what is on local disk, what in object storage, and what in both.

mod arguments;
mod view;

pub(crate) use arguments::TierCommand;
pub(crate) use view::run;
