//! Scenarios as they are written.

use super::*;
use crate::cli::SuiteName;
use crate::suite;

#[test]
fn what_is_left_out_has_the_usual_values() {
    let scenario = Scenario::parse(
        r#"
        name = "s"
        [[run]]
        label = "ours"
        server = "aquifer"
        seconds = 60
        work = { kind = "produce", producers = 4, durability = "page-cache" }
        "#,
    )
    .expect("a scenario");

    assert_eq!((scenario.rounds, scenario.seconds), (7, 3.0));
    assert_eq!(scenario.timing(&scenario.runs[0]).measured, Duration::from_secs(60));
    let expected = Produce { producers: 4, durability: Durability::PageCache, ..Produce::default() };
    assert_eq!(scenario.runs[0].work, Work::Produce(expected));
}

#[test]
fn mistakes_are_named() {
    let run = |run: &str, rest: &str| format!("name = \"s\"\n[[run]]\nlabel = \"a\"\n{run}\n{rest}");
    let produce = r#"work = { kind = "produce" }"#;
    let figure = "[[figure]]\nname = \"f\"\nof = \"b\"\nmetric = \"m\"\nbetter = \"lower\"";
    for (text, expected) in [
        (run(produce, ""), "needs a server"),
        (run("server = \"aquifer\"\nwork = { kind = \"ingest\" }", ""), "or must not"),
        (run(&format!("server = \"aquifer\"\n{produce}"), figure), "names b, which is not run"),
        (run(&format!("server = \"aquifer\"\nseconds = -1\n{produce}"), ""), "out of range"),
        (run("server = \"aquifer\"\nwork = { kind = \"produce\", producer = 1 }", ""), "producer"),
    ] {
        let error = Scenario::parse(&text).expect_err("a mistake");

        assert!(format!("{error:#}").contains(expected), "{error:#}");
    }
}

#[test]
fn every_scenario_of_the_suites_can_be_read_and_run_quickly() {
    let of = |name| suite::suite(name).expect("all are valid");
    let suites = [SuiteName::Issue, SuiteName::Groups, SuiteName::Gateway, SuiteName::Tier];
    let scenarios = suites.map(of).concat();

    let mut names: Vec<&str> = scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), scenarios.len());
    for quick in scenarios.into_iter().map(Scenario::quickly) {
        assert!(quick.rounds == 1 && quick.seconds < 1.0);
    }
}
