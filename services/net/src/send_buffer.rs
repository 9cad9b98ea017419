//! How much of what was sent may lie in the kernel until the reader takes it.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::SockRef;

use crate::sys;

/// A reader that is nearer takes all that one stream can bring through `NEAR_BYTES`.
const NEAR: Duration = Duration::from_micros(200);
/// The kernel doubles it. In the 4 MiB to which it would let a buffer grow, the same records took kcat a third longer over
/// loopback.
const NEAR_BYTES: usize = 256 * 1024;

/// Bounds the buffer of a connection to a near reader; that of any other goes on growing with what the path holds.
pub(crate) fn fit(socket: &impl AsFd) -> io::Result<()> {
    fit_to(socket, sys::round_trip(socket.as_fd())?)
}

fn fit_to(socket: &impl AsFd, round_trip: Duration) -> io::Result<()> {
    if round_trip > NEAR {
        return Ok(());
    }
    SockRef::from(socket).set_send_buffer_size(NEAR_BYTES)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn only_a_near_readers_buffer_is_bounded() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        let buffer = || SockRef::from(&socket).send_buffer_size().unwrap();

        let grown_by_the_kernel = buffer();
        fit_to(&socket, NEAR + Duration::from_micros(1)).unwrap();
        assert_eq!(buffer(), grown_by_the_kernel);
        fit_to(&socket, NEAR).unwrap();
        assert_ne!(buffer(), grown_by_the_kernel);
        assert!(buffer() <= 2 * NEAR_BYTES);
    }

    #[test]
    fn what_has_no_round_trip_says_so() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(fit(&socket).is_err());
    }
}
