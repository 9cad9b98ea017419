//! `aquifer log dump`: batches as they stand in the segments, and their records.

use std::io::{BufWriter, Write};

use anyhow::Result;
use aquifer_hotlog::format::SegmentName;
use aquifer_hotlog::format::Suffix;
use aquifer_hotlog::inspect::BatchPlace;
use aquifer_record::{Record, decode};
use aquifer_types::TopicPartition;
use serde_json::json;

use super::{DumpArguments, Look, Output};

const UNPACKED_BYTES_MAX: usize = 256 << 20;

/// Prints one partition's batches.
struct Printer<'a, W> {
    out: &'a mut W,
    arguments: &'a DumpArguments,
    topic: String,
    id: TopicPartition,
    left: usize,
    scratch: Vec<u8>,
}

pub(super) fn run(look: &Look<'_>, arguments: &DumpArguments) -> Result<bool> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut sound = true;
    for id in &look.partitions {
        let mut printer = Printer {
            out: &mut out,
            arguments,
            topic: look.names.topic(id.topic),
            id: *id,
            left: arguments.count.unwrap_or(usize::MAX),
            scratch: Vec::new(),
        };
        for segment in look.inspection.segments(*id)? {
            let mut failed = None;
            let walk = look.inspection.walk(*id, segment, &mut |batch| {
                if let Err(error) = printer.batch(segment, &batch) {
                    failed = Some(error);
                }
                failed.is_none() && printer.left > 0
            })?;
            match failed {
                // Whoever reads along has seen enough.
                Some(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(true),
                Some(error) => return Err(error.into()),
                None => {}
            }
            if let Some(none) = walk.ended {
                sound = false;
                let name = segment.file_name(Suffix::Log);
                eprintln!(
                    "{}: {name}: no batch at byte {}: {none}",
                    look.names.partition(*id),
                    walk.valid_bytes
                );
            }
            if printer.left == 0 {
                break;
            }
        }
    }
    out.flush()?;
    Ok(sound)
}

impl<W: Write> Printer<'_, W> {
    fn batch(&mut self, segment: SegmentName, batch: &BatchPlace<'_>) -> std::io::Result<()> {
        let header = &batch.header;
        if header.end().0 <= self.arguments.from {
            return Ok(());
        }
        self.left -= 1;
        let codec = header.attributes.compression().map_or("unknown", |codec| codec.name());
        let last = header.base_offset.0 + i64::from(header.last_offset_delta);
        match self.arguments.chosen.output {
            Output::Ndjson => {
                let line = json!({
                    "kind": "batch",
                    "topic": self.topic,
                    "partition": self.id.partition.0,
                    "segment": segment.file_name(Suffix::Log),
                    "position": batch.position,
                    "base_offset": header.base_offset.0,
                    "last_offset": last,
                    "count": header.count,
                    "bytes": header.total_bytes(),
                    "epoch": header.epoch.0,
                    "codec": codec,
                    "base_timestamp": header.base_timestamp.0,
                    "max_timestamp": header.max_timestamp.0,
                    "producer_id": header.producer_id.0,
                    "producer_epoch": header.producer_epoch.0,
                    "base_sequence": header.base_sequence,
                    "control": header.attributes.is_control(),
                    "transactional": header.attributes.is_transactional(),
                    "crc": header.crc,
                });
                writeln!(self.out, "{line}")?;
            }
            Output::Table => {
                writeln!(
                    self.out,
                    "{}-{}  {} @ {}  offsets {} to {last}  {} records  {} bytes  {codec}  epoch {}  \
                     time {} to {}  producer {}/{} from {}  crc {:08x}",
                    self.topic,
                    self.id.partition,
                    segment.file_name(Suffix::Log),
                    batch.position,
                    header.base_offset,
                    header.count,
                    header.total_bytes(),
                    header.epoch,
                    header.base_timestamp,
                    header.max_timestamp,
                    header.producer_id,
                    header.producer_epoch,
                    header.base_sequence,
                    header.crc,
                )?;
            }
        }
        if self.arguments.records { self.records(batch) } else { Ok(()) }
    }

    fn records(&mut self, batch: &BatchPlace<'_>) -> std::io::Result<()> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let outcome = match decode(&batch.header, batch.body, UNPACKED_BYTES_MAX, &mut scratch) {
            Ok(mut records) => records.try_for_each(|record| match record {
                Ok(record) => self.record(&record),
                Err(error) => self.unreadable(&error.to_string()),
            }),
            Err(error) => self.unreadable(&error.to_string()),
        };
        self.scratch = scratch;
        outcome
    }

    fn unreadable(&mut self, error: &str) -> std::io::Result<()> {
        match self.arguments.chosen.output {
            Output::Ndjson => writeln!(self.out, "{}", json!({ "kind": "unreadable", "error": error })),
            Output::Table => writeln!(self.out, "    records cannot be read: {error}"),
        }
    }

    fn record(&mut self, record: &Record<'_>) -> std::io::Result<()> {
        let text = |bytes: Option<&[u8]>| bytes.map(|bytes| bytes.escape_ascii().to_string());
        let headers: Vec<_> = record
            .headers
            .into_iter()
            .map(|header| (header.key.escape_ascii().to_string(), text(header.value)))
            .collect();
        match self.arguments.chosen.output {
            Output::Ndjson => {
                let line = json!({
                    "kind": "record",
                    "offset": record.offset.0,
                    "timestamp": record.timestamp.0,
                    "key": text(record.key),
                    "value": text(record.value),
                    "headers": headers,
                });
                writeln!(self.out, "{line}")
            }
            Output::Table => {
                let shown =
                    |bytes| text(bytes).map_or_else(|| "null".to_owned(), |text| format!("\"{text}\""));
                write!(
                    self.out,
                    "    {}  time {}  key {}  value {}",
                    record.offset,
                    record.timestamp,
                    shown(record.key),
                    shown(record.value)
                )?;
                for (name, value) in headers {
                    write!(self.out, "  {name}={}", value.as_deref().unwrap_or("null"))?;
                }
                writeln!(self.out)
            }
        }
    }
}
