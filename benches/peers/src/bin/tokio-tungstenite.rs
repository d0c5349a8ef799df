//! An echo server on tokio-tungstenite, on one thread; with `--broadcast` each message goes to all
//! clients, its sender included.

use anyhow::Result;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::Message;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let is_broadcast = std::env::args().nth(1).is_some_and(|argument| argument == "--broadcast");
    let all = is_broadcast.then(|| broadcast::Sender::new(QUEUE));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let all = all.clone();
        tokio::spawn(async move {
            let ended = match all {
                None => echo(stream).await,
                Some(all) => broadcast(stream, all).await,
            };
            if let Err(error) = ended {
                eprintln!("ended: {error}");
            }
        });
    }
}

async fn echo(stream: TcpStream) -> Result<()> {
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn broadcast(stream: TcpStream, all: broadcast::Sender<Message>) -> Result<()> {
    let mut messages = all.subscribe();
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    loop {
        tokio::select! {
            received = socket.next() => {
                let Some(message) = received else { return Ok(()) };
                let message = message?;
                if message.is_text() || message.is_binary() {
                    all.send(message)?;
                }
            }
            message = messages.recv() => socket.send(message?).await?,
        }
    }
}

/// How many messages wait for the slowest client.
const QUEUE: usize = 1024;
