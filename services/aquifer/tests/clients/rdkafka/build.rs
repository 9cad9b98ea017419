//! Tells the driver which version of the crate it is built with.

fn main() {
    let lock = std::fs::read_to_string("Cargo.lock").expect("the lock file");
    let version =
        lock.split("name = \"rdkafka\"\nversion = \"").nth(1).and_then(|rest| rest.split('"').next());
    println!("cargo:rustc-env=RDKAFKA_CRATE={}", version.expect("the crate is locked"));
    println!("cargo:rerun-if-changed=Cargo.lock");
}
