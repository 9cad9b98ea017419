//! Our client against Apache Kafka behind TLS and SASL.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aquifer_client::{
    Address, Client, ClientError, ClientSettings, ConnectError, ConnectionSettings, Connector, Credentials,
    Event, Mechanism, Outgoing, Producer, ProducerSettings, Roots, Start, TcpConnector, TlsConnector,
    TlsFiles,
};
use aquifer_runtime::Runtime;

use crate::harness::{data_dir, skip_without};
use crate::kafka_server::KafkaServer;

/// How long the broker takes a login for; shorter than the test.
const LOGIN_LASTS: Duration = Duration::from_secs(3);
const START_LIMIT: Duration = Duration::from_secs(60);

/// A broker that takes logins over TLS alone.
struct Kafka {
    server: KafkaServer,
    ca: PathBuf,
}

impl Kafka {
    fn start(directory: &Path) -> Kafka {
        let users =
            ["SCRAM-SHA-256", "SCRAM-SHA-512"].map(|name| format!("{name}=[name=alice,password=secret]"));
        let words = ["--add-scram", &users[0], "--add-scram", &users[1]];
        // Before it starts, as it reads them.
        let ca = keys(directory);
        let server = KafkaServer::start(directory, &words, |port| properties(directory, port));
        Kafka { server, ca }
    }

    fn tls(&self) -> Arc<dyn Connector> {
        let files = TlsFiles { roots: Roots::File(self.ca.clone()), identity: None };
        Arc::new(TlsConnector::load(&files).expect("a certificate"))
    }

    fn client(
        &self,
        connector: Arc<dyn Connector>,
        login: Option<(Mechanism, &str)>,
        patience: Duration,
    ) -> Client {
        let credentials = login.map(|(mechanism, password)| Credentials {
            mechanism,
            user: "alice".to_owned(),
            password: password.to_owned(),
        });
        let connection = ConnectionSettings { credentials, ..ConnectionSettings::default() };
        let address = Address { host: "localhost".to_owned(), port: self.server.port };
        let settings = ClientSettings { bootstrap: vec![address], connection, retry_for: patience };
        Client::new(Runtime::real(), connector, settings)
    }
}

/// A certificate that signs itself; the file that trusts it.
fn keys(directory: &Path) -> PathBuf {
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let ca = directory.join("ca.pem");
    std::fs::write(&ca, pair.cert.pem()).expect("written");
    let both = format!("{}{}", pair.signing_key.serialize_pem(), pair.cert.pem());
    std::fs::write(directory.join("broker.pem"), both).expect("written");
    ca
}

fn properties(directory: &Path, port: u16) -> String {
    let (directory, controller) = (directory.display(), port + 1);
    let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"broker\" \
                 password=\"own\" user_broker=\"own\" user_alice=\"secret\";";
    let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    format!(
        "listeners=SASL_SSL://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=SASL_SSL://localhost:{port}\n\
         listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT\n\
         inter.broker.listener.name=SASL_SSL\n\
         sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
         sasl.mechanism.inter.broker.protocol=PLAIN\n\
         listener.name.sasl_ssl.plain.sasl.jaas.config={plain}\n\
         listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={scram}\n\
         listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={scram}\n\
         connections.max.reauth.ms={}\n\
         ssl.keystore.type=PEM\nssl.keystore.location={directory}/broker.pem\n\
         ssl.truststore.type=PEM\nssl.truststore.location={directory}/ca.pem\n",
        LOGIN_LASTS.as_millis()
    )
}

#[test]
fn our_client_logs_in_over_tls_again_and_again_and_only_with_the_right_password() {
    if ["java", "mvn"].iter().any(|tool| skip_without(tool)) {
        return;
    }
    let directory = data_dir();
    let kafka = Kafka::start(directory.path());
    let reactor = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    reactor.expect("a reactor").block_on(async {
        let first = kafka.client(kafka.tls(), Some((Mechanism::Plain, "secret")), START_LIMIT);
        let cluster = first.describe_cluster().await.expect("it comes up");
        assert_eq!(cluster.brokers.len(), 1);

        for mechanism in [Mechanism::Plain, Mechanism::ScramSha256, Mechanism::ScramSha512] {
            let right = kafka.client(kafka.tls(), Some((mechanism, "secret")), START_LIMIT);
            let wrong = kafka.client(kafka.tls(), Some((mechanism, "guess")), START_LIMIT);
            assert_eq!(right.describe_cluster().await.expect("logged in"), cluster, "{mechanism:?}");
            let refused = wrong.describe_cluster().await.expect_err("a wrong password");
            assert!(
                matches!(refused, ClientError::Connect(ConnectError::Login { .. })),
                "{mechanism:?}: {refused}"
            );
        }
        let at_once = Duration::ZERO;
        let login = Some((Mechanism::Plain, "secret"));
        for (what, client) in [
            ("without a login", kafka.client(kafka.tls(), None, at_once)),
            ("in the clear", kafka.client(Arc::new(TcpConnector), login, at_once)),
            ("by the system's roots alone", kafka.client(system_tls(), login, at_once)),
        ] {
            assert!(client.describe_cluster().await.is_err(), "{what}");
        }
        work_longer_than_a_login(&kafka).await;
    });
}

/// Trusts whom the system trusts, and so not a certificate of our own; where it trusts nobody, another of our own.
fn system_tls() -> Arc<dyn Connector> {
    match TlsConnector::load(&TlsFiles { roots: Roots::System, identity: None }) {
        Ok(connector) => Arc::new(connector),
        Err(_no_roots) => {
            let directory = data_dir();
            let roots = Roots::File(keys(directory.path()));
            Arc::new(TlsConnector::load(&TlsFiles { roots, identity: None }).expect("a certificate"))
        }
    }
}

async fn work_longer_than_a_login(kafka: &Kafka) {
    let client = kafka.client(kafka.tls(), Some((Mechanism::ScramSha512, "secret")), START_LIMIT);
    let topic = aquifer_client::NewTopic {
        name: "safe".to_owned(),
        partitions: Some(1),
        ..aquifer_client::NewTopic::default()
    };
    client.create_topic(&topic).await.expect("created");
    let producer = Producer::new(client.clone(), ProducerSettings::default());
    let mut consumer = aquifer_client::Consumer::new(client, aquifer_client::ConsumerSettings::default());
    consumer.assign("safe", aquifer_types::PartitionIndex(0), Start::Earliest);
    let runtime = Runtime::real();
    let started = runtime.now().monotonic;
    let (mut sent, mut read) = (0, 0);
    while runtime.now().monotonic.since(started) < LOGIN_LASTS * 2 {
        let record = Outgoing { topic: "safe", value: Some(b"x"), ..Outgoing::default() };
        producer.send(record).await.expect("taken").wait().await.expect("delivered");
        sent += 1;
        while read < sent {
            if let Event::Records(chunk) = consumer.next().await.expect("readable") {
                read = chunk.end.0;
            }
        }
        runtime.sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(read, sent);
}
