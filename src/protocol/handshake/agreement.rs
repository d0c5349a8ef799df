//! The answer with which a server opens a connection (RFC 6455 §4.2.2).

use std::mem;
use std::ops::Deref;

use async_tungstenite::tungstenite::handshake::derive_accept_key;

#[cfg(feature = "compression")]
use crate::protocol::handshake::extensions;
use crate::protocol::handshake::grammar;
#[cfg(feature = "compression")]
use crate::protocol::handshake::permessage_deflate::Parameters;
use crate::protocol::handshake::request::HandshakeRequest;
use crate::protocol::handshake::spare_buffer;

/// The optional headers of a server's answer with 101.
#[derive(Default)]
pub(crate) struct Agreement<'a> {
    pub(crate) subprotocol: Option<&'a str>,
    /// The parameters of permessage-deflate, when an offer of it is accepted.
    #[cfg(feature = "compression")]
    pub(crate) compression: Option<Parameters>,
    /// The `Server` header; there is none when it is empty or not printable.
    pub(crate) server_name: &'a str,
    /// Checked: without headers that the handshake itself sets.
    pub(crate) headers: &'a [(String, String)],
}

/// The bytes of an answer, in a buffer that the answers of a thread use in turn.
pub(crate) struct Answer(Vec<u8>);

impl Agreement<'_> {
    /// Returns the answer to a request that passed all checks.
    ///
    /// The interim answer 100 precedes it if the request expects that.
    pub(crate) fn response(&self, request: &HandshakeRequest) -> Answer {
        let mut answer = Answer(spare_buffer::take());
        let response = &mut answer.0;
        response.reserve(USUAL_SIZE);
        // RFC 9110 §7.8 and §10.1.1: in this order.
        if request.expects_continue() {
            response.extend_from_slice(CONTINUE);
        }
        response.extend_from_slice(SWITCHING);
        // RFC 6455 §4.2.2 item 5.4: of the key as it was sent.
        let accept_key = derive_accept_key(request.key());
        add_header(response, "Sec-WebSocket-Accept", &accept_key);
        if let Some(subprotocol) = self.subprotocol {
            add_header(response, "Sec-WebSocket-Protocol", subprotocol);
        }
        // RFC 6455 §9.1 and RFC 7692 §5.1.
        #[cfg(feature = "compression")]
        if let Some(parameters) = &self.compression {
            add_header(response, extensions::HEADER, &parameters.to_string());
        }
        // HSR-14: an empty Server header breaks Safari.
        if !self.server_name.is_empty() && grammar::is_printable(self.server_name.as_bytes()) {
            add_header(response, "Server", self.server_name);
        }
        for (name, value) in self.headers {
            add_header(response, name, value);
        }
        response.extend_from_slice(b"\r\n");
        answer
    }
}

impl Deref for Answer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        spare_buffer::put(mem::take(&mut self.0));
    }
}

fn add_header(response: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        response.extend_from_slice(part.as_bytes());
    }
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n";
/// The room for a usual answer, in bytes.
const USUAL_SIZE: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::requests::{HEAD, head_and, head_with, request};

    fn response(agreement: &Agreement<'_>, head: &str) -> String {
        String::from_utf8(agreement.response(&request(head)).to_vec()).unwrap()
    }

    /// RFC 6455 §1.3 and §4.2.2.
    #[test]
    fn the_answer_has_what_was_agreed_on() {
        let headers = [("Set-Cookie".to_owned(), "a=b".to_owned()), ("X-Y".into(), "z".into())];
        let agreement = Agreement {
            subprotocol: Some("chat"),
            server_name: "Echo Server",
            headers: &headers,
            #[cfg(feature = "compression")]
            compression: None,
        };

        assert_eq!(
            response(&agreement, HEAD),
            "HTTP/1.1 101 Switching Protocols\r\n\
             Upgrade: websocket\r\n\
             Connection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
             Sec-WebSocket-Protocol: chat\r\n\
             Server: Echo Server\r\n\
             Set-Cookie: a=b\r\n\
             X-Y: z\r\n\
             \r\n"
        );
    }

    /// RFC 6455 §4.2.2 item 5.6, RFC 7692 §5.1.
    #[cfg(feature = "compression")]
    #[test]
    fn the_answer_names_an_accepted_extension() {
        let compression = Some(Parameters::default());
        let answer = response(&Agreement { compression, ..Agreement::default() }, HEAD);

        assert!(
            answer.contains("\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"),
            "{answer}"
        );
        assert!(!response(&Agreement::default(), HEAD).contains("Extensions"));
    }

    /// RFC 6455 §4.2.2 item 5.4: also when its unused bits are not zero.
    #[test]
    fn the_accept_key_is_that_of_the_key_as_it_was_sent() {
        for key in ["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZR=="] {
            let answer =
                response(&Agreement::default(), &head_with("dGhlIHNhbXBsZSBub25jZQ==", key));
            let accept_key = derive_accept_key(key.as_bytes());

            assert!(answer.contains(&format!("\r\nSec-WebSocket-Accept: {accept_key}\r\n")));
        }
    }

    /// RFC 9110 §10.1.1: an expectation is a member of a list, in any case.
    #[test]
    fn an_expected_100_precedes_the_answer() {
        for (line, is_expected) in [
            ("Expect: 100-continue", true),
            ("expect: a,100-CONTINUE", true),
            ("Expect: 100-continued", false),
            ("X: 100-continue", false),
        ] {
            let answer = response(&Agreement::default(), &head_and(line));
            let last = answer.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n");

            assert_eq!(last.is_some(), is_expected, "{line}");
            assert!(last.unwrap_or(&answer).starts_with("HTTP/1.1 101 "), "{answer}");
        }
    }

    /// Qt: HSR-14 (no empty `Server` header); HSR-16, where Qt lets a line break through.
    #[test]
    fn a_server_name_that_is_no_header_value_is_left_out() {
        for server_name in ["", "Echo\r\nSet-Cookie: a=b", "Echo\0", "Écho"] {
            let answer = response(&Agreement { server_name, ..Agreement::default() }, HEAD);

            assert!(!answer.contains("Server:") && !answer.contains("Cookie"), "{answer}");
        }
    }
}
