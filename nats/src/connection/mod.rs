//! The connection to NATS: from the first attempt to the end of the bridge.
//!
//! Runs on tokio. `sending.rs` and `subscribing.rs` are tasks of their own beside it.

mod sending;
mod subscribing;

use std::future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectErrorKind, Event as ClientEvent, ServerAddr, ServerError};
use log::{error, warn};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::inbox::Event;
use crate::options::{NatsOptions, back_off};
use crate::shared::{Shared, Status};

/// A connection that is to be run.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    options: NatsOptions,
    addresses: Vec<ServerAddr>,
}

/// What is known of the connection.
#[derive(Default)]
struct Watch {
    is_connected: bool,
    /// How often the client has connected.
    connects: u64,
    /// When the other nodes have subscribed again.
    settled: Option<Instant>,
}

/// The failures since the client was connected last.
#[derive(Default)]
struct Failures(AtomicU64);

impl Connection {
    pub(crate) fn new(
        shared: Arc<Shared>,
        options: NatsOptions,
        addresses: Vec<ServerAddr>,
    ) -> Self {
        Self { shared, options, addresses }
    }

    /// Connects, and serves the bridge until it ends.
    pub(crate) async fn run(self) {
        let shared = &*self.shared;
        let mut status = shared.status.subscribe();
        tokio::select! {
            _ = status.wait_for(|status| matches!(status, Status::Ended(_))) => {}
            () = self.serve() => {}
            () = report_losses(shared) => {}
            () = end_in_time(shared) => {}
        }
    }

    async fn serve(&self) {
        let client = self.first_connection().await;
        let mut tasks = JoinSet::new();
        tasks.spawn(sending::send(Arc::clone(&self.shared), client.clone()));
        tasks.spawn(subscribing::subscribe(Arc::clone(&self.shared), client.clone()));
        tokio::select! {
            () = self.watch(&client) => {}
            _ = tasks.join_next() => {
                error!("the client of NATS has ended, and the bridge with it");
                return;
            }
        }
        self.finish(&client).await;
        // The delivery ends the bridge, behind what has arrived.
        future::pending::<()>().await;
    }

    async fn first_connection(&self) -> Client {
        let mut attempt = 1_usize;
        loop {
            let shared = Arc::clone(&self.shared);
            let failures = Failures::default();
            let on_event = move |event| {
                note_event(&shared, &failures, &event);
                future::ready(())
            };
            let options = self.options.to_client_options().event_callback(on_event);
            match options.connect(self.addresses.clone()).await {
                Ok(client) => return client,
                Err(error) => {
                    if attempt.is_power_of_two() {
                        warn!("cannot connect to NATS (attempt {attempt}): {error}");
                    }
                    if is_refusal(error.kind()) {
                        self.shared.set_status(Status::Refused(Arc::new(error)));
                    }
                }
            }
            sleep(back_off(attempt)).await;
            attempt += 1;
        }
    }

    /// Follows the connection until the bridge is closed and all is sent.
    async fn watch(&self, client: &Client) {
        let shared = &self.shared;
        let mut watch = Watch::default();
        // The client reports an event before its state changes.
        let mut is_changing = true;
        loop {
            watch.look_at(client, shared);
            if shared.closing.borrow().is_some() && shared.outbox.len() == 0 {
                return;
            }
            let settled = watch.settled;
            tokio::select! {
                () = shared.control.notified() => is_changing = true,
                () = sleep(TIME_OF_CHANGE), if is_changing || !watch.is_connected => {
                    is_changing = false;
                }
                () = sleep_until(settled.unwrap_or_else(Instant::now)), if settled.is_some() => {}
            }
        }
    }

    /// Has the server get what was sent, and takes what it has sent.
    async fn finish(&self, client: &Client) {
        // They fail when the client has ended.
        _ = client.flush().await;
        _ = client.drain().await;
        _ = self.shared.forwards.subscribe().wait_for(|count| *count == 0).await;
        self.shared.inbox.close();
    }
}

impl Watch {
    /// Reports what has changed.
    fn look_at(&mut self, client: &Client, shared: &Shared) {
        let connects = client.statistics().connects.load(Ordering::Acquire);
        let is_connected = client.connection_state() == State::Connected;
        if self.is_connected && (!is_connected || connects != self.connects) {
            self.is_connected = false;
            self.settled = None;
            shared.ready_for.store(0, Ordering::Release);
            shared.set_status(Status::Disconnected);
            shared.emit(Event::Disconnected);
        }
        if is_connected && !self.is_connected {
            self.connect(connects, shared);
        }
        if self.settled.is_some_and(|settled| settled <= Instant::now()) {
            self.settled = None;
            self.begin_sending(shared);
            shared.emit(Event::ResyncNeeded);
        }
    }

    fn connect(&mut self, connects: u64, shared: &Shared) {
        let is_first = self.connects == 0;
        self.is_connected = true;
        self.connects = connects;
        shared.set_status(Status::Connected);
        shared.emit(Event::Connected);
        if is_first {
            self.begin_sending(shared);
        } else {
            shared.counters.reconnects.fetch_add(1, Ordering::Relaxed);
            self.settled = Some(Instant::now() + SETTLING_TIME);
        }
    }

    fn begin_sending(&self, shared: &Shared) {
        shared.ready_for.store(self.connects, Ordering::Release);
        shared.outbox.wake_up.notify_one();
        // Questions are sent from now on.
        shared.subscriptions.wake_up.notify_one();
    }
}

impl Shared {
    /// Returns whether messages may be handed to the client now.
    ///
    /// The client's own state is as new as can be.
    fn is_ready(&self, client: &Client) -> bool {
        let ready_for = self.ready_for.load(Ordering::Acquire);
        ready_for != 0
            && client.statistics().connects.load(Ordering::Acquire) == ready_for
            && client.connection_state() == State::Connected
    }
}

impl Failures {
    /// Counts a failure; returns its number if it is to be logged.
    ///
    /// The 1st, 2nd, 4th, 8th and so on are.
    fn note(&self) -> Option<u64> {
        let count = self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        count.is_power_of_two().then_some(count)
    }

    fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// Ends the bridge with the runtime, or when the client has panicked.
impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.end();
    }
}

/// Reports losses, those of 100 ms together.
async fn report_losses(shared: &Shared) {
    loop {
        shared.losses.notified().await;
        sleep(REPORT_TIME).await;
        if !shared.counters.is_report_queued.swap(true, Ordering::AcqRel) {
            shared.emit(Event::Lost);
        }
    }
}

/// Returns when the time of a closed bridge is over.
///
/// With nothing to send and no connection, the delivery ends the bridge before, behind what has
/// arrived.
async fn end_in_time(shared: &Shared) {
    let mut closing = shared.closing.subscribe();
    let Ok(deadline) = closing.wait_for(Option::is_some).await.map(|deadline| *deadline) else {
        return;
    };
    let is_connected = matches!(*shared.status.borrow(), Status::Connected);
    if !is_connected && shared.outbox.len() == 0 {
        shared.inbox.close();
    }
    if let Some(deadline) = deadline {
        sleep_until(Instant::from_std(deadline)).await;
    }
}

/// Takes an event of the client; some may be missing when there are many at once.
fn note_event(shared: &Shared, failures: &Failures, event: &ClientEvent) {
    match event {
        ClientEvent::SlowConsumer(_) => {
            shared.counters.has_gap.store(true, Ordering::Release);
            shared.lose_in(1, "the runtime is too slow for what arrives");
        }
        ClientEvent::ServerError(ServerError::Other(error)) if is_refused_message(error) => {
            shared.lose_out(1, error);
        }
        ClientEvent::ServerError(error) => warn!("NATS reports an error: {error}"),
        ClientEvent::ClientError(error) => {
            // In an outage there is one for each attempt.
            if let Some(count) = failures.note() {
                warn!("the client of NATS reports an error ({count}): {error}");
            }
        }
        ClientEvent::Connected => failures.reset(),
        _ => {}
    }
    shared.control.notify_one();
}

fn is_refused_message(error: &str) -> bool {
    error.to_ascii_lowercase().starts_with("permissions violation for publish")
}

fn is_refusal(kind: ConnectErrorKind) -> bool {
    matches!(kind, ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication)
}

/// The time in which the other nodes have connected and subscribed again.
const SETTLING_TIME: Duration = Duration::from_millis(500);
/// How soon the state of the client is read again.
const TIME_OF_CHANGE: Duration = Duration::from_millis(50);
const REPORT_TIME: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use futures_util::FutureExt;
    use tokio::runtime;

    use crate::inbox::Batch;

    use super::*;

    #[test]
    fn a_bridge_that_is_closed_without_a_connection_delivers_what_has_arrived() {
        let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        let shared = Shared::new();
        shared.emit(Event::Disconnected);
        shared.closing.send_replace(Some(std::time::Instant::now() + Duration::from_secs(60)));

        assert_eq!(end_in_time(&shared).now_or_never(), None);

        let (mut batch, mut context) = (Vec::new(), Context::from_waker(Waker::noop()));
        let mut take = || shared.inbox.poll_take(&mut context, &mut batch, 9);
        assert_eq!(take(), Poll::Ready(Batch::Taken { has_more: false }));
        assert_eq!(take(), Poll::Ready(Batch::Closed));
    }

    #[test]
    fn the_failures_of_an_outage_are_logged_less_and_less_often() {
        let failures = Failures::default();

        let logged: Vec<_> = (0..1000).filter_map(|_| failures.note()).collect();
        assert_eq!(logged, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);

        failures.reset();
        assert_eq!(failures.note(), Some(1));
    }
}
