//! The floor: async-nats alone, two clients on a runtime of their own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use async_nats::{Client, ConnectOptions, Subscriber};
use futures_util::StreamExt;
use tokio::runtime::{Builder, Runtime};

use crate::engine::Engine;

/// A client that publishes and one that has subscribed.
pub(crate) struct Bare {
    runtime: Runtime,
    sender: Client,
    receiver: Client,
}

impl Bare {
    pub(crate) fn connect(engine: &Engine) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let connect = || ConnectOptions::new().connect(engine.url());
        let sender = runtime.block_on(connect())?;
        let receiver = runtime.block_on(connect())?;
        Ok(Self { runtime, sender, receiver })
    }

    /// Publishes a message when the one before has arrived.
    pub(crate) fn exchange(&self, count: usize, size: usize) -> Result<Vec<Duration>> {
        self.runtime.block_on(async {
            let mut subscriber = self.subscribe().await?;
            let payload = bytes::Bytes::from(vec![b'x'; size]);
            let mut times = Vec::with_capacity(count);
            for _ in 0..count {
                let sent = Instant::now();
                self.sender.publish("bare", payload.clone()).await?;
                subscriber.next().await.context("no message")?;
                times.push(sent.elapsed());
            }
            Ok(times)
        })
    }

    /// Publishes so many messages, of which `window` may be on their way.
    pub(crate) fn stream(&self, count: usize, size: usize, window: usize) -> Result<Duration> {
        self.runtime.block_on(async {
            let mut subscriber = self.subscribe().await?;
            let payload = bytes::Bytes::from(vec![b'x'; size]);
            let (start, mut sent) = (Instant::now(), 0);
            for received in 0..count {
                while sent < count && sent < received + window {
                    self.sender.publish("bare", payload.clone()).await?;
                    sent += 1;
                }
                subscriber.next().await.context("no message")?;
            }
            Ok(start.elapsed())
        })
    }

    async fn subscribe(&self) -> Result<Subscriber> {
        let subscriber = self.receiver.subscribe("bare").await?;
        self.receiver.flush().await?;
        // The server has it when it answers.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(subscriber)
    }
}
