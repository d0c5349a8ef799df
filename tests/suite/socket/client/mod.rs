//! Sockets that a program opens: requests, answers, authentication, their end.

mod answers;
mod auth;
mod client_request;
#[cfg(feature = "compression")]
mod compression;
#[cfg(feature = "testing")]
mod deadlines;
mod interim_answers;
mod messages;
mod open;
#[cfg(feature = "testing")]
mod rates;
mod reconnecting;
mod reopening;
mod timings;
mod url;
mod waiting_open;
mod waiting_stream;
