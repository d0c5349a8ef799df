//! The echo server example compared with other servers, on two cores of one machine.
//!
//! `benches/compare` builds the others and runs this; without them, `cargo bench --bench echo` says
//! what is missing and measures those that are there. Each server is on core 0, this load generator
//! on core 1. It goes round the servers in short windows, so that what else the machine does hits
//! all of them alike: only the ratios of one run mean something.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;

mod handshakes;
mod load;
mod memory;
mod rotation;
mod table;
mod workload;

use crate::memory::Weight;
use crate::workload::WORKLOADS;
use bench_support::server::{self, Program};
use bench_support::tls;

/// Measures echo servers side by side.
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
    /// Only the workloads with this in their name, "handshakes" and "memory" among them
    #[arg(long)]
    workload: Option<String>,
    /// Leaves out servers with this in their name
    #[arg(long)]
    without: Vec<String>,
    /// One more server, such as an older build: it has to print "listening on ws://HOST:PORT". It
    /// speaks TLS when "wss" is in its name
    #[arg(long, value_name = "NAME=PROGRAM")]
    also: Vec<String>,
    /// Cargo passes this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let programs = programs(&options)?;
    server::pin_this_process()?;
    server::raise_descriptor_limit()?;

    let chosen = options.workload.as_deref().unwrap_or_default();
    let workloads: Vec<_> = WORKLOADS.iter().filter(|it| it.name.contains(chosen)).collect();
    let mut results = Vec::new();
    for workload in workloads {
        eprintln!("{}", workload.name);
        results.push((workload, rotation::run(workload, &programs, &options)?));
    }
    table::print_rates(&results);
    if "handshakes".contains(chosen) {
        table::print_handshakes(&handshakes::run(&programs, &options)?);
    }
    if "memory".contains(chosen) {
        table::print_weights(&weigh(&programs, options.idle)?, options.idle);
    }
    Ok(())
}

/// Weighs the servers.
fn weigh(programs: &[Program], idle: usize) -> Result<Vec<Weight>> {
    let mut weights = Vec::new();
    for program in programs.iter().filter(|program| program.takes_all()) {
        eprintln!("memory of {}", program.name);
        // Handshakes take their time.
        let idle = if program.certificate.is_some() { idle.min(2000) } else { idle };
        weights.push(memory::weigh(program, idle)?);
    }
    Ok(weights)
}

/// Ours first, then those of the others that are there.
fn programs(options: &Options) -> Result<Vec<Program>> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/compare");
    let certificate = built.join("certificate");
    tls::make_certificate(&certificate)?;
    let secure = |program: Program| program.with_certificate(&certificate);
    let mut programs = vec![
        Program::new("slotwork", server::example("echoserver")?, &["--port", "0"]),
        Program::new("QtWebSockets", built.join("qt"), &[]),
        Program::new("fastwebsockets", built.join("release/fastwebsockets"), &[]),
        Program::new("tokio-tungstenite", built.join("release/tokio-tungstenite"), &[]),
    ];
    let tokio = built.join("release/tokio-tungstenite-tls");
    programs.extend([
        secure(Program::new("slotwork", server::example("sslechoserver")?, &["--port", "0"])),
        secure(Program::new("QtWebSockets", built.join("qt"), &["--tls"])),
        secure(Program::new("tokio-tungstenite", tokio, &[])),
    ]);
    // It shows what the kernel takes, and is too simple for messages that come in several reads.
    let floor = |arguments| {
        Program::new("floor", built.join("release/floor"), arguments).with_largest(16 << 10)
    };
    programs.extend([floor(&[]), secure(floor(&["--tls"]).with_largest(1 << 10))]);
    for also in &options.also {
        let (name, path) = also.split_once('=').context("--also takes NAME=PROGRAM")?;
        // An older build of the example understands what the example does.
        let program = Program::new(name, PathBuf::from(path), &["--port", "0"]);
        programs.push(if name.contains("wss") { secure(program) } else { program });
    }
    programs.retain(|program| !options.without.iter().any(|name| program.name.contains(name)));
    programs.retain(|program| {
        let is_there = program.path.exists();
        if !is_there {
            eprintln!("LEFT OUT: {} is not built; benches/compare does it", program.name);
        }
        is_there
    });
    Ok(programs)
}
