//! The router: finds leaders for partitions whose records wait for one, and another identity when the last is used up.

use std::sync::Arc;
use std::time::Duration;

use super::handle::Shared;
use crate::backoff::Backoff;

const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_LIMIT: Duration = Duration::from_secs(1);

/// Asks again for all topics, which may have been given partitions.
async fn refresh(shared: &Arc<Shared>) {
    let names = shared.core().names();
    for name in names {
        shared.client.forget(&name);
        // What is known stays good until brokers say otherwise.
        if let Ok(known) = shared.client.topic(&name).await {
            let nodes = shared.core().learn(&name, &known);
            nodes.into_iter().for_each(|node| Shared::wake(shared, node));
        }
    }
}

/// Works until the producer is closed.
pub(crate) async fn route(shared: Arc<Shared>) {
    let runtime = shared.client.runtime().clone();
    let mut backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_LIMIT);
    loop {
        let (leaderless, needs_identity) = {
            let mut core = shared.core();
            if core.is_closed() {
                return;
            }
            (core.leaderless(runtime.now()), core.needs_identity())
        };
        if leaderless.is_empty() && !needs_identity {
            backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_LIMIT);
            tokio::select! {
                biased;
                () = shared.router.notified() => {}
                () = runtime.sleep(shared.settings.metadata_age_max) => refresh(&shared).await,
            }
            continue;
        }
        if needs_identity && let Ok(identity) = shared.client.producer_identity().await {
            shared.core().identify(identity);
            shared.wake_all();
        }
        for name in &leaderless {
            // What fails is asked again as long as records wait; they end with their own deadline.
            if let Ok(known) = shared.client.topic(name).await {
                let nodes = shared.core().learn(name, &known);
                nodes.into_iter().for_each(|node| Shared::wake(&shared, node));
            }
        }
        let freed = {
            let mut core = shared.core();
            for name in core.leaderless(runtime.now()) {
                shared.client.forget(&name);
            }
            core.freed()
        };
        shared.give_back(freed);
        runtime.sleep(backoff.draw(runtime.random_u64())).await;
    }
}
