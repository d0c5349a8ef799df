//! The state of a client that reconnects, as data of its socket.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::socket::client::client_request::ClientRequest;
use crate::types::close_code::CloseCode;
use crate::types::error::Error;
use crate::types::reconnect::{Attempt, Reconnect, ReconnectCause};

/// The state of a client that has, or had, a policy to reconnect.
#[derive(Default)]
pub(crate) struct ReconnectState {
    pub(super) policy: Option<Arc<Reconnect>>,
    /// The request of the last `open`, until `close` or `abort`.
    ///
    /// Without one nothing is reconnected.
    request: Option<ClientRequest>,
    /// The error that has ended the connection, or the attempt.
    failure: Option<Error>,
    /// The attempts since `open`, or since a connection that has lasted.
    attempts: u32,
    /// The time since which the connection is open.
    open_since: Option<Instant>,
    /// The last attempt: it waits, is under way, or has succeeded.
    planned: Option<Attempt>,
    /// Counts the plans and their ends: a plan is valid while its number is this one.
    plan: u64,
}

/// A planned connection: the request of `open` again.
pub(crate) struct Again {
    pub(crate) policy: Arc<Reconnect>,
    pub(crate) request: ClientRequest,
    pub(crate) attempt: Attempt,
}

impl ReconnectState {
    /// Begins anew with the request of `open`; `None` is the end.
    ///
    /// Returns whether an attempt was planned.
    pub(crate) fn restart(&mut self, request: Option<ClientRequest>) -> bool {
        self.request = request;
        (self.failure, self.open_since, self.attempts) = (None, None, 0);
        self.plan += 1;
        self.planned.take().is_some()
    }

    /// Returns whether `open` keeps its request here.
    pub(crate) fn keeps_request(&self) -> bool {
        self.policy.is_some()
    }

    /// Begins an attempt: what failed before is no cause for the next one.
    pub(crate) fn begin(&mut self) {
        self.failure = None;
    }

    pub(crate) fn note_failure(&mut self, error: Error) {
        self.failure = Some(error);
    }

    pub(crate) fn note_open(&mut self, now: Instant) {
        self.open_since = Some(now);
    }

    /// Returns whether an attempt waits for its time, or is under way.
    pub(crate) fn is_planned(&self) -> bool {
        self.planned.is_some() && self.open_since.is_none()
    }

    /// Returns the policy and the number of the next plan, unless the end is final.
    pub(super) fn next_plan(&mut self) -> Option<(Arc<Reconnect>, u64)> {
        self.request.as_ref()?;
        let policy = self.policy.clone()?;
        self.plan += 1;
        Some((policy, self.plan))
    }

    /// Returns the cause for the next attempt.
    pub(super) fn cause(&mut self, code: Option<CloseCode>, reason: String) -> ReconnectCause {
        let code = code.unwrap_or(CloseCode::ABNORMAL_DISCONNECTION);
        match self.failure.take() {
            Some(error) => ReconnectCause::Failed(error),
            None => ReconnectCause::Closed { code, reason },
        }
    }

    /// Returns the number of the next attempt.
    pub(super) fn count(&mut self, now: Instant) -> u32 {
        let last_delay = self.planned.as_ref().map_or(Duration::ZERO, |attempt| attempt.delay);
        if let Some(since) = self.open_since.take()
            && now.saturating_duration_since(since) >= last_delay.max(SHORTEST_CONNECTION)
        {
            self.attempts = 0;
        }
        self.attempts = self.attempts.saturating_add(1);
        self.attempts
    }

    pub(super) fn set_planned(&mut self, attempt: Attempt) {
        self.planned = Some(attempt);
    }

    pub(super) fn is_current(&self, plan: u64) -> bool {
        self.plan == plan
    }

    /// Returns the attempt with this plan, unless it has ended.
    pub(crate) fn attempt(&self, plan: u64) -> Option<&Attempt> {
        self.planned.as_ref().filter(|_| self.is_current(plan))
    }

    /// Returns the connection with this plan, unless it has ended.
    pub(super) fn again(&self, plan: u64) -> Option<Again> {
        let attempt = self.attempt(plan)?.clone();
        Some(Again { policy: self.policy.clone()?, request: self.request.clone()?, attempt })
    }
}

/// A shorter connection counts as an attempt that has failed, also without a delay.
const SHORTEST_CONNECTION: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    /// A policy may have no delay before the first attempt.
    #[test]
    fn a_connection_that_ends_at_once_has_not_lasted_without_a_delay() {
        let (mut state, begin) = (ReconnectState::default(), Instant::now());
        assert_eq!(state.count(begin), 1);
        planned(&mut state, 1, Duration::ZERO);
        state.note_open(begin);
        assert_eq!(state.count(begin), 2);
        state.note_open(begin);
        assert_eq!(state.count(begin + SHORTEST_CONNECTION), 1);
    }

    /// The former connection may fail in its closing handshake, after `open` was called again.
    #[test]
    fn a_failure_before_the_attempt_is_not_the_cause_after_it() {
        let mut state = ReconnectState::default();
        state.note_failure(Error::RemoteHostClosed);
        state.begin();
        let cause = state.cause(Some(CloseCode::NORMAL), String::new());
        assert!(matches!(cause, ReconnectCause::Closed { code: CloseCode::NORMAL, .. }));
    }

    fn planned(state: &mut ReconnectState, number: u32, delay: Duration) {
        let cause = ReconnectCause::Failed(Error::RemoteHostClosed);
        state.set_planned(Attempt { number, delay, cause });
    }

    /// A server that ends each connection at once is not connected to without a pause.
    #[test]
    fn attempts_are_counted_until_a_connection_has_lasted_as_long_as_the_delay() {
        let (mut state, begin, delay) =
            (ReconnectState::default(), Instant::now(), Duration::from_secs(8));
        assert_eq!(state.count(begin), 1);
        assert_eq!(state.count(begin), 2);
        planned(&mut state, 2, delay);
        assert!(state.is_planned());

        state.note_open(begin);
        assert!(!state.is_planned());
        assert_eq!(state.count(begin + delay / 2), 3);
        state.note_open(begin);
        assert_eq!(state.count(begin + delay), 1);
    }

    #[test]
    fn without_a_request_nothing_is_planned() {
        let mut state = ReconnectState { policy: Some(Arc::default()), ..Default::default() };
        let request = ClientRequest::new("ws://127.0.0.1/");

        state.restart(Some(request));
        let plan = state.next_plan().map(|(_, plan)| plan);
        assert!(plan.is_some_and(|plan| state.is_current(plan)));

        state.restart(None);
        assert!(state.next_plan().is_none());
        assert!(!plan.is_some_and(|plan| state.is_current(plan)));
    }
}
