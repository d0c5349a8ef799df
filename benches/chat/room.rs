//! The clients of one chat server, some of which speak.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::{Events, Interest, Poll, Token};

use crate::hearing::{Hearing, message};
use bench_support::client::{Client, PATIENCE};
use bench_support::exchange::{TEXT, append_frame};
use bench_support::server::Server;

/// Open connections, which do nothing until they get a window.
pub(crate) struct Room {
    poll: Poll,
    events: Events,
    clients: Vec<(Client, Hearing)>,
    /// They are the first clients.
    speakers: Vec<Speaker>,
    buffer: Vec<u8>,
}

/// A client that always has a message under way.
#[derive(Clone, Copy, Default)]
struct Speaker {
    said: u32,
    /// How many clients have not heard the last message yet.
    missing: usize,
}

/// What came of a window.
pub(crate) struct Window {
    pub(crate) deliveries: u32,
    pub(crate) elapsed: Duration,
    pub(crate) server_time: Duration,
}

impl Room {
    /// Opens the connections, one after the other.
    pub(crate) fn open(port: u16, clients: usize, speakers: usize) -> Result<Self> {
        let poll = Poll::new()?;
        let open = |index: usize| -> Result<_> {
            let mut client = Client::open(port)?;
            poll.registry().register(client.stream_mut(), Token(index), Interest::READABLE)?;
            Ok((client, Hearing::new(speakers)))
        };
        let clients = (0..clients).map(open).collect::<Result<_>>()?;
        let speakers = vec![Speaker::default(); speakers];
        let events = Events::with_capacity(1024);
        Ok(Self { poll, events, clients, speakers, buffer: vec![0; 256 << 10] })
    }

    /// Lets each speaker send, and again when all others have received it, for `length`.
    pub(crate) fn run(&mut self, server: &Server, length: Duration) -> Result<Window> {
        let server_time = server.cpu_time()?;
        let start = Instant::now();
        let mut deliveries = 0;
        let mut ready: Vec<_> = (0..self.speakers.len()).collect();
        let mut under_way = ready.len();
        while under_way > 0 {
            if start.elapsed() < length {
                ready.drain(..).try_for_each(|speaker| self.speak(speaker))?;
            } else {
                under_way -= ready.drain(..).len();
            }
            if under_way > 0 {
                deliveries += self.listen(&mut ready)?;
            }
        }
        let elapsed = start.elapsed();
        let server_time = server.cpu_time()?.saturating_sub(server_time);
        Ok(Window { deliveries, elapsed, server_time })
    }

    fn speak(&mut self, place: usize) -> Result<()> {
        let others = self.clients.len() - 1;
        let (client, _) = self.clients.get_mut(place).context("no such client")?;
        let speaker = self.speakers.get_mut(place).context("no such speaker")?;
        let mut frame = Vec::new();
        append_frame(&mut frame, TEXT, message(place, speaker.said).as_bytes(), KEY)?;
        let sent = client.stream_mut().write(&frame)?;
        ensure!(sent == frame.len(), "the server takes no message");
        *speaker = Speaker { said: speaker.said + 1, missing: others };
        Ok(())
    }

    /// Waits for messages; returns their count. Speakers that all have heard are added to `ready`.
    fn listen(&mut self, ready: &mut Vec<usize>) -> Result<u32> {
        self.poll.poll(&mut self.events, Some(PATIENCE))?;
        ensure!(!self.events.is_empty(), "messages do not arrive");
        let mut deliveries = 0;
        for event in &self.events {
            let place = event.token().0;
            let (client, hearing) = self.clients.get_mut(place).context("no such client")?;
            read(client, hearing, &mut self.buffer, |place| {
                deliveries += 1;
                let Some(speaker) = self.speakers.get_mut(place) else { return };
                speaker.missing -= 1;
                if speaker.missing == 0 {
                    ready.push(place);
                }
            })?;
        }
        Ok(deliveries)
    }
}

/// Reads what is there.
fn read(
    client: &mut Client,
    hearing: &mut Hearing,
    buffer: &mut [u8],
    mut heard: impl FnMut(usize),
) -> Result<()> {
    loop {
        match client.stream_mut().read(buffer) {
            Ok(0) => bail!("the server hung up"),
            Ok(length) => {
                hearing.take(buffer.get(..length).unwrap_or_default(), &mut heard)?;
                if length < buffer.len() {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
