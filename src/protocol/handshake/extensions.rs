//! The syntax of `Sec-WebSocket-Extensions`, and agreed extensions (RFC 6455 §9.1).
//!
//! Requests and answers are checked by these rules also where no extension is supported.

use crate::protocol::handshake::grammar;

#[cfg(feature = "compression")]
use crate::protocol::deflate::terms;

/// The extensions that both ends of a connection have agreed on.
///
/// It is empty in builds without extensions.
#[derive(Debug, Default)]
#[cfg_attr(not(feature = "compression"), derive(Clone, Copy))]
pub(crate) struct AgreedExtensions {
    /// permessage-deflate (RFC 7692).
    #[cfg(feature = "compression")]
    pub(crate) compression: Option<Box<terms::Agreed>>,
}

/// An extension that is offered or accepted, with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extension<'a> {
    pub(crate) name: &'a [u8],
    /// The well-formed parameters, behind the first semicolon; `None` without any.
    parameters: Option<&'a [u8]>,
}

/// A parameter of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parameter<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) value: Option<Value<'a>>,
}

/// The value of a parameter: a token, perhaps quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value<'a> {
    /// The token without quotation marks, with the backslashes of quoted pairs.
    escaped: &'a [u8],
}

/// Returns the extensions in the value of one header; `None` for a malformed one.
///
/// Empty members are skipped, as in every list of HTTP (RFC 9110 §5.6.1.2). Several headers are one
/// list, which no member spans: even a quoted value cannot contain a comma.
pub(crate) fn members(value: &[u8]) -> impl Iterator<Item = Option<Extension<'_>>> {
    grammar::list_members(value).map(Extension::parse)
}

/// Returns whether the value of a header is a list of well-formed extensions.
pub(crate) fn is_well_formed(value: &[u8]) -> bool {
    members(value).all(|member| member.is_some())
}

impl<'a> Extension<'a> {
    fn parse(member: &'a [u8]) -> Option<Self> {
        // A quoted value is a token, so a semicolon is never a part of one.
        let end = member.iter().position(|byte| *byte == b';').unwrap_or(member.len());
        let (name, rest) = member.split_at_checked(end)?;
        let name = grammar::trim(name);
        let parameters = rest.strip_prefix(b";");
        let is_valid = grammar::is_token(name)
            && parameters.is_none_or(|all| split(all).all(|it| Parameter::parse(it).is_some()));
        is_valid.then_some(Self { name, parameters })
    }

    /// Returns the parameters, in their order.
    #[cfg_attr(
        not(any(feature = "compression", test)),
        expect(dead_code, reason = "no extension is supported")
    )]
    pub(crate) fn parameters(&self) -> impl Iterator<Item = Parameter<'a>> + use<'a> {
        self.parameters.into_iter().flat_map(split).filter_map(Parameter::parse)
    }
}

impl<'a> Parameter<'a> {
    fn parse(parameter: &'a [u8]) -> Option<Self> {
        let Some(end) = parameter.iter().position(|byte| *byte == b'=') else {
            let name = grammar::trim(parameter);
            return grammar::is_token(name).then_some(Self { name, value: None });
        };
        let (name, rest) = parameter.split_at_checked(end)?;
        // RFC 2616 §2.1, whose grammar RFC 6455 uses, allows spaces around the sign.
        let name = grammar::trim(name);
        let value = Value::parse(grammar::trim(rest.strip_prefix(b"=")?))?;
        grammar::is_token(name).then_some(Self { name, value: Some(value) })
    }
}

impl<'a> Value<'a> {
    fn parse(value: &'a [u8]) -> Option<Self> {
        let Some(rest) = value.strip_prefix(b"\"") else {
            return grammar::is_token(value).then_some(Self { escaped: value });
        };
        let value = Self { escaped: rest.strip_suffix(b"\"")? };
        // RFC 6455 §9.1: after unquoting it is a token, and so without quotation marks.
        let mut is_escaped = false;
        for byte in value.escaped {
            is_escaped = !is_escaped && *byte == b'\\';
            if !is_escaped && !grammar::is_token(&[*byte]) {
                return None;
            }
        }
        (!value.escaped.is_empty() && !is_escaped).then_some(value)
    }

    /// Returns whether the value is this token.
    #[cfg_attr(
        not(any(feature = "compression", test)),
        expect(dead_code, reason = "no extension is supported")
    )]
    pub(crate) fn is(&self, token: &[u8]) -> bool {
        self.bytes().eq(token.iter().copied())
    }

    /// Returns the bytes of the token.
    fn bytes(&self) -> impl Iterator<Item = u8> {
        // RFC 9110 §5.6.4; a backslash is not a part of a token.
        self.escaped.iter().copied().filter(|byte| *byte != b'\\')
    }
}

fn split(parameters: &[u8]) -> impl Iterator<Item = &[u8]> {
    parameters.split(|byte| *byte == b';')
}

/// The name of the header.
pub(crate) const HEADER: &str = "Sec-WebSocket-Extensions";
/// The failures of an answer that has wrong extensions, for people.
pub(crate) const MALFORMED_ANSWER: &str = "its Sec-WebSocket-Extensions header is malformed";
pub(crate) const NOT_REQUESTED: &str = "it has an extension that was not requested";

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the extensions of a header again, without spaces and quotation marks.
    fn canonical(value: &str) -> Option<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let write = |extension: Extension<'_>| {
            let parameters = extension.parameters().map(|it| match it.value {
                Some(value) => {
                    format!(";{}={}", text(it.name), text(&value.bytes().collect::<Vec<_>>()))
                }
                None => format!(";{}", text(it.name)),
            });
            text(extension.name) + &parameters.collect::<String>()
        };
        let members: Option<Vec<_>> = members(value.as_bytes()).map(|it| it.map(write)).collect();
        members.map(|members| members.join(","))
    }

    /// RFC 6455 §9.1.
    #[test]
    fn extensions_are_tokens_with_parameters() {
        let table = [
            ("foo", "foo"),
            ("foo, bar; baz=2", "foo,bar;baz=2"),
            ("foo;a;b = \"c\" ; d=\"1\\5\"\t", "foo;a;b=c;d=15"),
            ("a;b;b;b=1", "a;b;b;b=1"),
            ("\t a ,, b ;c,", "a,b;c"),
            ("", ""),
            (" , ", ""),
        ];

        for (value, expected) in table {
            assert_eq!(canonical(value).as_deref(), Some(expected), "{value}");
        }
    }

    /// RFC 6455 §9.1: also a quoted value is a token.
    #[test]
    fn malformed_extensions_are_found() {
        let table = [
            ";",
            "=",
            "a;",
            "a;;b",
            "a;b;",
            "a;=",
            "a;=b",
            "a;b=",
            "a=b",
            "a b",
            "a;b c",
            "a;b=c d",
            "a;b=c=d",
            "a;b=\"",
            "a;b=\"\"",
            "a;b=\"c",
            "a;b=c\"",
            "a;b=\"c\"d",
            "a;b=\"c d\"",
            "a;b=\"c,d\"",
            "a;b=\"c;d\"",
            "a;b=\"c\\\"",
            "a;b=\"\\\\\"",
            "a;b=\"\\\"\"",
            "\"a\"",
            "a;\"b\"",
            "a/b",
            "caf\u{e9}",
            "ok, a;",
            "ok; a=1, ;b",
            "a;b\\=c",
        ];

        for value in table {
            assert_eq!(canonical(value), None, "{value}");
            assert!(!is_well_formed(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn a_value_is_compared_without_its_quotation_marks() {
        for value in ["a;b=15", "a;b=\"15\"", "a;b=\"\\1\\5\""] {
            let extension = Extension::parse(value.as_bytes()).unwrap();
            let found = extension.parameters().next().unwrap().value.unwrap();

            assert!(found.is(b"15"), "{value}");
            assert!(!found.is(b"1") && !found.is(b"150") && !found.is(b"16"), "{value}");
        }
    }
}
