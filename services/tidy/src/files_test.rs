//! Rules for single files: what they open with, how long they are, what they must not hold.

use crate::tree::{Source, files};

/// Above this many lines of production code a file says why, here.
const LINES_MAX: usize = 400;
const LONGER: &[(&str, usize, &str)] = &[
    (
        "storage-tiering/hotlog/src/directory/job.rs",
        460,
        "one job's life from queue to disk: its steps share every field",
    ),
    ("gateway/grpc/src/generated.rs", 2_000, "a generator writes it, and a test compares it"),
    ("openapi/contract/src/aquifer.v1.rs", 600, "a generator writes it, and a test compares it"),
];

fn is_test(path: &str) -> bool {
    path.ends_with("_test.rs") || path.contains("/tests/")
}

fn broken(rule: &str, files: &[String]) {
    assert!(files.is_empty(), "{rule}:\n  {}", files.join("\n  "));
}

#[test]
fn every_file_opens_with_what_it_holds() {
    let without = files(".rs").into_iter().filter(|file| !file.text.starts_with("//! "));
    broken(
        "a file opens with one sentence after `//!` that says what it holds",
        &without.map(|file| file.path).collect::<Vec<_>>(),
    );
}

#[test]
fn production_files_stay_small() {
    let written = files(".rs").into_iter().filter(|file| !is_test(&file.path));
    let too_long = written.filter_map(|file| {
        let lines = production_lines(&file);
        let allowed =
            LONGER.iter().find(|(path, _, _)| *path == file.path).map_or(LINES_MAX, |longer| longer.1);
        (lines > allowed).then(|| format!("{}: {lines} lines, {allowed} allowed", file.path))
    });
    broken(
        "a file with more lines is two files, or is listed here with its reason",
        &too_long.collect::<Vec<_>>(),
    );
}

#[test]
fn exceptions_are_needed() {
    for (path, _, _) in LONGER {
        let files = files(".rs");
        let file = files.iter().find(|file| file.path == *path).unwrap_or_else(|| panic!("{path} is gone"));
        assert!(production_lines(file) > LINES_MAX, "{path} needs no exception");
    }
}

fn production_lines(file: &Source) -> usize {
    file.text.lines().take_while(|line| *line != "#[cfg(test)]" || file.path.ends_with("mod.rs")).count()
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not find itself.
    let marks =
        [["TO", "DO"], ["FIX", "ME"], ["HA", "CK"], ["XX", "X"]].map(|[start, end]| format!("{start}{end}"));
    let mut found = Vec::new();
    for ending in [".rs", ".toml", ".md"] {
        for file in files(ending) {
            for (number, line) in file.text.lines().enumerate() {
                let words = || line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
                if let Some(mark) = marks.iter().find(|mark| words().any(|word| word == mark.as_str())) {
                    found.push(format!("{}:{}: {mark}", file.path, number + 1));
                }
            }
        }
    }
    broken("what is left to do is not in the code", &found);
}

#[test]
fn no_file_is_a_grab_bag() {
    let bags = files(".rs").into_iter().map(|file| file.path).filter(|path| {
        let names = ["util", "utils", "helper", "helpers", "common", "misc"];
        path.trim_end_matches(".rs").split('/').any(|part| names.contains(&part))
    });
    broken("a name says what is inside", &bags.collect::<Vec<_>>());
}
