//! `aquifer tier`: what is on local disk, what in object storage, and what in both.

mod arguments;
mod estimate;
mod view;

pub use arguments::TierCommand;
pub(crate) use view::run;
