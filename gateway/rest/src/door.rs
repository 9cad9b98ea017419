//! `Door`: what every handler shares.

use std::sync::Arc;

use aquifer_gateway::Gateway;
use aquifer_runtime::Shutdown;

use crate::ops::Probe;
use tokio::sync::Semaphore;

/// The gateway behind the port.
#[derive(Clone)]
pub struct Door {
    pub(crate) gateway: Gateway,
    /// Large bodies that are unpacked or read at a time: each keeps a thread of the reactor busy.
    pub(crate) unpacking: Arc<Semaphore>,
    /// WebSockets: they leave the server's own count with their first answer.
    pub(crate) sockets: Arc<Semaphore>,
}

const UNPACKING_MAX: usize = 4;
const SOCKETS_MAX: usize = 20_000;
/// Reading as much takes longer than handing a thread's tasks over.
const LARGE_BYTES: usize = 256 * 1024;

impl Door {
    #[must_use]
    pub fn new(gateway: Gateway) -> Door {
        let turns = |count| Arc::new(Semaphore::new(count));
        Door { gateway, unpacking: turns(UNPACKING_MAX), sockets: turns(SOCKETS_MAX) }
    }

    /// The same bounds before the same gateway elsewhere.
    #[must_use]
    pub fn before(&self, gateway: Gateway) -> Door {
        Door { gateway, ..self.clone() }
    }

    /// Reads a body of so many bytes. While it reads a large one, whoever else is served on this thread goes on elsewhere.
    pub(crate) fn read<T>(&self, bytes: usize, read: impl FnOnce() -> T) -> T {
        if bytes < LARGE_BYTES {
            return read();
        }
        self.gateway.runtime().hold_up(&self.unpacking, read)
    }
}

/// What the process says of itself.
#[derive(Clone)]
pub struct Ops {
    pub probe: Arc<dyn Probe>,
    /// Given once the process is about to stop.
    pub draining: Shutdown,
}
