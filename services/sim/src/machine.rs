//! `Machine`: one simulated machine: its disk outlives the node that runs on it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aquifer_client::Address;
use aquifer_disk::{CrashChoice, Disk, SimDisk};
use aquifer_net::{Advertised, Bound, Limits, Listener};
use aquifer_node::{Node, Settings, StartError};
use aquifer_runtime::{Runtime, Task};
use aquifer_types::{NodeId, TimestampMs};

use crate::dice::Dice;
use crate::disk_faults;
use crate::network::{Door, Network};
use crate::plan::{DeviceError, Plan};
use crate::stream::Weather;
use crate::trace::Trace;

const PORT: u16 = 9092;
const DATA_DIR: &str = "/data";
/// How often retention is looked at, in a life that lasts less than a second.
const RETENTION_INTERVAL: Duration = Duration::from_millis(100);

/// A machine with a disk and, while it runs, a node.
pub struct Machine {
    number: i32,
    disk: SimDisk,
    wall: TimestampMs,
    dice: Dice,
    network: Network,
    trace: Trace,
    settings: Settings,
    runtime: Runtime,
}

/// A node's process.
pub struct Process {
    pub runtime: Runtime,
    starting: Option<Task<Result<Node, StartError>>>,
    node: Option<Arc<Node>>,
}

impl Machine {
    pub fn new(number: i32, plan: &Plan, network: &Network, trace: &Trace, runtime: &Runtime) -> Machine {
        let settings = Settings {
            data_dir: DATA_DIR.into(),
            node: NodeId(number),
            bootstrap: true,
            broker: aquifer_broker::Settings {
                retention_interval: RETENTION_INTERVAL,
                ..aquifer_broker::Settings::default()
            },
            log: aquifer_hotlog::Settings { wal_bytes: Some(plan.wal_bytes), open_files_max: 4 },
            limits: Limits { pooled_bytes_max: 1 << 20, ..Limits::default() },
            snapshot_entries: Some(plan.snapshot_entries),
        };
        Machine {
            number,
            disk: SimDisk::default(),
            wall: TimestampMs(1_700_000_000_000),
            dice: Dice::of(plan.seed, &format!("machine {number}")),
            network: network.clone(),
            trace: trace.clone(),
            settings,
            runtime: runtime.clone(),
        }
    }

    pub fn address(&self) -> Address {
        Address { host: format!("node{}", self.number), port: PORT }
    }

    pub fn disk(&self) -> &SimDisk {
        &self.disk
    }

    pub fn name(&self) -> String {
        format!("node{}", self.number)
    }

    /// Starts a node over whatever the disk holds.
    pub fn start(&mut self, error: Option<DeviceError>, weather: Weather) -> Process {
        disk_faults::watch(&self.disk, error, &self.trace);
        self.network.set_weather(weather);
        let runtime = Runtime::simulated(self.dice.number(), self.wall);
        let listener = Listener {
            name: "PLAINTEXT".to_owned(),
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            advertised: Advertised { host: self.address().host, port: PORT },
            tls: None,
        };
        let bound = Bound::without_sockets(vec![listener]);
        let (disk, settings, surroundings) = (self.disk.clone(), self.settings.clone(), runtime.clone());
        let starting = runtime
            .spawn("node", async move { Node::start(bound, Arc::new(disk), settings, &surroundings).await });
        Process { runtime, starting: Some(starting), node: None }
    }

    /// Lets clients in.
    pub fn open_door(&self, process: &Process) {
        let Some(node) = process.node.as_ref().map(Arc::downgrade) else { return };
        let disk = self.disk.clone();
        let accept = Arc::new(move |stream, peer| {
            node.upgrade().is_some_and(|node: Arc<Node>| node.take(stream, peer))
        });
        let has_power = Arc::new(move || !disk.has_lost_power());
        self.network.open(self.address(), Door { accept, has_power });
    }

    /// The process ends at once, as by `kill -9`; the page cache stays.
    pub async fn kill(&mut self, process: Process) {
        self.end(process).await;
        self.disk.keep_power();
        self.network.break_off(&self.address());
    }

    /// Power is lost, and comes back after a while: what the disk did not have is gone in any part.
    pub async fn lose_power(&mut self, process: Process) {
        self.network.silence(&self.address());
        self.end(process).await;
        let down = self.dice.millis(1..=300);
        self.runtime.sleep(down).await;
        let unsynced = self.disk.unsynced_changes();
        let choice = self.dice.number();
        self.trace.note(&self.name(), format_args!("power is back; {unsynced} changes were not synced"));
        self.disk = self.disk.crash(&mut CrashChoice::seeded(choice));
        self.network.break_off(&self.address());
    }

    /// The node stops by itself; `false` if it does not within the time allowed.
    pub async fn stop(&mut self, mut process: Process, limit: Duration) -> bool {
        self.network.close(&self.address());
        let mut stopped = true;
        if let Some(node) = process.node.take() {
            let node = Arc::into_inner(node).expect("nobody else holds a node for long");
            let stopping = process.runtime.spawn("stop", node.stop());
            stopped = matches!(self.runtime.timeout(limit, stopping).await, Some(Some(())));
        }
        self.kill(process).await;
        stopped
    }

    async fn end(&mut self, process: Process) {
        self.network.close(&self.address());
        self.wall = process.runtime.now().wall;
        process.runtime.kill();
        drop(process);
        // Tasks that were killed are dropped when it is their turn.
        self.runtime.sleep(Duration::from_millis(1)).await;
        self.disk.set_faults(None);
        self.disk.set_capacity(None);
    }

    /// Leaves so much room on the disk; `None` makes it large again.
    pub fn set_room(&self, room_bytes: Option<u64>) {
        let used = self.disk.space(DATA_DIR.as_ref()).map_or(0, |space| space.total_bytes - space.free_bytes);
        self.disk.set_capacity(room_bytes.map(|room| used + room));
    }
}

impl Process {
    /// Whether the node has started, once that is known. May be called again and again.
    pub async fn started(&mut self) -> Result<(), String> {
        let Some(starting) = &mut self.starting else { return Ok(()) };
        let started = starting.await;
        self.starting = None;
        match started {
            Some(Ok(node)) => {
                self.node = Some(Arc::new(node));
                Ok(())
            }
            Some(Err(error)) => Err(error.to_string()),
            None => Err("starting panicked".to_owned()),
        }
    }

    pub fn node(&self) -> Option<&Arc<Node>> {
        self.node.as_ref()
    }
}
