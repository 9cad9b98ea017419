//! The bytes of every command and of a snapshot, as they were first written: later versions must read them.
//!
//! `UPDATE_GOLDEN=1 cargo test -p aquifer-metadata golden` writes the files anew.

use std::fmt::Write as _;
use std::path::Path;

use aquifer_manifest::{BundleKey, ObjectKey, TierRange};
use aquifer_types::{
    BrokerEpoch, LeaderEpoch, NodeId, Offset, PartitionEpoch, PartitionIndex, TimestampMs, TopicPartition,
};

use crate::codec::{DecodeError, decode_command, decode_snapshot, encode_command, encode_snapshot};
use crate::command::{
    AllocateProducerIds, AlterConfig, AlterPartition, AlterPartitions, BrokerRun, Change, Command,
    ConfigChange, ConfigOperation, ConfigSetting, FeatureUpdate, Fence, FenceIf, NewPartitions,
    RecoveryVerdict, TierAdd, TierCommit, TierDelete, TierDeleteReplaced, TierMove, TierReplace, TierStretch,
    TierTrim, TopicKey, UndeleteTopic, Verdict,
};
use crate::config::ConfigResource;
use crate::features::METADATA_FEATURE;
use crate::partition::RecoveryState;
use crate::producer_ids::ProducerPrefix;
use crate::state::State;
use crate::state::fixture::{init, name, new_topic, registration, topic_id};

/// One of each kind; applied in order they also make the snapshot.
fn samples() -> Vec<(&'static str, Command)> {
    let run = BrokerRun { node: NodeId(0), epoch: BrokerEpoch(3) };
    let at = TopicPartition { topic: topic_id(1), partition: PartitionIndex(0) };
    let mut register = registration(0, 1);
    register.rack = Some("a".to_owned());
    register.clean_epoch = Some(BrokerEpoch(300));
    register.verdicts = vec![RecoveryVerdict { partition: at, verdict: Verdict::TornTail }];
    let mut topic = new_topic("orders.v1", 1, &[&[0], &[0]]);
    topic.replication_default = true;
    topic.configs = vec![ConfigSetting { name: "retention.ms".to_owned(), value: Some("5".to_owned()) }];
    let deleted = new_topic("gone", 2, &[&[0]]);
    let tiered = TierMove { partition: at, leader_epoch: LeaderEpoch(0), offset: Offset(0) };
    let range = |base: i64, end: i64| TierAdd {
        at: TierMove { offset: Offset(base), ..tiered },
        range: TierRange {
            base: Offset(base),
            end: Offset(end),
            bytes: 1_000,
            footer_bytes: 200,
            max_timestamp: TimestampMs(1_700_000_000_000),
            leader_epoch: LeaderEpoch(0),
            generation: 3,
            nonce: 0x0123_4567_89ab_cdef,
            position: 0,
        },
    };
    let rewrite = |base, end, nonce| TierRange { bytes: 400, nonce, ..range(base, end).range };
    let replaced = ObjectKey::of(&range(10, 30).range);
    let bundle = BundleKey::drawn(3, 0x0123_4567_89ab_cdef);
    let bundled = {
        let mut add = range(30, 40);
        add.range = TierRange { nonce: bundle.nonce_of(0), position: 16, ..add.range };
        add
    };
    let change = |name: &str, operation, value: &str| ConfigChange {
        name: name.to_owned(),
        operation,
        value: Some(value.to_owned()),
    };
    let alter = |resource, change| AlterConfig { resource, replace: false, changes: vec![change] };
    let changes = [
        ("tick", Change::Tick),
        ("init-cluster", init()),
        ("register-broker", Change::RegisterBroker(register)),
        ("unfence-broker", Change::UnfenceBroker(run)),
        ("create-topics", Change::CreateTopics(vec![topic, deleted])),
        (
            "delete-topics",
            Change::DeleteTopics(vec![TopicKey::Id(topic_id(2)), TopicKey::Name(name("none"))]),
        ),
        (
            "create-partitions",
            Change::CreatePartitions(vec![NewPartitions {
                topic: name("orders.v1"),
                expected: 2,
                partitions: new_topic("x", 9, &[&[0]]).partitions,
            }]),
        ),
        (
            "alter-configs",
            Change::AlterConfigs(vec![
                alter(
                    ConfigResource::Topic(name("orders.v1")),
                    change("cleanup.policy", ConfigOperation::Append, "compact"),
                ),
                alter(
                    ConfigResource::Broker(None),
                    change("message.max.bytes", ConfigOperation::Set, "2000000"),
                ),
                alter(
                    ConfigResource::Group("g".to_owned()),
                    change("consumer.session.timeout.ms", ConfigOperation::Set, "60000"),
                ),
            ]),
        ),
        (
            "allocate-producer-ids",
            Change::AllocateProducerIds(AllocateProducerIds {
                run,
                count: 1000,
                spare_prefix: ProducerPrefix::new(5).expect("a prefix"),
            }),
        ),
        (
            "alter-partitions",
            Change::AlterPartitions(AlterPartitions {
                run,
                partitions: vec![AlterPartition {
                    partition: at,
                    leader_epoch: LeaderEpoch(0),
                    partition_epoch: PartitionEpoch(0),
                    isr: vec![run],
                    recovery: RecoveryState::Recovered,
                }],
            }),
        ),
        (
            "update-features",
            Change::UpdateFeatures(vec![FeatureUpdate {
                name: METADATA_FEATURE.to_owned(),
                level: 1,
                allow_downgrade: false,
            }]),
        ),
        ("tier-commit", Change::TierCommit(TierCommit { run, ranges: vec![range(0, 10), range(10, 30)] })),
        (
            "tier-trim",
            Change::TierTrim(TierTrim { run, starts: vec![TierMove { offset: Offset(12), ..tiered }] }),
        ),
        ("tier-delete", Change::TierDelete(TierDelete { grace_ms: 0, upto: vec![(at, Offset(10))] })),
        ("tier-forget", Change::TierForget(vec![(at, Offset(10))])),
        ("fence-broker", Change::FenceBroker(run)),
        (
            "undelete-topic",
            Change::UndeleteTopic(UndeleteTopic {
                deleted: topic_id(2),
                topic: new_topic("gone", 3, &[&[0]]),
            }),
        ),
        ("unfence-broker-again", Change::UnfenceBroker(run)),
        (
            "fence",
            Change::Fence(Fence {
                run,
                partition: at,
                // Nobody led while the broker was fenced.
                leader_epoch: LeaderEpoch(2),
                token: Some("writer-2".parse().expect("a token")),
                condition: FenceIf::Is(None),
            }),
        ),
        (
            "tier-replace",
            Change::TierReplace(TierReplace {
                run,
                stretches: vec![TierStretch {
                    at: TierMove { offset: Offset(10), ..tiered },
                    ranges: vec![rewrite(10, 20, 1), rewrite(20, 30, 2)],
                }],
            }),
        ),
        (
            "tier-delete-replaced",
            Change::TierDeleteReplaced(TierDeleteReplaced { grace_ms: 0, upto: vec![(at, replaced)] }),
        ),
        ("tier-forget-replaced", Change::TierForgetReplaced(vec![(at, ObjectKey { nonce: 9, ..replaced })])),
        ("tier-commit-bundle", Change::TierCommit(TierCommit { run, ranges: vec![bundled] })),
        ("tier-forget-bundles", Change::TierForgetBundles(vec![bundle, BundleKey::drawn(3, 1 << 20)])),
    ];
    (0..).zip(changes).map(|(at, (name, change))| (name, command(at, change))).collect()
}

fn command(at: i64, change: Change) -> Command {
    Command { time: TimestampMs(1_700_000_000_000 + at), change }
}

/// The state that samples make, but for those that are about replaced ranges and bundles.
fn state() -> State {
    state_of(|samples| samples.retain(|(name, _)| !REPLACING.contains(name) && !BUNDLING.contains(name)))
}

const BUNDLING: [&str; 2] = ["tier-commit-bundle", "tier-forget-bundles"];
/// Whoever is fenced leads nothing: it replaces and bundles nothing.
const FENCING: [&str; 2] = ["fence-broker", "undelete-topic"];

const REPLACING: [&str; 3] = ["tier-replace", "tier-delete-replaced", "tier-forget-replaced"];

fn state_of(choose: impl FnOnce(&mut Vec<(&'static str, Command)>)) -> State {
    let mut chosen = samples();
    choose(&mut chosen);
    let mut state = State::new();
    for (index, (_, command)) in (1..).zip(chosen) {
        state.apply(index, &command, &mut Vec::new());
    }
    state
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.bytes().filter_map(|byte| char::from(byte).to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The file as it is checked in, after writing it if that was asked for.
fn golden(file: &str, now: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, now).expect("write the golden file");
    }
    std::fs::read_to_string(&path).expect("read the golden file")
}

#[test]
fn golden_commands_are_written_and_read_as_ever() {
    let now = samples().iter().fold(String::new(), |text, (name, command)| {
        let mut bytes = Vec::new();
        encode_command(command, &mut bytes);
        text + &format!("{name} {}\n", hex(&bytes))
    });

    let golden = golden("commands.txt", &now);

    assert_eq!(now, golden);
    for ((name, command), line) in samples().into_iter().zip(golden.lines()) {
        let bytes = unhex(line.strip_prefix(name).expect("in order"));
        assert_eq!(decode_command(&bytes), Ok(command), "{name}");
    }
}

#[test]
fn a_golden_snapshot_is_written_and_read_as_ever() {
    let replaced = state_of(|samples| {
        samples.retain(|(name, _)| !FENCING.contains(name) && !BUNDLING.contains(name));
    });
    let bundled = state_of(|samples| samples.retain(|(name, _)| !FENCING.contains(name)));
    assert!(bundled.image().bundles().next().is_some());
    let files =
        [("snapshot.txt", state()), ("snapshot-replaced.txt", replaced), ("snapshot-bundle.txt", bundled)];
    for (file, state) in files {
        let bytes = encode_snapshot(state.image());
        let lines: Vec<String> = bytes.chunks(50).map(hex).collect();
        let now = lines.join("\n") + "\n";

        let golden = golden(file, &now);

        assert_eq!(now, golden);
        assert_eq!(decode_snapshot(&unhex(&golden)), Ok(state));
    }
}

#[test]
fn bytes_of_a_later_version_stop_the_node() {
    let mut bytes = Vec::new();
    encode_command(&samples()[0].1, &mut bytes);
    let mut newer_kind = bytes.clone();
    newer_kind[0] = 99;
    let mut newer_version = bytes.clone();
    newer_version[1] = 2;
    let mut longer = bytes.clone();
    longer.push(0);

    assert_eq!(decode_command(&newer_kind), Err(DecodeError::UnknownKind(99)));
    let refusal = DecodeError::UnknownVersion { kind: 1, version: 2, known: 1 };
    assert_eq!(decode_command(&newer_version), Err(refusal));
    assert_eq!(decode_command(&longer), Err(DecodeError::Trailing));
    assert_eq!(decode_command(&bytes[..bytes.len() - 1]), Err(DecodeError::Truncated));
}

#[test]
fn tagged_fields_of_a_later_version_are_skipped() {
    let (_, command) = samples().remove(0);
    let mut bytes = Vec::new();
    encode_command(&command, &mut bytes);
    bytes.pop();

    // One field, tag 7, three bytes.
    bytes.extend([1, 7, 3, 0xaa, 0xbb, 0xcc]);

    assert_eq!(decode_command(&bytes), Ok(command));
}

#[test]
fn a_snapshot_that_was_cut_is_refused() {
    let bytes = encode_snapshot(state().image());
    for length in 0..bytes.len() {
        assert!(decode_snapshot(&bytes[..length]).is_err(), "cut to {length} bytes");
    }
}
