//! Clients that are generated from the document: each compiles, and goes one round against a node of its own.

use std::path::{Path, PathBuf};

use super::foreign::ApacheKafka;
use super::process::{GatewayProcess, secret};
use crate::harness::{Node, data_dir, pause, run_ok};
use crate::install::Recipe;

fn openapi() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi")
}

/// The generator's jar; `None` where it is not to be had.
fn generator() -> Option<PathBuf> {
    let recipe = Recipe {
        name: "openapi-generator",
        folder: openapi().join("clients/generator"),
        tools: &["java", "python3"],
        made_from: &[],
        environment: None,
    };
    Some(recipe.installed()?.join("openapi-generator.jar"))
}

/// The language of a client, and what it is made and run with.
type Language = (&'static str, &'static [&'static str]);

const PYTHON: Language = ("python", &["python3"]);
const TYPESCRIPT: Language = ("typescript", &["node", "npm"]);
const JAVA: Language = ("java", &["java", "javac", "mvn"]);
const GO: Language = ("go", &["go"]);
const RUST: Language = ("rust", &["cargo", "cc"]);

/// Generates the client and runs its suite against a node of its own.
fn goes_round(language: Language) {
    let Some(home) = made(language) else { return };
    let data = data_dir();
    let node = Node::start(data.path());
    play(language, &home, &node.http);
}

/// Where the client is; `None` where it cannot be made.
fn made((language, tools): Language) -> Option<PathBuf> {
    let recipe = Recipe {
        name: &format!("generated-{language}"),
        folder: openapi().join("clients").join(language),
        tools,
        made_from: &[
            openapi().join("openapi.json"),
            openapi().join("clients/generate"),
            openapi().join("clients/generator/requirements.txt"),
        ],
        environment: Some(("OPENAPI_GENERATOR", generator()?)),
    };
    recipe.installed()
}

fn play((language, _): Language, home: &Path, address: &str) {
    let run = openapi().join("clients").join(language).join("run");
    let home = home.to_str().expect("a path in UTF-8");
    run_ok(run.to_str().expect("a path in UTF-8"), &[home, &format!("http://{address}")], "");
}

#[test]
fn the_document_is_valid() {
    let Some(generator) = generator() else { return };
    let (generator, document) = (generator.display().to_string(), openapi().join("openapi.json"));
    let document = document.to_str().expect("a path in UTF-8");
    let said = run_ok("java", &["-jar", &generator, "validate", "--recommend", "-i", document], "");
    assert!(said.contains("No validation issues detected"), "{said}");
}

#[test]
fn the_generated_python_client_goes_round() {
    goes_round(PYTHON);
}

#[test]
fn the_generated_typescript_client_goes_round() {
    goes_round(TYPESCRIPT);
}

#[test]
fn the_generated_java_client_goes_round() {
    goes_round(JAVA);
}

#[test]
fn the_generated_go_client_goes_round() {
    goes_round(GO);
}

#[test]
fn the_generated_rust_client_goes_round() {
    goes_round(RUST);
}

#[test]
fn the_generated_clients_go_round_with_apache_kafka_behind_a_gateway() {
    let Some(kafka) = ApacheKafka::start() else { return };
    let file = secret();
    let gateway = GatewayProcess::start(&kafka.address(), file.path());
    for language in [PYTHON, TYPESCRIPT, JAVA, GO, RUST] {
        let Some(home) = made(language) else { continue };
        play(language, &home, &gateway.http.address);
        // It deletes its topic, which Apache Kafka does later.
        while gateway.http.get("/v1/topics/orders").status != 404 {
            pause();
        }
    }
}
