//! What is generated from `openapi/proto` is what is checked in.

use std::path::{Path, PathBuf};

use prost::Message as _;

/// Set to write everything anew.
const BLESS: &str = "AQUIFER_BLESS";
const FILES: [&str; 3] = ["aquifer/v1/records.proto", "aquifer/v1/topics.proto", "aquifer/v1/groups.proto"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// With what every file of the project opens with.
fn opened(says: &str, generated: &Path) -> Vec<u8> {
    let generated = std::fs::read_to_string(generated).expect("generated");
    format!("//! {says}\n{generated}").into_bytes()
}

fn compare(path: &Path, made: &[u8]) {
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(path, made).expect("written");
    }
    let kept = std::fs::read(path).unwrap_or_default();
    assert!(made == kept, "{} differs from openapi/proto; {BLESS}=1 writes it anew", path.display());
}

#[test]
fn messages_services_and_descriptors_are_those_of_the_proto_files() {
    let proto = root().join("openapi/proto");
    let descriptors =
        protox::compile(FILES.map(|file| proto.join(file)), [&proto]).expect("the files are sound");
    let out = Path::new(env!("CARGO_TARGET_TMPDIR"));

    let messages = out.join("messages");
    std::fs::create_dir_all(&messages).expect("a folder");
    prost_build::Config::new()
        .out_dir(&messages)
        .compile_fds(descriptors.clone())
        .expect("messages are generated");
    let made = opened("The messages of package `aquifer.v1`.", &messages.join("aquifer.v1.rs"));
    compare(&root().join("openapi/contract/src/aquifer.v1.rs"), &made);
    compare(&root().join("openapi/contract/src/descriptors.bin"), &descriptors.encode_to_vec());

    let services = out.join("services");
    std::fs::create_dir_all(&services).expect("a folder");
    tonic_prost_build::configure()
        .out_dir(&services)
        .build_transport(false)
        .extern_path(".aquifer.v1", "::aquifer_contract::v1")
        .compile_fds(descriptors)
        .expect("services are generated");
    let made = opened("The services of package `aquifer.v1`, both ends.", &services.join("aquifer.v1.rs"));
    compare(&root().join("gateway/grpc/src/generated.rs"), &made);
}
