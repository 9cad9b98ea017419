//! Clients that are generated from the document: each compiles, and goes one round against a node of its own.

use std::path::{Path, PathBuf};

use crate::harness::{Node, data_dir, run_ok};
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

/// Generates the client and runs its suite.
fn goes_round(language: &str, tools: &[&str]) {
    let Some(generator) = generator() else { return };
    let folder = openapi().join("clients").join(language);
    let run = folder.join("run");
    let recipe = Recipe {
        name: &format!("generated-{language}"),
        folder,
        tools,
        made_from: &[
            openapi().join("openapi.json"),
            openapi().join("clients/generate"),
            openapi().join("clients/generator/requirements.txt"),
        ],
        environment: Some(("OPENAPI_GENERATOR", generator)),
    };
    let Some(home) = recipe.installed() else { return };
    let data = data_dir();
    let node = Node::start(data.path());
    let home = home.to_str().expect("a path in UTF-8");
    run_ok(run.to_str().expect("a path in UTF-8"), &[home, &format!("http://{}", node.http)], "");
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
    goes_round("python", &["python3"]);
}

#[test]
fn the_generated_typescript_client_goes_round() {
    goes_round("typescript", &["node", "npm"]);
}

#[test]
fn the_generated_java_client_goes_round() {
    goes_round("java", &["java", "javac", "mvn"]);
}

#[test]
fn the_generated_go_client_goes_round() {
    goes_round("go", &["go"]);
}

#[test]
fn the_generated_rust_client_goes_round() {
    goes_round("rust", &["cargo", "cc"]);
}
