//! What `aquifer produce` takes.

use std::path::PathBuf;
use std::time::Duration;

use aquifer_client::Acks;
use aquifer_record::Compression;
use clap::{Args, ValueEnum};

use crate::config::Assignment;
use crate::reach::Reach;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  echo hello | aquifer produce demo\n  \
                        aquifer produce demo --value hello -k greeting -H lang=en\n  \
                        aquifer produce demo -K : people.txt -z zstd\n  \
                        aquifer consume demo -e -o ndjson | aquifer produce copy --input ndjson")]
pub struct ProduceArguments {
    #[arg(value_name = "TOPIC")]
    pub(super) topic: String,
    /// Read from here, a record a line; from standard input if absent
    #[arg(value_name = "FILE", conflicts_with = "value")]
    pub(super) file: Option<PathBuf>,
    /// Send this one value and read nothing; may be repeated
    #[arg(short, long, value_name = "VALUE", allow_hyphen_values = true)]
    pub(super) value: Vec<String>,
    /// What a line is
    #[arg(long, value_enum, default_value_t = Input::Lines, conflicts_with = "value")]
    pub(super) input: Input,
    /// The key of every record that brings none
    #[arg(short, long, value_name = "KEY")]
    pub(super) key: Option<String>,
    /// What parts key from value in a line; \t stands for a tab
    #[arg(short = 'K', long, value_name = "SEPARATOR")]
    pub(super) key_separator: Option<String>,
    /// A header of every record; may be repeated
    #[arg(short = 'H', long, value_name = "NAME=VALUE")]
    pub(super) header: Vec<Assignment>,
    /// An empty key or value is none at all, which deletes a key of a compacted topic
    #[arg(short = 'Z', long)]
    pub(super) empty_as_null: bool,
    /// The partition of every record that names none; by key if absent
    #[arg(short, long, value_name = "N")]
    pub(super) partition: Option<i32>,
    #[arg(short = 'z', long, value_enum, default_value_t = Codec::None)]
    /// How batches are packed
    pub(super) compression: Codec,
    /// What must have happened to a record before it counts as delivered
    #[arg(long, value_enum, default_value_t = Acknowledgement::All)]
    pub(super) acks: Acknowledgement,
    /// How long batches wait for further records
    #[arg(long, value_name = "DURATION", default_value = "5ms", value_parser = humantime::parse_duration)]
    pub(super) linger: Duration,
    /// Read and check everything, and send nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}

/// What a line of the input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Input {
    /// A value, with its key before a separator if there is one
    Lines,
    /// A JSON object with key, value, headers, partition and timestamp, as `consume -o ndjson` writes it
    Ndjson,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Acknowledgement {
    /// It is as durable as the topic asks for
    All,
    /// The leader has written it
    Leader,
    /// It was sent
    None,
}

impl From<Codec> for Compression {
    fn from(codec: Codec) -> Compression {
        match codec {
            Codec::None => Compression::None,
            Codec::Gzip => Compression::Gzip,
            Codec::Snappy => Compression::Snappy,
            Codec::Lz4 => Compression::Lz4,
            Codec::Zstd => Compression::Zstd,
        }
    }
}

impl From<Acknowledgement> for Acks {
    fn from(acks: Acknowledgement) -> Acks {
        match acks {
            Acknowledgement::All => Acks::All,
            Acknowledgement::Leader => Acks::Leader,
            Acknowledgement::None => Acks::None,
        }
    }
}
