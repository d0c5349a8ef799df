//! The questions of a node for the kept messages of the others.
//!
//! A question is a request on `_slotwork.last.SUBJECT`, where `SUBJECT` is that of the topic. Nodes
//! that keep a message of that topic answer to the reply subject,
//! `_slotwork.reply.PREFIX.NODE.NUMBER`, with the age of the message in a header.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::topics::prefix::Prefix;

/// The questions of this node, and those to be asked.
pub(crate) struct Questions {
    /// A number among all nodes.
    node: u64,
    state: Mutex<State>,
    /// So many are open; a message of a topic looks for them only then.
    open: AtomicUsize,
}

#[derive(Default)]
struct State {
    next: u64,
    /// The questions by the subjects of their topics, each of which has one at most.
    by_subject: HashMap<Subject, Question>,
    subjects: HashMap<u64, Subject>,
    /// The questions that are not sent yet.
    waiting: BTreeSet<u64>,
    /// The others, with the time when they end.
    sent: VecDeque<(Instant, u64)>,
}

struct Question {
    number: u64,
    prefix: Arc<Prefix>,
    topic: Box<str>,
    /// Absent until it is sent.
    deadline: Option<Instant>,
}

type Subject = Arc<str>;

/// A question on its way.
pub(crate) struct SentQuestion {
    pub(crate) subject: String,
    pub(crate) reply: String,
}

impl Default for Questions {
    fn default() -> Self {
        Self { node: fastrand::u64(..), state: Mutex::default(), open: AtomicUsize::new(0) }
    }
}

impl Questions {
    /// Returns the subject of all answers to this node about topics of a prefix.
    pub(crate) fn subject_of_answers(&self, prefix: &Prefix) -> String {
        format!("{}{:016x}.*", replies_of(prefix), self.node)
    }

    /// Adds a question, to be sent when the topic is subscribed.
    pub(crate) fn add(&self, prefix: &Arc<Prefix>, topic: &str, subject: &str) {
        let mut state = self.lock();
        state.remove_overdue(Instant::now());
        state.remove(subject);
        let number = state.next;
        state.next += 1;
        let subject: Subject = subject.into();
        let prefix = Arc::clone(prefix);
        let question = Question { number, prefix, topic: topic.into(), deadline: None };
        state.by_subject.insert(Arc::clone(&subject), question);
        state.subjects.insert(number, subject);
        state.waiting.insert(number);
        self.note_count(&state);
    }

    /// Takes a question that is to be sent now.
    pub(crate) fn next(&self) -> Option<SentQuestion> {
        let mut state = self.lock();
        let now = Instant::now();
        state.remove_overdue(now);
        let number = state.waiting.pop_first()?;
        let subject = state.subjects.get(&number).map(Arc::clone)?;
        let question = state.by_subject.get_mut(&subject)?;
        question.deadline = Some(now + LONGEST_WAIT);
        let reply = format!("{}{:016x}.{number}", replies_of(&question.prefix), self.node);
        state.sent.push_back((now + OVERDUE, number));
        self.note_count(&state);
        Some(SentQuestion { subject: format!("{QUESTIONS}{subject}"), reply })
    }

    /// Returns the prefix and the topic of a question that was open at that time.
    pub(crate) fn open_at(&self, number: u64, time: Instant) -> Option<(Arc<Prefix>, Box<str>)> {
        let state = self.lock();
        let question = state.by_subject.get(state.subjects.get(&number)?)?;
        let is_open = question.deadline.is_some_and(|deadline| time <= deadline);
        is_open.then(|| (Arc::clone(&question.prefix), question.topic.clone()))
    }

    /// Returns whether there are questions.
    pub(crate) fn are_open(&self) -> bool {
        self.open.load(Ordering::Acquire) > 0
    }

    /// Ends the question about a topic.
    ///
    /// The topic has had a message meanwhile, or has no subscriber any more.
    pub(crate) fn end(&self, subject: &str) {
        if self.are_open() {
            let mut state = self.lock();
            state.remove_overdue(Instant::now());
            state.remove(subject);
            self.note_count(&state);
        }
    }

    /// As [`end`](Self::end), for a message of another node.
    pub(crate) fn note_received(&self, prefix: &Prefix, topic: &str) {
        if self.are_open() {
            self.end(&prefix.subject_of(topic));
        }
    }

    fn note_count(&self, state: &State) {
        self.open.store(state.by_subject.len(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of others runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Removes the questions that nothing will answer any more.
    fn remove_overdue(&mut self, now: Instant) {
        while let Some((end, number)) = self.sent.front()
            && *end < now
        {
            let subject = self.subjects.remove(number);
            self.sent.pop_front();
            if let Some(subject) = subject {
                self.by_subject.remove(&subject);
            }
        }
    }

    fn remove(&mut self, subject: &str) {
        if let Some(question) = self.by_subject.remove(subject) {
            self.subjects.remove(&question.number);
            self.waiting.remove(&question.number);
        }
    }
}

/// Returns the number of the question that is answered on this subject.
pub(crate) fn question_of_reply(subject: &str) -> Option<u64> {
    subject.strip_prefix(REPLIES)?.rsplit('.').next()?.parse().ok()
}

/// Returns the subject of the topic of a question.
pub(crate) fn topic_of_question(subject: &str) -> Option<&str> {
    subject.strip_prefix(QUESTIONS)
}

/// Returns the subject of all questions about topics of a prefix.
pub(crate) fn questions_of(prefix: &Prefix) -> String {
    format!("{QUESTIONS}{}", prefix.subject_of_all())
}

/// Returns what the reply subjects of a prefix begin with.
pub(crate) fn replies_of(prefix: &Prefix) -> String {
    format!("{REPLIES}{}.", prefix.subject())
}

const QUESTIONS: &str = "_slotwork.last.";
const REPLIES: &str = "_slotwork.reply.";
/// How long answers are taken.
const LONGEST_WAIT: Duration = Duration::from_millis(200);
/// How long they may then wait for the loop.
const OVERDUE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use crate::topics::prefix::Prefixes;

    use super::*;

    fn asked(topics: &[&str]) -> (Questions, Arc<Prefix>) {
        let (questions, prefix) = (Questions::default(), Prefixes::default().get("rates"));
        for topic in topics {
            questions.add(&prefix, topic, &prefix.subject_of(topic));
        }
        (questions, prefix)
    }

    #[test]
    fn a_question_is_open_for_a_moment_from_when_it_was_sent() {
        let (questions, _prefix) = asked(&["EURUSD"]);
        assert!(questions.open_at(0, Instant::now()).is_none());

        let sent = questions.next().unwrap();

        assert_eq!(question_of_reply(&sent.reply), Some(0));
        assert!(sent.reply.starts_with("_slotwork.reply.rates."));
        assert_eq!(topic_of_question(&sent.subject), Some("rates.EURUSD"));
        assert!(questions.open_at(0, Instant::now()).is_some());
        assert!(questions.open_at(0, Instant::now() + LONGEST_WAIT * 2).is_none());
    }

    #[test]
    fn a_message_of_the_topic_ends_its_question() {
        let (questions, prefix) = asked(&["EURUSD", "EURGBP"]);
        assert!(questions.next().is_some());

        questions.note_received(&prefix, "EURUSD");

        assert!(questions.open_at(0, Instant::now()).is_none());
        questions.end("rates.EURGBP");
        assert!(questions.next().is_none());
        assert_eq!(questions.open.load(Ordering::Relaxed), 0);
    }

    /// A topic that is entered again and again while there is no connection.
    #[test]
    fn a_topic_has_one_question_at_most() {
        let (questions, _prefix) = asked(&["EURUSD"; 100]);

        let state = questions.lock();
        assert_eq!((state.waiting.len(), state.subjects.len(), state.by_subject.len()), (1, 1, 1));
    }

    #[test]
    fn questions_without_an_answer_are_forgotten() {
        let (questions, _prefix) = asked(&["EURUSD", "EURGBP"]);
        assert!(questions.next().is_some());

        let mut state = questions.lock();
        state.remove_overdue(Instant::now() + OVERDUE * 2);

        assert_eq!((state.sent.len(), state.subjects.len(), state.by_subject.len()), (0, 1, 1));
    }
}
