//! Seeds run by the program itself, each in its own process: the same seed gives the same story, and no promise is broken.

use std::process::{Command, Output};

fn simulate(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_aquifer-sim");
    Command::new(program).args(arguments).output().expect("the simulation runs")
}

fn assert_kept(output: &Output) {
    let (told, why) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}{why}");
}

#[test]
fn the_same_seed_gives_the_same_story_twice() {
    assert_kept(&simulate(&["--seeds", "0..30", "--twice"]));
}

#[test]
fn different_seeds_give_different_stories() {
    let hash = |seed| {
        let output = simulate(&["--seed", seed]);
        String::from_utf8_lossy(&output.stdout).split_whitespace().nth(1).map(str::to_owned)
    };

    assert_ne!(hash("1"), hash("2"));
}

#[test]
fn a_hundred_seeds_keep_every_promise() {
    assert_kept(&simulate(&["--seeds", "100..200"]));
}

/// Seeds that nobody has run before; how many, the variable AQUIFER_SIM_SEEDS says.
#[test]
fn fresh_seeds_keep_every_promise() {
    let count: u64 =
        std::env::var("AQUIFER_SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    #[allow(clippy::disallowed_methods, reason = "fresh seeds come from the time")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let from = now.as_secs() * 1000;
    assert_kept(&simulate(&["--seeds", &format!("{from}..{}", from + count)]));
}
