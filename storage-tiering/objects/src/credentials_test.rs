//! Credentials that a program gives, as a profile's `credential_process` does.

use std::path::Path;

use aquifer_types::TimestampMs;
use aws_config::credential_process::CredentialProcessProvider;

use super::*;

/// 2030-01-01T00:00:00Z.
const START: TimestampMs = TimestampMs(1_893_456_000_000);
const HOUR_MS: i64 = 60 * 60 * 1_000;

/// Asks a program that notes each time it is run and answers what `answer` prints.
fn credentials(runs: &Path, answer: &str) -> Credentials {
    let command = format!("echo run >> {}; sleep 0.2; {answer}", runs.display());
    let source = SharedCredentialsProvider::new(CredentialProcessProvider::new(command));
    let runtime = Runtime::simulated(1, START);
    Credentials { source, runtime, held: Mutex::default(), turn: tokio::sync::Mutex::default() }
}

/// Run N gives key N, which is good until N o'clock.
fn answer(runs: &Path) -> String {
    let run = format!("'$(wc -l < {})'", runs.display());
    let keys = format!(r#""AccessKeyId":"{run}","SecretAccessKey":"secret","SessionToken":"token""#);
    format!(r#"echo '{{"Version":1,{keys},"Expiration":"2030-01-01T0{run}:00:00Z"}}'"#)
}

fn runs(file: &Path) -> usize {
    std::fs::read_to_string(file).unwrap_or_default().lines().count()
}

/// What this many get who ask at the same time.
async fn ask(credentials: &Arc<Credentials>, many: usize) -> Vec<Result<String, String>> {
    let asked = (0..many).map(|_| {
        let credentials = credentials.clone();
        let runtime = credentials.runtime.clone();
        runtime.spawn("ask", async move {
            let got = credentials.get_credential().await;
            got.map(|got| got.key_id.trim().to_owned()).map_err(|error| error.to_string())
        })
    });
    let asked: Vec<_> = asked.collect();
    let mut got = Vec::new();
    for one in asked {
        got.push(one.await.expect("it does not panic"));
    }
    got
}

#[tokio::test]
async fn many_who_need_credentials_have_them_asked_for_once_and_again_once_they_expire() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("runs");
    let credentials = Arc::new(credentials(&file, &answer(&file)));

    assert_eq!(ask(&credentials, 50).await, vec![Ok("1".to_owned()); 50]);
    credentials.runtime.jump_wall_clock(HOUR_MS / 2);
    assert_eq!(ask(&credentials, 50).await, vec![Ok("1".to_owned()); 50]);
    assert_eq!(runs(&file), 1, "they are good for a while");

    credentials.runtime.jump_wall_clock(HOUR_MS);
    assert_eq!(ask(&credentials, 50).await, vec![Ok("2".to_owned()); 50], "those before have expired");
    assert_eq!(runs(&file), 2, "one asked for all of them");

    // What the program gives has expired on the way: nobody can use it.
    credentials.runtime.jump_wall_clock(5 * HOUR_MS);
    let refused = ask(&credentials, 50).await;
    let is_expired =
        |got: &Result<String, String>| got.as_ref().is_err_and(|error| error.contains("expired"));
    assert!(refused.iter().all(is_expired), "{refused:?}");
    assert_eq!(runs(&file), 3, "it is believed for a while");
}

#[tokio::test]
async fn others_are_asked_for_ahead_of_the_end_and_nobody_waits_for_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("runs");
    let credentials = Arc::new(credentials(&file, &answer(&file)));
    assert_eq!(ask(&credentials, 1).await, [Ok("1".to_owned())]);
    credentials.held().asked = None;

    credentials.runtime.jump_wall_clock(HOUR_MS - 60_000);
    let mut got = ask(&credentials, 20).await;
    got.sort();

    assert_eq!(got[..19], vec![Ok("1".to_owned()); 19], "who has good ones goes on with them");
    assert_eq!(got[19], Ok("2".to_owned()), "the one who asked has the new ones");
    assert_eq!(runs(&file), 2);
    assert_eq!(ask(&credentials, 5).await, vec![Ok("2".to_owned()); 5], "and is not asked over and over");
}

#[tokio::test]
async fn a_refusal_is_believed_for_a_while_and_good_credentials_outlive_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("runs");
    let broken = folder.path().join("broken");
    let answer = format!("test ! -e {} && {}", broken.display(), answer(&file));
    let credentials = Arc::new(credentials(&file, &answer));
    std::fs::write(&broken, "").expect("a file");

    let refused = ask(&credentials, 20).await;
    assert!(refused.iter().all(Result::is_err) && runs(&file) == 1, "{refused:?}");
    assert_eq!(
        CredentialsError::behind(&credentials.get_credential().await.expect_err("none"))
            .map(|error| { matches!(error, CredentialsError::Away(_)) }),
        Some(true)
    );

    std::fs::remove_file(&broken).expect("removed");
    credentials.held().asked = None;
    assert_eq!(ask(&credentials, 20).await, vec![Ok("2".to_owned()); 20]);
    std::fs::write(&broken, "").expect("a file");
    credentials.held().asked = None;
    credentials.runtime.jump_wall_clock(2 * HOUR_MS - 60_000);
    assert_eq!(ask(&credentials, 20).await, vec![Ok("2".to_owned()); 20], "they are good for a minute");
    assert_eq!(runs(&file), 3);
}
