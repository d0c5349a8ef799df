//! Sends much to peers that read slowly: `slow-peers-sender`, run by `tests/slow_peers/run`.
//!
//! `serve MODE MIB` listens and sends so many MiB to the first client, `upload URL MIB` does so as a
//! client. Modes: `stay` leaves the connection open, `close` closes it at once, `shutdown` gives the
//! server one second, `stream` sends through a message stream, `latest` sends numbers with
//! `OutputPolicy::DropOldest`. Each prints how the connection has ended.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use slotwork::{
    CloseCode, EventLoop, HostAddress, OutputPolicy, SslMode, WebSocket, WebSocketServer,
};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [role, argument, size] = &arguments[..] else { bail!("serve MODE MIB | upload URL MIB") };
    let length = size.parse::<usize>().context("not a number of MiB")? << 20;
    match &**role {
        "serve" => serve(argument.clone(), length),
        "upload" => upload(argument, length),
        _ => bail!("{role} is neither serve nor upload"),
    }
}

fn serve(mode: String, length: usize) -> Result<()> {
    let server = WebSocketServer::new("Slow Peers", SslMode::NonSecure);
    server.new_connection().connect(move |server, ()| {
        while let Some(socket) = server.next_pending_connection() {
            report_end(&socket);
            send(server, &socket, &mode, length);
        }
    });
    server.listen(HostAddress::LocalHost, 0)?;
    println!("listening on {}", server.server_url());
    EventLoop::current().exec();
    Ok(())
}

fn send(server: &WebSocketServer, socket: &WebSocket, mode: &str, length: usize) {
    match mode {
        "latest" => return send_numbers(socket),
        "stream" => return send_through_stream(socket, length),
        _ => _ = socket.send_binary_message(vec![7; length]),
    }
    match mode {
        "close" => _ = socket.close(CloseCode::NORMAL, "done"),
        "shutdown" => server.shutdown(Duration::from_secs(1)),
        _ => {}
    }
}

fn send_numbers(socket: &WebSocket) {
    socket.set_output_policy(OutputPolicy::DropOldest);
    socket.set_send_buffer(Some(16 * 1024));
    let socket = socket.clone();
    let sending = async move {
        for number in 1..=40_000 {
            socket.send_text_message(format!("{number:01000}"));
            if number % 100 == 0 {
                smol::Timer::after(Duration::from_millis(50)).await;
            }
        }
        socket.close(CloseCode::NORMAL, "done");
    };
    EventLoop::current().spawn(sending).detach();
}

fn send_through_stream(socket: &WebSocket, length: usize) {
    let mut stream = socket.message_stream();
    let sending = async move {
        for _ in 0..length / PIECE {
            if stream.send(vec![7; PIECE]).await.is_err() {
                return;
            }
        }
        stream.socket().close(CloseCode::NORMAL, "done");
        while stream.next().await.is_some() {}
    };
    EventLoop::current().spawn(sending).detach();
}

fn upload(url: &str, length: usize) -> Result<()> {
    let socket = WebSocket::new();
    report_end(&socket);
    socket.disconnected().connect(|_, ()| EventLoop::current().quit());
    socket.connected().connect(move |socket, ()| {
        socket.send_binary_message(vec![7; length]);
        socket.close(CloseCode::NORMAL, "done");
    });
    socket.open(url)?;
    EventLoop::current().exec();
    Ok(())
}

fn report_end(socket: &WebSocket) {
    socket.disconnected().connect(|socket, ()| {
        println!("ended {} {}", socket.close_code().map_or(0, u16::from), socket.error_string());
    });
}

const PIECE: usize = 64 * 1024;
