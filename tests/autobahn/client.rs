//! Lets Autobahn|Testsuite's fuzzing server take a client through its cases; `tests/autobahn/run`
//! runs it.
//!
//! Qt has such a program among its manual tests (COMP-01). One socket is opened again for each case.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{Context, Result};
use slotwork::{EventLoop, WebSocket};

fn main() -> Result<()> {
    let server = std::env::args().nth(1).context("usage: autobahn-client ws://HOST:PORT")?;
    let cases = count_cases(&server)?;

    let socket = WebSocket::new();
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
