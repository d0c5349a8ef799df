//! What a run waits for: messages, texts, pongs.

use slotwork::Message;

use crate::options::Exchange;

/// What was waited for, and what has arrived of it.
pub(crate) struct Progress {
    count: Option<u64>,
    received: u64,
    until: Option<String>,
    has_found_until: bool,
    /// The expected texts that have not arrived.
    expected: Vec<String>,
    follows: bool,
    is_all_sent: bool,
    pings: u32,
    pings_sent: u32,
    pongs: u32,
}

/// The meaning of a message for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It came behind the last one that was waited for.
    Superfluous,
    /// It came in between.
    Other,
    Awaited,
}

impl Progress {
    pub(crate) fn new(exchange: &Exchange) -> Self {
        Self {
            count: exchange.count,
            received: 0,
            until: exchange.until.clone(),
            has_found_until: false,
            expected: exchange.expect.clone(),
            follows: exchange.follow,
            is_all_sent: false,
            pings: exchange.ping,
            pings_sent: 0,
            pongs: 0,
        }
    }

    /// Notes a message.
    pub(crate) fn receive(&mut self, message: &Message) -> Arrival {
        if self.is_limited() && self.is_over() {
            return Arrival::Superfluous;
        }
        let text = String::from_utf8_lossy(message.as_bytes());
        self.received += 1;
        let is_last = self.until.as_ref().is_some_and(|until| text.contains(until.as_str()));
        self.has_found_until |= is_last;
        let missing = self.expected.len();
        self.expected.retain(|expected| !text.contains(expected.as_str()));
        let is_awaited = self.count.is_some() || is_last || self.expected.len() < missing;
        if is_awaited { Arrival::Awaited } else { Arrival::Other }
    }

    /// Notes that all messages are sent.
    pub(crate) fn set_all_sent(&mut self) {
        self.is_all_sent = true;
    }

    pub(crate) fn begin_ping(&mut self) {
        self.pings_sent += 1;
    }

    pub(crate) fn end_ping(&mut self) {
        self.pongs += 1;
    }

    /// Returns whether nothing is left to do but to close.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_all_sent && !self.follows && self.pongs >= self.pings && self.is_over()
    }

    /// Returns whether the time without what is waited for is limited.
    ///
    /// It is not between pings, and while lines of standard input may follow.
    pub(crate) fn has_deadline(&self) -> bool {
        self.pings_sent > self.pongs || (self.is_all_sent && !self.follows && !self.is_over())
    }

    pub(crate) const fn pings_sent(&self) -> u32 {
        self.pings_sent
    }

    /// Returns what was waited for and has not arrived.
    pub(crate) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.is_limited() && !self.is_over() {
            let text = self.until.as_ref().map(|text| format!("a message with {text:?}"));
            missing.extend(self.count.map(|count| match count - self.received {
                1 => "1 more message".to_owned(),
                left => format!("{left} more messages"),
            }));
            missing.extend(text);
        }
        missing.extend(self.expected.iter().map(|text| format!("a message with {text:?}")));
        if self.pongs < self.pings {
            missing.push(format!("{} of {} pongs", self.pings - self.pongs, self.pings));
        }
        missing
    }

    /// Returns whether a message may be the last one.
    const fn is_limited(&self) -> bool {
        self.count.is_some() || self.until.is_some()
    }

    /// Returns whether no more messages are waited for.
    fn is_over(&self) -> bool {
        if self.is_limited() {
            self.count.is_some_and(|count| self.received >= count) || self.has_found_until
        } else {
            self.expected.is_empty()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Arrival::{Awaited, Other, Superfluous};
    use super::*;
    use crate::options::Options;

    fn progress(options: &[&str]) -> Progress {
        let command = ["slotwork-probe", "ws://a"].iter().chain(options);
        let mut progress = Progress::new(&Options::parse_from(command).exchange);
        progress.set_all_sent();
        progress
    }

    /// Each text is received; the run is complete with the last one, and not before.
    #[test]
    fn a_run_is_complete_when_everything_has_arrived() {
        let table: [(&[&str], &[&str]); 6] = [
            (&["-n2"], &["a", "b"]),
            (&["--until", "end"], &["a", "the end"]),
            (&["-n9", "--until", "end"], &["a", "end"]),
            (&["-n2", "--until", "end"], &["a", "b"]),
            (&["-e", "b", "-e", "a"], &["a", "c", "b"]),
            (&["-n1", "-e", "b"], &["a"]),
        ];
        for (options, texts) in table {
            let mut progress = progress(options);
            for text in texts {
                assert!(!progress.is_complete(), "{options:?} {text}");
                progress.receive(&Message::from(*text));
            }
            assert!(progress.is_complete(), "{options:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut progress = progress(&["-n3", "-u", "end", "-e", "x", "-p2"]);
        progress.receive(&Message::from("a"));
        progress.begin_ping();
        progress.end_ping();

        let texts = ["a message with \"end\"", "a message with \"x\""];
        let missing = ["2 more messages", texts[0], texts[1], "1 of 2 pongs"];
        assert_eq!(progress.missing(), missing);
    }

    /// `--count` and `--until` are limits: a script gets no message behind the last one.
    #[test]
    fn messages_behind_the_last_one_are_superfluous() {
        let arrivals = |options: &[&str], texts: [&str; 3]| {
            let mut progress = progress(options);
            texts.map(|text| progress.receive(&Message::from(text)))
        };

        assert_eq!(arrivals(&["-n1"], ["a", "b", "c"]), [Awaited, Superfluous, Superfluous]);
        assert_eq!(arrivals(&["-u", "b"], ["a", "b", "c"]), [Other, Awaited, Superfluous]);
        assert_eq!(arrivals(&["-e", "a"], ["a", "b", "a"]), [Awaited, Other, Other]);
    }

    /// The pause between two pings may be longer than the timeout.
    #[test]
    fn a_deadline_runs_while_something_is_due() {
        let mut progress = progress(&["-p2"]);
        assert!(!progress.has_deadline());
        progress.begin_ping();
        assert!(progress.has_deadline());
        progress.end_ping();
        assert!(!progress.has_deadline());
    }

    #[test]
    fn a_run_that_follows_is_never_complete_and_has_no_deadline() {
        let progress = progress(&["-F"]);

        assert!(!progress.is_complete() && !progress.has_deadline());
    }
}
