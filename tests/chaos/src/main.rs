//! Runs seeds, shrinks those that fail, and replays them.
//!
//! `cargo run --package slotwork-chaos -- --seeds 10000`, or `tests/chaos/run`.

use anyhow::{Result, bail};
use clap::Parser;
use slotwork_chaos::script::Script;
use slotwork_chaos::{run, shrink};

/// Clients and a server through a network with seeded faults.
#[derive(Parser)]
struct Options {
    /// The number of seeds.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Replays these steps of the first seed, and prints what happens.
    #[arg(long, value_delimiter = ',', num_args = 0..)]
    keep: Option<Vec<usize>>,
    /// Replays all steps of the first seed, and prints what happens.
    #[arg(long)]
    replay: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    if options.replay || options.keep.is_some() {
        let script = Script::new(options.seed);
        let all = || (0..script.steps.len()).collect();
        return replay(&script.keeping(&options.keep.unwrap_or_else(all)));
    }
    let seeds = options.seed..options.seed.saturating_add(options.seeds);
    let failed = seeds.filter(|&seed| has_failed(&Script::new(seed))).count();
    if failed > 0 {
        bail!("{failed} of {} seeds fail", options.seeds);
    }
    println!("{} seeds pass", options.seeds);
    Ok(())
}

/// Runs a seed; if it fails, prints the fewest steps with which it does.
fn has_failed(script: &Script) -> bool {
    let outcome = run(script);
    if outcome.violations.is_empty() {
        return false;
    }
    println!("seed {}: {:#?}", script.seed, outcome.violations);
    let kept = shrink(script, |shorter| !run(shorter).violations.is_empty());
    let indices: Vec<_> = kept.iter().map(ToString::to_string).collect();
    println!("with {:?} and these steps alone:", script.settings);
    for index in kept {
        println!("    {index}: {}", script.steps[index]);
    }
    println!("replay it with --seed {} --keep {}", script.seed, indices.join(","));
    true
}

fn replay(script: &Script) -> Result<()> {
    println!("{:?}", script.settings);
    let outcome = run(script);
    outcome.log.iter().for_each(|line| println!("{line}"));
    if !outcome.violations.is_empty() {
        bail!("{:#?}", outcome.violations);
    }
    Ok(())
}
