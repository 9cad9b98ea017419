//! Callers' own credentials, shown to Apache Kafka that has users and lets each do what it may.

use std::time::Duration;

use aquifer_runtime::Runtime;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::http::{Answer, Http};
use super::process::{GatewayProcess, secret};
use crate::harness::{data_dir, free_port, skip_without, sleep};
use crate::jars::Jars;
use crate::kafka_server::KafkaServer;

const ACLS: &str = "org.apache.kafka.tools.AclCommand";

/// A broker with users and what they may do.
fn properties(port: u16) -> String {
    let controller = port + 1;
    let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"broker\" \
                 password=\"own\" user_broker=\"own\" user_alice=\"alices\" user_bob=\"bobs\";";
    let bearer = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
                  unsecuredLoginStringClaim_sub=\"broker\";";
    format!(
        "listeners=SASL_PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=SASL_PLAINTEXT://127.0.0.1:{port}\n\
         listener.security.protocol.map=SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         inter.broker.listener.name=SASL_PLAINTEXT\n\
         sasl.enabled.mechanisms=PLAIN,OAUTHBEARER\n\
         sasl.mechanism.inter.broker.protocol=PLAIN\n\
         listener.name.sasl_plaintext.plain.sasl.jaas.config={plain}\n\
         listener.name.sasl_plaintext.oauthbearer.sasl.jaas.config={bearer}\n\
         authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         super.users=User:broker;User:ANONYMOUS\n"
    )
}

/// A token that signs for nothing, which such a broker takes for what it says.
fn token(subject: &str, lasts_seconds: i64) -> String {
    let now = Runtime::real().now().wall.0 / 1000;
    let claims = json!({"sub": subject, "iat": now - 60, "exp": now + lasts_seconds});
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.", encoded("{\"alg\":\"none\"}"), encoded(&claims.to_string()))
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn append(http: &Http, authorization: &str) -> Answer {
    let headers = [("content-type", "application/json"), ("authorization", authorization)];
    http.send("POST", "/v1/topics/t/records", &headers, br#"{"records":[{"value_text":"v"}]}"#)
}

fn read(http: &Http, authorization: &str) -> Answer {
    let path = "/v1/topics/t/partitions/0/records?from=earliest";
    http.send("GET", path, &[("authorization", authorization)], b"")
}

#[test]
fn callers_may_do_at_the_gateway_what_they_may_do_at_the_broker() {
    if ["java", "mvn"].iter().any(|tool| skip_without(tool)) {
        return;
    }
    let Some(jars) = Jars::installed() else { return };
    let directory = data_dir();
    let kafka = KafkaServer::start(directory.path(), &[], properties);
    let address = format!("127.0.0.1:{}", kafka.port);
    let file = secret();
    let more = ["--as-caller", "plain"];
    let gateway = GatewayProcess::start_with(&address, file.path(), free_port(), &more);
    let http = &gateway.http;

    let broker = basic("broker", "own");
    let made = |_| {
        let headers = [("content-type", "application/json"), ("authorization", broker.as_str())];
        let answer = http.send("PUT", "/v1/topics/t", &headers, br#"{"partitions":1}"#);
        sleep(Duration::from_millis(200));
        answer.status == 201
    };
    assert!((0..300).any(made), "{}", kafka.said());
    let config = directory.path().join("tool.properties");
    let login = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=\
                 org.apache.kafka.common.security.plain.PlainLoginModule required username=\"broker\" password=\"own\";\n";
    std::fs::write(&config, login).expect("written");
    let config = config.to_str().expect("text");
    let common = ["--bootstrap-server", &address, "--command-config", config, "--add"];
    for (user, operation) in
        [("alice", "Write"), ("alice", "Read"), ("bob", "Read"), ("carol", "Write"), ("carol", "Read")]
    {
        let user = format!("User:{user}");
        let rule = ["--allow-principal", &user, "--operation", operation, "--topic", "t"];
        let (well, printed) = jars.run(ACLS, &[&common[..], &rule].concat(), "");
        assert!(well, "{printed}");
    }

    let (alice, bob) = (basic("alice", "alices"), basic("bob", "bobs"));
    append(http, &alice).expect(200);
    append(http, &bob).problem(403, "forbidden");
    append(http, &alice).expect(200);
    let key = [("x-api-key", "alice:alices")];
    http.send("GET", "/v1/topics/t/partitions/0/records?from=earliest", &key, b"").expect(200);
    assert_eq!(read(http, &bob).expect(200)["records"].as_array().map(Vec::len), Some(2));

    for wrong in [basic("alice", "bobs"), basic("nobody", "x"), "Basic !".to_owned()] {
        append(http, &wrong).problem(401, "unauthenticated");
    }
    let unknown = http.get("/v1/topics");
    let offered = unknown.headers.iter().filter(|(name, _)| name == "www-authenticate");
    let offered: Vec<&str> = offered.map(|(_, value)| value.as_str()).collect();
    assert_eq!(offered, ["Bearer", "Basic realm=\"aquifer\", charset=\"UTF-8\""]);
    unknown.problem(401, "unauthenticated");

    let carol = format!("Bearer {}", token("carol", 600));
    append(http, &carol).expect(200);
    append(http, &format!("Bearer {}", token("dave", 600))).problem(403, "forbidden");
    for wrong in [format!("Bearer {}", token("carol", -30)), "Bearer nothing".to_owned()] {
        append(http, &wrong).problem(401, "unauthenticated");
    }

    // A session belongs to its principal, whichever of the caller's tokens it comes with.
    let headers = |authorization| [("content-type", "application/json"), ("authorization", authorization)];
    let rule = ["--allow-principal", "User:carol", "--operation", "Read", "--group", "g"];
    let (well, printed) = jars.run(ACLS, &[&common[..], &rule].concat(), "");
    assert!(well, "{printed}");
    let wanted = br#"{"topics":["t"],"from":"earliest"}"#;
    let opened = http.send("POST", "/v1/groups/g/sessions", &headers(&carol), wanted).expect(200);
    let poll = json!({"token": opened["token"], "wait_ms": 3000}).to_string();
    let again = format!("Bearer {}", token("carol", 900));
    http.send("POST", "/v1/sessions:poll", &headers(&alice), poll.as_bytes()).problem(403, "foreign_token");
    let polled = http.send("POST", "/v1/sessions:poll", &headers(&again), poll.as_bytes()).expect(200);
    assert!(polled["records"].as_array().is_some(), "{polled}");
    http.send("POST", "/v1/groups/g/sessions", &headers(&bob), wanted).problem(403, "forbidden");
    let denied = kafka.said();
    assert!(denied.contains("Principal = User:bob is Denied operation = "), "{denied}");
}
