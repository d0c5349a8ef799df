//! Models of what threads do to each other: loom tries the orders of their steps.
//!
//! The code is the crate's own, compiled anew with the locks, atomics and thread-local values of
//! `sync` beside this file. A wake that is lost is a deadlock here, which loom reports.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::must_use_candidate,
    clippy::unwrap_used,
    reason = "most files here are the crate's, of which a model needs only a part"
)]

mod races;
mod sync;

#[path = "../../src/address.rs"]
mod address;
#[path = "../../src/arrival.rs"]
mod arrival;
#[path = "../../src/call.rs"]
mod call;
#[path = "../../src/census.rs"]
mod census;
#[path = "../../src/chore.rs"]
mod chore;
#[path = "../../src/connect.rs"]
mod connect;
#[path = "../../src/connection.rs"]
mod connection;
#[path = "../../src/connection_blocker.rs"]
mod connection_blocker;
#[path = "../../src/delivery.rs"]
mod delivery;
#[path = "../../src/delivery_guard.rs"]
mod delivery_guard;
#[path = "../../src/detours.rs"]
mod detours;
#[path = "../../src/direct.rs"]
mod direct;
#[path = "../../src/dispatch.rs"]
mod dispatch;
#[path = "../../src/drops.rs"]
mod drops;
#[path = "../../src/feed.rs"]
mod feed;
#[path = "../../src/group.rs"]
mod group;
#[path = "../../src/handle.rs"]
mod handle;
#[path = "../../src/home.rs"]
mod home;
#[path = "../../src/link.rs"]
mod link;
#[path = "../../src/list.rs"]
mod list;
#[path = "../../src/mailbox.rs"]
mod mailbox;
#[path = "../../src/nesting.rs"]
mod nesting;
#[path = "../../src/next.rs"]
mod next;
#[path = "../../src/order.rs"]
mod order;
#[path = "../../src/receiver.rs"]
mod receiver;
#[path = "../../src/scoped_connection.rs"]
mod scoped_connection;
#[path = "../../src/several.rs"]
mod several;
#[path = "../../src/signal.rs"]
mod signal;
#[path = "../../src/signal_blocker.rs"]
mod signal_blocker;
#[path = "../../src/signal_ref.rs"]
mod signal_ref;
#[path = "../../src/slot.rs"]
mod slot;
#[path = "../../src/slow.rs"]
mod slow;
#[path = "../../src/standing.rs"]
mod standing;
#[path = "../../src/stored.rs"]
mod stored;
#[path = "../../src/tasks.rs"]
mod tasks;
#[path = "../../src/wait.rs"]
mod wait;
#[path = "../../src/weak_receiver.rs"]
mod weak_receiver;
