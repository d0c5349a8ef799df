//! Public values: what programs hand to the other floors, and what these hand back.
//!
//! They do no I/O and know no task and no signal. Each public type has a file of its name.

pub(crate) mod authenticator;
pub(crate) mod binary_frame;
pub(crate) mod close_code;
pub(crate) mod error;
pub(crate) mod host_address;
pub(crate) mod mask_generator;
pub(crate) mod message;
pub(crate) mod network_proxy;
pub(crate) mod output_policy;
pub(crate) mod pong;
pub(crate) mod role;
pub(crate) mod send_status;
pub(crate) mod socket_state;
pub(crate) mod ssl_mode;
pub(crate) mod text_frame;
pub(crate) mod tls_certificate;
pub(crate) mod tls_error;
pub(crate) mod version;
