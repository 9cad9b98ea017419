//! `Network`: finds the node at an address and joins two ends of a connection.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use aquifer_client::{Address, Connecting, Connector, Stream};
use aquifer_runtime::Runtime;

use crate::dice::Dice;
use crate::stream::{Link, SimStream, Weather};
use crate::trace::Trace;

const REFUSED_AFTER: Duration = Duration::from_millis(1);

/// Takes the node's end of a connection; `false` if it will not.
pub type Accept = Arc<dyn Fn(SimStream, SocketAddr) -> bool + Send + Sync>;

/// A machine that can be reached.
#[derive(Clone)]
pub struct Door {
    pub accept: Accept,
    /// Whether the machine still runs: of one that lost its power nothing is heard.
    pub has_power: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// All connections. Clones are the same network.
#[derive(Clone)]
pub struct Network {
    state: Arc<Mutex<State>>,
    runtime: Runtime,
    trace: Trace,
}

struct State {
    doors: BTreeMap<Address, Door>,
    links: BTreeMap<u64, (Address, Weak<Link>)>,
    next: u64,
    weather: Weather,
    dice: Dice,
}

impl Network {
    pub fn new(runtime: Runtime, trace: Trace, dice: Dice) -> Network {
        let state = State {
            doors: BTreeMap::new(),
            links: BTreeMap::new(),
            next: 0,
            weather: Weather::default(),
            dice,
        };
        Network { state: Arc::new(Mutex::new(state)), runtime, trace }
    }

    /// How bytes travel on connections made from here on.
    pub fn set_weather(&self, weather: Weather) {
        self.state().weather = weather;
    }

    pub fn open(&self, address: Address, door: Door) {
        self.state().doors.insert(address, door);
    }

    pub fn close(&self, address: &Address) {
        self.state().doors.remove(address);
    }

    /// What the machine's peers see when its power is gone: nothing.
    pub fn silence(&self, address: &Address) {
        self.links_of(address).iter().for_each(|link| link.fall_silent());
    }

    /// What the machine's peers see when its process ended, or when it answers again after a power cut.
    pub fn break_off(&self, address: &Address) {
        self.links_of(address).iter().for_each(|link| link.break_off());
        self.state().links.retain(|_, (of, _)| of != address);
    }

    fn links_of(&self, address: &Address) -> Vec<Arc<Link>> {
        let state = self.state();
        state.links.values().filter(|(of, _)| of == address).filter_map(|(_, link)| link.upgrade()).collect()
    }

    fn connect(&self, address: &Address) -> Option<SimStream> {
        let (door, link) = {
            let mut state = self.state();
            let door = state.doors.get(address)?.clone();
            if !(door.has_power)() || (state.weather.resets && state.dice.one_in(20)) {
                return None;
            }
            state.next += 1;
            let (id, weather, dice) = (state.next, state.weather, state.dice.number());
            let link = Link::new(id, weather, Dice::of(dice, "link"));
            state.links.retain(|_, (_, link)| link.strong_count() > 0);
            state.links.insert(id, (address.clone(), Arc::downgrade(&link)));
            (door, link)
        };
        let ends = link.ends(&self.runtime, &self.trace, door.has_power.clone());
        let port = u16::try_from(10_000 + link.id % 50_000).unwrap_or(u16::MAX);
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        (door.accept)(ends.node, peer).then_some(ends.client)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connector for Network {
    fn connect<'a>(&'a self, address: &'a Address) -> Connecting<'a> {
        Box::pin(async move {
            match Network::connect(self, address) {
                Some(stream) => {
                    let (reader, writer) = tokio::io::split(stream);
                    Ok(Stream { reader: Box::new(reader), writer: Box::new(writer) })
                }
                None => {
                    self.runtime.sleep(REFUSED_AFTER).await;
                    Err(io::ErrorKind::ConnectionRefused.into())
                }
            }
        })
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}
