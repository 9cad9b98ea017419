//! What a server's `/metrics` says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use aquifer_runtime::{Runtime, Task};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::server::Server;

const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Looks at a metric again and again, for the highest value it has.
pub struct Highest {
    is_over: Arc<AtomicBool>,
    watching: Task<Result<f64>>,
}

impl Highest {
    pub fn watch(runtime: &Runtime, server: &Server, name: &'static str) -> Result<Highest> {
        let port = port(server)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let (asked, handed) = (is_over.clone(), runtime.clone());
        let watching = runtime.spawn("metrics", async move {
            let mut highest = 0.0;
            while !asked.load(Ordering::Relaxed) {
                highest = ask(port).await?.get(name).copied().unwrap_or(0.0).max(highest);
                handed.sleep(LOOK_INTERVAL).await;
            }
            Ok(highest)
        });
        Ok(Highest { is_over, watching })
    }

    pub async fn stop(self) -> Result<f64> {
        self.is_over.store(true, Ordering::Relaxed);
        self.watching.await.context("metrics cannot be watched")?
    }
}

/// Every metric that has no labels, by name.
pub async fn metrics(server: &Server) -> Result<BTreeMap<String, f64>> {
    ask(port(server)?).await
}

fn port(server: &Server) -> Result<u16> {
    server.http_port.context("the server has no HTTP port that is known here")
}

async fn ask(port: u16) -> Result<BTreeMap<String, f64>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.context("read /metrics")?;
    Ok(parse(&text))
}

fn parse(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter_map(|line| line.rsplit_once(' '));
    lines.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_name() {
        let found = parse("HTTP/1.1 200 OK\r\n\r\n# HELP a_total Help 1.\na_total 7\nb 1.5\n");

        assert_eq!((found.get("a_total"), found.get("b")), (Some(&7.0), Some(&1.5)));
    }
}
