//! The cluster: `kafka-metadata-quorum`, `kafka-features`, `kafka-cluster`, `kafka-broker-api-versions`, and the tools for
//! what is not there.

use super::{Tools, tells};
use crate::harness::{Node, data_dir};
use crate::jars::Jars;

pub(super) fn cluster(tools: &Tools<'_>) {
    let quorum = "org.apache.kafka.tools.MetadataQuorumCommand";
    let status = tools.does(quorum, &["describe", "--status"]);
    tells(
        &status,
        &["LeaderId:               0", "MaxFollowerLag:         0", "CurrentVoters:", &tools.bootstrap],
    );
    tells(&tools.does(quorum, &["describe", "--replication"]), &["Leader"]);
    let features = tools.does("org.apache.kafka.tools.FeatureCommand", &["describe"]);
    tells(&features, &["FinalizedVersionLevel"]);
    let versions = tools.does("org.apache.kafka.tools.BrokerApiVersionsCommand", &[]);
    tells(&versions, &["Produce(0): 0 to 13 [usable: 13]", "ConsumerGroupHeartbeat(68): "]);
    let reassign = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";
    tells(&tools.does(reassign, &["--list"]), &["No partition reassignments found."]);
    let cluster = "org.apache.kafka.tools.ClusterTool";
    for (operation, words) in [("cluster-id", "Cluster ID: "), ("list-endpoints", "unfenced")] {
        let (well, printed) =
            tools.jars.run(cluster, &[operation, "--bootstrap-server", &tools.bootstrap], "");
        assert!(well && printed.contains(words), "{printed}");
    }
}

#[test]
fn what_is_not_there_is_refused_in_words() {
    let Some(jars) = Jars::installed() else { return };
    let data = data_dir();
    let node = Node::start(data.path());
    let tools = Tools::of(&jars, &node);

    tools.refuses(
        "org.apache.kafka.tools.TransactionsCommand",
        &["list"],
        "does not support LIST_TRANSACTIONS",
    );
    tools.refuses("org.apache.kafka.tools.AclCommand", &["--list"], "SecurityDisabledException");
    let elect = ["--election-type", "preferred", "--all-topic-partitions"];
    tools.refuses("org.apache.kafka.tools.LeaderElectionCommand", &elect, "does not support ELECT_LEADERS");
}
