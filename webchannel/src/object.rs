//! Objects as values: results, arguments, properties, and what is inside of those.

use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{self, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::class::Published;
use crate::instance::Instance;
use crate::json::OBJECT_KEY;
use crate::publish::{self, Publish};
use crate::scope;

/// An object as a value: a result, an argument, a property, or inside of one.
///
/// The page gets an object with its members, always the same one for the same `Rc`. The channel
/// keeps it alive until the last client that has it is gone, or one calls its `deleteLater`; an
/// object that is [registered](crate::WebChannel::register) stays the program's. A client can use,
/// and give back as an argument, what it has got itself, and nothing else.
///
/// A getter returns the same `Rc` each time: every new one is another object in each page, up to
/// [`max_objects`](crate::WebChannel::max_objects). Outside of a channel's values it cannot be
/// serialized.
///
/// # Qt
///
/// A `QObject *` as the result or argument of a method, which Qt wraps. Qt lets every client use it
/// that knows its id, and leaves it alive when the clients have gone.
///
/// # Examples
///
/// ```
/// use std::cell::RefCell;
/// use std::rc::Rc;
///
/// use slotwork_webchannel::{Object, Publish, Publisher};
///
/// struct Sensor {
///     place: String,
/// }
///
/// impl Publish for Sensor {
///     fn publish(with: &mut Publisher<Self>) {
///         with.constant("place", |sensor| sensor.place.clone());
///     }
/// }
///
/// #[derive(Default)]
/// struct Sensors(RefCell<Vec<Rc<Sensor>>>);
///
/// impl Publish for Sensors {
///     fn publish(with: &mut Publisher<Self>) {
///         with.method("all", Self::all).method("remove", Self::remove);
///     }
/// }
///
/// impl Sensors {
///     fn all(self: &Rc<Self>) -> Vec<Object<Sensor>> {
///         self.0.borrow().iter().map(Object::from).collect()
///     }
///
///     fn remove(self: &Rc<Self>, sensor: Object<Sensor>) {
///         self.0.borrow_mut().retain(|other| !Rc::ptr_eq(other, &sensor));
///     }
/// }
/// ```
pub struct Object<T>(pub Rc<T>);

impl<T> Clone for Object<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Deref for Object<T> {
    type Target = Rc<T>;

    fn deref(&self) -> &Rc<T> {
        &self.0
    }
}

impl<T> From<Rc<T>> for Object<T> {
    fn from(object: Rc<T>) -> Self {
        Self(object)
    }
}

impl<T> From<&Rc<T>> for Object<T> {
    fn from(object: &Rc<T>) -> Self {
        Self(Rc::clone(object))
    }
}

impl<T> fmt::Debug for Object<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({:p})", self.0)
    }
}

impl<T: Publish> Serialize for Object<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let exchange = scope::current().ok_or_else(|| ser::Error::custom(OUTSIDE))?;
        let make = || {
            let class = publish::class_of::<T>()?;
            Ok(Box::new(Published::strong(class, &self.0)) as Box<dyn Instance>)
        };
        let reference = exchange.reference(Rc::as_ptr(&self.0).cast(), &make);
        let reference = RawValue::from_string(reference.map_err(ser::Error::custom)?);
        let reference = reference.map_err(ser::Error::custom)?;
        scope::allowing(reference.get(), || reference.serialize(serializer))
    }
}

impl<'de, T: Publish> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Reference(id) = Reference::deserialize(deserializer)?;
        let exchange = scope::current().ok_or_else(|| de::Error::custom(OUTSIDE))?;
        let object = exchange.object(&id);
        let object = object.ok_or_else(|| de::Error::custom("the client has no such object"))?;
        let object =
            object.downcast().map_err(|_| de::Error::custom("an object of another class"))?;
        Ok(Self(object))
    }
}

/// The id of an object that a client gives back.
struct Reference(String);

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ReferenceVisitor)
    }
}

struct ReferenceVisitor;

impl<'de> Visitor<'de> for ReferenceVisitor {
    type Value = Reference;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Reference, A::Error> {
        let (mut id, mut is_marked) = (None, false);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "id" => id = Some(map.next_value()?),
                OBJECT_KEY => is_marked = map.next_value()?,
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        let id = id.filter(|_| is_marked);
        id.map(Reference).ok_or_else(|| de::Error::custom("not an object"))
    }
}

/// The error of objects that are serialized elsewhere.
const OUTSIDE: &str = "only a channel can send and receive objects";
