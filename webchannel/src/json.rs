//! The program's values as JSON, in which nothing else passes for an object.
//!
//! The client turns whatever has the key `__QObject*__` into an object. So a value of the program
//! that has it is refused, wherever it may come from: it might be a text of another client.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Error, ErrorKind, Write};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::Serialize;
use serde_json::Value;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};

use crate::error::CallFailure;
use crate::scope;

/// The key that marks an object.
pub(crate) const OBJECT_KEY: &str = "__QObject*__";

/// Appends the JSON of a value; on an error nothing is appended.
pub(crate) fn write(
    out: &mut Vec<u8>,
    value: &(impl Serialize + ?Sized),
) -> Result<(), CallFailure> {
    let start = out.len();
    let written = scope::coding(|| {
        value.serialize(&mut Serializer::with_formatter(&mut *out, Guarded::default()))
    });
    written.map_err(|error| {
        out.truncate(start);
        CallFailure::InvalidValue(error.to_string())
    })
}

/// Returns whether all objects in a value are ones that the client may use.
///
/// The values are those that a client has sent as `text`.
pub(crate) fn has_known_objects(
    text: &str,
    values: &[Value],
    is_known: &dyn Fn(&str) -> bool,
) -> bool {
    // Without an escape the key stands in the text as it is.
    let may_have_objects = text.contains('\\') || text.contains(OBJECT_KEY);
    !may_have_objects || values.iter().all(|value| is_valid(value, is_known))
}

fn is_valid(value: &Value, is_known: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::Array(values) => values.iter().all(|value| is_valid(value, is_known)),
        Value::Object(map) => match map.get(OBJECT_KEY) {
            Some(mark) => {
                let id = map.get("id").and_then(Value::as_str);
                *mark == Value::Bool(true) && map.len() == 2 && id.is_some_and(is_known)
            }
            None => map.values().all(|value| is_valid(value, is_known)),
        },
        _ => true,
    }
}

/// Writes compact JSON, and refuses the key of objects.
#[derive(Default)]
struct Guarded {
    /// The key that is being written.
    key: Option<Key>,
    /// For each open object whether it has a key that looks like an index.
    objects: Vec<bool>,
}

/// A key, which may be written in several pieces.
struct Key {
    /// The part of [`OBJECT_KEY`] that would make it that key; absent for another one.
    rest: Option<&'static str>,
    /// Whether it may look like an index: numbers are not written as strings.
    may_be_index: bool,
}

impl Formatter for Guarded {
    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.objects.push(false);
        CompactFormatter.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.objects.pop() == Some(true) {
            scope::end_reordered();
        }
        CompactFormatter.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.key = Some(Key { rest: Some(OBJECT_KEY), may_be_index: true });
        CompactFormatter.begin_object_key(writer, first)
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        let key = self.key.take();
        if key.as_ref().is_some_and(|key| key.rest == Some("")) {
            return Err(forged());
        }
        if key.is_some_and(|key| key.may_be_index)
            && let Some(is_reordered) = self.objects.last_mut()
            && !*is_reordered
        {
            *is_reordered = true;
            scope::begin_reordered();
        }
        CompactFormatter.end_object_key(writer)
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if let Some(key) = &mut self.key {
            key.rest = key.rest.and_then(|rest| rest.strip_prefix(fragment));
            key.may_be_index &= fragment.bytes().all(|byte| byte.is_ascii_digit());
        }
        CompactFormatter.write_string_fragment(writer, fragment)
    }

    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        if let Some(key) = &mut self.key {
            *key = Key { rest: None, may_be_index: false };
        }
        CompactFormatter.write_char_escape(writer, escape)
    }

    fn write_raw_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if !scope::is_allowed(fragment) && serde_json::from_str::<Checked>(fragment).is_err() {
            return Err(forged());
        }
        CompactFormatter.write_raw_fragment(writer, fragment)
    }
}

fn forged() -> Error {
    Error::new(ErrorKind::InvalidData, "a value has the key of objects, or nests too deeply")
}

/// Any JSON without the key of objects.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without objects")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            if key == OBJECT_KEY {
                return Err(serde::de::Error::custom("an object"));
            }
            map.next_value::<Self>()?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use serde::ser::Serializer;

    use super::*;

    /// A value with a single key, which is displayed in pieces.
    struct Pieces(&'static [&'static str]);

    impl fmt::Display for Pieces {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.iter().try_for_each(|piece| f.write_str(piece))
        }
    }

    impl Serialize for Pieces {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([(format_args!("{self}"), 1)])
        }
    }

    /// A key may be displayed: then it comes piece by piece.
    #[test]
    fn the_key_of_objects_is_refused_in_pieces() {
        for (pieces, is_refused) in [
            (&["__QObject", "*__"][..], true),
            (&["_", "", "_QObject*__", ""], true),
            (&["__QObject*__", "x"], false),
            (&["x", "__QObject*__"], false),
            (&["__QObject*", "\n", "__"], false),
            (&["__QObject*"], false),
            (&[], false),
        ] {
            let mut out = Vec::new();
            assert_eq!(write(&mut out, &Pieces(pieces)).is_err(), is_refused, "{pieces:?}");
            assert_eq!(out.is_empty(), is_refused, "{pieces:?}");
        }
    }
}
