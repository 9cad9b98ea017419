//! Credentials as they come, and the bound of those that are kept.

use aquifer_client::{ClientSettings, ConnectionSettings, TcpConnector};
use aquifer_runtime::Runtime;

use super::*;

fn callers(callers_max: usize) -> Callers {
    let settings = ClientSettings {
        bootstrap: Vec::new(),
        connection: ConnectionSettings::default(),
        retry_for: Duration::ZERO,
    };
    let client = Client::new(Runtime::real(), Arc::new(TcpConnector), settings);
    let settings = GatewaySettings::default();
    let logins = Room::new(Runtime::real(), LOGINS_MAX, settings.admission, "another login");
    Callers { client, mechanism: Mechanism::Plain, settings, logins, callers_max, known: Mutex::default() }
}

fn read(authorization: Option<&str>, key: Option<&str>) -> Result<(Credentials, Principal), Code> {
    let shown = Shown::read(authorization, key).map_err(|refusal| refusal.code)?;
    Ok(shown.credentials(Mechanism::ScramSha256))
}

#[test]
fn users_keys_and_tokens_become_what_brokers_are_shown() {
    let alice = Credentials {
        mechanism: Mechanism::ScramSha256,
        user: "alice".to_owned(),
        password: "a:b".to_owned(),
    };
    let expected = Ok((alice, Principal::user("alice")));
    assert_eq!(read(Some("Basic YWxpY2U6YTpi"), None), expected);
    assert_eq!(read(None, Some("alice:a:b")), expected);

    let token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode("{\"sub\":\"carol\",\"exp\":1}"));
    let (credentials, principal) = read(Some(&format!("bearer {token}")), None).expect("a token");
    assert_eq!((credentials.mechanism, credentials.password), (Mechanism::OAuthBearer, token));
    assert_eq!(principal, Principal::user("carol"));

    let (_, one) = read(Some("Bearer opaque"), None).expect("a token");
    let (_, other) = read(Some("Bearer another"), None).expect("a token");
    assert_ne!(one, other, "what nobody can read speaks for itself alone");
}

#[test]
fn what_is_no_credential_is_refused() {
    for (authorization, key) in [
        (None, None),
        (Some("Basic !"), None),
        (Some("Basic YWxpY2U="), None),
        (Some("Basic OnBhc3M="), None),
        (Some("Bearer "), None),
        (Some("Bearer a\u{1}b"), None),
        (Some("Digest x"), None),
        (None, Some("no-colon")),
    ] {
        assert_eq!(read(authorization, key).err(), Some(Code::Unauthenticated), "{authorization:?} {key:?}");
    }
}

#[tokio::test]
async fn who_is_idle_makes_room_and_who_is_not_keeps_its_place() {
    let callers = callers(2);
    let enter = |number: u8| {
        let principal = Principal::user(&number.to_string());
        callers.let_in([number; 32], principal, callers.client.clone()).map(|(_, reach)| reach)
    };
    let first = enter(1).expect("there is room");
    let second = enter(2).expect("there is room");
    assert_eq!(enter(3).map(|_| ()).map_err(|refusal| refusal.code), Err(Code::TooManyRequests));
    assert!(Arc::ptr_eq(&first, &enter(1).expect("it is in")), "who is in stays who it is");

    drop(second);
    let third = enter(3).expect("the second has left");
    assert!(callers.look_up(&[2; 32]).is_none());
    assert!(callers.look_up(&[1; 32]).is_some());
    drop((first, third));
    assert_eq!(callers.reaches().len(), 2, "they come again");
}

#[test]
fn another_password_mechanism_or_user_is_another_caller() {
    let of = |mechanism, user: &str, password: &str| {
        hash(&Credentials { mechanism, user: user.to_owned(), password: password.to_owned() })
    };
    let alice = of(Mechanism::Plain, "alice", "secret");
    assert_eq!(alice, of(Mechanism::Plain, "alice", "secret"));
    assert_ne!(alice, of(Mechanism::Plain, "alice", "guess"));
    assert_ne!(alice, of(Mechanism::Plain, "bob", "secret"));
    assert_ne!(alice, of(Mechanism::ScramSha256, "alice", "secret"));
}
