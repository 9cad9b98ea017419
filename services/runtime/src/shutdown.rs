//! `Shutdown`: one signal that everything which runs can wait for.

use tokio::sync::watch;

/// Tells many tasks to stop. Clones share the signal; it is given once and stays given.
#[derive(Clone, Debug)]
pub struct Shutdown {
    given: watch::Sender<bool>,
}

impl Default for Shutdown {
    fn default() -> Shutdown {
        Shutdown { given: watch::channel(false).0 }
    }
}

impl Shutdown {
    /// Gives the signal.
    pub fn give(&self) {
        self.given.send_replace(true);
    }

    #[must_use]
    pub fn is_given(&self) -> bool {
        *self.given.borrow()
    }

    /// Returns once the signal is given.
    pub async fn wait(&self) {
        let mut seen = self.given.subscribe();
        // The sender lives in `self`, so waiting cannot fail before the signal.
        let _ = seen.wait_for(|given| *given).await;
    }
}
