//! What users see of servers, sockets and the event loop, with peers that are raw TCP.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod adopted;
mod call_order;
mod capacity;
mod chaos;
mod client;
mod client_answers;
mod client_interim_answers;
mod client_logins;
mod client_messages;
mod client_reopening;
mod client_requests;
mod client_urls;
mod clients;
mod closing;
mod deep_loops;
mod deferred_calls;
mod durations;
mod ended_threads;
mod event_loop;
mod event_threads;
mod fairness;
mod frames;
mod handshake;
mod listening;
mod loop_panics;
mod message_streams;
mod messages;
mod nested_loops;
mod origins;
mod other_executors;
mod other_threads;
mod panicking_drops;
mod panics;
mod pausing;
mod receive_queues;
mod reentrancy;
mod rude_peers;
mod secrets;
#[cfg(feature = "tls")]
mod secure;
#[cfg(feature = "tls")]
mod secure_chains;
#[cfg(feature = "tls")]
mod secure_client_certificates;
#[cfg(feature = "tls")]
mod secure_clients;
#[cfg(feature = "tls")]
mod secure_impostors;
#[cfg(feature = "tls")]
mod secure_names;
#[cfg(feature = "tls")]
mod secure_records;
#[cfg(feature = "tls")]
mod secure_rude_peers;
#[cfg(feature = "tls")]
mod secure_sessions;
#[cfg(feature = "tls")]
mod secure_slots;
#[cfg(feature = "tls")]
mod secure_stalls;
#[cfg(feature = "tls")]
mod secure_trust;
mod sending;
mod server;
mod server_slots;
mod slots;
mod slow_peers;
mod slow_readers;
mod socket_notifiers;
mod subprotocols;
mod threads;
mod timers;
#[cfg(feature = "tls")]
mod tls_config;
mod upgraded;
mod user_data;
mod verifier;
