//! An echo server on smol and async-tungstenite alone, with their default settings.
//!
//! `tests/reliability/run` compares it with ours.

use anyhow::Result;
use async_tungstenite::accept_async;
use smol::net::{TcpListener, TcpStream};
use smol::stream::StreamExt;

fn main() -> Result<()> {
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening on ws://{}", listener.local_addr()?);
        loop {
            match listener.accept().await {
                // An error of one client does not end the others.
                Ok((stream, _)) => executor.spawn(async { echo(stream).await.ok() }).detach(),
                Err(_) => smol::future::yield_now().await,
            }
        }
    }))
}

async fn echo(stream: TcpStream) -> Result<()> {
    let mut socket = accept_async(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}
