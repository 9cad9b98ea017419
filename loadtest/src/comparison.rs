//! Figures out of rounds: a ratio per round, their median and spread, and whether that reaches what was wanted.

use serde::{Deserialize, Serialize};

use crate::scenario::{Better, Figure};

/// Ratios that differ by more than this between rounds prove nothing.
const SPREAD_MAX: f64 = 1.5;

/// What became of a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Result {
    pub figure: Figure,
    /// One per round in which both runs came about.
    pub values: Vec<f64>,
    pub summary: Option<Summary>,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    ReachesAim,
    ReachesMust,
    Misses,
    /// The rounds differ too much.
    Inconclusive,
    /// Nothing was wanted of it.
    Shown,
    /// No round gave a value.
    Absent,
}

impl Summary {
    pub fn of(values: &[f64]) -> Option<Summary> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        Some(Summary { median, min, max })
    }

    fn is_conclusive(&self) -> bool {
        self.min > 0.0 && self.max / self.min <= SPREAD_MAX
    }
}

impl Result {
    pub fn new(figure: &Figure, values: Vec<f64>) -> Result {
        let summary = Summary::of(&values);
        let verdict = summary.map_or(Verdict::Absent, |summary| verdict(figure, &summary));
        Result { figure: figure.clone(), values, summary, verdict }
    }
}

fn verdict(figure: &Figure, summary: &Summary) -> Verdict {
    if figure.must.is_none() && figure.aim.is_none() {
        return Verdict::Shown;
    }
    // A single number may sit far on one side of what is wanted whatever its spread; a ratio is what the rule is for.
    if figure.against.is_some() && !summary.is_conclusive() {
        return Verdict::Inconclusive;
    }
    let reaches = |wanted: f64| match figure.better {
        Better::Higher => summary.median >= wanted,
        Better::Lower => summary.median <= wanted,
    };
    match (figure.must.map(reaches), figure.aim.map(reaches)) {
        (_, Some(true)) => Verdict::ReachesAim,
        (Some(false), _) => Verdict::Misses,
        _ => Verdict::ReachesMust,
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Verdict::ReachesAim => "reaches aim",
            Verdict::ReachesMust => "reaches must",
            Verdict::Misses => "MISSES",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Shown => "",
            Verdict::Absent => "not measured",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(better: Better, must: Option<f64>, aim: Option<f64>) -> Figure {
        Figure {
            name: "f".to_owned(),
            of: "a".to_owned(),
            against: Some("b".to_owned()),
            metric: "m".to_owned(),
            against_metric: None,
            better,
            must,
            aim,
        }
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two() {
        let of = |values: &[f64]| Summary::of(values).expect("values").median;

        assert_eq!(of(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(Summary::of(&[f64::NAN]), None);
    }

    #[test]
    fn a_figure_is_judged_by_its_median_in_the_direction_that_is_better() {
        for (better, values, expected) in [
            (Better::Higher, [0.8, 0.9, 0.85], Verdict::ReachesAim),
            (Better::Higher, [0.7, 0.75, 0.9], Verdict::ReachesMust),
            (Better::Higher, [0.5, 0.55, 0.6], Verdict::Misses),
            (Better::Lower, [0.8, 0.9, 0.85], Verdict::Misses),
            (Better::Lower, [0.55, 0.6, 0.5], Verdict::ReachesMust),
        ] {
            let (must, aim) = if better == Better::Higher { (0.6, 0.8) } else { (0.6, 0.4) };

            let result = Result::new(&figure(better, Some(must), Some(aim)), values.to_vec());

            assert_eq!(result.verdict, expected, "{better:?} {values:?}");
        }
    }

    #[test]
    fn ratios_that_differ_by_more_than_half_prove_nothing_however_good() {
        let result = Result::new(&figure(Better::Higher, Some(0.1), None), vec![1.0, 1.2, 1.6]);

        assert_eq!(result.verdict, Verdict::Inconclusive);
    }

    #[test]
    fn without_values_or_wishes_there_is_nothing_to_judge() {
        let wished = figure(Better::Higher, Some(1.0), None);
        let plain = figure(Better::Higher, None, None);

        assert_eq!(Result::new(&wished, Vec::new()).verdict, Verdict::Absent);
        assert_eq!(Result::new(&plain, vec![1.0, 9.0]).verdict, Verdict::Shown);
    }
}
