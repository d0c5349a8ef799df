//! Finds the clients whose connections are dead: their peers have gone without a word.
//!
//! One task looks at all clients of a server again and again, a few in each turn of the loop. This
//! costs a client one byte, and nothing per message; a timer for each would cost more than much
//! else that an idle connection needs.

use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use smol::future::FutureExt;

use crate::event_loop::{EventLoop, LoopHandle, next_turn};
use crate::runtime::timers::Sleep;
use crate::session::PING_AFTER;
use crate::socket::{Clients, WebSocket};

/// Begins to look after clients, until there are none.
pub(crate) fn start(event_loop: &LoopHandle, clients: &Arc<Clients>) {
    let clients = Arc::downgrade(clients);
    event_loop.run(|| EventLoop::current().spawn(watch(clients)).detach());
}

async fn watch(clients: Weak<Clients>) {
    while let Some(interval) = clients.upgrade().and_then(|clients| clients.go_on_watching()) {
        let look = interval / u32::from(PING_AFTER);
        let pass = async {
            Sleep::new(look).await;
            false
        };
        let change = async {
            poll_fn(|cx| poll_changed(&clients, interval, cx)).await;
            true
        };
        if pass.or(change).await {
            continue;
        }
        let mut place = 0;
        while let Some((sockets, next)) = some_sockets(&clients, place) {
            for socket in &sockets {
                socket.check_alive(look);
            }
            drop(sockets);
            place = next;
            next_turn().await;
        }
    }
}

/// Waits until another interval is set, or the server is gone.
fn poll_changed(clients: &Weak<Clients>, interval: Duration, cx: &Context<'_>) -> Poll<()> {
    clients.upgrade().map_or(Poll::Ready(()), |clients| clients.poll_other_interval(interval, cx))
}

fn some_sockets(clients: &Weak<Clients>, place: usize) -> Option<(Vec<WebSocket>, usize)> {
    clients.upgrade()?.some_sockets(place)
}
