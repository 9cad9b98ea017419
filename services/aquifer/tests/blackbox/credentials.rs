//! Whose credentials requests to S3 are signed with, and for which region.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A variable of an environment.
type Variable<'a> = (&'a str, &'a str);

const AQUIFER: &str = env!("CARGO_BIN_EXE_aquifer");

/// A server that gives credentials to who asks as AWS's token service and a machine's metadata do, and lets nobody into its
/// buckets, but tells who asked.
struct Door {
    address: String,
    asked: Receiver<String>,
}

impl Door {
    fn new() -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let (tell, asked) = channel();
        let serve = move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let Some(request) = Request::read(&socket) else { continue };
                let (status, body) = request.answer();
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nx-aws-ec2-metadata-token-ttl-seconds: 21600\r\n\
                     connection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = (&socket).write_all(answer.as_bytes());
                if let Some(credential) = request.credential.filter(|_| request.line.contains("/bucket"))
                    && tell.send(credential).is_err()
                {
                    return;
                }
            }
        };
        std::thread::Builder::new().spawn(serve).expect("a thread");
        Door { address, asked }
    }

    /// What a command that reads a bucket signs with in this environment (`key/day/region/s3/…`), and what it says.
    fn asked(&self, options: &str, home: &Path, variables: &[Variable<'_>]) -> (Option<String>, String) {
        let (url, here) = (
            format!("s3://bucket?endpoint=http://{}{options}", self.address),
            format!("http://{}", self.address),
        );
        let mut command = Command::new("timeout");
        command.args(["60", AQUIFER, "tier", "fsck", &url]).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path))).env("HOME", home);
        // Nothing beyond this machine is asked.
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_ENDPOINT_URL_STS", &here);
        command.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &here).envs(variables.iter().copied());
        let output = command.output().expect("it runs");
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (self.asked.recv_timeout(Duration::from_millis(100)).ok(), said)
    }
}

struct Request {
    line: String,
    /// The scope of its signature.
    credential: Option<String>,
    body: String,
}

impl Request {
    fn read(socket: &TcpStream) -> Option<Request> {
        let mut reader = BufReader::new(socket);
        let lines = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        let head: Vec<String> = lines.collect();
        let of = |name: &str| head.iter().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let bytes = of("content-length:").and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
        let mut body = vec![0; bytes];
        reader.read_exact(&mut body).ok()?;
        let signed = head.iter().find_map(|line| line.split_once("Credential="));
        let credential = signed.and_then(|(_, scope)| Some(scope.split(',').next()?.to_owned()));
        let body = String::from_utf8_lossy(&body).into_owned();
        Some(Request { line: head.first()?.clone(), credential, body })
    }

    fn answer(&self) -> (&'static str, String) {
        const OK: &str = "200 OK";
        const ROLES: &str = "GET /latest/meta-data/iam/security-credentials/";
        let told = |action: &str, key: &str| {
            format!(
                "<{action}Response><{action}Result><Credentials><AccessKeyId>{key}</AccessKeyId>\
                 <SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>\
                 <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></{action}Result></{action}Response>"
            )
        };
        match self.line.as_str() {
            line if line.starts_with("POST /") && self.body.contains("Action=AssumeRoleWithWebIdentity") => {
                (OK, told("AssumeRoleWithWebIdentity", "IDENTITY"))
            }
            line if line.starts_with("POST /") => (OK, told("AssumeRole", "ROLE")),
            line if line.starts_with("PUT /latest/api/token") => (OK, "token".to_owned()),
            line if line.starts_with(&format!("{ROLES}machine")) => (
                OK,
                r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"MACHINE","SecretAccessKey":"secret",
                    "Token":"token","LastUpdated":"2026-01-01T00:00:00Z","Expiration":"2099-01-01T00:00:00Z"}"#
                    .to_owned(),
            ),
            line if line.starts_with(ROLES) => (OK, "machine".to_owned()),
            line if line.starts_with("GET /latest/") => ("404 Not Found", String::new()),
            _ => ("403 Forbidden", String::new()),
        }
    }
}

/// A home with profiles: one with keys, one that has a program give them, one that assumes a role, and one that cannot work.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join(".aws");
    std::fs::create_dir(&folder).expect("a folder");
    let program = r#"{"Version":1,"AccessKeyId":"PROGRAM","SecretAccessKey":"secret"}"#;
    std::fs::write(folder.join("given"), program).expect("written");
    let config = format!(
        "[default]\nregion = eu-west-1\n[profile other]\nregion = eu-central-1\ncredential_process = cat {}\n\
         [profile broken]\nrole_arn = arn:aws:iam::1:role/none\n\
         [profile role]\nrole_arn = arn:aws:iam::1:role/any\nsource_profile = default\n",
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
    let cases: [(&str, &[Variable<'_>], &str, &str); 6] = [
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
fn roles_are_assumed_by_profile_by_web_identity_and_by_the_machine() {
    let (door, home, nobody) = (Door::new(), home(), tempfile::tempdir().expect("a folder"));
    let token = nobody.path().join("token");
    std::fs::write(&token, "signed by somebody").expect("written");
    let identity = [
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/any"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().expect("text")),
    ];
    let cases: [(&Path, &[Variable<'_>], &str); 3] = [
        (home.path(), &[("AWS_PROFILE", "role")], "ROLE"),
        (nobody.path(), &identity, "IDENTITY"),
        (nobody.path(), &[("AWS_EC2_METADATA_DISABLED", "false")], "MACHINE"),
    ];
    for (home, variables, key) in cases {
        let (asked, said) = door.asked("&region=us-east-1", home, variables);
        let asked = asked.unwrap_or_else(|| panic!("nobody was asked with {variables:?}: {said}"));
        assert_eq!(asked.split('/').next(), Some(key), "{variables:?}");
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
    assert!(said.contains("is not right") && said.contains("broken"), "{said}");
}
