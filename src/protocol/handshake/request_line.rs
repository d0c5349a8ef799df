//! The first line of a request: method, target and version (RFC 9112 §3).

use crate::protocol::handshake::authority;
use crate::protocol::handshake::grammar;
use crate::protocol::handshake::refusal::Refusal;

/// The positions of the target's parts in a request line, in bytes from its start.
///
/// A target is a path, as in `/chat?x=1`, or absolute, as in `ws://host/chat?x=1`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestLine {
    /// Where host and port begin; equal to `resource_start` when the target is a path.
    pub(crate) authority_start: u16,
    /// Where path and query begin.
    ///
    /// They are empty in `ws://host`, the path is in `ws://host?x=1`.
    pub(crate) resource_start: u16,
    /// Where path and query end.
    pub(crate) resource_end: u16,
}

/// The form of a request line that only requests for pages may have.
///
/// Health checks of load balancers often use HEAD, or HTTP/1.0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageLine {
    pub(crate) is_head: bool,
    /// The version is 1.0, which has no `Host` (RFC 9112 §3.2).
    pub(crate) is_old: bool,
}

impl PageLine {
    /// Returns the refusal of a server without pages.
    pub(crate) const fn refusal(self) -> Refusal {
        if self.is_head {
            Refusal::MethodNotAllowed { head: true, has_pages: false }
        } else {
            Refusal::UnsupportedHttpVersion
        }
    }
}

impl RequestLine {
    /// What stands between the target and the first header line.
    pub(crate) const VERSION: &str = " HTTP/1.1\r\n";

    /// Checks a line, which is given without its CR LF.
    ///
    /// # Errors
    ///
    /// 400 when it is not `method target version` or the target is of no use to a WebSocket
    /// server, 405 for methods other than GET, 505 for versions other than 1.1.
    pub(crate) fn parse(line: &str) -> Result<Self, Refusal> {
        if let Some(target) = usual_target(line) {
            return Self::at("GET ".len(), (0, 0), target.len());
        }
        let mut parts = line.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::BadRequest(
                "the request line is not a method, target and version",
            ));
        };
        check_method_and_version(method, version)?;
        Self::at(method.len() + 1, split_target(target)?, target.len())
    }

    /// Checks a line as [`parse`](Self::parse) does, and takes those of pages as well.
    ///
    /// Those are HEAD, and HTTP/1.0, with which health checks are often made.
    pub(crate) fn parse_page(line: &str) -> Result<(Self, Option<PageLine>), Refusal> {
        let refusal = match Self::parse(line) {
            Ok(found) => return Ok((found, None)),
            Err(refusal) => refusal,
        };
        let parts = line.rsplit_once(' ').and_then(|(start, version)| {
            let is_old = version == "HTTP/1.0";
            let (method, target) = start.split_once(' ')?;
            let is_known = matches!(method, "GET" | "HEAD") && (is_old || version == "HTTP/1.1");
            is_known.then_some((method, target, is_old))
        });
        match (refusal, parts) {
            (
                Refusal::MethodNotAllowed { .. } | Refusal::UnsupportedHttpVersion,
                Some((method, target, is_old)),
            ) => {
                let found = Self::at(method.len() + 1, split_target(target)?, target.len())?;
                Ok((found, Some(PageLine { is_head: method == "HEAD", is_old })))
            }
            (Refusal::MethodNotAllowed { head, .. }, None) => {
                Err(Refusal::MethodNotAllowed { head, has_pages: true })
            }
            (refusal, _) => Err(refusal),
        }
    }

    /// Returns the positions for a target of this length that begins at `start`.
    fn at(
        start: usize,
        (authority_start, resource_start): (usize, usize),
        target_length: usize,
    ) -> Result<Self, Refusal> {
        // One byte is left for the slash that may be missing.
        let place = |offset: usize| match u16::try_from(start + offset) {
            Ok(place) if place < u16::MAX => Ok(place),
            _ => Err(Refusal::RequestLineTooLong),
        };
        Ok(Self {
            authority_start: place(authority_start)?,
            resource_start: place(resource_start)?,
            resource_end: place(target_length)?,
        })
    }
}

/// Returns the target of a usual line: GET, a path, the right version.
fn usual_target(line: &str) -> Option<&str> {
    let target = line.strip_prefix("GET ")?.strip_suffix(" HTTP/1.1")?;
    let is_path = target.starts_with('/') && !target.bytes().any(|it| matches!(it, b' ' | b'#'));
    is_path.then_some(target)
}

fn check_method_and_version(method: &str, version: &str) -> Result<(), Refusal> {
    if !grammar::is_token(method.as_bytes()) {
        return Err(Refusal::BadRequest("the method of the request is not a token"));
    }
    // RFC 9112 §2.3: the name is case-sensitive, and there is one digit on each side of the point.
    let Some([b'0'..=b'9', b'.', b'0'..=b'9']) = version.strip_prefix("HTTP/").map(str::as_bytes)
    else {
        return Err(Refusal::BadRequest("the version of HTTP is malformed"));
    };
    // Before the version: whether it is HEAD decides the form of the answer.
    if method != "GET" {
        return Err(Refusal::MethodNotAllowed { head: method == "HEAD", has_pages: false });
    }
    if version != "HTTP/1.1" {
        return Err(Refusal::UnsupportedHttpVersion);
    }
    Ok(())
}

/// Returns where the authority and where the path begin.
fn split_target(target: &str) -> Result<(usize, usize), Refusal> {
    // RFC 6455 §3: fragments are meaningless, and # is written %23.
    if target.contains('#') {
        return Err(Refusal::BadRequest("the request target has a fragment"));
    }
    if target.starts_with('/') {
        return Ok((0, 0));
    }

    let Some((scheme, rest)) = target.split_once("://") else {
        return Err(Refusal::BadRequest("the request target is neither a path nor a URL"));
    };
    if !["ws", "wss", "http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(Refusal::BadRequest("the scheme of the request target is not of the web"));
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if !authority::is_authority(authority) {
        return Err(Refusal::BadRequest("the host in the request target is malformed"));
    }
    let authority_start = target.len() - rest.len();
    Ok((authority_start, authority_start + authority.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of the target, when the line is right.
    fn parse(line: &str) -> Result<(&str, &str), Refusal> {
        RequestLine::parse(line).map(|found| {
            let [authority, resource, end] =
                [found.authority_start, found.resource_start, found.resource_end].map(usize::from);
            assert_eq!(&line[end..], RequestLine::VERSION.trim_end());
            (&line[authority..resource], &line[resource..end])
        })
    }

    fn status(line: &str) -> u16 {
        parse(line).expect_err(line).status()
    }

    /// RFC 9112 §3.2.1.
    #[test]
    fn a_path_is_taken_as_it_is() {
        for target in ["/", "/chat?x=1", "//a", "/a?b?c", "/%20%zz", "/http://x", "/{\"a\":[1|2]}"]
        {
            assert_eq!(parse(&format!("GET {target} HTTP/1.1")), Ok(("", target)));
        }
    }

    /// RFC 9112 §3.2.2; Qt: HSR-18.
    #[test]
    fn an_absolute_target_is_taken_apart() {
        let table = [
            ("ws://foo.com/chat?x=1", "foo.com", "/chat?x=1"),
            ("WSS://foo.com:8080/", "foo.com:8080", "/"),
            ("http://[::1]:80/a://b", "[::1]:80", "/a://b"),
            ("https://foo.com", "foo.com", ""),
            ("ws://foo.com?a=/b", "foo.com", "?a=/b"),
        ];

        for (target, authority, resource) in table {
            assert_eq!(parse(&format!("GET {target} HTTP/1.1")), Ok((authority, resource)));
        }
    }

    /// RFC 9112 §3; Qt: HSR-02.
    #[test]
    fn a_line_that_is_not_method_target_version_is_a_bad_request() {
        for line in [
            "foofoofoo",
            "VERB RESOURCE PROTOCOL",
            "V R HTTP/invalid",
            "GET / HTTP/a.1",
            "GET . HTTP/1.1",
            "GET /",
            "GET / ",
            "GET  / HTTP/1.1",
            "GET  HTTP/1.1",
            "GET /a b HTTP/1.1",
            "GET / HTTP/1.1 ",
            " GET / HTTP/1.1",
            "G(T / HTTP/1.1",
            "GET / http/1.1",
            "GET / HTTP/1",
            "GET / HTTP/1.",
            "GET / HTTP/11",
            "GET / HTTP/1.10",
            "GET / HTTP/1,1",
            "GET / HTTPS/1.1",
        ] {
            assert_eq!(status(line), 400, "{line}");
        }
    }

    /// RFC 6455 §3 and §4.2.1; RFC 9110 §4.2.4 (user names).
    #[test]
    fn a_target_that_names_no_resource_of_the_web_is_a_bad_request() {
        for target in [
            "*",
            "chat",
            "?x",
            "/a#b",
            "#",
            "ws://foo.com/#",
            "foo.com:80",
            "foo.com/chat",
            "ftp://foo.com/",
            "://foo.com/",
            "ws:/foo.com",
            "ws://",
            "ws:///chat",
            "ws://?x",
            "ws://user@foo.com/",
            "ws://user:word@foo.com/",
            "ws://foo.com:x/",
            "ws://foo.com\\chat",
        ] {
            assert_eq!(status(&format!("GET {target} HTTP/1.1")), 400, "{target}");
        }
    }

    /// RFC 9110 §15.5.6. Methods are case-sensitive (§9.1). Qt: XXX in HSR-02, POST in HSR-10.
    #[test]
    fn methods_other_than_get_are_not_allowed() {
        for method in ["POST", "XXX", "get", "GETS"] {
            let found = parse(&format!("{method} / HTTP/1.1")).unwrap_err();
            let expected = Refusal::MethodNotAllowed { head: false, has_pages: false };
            assert_eq!(found, expected, "{method}");
        }
        assert_eq!(status("OPTIONS * HTTP/1.1"), 405);
        assert_eq!(status("CONNECT foo.com:80 HTTP/1.1"), 405);
        let head = Refusal::MethodNotAllowed { head: true, has_pages: false };
        assert_eq!(parse("HEAD / HTTP/1.0"), Err(head));
    }

    /// Health checks; RFC 9112 §3 holds for them as well.
    #[test]
    fn pages_may_be_requested_with_head_and_with_http_1_0() {
        let page = |line: &str| {
            RequestLine::parse_page(line).map(|(found, page)| {
                let resource = usize::from(found.resource_start)..usize::from(found.resource_end);
                (line[resource].to_owned(), page.map(|page| (page.is_head, page.is_old)))
            })
        };
        let table = [
            ("GET /a?b HTTP/1.1", "/a?b", None),
            ("HEAD /a?b HTTP/1.1", "/a?b", Some((true, false))),
            ("GET /a HTTP/1.0", "/a", Some((false, true))),
            ("HEAD http://a/b HTTP/1.0", "/b", Some((true, true))),
        ];
        for (line, resource, expected) in table {
            assert_eq!(page(line), Ok((resource.to_owned(), expected)), "{line}");
        }
        for (line, status) in [
            ("HEAD / HTTP/2.0", 405),
            ("GET / HTTP/0.9", 505),
            ("POST / HTTP/1.0", 405),
            ("HEAD /a b HTTP/1.1", 400),
            ("HEAD * HTTP/1.0", 400),
            ("HEAD /#a HTTP/1.1", 400),
            ("OPTIONS * HTTP/1.0", 405),
        ] {
            assert_eq!(page(line).map_err(|refusal| refusal.status()), Err(status), "{line}");
        }
    }

    /// RFC 6455 §4.2.1. Qt: HSR-09 and HSR-10; it accepts `HTTP/2.0` here.
    #[test]
    fn versions_other_than_1_1_are_not_supported() {
        for version in ["1.0", "0.9", "1.2", "2.0", "3.0", "9.9"] {
            assert_eq!(status(&format!("GET / HTTP/{version}")), 505, "{version}");
        }
    }
}
