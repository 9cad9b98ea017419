//! Whose credentials requests to S3 are signed with, and for which region.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const AQUIFER: &str = env!("CARGO_BIN_EXE_aquifer");

/// A server that lets nobody in, and tells who asked.
struct Door {
    address: String,
    asked: Receiver<String>,
}

impl Door {
    fn new() -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let (tell, asked) = channel();
        let refuse = move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let Some(credential) = credential(&socket) else { continue };
                let _ = (&socket)
                    .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                if tell.send(credential).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().spawn(refuse).expect("a thread");
        Door { address, asked }
    }

    /// What a command that reads a bucket signs with in this environment (`key/day/region/s3/…`), and what it says.
    fn asked(&self, options: &str, home: &Path, variables: &[(&str, &str)]) -> (Option<String>, String) {
        let url = format!("s3://bucket?endpoint=http://{}{options}", self.address);
        let mut command = Command::new("timeout");
        command.args(["60", AQUIFER, "tier", "fsck", &url]).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path))).env("HOME", home);
        // Nothing beyond this machine is asked.
        command.env("AWS_EC2_METADATA_DISABLED", "true").envs(variables.iter().copied());
        let output = command.output().expect("it runs");
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (self.asked.recv_timeout(Duration::from_millis(100)).ok(), said)
    }
}

/// The scope of the signature of a request.
fn credential(socket: &TcpStream) -> Option<String> {
    let head = BufReader::new(socket).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let head: Vec<String> = head.collect();
    let signed = head.iter().find_map(|line| line.split_once("Credential="))?.1;
    Some(signed.split(',').next()?.to_owned())
}

/// A home with two profiles, the second of which has a program give its credentials.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join(".aws");
    std::fs::create_dir(&folder).expect("a folder");
    let program = r#"{"Version":1,"AccessKeyId":"PROGRAM","SecretAccessKey":"secret"}"#;
    std::fs::write(folder.join("given"), program).expect("written");
    let config = format!(
        "[default]\nregion = eu-west-1\n[profile other]\nregion = eu-central-1\ncredential_process = cat {}\n\
         [profile broken]\nrole_arn = arn:aws:iam::1:role/none\nsource_profile = nobody\n",
        folder.join("given").display()
    );
    std::fs::write(folder.join("config"), config).expect("written");
    let keys = "[default]\naws_access_key_id = PROFILE\naws_secret_access_key = secret\n";
    std::fs::write(folder.join("credentials"), keys).expect("written");
    home
}

#[test]
fn the_environment_comes_before_the_profile_and_the_url_says_the_region() {
    let (door, home) = (Door::new(), home());
    let keys = [("AWS_ACCESS_KEY_ID", "ENVIRONMENT"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let both = [&keys[..], &[("AWS_REGION", "ap-south-1")]].concat();
    let cases: [(&str, &[(&str, &str)], &str, &str); 6] = [
        ("", &[], "PROFILE", "eu-west-1"),
        ("&region=us-west-2", &[], "PROFILE", "us-west-2"),
        ("", &[("AWS_PROFILE", "other")], "PROGRAM", "eu-central-1"),
        ("", &keys, "ENVIRONMENT", "eu-west-1"),
        ("", &both, "ENVIRONMENT", "ap-south-1"),
        ("&region=us-west-2", &both, "ENVIRONMENT", "us-west-2"),
    ];
    for (options, variables, key, region) in cases {
        let (asked, said) = door.asked(options, home.path(), variables);
        let asked = asked.unwrap_or_else(|| panic!("nobody was asked with {variables:?}: {said}"));
        let scope: Vec<&str> = asked.split('/').collect();
        assert_eq!((scope[0], scope[2], scope[3]), (key, region, "s3"), "{variables:?}");
        assert!(said.contains("check the credentials"), "{said}");
    }
}

#[test]
fn without_credentials_nothing_is_asked_and_what_to_do_is_said() {
    let (door, nobody, home) = (Door::new(), tempfile::tempdir().expect("a folder"), home());

    let (asked, said) = door.asked("", nobody.path(), &[]);
    assert!(asked.is_none(), "{asked:?}");
    assert!(said.contains("no credentials for S3; set AWS_ACCESS_KEY_ID"), "{said}");

    let (asked, said) = door.asked("", home.path(), &[("AWS_PROFILE", "broken")]);
    assert!(asked.is_none(), "{asked:?}");
    assert!(said.contains("is not right") && said.contains("nobody"), "{said}");
}
