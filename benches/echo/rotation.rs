//! One workload, on all servers by turns.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::Options;
use crate::load::{Load, Window};
use crate::workload::Workload;
use bench_support::exchange::Exchange;
use bench_support::server::Program;
use bench_support::turns::take_turns;

/// What one server did, window by window: the same place is the same round for all servers.
pub(crate) struct Results {
    pub(crate) server: String,
    pub(crate) per_cpu_second: Vec<f64>,
    pub(crate) per_second: Vec<f64>,
    pub(crate) latencies: Vec<Duration>,
}

/// Measures `workload`; the servers take turns, and each round another one begins.
pub(crate) fn run(
    workload: &Workload,
    programs: &[Program],
    options: &Options,
) -> Result<Vec<Results>> {
    let exchanges = (1..=EXCHANGES)
        .map(|seed| Exchange::new(seed, workload.size, workload.deep, options.text))
        .collect::<Result<Vec<_>>>()?;
    let mut lanes = Vec::new();
    let takes = |program: &&Program| {
        program.largest >= workload.size && program.certificate.is_some() == workload.is_secure
    };
    for program in programs.iter().filter(takes) {
        let server = program.start()?;
        let load = Load::open(&server, workload.clients, &exchanges)
            .with_context(|| format!("cannot connect to {}", program.name))?;
        lanes.push((server, load, Results::new(&program.name)));
    }
    let length = Duration::from_millis(options.window);
    take_turns(&mut lanes, options.rounds, |(server, load, results), counts| {
        let window = load.run(server, length).with_context(|| results.server.clone())?;
        if counts { results.add(workload, window) } else { Ok(()) }
    })?;
    Ok(lanes.into_iter().map(|(_, _, results)| results).collect())
}

impl Results {
    fn new(server: &str) -> Self {
        Self {
            server: server.to_owned(),
            per_cpu_second: Vec::new(),
            per_second: Vec::new(),
            latencies: Vec::new(),
        }
    }

    fn add(&mut self, workload: &Workload, window: Window) -> Result<()> {
        let messages = f64::from(window.exchanges) * f64::from(u32::try_from(workload.deep)?);
        self.per_cpu_second.push(messages / window.server_time.as_secs_f64());
        self.per_second.push(messages / window.elapsed.as_secs_f64());
        self.latencies.extend(window.latencies);
        Ok(())
    }
}

/// How many different requests the clients send by turns.
const EXCHANGES: u32 = 3;
