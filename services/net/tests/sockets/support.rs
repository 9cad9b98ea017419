//! A service that does as a frame's first byte says, a client, and a server to connect them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aquifer_disk::FileHandle;
use aquifer_net::{
    Advertised, Bound, Call, Chunk, Connection, Limits, Listener, NetMetrics, Outcome, Reply, Server,
    Service, TlsFiles,
};
use aquifer_runtime::{Runtime, Shutdown};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Answers with the rest of the frame.
pub const ECHO: u8 = b'e';
/// The same, once released.
pub const LATER: u8 = b'l';
pub const SILENT: u8 = b's';
pub const CLOSE: u8 = b'c';
/// Answers with pairs of a byte and a file range; see `file_request`.
pub const FILE: u8 = b'f';

#[derive(Default)]
pub struct Obedient {
    pub files: Mutex<Vec<FileHandle>>,
    pub released: Shutdown,
    pub calls: AtomicUsize,
    outstanding: Arc<AtomicUsize>,
    /// The most requests that were outstanding at once.
    pub outstanding_max: AtomicUsize,
    /// The most frame bytes that were in flight at once.
    pub in_flight_max: AtomicUsize,
    pub metrics: Mutex<Option<Arc<NetMetrics>>>,
}

pub struct Started {
    pub server: Server,
    pub service: Arc<Obedient>,
    pub metrics: Arc<NetMetrics>,
    pub address: SocketAddr,
}

impl Service for Obedient {
    type Session = ();

    fn call(&self, _connection: &Arc<Connection>, frame: Bytes) -> Call {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if let Some(metrics) = &*self.metrics.lock().expect("not poisoned") {
            let now = usize::try_from(metrics.in_flight_bytes.value()).expect("small");
            self.in_flight_max.fetch_max(now, Ordering::SeqCst);
        }
        match frame.first() {
            Some(&ECHO) => Call::Now(Outcome::Reply(frame.slice(1..).into())),
            Some(&SILENT) => Call::Now(Outcome::Silent),
            Some(&FILE) => Call::Now(Outcome::Reply(self.ranges(&frame[1..]))),
            Some(&LATER) => {
                let now = self.outstanding.fetch_add(1, Ordering::SeqCst) + 1;
                self.outstanding_max.fetch_max(now, Ordering::SeqCst);
                let (released, outstanding) = (self.released.clone(), Arc::clone(&self.outstanding));
                Call::Later(Box::pin(async move {
                    released.wait().await;
                    outstanding.fetch_sub(1, Ordering::SeqCst);
                    Outcome::Reply(frame.slice(1..).into())
                }))
            }
            _ => Call::Now(Outcome::Close),
        }
    }
}

impl Obedient {
    fn ranges(&self, mut request: &[u8]) -> Reply {
        let files = self.files.lock().expect("not poisoned");
        let mut chunks = Vec::new();
        while let Some((range, rest)) = request.split_first_chunk::<17>() {
            let number =
                |from: usize| u64::from_be_bytes(range[from..from + 8].try_into().expect("eight bytes"));
            let file = usize::from(range[0]);
            chunks.push(Chunk::Bytes(Bytes::from(vec![range[0]])));
            chunks.push(Chunk::File { file: Arc::clone(&files[file]), at: number(1), bytes: number(9) });
            request = rest;
        }
        Reply { chunks }
    }
}

/// A request for ranges of the service's files, each answered behind its file's number.
pub fn file_request(ranges: &[(u8, u64, u64)]) -> Vec<u8> {
    let mut request = vec![FILE];
    for (file, at, bytes) in ranges {
        request.push(*file);
        request.extend_from_slice(&at.to_be_bytes());
        request.extend_from_slice(&bytes.to_be_bytes());
    }
    request
}

pub fn start(limits: Limits) -> Started {
    start_with(limits, None)
}

pub fn start_with(limits: Limits, tls: Option<TlsFiles>) -> Started {
    let listener = Listener {
        name: "test".to_owned(),
        bind: "127.0.0.1:0".parse().expect("an address"),
        advertised: Advertised { host: "localhost".to_owned(), port: 0 },
        tls,
    };
    let bound = Bound::bind(vec![listener]).expect("binds");
    let listener = Arc::clone(bound.listeners().next().expect("one listener"));
    assert_eq!(listener.advertised.port, listener.bind.port());
    let (service, metrics) = (Arc::new(Obedient::default()), Arc::new(NetMetrics::default()));
    *service.metrics.lock().expect("not poisoned") = Some(Arc::clone(&metrics));
    let server =
        bound.serve(&Runtime::real(), Arc::clone(&service), limits, Arc::clone(&metrics)).expect("serves");
    Started { server, service, metrics, address: listener.bind }
}

impl Started {
    pub async fn connect(&self) -> Client<TcpStream> {
        Client(TcpStream::connect(self.address).await.expect("connects"))
    }

    /// Every connection is gone, and with it what it held.
    pub async fn until_idle(&self) {
        until(|| self.metrics.connections.value() == 0 && self.metrics.in_flight_bytes.value() == 0).await;
    }
}

pub struct Client<T>(pub T);

impl<T: AsyncRead + AsyncWrite + Unpin> Client<T> {
    pub async fn send(&mut self, command: u8, payload: &[u8]) {
        self.send_frame(&[&[command], payload].concat()).await;
    }

    pub async fn send_frame(&mut self, frame: &[u8]) {
        let length = i32::try_from(frame.len()).expect("small");
        self.send_raw(&[&length.to_be_bytes(), frame].concat()).await;
    }

    pub async fn send_raw(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("sends");
        self.0.flush().await.expect("sends");
    }

    pub async fn receive(&mut self) -> Vec<u8> {
        let length = within(self.0.read_i32()).await.expect("a reply");
        let mut reply = vec![0; usize::try_from(length).expect("not negative")];
        within(self.0.read_exact(&mut reply)).await.expect("the whole reply");
        reply
    }

    /// The server closed the connection, and sent nothing before.
    pub async fn is_closed(&mut self) -> bool {
        matches!(within(self.0.read(&mut [0; 1])).await, Ok(0) | Err(_))
    }
}

/// Fails a test that waits for what never comes.
pub async fn within<F: Future>(future: F) -> F::Output {
    Runtime::real().timeout(Duration::from_secs(60), future).await.expect("in good time")
}

pub async fn until(condition: impl Fn() -> bool) {
    within(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Bytes that tell their place.
pub fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at ^ (at >> 8) ^ (at >> 16)).to_le_bytes()[0]).collect()
}
