//! TLS: the same replies, handshakes within their time, certificates that change.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aquifer_disk::{Disk, OpenMode, RealDisk};
use aquifer_net::{Bound, Limits, ListenError, Listener, TlsFiles};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::support::{Client, ECHO, Started, file_request, pattern, start_with, within};

struct Pair {
    certificate: String,
    key: String,
    der: CertificateDer<'static>,
}

fn pair() -> Pair {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).expect("makes a certificate");
    Pair { certificate: cert.pem(), key: signing_key.serialize_pem(), der: cert.der().clone() }
}

impl Pair {
    fn write(&self, directory: &Path) -> TlsFiles {
        let files = TlsFiles { certificates: directory.join("chain.pem"), key: directory.join("key.pem") };
        std::fs::write(&files.certificates, &self.certificate).expect("writes");
        std::fs::write(&files.key, &self.key).expect("writes");
        files
    }

    async fn connect(&self, started: &Started) -> Option<Client<TlsStream<TcpStream>>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.der.clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let socket = TcpStream::connect(started.address).await.expect("connects");
        let name = ServerName::try_from("localhost").expect("a name");
        within(TlsConnector::from(Arc::new(config)).connect(name, socket)).await.ok().map(Client)
    }
}

#[tokio::test]
async fn requests_and_file_ranges_pass_through_tls() {
    let directory = tempfile::tempdir().expect("a directory");
    let pair = pair();
    let started = start_with(Limits::default(), Some(pair.write(directory.path())));
    let contents = pattern(3 << 20);
    let file = RealDisk.open(&directory.path().join("file"), OpenMode::Create).expect("opens");
    file.write_at(0, &[std::io::IoSlice::new(&contents)]).expect("writes");
    started.service.files.lock().expect("not poisoned").push(file);
    let mut client = pair.connect(&started).await.expect("is let in");

    for bytes in [0, 1, 70_000, 2 << 20] {
        client.send(ECHO, &pattern(bytes)).await;
        assert_eq!(client.receive().await, pattern(bytes));
    }
    client.send_frame(&file_request(&[(0, 7, 9), (0, 1_000, 2_500_000)])).await;
    let reply = client.receive().await;
    assert!(reply[..10] == [&[0], &contents[7..16]].concat());
    assert!(reply[11..] == contents[1_000..2_501_000]);
    assert_eq!(started.metrics.sendfile_bytes.value(), 0);
}

#[tokio::test]
async fn certificates_change_for_new_connections_and_a_broken_pair_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let (first, second) = (pair(), pair());
    let files = first.write(directory.path());
    let started = start_with(Limits::default(), Some(files.clone()));
    let mut old = first.connect(&started).await.expect("is let in");
    assert!(!started.server.reload_certificates().expect("reads them"));

    std::fs::write(&files.certificates, &second.certificate).expect("writes");
    assert!(started.server.reload_certificates().is_err(), "the key is still the first one's");
    assert!(first.connect(&started).await.is_some());

    std::fs::write(&files.key, &second.key).expect("writes");
    assert!(started.server.reload_certificates().expect("reads them"));
    assert!(second.connect(&started).await.is_some());
    assert!(first.connect(&started).await.is_none());
    old.send(ECHO, b"goes on").await;
    assert_eq!(old.receive().await, b"goes on");
}

#[tokio::test]
async fn what_does_not_shake_hands_is_closed() {
    let directory = tempfile::tempdir().expect("a directory");
    let files = pair().write(directory.path());
    let limits = Limits { handshake: Duration::from_millis(30), ..Limits::default() };
    let started = start_with(limits, Some(files));

    let mut silent = started.connect().await;
    assert!(silent.is_closed().await);
    let mut plain = started.connect().await;
    plain.send(ECHO, &pattern(100)).await;
    let mut answer = Vec::new();
    let _ = within(tokio::io::AsyncReadExt::read_to_end(&mut plain.0, &mut answer)).await;

    assert_eq!(started.metrics.handshakes_failed.value(), 2);
    assert_eq!(started.metrics.requests.value(), 0);
    started.until_idle().await;
}

#[tokio::test]
async fn a_listener_without_usable_files_or_address_is_an_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let listener = |bind: &str, tls| Listener {
        name: "test".to_owned(),
        bind: bind.parse().expect("an address"),
        advertised: aquifer_net::Advertised { host: "localhost".to_owned(), port: 0 },
        tls,
    };
    let missing =
        TlsFiles { certificates: directory.path().join("none"), key: directory.path().join("none") };
    let refused = Bound::bind(vec![listener("127.0.0.1:0", Some(missing))]);
    assert!(matches!(refused, Err(ListenError::Tls { .. })), "{refused:?}");

    let first = Bound::bind(vec![listener("127.0.0.1:0", None)]).expect("binds");
    let taken = first.listeners().next().expect("one").bind.to_string();
    let refused = Bound::bind(vec![listener(&taken, None)]);
    assert!(matches!(refused, Err(ListenError::Bind { .. })), "{refused:?}");
}
