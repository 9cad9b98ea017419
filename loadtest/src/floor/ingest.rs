//! Ingest: receive a frame, checksum it, append it to a file, perhaps sync, acknowledge.

use std::fs::File;
use std::io::Write;
use std::net::TcpStream;

use anyhow::Result;

use crate::floor::frames::{ACK_BYTES, receive, run};
use crate::floor::worker::Worker;
use crate::harness::Harness;
use crate::measurement::Measurement;
use crate::scenario::Frames;

pub async fn ingest(harness: &Harness, work: &Frames) -> Result<Measurement> {
    let directory = harness.fresh_directory("ingest")?;
    let measurement = run(harness, work, |index, stream| {
        let file = File::create(directory.join(index.to_string()))?;
        let sync = work.sync;
        Worker::start(&harness.runtime, "ingest floor", move || serve(stream, file, sync))
    });
    let measurement = measurement.await?;
    std::fs::remove_dir_all(directory)?;
    Ok(measurement)
}

fn serve(mut stream: TcpStream, mut file: File, sync: bool) -> Result<()> {
    let mut buffer = Vec::new();
    let mut ack = [0; ACK_BYTES];
    while let Some(frame) = receive(&mut stream, &mut buffer)? {
        ack[..4].copy_from_slice(&crc32c::crc32c(frame).to_be_bytes());
        file.write_all(frame)?;
        if sync {
            file.sync_data()?;
        }
        stream.write_all(&ack)?;
    }
    Ok(())
}
