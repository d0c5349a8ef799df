//! The clients of one server, each of which always has a request under way.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::{Events, Interest, Poll, Token};

use crate::client::{Client, PATIENCE};
use crate::exchange::Exchange;
use crate::server::Server;

/// Clients with open connections, which do nothing until they get a window.
#[derive(Debug)]
pub struct Load<'a> {
    poll: Poll,
    events: Events,
    clients: Vec<(Client, Progress)>,
    exchanges: &'a [Exchange],
    buffer: Vec<u8>,
}

/// Where a client is.
#[derive(Debug)]
struct Progress {
    exchange: usize,
    sent_at: Instant,
}

/// What came of a window.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Window {
    /// Exchanges, deliveries or handshakes.
    pub count: u32,
    /// The time from its begin to its end.
    pub elapsed: Duration,
    /// The server's processor time.
    pub server_time: Duration,
    /// From before the first byte was sent until the last was back.
    pub latencies: Vec<Duration>,
}

impl<'a> Load<'a> {
    /// Opens the connections, one after the other.
    pub fn open(server: &Server, clients: usize, exchanges: &'a [Exchange]) -> Result<Self> {
        Self::of((0..clients).map(|_| server.connect()), exchanges)
    }

    /// Takes clients as they open.
    pub fn of(
        clients: impl Iterator<Item = Result<Client>>,
        exchanges: &'a [Exchange],
    ) -> Result<Self> {
        let poll = Poll::new()?;
        let register = |(index, client): (usize, Result<Client>)| -> Result<_> {
            let mut client = client?;
            let interests = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(client.stream_mut(), Token(index), interests)?;
            let progress = Progress { exchange: index % exchanges.len(), sent_at: Instant::now() };
            Ok((client, progress))
        };
        let clients = clients.enumerate().map(register).collect::<Result<_>>()?;
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            clients,
            exchanges,
            buffer: vec![0; 256 << 10],
        })
    }

    /// Returns how many clients there are.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub const fn len(&self) -> usize {
        self.clients.len()
    }

    /// Changes what the clients send; they must not be in a window.
    pub const fn set_exchanges(&mut self, exchanges: &'a [Exchange]) {
        self.exchanges = exchanges;
    }

    /// Lets all clients work for `length`, and waits until the last echo is back.
    pub fn run(&mut self, server: &Server, length: Duration) -> Result<Window> {
        let mut window = Window::default();
        let server_time = server.cpu_time()?;
        let start = Instant::now();
        for index in 0..self.clients.len() {
            self.send(index, Instant::now())?;
        }
        let mut under_way = self.clients.len();
        while under_way > 0 {
            for index in self.ready(under_way)? {
                if !self.go_on(index)? {
                    continue;
                }
                let now = Instant::now();
                window.count += 1;
                window.latencies.push(now - self.client(index)?.1.sent_at);
                if now - start < length {
                    self.send(index, now)?;
                } else {
                    under_way -= 1;
                }
            }
        }
        window.elapsed = start.elapsed();
        window.server_time = server.cpu_time()?.saturating_sub(server_time);
        Ok(window)
    }

    /// Lets the first client send the next message; all have to get it.
    pub fn send_to_all(&mut self) -> Result<()> {
        self.send(0, Instant::now())?;
        let sent = self.client(0)?.1.exchange;
        self.clients.iter_mut().for_each(|(_, progress)| progress.exchange = sent);
        Ok(())
    }

    /// Waits for clients that can go on; `waiting` of them have no message yet.
    pub fn ready(&mut self, waiting: usize) -> Result<Vec<usize>> {
        self.poll.poll(&mut self.events, Some(PATIENCE))?;
        ensure!(!self.events.is_empty(), "{waiting} clients get no message");
        Ok(self.events.iter().map(|event| event.token().0).collect())
    }

    /// Lets the server be for a while.
    pub fn rest(&mut self, length: Duration) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < length {
            self.poll.poll(&mut self.events, Some(length.saturating_sub(start.elapsed())))?;
        }
        Ok(())
    }

    fn send(&mut self, index: usize, now: Instant) -> Result<()> {
        let exchanges = self.exchanges;
        let (client, progress) = self.client(index)?;
        progress.exchange = (progress.exchange + 1) % exchanges.len();
        progress.sent_at = now;
        client.send(exchanges.get(progress.exchange).context("no exchange")?)
    }

    /// Sends what the kernel did not take, and receives.
    fn go_on(&mut self, index: usize) -> Result<bool> {
        let (client, progress) = self.clients.get_mut(index).context("no such client")?;
        client.go_on_sending(self.exchanges.get(progress.exchange).context("no exchange")?)?;
        self.receive(index)
    }

    /// Returns whether the client has received all messages of its exchange.
    pub fn receive(&mut self, index: usize) -> Result<bool> {
        let (client, progress) = self.clients.get_mut(index).context("no such client")?;
        let exchange = self.exchanges.get(progress.exchange).context("no exchange")?;
        client.receive(exchange, &mut self.buffer)
    }

    fn client(&mut self, index: usize) -> Result<&mut (Client, Progress)> {
        self.clients.get_mut(index).context("no such client")
    }
}
