//! Sendfile: cached files out to readers that drop what they get, by tokio tasks.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use aquifer_runtime::{Runtime, Task};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpStream};

use crate::floor::worker::Worker;
use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::meter::Meter;
use crate::scenario::Streams;
use crate::system::send_file;

/// Larger calls are slower over loopback, where the reader then finds nothing of it in its cache.
const CHUNK_BYTES: usize = 128 << 10;

/// As much as our own client reads at a time.
const READ_BYTES: usize = 64 << 10;

pub async fn sendfile(harness: &Harness, work: &Streams) -> Result<Measurement> {
    let directory = harness.fresh_directory("sendfile")?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let mut files = Vec::new();
    for index in 0..work.streams {
        let path = directory.join(index.to_string());
        write_file(&path, work.bytes)?;
        files.push(Arc::new(File::open(path)?));
    }
    let (meter, watch) = harness.start_measuring(None)?;
    let server = serve(listener, files, work.clone());
    let serving = Worker::serve(&harness.runtime, "sendfile floor", server)?;
    let mut readers: Vec<Task<Result<()>>> = Vec::new();
    for _ in 0..work.streams {
        let near = TcpStream::connect(address).await?;
        near.set_nodelay(true)?;
        readers.push(harness.runtime.spawn("sendfile reader", discard(near, meter.clone(), work.clone())));
    }
    let measurement = watch.wait().await?;
    for reader in readers {
        reader.await.context("a floor failed")??;
    }
    let ended = harness.runtime.spawn_blocking("floor end", move || serving.join());
    ended.await.context("the floor failed")??;
    std::fs::remove_dir_all(directory)?;
    Ok(measurement)
}

async fn serve(listener: std::net::TcpListener, files: Vec<Arc<File>>, work: Streams) -> Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let mut tasks: Vec<Task<Result<()>>> = Vec::new();
    for file in files {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let sending = send(socket, file, work.bytes, work.answer_bytes);
        tasks.push(Runtime::real().spawn("sendfile floor", sending));
    }
    for task in tasks {
        task.await.context("a floor failed")??;
    }
    Ok(())
}

/// Written, and so cached.
pub fn write_file(path: &std::path::Path, bytes: usize) -> Result<()> {
    let mut file = File::create(path)?;
    let chunk = vec![7; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        let length = left.min(chunk.len());
        file.write_all(&chunk[..length])?;
        left -= length;
    }
    Ok(())
}

/// Answers each byte that comes with the next stretch of the file, round and round.
async fn send(mut socket: TcpStream, file: Arc<File>, bytes: usize, answer_bytes: usize) -> Result<()> {
    let mut offset = 0;
    let mut asked = [0];
    // The reader leaves when the window is over.
    while socket.read(&mut asked).await? > 0 {
        let mut left = answer_bytes;
        while left > 0 {
            socket.writable().await?;
            let count = CHUNK_BYTES.min(bytes - offset).min(left);
            match socket.try_io(Interest::WRITABLE, || send_file(socket.as_fd(), &file, offset as u64, count))
            {
                Ok(sent) => {
                    offset = (offset + sent) % bytes;
                    left -= sent;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error).context("sendfile"),
            }
        }
    }
    Ok(())
}

/// Asks for so many answers at once, and for another whenever one is there.
async fn discard(mut socket: TcpStream, meter: Meter, work: Streams) -> Result<()> {
    let mut buffer = vec![0; READ_BYTES];
    socket.write_all(&vec![0; work.in_flight]).await?;
    let mut pending = work.in_flight;
    while pending > 0 {
        let mut left = work.answer_bytes;
        while left > 0 {
            let length = buffer.len().min(left);
            let read = socket.read(&mut buffer[..length]).await?;
            anyhow::ensure!(read > 0, "the sender left");
            left -= read;
        }
        meter.count(meter.now(), work.answer_bytes as u64);
        if meter.is_over() {
            pending -= 1;
        } else {
            socket.write_all(&[0]).await?;
        }
    }
    Ok(())
}
