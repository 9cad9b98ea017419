//! What the gateway says of itself, held against it by tools of others: buf for its messages, schemathesis for its document.

use std::path::{Path, PathBuf};

use super::http::Http;
use crate::harness::{Node, data_dir, run_ok};
use crate::install::Recipe;

fn openapi() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi")
}

fn installed(name: &str, tools: &[&str]) -> Option<PathBuf> {
    let folder = openapi().join("checks").join(name);
    Recipe { name, folder, tools, made_from: &[], environment: None }.installed()
}

#[test]
fn the_proto_files_are_clean_and_break_nobody() {
    let Some(home) = installed("buf", &["node", "npm"]) else { return };
    let text = |path: PathBuf| path.to_str().expect("a path in UTF-8").to_owned();
    let (buf, proto) = (text(home.join("node_modules/.bin/buf")), text(openapi().join("proto")));
    run_ok(&buf, &["lint", &proto], "");
    // What clients were promised first; fields and methods may have come since.
    let promised = text(openapi().join("proto/baseline.binpb"));
    run_ok(&buf, &["breaking", &proto, "--against", &promised], "");
}

#[test]
fn a_live_gateway_answers_as_its_document_says_whatever_it_is_asked() {
    let Some(home) = installed("schemathesis", &["python3"]) else { return };
    let folder = data_dir();
    let node = Node::start(folder.path());
    let http = Http::at(&node.http);
    http.topic("orders", 2);
    let run = openapi().join("checks/schemathesis/run").display().to_string();
    run_ok(&run, &[&home.display().to_string(), &format!("http://{}", node.http)], "");
}
