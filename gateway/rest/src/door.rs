//! `Door`: what every handler shares.

use std::sync::Arc;

use aquifer_gateway::Gateway;

use crate::ops::Probe;

/// The gateway behind the port, and what the process says of itself.
#[derive(Clone)]
pub struct Door {
    pub gateway: Gateway,
    pub probe: Arc<dyn Probe>,
}
