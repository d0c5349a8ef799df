//! `WebSocket`, the object with signals: its slots, its threads, its streams.

mod client;
mod data;
mod message_stream;
mod panics;
mod queued_slots;
mod reading;
mod receive_queue;
mod reentrancy;
mod settings;
mod slots;
mod threads;
mod upgraded;
