//! `Door`: what every handler shares.

use std::sync::Arc;

use aquifer_gateway::Gateway;
use aquifer_runtime::Shutdown;

use crate::ops::Probe;

/// The gateway behind the port.
#[derive(Clone)]
pub struct Door {
    pub gateway: Gateway,
}

/// What the process says of itself.
#[derive(Clone)]
pub struct Ops {
    pub probe: Arc<dyn Probe>,
    /// Given once the process is about to stop.
    pub draining: Shutdown,
}
