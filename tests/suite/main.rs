//! What users see of servers, sockets and the event loop, with peers that are raw TCP.

mod support;

mod messages;
