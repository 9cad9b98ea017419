//! `Reach`: what the cluster is reached through on somebody's behalf.

use std::time::Duration;

use aquifer_client::{Client, Producer, ProducerSettings};
use aquifer_runtime::Runtime;
use aquifer_types::ClusterId;
use tokio::sync::OnceCell;

use crate::chunks::Archive;
use crate::gateway::GatewaySettings;
use crate::tail::Tail;

/// A client and what lives as long as it: nothing of it is shared with whom brokers take for somebody else.
pub(crate) struct Reach {
    pub(crate) client: Client,
    pub(crate) cluster: OnceCell<ClusterId>,
    pub(crate) producer: Producer,
    pub(crate) tail: Tail,
    pub(crate) archive: Archive,
}

impl Reach {
    pub(crate) fn new(client: Client, settings: &GatewaySettings) -> Reach {
        let producing = ProducerSettings {
            // Records that come while requests are under way fill the next batch; waiting for more only delays them.
            linger: Duration::ZERO,
            // The next fills meanwhile: more of them would be smaller, and a batch costs more than its records.
            in_flight_max: 1,
            batch_bytes_max: 1000 * 1024,
            request_bytes_max: 8 * 1024 * 1024,
            buffer_bytes_max: settings.request_bytes_max,
            delivery_timeout: settings.delivery_timeout,
            ..ProducerSettings::default()
        };
        Reach {
            producer: Producer::new(client.clone(), producing),
            tail: Tail::new(client.clone()),
            archive: Archive::new(client.clone(), settings.admission),
            cluster: OnceCell::new(),
            client,
        }
    }

    /// For the same callers elsewhere: all of them fill the same batches, which leave from wherever a broker's first record
    /// came, and what they read comes to where they are.
    pub(crate) fn from(&self, runtime: Runtime) -> Reach {
        let client = self.client.on(runtime);
        Reach {
            producer: self.producer.clone(),
            tail: Tail::new(client.clone()),
            archive: self.archive.over(client.clone()),
            cluster: OnceCell::new(),
            client,
        }
    }
}
