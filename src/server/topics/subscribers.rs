//! The subscribers of a topic: a list for each event loop.
//!
//! The topic has it behind its lock, and `tests/models` compiles this file anew. `S` is a socket,
//! `L` the handle of a loop, `M` a message.

use std::mem;
use std::sync::Arc;

use crate::server::topics::loop_queue::{LoopQueue, Pushed};

/// The handle of a loop on which sockets live.
pub(crate) trait Home {
    /// Returns whether the caller is on the loop's thread.
    fn is_current(&self) -> bool;

    /// Returns whether both are the same loop.
    fn is_same(&self, other: &Self) -> bool;
}

/// The subscribers of a topic.
///
/// Only the loop's thread sends to the sockets of a loop, and it takes what is published in the
/// order of the topic's lock. So all subscribers get the messages in that order, from whichever
/// threads they come.
pub(crate) struct Subscribers<S, L, M> {
    groups: Vec<Group<S, L, M>>,
    count: usize,
}

/// The subscribers on one event loop.
pub(crate) struct Group<S, L, M> {
    queue: Queue<S, L, M>,
    /// Shared with the deliveries under way; a change copies it only then.
    sockets: Arc<Vec<S>>,
}

/// What is removed with a socket: it, and the groups if it was the last.
pub(crate) type Removed<S, L, M> = (S, Vec<Group<S, L, M>>);

/// The queue of a loop for messages of other threads.
pub(crate) type Queue<S, L, M> = Arc<LoopQueue<L, Delivery<S, M>>>;

/// A message, and the sockets that were subscribed when it was published.
pub(crate) struct Delivery<S, M> {
    pub(crate) message: M,
    pub(crate) recipients: Recipients<S>,
    pub(crate) except: Option<S>,
}

/// The recipients of a message on one loop.
pub(crate) enum Recipients<S> {
    All(Arc<Vec<S>>),
    One(S),
}

/// The place of a socket among the subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    group: u32,
    index: u32,
}

/// The steps that follow outside the topic's lock.
pub(crate) struct HandOver<S, L, M> {
    /// To be sent at once, by this thread.
    pub(crate) here: Option<Delivery<S, M>>,
    /// What this thread has to send now: the message is the last of it.
    pub(crate) behind: Option<Behind<S, L, M>>,
    /// How many recipients are in queues.
    pub(crate) queued: usize,
    /// The queues for which a call is posted to their loop.
    pub(crate) posts: Vec<Queue<S, L, M>>,
}

/// The deliveries that wait for this thread's loop.
pub(crate) struct Behind<S, L, M> {
    pub(crate) queue: Queue<S, L, M>,
    /// Their number, under the topic's lock: later ones are not waited for.
    pub(crate) len: usize,
}

impl<S, L, M> Default for Subscribers<S, L, M> {
    fn default() -> Self {
        Self { groups: Vec::new(), count: 0 }
    }
}

impl<S: Clone, L: Home, M: Clone> Subscribers<S, L, M> {
    /// Adds a socket that lives on the loop of `queue`, and returns its place.
    ///
    /// Also a queue, which may be one that is not used any more: to be dropped unlocked.
    pub(crate) fn add(&mut self, socket: S, queue: Queue<S, L, M>) -> (Place, Queue<S, L, M>) {
        let (index, unused) = self.group_for(queue);
        let Some(group) = self.groups.get_mut(index) else { return (Place::of(index, 0), unused) };
        let sockets = Arc::make_mut(&mut group.sockets);
        grow(sockets);
        sockets.push(socket);
        self.count += 1;
        (Place::of(index, sockets.len() - 1), unused)
    }

    /// Removes the socket at a place, and returns what is to be dropped unlocked.
    ///
    /// The last one of its group takes the place: `moved` is called with it.
    pub(crate) fn remove(
        &mut self,
        place: Place,
        moved: impl FnOnce(&S),
    ) -> Option<Removed<S, L, M>> {
        let group = self.groups.get_mut(place.group as usize)?;
        let sockets = Arc::make_mut(&mut group.sockets);
        let index = place.index as usize;
        let last = sockets.pop()?;
        let socket = match sockets.get_mut(index) {
            Some(socket) => {
                moved(&last);
                mem::replace(socket, last)
            }
            None => last,
        };
        shrink(sockets);
        self.count -= 1;
        let groups = if self.count == 0 { mem::take(&mut self.groups) } else { Vec::new() };
        Some((socket, groups))
    }

    /// Hands a message over to all subscribers, but for the one at the place `except`.
    ///
    /// It takes the place of the last delivery in the queue of another loop, if that is for the
    /// same sockets and `replaces` returns true for its message.
    pub(crate) fn publish(
        &mut self,
        message: &M,
        except: Option<(&S, Place)>,
        replaces: impl Fn(&M) -> bool,
    ) -> HandOver<S, L, M> {
        let mut hand_over = HandOver::default();
        for (index, group) in self.groups.iter_mut().enumerate() {
            if group.sockets.is_empty() {
                continue;
            }
            let except = except.filter(|(_, place)| place.group as usize == index);
            let delivery = Delivery {
                message: message.clone(),
                recipients: Recipients::All(Arc::clone(&group.sockets)),
                except: except.map(|(socket, _)| socket.clone()),
            };
            group.hand_over(delivery, &replaces, &mut hand_over);
        }
        hand_over
    }

    /// Hands a message over to the socket at a place.
    pub(crate) fn send_to(&mut self, place: Place, message: &M) -> HandOver<S, L, M> {
        let mut hand_over = HandOver::default();
        if let Some(group) = self.groups.get_mut(place.group as usize)
            && let Some(socket) = group.sockets.get(place.index as usize)
        {
            let recipients = Recipients::One(socket.clone());
            let delivery = Delivery { message: message.clone(), recipients, except: None };
            group.hand_over(delivery, |_former| false, &mut hand_over);
        }
        hand_over
    }

    /// Returns what waits for this thread's loop.
    pub(crate) fn behind(&self) -> Option<Behind<S, L, M>> {
        let mut groups = self.groups.iter();
        let group = groups.find(|group| group.queue.event_loop.is_current())?;
        let len = group.queue.len();
        (len > 0).then(|| Behind { queue: Arc::clone(&group.queue), len })
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Returns the sockets, in no particular order.
    pub(crate) fn sockets(&self) -> Vec<S> {
        self.groups.iter().flat_map(|group| group.sockets.iter()).cloned().collect()
    }

    /// Returns the index of the loop's group, and the queue to be dropped.
    ///
    /// A group without sockets is used again.
    fn group_for(&mut self, queue: Queue<S, L, M>) -> (usize, Queue<S, L, M>) {
        let is_known = |group: &Group<S, L, M>| group.queue.event_loop.is_same(&queue.event_loop);
        if let Some(known) = self.groups.iter().position(is_known) {
            return (known, queue);
        }
        let unused = self.groups.iter_mut().enumerate().find(|(_, it)| it.sockets.is_empty());
        if let Some((index, unused)) = unused {
            return (index, mem::replace(&mut unused.queue, queue));
        }
        self.groups.reserve_exact(1);
        self.groups.push(Group { queue: Arc::clone(&queue), sockets: Arc::default() });
        (self.groups.len() - 1, queue)
    }
}

impl<S: Clone, L: Home, M> Group<S, L, M> {
    /// Puts a message into the queue, unless this thread can send it at once.
    fn hand_over(
        &self,
        delivery: Delivery<S, M>,
        replaces: impl Fn(&M) -> bool,
        hand_over: &mut HandOver<S, L, M>,
    ) {
        let is_here = self.queue.event_loop.is_current();
        if is_here && self.queue.len() == 0 {
            hand_over.here = Some(delivery);
            return;
        }
        hand_over.queued += delivery.len();
        let Pushed { len, needs_post } = self.queue.push(delivery, |last, delivery| {
            if last.has_same_recipients(&delivery) && replaces(&last.message) {
                last.message = delivery.message;
                return None;
            }
            Some(delivery)
        });
        if is_here {
            hand_over.behind = Some(Behind { queue: Arc::clone(&self.queue), len });
        }
        if needs_post {
            hand_over.posts.push(Arc::clone(&self.queue));
        }
    }
}

impl<S, M> Delivery<S, M> {
    fn len(&self) -> usize {
        match &self.recipients {
            Recipients::All(sockets) => sockets.len() - usize::from(self.except.is_some()),
            Recipients::One(_) => 1,
        }
    }

    fn has_same_recipients(&self, other: &Self) -> bool {
        match (&self.recipients, &other.recipients) {
            (Recipients::All(one), Recipients::All(other_one)) => {
                Arc::ptr_eq(one, other_one) && self.except.is_none() && other.except.is_none()
            }
            _ => false,
        }
    }
}

impl<S, L, M> Default for HandOver<S, L, M> {
    fn default() -> Self {
        Self { here: None, behind: None, queued: 0, posts: Vec::new() }
    }
}

impl Place {
    fn of(group: usize, index: usize) -> Self {
        let number = |place| u32::try_from(place).unwrap_or(u32::MAX);
        Self { group: number(group), index: number(index) }
    }
}

/// Makes room for one more, with less to spare than a vector takes by itself.
///
/// Subscriptions are many: half as much again keeps them within 40 bytes each.
pub(crate) fn grow<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 2).max(MIN_ROOM));
    }
}

/// Gives room back when most of it is empty.
pub(crate) fn shrink<T>(list: &mut Vec<T>) {
    if list.is_empty() {
        *list = Vec::new();
    } else if list.capacity() > MIN_SHRUNK && list.len() < list.capacity() / 4 {
        list.shrink_to(list.len() * 2);
    }
}

const MIN_ROOM: usize = 4;
const MIN_SHRUNK: usize = 32;
