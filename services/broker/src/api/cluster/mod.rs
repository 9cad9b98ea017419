//! What a client learns of the cluster as a whole.

mod api_versions;

pub(crate) use api_versions::{advertised, api_versions};
