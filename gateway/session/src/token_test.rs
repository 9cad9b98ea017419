//! Tokens as clients hold them: only an unchanged one, of this cluster, this principal and this time, opens.

use aquifer_types::{
    ClusterId, Offset, PartitionIndex, ProducerId, TimestampMs, TopicId, TopicPartition, Uuid,
};
use proptest::prelude::*;

use crate::cursor::Progress;
use crate::idempotency::OneShot;
use crate::instance::{Instance, Reads};
use crate::keys::{Keys, SecretsError, TokenError};
use crate::places::{Positions, Tenures};
use crate::producer::ProducerSession;
use crate::session::{OWNED_MAX, Session, StartAt, cluster_named, member_named};

const CLUSTER: ClusterId = ClusterId(Uuid::from_bytes([9; 16]));
const NOW: TimestampMs = TimestampMs(1_000_000);
const NONCE: [u8; 12] = [3; 12];

fn keys(secrets: &[&str]) -> Keys {
    Keys::from_secrets(secrets.iter().map(|secret| secret.as_bytes())).expect("secrets")
}

fn old_and_new() -> (Keys, Keys, Keys) {
    let (old, new) = ("the secret of last year", "the secret of this year");
    (keys(&[old]), keys(&[new, old]), keys(&[new]))
}

fn owned(count: i32) -> Tenures {
    let topic = TopicId(Uuid::from_bytes([7; 16]));
    (0..count).map(|index| (TopicPartition { topic, partition: PartitionIndex(index) }, 2)).collect()
}

fn session() -> Session {
    Session {
        cluster: CLUSTER,
        principal: "User:ann".to_owned(),
        group: "billing".to_owned(),
        member: "m-1".to_owned(),
        instance: Some("rack 7".to_owned()),
        epoch: 12,
        topics: vec!["orders".to_owned(), "refunds".to_owned()],
        start: StartAt::Time(TimestampMs(5)),
        owned: Some(owned(3)),
        tenure: 7,
        ttl_ms: 60_000,
        expires_at: TimestampMs(1_060_000),
    }
}

fn producer() -> ProducerSession {
    ProducerSession {
        cluster: CLUSTER,
        principal: "User:ann".to_owned(),
        id: ProducerId(4_000_000_001),
        topic: TopicId(Uuid::from_bytes([7; 16])),
        partitions: 12,
    }
}

fn opened(keys: &Keys, token: &str) -> Result<Session, TokenError> {
    Session::open(keys, token, CLUSTER, "User:ann", NOW)
}

#[test]
fn a_session_opens_as_it_was_sealed_at_every_gateway_with_the_key() {
    let (old, both, new) = old_and_new();

    let (by_old, by_both) = (session().seal(&old, NONCE), session().seal(&both, NONCE));

    assert_eq!(opened(&old, &by_old), Ok(session()));
    assert_eq!(opened(&both, &by_old), Ok(session()));
    assert_eq!(opened(&new, &by_old), Err(TokenError::UnknownKey));
    assert_eq!(opened(&new, &by_both), Ok(session()), "the first secret seals");
}

#[test]
fn a_token_opens_for_its_principal_in_its_cluster_while_it_lasts() {
    let (keys, _, _) = old_and_new();
    let token = session().seal(&keys, NONCE);
    let open = |cluster, principal, now| Session::open(&keys, &token, cluster, principal, TimestampMs(now));

    let elsewhere = ClusterId(Uuid::from_bytes([8; 16]));
    assert_eq!(open(elsewhere, "User:ann", 0), Err(TokenError::OtherCluster));
    assert_eq!(open(CLUSTER, "User:bob", 0), Err(TokenError::OtherPrincipal));
    assert!(open(CLUSTER, "User:ann", 1_059_999).is_ok());
    let at = TimestampMs(1_060_000);
    assert_eq!(open(CLUSTER, "User:ann", 1_060_000), Err(TokenError::Expired { at }));
    assert_eq!(open(CLUSTER, "User:ann", 9_000_000), Err(TokenError::Expired { at }));
}

#[test]
fn a_token_of_one_kind_is_none_of_the_other() {
    let (keys, _, _) = old_and_new();
    let (token, id) = (session().seal(&keys, NONCE), producer().seal(&keys, NONCE));

    assert_eq!(ProducerSession::open(&keys, &id, CLUSTER, "User:ann"), Ok(producer()));
    assert_eq!(ProducerSession::open(&keys, &token, CLUSTER, "User:ann"), Err(TokenError::OtherKind));
    assert_eq!(opened(&keys, &id), Err(TokenError::OtherKind));
    let stranger = ProducerSession::open(&keys, &id, CLUSTER, "User:bob");
    assert_eq!(stranger, Err(TokenError::OtherPrincipal));
}

#[test]
fn an_instance_opens_as_it_was_sealed_in_its_cluster() {
    let (keys, _, new) = old_and_new();
    let positions = owned(4).keys().map(|place| (*place, Offset(7))).collect();
    let chosen = Reads::Chosen(vec![("orders".to_owned(), 3)]);
    for reads in [Reads::Nothing, Reads::Topics, Reads::Pattern("or.*".to_owned()), chosen] {
        let instance = Instance {
            name: "mine".to_owned(),
            is_json: true,
            commits_itself: false,
            wait_ms: 1_000,
            reads,
            session: session(),
            progress: Progress { tenure: 7, positions: Positions::clone(&positions) },
        };

        let text = instance.seal(&keys, NONCE);

        assert_eq!(Instance::open(&keys, &text, CLUSTER), Ok(instance));
        assert_eq!(Instance::open(&new, &text, CLUSTER), Err(TokenError::UnknownKey));
        let elsewhere = Instance::open(&keys, &text, ClusterId(Uuid::from_bytes([8; 16])));
        assert_eq!(elsewhere, Err(TokenError::OtherCluster));
        assert_eq!(opened(&keys, &text), Err(TokenError::OtherKind));
    }
}

#[test]
fn more_partitions_than_a_token_carries_are_left_out() {
    let (keys, _, _) = old_and_new();
    let max = i32::try_from(OWNED_MAX).expect("few");
    let owning = |count| Session { owned: Some(owned(count)), ..session() };

    let most = owning(max);
    assert_eq!(opened(&keys, &most.seal(&keys, NONCE)), Ok(most));
    let too_many = opened(&keys, &owning(max + 1).seal(&keys, NONCE));
    assert_eq!(too_many, Ok(Session { owned: None, ..session() }));
}

#[test]
fn secrets_are_lines_and_weak_ones_are_refused() {
    let (long, longer) = ("0123456789abcdef", "0123456789abcdef0");
    assert!(Keys::from_lines(&format!("# of May\n{long}\n\n {longer} \n")).is_ok());
    for (text, refusal) in [
        (String::new(), SecretsError::Empty),
        ("# nothing\n".to_owned(), SecretsError::Empty),
        (format!("{long}\nshort"), SecretsError::Short(2)),
        (format!("{long}\n{long}"), SecretsError::Twice(2)),
        ((0..9).map(|index| format!("{long}{index}\n")).collect(), SecretsError::TooMany),
    ] {
        assert_eq!(Keys::from_lines(&text).expect_err("refused"), refusal, "{text:?}");
    }
}

#[test]
fn clusters_and_members_have_the_same_ids_everywhere() {
    let own = CLUSTER.to_string();
    assert_eq!(cluster_named(&own), CLUSTER);
    assert_eq!(cluster_named("my kafka"), cluster_named("my kafka"));
    assert_ne!(cluster_named("my kafka"), cluster_named("your kafka"));

    let member = member_named("User:ann", "billing", "till-3");
    assert!(member.starts_with("till-3."));
    assert_eq!(member, member_named("User:ann", "billing", "till-3"));
    assert_ne!(member, member_named("User:bob", "billing", "till-3"));
    assert_ne!(member_named("a", "bc", "d"), member_named("ab", "c", "d"));
}

proptest! {
    #[test]
    fn a_changed_token_never_opens(which in any::<prop::sample::Index>(), letter in "[a-zA-Z0-9_-]") {
        let (keys, _, _) = old_and_new();
        let mut token = session().seal(&keys, NONCE);
        let at = which.index(token.len());
        prop_assume!(token[at..=at] != letter);
        token.replace_range(at..=at, &letter);

        prop_assert!(opened(&keys, &token).is_err());
    }

    #[test]
    fn a_token_cut_short_or_made_up_never_opens(
        which in any::<prop::sample::Index>(),
        made_up in "[a-zA-Z0-9_-]{0,200}",
    ) {
        let (keys, _, _) = old_and_new();
        let token = session().seal(&keys, NONCE);

        prop_assert!(opened(&keys, &token[..which.index(token.len())]).is_err());
        prop_assert!(opened(&keys, &made_up).is_err());
    }

    #[test]
    fn derived_producers_are_none_that_a_cluster_hands_out(principal in ".*", key in ".*", count in 1..64_u32) {
        let topic = TopicId(Uuid::from_bytes([7; 16]));
        let one = OneShot::of(&principal, topic, &key);

        prop_assert!(one.id.0 >= 1 << 62);
        prop_assert_eq!(one, OneShot::of(&principal, topic, &key));
        prop_assert!(one.partition(count).is_some_and(|index| (0..count.cast_signed()).contains(&index.0)));
        prop_assert_eq!(one.partition(0), None);
        let moved = OneShot::of(&format!("{principal}x"), topic, &key);
        prop_assert_ne!(one.id, moved.id);
        let shifted = OneShot::of(&principal, topic, &format!("{key}x"));
        prop_assert_ne!(one.id, shifted.id);
    }
}
