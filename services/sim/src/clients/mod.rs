//! The node's clients: producers, readers and an administrator, who live on while the node comes and goes.

mod admin;
mod producer;
mod reader;

use std::sync::Arc;
use std::time::Duration;

use aquifer_client::{Address, Client, ClientSettings, ConnectionSettings};
use aquifer_runtime::{Runtime, Shutdown};

pub use admin::{Admin, CONFIG};
pub use producer::Producer;
pub use reader::Reader;

use crate::dice::Dice;
use crate::network::Network;
use crate::oracle::Oracle;
use crate::trace::Trace;

const PATIENCE: Duration = Duration::from_secs(2);

/// What every client works with.
#[derive(Clone)]
pub struct Work {
    pub client: Client,
    pub oracle: Oracle,
    pub trace: Trace,
    pub runtime: Runtime,
    /// Given when clients are to come to an end.
    pub finish: Shutdown,
    pub dice: Dice,
    pub name: String,
}

/// What clients are made from.
#[derive(Clone)]
pub struct Workplace {
    pub network: Network,
    pub oracle: Oracle,
    pub trace: Trace,
    pub runtime: Runtime,
    pub finish: Shutdown,
    pub bootstrap: Address,
    pub seed: u64,
}

impl Workplace {
    /// A client of its own for whoever is called `name`.
    pub fn hire(&self, name: String) -> Work {
        let settings = ClientSettings {
            bootstrap: vec![self.bootstrap.clone()],
            connection: ConnectionSettings {
                request_timeout: PATIENCE,
                connect_timeout: PATIENCE,
                ..ConnectionSettings::default()
            },
            retry_for: PATIENCE,
        };
        Work {
            client: Client::new(self.runtime.clone(), Arc::new(self.network.clone()), settings),
            oracle: self.oracle.clone(),
            trace: self.trace.clone(),
            runtime: self.runtime.clone(),
            finish: self.finish.clone(),
            dice: Dice::of(self.seed, &name),
            name,
        }
    }
}

impl Work {
    /// Whether there is nothing left to do, because it is over or because it went wrong.
    pub fn is_over(&self) -> bool {
        self.finish.is_given() || self.trace.has_failed()
    }

    /// Waits for up to so long. Whoever never waited would keep time itself from going on.
    pub async fn pause(&mut self, millis_max: u64) {
        let pause = self.dice.millis(0..=millis_max);
        if pause.is_zero() && !self.dice.one_in(4) {
            tokio::task::yield_now().await;
        } else {
            self.runtime.sleep(pause.max(Duration::from_millis(1))).await;
        }
    }
}
