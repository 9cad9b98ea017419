//! Groups: `kafka-consumer-groups`, `kafka-groups`, and the console consumer as a member.

use super::{Tools, tells};
use crate::harness::{Node, Ports, create_topic, data_dir, pause, run_ok, skip_without};
use crate::jars::{Jars, Program};

const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const PROMPT: &str = "[groups]\ninitial_rebalance_delay = \"0s\"\n";

/// A console consumer that reads on.
fn reader(jars: &Jars, node: &Node, group: &str, protocol: &str) -> Program {
    let protocol = format!("group.protocol={protocol}");
    let from = ["--bootstrap-server", &node.kafka, "--topic", "read", "--from-beginning"];
    jars.start(CONSUMER, &[&from[..], &["--group", group, "--command-property", &protocol]].concat())
}

fn wait_for(tools: &Tools<'_>, arguments: &[&str], words: &str) -> String {
    let mut printed = String::new();
    for _ in 0..30 {
        printed = tools.run(GROUPS, arguments, "").1;
        if printed.contains(words) {
            return printed;
        }
        pause();
    }
    panic!("{arguments:?} never told {words:?}: {printed}");
}

#[test]
fn groups_are_administered_with_apache_kafkas_tools() {
    if skip_without("kcat") {
        return;
    }
    let Some(jars) = Jars::installed() else { return };
    let data = data_dir();
    let node = Node::begin_server(data.path(), Ports::free(), PROMPT).ready();
    create_topic(&node.kafka, "read", 1, &[]);
    let lines: String = (0..50).map(|n| format!("{n}\n")).collect();
    run_ok("kcat", &["-b", &node.kafka, "-P", "-t", "read", "-p", "0"], &lines);
    let tools = Tools::of(&jars, &node);

    for (group, protocol) in [("old", "classic"), ("new", "consumer")] {
        let reader = reader(&jars, &node, group, protocol);
        let described =
            wait_for(&tools, &["--describe", "--group", group], " 50              50              0 ");
        tells(&described, &["read", "console-consumer"]);
        let members = tools.does(GROUPS, &["--describe", "--group", group, "--members", "--verbose"]);
        tells(&members, &["console-consumer", "read"]);
        tells(&tools.does(GROUPS, &["--describe", "--group", group, "--state"]), &["Stable"]);
        let reset = ["--reset-offsets", "--group", group, "--topic", "read", "--to-offset", "7"];
        tools.refuses(
            GROUPS,
            &[&reset[..], &["--execute"]].concat(),
            "is inactive, but the current state is Stable",
        );
        tools.refuses(GROUPS, &["--delete", "--group", group], "GroupNotEmptyException");
        reader.end();

        wait_for(&tools, &["--describe", "--group", group, "--state"], "Empty");
        tells(&tools.does(GROUPS, &[&reset[..], &["--dry-run"]].concat()), &["NEW-OFFSET", " 7"]);
        let described = tools.does(GROUPS, &["--describe", "--group", group]);
        tells(&described, &[" 50              50              0 "]);
        tools.does(GROUPS, &[&reset[..], &["--execute"]].concat());
        let described = tools.does(GROUPS, &["--describe", "--group", group]);
        tells(&described, &[" 7               50              43 "]);
    }

    tells(&tools.does(GROUPS, &["--list", "--state"]), &["old", "new", "Empty"]);
    let listed = tools.does("org.apache.kafka.tools.GroupsCommand", &["--list"]);
    tells(&listed, &["Classic", "Consumer"]);
    tells(&tools.does(GROUPS, &["--delete-offsets", "--group", "new", "--topic", "read"]), &["Successful"]);
    tools.does(GROUPS, &["--delete", "--group", "old"]);
    assert!(!tools.does(GROUPS, &["--list"]).contains("old"));
}
