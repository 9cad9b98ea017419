//! `Progress`: how far a long measurement is, on standard error.

use std::io::{IsTerminal as _, Write as _};

const BAR_WIDTH: usize = 30;

/// A bar on a terminal, a line per step elsewhere.
pub struct Progress {
    steps: usize,
    done: usize,
    terminal: bool,
}

impl Progress {
    pub fn new(steps: usize) -> Progress {
        Progress { steps: steps.max(1), done: 0, terminal: std::io::stderr().is_terminal() }
    }

    /// Says what comes next.
    pub fn begin(&self, what: &str) {
        if self.terminal {
            // Nothing is lost if the terminal has gone.
            let _ = write!(std::io::stderr(), "\r\x1b[2K{} {what}", self.bar());
            let _ = std::io::stderr().flush();
        }
    }

    /// Says how it went.
    pub fn end(&mut self, what: &str) {
        self.done = (self.done + 1).min(self.steps);
        let clear = if self.terminal { "\r\x1b[2K" } else { "" };
        let _ = writeln!(std::io::stderr(), "{clear}[{}/{}] {what}", self.done, self.steps);
    }

    fn bar(&self) -> String {
        let filled = self.done * BAR_WIDTH / self.steps;
        format!(
            "[{}{}] {:>3}%",
            "#".repeat(filled),
            ".".repeat(BAR_WIDTH - filled),
            self.done * 100 / self.steps
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_up() {
        let at = |done| Progress { steps: 4, done, terminal: false }.bar();

        assert!(at(0).ends_with("   0%") && !at(0).contains('#'));
        assert!(at(4).ends_with(" 100%") && !at(4).contains('.'));
    }
}
