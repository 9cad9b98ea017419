//! The map stays true: what it names exists, and every invariant is asserted where it says.

use crate::tree::{exists, files, read};

/// What stands between backticks and looks like a path of this repository.
fn paths(text: &str) -> Vec<&str> {
    const TOPS: [&str; 8] = [
        "services/",
        "storage-tiering/",
        "gateway/",
        "loadtest/",
        "openapi/",
        "deploy/",
        ".ci/",
        "clippy.toml",
    ];
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter(|path| TOPS.iter().any(|top| path.starts_with(top)) && !path.contains([' ', '*', '{']))
        .collect()
}

#[test]
fn paths_in_documents_exist() {
    for file in files(".md") {
        for path in paths(&file.text) {
            let path = path.split(':').next().unwrap_or(path);
            assert!(exists(path), "{} names {path}, which does not exist", file.path);
        }
    }
}

/// The rows of ARCHITECTURE.md's table of invariants: number, statement, where it is asserted.
fn invariants(map: &str) -> Vec<(String, Vec<String>)> {
    let rows = map.lines().filter(|line| line.starts_with("| I"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let places = paths(cells.get(2).copied().unwrap_or_default());
        (cells[0].to_owned(), places.into_iter().map(str::to_owned).collect())
    })
    .collect()
}

#[test]
fn every_invariant_is_asserted_where_the_map_says() {
    let map = read("ARCHITECTURE.md");
    let invariants = invariants(&map);
    assert!(invariants.len() >= 4, "the table of invariants is not found");
    for (number, places) in &invariants {
        assert!(!places.is_empty(), "{number} is asserted nowhere");
        for place in places {
            assert!(names(&read(place), number), "{place} does not name {number}");
        }
    }
}

#[test]
fn every_invariant_that_code_names_is_on_the_map() {
    let map = read("ARCHITECTURE.md");
    let known: Vec<String> = invariants(&map).into_iter().map(|(number, _)| number).collect();
    for file in files(".rs") {
        for number in 1..=99 {
            let number = format!("I{number}");
            let claimed =
                names(&file.text, &format!("Keeps {number}")) || names(&file.text, &format!("({number})"));
            assert!(
                !claimed || known.contains(&number),
                "{} keeps {number}, which the map does not have",
                file.path
            );
        }
    }
}

/// Whether the text has the words, not as part of a longer number.
fn names(text: &str, words: &str) -> bool {
    text.match_indices(words).any(|(at, _)| {
        let after = text[at + words.len()..].chars().next();
        let before = text[..at].chars().next_back();
        !after.is_some_and(|letter| letter.is_ascii_digit()) && !before.is_some_and(char::is_alphanumeric)
    })
}
