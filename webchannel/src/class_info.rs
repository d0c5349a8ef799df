//! The members of a class as clients see them: names, indices and JSON.

/// The members of a class, without its type.
#[derive(Default)]
pub(crate) struct ClassInfo {
    /// The Rust name of the type.
    pub(crate) class: &'static str,
    methods: Vec<&'static str>,
    signals: Vec<SignalInfo>,
    properties: Vec<PropertyInfo>,
    enumerations: Vec<(&'static str, &'static [(&'static str, i64)])>,
    json: Json,
}

/// A signal; its index is its place in the list.
struct SignalInfo {
    name: String,
    kind: SignalKind,
}

/// What a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignalKind {
    /// The end of the object.
    Destroyed,
    /// A plain signal, with its place among those.
    Plain(usize),
    /// The change of a property.
    Notify,
}

/// A property; its index is its place in the list.
struct PropertyInfo {
    name: &'static str,
    /// The index of the notify signal; none for a constant.
    signal: Option<usize>,
}

/// The class info in JSON, cut where values belong.
#[derive(Default)]
struct Json {
    /// Up to the first property.
    head: String,
    /// Each property up to its value.
    properties: Vec<String>,
}

impl ClassInfo {
    pub(crate) fn new(class: &'static str) -> Self {
        let destroyed = SignalInfo { name: DESTROYED.to_owned(), kind: SignalKind::Destroyed };
        Self { class, signals: vec![destroyed], ..Self::default() }
    }

    pub(crate) fn add_method(&mut self, name: &'static str) {
        self.methods.push(name);
    }

    pub(crate) fn add_signal(&mut self, name: &'static str) {
        let plain = self.plain_signals().count();
        self.signals.push(SignalInfo { name: name.to_owned(), kind: SignalKind::Plain(plain) });
    }

    pub(crate) fn add_property(&mut self, name: &'static str, is_constant: bool) {
        let signal = (!is_constant).then_some(self.signals.len());
        if !is_constant {
            let kind = SignalKind::Notify;
            self.signals.push(SignalInfo { name: notify_name(name), kind });
        }
        self.properties.push(PropertyInfo { name, signal });
    }

    pub(crate) fn add_enumeration(
        &mut self,
        name: &'static str,
        keys: &'static [(&'static str, i64)],
    ) {
        self.enumerations.push((name, keys));
    }

    /// Returns why a member cannot have a name; `None` if it can.
    pub(crate) fn objection(&self, name: &str) -> Option<&'static str> {
        if name.is_empty() {
            Some("it has no name")
        } else if RESERVED.contains(&name) {
            Some("the client needs the name for itself")
        } else {
            self.has_member(name).then_some("the name is used twice")
        }
    }

    /// Returns whether a member has this name.
    fn has_member(&self, name: &str) -> bool {
        self.methods.contains(&name)
            || self.signals.iter().any(|signal| signal.name == name)
            || self.properties.iter().any(|property| property.name == name)
            || self.enumerations.iter().any(|(enumeration, _)| *enumeration == name)
    }

    /// Returns the index of a method; that behind the last one is of `deleteLater`.
    pub(crate) fn method(&self, name: &str) -> Option<usize> {
        if name == DELETE_LATER {
            return Some(self.methods.len());
        }
        self.methods.iter().position(|method| *method == name)
    }

    /// Returns the name of a method; `deleteLater` is the last one.
    pub(crate) fn method_name(&self, method: usize) -> Option<&'static str> {
        if method == self.methods.len() {
            return Some(DELETE_LATER);
        }
        self.methods.get(method).copied()
    }

    pub(crate) fn is_delete_later(&self, method: usize) -> bool {
        method == self.methods.len()
    }

    pub(crate) fn signal(&self, signal: usize) -> Option<SignalKind> {
        self.signals.get(signal).map(|signal| signal.kind)
    }

    pub(crate) fn signal_name(&self, signal: usize) -> &str {
        self.signals.get(signal).map_or("", |signal| &signal.name)
    }

    /// Returns the indices of the plain signals.
    pub(crate) fn plain_signals(&self) -> impl Iterator<Item = usize> {
        let signals = self.signals.iter().enumerate();
        signals.filter_map(|(at, it)| matches!(it.kind, SignalKind::Plain(_)).then_some(at))
    }

    pub(crate) fn notify_count(&self) -> usize {
        self.properties.iter().filter(|property| property.signal.is_some()).count()
    }

    pub(crate) fn property_count(&self) -> usize {
        self.properties.len()
    }

    pub(crate) fn property_name(&self, property: usize) -> &'static str {
        self.properties.get(property).map_or("", |property| property.name)
    }

    /// Returns the index of a property's notify signal; none for a constant.
    pub(crate) fn notify(&self, property: usize) -> Option<usize> {
        self.properties.get(property)?.signal
    }

    /// Writes the JSON of what does not change, once all members are there.
    pub(crate) fn finish(&mut self) {
        let signals = self.signals.iter().enumerate();
        let signals = signals.filter(|(_, signal)| signal.kind != SignalKind::Notify);
        let signals = signals.map(|(at, signal)| format!("[{},{at}]", quoted(&signal.name)));
        let methods = self.methods.iter().chain([&DELETE_LATER]).enumerate();
        let methods = methods.map(|(at, name)| format!("[{},{at}]", quoted(name)));
        let enumerations = self.enumerations.iter().map(|(name, keys)| {
            let keys = keys.iter().map(|(key, value)| format!("{}:{value}", quoted(key)));
            format!("{}:{{{}}}", quoted(name), joined(keys))
        });
        let enumerations = match joined(enumerations) {
            none if none.is_empty() => none,
            some => format!(r#""enums":{{{some}}},"#),
        };
        let (signals, methods) = (joined(signals), joined(methods));
        let head = format!(
            r#"{{"signals":[{signals}],"methods":[{methods}],{enumerations}"properties":["#
        );
        let properties = self.properties.iter().enumerate().map(|(at, property)| {
            // For an empty list the client would add a member called `undefined`.
            let notify =
                property.signal.map_or("null".to_owned(), |signal| format!("[1,{signal}]"));
            format!("[{at},{},{notify},", quoted(property.name))
        });
        let properties = properties.collect();
        self.json = Json { head, properties };
    }

    /// Writes the class info; `write_value` writes the value of a property.
    pub(crate) fn write(
        &self,
        out: &mut Vec<u8>,
        mut write_value: impl FnMut(usize, &mut Vec<u8>),
    ) {
        out.extend_from_slice(self.json.head.as_bytes());
        for (property, prefix) in self.json.properties.iter().enumerate() {
            if property > 0 {
                out.push(b',');
            }
            out.extend_from_slice(prefix.as_bytes());
            write_value(property, out);
            out.push(b']');
        }
        out.extend_from_slice(b"]}");
    }
}

/// Returns the name of a property's notify signal.
pub(crate) fn notify_name(property: &str) -> String {
    format!("{property}Changed")
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

/// The method that deletes an object; every object has it.
pub(crate) const DELETE_LATER: &str = "deleteLater";
/// The signal of an object's end; every object has it, with index 0.
const DESTROYED: &str = "destroyed";
/// Names that the client uses itself, or that mean something else in JavaScript.
const RESERVED: [&str; 11] = [
    "__id__",
    "__objectSignals__",
    "__propertyCache__",
    "__proto__",
    "unwrapQObject",
    "unwrapProperties",
    "propertyUpdate",
    "signalEmitted",
    "toJSON",
    DESTROYED,
    DELETE_LATER,
];
