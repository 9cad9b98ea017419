//! What the directory says became of the log, fed to the core.

use aquifer_hotlog::{Notice, Sink};
use aquifer_partition::Input;

use crate::replica::{Outcomes, Replica};

impl Sink for Replica {
    fn notice(&self, notice: Notice) {
        let mut outcomes = Outcomes::default();
        {
            let mut state = self.state();
            match notice {
                Notice::Written { upto } => self.apply(&mut state, Input::Written { upto }, &mut outcomes),
                Notice::Flushed { upto } => {
                    // Told by another thread than `Written`, which it may overtake.
                    self.apply(&mut state, Input::Written { upto }, &mut outcomes);
                    self.apply(&mut state, Input::Flushed { upto }, &mut outcomes);
                }
                Notice::WriteFailed { from, .. } => {
                    state.log.rewind(from);
                    self.apply(&mut state, Input::WriteFailed { from }, &mut outcomes);
                }
                Notice::Started { log_start } => {
                    self.apply(&mut state, Input::MoveLogStart { upto: log_start }, &mut outcomes);
                }
                Notice::Sealed { segment } => state.log.sealed(segment),
                Notice::Offline => self.apply(&mut state, Input::GoOffline, &mut outcomes),
            }
        }
        self.finish(outcomes);
    }
}
