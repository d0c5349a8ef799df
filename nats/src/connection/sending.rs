//! Hands the messages of the outbox to the client, while it is connected.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_nats::{Client, PublishError, PublishErrorKind};

use crate::outbox::Outgoing;
use crate::shared::Shared;

/// Sends what the outbox has, until the client ends.
pub(super) async fn send(shared: Arc<Shared>, client: Client) {
    let outbox = &shared.outbox;
    let mut batch = VecDeque::with_capacity(BATCH);
    loop {
        if !shared.is_ready(&client) {
            outbox.wake_up.notified().await;
            continue;
        }
        outbox.take(&mut batch, BATCH);
        if batch.is_empty() {
            if shared.closing.borrow().is_some() {
                shared.control.notify_one();
            }
            outbox.wake_up.notified().await;
            continue;
        }
        while shared.is_ready(&client)
            && let Some(message) = batch.pop_front()
        {
            let sent = publish(&client, message).await;
            outbox.note_sent();
            match sent {
                Ok(()) => _ = shared.counters.published.fetch_add(1, Ordering::Relaxed),
                Err(error) if error.kind() == PublishErrorKind::Send => return,
                Err(error) => shared.lose_out(1, &error.to_string()),
            }
        }
        let dropped = outbox.put_back(&mut batch);
        shared.lose_out(dropped, "more wait to be sent than the queue takes");
    }
}

async fn publish(client: &Client, message: Outgoing) -> Result<(), PublishError> {
    match message.headers() {
        Some(headers) => {
            client.publish_with_headers(message.subject, headers, message.payload).await
        }
        None => client.publish(message.subject, message.payload).await,
    }
}

/// So many messages are taken with one lock.
const BATCH: usize = 64;
