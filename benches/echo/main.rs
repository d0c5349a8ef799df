//! The echo server example compared with other servers, on two cores of one machine.
//!
//! `benches/compare` builds the others and runs this; without them, `cargo bench --bench echo`
//! lists what is missing and measures those that are there. Each server is on core 0, this load
//! generator on core 1. It goes round the servers in short windows, so that what else the machine
//! does hits all of them alike: only the ratios of one run mean something.
//!
//! Rates are per second of the server's processor time. A server that uses less than its core was
//! waiting for the generator, which does not change that rate much; the floor shows how far the
//! generator is from its limit.

use anyhow::Result;
use clap::Parser;

mod fan_out;
mod handshakes;
mod memory;
mod rotation;
mod servers;
mod table;
mod workload;

use crate::memory::Weight;
use crate::workload::{Kind, Workload};
use bench_support::profile::Profile;
use bench_support::server::{self, Program};

/// Measures WebSocket servers side by side.
///
/// Another server is measured with --also NAME=PROGRAM. PROGRAM is started with `--port 0`, and has
/// to print "listening on ws://HOST:PORT" once it listens. It echoes every message, text as text
/// and binary as binary, up to 1 MiB, and closes a connection as RFC 6455 §7 has it. In the fan-out
/// it is started with `--port 0 --broadcast`, and sends every message to all clients, the sender
/// included; with threads, `--port 0 --threads 2`. A program without these modes has to end: it is
/// left out of their rows, and so is one that does not answer.
#[derive(Parser)]
struct Options {
    /// How often each server has its turn in a workload
    #[arg(long, default_value_t = 25)]
    rounds: usize,
    /// How long a turn is, in milliseconds
    #[arg(long, default_value_t = 200)]
    window: u64,
    /// How many idle connections are weighed; 0 for none
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Text messages instead of binary ones
    #[arg(long)]
    text: bool,
    /// Only the workload of this name, or those with this in their name; one of them is "memory"
    #[arg(long)]
    workload: Option<String>,
    /// Only this profile of our server and of the crates: default or lto
    #[arg(long)]
    profile: Option<Profile>,
    /// Leaves out servers with this in their name
    #[arg(long)]
    without: Vec<String>,
    /// One more server, such as an older build. It speaks TLS when "wss" is in its name, with the
    /// certificate localhost.cert and the key localhost.key of the folder that it runs in
    #[arg(long, value_name = "NAME=PROGRAM")]
    also: Vec<String>,
    /// Prints the names of the workloads and ends
    #[arg(long)]
    list: bool,
    /// Cargo passes this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let chosen = options.workload.as_deref().unwrap_or_default();
    let workloads = workload::choose(chosen);
    if options.list {
        for workload in workloads {
            println!("{}", workload.name);
        }
        println!("{MEMORY}");
        return Ok(());
    }
    let weighs = MEMORY.contains(chosen);
    let uses = |kind| workloads.iter().any(|workload| workload.kind == kind);
    let find = |is_used, kind| {
        if is_used { servers::find(kind, &options) } else { Ok(Vec::new()) }
    };
    let echo = find(weighs || uses(Kind::Echo) || uses(Kind::Handshakes), Kind::Echo)?;
    let fan_out = find(uses(Kind::FanOut), Kind::FanOut)?;
    let threads = find(uses(Kind::Threads), Kind::Threads)?;
    server::pin_this_process()?;
    server::raise_descriptor_limit()?;

    let (threaded, others): (Vec<&Workload>, _) =
        workloads.into_iter().partition(|workload| workload.kind == Kind::Threads);
    if !others.is_empty() {
        table::print_head_of_rates();
    }
    for workload in others {
        let programs = if workload.kind == Kind::FanOut { &fan_out } else { &echo };
        table::print_rates(workload, &rotation::run(workload, programs, &options)?);
    }
    if !threaded.is_empty() {
        table::print_head_of_threads();
    }
    for workload in threaded {
        table::print_threads(workload, &rotation::run(workload, &threads, &options)?);
    }
    if weighs {
        table::print_weights(&weigh(&echo, &options)?, options.idle);
    }
    Ok(())
}

impl Options {
    /// Returns the profiles that are measured.
    fn profiles(&self) -> impl Iterator<Item = Profile> + use<> {
        let only = self.profile;
        Profile::ALL.into_iter().filter(move |profile| only.is_none_or(|only| only == *profile))
    }
}

/// Weighs the servers; of two builds, the one with LTO.
fn weigh(programs: &[Program], options: &Options) -> Result<Vec<Weight>> {
    let mut weights = Vec::new();
    let weighed = options.profile.unwrap_or(Profile::Lto);
    let is_weighed = |program: &&Program| {
        program.takes_all() && program.profile.is_none_or(|profile| profile == weighed)
    };
    for program in programs.iter().filter(is_weighed) {
        eprintln!("memory of {}", program.name);
        // Handshakes take their time.
        let most = if program.certificate.is_some() { 2000 } else { options.idle };
        weights.push(memory::weigh(program, options.idle.min(most))?);
    }
    Ok(weights)
}

/// The name of the last table for `--workload`.
const MEMORY: &str = "memory";
