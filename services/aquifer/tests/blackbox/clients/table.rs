//! The report card in the README: a row and a line of reasons for each client, compared with what the run gave.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::CLIENTS;
use crate::install::cache;
use crate::tools::TOOLS;

const BEGIN: &str = "<!-- report card: written by the tests, AQUIFER_BLESS=1 rewrites it -->\n";
const END: &str = "<!-- end of the report card -->\n";

/// What capabilities have in common on the report card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Produce,
    Consume,
    Classic,
    Consumer,
    Static,
    Idempotence,
    Headers,
    Codecs,
    TimeSeek,
    Admin,
}

const COLUMNS: [Column; 10] = [
    Column::Produce,
    Column::Consume,
    Column::Classic,
    Column::Consumer,
    Column::Static,
    Column::Idempotence,
    Column::Headers,
    Column::Codecs,
    Column::TimeSeek,
    Column::Admin,
];

impl Column {
    pub(super) fn heading(self) -> &'static str {
        match self {
            Column::Produce => "produce",
            Column::Consume => "consume",
            Column::Classic => "groups, classic",
            Column::Consumer => "groups, KIP-848",
            Column::Static => "static members",
            Column::Idempotence => "idempotence",
            Column::Headers => "headers",
            Column::Codecs => "codecs",
            Column::TimeSeek => "time seek",
            Column::Admin => "admin",
        }
    }
}

/// How a capability came out.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Good,
    /// The client has no such thing.
    Absent(String),
    Red(String),
}

/// A client's line of the table, and its line of reasons below.
pub(super) struct Row {
    client: &'static str,
    cells: String,
    reasons: Option<String>,
}

impl Row {
    pub(super) fn of<'a>(
        client: &'static str,
        version: &str,
        outcomes: impl Iterator<Item = (Column, &'a Outcome)>,
    ) -> Row {
        let outcomes: Vec<(Column, &Outcome)> = outcomes.collect();
        let mut cells = format!("| {client} {version} |");
        let mut reasons: Vec<String> = Vec::new();
        for column in COLUMNS {
            let of_column: Vec<&Outcome> =
                outcomes.iter().filter(|(of, _)| *of == column).map(|(_, outcome)| *outcome).collect();
            cells.push_str(&format!(" {} |", cell(&of_column)));
            let mut why: Vec<&str> = Vec::new();
            for outcome in of_column {
                match outcome {
                    Outcome::Absent(reason) | Outcome::Red(reason) if !why.contains(&reason.as_str()) => {
                        why.push(reason);
                    }
                    _ => {}
                }
            }
            if !why.is_empty() {
                reasons.push(format!("{}: {}", column.heading(), why.join(", ")));
            }
        }
        let reasons = (!reasons.is_empty()).then(|| format!("- {client}: {}.", reasons.join("; ")));
        Row { client, cells, reasons }
    }

    /// Fails if the README says otherwise, or makes it say so if it is told to.
    pub(super) fn compare(&self) {
        let bless = std::env::var_os("AQUIFER_BLESS").is_some();
        // Tests in other processes bless their rows, too.
        let lock = File::create(cache().join("report-card.lock")).expect("a lock file");
        lock.lock().expect("the lock");
        let readme = std::fs::read_to_string(readme()).expect("the README");
        let (before, section, after) = parts(&readme);
        if bless {
            let text = format!("{before}{BEGIN}{}{END}{after}", self.put_into(section));
            std::fs::write(self::readme(), text).expect("the README is written");
        } else {
            let told = (row_of(section, self.client), reasons_of(section, self.client));
            let found = (Some(self.cells.as_str()), self.reasons.as_deref());
            assert_eq!(told, found, "the README says otherwise; AQUIFER_BLESS=1 corrects it");
        }
    }

    fn put_into(&self, section: &str) -> String {
        let rows = names().filter_map(|name| {
            if name == self.client { Some(self.cells.as_str()) } else { row_of(section, name) }
        });
        let reasons = names().filter_map(|name| {
            if name == self.client { self.reasons.as_deref() } else { reasons_of(section, name) }
        });
        let (rows, reasons): (Vec<&str>, Vec<&str>) = (rows.collect(), reasons.collect());
        format!("{}{}\n\n{}\n", heading(), rows.join("\n"), reasons.join("\n"))
    }
}

fn cell(outcomes: &[&Outcome]) -> String {
    let count = |kind: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| kind(outcome)).count();
    let good = count(|outcome| matches!(outcome, Outcome::Good));
    if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Red(_))) {
        "✗".to_owned()
    } else if good == outcomes.len() && good > 0 {
        "✓".to_owned()
    } else if good == 0 {
        "–".to_owned()
    } else {
        format!("{good} of {}", outcomes.len())
    }
}

/// Whoever has a row, in order.
fn names() -> impl Iterator<Item = &'static str> {
    CLIENTS.iter().map(|kind| kind.name).chain([TOOLS])
}

fn heading() -> String {
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.heading()).collect();
    format!("| client | {} |\n| --- |{}\n", names.join(" | "), " --- |".repeat(names.len()))
}

fn row_of<'a>(section: &'a str, client: &str) -> Option<&'a str> {
    section.lines().find(|line| line.starts_with(&format!("| {client} ")))
}

fn reasons_of<'a>(section: &'a str, client: &str) -> Option<&'a str> {
    section.lines().find(|line| line.starts_with(&format!("- {client}: ")))
}

fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")
}

/// The README before, in and after the report card.
fn parts(readme: &str) -> (&str, &str, &str) {
    let (before, rest) = readme.split_once(BEGIN).expect("the README has a report card");
    let (section, after) = rest.split_once(END).expect("the report card ends");
    (before, section, after)
}

#[test]
fn the_report_card_has_a_row_for_every_client_and_no_other() {
    let readme = std::fs::read_to_string(readme()).expect("the README");
    let (_, section, _) = parts(&readme);
    assert!(section.starts_with(&heading()), "another heading than {}", heading());

    let rows: Vec<&str> = section.lines().skip(2).take_while(|line| !line.is_empty()).collect();
    let expected: Vec<Option<&str>> = names().map(|name| row_of(section, name)).collect();
    assert_eq!(rows.into_iter().map(Some).collect::<Vec<_>>(), expected);
}
