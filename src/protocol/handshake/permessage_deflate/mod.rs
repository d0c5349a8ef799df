//! The negotiation of permessage-deflate (RFC 7692 §5 and §7.1).
//!
//! Without I/O: `offer` is the client's side, `answer` the server's.

use std::fmt;

use crate::protocol::handshake::extensions::{Extension, Parameter, Value};

pub(crate) mod answer;
pub(crate) mod offer;

/// The name of the extension.
pub(crate) const NAME: &[u8] = b"permessage-deflate";

/// The parameters of an offer, or of its answer (RFC 7692 §7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    pub(crate) server_no_context_takeover: bool,
    pub(crate) client_no_context_takeover: bool,
    /// The window of the server, from 8 to 15 bits; `None` without the parameter.
    pub(crate) server_max_window_bits: Option<u8>,
    /// The window of the client; in an offer without a value it is 15, the same.
    pub(crate) client_max_window_bits: Option<u8>,
}

impl Parameters {
    /// Reads the parameters of an offer.
    ///
    /// `None` when one is unknown, doubled or invalid.
    pub(crate) fn of_offer(extension: &Extension<'_>) -> Option<Self> {
        Self::read(extension, Some(MAX_WINDOW))
    }

    /// Reads the parameters of an answer.
    ///
    /// `None` when one is unknown, doubled or invalid; `client_max_window_bits` has a value here
    /// (RFC 7692 §7.1.2.2).
    pub(crate) fn of_answer(extension: &Extension<'_>) -> Option<Self> {
        Self::read(extension, None)
    }

    fn read(extension: &Extension<'_>, client_window_without_value: Option<u8>) -> Option<Self> {
        let mut found = Self::default();
        for Parameter { name, value } in extension.parameters() {
            // RFC 7692 §7.1: each at most once.
            let is_new = match name {
                SERVER_NO_CONTEXT_TAKEOVER => set(&mut found.server_no_context_takeover, value),
                CLIENT_NO_CONTEXT_TAKEOVER => set(&mut found.client_no_context_takeover, value),
                SERVER_MAX_WINDOW_BITS => {
                    found.server_max_window_bits.replace(window_bits(&value?)?).is_none()
                }
                CLIENT_MAX_WINDOW_BITS => {
                    let bits = match value {
                        Some(value) => window_bits(&value)?,
                        None => client_window_without_value?,
                    };
                    found.client_max_window_bits.replace(bits).is_none()
                }
                _ => false,
            };
            if !is_new {
                return None;
            }
        }
        Some(found)
    }
}

/// Writes the extension as the value of a header.
impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("permessage-deflate")?;
        if self.server_no_context_takeover {
            f.write_str("; server_no_context_takeover")?;
        }
        if self.client_no_context_takeover {
            f.write_str("; client_no_context_takeover")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; server_max_window_bits={bits}")?;
        }
        if let Some(bits) = self.client_max_window_bits {
            write!(f, "; client_max_window_bits={bits}")?;
        }
        Ok(())
    }
}

/// Notes a parameter without a value; returns false when it has one, or is doubled.
fn set(parameter: &mut bool, value: Option<Value<'_>>) -> bool {
    let is_new = !*parameter && value.is_none();
    *parameter = true;
    is_new
}

/// RFC 7692 §7.1.2: from 8 to 15, without leading zeros.
fn window_bits(value: &Value<'_>) -> Option<u8> {
    const NUMBERS: [&[u8]; 8] = [b"8", b"9", b"10", b"11", b"12", b"13", b"14", b"15"];
    (MIN_WINDOW..=MAX_WINDOW)
        .zip(NUMBERS)
        .find(|(_, number)| value.is(number))
        .map(|(bits, _)| bits)
}

const SERVER_NO_CONTEXT_TAKEOVER: &[u8] = b"server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &[u8] = b"client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &[u8] = b"server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &[u8] = b"client_max_window_bits";
/// The smallest window, in bits.
///
/// An end that is limited to it cannot compress: the engine has no such window.
pub(crate) const MIN_WINDOW: u8 = 8;
/// The largest window, in bits, which is that without a limit.
pub(crate) const MAX_WINDOW: u8 = 15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::handshake::extensions;

    fn read(value: &str) -> (Option<Parameters>, Option<Parameters>) {
        let extension = extensions::members(value.as_bytes()).next().flatten().unwrap();
        (Parameters::of_offer(&extension), Parameters::of_answer(&extension))
    }

    /// RFC 7692 §7.1.
    #[test]
    fn parameters_are_read_in_any_order() {
        let all = Parameters {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: Some(10),
            client_max_window_bits: Some(8),
        };
        let none = Parameters::default();
        let table = [
            ("x", none),
            (
                "x; client_no_context_takeover",
                Parameters { client_no_context_takeover: true, ..none },
            ),
            (
                "x; server_no_context_takeover",
                Parameters { server_no_context_takeover: true, ..none },
            ),
            (
                "x; server_max_window_bits=\"15\"",
                Parameters { server_max_window_bits: Some(15), ..none },
            ),
            (
                "x;client_max_window_bits=8;server_max_window_bits=10;client_no_context_takeover;\
                 server_no_context_takeover",
                all,
            ),
        ];

        for (value, expected) in table {
            assert_eq!(read(value), (Some(expected), Some(expected)), "{value}");
        }
        assert_eq!(read(&all.to_string()).1, Some(all));
        assert_eq!(none.to_string(), "permessage-deflate");
    }

    /// RFC 7692 §7.1.2.2: an answer has the value that an offer may leave out.
    #[test]
    fn the_clients_window_of_an_offer_needs_no_value() {
        let any = Parameters { client_max_window_bits: Some(15), ..Parameters::default() };

        assert_eq!(read("x; client_max_window_bits"), (Some(any), None));
    }

    /// RFC 7692 §7.1: unknown, doubled and invalid parameters; a window of 8 to 15, no leading zero.
    #[test]
    fn other_parameters_are_invalid() {
        let table = [
            "x; unknown",
            "x; unknown=1",
            "x; Server_no_context_takeover",
            "x; server_no_context_takeover=1",
            "x; client_no_context_takeover=true",
            "x; server_no_context_takeover; server_no_context_takeover",
            "x; client_no_context_takeover; client_no_context_takeover",
            "x; client_max_window_bits=10; client_max_window_bits=10",
            "x; client_max_window_bits; client_max_window_bits",
            "x; server_max_window_bits=10; server_max_window_bits=10",
            "x; server_max_window_bits",
            "x; server_max_window_bits=7",
            "x; server_max_window_bits=16",
            "x; server_max_window_bits=08",
            "x; server_max_window_bits=010",
            "x; server_max_window_bits=+9",
            "x; server_max_window_bits=9.0",
            "x; server_max_window_bits=x",
            "x; server_max_window_bits=4294967305",
            "x; client_max_window_bits=7",
            "x; client_max_window_bits=16",
            "x; client_max_window_bits=09",
        ];

        for value in table {
            assert_eq!(read(value), (None, None), "{value}");
        }
    }
}
