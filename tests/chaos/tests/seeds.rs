//! 200 seeds, and that seeds can be repeated and shrunk. `tests/chaos/run` runs more.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use slotwork_chaos::script::Script;
use slotwork_chaos::{leaked, run, shrink};

#[test]
fn connections_keep_their_promises_with_every_seed() {
    let violations = |seed| (seed, run(&Script::new(seed)).violations);
    let failed: Vec<_> = (0..200).map(violations).filter(|(_, it)| !it.is_empty()).collect();

    assert!(failed.is_empty(), "tests/chaos/run --seed N --seeds 1 shrinks them: {failed:#?}");
}

#[test]
fn a_seed_does_the_same_in_each_run() {
    for seed in 0..10 {
        let script = Script::new(seed);
        let outcome = run(&script);

        assert!(!outcome.log.is_empty());
        assert_eq!(outcome, run(&script), "seed {seed}");
    }
}

#[test]
fn a_run_leaves_nothing_allocated() {
    for seed in 0..20 {
        assert_eq!(leaked(&Script::new(seed)), 0, "bytes, seed {seed}");
    }
}

/// Here a run "fails" when a client is opened twice, and something is aborted.
#[test]
fn a_script_is_shrunk_to_the_steps_that_matter() {
    let count = |script: &Script, action: &str| {
        script.steps.iter().filter(|step| step.to_string().contains(action)).count()
    };
    let fails = |script: &Script| count(script, "Open") >= 2 && count(script, "Abort(") >= 1;
    let mut scripts = (0..1000).map(Script::new);
    let script = scripts.find(|it| fails(it) && it.steps.len() > 20).unwrap();

    let kept = shrink(&script, fails);

    assert_eq!(kept.len(), 3);
    assert!(fails(&script.keeping(&kept)));
}
