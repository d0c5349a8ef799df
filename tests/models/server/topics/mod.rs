//! Models of how topics hand messages from thread to thread.

use std::sync::Arc;

use loom::sync::{Condvar, Mutex};
use loom::thread::{self, ThreadId};

use crate::model;
use crate::runtime::sync;
use crate::server::topics::loop_queue::LoopQueue;
use crate::server::topics::subscribers::{Delivery, HandOver, Home, Recipients, Subscribers};

#[path = "../../../../src/server/topics/loop_queue.rs"]
pub(crate) mod loop_queue;
#[path = "../../../../src/server/topics/subscribers.rs"]
pub(crate) mod subscribers;

/// Two threads publish: the loop sends each message once, in the order of the topic's lock, and to
/// those that were subscribed then. A post that is lost is a deadlock.
#[test]
fn messages_of_two_threads_are_sent_in_the_order_of_the_lock() {
    model(|| {
        let topic = Arc::new(Topic::new());
        topic.subscribe(0);
        let publishers = [1, 2].map(|number| {
            let topic = Arc::clone(&topic);
            thread::spawn(move || {
                topic.subscribe(number);
                topic.publish(number);
            })
        });

        while topic.sent_count() < 2 {
            topic.wait_and_send();
        }
        for publisher in publishers {
            publisher.join().unwrap();
        }

        topic.check(2);
    });
}

/// The loop's own thread publishes meanwhile: it sends what waits first.
#[test]
fn the_loop_publishes_behind_what_waits() {
    model(|| {
        let topic = Arc::new(Topic::new());
        topic.subscribe(0);
        let publishing = Arc::clone(&topic);
        let publisher = thread::spawn(move || {
            publishing.publish(1);
            publishing.publish(2);
        });

        topic.publish(3);
        while topic.sent_count() < 3 {
            topic.wait_and_send();
        }
        publisher.join().unwrap();

        topic.check(3);
    });
}

/// Another thread publishes again with each message that the loop sends: the loop's own publication
/// sends those in front of it, and no more.
#[test]
fn a_publication_of_the_loop_waits_for_no_later_one() {
    model(|| {
        let topic = Arc::new(Topic::new());
        topic.subscribe(0);
        let publishing = Arc::clone(&topic);
        thread::spawn(move || publishing.publish(1)).join().unwrap();

        let HandOver { behind, .. } =
            topic.state.lock().subscribers.publish(&2, None, |_former| false);
        let behind = behind.unwrap();
        let mut sent = Vec::new();
        behind.queue.take_first(behind.len, |delivery| {
            sent.push(delivery.message);
            let publishing = Arc::clone(&topic);
            thread::spawn(move || publishing.publish(3)).join().unwrap();
        });

        assert_eq!(sent, [1, 2]);
        assert_eq!(behind.queue.len(), 2);
    });
}

/// A topic with one loop, which is the thread that made it.
struct Topic {
    queue: Arc<Queue>,
    state: sync::Mutex<State>,
    posts: Mutex<usize>,
    is_posted: Condvar,
}

type Queue = LoopQueue<Loop, Delivery<u32, u32>>;

#[derive(Default)]
struct State {
    subscribers: Subscribers<u32, Loop, u32>,
    sockets: Vec<u32>,
    /// Messages in the order of the lock, each with those that were subscribed.
    published: Vec<(u32, Vec<u32>)>,
    sent: Vec<(u32, Vec<u32>)>,
}

struct Loop(ThreadId);

impl Home for Loop {
    fn is_current(&self) -> bool {
        thread::current().id() == self.0
    }

    fn is_same(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Topic {
    fn new() -> Self {
        Self {
            queue: Arc::new(LoopQueue::new(Loop(thread::current().id()))),
            state: sync::Mutex::new(State::default()),
            posts: Mutex::new(0),
            is_posted: Condvar::new(),
        }
    }

    fn subscribe(&self, socket: u32) {
        let mut state = self.state.lock();
        state.subscribers.add(socket, Arc::clone(&self.queue));
        state.sockets.push(socket);
    }

    /// `Inner::publish` and `Inner::deliver`.
    fn publish(&self, message: u32) {
        let hand_over = {
            let mut state = self.state.lock();
            let sockets = state.sockets.clone();
            state.published.push((message, sockets));
            state.subscribers.publish(&message, None, |_former| false)
        };
        let HandOver { here, behind, posts, .. } = hand_over;
        if let Some(delivery) = here {
            self.send(&delivery);
        }
        if let Some(behind) = behind {
            behind.queue.take_first(behind.len, |delivery| self.send(delivery));
        }
        for _ in posts {
            self.post();
        }
    }

    fn post(&self) {
        *self.posts.lock().unwrap() += 1;
        self.is_posted.notify_all();
    }

    /// Runs a posted call, when there is one: `send_batch`.
    fn wait_and_send(&self) {
        let mut posts = self.posts.lock().unwrap();
        while *posts == 0 {
            posts = self.is_posted.wait(posts).unwrap();
        }
        *posts -= 1;
        drop(posts);
        // A batch of one.
        self.queue.take_first(1, |delivery| self.send(delivery));
        if self.queue.end_posted() {
            self.post();
        }
    }

    fn send(&self, delivery: &Delivery<u32, u32>) {
        let Recipients::All(sockets) = &delivery.recipients else { unreachable!() };
        self.state.lock().sent.push((delivery.message, sockets.to_vec()));
    }

    fn sent_count(&self) -> usize {
        self.state.lock().sent.len()
    }

    fn check(&self, count: usize) {
        let state = self.state.lock();
        assert_eq!(state.sent.len(), count);
        assert_eq!(state.sent, state.published);
    }
}
