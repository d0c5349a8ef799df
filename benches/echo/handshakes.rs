//! The rate of opening handshakes, with TCP and a full TLS handshake, one by one.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::Options;
use bench_support::server::{Program, Server};
use bench_support::turns::take_turns;

/// What one server did, window by window: the same place is the same round for all servers.
pub(crate) struct Greetings {
    pub(crate) server: String,
    pub(crate) per_cpu_second: Vec<f64>,
    pub(crate) per_second: Vec<f64>,
}

/// Measures the servers that speak TLS, by turns.
pub(crate) fn run(programs: &[Program], options: &Options) -> Result<Vec<Greetings>> {
    let mut lanes = Vec::new();
    let greets = |program: &&Program| program.certificate.is_some() && program.takes_all();
    for program in programs.iter().filter(greets) {
        let server = program.name.clone();
        let greetings = Greetings { server, per_cpu_second: Vec::new(), per_second: Vec::new() };
        lanes.push((program.start()?, greetings));
    }
    let length = Duration::from_millis(options.window);
    take_turns(&mut lanes, options.rounds, |(server, greetings), counts| {
        let window = greet(server, length).with_context(|| greetings.server.clone())?;
        if counts {
            greetings.per_cpu_second.push(window.0);
            greetings.per_second.push(window.1);
        }
        Ok(())
    })?;
    Ok(lanes.into_iter().map(|(_, greetings)| greetings).collect())
}

/// Returns how many in a second of the server's processor time, and of the clock.
fn greet(server: &Server, length: Duration) -> Result<(f64, f64)> {
    let server_time = server.cpu_time()?;
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < length {
        drop(server.connect()?);
        count += 1;
    }
    let elapsed = start.elapsed();
    let server_time = server.cpu_time()?.saturating_sub(server_time);
    let count = f64::from(count);
    Ok((count / server_time.as_secs_f64(), count / elapsed.as_secs_f64()))
}
