//! Works on the gateway, over HTTP and gRPC.

use serde::Deserialize;

use super::work::Durability;

/// Records posted over connections that send their next request when the last is answered.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewayProduce {
    pub body: Body,
    pub connections: usize,
    pub partitions: i32,
    /// In each request.
    pub records: usize,
    pub record_bytes: usize,
    pub durability: Durability,
    /// Requests per second of all connections; as many as are answered if absent.
    pub rate: Option<f64>,
    /// A gateway in a process of its own, in place of the one in the server.
    pub alone: bool,
}

/// How a request's records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    RecordBatch,
    Protobuf,
    Ndjson,
    Json,
}

/// Records sent over streams of gRPC, one a message.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GrpcProduce {
    /// Each on a connection of its own.
    pub streams: usize,
    pub record_bytes: usize,
    /// Messages of a stream without an answer; the server's credit if that is less.
    pub in_flight: usize,
    pub durability: Durability,
    pub alone: bool,
}

/// What was laid down before, read round and round.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewayRead {
    pub form: Form,
    /// Each with one request under way.
    pub connections: usize,
    pub bytes: usize,
    pub batch_bytes: usize,
    pub record_bytes: usize,
    /// Of keys, values and headers, at a time.
    pub answer_bytes: usize,
    pub alone: bool,
}

/// How records come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    Json,
    /// Kafka's batches, in the gateway's chunks of so many offsets.
    Chunks,
    /// Kafka's batches, through an HTTP server that hands on what it fetches and does nothing else.
    Relay,
}

/// Latency over HTTP and without, at a share of what the gateway takes at most.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AddedLatency {
    pub produce: GatewayProduce,
    pub share: f64,
}

/// Clients that wait for records, each on a connection of its own; then records come to some of them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parked {
    pub way: Way,
    pub clients: usize,
    /// On each partition.
    pub clients_per_partition: usize,
    /// To how many partitions a record comes, one after another, behind one that is not counted.
    pub wakes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    LongPoll,
    Sse,
}

/// Requests of one record to a server that parses them and does nothing else.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpParse {
    pub connections: usize,
    pub records: usize,
    pub record_bytes: usize,
}

/// Messages of one record on streams of gRPC to a server that acknowledges them and does nothing else.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GrpcAck {
    pub streams: usize,
    pub record_bytes: usize,
    pub in_flight: usize,
}

impl Default for GatewayProduce {
    fn default() -> GatewayProduce {
        GatewayProduce {
            body: Body::Json,
            connections: 8,
            partitions: 4,
            records: 100,
            record_bytes: 1024,
            durability: Durability::Flushed,
            rate: None,
            alone: false,
        }
    }
}

impl Default for GrpcProduce {
    fn default() -> GrpcProduce {
        GrpcProduce {
            streams: 4,
            record_bytes: 1024,
            in_flight: 512,
            durability: Durability::PageCache,
            alone: false,
        }
    }
}

impl Default for GatewayRead {
    fn default() -> GatewayRead {
        GatewayRead {
            form: Form::Json,
            connections: 2,
            bytes: 256 << 20,
            batch_bytes: 1 << 20,
            record_bytes: 1024,
            answer_bytes: 4 << 20,
            alone: false,
        }
    }
}

impl Default for AddedLatency {
    fn default() -> AddedLatency {
        AddedLatency { produce: GatewayProduce::default(), share: 0.5 }
    }
}

impl Default for Parked {
    fn default() -> Parked {
        Parked { way: Way::LongPoll, clients: 10_000, clients_per_partition: 100, wakes: 20 }
    }
}

impl Default for HttpParse {
    fn default() -> HttpParse {
        HttpParse { connections: 64, records: 1, record_bytes: 1024 }
    }
}

impl Default for GrpcAck {
    fn default() -> GrpcAck {
        GrpcAck { streams: 4, record_bytes: 1024, in_flight: 512 }
    }
}
