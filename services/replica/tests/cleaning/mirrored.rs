//! Cleaning a log that is in the tier too.

use std::collections::BTreeMap;

use aquifer_replica::{LocalRetention, ReplicaConfig};
use aquifer_types::Offset;

use crate::node::{Node, Row, config, disk, on_simulated_time};
use crate::{fill, latest};

fn mirrored() -> ReplicaConfig {
    ReplicaConfig { local: Some(LocalRetention::default()), ..config() }
}

fn ends(node: &Node) -> Vec<Offset> {
    node.replica.tiered_files().expect("it leads").files.iter().map(|file| file.end).collect()
}

/// Has everything that is closed in the tier, whose first offset is given.
fn tier_all(node: &Node, start: Offset) -> Offset {
    let end = *ends(node).last().expect("something is closed");
    node.replica.set_tier(start, end);
    end
}

#[test]
fn a_record_goes_only_once_the_tier_has_the_one_that_supersedes_it() {
    on_simulated_time(async {
        let node = Node::start(&disk(), 3);
        node.replica.configure(mirrored());
        fill(&node, 100).await;
        let before = node.read_all();
        assert!(node.clean().await.is_none(), "nothing is in the tier");
        let tier_end = ends(&node)[5];
        node.replica.set_tier(Offset(0), tier_end);

        node.clean().await.expect("something is in the tier");

        let after = node.read_all();
        let tiered = |rows: &[Row]| -> BTreeMap<String, Option<String>> {
            let tiered: Vec<Row> = rows.iter().filter(|row| row.offset < tier_end.0).cloned().collect();
            latest(&tiered)
        };
        assert!(after.len() < before.len(), "what is superseded in the tier went");
        assert_eq!(tiered(&after), tiered(&before));
        let beyond = |rows: &[Row]| rows.iter().filter(|row| row.offset >= tier_end.0).count();
        assert_eq!(beyond(&after), beyond(&before));
    });
}

#[test]
fn tombstones_stay_while_the_tier_alone_has_what_they_stand_against() {
    on_simulated_time(async {
        for only_in_tier in [true, false] {
            let node = Node::start(&disk(), 4);
            let drops = LocalRetention { bytes: Some(0), ms: None };
            node.replica.configure(ReplicaConfig { local: Some(drops), compaction: None, ..config() });
            fill(&node, 60).await;
            tier_all(&node, Offset(0));
            node.replica.keep(node.runtime.now().wall);
            node.pause(100).await;
            let local_start = node.replica.describe().local_start;
            assert!(local_start > Offset(0), "some is in the tier alone");
            let start = if only_in_tier { Offset(0) } else { local_start };

            node.replica.configure(mirrored());
            let tombstone = node.append(&[("gone", None), ("k0", Some("v"))]).await.base;
            for _ in 0..3 {
                fill(&node, 60).await;
                tier_all(&node, start);
                node.clean().await.expect("it is dirty");
                node.pause(5_000).await;
            }

            let found = node.first_from(tombstone.0).filter(|row| row.offset == tombstone.0);
            let expected =
                only_in_tier.then(|| Row { offset: tombstone.0, key: "gone".to_owned(), value: None });
            assert_eq!(found, expected, "only in the tier: {only_in_tier}");
        }
    });
}
