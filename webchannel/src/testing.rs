//! What the fuzzer calls, and checks that it makes.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::json::{self, OBJECT_KEY};
use crate::message::{Message, MethodName};

/// Parses a message of a client, and writes its values again.
///
/// # Panics
///
/// When a value passes that the page would take for an object.
pub fn message(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let values = match Message::parse(text) {
        Some(Message::Invoke(call)) => {
            if let Some(MethodName::Name(name)) = &call.method {
                assert!(text.contains(&**name) || text.contains('\\'), "a name from nowhere");
            }
            call.arguments
        }
        Some(Message::SetProperty { value, .. }) => Some(value),
        _ => None,
    };
    // Also JSON that is no message.
    for text in [Some(text), values].into_iter().flatten() {
        if let Ok(value) = serde_json::from_str::<Value>(text) {
            check_value(text, &value);
        }
    }
}

fn check_value(text: &str, value: &Value) {
    let has_objects = contains_key(value);
    // No object is known here: what is left has none.
    let is_plain = json::has_known_objects(text, std::slice::from_ref(value), &|_| false);
    assert_eq!(is_plain, !has_objects, "incoming");

    let mut out = Vec::new();
    assert_eq!(json::write(&mut out, value).is_err(), has_objects, "outgoing");
    if has_objects {
        assert!(out.is_empty(), "the beginning of a refused value");
    } else {
        // Not compared: the last digit of a float may differ.
        let again = serde_json::from_slice::<Value>(&out);
        assert!(again.is_ok_and(|again| !contains_key(&again)), "outgoing JSON");
    }

    let raw = RawValue::from_string(text.to_owned());
    let is_refused = raw.is_ok_and(|raw| json::write(&mut Vec::new(), &raw).is_err());
    // A key may be there twice, and the value has the last one alone.
    assert!(is_refused || !has_objects, "outgoing JSON");
}

fn contains_key(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(contains_key),
        Value::Object(map) => map.iter().any(|(key, it)| key == OBJECT_KEY || contains_key(it)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json() -> impl Strategy<Value = Value> {
        let key = prop_oneof![Just(OBJECT_KEY.to_owned()), "[a-z0-9\"\\\\]{0,3}", "id"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            key.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 20, 4, move |inner| {
            let map = prop::collection::btree_map(key.clone(), inner.clone(), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                map.prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// No value with the key of objects comes in or goes out.
        #[test]
        fn forged_objects_are_found_wherever_they_stand(value in json()) {
            message(value.to_string().as_bytes());
            let call = format!(r#"{{"type":6,"args":{value},"method":"m"}}"#);
            message(call.as_bytes());
            let write = format!(r#"{{"type":9,"object":"o","property":1,"value":{value}}}"#);
            message(write.as_bytes());
        }
    }
}
