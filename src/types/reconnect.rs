//! The policy of a client that reconnects, its attempts and their causes.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use smol::future::BoxedLocal;

use crate::types::close_code::CloseCode;
use crate::types::error::Error;

/// The policy of a client that reconnects, for [`WebSocket::set_reconnect`].
///
/// By default the delay is 1 s before the first attempt, doubles with each one up to 30 s, and
/// varies by 20 %; there is no maximum number of attempts, and the cause decides as
/// [`ReconnectCause::is_temporary`] does.
///
/// # Qt
///
/// Qt has no counterpart: programs call `open()` in a slot of a `QTimer`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use slotwork::{Reconnect, WebSocket};
///
/// let socket = WebSocket::new();
/// let policy = Reconnect::new()
///     .delay(Duration::from_millis(500)..=Duration::from_secs(60))
///     .jitter(0.5)
///     .give_up_after(Some(100));
/// socket.set_reconnect(Some(policy));
/// ```
///
/// [`WebSocket::set_reconnect`]: crate::WebSocket::set_reconnect
#[derive(Clone)]
pub struct Reconnect {
    first: Duration,
    longest: Duration,
    jitter: f64,
    max_attempts: Option<u32>,
    rule: Option<Arc<Rule>>,
    url: Option<Arc<MakeUrl>>,
}

/// An attempt to reconnect, the value of [`reconnecting`].
///
/// # Qt
///
/// Qt has no counterpart.
///
/// [`reconnecting`]: crate::WebSocket::reconnecting
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The number of the attempt, from 1.
    ///
    /// [`Reconnect::delay`] describes where it begins anew.
    pub number: u32,
    /// The time until the attempt.
    pub delay: Duration,
    /// The cause: the end of the last connection, or the failure of the last attempt.
    pub cause: ReconnectCause,
}

/// The cause for which a client reconnects.
///
/// # Qt
///
/// `QWebSocket::closeCode()` and `error()` at the end of a connection.
///
/// # Examples
///
/// ```
/// use slotwork::{Error, ReconnectCause};
///
/// fn describe(cause: &ReconnectCause) -> String {
///     match cause {
///         ReconnectCause::Closed { code, reason } => format!("closed with {code}: {reason}"),
///         ReconnectCause::Failed(Error::HostNotFound { host, .. }) => format!("{host} is unknown"),
///         ReconnectCause::Failed(error) => error.to_string(),
///         _ => "other".into(),
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ReconnectCause {
    /// The connection, or the attempt to connect, failed.
    Failed(Error),
    /// The connection was closed, by a close frame or without an error.
    Closed {
        /// The close code, as [`close_code`](crate::WebSocket::close_code) returns it.
        code: CloseCode,
        /// The close reason; often empty.
        reason: String,
    },
}

/// The rule of the program.
type Rule = dyn Fn(&ReconnectCause) -> bool + Send + Sync;

/// The program's maker of URLs.
type MakeUrl = dyn Fn(Attempt) -> BoxedLocal<Option<String>> + Send + Sync;

impl Reconnect {
    /// Makes a policy with the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            jitter: 0.2,
            max_attempts: None,
            rule: None,
            url: None,
        }
    }

    /// Sets the first and the longest delay; the default is 1 s to 30 s.
    ///
    /// The delay doubles with each attempt. After a first delay of zero it continues with 100 ms.
    /// Delays and numbers begin anew after a connection that was open for as long as the delay
    /// before it: a server that accepts clients and ends them at once is not asked again and again
    /// without a pause.
    #[must_use]
    pub fn delay(mut self, range: RangeInclusive<Duration>) -> Self {
        self.first = *range.start();
        self.longest = self.first.max(*range.end());
        self
    }

    /// Sets the random part of each delay, as a fraction of it; the default is 0.2.
    ///
    /// With 0.2 a delay of 10 s is 8 s to 12 s, so that the clients of a server that was restarted do
    /// not return at once. It is limited to 0 (none) to 1 (from nothing to twice the delay).
    #[must_use]
    pub fn jitter(mut self, fraction: f64) -> Self {
        self.jitter = if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) };
        self
    }

    /// Sets the maximum number of attempts; the default, `None`, is no maximum.
    ///
    /// After the last one [`error_occurred`](crate::WebSocket::error_occurred) is emitted with
    /// [`Error::ReconnectGivenUp`], before `disconnected`.
    #[must_use]
    pub fn give_up_after(mut self, attempts: Option<u32>) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets the rule that decides for which causes the client reconnects.
    ///
    /// It replaces the default, [`ReconnectCause::is_temporary`], and is called on the socket's
    /// thread before `disconnected`. It is not called after the program's own `close` or `abort`.
    /// After a panic in it the client does not reconnect.
    ///
    /// # Examples
    ///
    /// Servers that limit rates answer with HTTP 429:
    ///
    /// ```
    /// use slotwork::{Error, Reconnect, ReconnectCause};
    ///
    /// let policy = Reconnect::new().retry_if(|cause| {
    ///     let is_limited =
    ///         matches!(cause, ReconnectCause::Failed(Error::UpgradeRefused { status: 429, .. }));
    ///     is_limited || cause.is_temporary()
    /// });
    /// ```
    #[must_use]
    pub fn retry_if(
        mut self,
        rule: impl Fn(&ReconnectCause) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.rule = Some(Arc::new(rule));
        self
    }

    /// Sets the async function that returns the URL of each attempt.
    ///
    /// For tokens that expire; the default is the URL of `open`. It is called on the socket's thread
    /// when the delay has passed, and belongs to the attempt: the connect timeout includes it, and
    /// `close` and `abort` drop its future. `None` in the place of a URL fails the attempt with
    /// [`Error::NoReconnectUrl`], a panic with [`Error::SlotPanicked`]; the next one follows. Headers
    /// and subprotocols remain those of `open`. Do not capture the socket in it.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork::Reconnect;
    ///
    /// async fn fetch_token() -> Option<String> {
    ///     // An HTTP request, for example.
    ///     Some("1234".into())
    /// }
    ///
    /// let policy = Reconnect::new().reconnect_url(async |_attempt| {
    ///     let token = fetch_token().await?;
    ///     Some(format!("wss://example.org/chat?token={token}"))
    /// });
    /// ```
    #[must_use]
    pub fn reconnect_url<U: Into<Option<String>>>(
        mut self,
        url: impl AsyncFn(&Attempt) -> U + Send + Sync + 'static,
    ) -> Self {
        let url = Arc::new(url);
        self.url = Some(Arc::new(move |attempt| {
            let url = Arc::clone(&url);
            Box::pin(async move { url(&attempt).await.into() })
        }));
        self
    }

    /// Returns the delay before an attempt; `random` is any number.
    pub(crate) fn delay_of(&self, number: u32, random: u64) -> Duration {
        let doublings = number.saturating_sub(1);
        let (first, doublings) = match self.first {
            Duration::ZERO if doublings > 0 => (AFTER_ZERO, doublings - 1),
            first => (first, doublings),
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let delay = first.saturating_mul(factor).min(self.longest);
        // 32 random bits are exact as a floating-point number.
        let random = f64::from((random >> 32) as u32) / f64::from(u32::MAX);
        let varied = delay.as_secs_f64() * (1.0 - self.jitter + 2.0 * self.jitter * random);
        Duration::try_from_secs_f64(varied).unwrap_or(delay)
    }

    /// Returns whether an attempt is within the maximum.
    pub(crate) fn allows(&self, number: u32) -> bool {
        self.max_attempts.is_none_or(|max| number <= max)
    }

    /// Returns whether the client reconnects for this cause.
    pub(crate) fn may_follow(&self, cause: &ReconnectCause) -> bool {
        match &self.rule {
            Some(rule) => rule(cause),
            None => cause.is_temporary(),
        }
    }

    /// Returns the future of the program's URL for an attempt, if it makes URLs.
    pub(crate) fn url_of(&self, attempt: Attempt) -> Option<BoxedLocal<Option<String>>> {
        self.url.as_ref().map(|make| make(attempt))
    }
}

impl ReconnectCause {
    /// Returns whether the cause may pass by itself.
    ///
    /// It is the rule of a policy without [`Reconnect::retry_if`]: true for each failure but an HTTP
    /// status from 400 to 499 of the server (not of a proxy), and for each close code but 1000
    /// ([`CloseCode::NORMAL`]) and 1008 ([`CloseCode::POLICY_VIOLATED`]).
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Failed(Error::UpgradeRefused { status, .. }) => !(400..500).contains(status),
            Self::Failed(_) => true,
            Self::Closed { code, .. } => {
                !matches!(*code, CloseCode::NORMAL | CloseCode::POLICY_VIOLATED)
            }
        }
    }
}

impl Default for Reconnect {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Reconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnect")
            .field("delay", &(self.first..=self.longest))
            .field("jitter", &self.jitter)
            .field("give_up_after", &self.max_attempts)
            .finish_non_exhaustive()
    }
}

/// The second delay when the first one is zero.
const AFTER_ZERO: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(policy: &Reconnect, numbers: impl IntoIterator<Item = u32>) -> Vec<u128> {
        numbers.into_iter().map(|it| policy.delay_of(it, 0).as_millis()).collect()
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        let policy = Reconnect::new().jitter(0.0);
        let expected = [1, 2, 4, 8, 16, 30, 30, 30, 30].map(|seconds| seconds * 1000);
        assert_eq!(millis(&policy, (1..8).chain([33, u32::MAX])), expected);

        let from_zero = policy.clone().delay(Duration::ZERO..=Duration::from_secs(1));
        assert_eq!(millis(&from_zero, 1..7), [0, 100, 200, 400, 800, 1000]);

        let constant = policy.clone().delay(Duration::from_secs(5)..=Duration::from_secs(3));
        assert_eq!(millis(&constant, 1..4), [5000; 3]);

        let zero = policy.delay(Duration::ZERO..=Duration::ZERO);
        assert_eq!(millis(&zero, [1, 2, 99]), [0; 3]);
    }

    #[test]
    fn jitter_varies_a_delay_in_both_directions() {
        let delays = |fraction: f64| {
            let policy = Reconnect::new().jitter(fraction);
            [0, u64::MAX].map(|random| policy.delay_of(4, random).as_millis())
        };

        assert_eq!(delays(0.25), [6_000, 10_000]);
        assert_eq!(delays(7.0), [0, 16_000]);
        assert_eq!(delays(-1.0), [8_000; 2]);
        assert_eq!(delays(f64::NAN), [8_000; 2]);
    }

    #[test]
    fn the_longest_durations_do_not_overflow() {
        let policy = Reconnect::new().delay(Duration::MAX..=Duration::MAX).jitter(1.0);

        assert_eq!(policy.delay_of(u32::MAX, u64::MAX), Duration::MAX);
    }

    #[test]
    fn an_end_for_good_is_not_temporary() {
        let refused = |status| Error::UpgradeRefused { status, reason: String::new() };
        let closed =
            |code: u16| ReconnectCause::Closed { code: code.into(), reason: String::new() };
        let table = [
            (ReconnectCause::Failed(Error::RemoteHostClosed), true),
            (ReconnectCause::Failed(refused(302)), true),
            (ReconnectCause::Failed(refused(400)), false),
            (ReconnectCause::Failed(refused(429)), false),
            (ReconnectCause::Failed(refused(499)), false),
            (ReconnectCause::Failed(refused(503)), true),
            (closed(1000), false),
            (closed(1001), true),
            (closed(1005), true),
            (closed(1008), false),
            (closed(1011), true),
            (closed(1013), true),
        ];
        for (cause, is_temporary) in table {
            assert_eq!(cause.is_temporary(), is_temporary, "{cause:?}");
        }
    }
}
