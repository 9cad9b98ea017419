//! Running seeds: each in a process of its own, several at a time, with a report of those that failed.

use std::collections::VecDeque;
use std::ops::Range;
use std::process::{Child, Command, ExitCode, Stdio};
use std::str::FromStr;
use std::time::Duration;

use aquifer_runtime::Runtime;
use clap::Parser;

use crate::world::{Outcome, simulate};

/// A seed takes a fraction of a second; one that takes longer than this has lost its way.
const REAL_TIME_MAX: Duration = Duration::from_secs(60);

/// Simulates nodes that fail in every way, and checks that they keep what they promised.
#[derive(Debug, Parser)]
#[command(name = "aquifer-sim")]
pub struct Arguments {
    /// Seeds to run, as FIRST..END
    #[arg(long, default_value = "0..100", value_name = "RANGE")]
    seeds: Seeds,
    /// One seed, in this process; prints its last lines if it fails
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Print every line of the trace
    #[arg(long, requires = "seed")]
    trace: bool,
    /// How many seeds run at once
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Run every seed twice and compare the traces
    #[arg(long)]
    twice: bool,
    /// Go on after a seed failed
    #[arg(long)]
    keep_going: bool,
}

/// A range of seeds.
#[derive(Clone, Debug)]
struct Seeds(Range<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Seeds, String> {
        let bounds =
            text.split_once("..").and_then(|(first, end)| Some((first.parse().ok()?, end.parse().ok()?)));
        let (first, end) = bounds.ok_or("not a range of the form 0..100")?;
        Ok(Seeds(first..end))
    }
}

/// What all seeds together came to.
#[derive(Debug, Default)]
struct Total {
    seeds: u64,
    failed: Vec<u64>,
    sums: [u64; 4],
}

/// Runs what the arguments say.
pub fn run(arguments: &Arguments) -> ExitCode {
    match arguments.seed {
        Some(seed) => run_one(seed, arguments.trace),
        None => run_all(arguments),
    }
}

fn run_one(seed: u64, aloud: bool) -> ExitCode {
    start_logging();
    watch_real_time(seed);
    let Outcome { told, lives, power_losses, acknowledged, read } = simulate(seed, aloud);
    println!("{seed} {:016x} {} {lives} {power_losses} {acknowledged} {read}", told.hash, told.lines);
    let Some(failure) = told.failure else { return ExitCode::SUCCESS };
    if !aloud {
        told.tail.iter().for_each(|line| eprintln!("{line}"));
    }
    eprintln!("seed {seed} failed: {failure}");
    ExitCode::FAILURE
}

/// Ends a simulation in which time stands still.
fn watch_real_time(seed: u64) {
    let watching = Runtime::real().thread("watchdog", move || {
        std::thread::park_timeout(REAL_TIME_MAX);
        eprintln!("seed {seed} failed: it does not come to an end");
        std::process::abort();
    });
    watching.expect("the watchdog starts");
}

/// Logs are for whoever looks into one seed: `AQUIFER_LOG` says what is wanted.
fn start_logging() {
    if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env("AQUIFER_LOG") {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
    }
}

fn run_all(arguments: &Arguments) -> ExitCode {
    let mut waiting: VecDeque<u64> = arguments.seeds.0.clone().collect();
    let mut running: VecDeque<(u64, Vec<Child>)> = VecDeque::new();
    let mut total = Total::default();
    loop {
        while running.len() < arguments.jobs.max(1)
            && (arguments.keep_going || total.failed.is_empty())
            && let Some(seed) = waiting.pop_front()
        {
            let times = if arguments.twice { 2 } else { 1 };
            running.push_back((seed, (0..times).map(|_| child(seed)).collect()));
        }
        let Some((seed, children)) = running.pop_front() else { break };
        finish(seed, children, &mut total);
    }
    let Total { seeds, failed, sums: [lives, power_losses, acknowledged, read] } = &total;
    println!(
        "{seeds} seeds, {lives} lives, {power_losses} power losses, {acknowledged} batches acknowledged, {read} read, \
         {} seeds failed {failed:?}",
        failed.len()
    );
    if failed.is_empty() && *seeds > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn child(seed: u64) -> Child {
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    command.args(["--seed", &seed.to_string()]).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("this program runs again")
}

fn finish(seed: u64, children: Vec<Child>, total: &mut Total) {
    let outputs: Vec<_> =
        children.into_iter().map(|child| child.wait_with_output().expect("a child ends")).collect();
    total.seeds += 1;
    let text = String::from_utf8_lossy(&outputs[0].stdout).into_owned();
    let numbers = text.split_whitespace().skip(3).map_while(|number| number.parse::<u64>().ok());
    total.sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
    let differs = outputs.iter().any(|output| output.stdout != outputs[0].stdout);
    if outputs[0].status.success() && !differs {
        return;
    }
    total.failed.push(seed);
    eprint!("{}", String::from_utf8_lossy(&outputs[0].stderr));
    if differs {
        let all: Vec<_> = outputs.iter().map(|output| String::from_utf8_lossy(&output.stdout)).collect();
        eprintln!("seed {seed} went differently the second time: {all:?}");
    }
    if !outputs[0].status.success() {
        eprintln!("seed {seed}: {}", outputs[0].status);
    }
    eprintln!("revision {}", revision());
    eprintln!("replay: cargo run --release -p aquifer-sim -- --seed {seed} --trace");
}

fn revision() -> String {
    let asked = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    let told = asked.ok().filter(|output| output.status.success());
    told.map_or_else(
        || "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
