//! The deadline of an opening handshake, from TCP accept to the answer.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::runtime::timers::Sleep;
use crate::server::refusals::report;
use crate::server::state::Inner;
use crate::types::error::Error;
use crate::types::stats::RefusalReason;

/// The deadline of an opening handshake.
pub(crate) struct Deadline {
    timeout: Option<Duration>,
    sleep: Option<Sleep>,
}

impl Deadline {
    pub(crate) fn new(timeout: Option<Duration>) -> Self {
        Self { timeout, sleep: timeout.map(Sleep::new) }
    }

    /// Waits until the deadline has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.sleep {
            Some(sleep) => Pin::new(sleep).poll(cx),
            None => Poll::Pending,
        }
    }

    /// Runs a step of the handshake; `None` when the deadline has passed.
    ///
    /// The step is pinned already: a future that is moved from one to another takes room in both.
    pub(crate) fn limit<T>(
        &mut self,
        mut step: impl Future<Output = T> + Unpin,
    ) -> impl Future<Output = Option<T>> {
        poll_fn(move |cx| {
            if let Poll::Ready(outcome) = Pin::new(&mut step).poll(cx) {
                return Poll::Ready(Some(outcome));
            }
            ready!(self.poll(cx));
            Poll::Ready(None)
        })
    }

    /// Reports that the deadline of this peer has passed.
    pub(crate) fn report(&self, server: &Weak<Inner>, peer: SocketAddr) {
        let timeout = self.timeout.unwrap_or_default();
        report(server, RefusalReason::Timeout, &Error::HandshakeTimeout { peer, timeout });
    }
}
