//! The clients of `benches/budget/run`, with a fixed order of all that they do.
//!
//! The server is asleep before each round, and stopped while several clients send, so that all
//! their messages are ready in one turn. It is stopped at the end, so that it does nothing for the
//! connections that end with this process. Nothing is measured here but resident memory.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};

use bench_support::client::{Client, Opening, PATIENCE};
use bench_support::exchange::Exchange;
use bench_support::scheduling::Scheduling;
use bench_support::{server, tls};

/// Clients with a fixed order of all that they do
#[derive(Parser)]
struct Options {
    /// What the clients do
    #[arg(value_enum)]
    work: Work,
    /// The server's port
    #[arg(long)]
    port: u16,
    /// The id of the server's process
    #[arg(long)]
    process: i32,
    /// How many clients there are, or how many connect at a time
    #[arg(long, default_value_t = 1)]
    clients: usize,
    /// Bytes in a message
    #[arg(long, default_value_t = 20)]
    size: usize,
    /// How many messages a client sends at once
    #[arg(long, default_value_t = 1)]
    deep: usize,
    /// How often they do it
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// The folder of the server's certificate: with TLS
    #[arg(long)]
    tls: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Work {
    /// Makes the certificate of `--tls`
    Certificate,
    /// All send, and wait for their echoes
    Echo,
    /// One sends, and all wait for the message
    FanOut,
    /// All connect, shake hands, and end the connection without a close frame
    Open,
    /// The same with a closing handshake
    OpenAndClose,
    /// All connect, each echoes one message, and the growth of memory is printed for each
    Idle,
}

fn main() -> Result<()> {
    let options = Options::parse();
    server::raise_descriptor_limit()?;
    match options.work {
        Work::Certificate => tls::make_certificate(options.folder()?),
        Work::Echo => options.echo(),
        Work::FanOut => options.fan_out(),
        Work::Open => options.open_and_end(&[]),
        Work::OpenAndClose => options.open_and_end(&CLOSE_FRAME),
        Work::Idle => options.idle(),
    }
}

impl Options {
    fn echo(&self) -> Result<()> {
        let server = self.server();
        let mut clients = self.connect(self.clients)?;
        let exchanges = (1..).take(self.clients);
        let exchanges = exchanges.map(|seed| Exchange::new(seed, self.size, self.deep, true));
        let exchanges = exchanges.collect::<Result<Vec<_>>>()?;
        for _ in 0..self.rounds {
            // A single client's message arrives in one piece anyway.
            if self.clients > 1 {
                server.stop()?;
            } else {
                server.wait_until_asleep()?;
            }
            for (client, exchange) in clients.iter_mut().zip(&exchanges) {
                client.send(exchange)?;
            }
            if self.clients > 1 {
                server.resume()?;
            }
            for (client, exchange) in clients.iter_mut().zip(&exchanges) {
                receive(client, exchange)?;
            }
        }
        server.stop()
    }

    fn fan_out(&self) -> Result<()> {
        let server = self.server();
        let mut clients = self.connect(self.clients)?;
        let exchange = Exchange::new(1, self.size, self.deep, true)?;
        for _ in 0..self.rounds {
            server.wait_until_asleep()?;
            clients.first_mut().context("no client")?.send(&exchange)?;
            for client in &mut clients {
                receive(client, &exchange)?;
            }
        }
        server.stop()
    }

    fn open_and_end(&self, farewell: &[u8]) -> Result<()> {
        let server = self.server();
        for _ in 0..self.rounds {
            let mut clients = self.connect(self.clients)?;
            server.stop()?;
            for client in &mut clients {
                end(client, farewell)?;
            }
            server.resume()?;
            for client in &mut clients {
                wait_for_the_end(client)?;
            }
            if !farewell.is_empty() {
                // The server reads the ends of all in one turn.
                server.stop()?;
                drop(clients);
                server.resume()?;
            }
        }
        server.stop()
    }

    fn idle(&self) -> Result<()> {
        let server = self.server();
        let first = self.connect_and_echo(1)?;
        let before = server.resident_bytes()?;
        let others = self.connect_and_echo(self.clients)?;
        let growth = server.resident_bytes()? - before;
        println!("{}", growth / i64::try_from(self.clients)?);
        drop((first, others));
        Ok(())
    }

    fn connect_and_echo(&self, count: usize) -> Result<Vec<Client>> {
        let exchange = Exchange::new(1, self.size, self.deep, true)?;
        let mut clients = Vec::new();
        while clients.len() < count {
            for mut client in self.connect(AT_ONCE.min(count - clients.len()))? {
                client.send(&exchange)?;
                receive(&mut client, &exchange)?;
                clients.push(client);
            }
        }
        self.server().wait_until_asleep()?;
        Ok(clients)
    }

    /// Opens connections: the requests of all are there when the server accepts the first.
    fn connect(&self, count: usize) -> Result<Vec<Client>> {
        let server = self.server();
        if self.tls.is_some() {
            let config = tls::client_config(self.folder()?)?;
            let open = |_| {
                server.wait_until_asleep()?;
                Client::open_tls(self.port, config.clone())
            };
            return (0..count).map(open).collect();
        }
        let mut clients = Vec::new();
        while clients.len() < count {
            server.stop()?;
            let begun = (0..AT_ONCE.min(count - clients.len())).map(|_| Opening::begin(self.port));
            let begun = begun.collect::<Result<Vec<_>>>()?;
            server.resume()?;
            for opening in begun {
                clients.push(opening.finish()?);
            }
        }
        Ok(clients)
    }

    const fn server(&self) -> Scheduling {
        Scheduling::new(self.process)
    }

    fn folder(&self) -> Result<&Path> {
        self.tls.as_deref().context("--tls is missing")
    }
}

/// Waits until all of `exchange` is back; the kernel has taken the request at once.
fn receive(client: &mut Client, exchange: &Exchange) -> Result<()> {
    let start = Instant::now();
    let mut buffer = vec![0; 64 << 10];
    while !client.receive(exchange, &mut buffer)? {
        ensure!(start.elapsed() < PATIENCE, "a client gets no message");
        thread::yield_now();
    }
    Ok(())
}

/// Sends the last bytes, and with a close frame leaves the end of the connection to the server.
fn end(client: &mut Client, farewell: &[u8]) -> Result<()> {
    let stream = client.stream_mut();
    stream.write_all(farewell)?;
    if farewell.is_empty() {
        stream.shutdown(Shutdown::Write)?;
    }
    Ok(())
}

/// Reads what the server still sends, until it has ended the connection.
fn wait_for_the_end(client: &mut Client) -> Result<()> {
    let start = Instant::now();
    let mut buffer = [0; 128];
    loop {
        match client.stream_mut().read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
        ensure!(start.elapsed() < PATIENCE, "the server does not end a connection");
    }
}

/// How many connections are opened at a time: fewer than a server lets wait.
const AT_ONCE: usize = 20;
/// A close frame with 1000, masked with zeros (RFC 6455 §5.5.1).
const CLOSE_FRAME: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8];
