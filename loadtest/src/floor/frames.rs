//! The client side of floors that receive frames: length, bytes, and 16 bytes back for each.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use anyhow::{Context as _, Result};
use aquifer_runtime::Runtime;

use crate::floor::worker::Worker;
use crate::harness::Harness;
use crate::measurement::{Latencies, Measurement};
use crate::meter::Meter;
use crate::scenario::Frames;

pub const ACK_BYTES: usize = 16;

/// Runs one client and one server thread per stream; `serve` gets the server's end of each.
pub async fn run(
    harness: &Harness,
    work: &Frames,
    mut serve: impl FnMut(usize, TcpStream) -> Result<Worker<()>>,
) -> Result<Measurement> {
    let reserve = harness.prepare_to_write().await?;
    let (meter, watch) = harness.start_measuring(None)?;
    reserve.release_with(&harness.runtime, &meter);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (mut clients, mut servers) = (Vec::new(), Vec::new());
    for index in 0..work.streams {
        let near = TcpStream::connect(address)?;
        let (far, _) = listener.accept()?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        servers.push(serve(index, far)?);
        let (meter, work, runtime) = (meter.clone(), work.clone(), harness.runtime.clone());
        clients.push(Worker::start(&harness.runtime, "floor client", move || {
            drive(&runtime, near, &work, &meter)
        })?);
    }
    let mut measurement = watch.wait().await?;
    let finished = harness.runtime.spawn_blocking("floor end", move || -> Result<Latencies> {
        let mut latencies = Latencies::default();
        for client in clients {
            latencies.add(&client.join()?);
        }
        for server in servers {
            server.join()?;
        }
        Ok(latencies)
    });
    let latencies = finished.await.context("a floor failed")??;
    measurement.set_latencies("ack", &latencies);
    Ok(measurement)
}

/// Keeps so many frames under way until the window is over.
fn drive(runtime: &Runtime, mut stream: TcpStream, work: &Frames, meter: &Meter) -> Result<Latencies> {
    let mut frame = vec![0; 4 + work.frame_bytes];
    runtime.fill_random(&mut frame);
    frame[..4].copy_from_slice(&u32::try_from(work.frame_bytes)?.to_be_bytes());
    let mut latencies = Latencies::default();
    let mut pending = VecDeque::new();
    let mut ack = [0; ACK_BYTES];
    loop {
        while pending.len() < work.in_flight.max(1) && !meter.is_over() {
            pending.push_back(meter.now());
            stream.write_all(&frame)?;
        }
        let Some(sent) = pending.pop_front() else { break };
        stream.read_exact(&mut ack)?;
        let now = meter.now();
        if meter.count(now, work.frame_bytes as u64) {
            latencies.record(now.saturating_sub(sent));
        }
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    Ok(latencies)
}

/// Reads the next frame into `buffer`; `None` at the end of the stream.
pub fn receive<'a>(stream: &mut TcpStream, buffer: &'a mut Vec<u8>) -> Result<Option<&'a [u8]>> {
    let mut length = [0; 4];
    if stream.peek(&mut length[..1])? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    stream.read_exact(&mut buffer[..length])?;
    Ok(Some(&buffer[..length]))
}
