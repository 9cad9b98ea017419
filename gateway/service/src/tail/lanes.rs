//! `Tail`: the fetches that wait at the ends of partitions, a few to each broker.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aquifer_client::{Client, ClientError, Connection, FetchSettings, Fetched, Place};
use aquifer_types::{NodeId, Offset};

use super::board::{Arrival, Bed, Board};

/// How long a broker sits on a fetch. Partitions that come later and find every lane taken wait as long at worst.
const SITS: Duration = Duration::from_millis(500);
/// Fetches that wait at one broker.
const LANES_MAX: usize = 8;
const PARTITION_BYTES_MAX: i32 = 1024 * 1024;
const BYTES_MAX: i32 = 16 * 1024 * 1024;
/// After a broker did not answer, before its partitions are asked for again by whoever still wants them.
const REST: Duration = Duration::from_millis(100);

/// Waits for records on behalf of everybody. Clones share the waiting.
#[derive(Clone)]
pub(crate) struct Tail {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    board: Mutex<Board>,
    lanes: Mutex<BTreeMap<NodeId, Lanes>>,
}

/// The connections to one broker that are for waiting.
#[derive(Default)]
struct Lanes {
    busy: usize,
    idle: Vec<Connection>,
}

/// Takes back what was waited for when the waiting ends, however it ends.
struct Places<'a> {
    shared: &'a Shared,
    waits: Vec<(Place, u64)>,
}

impl Drop for Places<'_> {
    fn drop(&mut self) {
        let mut board = self.shared.board();
        for (place, number) in &self.waits {
            board.leave(place, *number);
        }
    }
}

impl Tail {
    pub(crate) fn new(client: Client) -> Tail {
        let shared = Shared { client, board: Mutex::default(), lanes: Mutex::default() };
        Tail { shared: Arc::new(shared) }
    }

    /// How many wait, each as often as it waits on a partition.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.board().waiting()
    }

    /// Returns once one of the partitions may have records from its offset on.
    pub(crate) async fn wait(&self, wanted: &[(Place, Offset)]) -> Result<Arrival, ClientError> {
        let shared = &self.shared;
        let mut leaders = Vec::with_capacity(wanted.len());
        for (place, _) in wanted {
            // In memory of its own, which is free again before this waits.
            let leader = Box::pin(shared.client.leader(&place.0, place.1)).await?.1;
            leaders.push(leader.node);
        }
        let bed = Arc::new(Bed::default());
        let mut places = Places { shared, waits: Vec::with_capacity(wanted.len()) };
        {
            let mut board = shared.board();
            for (index, ((place, offset), node)) in wanted.iter().zip(&leaders).enumerate() {
                let number = board.wait(place, *node, *offset, index, &bed);
                places.waits.push((place.clone(), number));
            }
        }
        leaders.sort_unstable();
        leaders.dedup();
        for node in leaders {
            Shared::start(shared, node);
        }
        let arrival = bed.sleep().await;
        drop(places);
        Ok(arrival)
    }
}

impl Shared {
    /// Gives a broker one more fetch, if something is to be asked and there is a lane for it.
    fn start(shared: &Arc<Shared>, node: NodeId) {
        if !shared.board().has_pending(node) {
            return;
        }
        let idle = {
            let mut lanes = shared.lanes();
            let lanes = lanes.entry(node).or_default();
            if lanes.busy >= LANES_MAX {
                return;
            }
            lanes.busy += 1;
            lanes.idle.pop()
        };
        let lane = Shared::run(Arc::clone(shared), node, idle);
        shared.client.runtime().spawn("tail lane", lane);
    }

    /// Fetches for as long as something is to be asked of this broker.
    async fn run(shared: Arc<Shared>, node: NodeId, mut connection: Option<Connection>) {
        loop {
            let asked = shared.board().take(node);
            if asked.is_empty() {
                let mut lanes = shared.lanes();
                let lanes = lanes.entry(node).or_default();
                // Whoever came since looks for a lane, and would find this one taken.
                if shared.board().has_pending(node) {
                    continue;
                }
                lanes.busy -= 1;
                lanes.idle.extend(connection.filter(Connection::is_usable));
                return;
            }
            match shared.fetch(node, &mut connection, &asked).await {
                Ok(fetched) => shared.take_in(&asked, fetched),
                Err(error) => {
                    tracing::debug!(%error, node = node.0, "waiting for records failed");
                    connection = None;
                    for (place, _) in &asked {
                        shared.client.forget(&place.0);
                    }
                    shared.client.runtime().sleep(REST).await;
                    let mut board = shared.board();
                    asked.iter().for_each(|(place, _)| board.answered(place, None));
                }
            }
        }
    }

    async fn fetch(
        &self,
        node: NodeId,
        connection: &mut Option<Connection>,
        asked: &[(Place, Offset)],
    ) -> Result<Vec<Result<Fetched, ClientError>>, ClientError> {
        let usable = connection.take().filter(Connection::is_usable);
        let opened = match usable {
            Some(usable) => usable,
            None => self.client.dedicated(node).await?,
        };
        let connection = connection.insert(opened);
        let settings = FetchSettings {
            bytes_max: BYTES_MAX,
            partition_bytes_max: PARTITION_BYTES_MAX,
            wait_max: SITS,
            read_committed: true,
            ..FetchSettings::default()
        };
        self.client.fetch_places_on(connection, asked, &settings).await
    }

    fn take_in(&self, asked: &[(Place, Offset)], fetched: Vec<Result<Fetched, ClientError>>) {
        let mut stale = Vec::new();
        {
            let mut board = self.board();
            for ((place, _), outcome) in asked.iter().zip(fetched) {
                if outcome.is_err() {
                    stale.push(&place.0);
                }
                board.answered(place, outcome.ok().map(Arc::new));
            }
        }
        stale.into_iter().for_each(|topic| self.client.forget(topic));
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lanes(&self) -> MutexGuard<'_, BTreeMap<NodeId, Lanes>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
