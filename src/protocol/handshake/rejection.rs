//! The HTTP answer with which a program itself refuses a request.

use std::fmt;

use http::StatusCode;

/// An answer other than 101 that the program has made up.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) status: u16,
    /// Checked: none that says how long the answer is or what becomes of the connection.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Rejection {
    /// Returns the complete answer; `server` is the line of the `Server` header, or empty.
    pub(crate) fn response(&self, server: &str) -> Vec<u8> {
        let (status, text) = (self.status, self.status_text());
        let mut head = format!("HTTP/1.1 {status} {text}\r\nConnection: close\r\n{server}");
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        // RFC 9110 §15.3.5 and §15.4.5: these have no body, and §8.6: 204 has no length.
        if matches!(self.status, 204 | 304) {
            return format!("{head}\r\n").into_bytes();
        }
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Content-Type")) {
            head.push_str("Content-Type: text/plain; charset=utf-8\r\n");
        }
        let length = self.body.len();
        [format!("{head}Content-Length: {length}\r\n\r\n").as_bytes(), &self.body].concat()
    }

    pub(crate) fn status_text(&self) -> &'static str {
        let status = StatusCode::from_u16(self.status).ok();
        status.and_then(|status| status.canonical_reason()).unwrap_or_default()
    }
}

/// Shows neither the values of headers nor the body: they may be secrets.
impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection").field("status", &self.status).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> String {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let rejection = Rejection { status, headers: headers.collect(), body: body.into() };
        String::from_utf8(rejection.response("Server: Chat\r\n")).unwrap()
    }

    /// RFC 9112 §4 and §6.2.
    #[test]
    fn the_answer_is_a_complete_http_response() {
        assert_eq!(
            response(401, &[("WWW-Authenticate", "Bearer")], "who?\n"),
            "HTTP/1.1 401 Unauthorized\r\n\
             Connection: close\r\n\
             Server: Chat\r\n\
             WWW-Authenticate: Bearer\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Length: 5\r\n\
             \r\n\
             who?\n"
        );
        assert!(response(599, &[], "").starts_with("HTTP/1.1 599 \r\n"));
    }

    /// RFC 9110 §8.3.
    #[test]
    fn the_program_may_say_what_the_body_is() {
        let answer = response(403, &[("content-type", "application/json")], "{}");

        assert!(answer.contains("content-type: application/json\r\n"), "{answer}");
        assert!(!answer.contains("text/plain"), "{answer}");
    }

    /// RFC 9110 §8.6, §15.3.5 and §15.4.5.
    #[test]
    fn some_answers_have_no_body() {
        for status in [204, 304] {
            let answer = response(status, &[], "a body");

            assert!(answer.ends_with("Server: Chat\r\n\r\n"), "{answer}");
            assert!(!answer.contains("Content-"), "{answer}");
        }
    }
}
