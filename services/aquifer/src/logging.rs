//! Logs: text on a terminal, JSON on request, to standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

/// Starts logging; `AQUIFER_LOG` chooses what is logged.
pub(crate) fn start(format: Format, default_level: &str) {
    let filter = EnvFilter::try_from_env("AQUIFER_LOG")
        .unwrap_or_else(|_unset| EnvFilter::new(format!("{default_level},openraft=warn")));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let lines = lines.with_ansi(std::io::stderr().is_terminal());
    // A second start in one process keeps the first.
    let _started = match format {
        Format::Text => lines.try_init(),
        Format::Json => lines.json().try_init(),
    };
}
