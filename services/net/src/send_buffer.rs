//! How much of what was sent may lie in the kernel until the reader takes it.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::SockRef;

use crate::sys::{self, Path};

/// A reader that is nearer takes all that one stream can bring through `NEAR_BYTES`.
const NEAR: Duration = Duration::from_micros(200);
/// The kernel doubles it. In the 4 MiB to which it would let a buffer grow, the same records took kcat a third longer over
/// loopback.
const NEAR_BYTES: usize = 256 * 1024;
const NEAR_BYTES_MIN: usize = 32 * 1024;

/// Bounds the buffer of a connection to a near reader; that of any other goes on growing with what the path holds.
pub(crate) fn fit(socket: &impl AsFd) -> io::Result<()> {
    fit_to(socket, sys::path(socket.as_fd())?)
}

fn fit_to(socket: &impl AsFd, path: Path) -> io::Result<()> {
    if path.round_trip > NEAR {
        return Ok(());
    }
    // One that chose a small window, as Kafka's Java client does, has the kernel send on what lies here in its own time, with
    // each piece that it takes: with a buffer of two windows or more it read an eighth less a second.
    let bytes = (path.window_bytes_max / 2).clamp(NEAR_BYTES_MIN, NEAR_BYTES);
    SockRef::from(socket).set_send_buffer_size(bytes)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use socket2::{Domain, Socket, Type};

    use super::*;

    #[test]
    fn only_a_near_readers_buffer_is_bounded() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        let buffer = || SockRef::from(&socket).send_buffer_size().unwrap();
        let path = |round_trip| Path { round_trip, window_bytes_max: usize::MAX };

        let grown_by_the_kernel = buffer();
        fit_to(&socket, path(NEAR + Duration::from_micros(1))).unwrap();
        assert_eq!(buffer(), grown_by_the_kernel);
        fit_to(&socket, path(NEAR)).unwrap();
        assert_ne!(buffer(), grown_by_the_kernel);
        assert!(buffer() <= 2 * NEAR_BYTES);
    }

    #[test]
    fn a_reader_that_chose_a_small_window_gets_a_small_buffer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let bytes_of = |window: Option<usize>| {
            let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            if let Some(bytes) = window {
                client.set_recv_buffer_size(bytes).unwrap();
            }
            client.connect(&listener.local_addr().unwrap().into()).unwrap();
            let (socket, _) = listener.accept().unwrap();
            let window = sys::path(socket.as_fd()).unwrap().window_bytes_max;
            fit_to(&socket, Path { round_trip: NEAR, window_bytes_max: window }).unwrap();
            SockRef::from(&socket).send_buffer_size().unwrap()
        };

        let (small, grows) = (bytes_of(Some(64 * 1024)), bytes_of(None));
        assert!((2 * NEAR_BYTES_MIN..=256 * 1024).contains(&small), "{small}");
        assert_eq!(grows, 2 * NEAR_BYTES);
    }

    #[test]
    fn what_has_no_round_trip_says_so() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(fit(&socket).is_err());
    }
}
