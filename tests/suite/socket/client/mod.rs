//! Sockets that a program opens: requests, answers, authentication, their end.

mod answers;
mod auth;
mod interim_answers;
mod messages;
mod open;
mod reopening;
mod request;
mod url;
