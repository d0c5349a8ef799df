//! The chat server example compared with one on `QtWebSockets`: deliveries to 1,000 clients.
//!
//! `benches/compare_chat` builds the other one and runs this. Some clients always have a message
//! under way: they speak again as soon as all others have heard them. Each server is on core 0, the
//! clients on core 1, and the servers have their turns in short windows, as in the comparison of
//! echo servers.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;

mod hearing;
mod room;

use crate::room::{Room, Window};
use bench_support::profile::Profile;
use bench_support::server::{self, Program};
use bench_support::turns::{median, median_ratio, take_turns};

/// Measures chat servers side by side.
#[derive(Parser)]
struct Options {
    /// How often each server has its turn
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// How long a turn is at least, in milliseconds
    #[arg(long, default_value_t = 300)]
    window: u64,
    /// How many clients are in the room
    #[arg(long, default_value_t = 1000)]
    clients: usize,
    /// How many of them speak at the same time
    #[arg(long, default_values_t = [1, 30, 1000])]
    speakers: Vec<usize>,
    /// One more server, such as an older build of the example
    #[arg(long, value_name = "NAME=PROGRAM")]
    also: Vec<String>,
    /// Cargo passes this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// What one server did, window by window.
struct Results {
    server: String,
    per_cpu_second: Vec<f64>,
    per_second: Vec<f64>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let programs = programs(&options)?;
    server::pin_this_process()?;
    server::raise_descriptor_limit()?;

    println!(
        "| speak at once | server | deliveries per CPU second | ours / its | goal | per second | ours / its |"
    );
    println!("|---|---|---|---|---|---|---|");
    for &speakers in &options.speakers {
        print_rates(speakers, &measure(speakers, &programs, &options)?);
    }
    Ok(())
}

/// Ours first, then those of the others that are there.
fn programs(options: &Options) -> Result<Vec<Program>> {
    let qt = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/compare/qt-chat");
    let ours = server::example("simplechat", Profile::Default)?;
    let mut programs = vec![Program::new("ours", ours, &["--port", "0"])];
    if qt.exists() {
        programs.push(Program::new(QT, qt, &[]));
    } else {
        eprintln!("LEFT OUT: {QT} is not built; benches/compare_chat does it");
    }
    for also in &options.also {
        let (name, path) = also.split_once('=').context("--also takes NAME=PROGRAM")?;
        programs.push(Program::new(name, path.into(), &["--port", "0"]));
    }
    Ok(programs)
}

fn measure(speakers: usize, programs: &[Program], options: &Options) -> Result<Vec<Results>> {
    let mut lanes = Vec::new();
    for program in programs {
        let server = program.start()?;
        let room = Room::open(server.port(), options.clients, speakers)
            .with_context(|| format!("cannot connect to {}", program.name))?;
        lanes.push((server, room, Results::new(&program.name)));
    }
    let length = Duration::from_millis(options.window);
    take_turns(&mut lanes, options.rounds, |(server, room, results), counts| {
        let window = room.run(server, length).with_context(|| results.server.clone())?;
        if counts {
            results.add(&window);
        }
        Ok(())
    })?;
    Ok(lanes.into_iter().map(|(_, _, results)| results).collect())
}

impl Results {
    fn new(server: &str) -> Self {
        Self { server: server.to_owned(), per_cpu_second: Vec::new(), per_second: Vec::new() }
    }

    fn add(&mut self, window: &Window) {
        let deliveries = f64::from(window.deliveries);
        self.per_cpu_second.push(deliveries / window.server_time.as_secs_f64());
        self.per_second.push(deliveries / window.elapsed.as_secs_f64());
    }
}

fn print_rates(speakers: usize, servers: &[Results]) {
    let Some(ours) = servers.first() else { return };
    for (place, server) in servers.iter().enumerate() {
        let [per_cpu_second, per_second] = if place == 0 {
            [NOTHING; 2].map(str::to_owned)
        } else {
            [
                median_ratio(&ours.per_cpu_second, &server.per_cpu_second),
                median_ratio(&ours.per_second, &server.per_second),
            ]
            .map(|ratio| format!("{ratio:.2}"))
        };
        println!(
            "| {speakers} | {} | {:.0} | {per_cpu_second} | {} | {:.0} | {per_second} |",
            server.server,
            median(server.per_cpu_second.clone()),
            if server.server == QT { GOAL } else { NOTHING },
            median(server.per_second.clone()),
        );
    }
}

const QT: &str = "QtWebSockets";
/// How far ahead of Qt's pattern we are to be.
const GOAL: &str = "2.00";
const NOTHING: &str = "–";
