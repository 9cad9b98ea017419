//! Reports out of made-up rounds.

use super::*;
use crate::comparison::Verdict;

fn scenario() -> Scenario {
    Scenario::parse(
        r#"
        name = "s"
        [[run]]
        label = "ours"
        server = "aquifer"
        work = { kind = "produce" }
        [[run]]
        label = "floor"
        work = { kind = "ingest" }
        [[figure]]
        name = "against the floor"
        of = "ours"
        against = "floor"
        metric = "mb_per_second"
        better = "higher"
        must = 0.5
        "#,
    )
    .expect("a scenario")
}

fn measurement(rate: f64, others: f64) -> Measurement {
    let mut measurement = Measurement::default();
    measurement.set("mb_per_second", rate);
    measurement.set("others_cpu_share", others);
    measurement
}

fn round(ours: f64, floor: f64, others: f64) -> Round {
    Round {
        runs: vec![
            ("ours".to_owned(), measurement(ours, others)),
            ("floor".to_owned(), measurement(floor, 0.0)),
        ],
    }
}

#[test]
fn ratios_are_taken_within_a_round_and_only_calm_ones_count() {
    let rounds = vec![round(60.0, 100.0, 0.0), round(30.0, 50.0, 0.0), round(1.0, 100.0, 0.5)];

    let report = ScenarioReport::new(&scenario(), rounds, Vec::new());

    assert_eq!(report.figures[0].values, [0.6, 0.6]);
    assert_eq!(report.figures[0].verdict, Verdict::ReachesMust);
}

#[test]
fn where_no_round_was_calm_all_of_them_count() {
    let report = ScenarioReport::new(&scenario(), vec![round(40.0, 100.0, 0.5)], Vec::new());

    assert_eq!(report.figures[0].values, [0.4]);
    assert_eq!(report.figures[0].verdict, Verdict::Misses);
}

#[test]
fn a_run_that_failed_leaves_its_figure_unmeasured() {
    let round = Round { runs: vec![("floor".to_owned(), measurement(1.0, 0.0))] };

    let report = ScenarioReport::new(&scenario(), vec![round], vec!["ours: refused".to_owned()]);

    assert_eq!(report.figures[0].verdict, Verdict::Absent);
    assert!(report.table().contains("failed: ours: refused"));
}

#[test]
fn a_report_reads_back_as_written_and_has_its_plots() {
    let directory = tempfile::tempdir().expect("directory");
    let scenario = ScenarioReport::new(&scenario(), vec![round(60.0, 100.0, 0.0)], Vec::new());
    let report = Report { started_at: 5, scenarios: vec![scenario] };

    report.write(directory.path()).expect("written");

    assert_eq!(Report::read(&directory.path().join("report.json")).expect("read"), report);
    let svg = std::fs::read_to_string(directory.path().join("figures.svg")).expect("plot");
    assert!(svg.starts_with("<svg") && svg.contains("against the floor"));
}

#[test]
fn columns_are_aligned() {
    let rows = [["run", "MB/s"], ["floor", "1"], ["a", "1000"]].map(|row| row.map(str::to_owned).to_vec());

    assert_eq!(columns(&rows), "  run    MB/s\n  floor     1\n  a      1000\n");
}

#[test]
fn numbers_keep_three_digits() {
    let shown = [1234.5, 99.94, 1.234, 0.01234, 0.0].map(number);

    assert_eq!(shown, ["1234", "99.9", "1.23", "0.0123", "0"]);
}
