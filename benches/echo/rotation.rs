//! One workload, on all servers by turns.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::workload::{Kind, Workload};
use crate::{Options, fan_out, handshakes};
use bench_support::exchange::Exchange;
use bench_support::load::{Load, Window};
use bench_support::profile::Profile;
use bench_support::server::{Program, Server};
use bench_support::turns::take_turns;

/// What one server did, window by window: the same place is the same round for all servers.
pub(crate) struct Results {
    pub(crate) server: String,
    pub(crate) profile: Option<Profile>,
    pub(crate) threads: Option<usize>,
    pub(crate) per_cpu_second: Vec<f64>,
    pub(crate) per_second: Vec<f64>,
    pub(crate) latencies: Vec<Duration>,
}

/// A server and its clients.
struct Lane<'a> {
    server: Server,
    /// None in handshakes, where no connection outlives its turn.
    load: Option<Load<'a>>,
    results: Results,
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
        match Lane::open(program, workload, &exchanges) {
            Ok(lane) => lanes.push(lane),
            Err(error) => eprintln!("LEFT OUT: {}, {}: {error:#}", program.name, workload.name),
        }
    }
    let length = Duration::from_millis(options.window);
    take_turns(&mut lanes, options.rounds, |lane, counts| {
        let window = lane.run(workload, length).with_context(|| lane.results.server.clone())?;
        if counts { lane.results.add(workload, window) } else { Ok(()) }
    })?;
    Ok(lanes.into_iter().map(|lane| lane.results).collect())
}

impl<'a> Lane<'a> {
    /// Starts a server, and tries whether it does what the workload needs.
    fn open(program: &Program, workload: &Workload, exchanges: &'a [Exchange]) -> Result<Self> {
        let server = program.start()?;
        let load = match workload.kind {
            Kind::Handshakes => None,
            _ => Some(Load::open(&server, workload.clients, exchanges)?),
        };
        let mut lane = Self { server, load, results: Results::new(program) };
        lane.run(workload, Duration::ZERO)?;
        Ok(lane)
    }

    fn run(&mut self, workload: &Workload, length: Duration) -> Result<Window> {
        match &mut self.load {
            None => handshakes::run(&self.server, workload.clients, length),
            Some(load) if workload.kind == Kind::FanOut => fan_out::run(load, &self.server, length),
            Some(load) => load.run(&self.server, length),
        }
    }
}

impl Results {
    fn new(program: &Program) -> Self {
        Self {
            server: program.name.clone(),
            profile: program.profile,
            threads: program.threads,
            per_cpu_second: Vec::new(),
            per_second: Vec::new(),
            latencies: Vec::new(),
        }
    }

    fn add(&mut self, workload: &Workload, window: Window) -> Result<()> {
        let messages = f64::from(window.count) * f64::from(u32::try_from(workload.deep)?);
        self.per_cpu_second.push(messages / window.server_time.as_secs_f64());
        self.per_second.push(messages / window.elapsed.as_secs_f64());
        self.latencies.extend(window.latencies);
        Ok(())
    }
}

/// How many different requests the clients send by turns.
const EXCHANGES: u32 = 3;
