//! Lets Autobahn|Testsuite's fuzzing server take a client through its cases; `tests/autobahn/run`
//! runs it.
//!
//! Qt has such a program among its manual tests (COMP-01). One socket is opened again for each case.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{Context, Result};
use clap::Parser;
use slotwork::{Compression, EventLoop, WebSocket};

/// Goes through the cases of Autobahn's fuzzing server
#[derive(Parser)]
struct Options {
    /// The server, as ws://HOST:PORT
    server: String,
    /// Compresses messages, with a history of so many bytes; 0 for none
    #[arg(long, value_name = "BYTES")]
    history: Option<usize>,
}

fn main() -> Result<()> {
    let Options { server, history } = Options::parse();
    let cases = count_cases(&server)?;

    let socket = WebSocket::new();
    if let Some(history) = history {
        let settings = Compression::new();
        socket.set_compression(if history == 0 { settings } else { settings.history(history)? });
    }
    socket.text_message_received().connect(|socket, text| {
        socket.send_text_message(text);
    });
    socket.binary_message_received().connect(|socket, bytes| {
        socket.send_binary_message(bytes);
    });
    for case in 1..=cases {
        run(&socket, &format!("{server}/runCase?case={case}&agent=slotwork"))?;
    }
    run(&socket, &format!("{server}/updateReports?agent=slotwork"))
}

fn count_cases(server: &str) -> Result<u32> {
    let count = Rc::new(Cell::new(None));
    let socket = WebSocket::new();
    socket.text_message_received().connect_to(&count, |count, _socket, text| {
        count.set(text.parse().ok());
    });
    run(&socket, &format!("{server}/getCaseCount"))?;
    count.get().with_context(|| format!("no number of cases: {}", socket.error_string()))
}

/// Opens a connection and waits for its end.
fn run(socket: &WebSocket, url: &str) -> Result<()> {
    let _quit = socket.disconnected().once().connect(|_socket, ()| EventLoop::current().quit());
    socket.open(url)?;
    EventLoop::current().exec();
    Ok(())
}
