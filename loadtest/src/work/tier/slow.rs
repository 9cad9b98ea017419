//! `Slow`: stands in front of a store, lets answers wait, holds back their bytes, counts requests, and can be away.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use aquifer_runtime::{Monotonic, Runtime, Task};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

const THREADS: usize = 2;
const BUFFER_BYTES: usize = 64 << 10;
/// Timers are coarse: a shorter wait is made up for by the next one.
const WAIT_MIN: Duration = Duration::from_millis(2);

/// How the store is slowed down.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Manner {
    pub first_byte: Duration,
    /// Of each connection's answers.
    pub connection_bytes_per_second: Option<f64>,
    /// Of all answers together.
    pub bytes_per_second: Option<f64>,
    /// Whether the store takes neither processor nor disk from others, as one on another machine does.
    pub is_elsewhere: bool,
}

/// A listener whose connections end at the store. It ends with this.
pub struct Slow {
    pub port: u16,
    shared: Arc<Shared>,
    accepting: Task<Result<()>>,
}

struct Shared {
    runtime: Runtime,
    target: u16,
    manner: Manner,
    all: Mutex<Debt>,
    is_away: AtomicBool,
    requests: Requests,
}

/// Requests that came by, by what they ask for.
#[derive(Debug, Default)]
pub struct Requests {
    gets: AtomicU64,
    lists: AtomicU64,
    puts: AtomicU64,
}

/// Until when the bytes let through so far take.
#[derive(Default)]
struct Debt(Monotonic);

/// What both directions of a connection know of its requests.
#[derive(Default)]
struct Exchange {
    asked_at: Monotonic,
    is_answered: bool,
}

impl Slow {
    pub async fn start(runtime: &Runtime, target: u16, manner: Manner) -> Result<Slow> {
        // What it carries holds up nobody who measures.
        let runtime = runtime.aside("slow store", THREADS, 1)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            runtime: runtime.clone(),
            target,
            manner,
            all: Mutex::default(),
            is_away: AtomicBool::new(false),
            requests: Requests::default(),
        });
        let accepting = runtime.spawn("slow store", accept(listener, shared.clone()));
        Ok(Slow { port, shared, accepting })
    }

    /// Connections are broken and refused until it is back.
    pub fn set_away(&self, is_away: bool) {
        self.shared.is_away.store(is_away, Ordering::Relaxed);
    }

    /// GETs of objects, lists, and PUTs so far.
    pub fn requests(&self) -> (u64, u64, u64) {
        let Requests { gets, lists, puts } = &self.shared.requests;
        (gets.load(Ordering::Relaxed), lists.load(Ordering::Relaxed), puts.load(Ordering::Relaxed))
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.set_away(true);
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) -> Result<()> {
    loop {
        let (near, _) = listener.accept().await?;
        if shared.is_away.load(Ordering::Relaxed) {
            continue;
        }
        let handed = shared.clone();
        shared.runtime.spawn("slow connection", async move { handed.connect(near).await });
    }
}

impl Shared {
    async fn connect(&self, near: TcpStream) -> Result<()> {
        let far = TcpStream::connect(("127.0.0.1", self.target)).await?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        let exchange = Mutex::new(Exchange { is_answered: true, ..Exchange::default() });
        let (near_read, near_write) = near.into_split();
        let (far_read, far_write) = far.into_split();
        // Whichever side ends, the connection does.
        tokio::select! {
            ended = self.forward_requests(near_read, far_write, &exchange) => ended,
            ended = self.forward_answers(far_read, near_write, &exchange) => ended,
            () = self.wait_until_away() => Ok(()),
        }
    }

    async fn wait_until_away(&self) {
        while !self.is_away.load(Ordering::Relaxed) {
            self.runtime.sleep(Duration::from_millis(20)).await;
        }
    }

    async fn forward_requests(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        exchange: &Mutex<Exchange>,
    ) -> Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let count = from.read(&mut buffer).await?;
            if count == 0 {
                return Ok(());
            }
            {
                let mut exchange = exchange.lock().expect("noting does not panic");
                // Nothing is sent ahead: what follows an answer begins a request.
                if std::mem::take(&mut exchange.is_answered) {
                    self.requests.note(&buffer[..count]);
                }
                exchange.asked_at = self.runtime.now().monotonic;
            }
            to.write_all(&buffer[..count]).await?;
        }
    }

    async fn forward_answers(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        exchange: &Mutex<Exchange>,
    ) -> Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut own = Debt::default();
        loop {
            let count = from.read(&mut buffer).await?;
            if count == 0 {
                return Ok(());
            }
            let first_of = {
                let mut exchange = exchange.lock().expect("noting does not panic");
                (!std::mem::replace(&mut exchange.is_answered, true)).then_some(exchange.asked_at)
            };
            let now = self.runtime.now().monotonic;
            let mut until = first_of.map_or(now, |asked| asked.plus(self.manner.first_byte));
            if let Some(rate) = self.manner.connection_bytes_per_second {
                until = until.max(own.take(now, count, rate));
            }
            if let Some(rate) = self.manner.bytes_per_second {
                until = until.max(self.all.lock().expect("counting does not panic").take(now, count, rate));
            }
            let wait = until.since(now);
            if wait >= WAIT_MIN {
                self.runtime.sleep(wait).await;
            }
            to.write_all(&buffer[..count]).await?;
        }
    }
}

impl Requests {
    fn note(&self, head: &[u8]) {
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let counter = match line {
            [b'G', b'E', b'T', b' ', target @ ..] if has(target, b"list-type=") => &self.lists,
            [b'G', b'E', b'T', b' ', ..] => &self.gets,
            [b'P', b'U', b'T', b' ', ..] => &self.puts,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Debt {
    /// When these bytes may have gone through.
    fn take(&mut self, now: Monotonic, bytes: usize, bytes_per_second: f64) -> Monotonic {
        self.0 = self.0.max(now).plus(Duration::from_secs_f64(bytes as f64 / bytes_per_second));
        self.0
    }
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart_by_their_first_line() {
        let requests = Requests::default();
        for head in [
            "GET /bucket/load/key HTTP/1.1\r\n",
            "GET /bucket?list-type=2&prefix=load HTTP/1.1\r\n",
            "PUT /bucket/load/key HTTP/1.1\r\n",
            "HEAD /bucket/load/key HTTP/1.1\r\nx: list-type=",
        ] {
            requests.note(head.as_bytes());
        }

        let counts = [&requests.gets, &requests.lists, &requests.puts];
        assert_eq!(counts.map(|count| count.load(Ordering::Relaxed)), [1, 1, 1]);
    }

    #[test]
    fn bytes_take_their_time_and_idle_time_is_not_saved_up() {
        let at = |milliseconds| Monotonic(Duration::from_millis(milliseconds));
        let mut debt = Debt::default();

        let done = [(0, 1_000), (0, 1_000), (5_000, 500)].map(|(now, bytes)| debt.take(at(now), bytes, 1e6));

        assert_eq!(done, [at(1), at(2), Monotonic(Duration::from_micros(5_000_500))]);
    }
}
