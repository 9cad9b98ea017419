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
