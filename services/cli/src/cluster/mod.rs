//! `aquifer cluster`: what a cluster says of itself.

mod arguments;
mod view;

pub(crate) use arguments::ClusterCommand;
pub(crate) use view::run;
