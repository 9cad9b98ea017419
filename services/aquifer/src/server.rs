//! `aquifer server`: a configured node, from its first line of log to a clean stop.

use std::path::Path;

use anyhow::{Context as _, Result};
use aquifer_runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::command::ServerArguments;
use crate::config::Config;
use crate::logging;
use crate::node::{Node, NodeSettings};

pub(crate) fn run(arguments: &ServerArguments) -> Result<()> {
    let mut flags: Vec<(&str, String)> =
        arguments.set.iter().map(|setting| ("--set", setting.clone())).collect();
    if let Some(data_dir) = &arguments.data_dir {
        flags.push(("--data-dir", format!("data_dir={}", data_dir.display())));
    }
    let config = Config::load(arguments.config.as_deref(), variables(), &flags)?;
    let (format, level) = config.logging();
    logging::start(format, &level);
    let settings = config.node_settings()?;
    run_until_stopped(&Runtime::real(), settings, |node| {
        let listeners: Vec<String> =
            node.listeners().iter().map(|listener| format!("{}={}", listener.name, listener.bind)).collect();
        tracing::info!(cluster = %node.cluster(), kafka = listeners.join(","), http = %node.http, "ready");
    })
}

pub(crate) fn check(file: &Path) -> Result<()> {
    Config::load(Some(file), variables(), &[])?.node_settings()?;
    println!("{} is sound", file.display());
    Ok(())
}

/// The environment, as far as it is text: keys and their values are.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Runs a node until a signal, or until it cannot go on.
pub(crate) fn run_until_stopped(
    runtime: &Runtime,
    settings: NodeSettings,
    started: impl FnOnce(&Node),
) -> Result<()> {
    let reactor = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, usize::from))
        .enable_all()
        .build()
        .context("start the reactor")?;
    reactor.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let node = Node::start(settings, runtime).await?;
        started(&node);
        let failure = tokio::select! {
            biased;
            failure = node.failed() => Some(failure),
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
        };
        if let Some(failure) = failure {
            anyhow::bail!("the metadata quorum cannot go on: {failure}");
        }
        // A second signal ends the wait.
        tokio::select! {
            biased;
            () = node.stop() => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    })
}
