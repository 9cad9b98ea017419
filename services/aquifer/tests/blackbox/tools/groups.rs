//! Groups: `kafka-consumer-groups`, `kafka-groups`, and console consumers as members.

use std::collections::BTreeMap;

use super::console::CONSUMER;
use super::{Tools, tells};
use crate::harness::{create_topic, pause, run_ok};
use crate::jars::Program;

const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

/// A console consumer that reads on.
fn reader(tools: &Tools<'_>, topic: &str, group: &str, property: &str) -> Program {
    let from = ["--bootstrap-server", &tools.bootstrap, "--topic", topic, "--from-beginning"];
    let group = ["--group", group, "--command-property", property];
    tools.jars.start(CONSUMER, &[&from[..], &group].concat())
}

/// Asks the tool again until it tells what is waited for.
fn wait_for<T>(tools: &Tools<'_>, arguments: &[&str], found: impl Fn(&str) -> Option<T>) -> T {
    let mut printed = String::new();
    for _ in 0..40 {
        printed = tools.run(GROUPS, arguments, "").1;
        if let Some(found) = found(&printed) {
            return found;
        }
        pause();
    }
    panic!("{arguments:?} never told what was waited for: {printed}");
}

pub(super) fn group(tools: &Tools<'_>, protocol: &str) {
    let (topic, group) = (format!("read-{protocol}"), format!("{protocol}-readers"));
    create_topic(&tools.bootstrap, &topic, 1, &[]);
    let lines: String = (0..50).map(|n| format!("{n}\n")).collect();
    run_ok("kcat", &["-b", &tools.bootstrap, "-P", "-t", &topic, "-p", "0"], &lines);
    let describe = ["--describe", "--group", &group];
    let state = ["--describe", "--group", &group, "--state"];
    let reset = ["--reset-offsets", "--group", &group, "--topic", &topic, "--to-offset", "7"];
    let says = |words: &'static str| move |printed: &str| printed.contains(words).then_some(());

    let reader = reader(tools, &topic, &group, &format!("group.protocol={protocol}"));
    wait_for(tools, &describe, says(" 50              50              0 "));
    let members = tools.does(GROUPS, &[&describe[..], &["--members", "--verbose"]].concat());
    tells(&members, &["console-consumer", &topic]);
    tells(&tools.does(GROUPS, &state), &["Stable"]);
    let refusal = "is inactive, but the current state is Stable";
    tools.refuses(GROUPS, &[&reset[..], &["--execute"]].concat(), refusal);
    tools.refuses(GROUPS, &["--delete", "--group", &group], "GroupNotEmptyException");
    reader.end();

    wait_for(tools, &state, says("Empty"));
    tells(&tools.does(GROUPS, &[&reset[..], &["--dry-run"]].concat()), &["NEW-OFFSET", " 7"]);
    tells(&tools.does(GROUPS, &describe), &[" 50              50              0 "]);
    tools.does(GROUPS, &[&reset[..], &["--execute"]].concat());
    tells(&tools.does(GROUPS, &describe), &[" 7               50              43 "]);
    tells(&tools.does(GROUPS, &["--list", "--state"]), &[&group, "Empty"]);
    let kind = if protocol == "classic" { "Classic" } else { "Consumer" };
    tells(&tools.does("org.apache.kafka.tools.GroupsCommand", &["--list"]), &[&group, kind]);
    let deleted = tools.does(GROUPS, &["--delete-offsets", "--group", &group, "--topic", &topic]);
    tells(&deleted, &["Successful"]);
    tools.does(GROUPS, &[&reset[..], &["--execute"]].concat());
    tools.does(GROUPS, &["--delete", "--group", &group]);
    assert!(!tools.does(GROUPS, &["--list"]).contains(&group));
}

/// Member id and assignment of each static member, once two have one partition each.
fn static_members(printed: &str) -> Option<BTreeMap<String, (String, String)>> {
    let members: BTreeMap<String, (String, String)> = printed
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let instance = words.iter().find(|word| matches!(**word, "left" | "right"))?;
            let assigned = words.iter().find(|word| word.starts_with("fixed"))?;
            Some(((*instance).to_owned(), ((*words.get(1)?).to_owned(), (*assigned).to_owned())))
        })
        .collect();
    (members.len() == 2).then_some(members)
}

pub(super) fn static_member(tools: &Tools<'_>) {
    create_topic(&tools.bootstrap, "fixed", 2, &[]);
    let start =
        |instance: &str| reader(tools, "fixed", "fixed-readers", &format!("group.instance.id={instance}"));
    let describe = ["--describe", "--group", "fixed-readers", "--members", "--verbose"];
    let (_left, right) = (start("left"), start("right"));
    let before = wait_for(tools, &describe, static_members);

    // Killed: nobody is told that it left.
    drop(right);
    let _right = start("right");
    let after = wait_for(tools, &describe, |printed| {
        static_members(printed).filter(|after| after["right"].0 != before["right"].0)
    });

    assert_eq!(after["left"], before["left"]);
    assert_eq!(after["right"].1, before["right"].1);
}
