//! The keeper: finds leaders, looks up starts, and asks new leaders whether they have what was read.

use std::sync::Arc;
use std::time::Duration;

use super::handle::{Message, Shared};
use super::state::{Trouble, Unknowns};
use crate::backoff::Backoff;
use crate::error::ClientError;

const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_LIMIT: Duration = Duration::from_secs(1);

/// Works until the consumer is gone.
pub(crate) async fn keep(shared: Arc<Shared>) {
    let runtime = shared.client.runtime().clone();
    let mut backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_LIMIT);
    loop {
        if shared.is_closed() {
            return;
        }
        let unknowns = shared.state().unknowns();
        let leaderless = !unknowns.leaders.is_empty();
        if !leaderless && unknowns.starts.is_empty() && unknowns.checks.is_empty() {
            backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_LIMIT);
            Shared::wake_fetchers(&shared);
            shared.keeper.notified().await;
            continue;
        }
        find_leaders(&shared, &unknowns).await;
        look_up(&shared, &unknowns).await;
        check(&shared, &unknowns).await;
        Shared::wake_fetchers(&shared);
        let left = shared.state().unknowns();
        if !left.leaders.is_empty() || !left.starts.is_empty() || !left.checks.is_empty() {
            for name in &left.leaders {
                shared.client.forget(name);
            }
            runtime.sleep(backoff.draw(runtime.random_u64())).await;
        }
    }
}

async fn find_leaders(shared: &Shared, unknowns: &Unknowns) {
    for name in &unknowns.leaders {
        match shared.client.topic_when_known(name).await {
            Ok(known) => shared.state().learn(name, &known),
            Err(error) if lasts(&error) => fail_topic(shared, name, error),
            Err(_) => {}
        }
    }
}

/// Whether asking again leads nowhere. A cluster that is away comes back, however long that takes.
fn lasts(error: &ClientError) -> bool {
    !error.retriable() || error.is_unknown_topic()
}

/// A topic that is not there, or not for us, ends the reading of its partitions.
fn fail_topic(shared: &Shared, name: &str, error: ClientError) {
    let error = Arc::new(error);
    let troubles: Vec<Trouble> = {
        let mut state = shared.state();
        let places: Vec<_> = state.places().filter(|place| place.0 == *name).cloned().collect();
        places.iter().filter_map(|place| state.fail_any(place, Arc::clone(&error))).collect()
    };
    for trouble in troubles {
        shared.send(Message::Trouble(trouble));
    }
}

async fn look_up(shared: &Shared, unknowns: &Unknowns) {
    let asked: Vec<_> = unknowns.starts.iter().filter_map(|it| Some((it, it.2.question()?))).collect();
    let wanted: Vec<_> = asked.iter().map(|(it, at)| (it.0.clone(), *at)).collect();
    let answers = shared.client.list_offsets(&wanted, shared.settings.fetch.read_committed).await;
    for (((place, version, start), _), answer) in asked.into_iter().zip(answers) {
        let failed = match answer {
            Ok(listed) => {
                shared.state().resolve(place, *version, *start, listed.offset);
                None
            }
            Err(error) if lasts(&error) => shared.state().fail(place, *version, Arc::new(error)),
            Err(_) => None,
        };
        if let Some(trouble) = failed {
            shared.send(Message::Trouble(trouble));
        }
    }
}

async fn check(shared: &Shared, unknowns: &Unknowns) {
    let wanted: Vec<_> = unknowns.checks.iter().map(|(place, _, epoch)| (place.clone(), *epoch)).collect();
    let answers = shared.client.epoch_ends(&wanted).await;
    for ((place, version, _), answer) in unknowns.checks.iter().zip(answers) {
        let trouble = match answer {
            Ok(end) => shared.state().check(place, *version, end),
            Err(error) if lasts(&error) => shared.state().fail(place, *version, Arc::new(error)),
            Err(_) => None,
        };
        if let Some(trouble) = trouble {
            shared.send(Message::Trouble(trouble));
        }
    }
}
