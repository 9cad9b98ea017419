//! A broker in this process, and a client that speaks the protocol to it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use aquifer_broker::{Broker, Port, Settings};
use aquifer_disk::{Disk, RealDisk};
use aquifer_hotlog::format::{Layout, Meta};
use aquifer_metadata::{Answer, BrokerRun, Change, Endpoint, RegisterBroker, SecurityProtocol};
use aquifer_net::{Advertised, Bound, Limits, Listener, NetMetrics, Server};
use aquifer_quorum::{Beginning, Quorum};
use aquifer_runtime::Runtime;
use aquifer_types::{ClusterId, DirectoryId, Incarnation, NodeId, Uuid};
use aquifer_wire::messages::create_topics_request::CreatableTopic;
use aquifer_wire::messages::{CreateTopicsRequest, CreateTopicsResponse};
use aquifer_wire::{ErrorCode, Piece, Request, Text, decode_response, encode_request};
use bytes::Bytes;

/// The second listener's name for clients, as no socket of this machine has it.
pub(crate) const OUTSIDE: (&str, u16) = ("outside.example", 4711);
pub(crate) const CLUSTER: ClusterId = ClusterId(Uuid::from_bytes([1; 16]));
pub(crate) const DIRECTORY: DirectoryId = DirectoryId(Uuid::from_bytes([2; 16]));

/// A broker with two listeners, and everything it stands on.
pub(crate) struct Node {
    pub(crate) quorum: Arc<Quorum>,
    pub(crate) folder: tempfile::TempDir,
    listeners: Vec<Arc<Listener>>,
    reactor: tokio::runtime::Runtime,
    broker: Option<Arc<Broker>>,
    server: Option<Server>,
    settings: Settings,
}

impl Node {
    pub(crate) fn start() -> Node {
        Node::start_with(Settings { auto_create_topics: true, ..Settings::default() })
    }

    pub(crate) fn start_with(settings: Settings) -> Node {
        let reactor = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a reactor");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let beginning = Beginning::New { cluster: CLUSTER };
        let started = reactor.block_on(start(folder.path().to_owned(), settings.clone(), beginning));
        let (quorum, broker, server, listeners) = started;
        Node { quorum, folder, listeners, reactor, broker: Some(broker), server: Some(server), settings }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listeners[0].bind
    }

    /// A client of the listener that is advertised as it is bound.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.listeners[0].bind)
    }

    /// A client of the listener that is advertised as `OUTSIDE`.
    pub(crate) fn outside_client(&self) -> Client {
        Client::connect(self.listeners[1].bind)
    }

    /// Registers a second broker that nobody runs, fenced as it is.
    pub(crate) fn register_fenced(&self, node: i32) -> BrokerRun {
        let register = RegisterBroker {
            node: NodeId(node),
            incarnation: Incarnation(Uuid::from_bytes([3; 16])),
            endpoints: vec![Endpoint {
                listener: "PLAINTEXT".to_owned(),
                host: "other.example".to_owned(),
                port: 1,
                protocol: SecurityProtocol::Plaintext,
            }],
            rack: Some("r".to_owned()),
            directories: vec![DirectoryId(Uuid::from_bytes([4; 16]))],
            clean_epoch: None,
            verdicts: Vec::new(),
        };
        match self.propose(Change::RegisterBroker(register)) {
            Answer::BrokerRegistered(Ok(epoch)) => BrokerRun { node: NodeId(node), epoch },
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn propose(&self, change: Change) -> Answer {
        self.reactor.block_on(self.quorum.propose(change)).expect("decided").1
    }
}

impl Node {
    /// The same directory, served by a new run of the broker.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.reactor.block_on(self.quorum.shutdown()).expect("the quorum stops");
        let folder = self.folder.path().to_owned();
        let settings = self.settings.clone();
        let again = self.reactor.block_on(start(folder, settings, Beginning::Existing));
        let (quorum, broker, server, listeners) = again;
        (self.quorum, self.broker, self.server, self.listeners) =
            (quorum, Some(broker), Some(server), listeners);
    }

    fn stop(&mut self) {
        let (Some(server), Some(broker)) = (self.server.take(), self.broker.take()) else { return };
        self.reactor.block_on(async {
            server.shutdown(Duration::ZERO).await;
            broker.close().await;
        });
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn start(
    folder: std::path::PathBuf,
    settings: Settings,
    beginning: Beginning,
) -> (Arc<Quorum>, Arc<Broker>, Server, Vec<Arc<Listener>>) {
    let runtime = Runtime::real();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let listener = |name: &str, advertised| Listener {
        name: name.to_owned(),
        bind: SocketAddr::from(([127, 0, 0, 1], 0)),
        advertised,
        tls: None,
    };
    let inside = Advertised { host: "127.0.0.1".to_owned(), port: 0 };
    let outside = Advertised { host: OUTSIDE.0.to_owned(), port: OUTSIDE.1 };
    let bound =
        Bound::bind(vec![listener("PLAINTEXT", inside), listener("OUTSIDE", outside)]).expect("free ports");
    let listeners: Vec<Arc<Listener>> = bound.listeners().cloned().collect();
    let layout = Layout::new(folder);
    let meta = Meta { cluster: CLUSTER, node: NodeId(0), directory: DIRECTORY };
    let log = aquifer_hotlog::Settings { wal_bytes: Some(1 << 20), ..aquifer_hotlog::Settings::default() };
    let quorum_settings = aquifer_quorum::Settings::new(meta.node, DIRECTORY, layout.raft(), beginning);
    let found = aquifer_broker::recover(disk.clone(), layout, meta, log, &runtime).expect("an empty folder");
    let quorum =
        Arc::new(Quorum::start(quorum_settings, disk, runtime.clone()).await.expect("a quorum of one"));
    let broker =
        Broker::start(found, &listeners, quorum.clone(), settings, &runtime).await.expect("a broker");
    let server = bound
        .serve(&runtime, Arc::new(Port(broker.clone())), Limits::default(), Arc::new(NetMetrics::default()))
        .expect("a server");
    (quorum, broker, server, listeners)
}

/// One connection.
pub(crate) struct Client {
    socket: TcpStream,
    sent: i32,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let socket = TcpStream::connect(address).expect("the broker listens");
        // A broker that does not answer fails the test instead of hanging it.
        socket.set_read_timeout(Some(Duration::from_secs(60))).expect("not zero");
        Client { socket, sent: 0 }
    }

    /// The answer; `None` if the connection was closed instead.
    pub(crate) fn try_ask<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        self.sent += 1;
        let name = Text::from_static("test");
        let pieces = encode_request(self.sent, Some(&name), version, request)
            .unwrap_or_else(|error| panic!("{:?} v{version}: {error}", R::KEY));
        for piece in pieces {
            let Piece::Bytes(bytes) = piece else { panic!("a hole in a request") };
            self.socket.write_all(&bytes).ok()?;
        }
        let mut size = [0; 4];
        self.socket.read_exact(&mut size).ok()?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(size)).expect("not negative")];
        self.socket.read_exact(&mut frame).ok()?;
        let (correlation_id, response) = decode_response::<R::Response>(version, &Bytes::from(frame))
            .unwrap_or_else(|error| panic!("{:?} v{version}: {error}", R::KEY));
        assert_eq!(correlation_id, self.sent);
        Some(response)
    }

    pub(crate) fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.try_ask(version, request)
            .unwrap_or_else(|| panic!("{:?} v{version}: the connection was closed", R::KEY))
    }

    /// The newest version's answer.
    pub(crate) fn ask_newest<R: Request>(&mut self, request: &R) -> R::Response {
        self.ask(R::VERSION_MAX, request)
    }

    /// Makes a topic of one copy.
    pub(crate) fn create(&mut self, name: &'static str, partitions: i32) -> CreateTopicsResponse {
        let response = self.ask_newest(&CreateTopicsRequest {
            topics: vec![CreatableTopic { num_partitions: partitions, ..topic(name) }],
            ..CreateTopicsRequest::default()
        });
        assert_eq!(response.topics[0].error_code, ErrorCode::NONE, "{response:?}");
        response
    }
}

/// A topic that leaves everything to the cluster.
pub(crate) fn topic(name: &'static str) -> CreatableTopic {
    CreatableTopic {
        name: Text::from_static(name),
        num_partitions: -1,
        replication_factor: -1,
        ..CreatableTopic::default()
    }
}

pub(crate) fn text(text: &'static str) -> Text {
    Text::from_static(text)
}
