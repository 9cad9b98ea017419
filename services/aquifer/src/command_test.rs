//! The contract of the command line, checked on the tree of commands itself.

use clap::{Command, CommandFactory as _, Parser as _};

use crate::command::Cli;

/// Commands that change nothing.
const READS: &[&str] = &[
    "topic list",
    "topic describe",
    "topic config get",
    "topic offsets",
    "consume",
    "group list",
    "group describe",
    "group lag",
    "cluster describe",
    "cluster quorum",
    "cluster disks",
    "cluster features",
    "cluster apis",
    "config get",
    "context list",
    "context show",
    "completion",
    "tier show",
    "tier fsck",
    "tier estimate",
];

/// Commands that change something, each of which can say beforehand what it would do.
const CHANGES: &[&str] = &[
    "topic create",
    "topic delete",
    "topic undelete",
    "topic add-partitions",
    "topic config set",
    "topic config unset",
    "topic trim",
    "produce",
    "group reset",
    "group delete",
    "group delete-offsets",
    "tier flush",
    "config set",
    "config unset",
    "context set",
    "context use",
    "context delete",
    "restore",
];

/// What speaks to a bucket instead of a cluster, or of one.
const BUCKET: &[&str] = &["restore", "tier fsck", "tier estimate"];

/// Programs that run until they are stopped, and what works on this machine's files alone.
const OFFLINE: &[&str] =
    &["dev", "server", "gateway", "tier mount", "config check", "config default", "log verify", "log dump"];

/// Every command that does something, by its words.
fn leaves() -> Vec<(String, Command)> {
    fn walk(prefix: &str, command: &Command, found: &mut Vec<(String, Command)>) {
        let below: Vec<&Command> = command.get_subcommands().filter(|sub| sub.get_name() != "help").collect();
        if below.is_empty() {
            found.push((prefix.trim().to_owned(), command.clone()));
        }
        for sub in below {
            walk(&format!("{prefix} {}", sub.get_name()), sub, found);
        }
    }
    let mut tree = Cli::command();
    tree.build();
    let mut found = Vec::new();
    walk("", &tree, &mut found);
    found
}

fn has(command: &Command, argument: &str) -> bool {
    command.get_arguments().any(|it| it.get_long() == Some(argument))
}

#[test]
fn every_command_is_known_to_read_or_to_change() {
    let mut listed: Vec<&str> = [READS, CHANGES, OFFLINE].concat();
    listed.sort_unstable();
    let leaves = leaves();
    let mut found: Vec<&str> = leaves.iter().map(|(words, _)| words.as_str()).collect();
    found.sort_unstable();

    assert_eq!(found, listed);
}

#[test]
fn what_changes_something_can_say_so_beforehand_and_what_does_not_need_not() {
    for (words, command) in leaves() {
        assert_eq!(has(&command, "dry-run"), CHANGES.contains(&words.as_str()), "{words}");
    }
}

#[test]
fn every_command_writes_tables_and_json() {
    for (words, command) in leaves().into_iter().filter(|(words, _)| !OFFLINE.contains(&words.as_str())) {
        let output = command.get_arguments().find(|it| it.get_long() == Some("output"));
        let output = output.unwrap_or_else(|| panic!("{words} has no -o"));
        let formats: Vec<String> =
            output.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        assert_eq!(
            (output.get_short(), formats.join(" ")),
            (Some('o'), "table json ndjson".to_owned()),
            "{words}"
        );
    }
}

#[test]
fn whatever_speaks_to_a_cluster_can_be_told_which() {
    for (words, command) in leaves() {
        let is_local = [OFFLINE, BUCKET].concat().contains(&words.as_str())
            || words.starts_with("context")
            || words == "completion";
        for argument in ["brokers", "context", "timeout"] {
            assert!(is_local || has(&command, argument), "{words} has no --{argument}");
        }
    }
}

#[test]
fn every_command_and_option_says_what_it_is_and_shows_an_example_that_parses() {
    for (words, command) in leaves() {
        assert!(command.get_about().is_some(), "{words} says nothing of itself");
        for argument in command.get_arguments().filter(|argument| argument.get_long().is_some()) {
            assert!(argument.get_help().is_some(), "{words} {argument} says nothing of itself");
        }
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let (_, examples) =
            help.split_once("Examples:\n").unwrap_or_else(|| panic!("{words} shows no example"));
        let examples: Vec<&str> =
            examples.lines().take_while(|line| line.starts_with("  ")).flat_map(commands).collect();
        assert!(!examples.is_empty(), "{words} shows no example");
        for example in examples {
            let parsed = Cli::try_parse_from(words_of(example));
            assert!(
                parsed.is_ok(),
                "{words}: {example}: {}",
                parsed.err().map(|e| e.to_string()).unwrap_or_default()
            );
        }
    }
}

/// Our own commands in a line of shell.
fn commands(line: &str) -> impl Iterator<Item = &str> {
    let parts = line.split(['|', '(', ')', '>']).map(str::trim);
    parts.filter(|part| part.starts_with("aquifer "))
}

/// A command's words, with those in single quotes whole.
fn words_of(example: &str) -> Vec<String> {
    let quoted = example.split('\'').enumerate();
    let words = quoted.flat_map(|(index, part)| match index % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}
