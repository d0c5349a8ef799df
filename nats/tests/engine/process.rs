//! A node in a process of its own: the example `node`.

use std::cell::RefCell;
use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use slotwork::WebSocket;
use support::wait_until;

use crate::engine::signal;

/// A node, which is killed when this is dropped.
pub(crate) struct Process {
    process: Child,
    url: String,
}

/// A client of a node, with what it has received.
pub(crate) struct Client {
    socket: WebSocket,
    texts: Rc<RefCell<Vec<String>>>,
}

impl Process {
    /// Starts a node.
    pub(crate) fn start(url: &str) -> Result<Self> {
        let test = env::current_exe()?;
        let folder = test.parent().and_then(|deps| deps.parent()).context("no folder")?;
        let mut process = Command::new(folder.join("examples/node"))
            .arg(url)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the example `node`")?;
        let output = process.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let url = line.trim().strip_prefix("listening on ").context("no URL")?.to_owned();
        Ok(Self { process, url })
    }

    /// Connects a client to a path, as the node describes them.
    pub(crate) fn open(&self, path: &str) -> Result<Client> {
        let socket = WebSocket::new();
        let texts = Rc::new(RefCell::new(Vec::new()));
        socket.text_message_received().connect_to(&texts, |texts, _socket, text| {
            texts.borrow_mut().push(text.to_owned());
        });
        socket.open(format!("{}/{path}", self.url.trim_end_matches('/')))?;
        let client = Client { socket, texts };
        client.wait_for("ready")?;
        client.texts.take();
        Ok(client)
    }

    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    pub(crate) fn suspend(&self) -> Result<()> {
        signal(&self.process, Signal::STOP)
    }

    pub(crate) fn resume(&self) -> Result<()> {
        signal(&self.process, Signal::CONT)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be dead already.
        _ = self.kill();
    }
}

impl Client {
    pub(crate) fn send(&self, text: &str) {
        self.socket.send_text_message(text);
    }

    /// Waits until it has received this text.
    pub(crate) fn wait_for(&self, text: &str) -> Result<()> {
        wait_until(|| self.count_of(text) > 0).with_context(|| format!("no {text:?}"))
    }

    pub(crate) fn count_of(&self, text: &str) -> usize {
        self.texts.borrow().iter().filter(|it| *it == text).count()
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.borrow().len()
    }

    /// Returns the received numbers, which are in order and without copies.
    pub(crate) fn numbers(&self) -> Result<Vec<u64>> {
        let numbers: Result<Vec<u64>, _> =
            self.texts.borrow().iter().map(|it| it.parse()).collect();
        let numbers = numbers?;
        ensure!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
        Ok(numbers)
    }

    /// Returns the sum of the numbers that the node has reported behind these words.
    pub(crate) fn sum_of(&self, words: &str) -> u64 {
        let texts = self.texts.borrow();
        texts.iter().filter_map(|text| text.strip_prefix(words)?.parse::<u64>().ok()).sum()
    }
}

/// Sends until a client of another node has it: the subscription is there.
pub(crate) fn link(sender: &Client, receiver: &Client) -> Result<()> {
    support::run_until(async {
        while receiver.count_of("link") == 0 {
            sender.send("link");
            smol::Timer::after(std::time::Duration::from_millis(10)).await;
        }
        // Those on their way.
        smol::Timer::after(std::time::Duration::from_millis(300)).await;
    })?;
    receiver.texts.take();
    Ok(())
}
