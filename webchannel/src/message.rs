//! The messages of the protocol, without I/O: JSON objects, one in each text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A message of a client.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    /// The client wants to know the registered objects.
    Init { id: Option<&'a RawValue> },
    /// The client is ready for the next property update.
    Idle,
    /// A text for the log.
    Debug { data: &'a str },
    /// A method is called.
    Invoke(Invoke<'a>),
    /// A signal has its first slot in the page.
    Connect(Member<'a>),
    /// A signal has no slot in the page any more.
    Disconnect(Member<'a>),
    /// A property is written.
    SetProperty { property: Member<'a>, value: &'a str },
}

/// The call of a method.
#[derive(Debug)]
pub(crate) struct Invoke<'a> {
    /// Given back as it is; without one there is no answer.
    pub(crate) id: Option<&'a RawValue>,
    pub(crate) object: Option<Cow<'a, str>>,
    pub(crate) method: Option<MethodName<'a>>,
    /// The list of arguments in JSON; absent for none.
    pub(crate) arguments: Option<&'a str>,
}

/// A method as the client calls it.
#[derive(Debug)]
pub(crate) enum MethodName<'a> {
    Name(Cow<'a, str>),
    Index(usize),
}

/// A signal or property, by its index.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    pub(crate) object: Cow<'a, str>,
    pub(crate) index: usize,
}

impl<'a> Message<'a> {
    /// Returns what a message says; `None` if it makes no sense.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let fields: Fields<'a> = serde_json::from_str(text).ok()?;
        Some(match fields.kind? {
            INIT => Self::Init { id: fields.id },
            IDLE => Self::Idle,
            DEBUG => Self::Debug { data: fields.data.map_or("", RawValue::get) },
            INVOKE_METHOD => Self::Invoke(fields.into_invoke()),
            CONNECT_TO_SIGNAL => Self::Connect(Member::new(fields.object, fields.signal)?),
            DISCONNECT_FROM_SIGNAL => Self::Disconnect(Member::new(fields.object, fields.signal)?),
            SET_PROPERTY => Self::SetProperty {
                property: Member::new(fields.object, fields.property)?,
                value: fields.value?.get(),
            },
            _ => return None,
        })
    }
}

impl<'a> Member<'a> {
    fn new(object: Option<&'a RawValue>, index: Option<&'a RawValue>) -> Option<Self> {
        Some(Self { object: text(object?)?, index: index?.get().parse().ok()? })
    }
}

/// The fields of any message; those that were not looked at yet are text.
#[derive(Default)]
struct Fields<'a> {
    kind: Option<u64>,
    id: Option<&'a RawValue>,
    object: Option<&'a RawValue>,
    method: Option<&'a RawValue>,
    signal: Option<&'a RawValue>,
    property: Option<&'a RawValue>,
    args: Option<&'a RawValue>,
    value: Option<&'a RawValue>,
    data: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    fn into_invoke(self) -> Invoke<'a> {
        let method = self.method.and_then(|method| match text(method) {
            Some(name) => Some(MethodName::Name(name)),
            None => method.get().parse().ok().map(MethodName::Index),
        });
        Invoke {
            id: self.id,
            object: self.object.and_then(text),
            method,
            arguments: self.args.map(RawValue::get),
        }
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = map.next_key()? {
            let field = match key {
                Key::Type => {
                    fields.kind = Some(map.next_value()?);
                    continue;
                }
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                Key::Id => &mut fields.id,
                Key::Object => &mut fields.object,
                Key::Method => &mut fields.method,
                Key::Signal => &mut fields.signal,
                Key::Property => &mut fields.property,
                Key::Args => &mut fields.args,
                Key::Value => &mut fields.value,
                Key::Data => &mut fields.data,
            };
            *field = Some(map.next_value()?);
        }
        Ok(fields)
    }
}

/// The name of a field.
enum Key {
    Type,
    Id,
    Object,
    Method,
    Signal,
    Property,
    Args,
    Value,
    Data,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Key, E> {
        Ok(match name {
            "type" => Key::Type,
            "id" => Key::Id,
            "object" => Key::Object,
            "method" => Key::Method,
            "signal" => Key::Signal,
            "property" => Key::Property,
            "args" => Key::Args,
            "value" => Key::Value,
            "data" => Key::Data,
            _ => Key::Other,
        })
    }
}

/// Returns the content of a JSON string; `None` for other values.
fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let content = value.get().strip_prefix('"')?.strip_suffix('"')?;
    if content.contains('\\') {
        return serde_json::from_str(value.get()).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(content))
}

/// Begins the answer to an init or a call; its `data` follows.
pub(crate) fn begin_response(out: &mut Vec<u8>, id: &str) {
    out.extend_from_slice(br#"{"type":10,"id":"#);
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(br#","data":"#);
}

/// Returns the answer to a call that has failed: the client rejects its promise.
pub(crate) fn failed_response(id: &str) -> String {
    format!(r#"{{"type":10,"id":{id}}}"#)
}

/// Begins a signal of an object; the list of its arguments follows.
pub(crate) fn begin_signal(out: &mut Vec<u8>, object: &str, signal: usize) {
    out.extend_from_slice(br#"{"type":1,"object":"#);
    write_text(out, object);
    out.extend_from_slice(format!(r#","signal":{signal},"args":"#).as_bytes());
}

/// Returns the signal that reports the end of an object.
pub(crate) fn destroyed(object: &str) -> String {
    format!(r#"{{"type":1,"object":{},"signal":0}}"#, serde_json::Value::from(object))
}

/// Begins a property update; a list of objects follows.
pub(crate) fn begin_property_update(out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"type":2,"data":"#);
}

/// Ends any message.
pub(crate) fn end(out: &mut Vec<u8>) {
    out.push(b'}');
}

/// Writes a text as a JSON string.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    }
}

const INIT: u64 = 3;
const IDLE: u64 = 4;
const DEBUG: u64 = 5;
const INVOKE_METHOD: u64 = 6;
const CONNECT_TO_SIGNAL: u64 = 7;
const DISCONNECT_FROM_SIGNAL: u64 = 8;
const SET_PROPERTY: u64 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever makes no sense is no message, and fields of other types are ignored.
    #[test]
    fn messages_without_sense_are_none() {
        for text in [
            "",
            "{",
            "[]",
            "5",
            r#""type""#,
            "{}",
            r#"{"type":99}"#,
            r#"{"type":"3"}"#,
            r#"{"type":-1}"#,
            r#"{"type":3.5}"#,
            r#"{"type":3"#,
            r#"{"type":3} {}"#,
            r#"{"type":7,"object":"a"}"#,
            r#"{"type":7,"object":5,"signal":1}"#,
            r#"{"type":7,"object":"a","signal":"1"}"#,
            r#"{"type":8,"object":"a","signal":-1}"#,
            r#"{"type":9,"object":"a","property":1}"#,
            r#"{"type":9,"object":"a","property":99999999999999999999999,"value":1}"#,
        ] {
            assert!(Message::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_call_has_a_name_or_an_index() {
        let text =
            r#"{"method":"a\"\u0062","args":[1, {"b": 2}],"type":6,"object":"c","id":{"d":1}}"#;
        let Some(Message::Invoke(call)) = Message::parse(text) else { panic!("no call") };

        assert_eq!(call.id.map(RawValue::get), Some(r#"{"d":1}"#));
        assert_eq!(call.object.as_deref(), Some("c"));
        assert!(matches!(call.method, Some(MethodName::Name(name)) if name == "a\"b"));
        assert_eq!(call.arguments, Some(r#"[1, {"b": 2}]"#));

        let Some(Message::Invoke(call)) = Message::parse(r#"{"type":6,"method":7}"#) else {
            panic!("no call")
        };
        assert!(matches!(call.method, Some(MethodName::Index(7))));
        assert!(call.id.is_none() && call.object.is_none() && call.arguments.is_none());
    }

    #[test]
    fn names_are_escaped() {
        let mut out = Vec::new();
        begin_signal(&mut out, "a\"\n", 3);
        out.extend_from_slice(b"[]");
        end(&mut out);

        assert_eq!(out, br#"{"type":1,"object":"a\"\n","signal":3,"args":[]}"#);
        assert_eq!(destroyed("\\"), r#"{"type":1,"object":"\\","signal":0}"#);
    }
}
