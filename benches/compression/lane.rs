//! One server, its clients, and what came of their windows.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::check::CountingCheck;
use crate::memory::{self, Weight};
use crate::servers;
use crate::texts::Texts;
use crate::{CLIENTS, Options};
use bench_support::client::Client;
use bench_support::load::Load;
use bench_support::server::{Program, Server};
use bench_support::turns::take_turns;

/// A server and its clients.
pub(crate) struct Lane<'a> {
    server: Server,
    load: Load<'a>,
    /// The bytes that all clients have received.
    received: Rc<Cell<u64>>,
    results: Results,
}

/// What one server did, window by window: the same place is the same round for all servers.
pub(crate) struct Results {
    pub(crate) server: String,
    pub(crate) per_cpu_second: Vec<f64>,
    bytes: u64,
    messages: u64,
    pub(crate) weight: Option<Weight>,
}

/// Measures messages of `size` bytes; the servers take turns, and each round another one begins.
pub(crate) fn run(size: usize, programs: &[Program], options: &Options) -> Result<Vec<Results>> {
    let texts = Texts::new(size)?;
    let is_meant = |program: &&Program| servers::is_for(&program.name, size);
    // All are weighed before the first lane opens, which a server would close as idle.
    let weigh = |program| (program, memory::weigh(program, &texts, options.idle));
    let weighed: Vec<_> = programs.iter().filter(is_meant).map(weigh).collect();
    let mut lanes = Vec::new();
    for (program, weight) in weighed {
        match weight.and_then(|weight| Lane::open(program, weight, &texts)) {
            Ok(lane) => lanes.push(lane),
            Err(error) => eprintln!("LEFT OUT: {}, {size} B: {error:#}", program.name),
        }
    }
    let length = Duration::from_millis(options.window);
    take_turns(&mut lanes, options.rounds, |lane, counts| {
        lane.run(length, counts).with_context(|| lane.results.server.clone())
    })?;
    Ok(lanes.into_iter().map(|lane| lane.results).collect())
}

impl<'a> Lane<'a> {
    fn open(program: &Program, weight: Option<Weight>, texts: &'a Texts) -> Result<Self> {
        let server = program.start()?;
        let received = Rc::new(Cell::new(0));
        let load = open(&server, CLIENTS, &received, true, texts)?;
        let server_name = program.name.clone();
        let per_cpu_second = Vec::new();
        let results =
            Results { server: server_name, per_cpu_second, bytes: 0, messages: 0, weight };
        Ok(Self { server, load, received, results })
    }

    fn run(&mut self, length: Duration, counts: bool) -> Result<()> {
        self.received.set(0);
        let window = self.load.run(&self.server, length)?;
        if counts {
            let rate = f64::from(window.count) / window.server_time.as_secs_f64();
            self.results.per_cpu_second.push(rate);
            self.results.bytes += self.received.get();
            self.results.messages += u64::from(window.count);
        }
        Ok(())
    }
}

impl Results {
    /// Returns the bytes that a message takes on the way back, with its frame.
    pub(crate) fn bytes_per_message(&self) -> u64 {
        self.bytes / self.messages.max(1)
    }
}

/// Opens connections, of which the first compares its messages if `compares`.
///
/// They send compressed messages if the server agrees to it, and plain ones otherwise.
pub(crate) fn open<'a>(
    server: &Server,
    count: usize,
    received: &Rc<Cell<u64>>,
    compares: bool,
    texts: &'a Texts,
) -> Result<Load<'a>> {
    let agrees = Cell::new(false);
    let connect = |index: usize| -> Result<Client> {
        let check = CountingCheck::new(Rc::clone(received), compares && index == 0);
        let (client, answer) = Client::offer(server.port(), OFFER, Box::new(check))?;
        agrees.set(answer.contains("permessage-deflate"));
        Ok(client)
    };
    let mut load = Load::of((0..count).map(connect), &texts.plain)?;
    if agrees.get() {
        load.set_exchanges(&texts.compressed);
    }
    Ok(load)
}

/// What Chromium offers.
const OFFER: &str = "permessage-deflate; client_max_window_bits";
