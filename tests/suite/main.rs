
mod support;

mod handshake;
mod messages;
