//! Echo: a message there and back at a fixed rate, perhaps with an append and a sync in between.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use aquifer_runtime::Task;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::clock::Pacer;
use crate::floor::worker::Worker;
use crate::harness::Harness;
use crate::measurement::{Latencies, Measurement};
use crate::meter::Meter;
use crate::scenario::Echo;

pub async fn echo(harness: &Harness, work: &Echo) -> Result<Measurement> {
    let directory = harness.fresh_directory("echo")?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let serving =
        Worker::serve(&harness.runtime, "echo floor", serve(listener, work.clone(), directory.join("file")))?;
    let near = TcpStream::connect(address).await?;
    near.set_nodelay(true)?;
    let (meter, watch) = harness.start_measuring(None)?;
    let driving: Task<Result<Latencies>> =
        harness.runtime.spawn("echo client", drive(near, work.clone(), meter));
    let mut measurement = watch.wait().await?;
    measurement.set_latencies("echo", &driving.await.context("the client failed")??);
    let ended = harness.runtime.spawn_blocking("floor end", move || serving.join());
    ended.await.context("the floor failed")??;
    std::fs::remove_dir_all(directory)?;
    Ok(measurement)
}

async fn serve(listener: std::net::TcpListener, work: Echo, path: PathBuf) -> Result<()> {
    listener.set_nonblocking(true)?;
    let (mut socket, _) = TcpListener::from_std(listener)?.accept().await?;
    socket.set_nodelay(true)?;
    let mut file = File::create(path)?;
    let appended = vec![7; work.append_bytes];
    let mut message = vec![0; work.message_bytes.max(1)];
    while socket.read_exact(&mut message).await.is_ok() {
        if !appended.is_empty() {
            // On the reactor, as nothing else runs here: another thread would cost a wake more.
            file.write_all(&appended)?;
            file.sync_data()?;
        }
        socket.write_all(&message).await?;
    }
    Ok(())
}

async fn drive(mut socket: TcpStream, work: Echo, meter: Meter) -> Result<Latencies> {
    let mut message = vec![0; work.message_bytes.max(1)];
    let mut latencies = Latencies::default();
    let mut pacer = Pacer::new(meter.runtime(), meter.now(), work.rate)?;
    while !meter.is_over() {
        let due = pacer.tick().await?;
        socket.write_all(&message).await?;
        socket.read_exact(&mut message).await?;
        let now = meter.now();
        if meter.count(now, message.len() as u64) {
            latencies.record(now.saturating_sub(due));
        }
    }
    Ok(latencies)
}
