//! Values of properties and signals: how they are read, set, kept and written.

use std::any::TypeId;
use std::borrow::Borrow;
use std::cell::RefCell;
use std::rc::Rc;

use serde::de::DeserializeOwned;
use serde::ser::Serialize;
use slotwork::signals::SignalRef;

use crate::class::{Get, Last, Set, Watch};
use crate::error::CallFailure;
use crate::json;
use crate::scope;

/// Makes the getter of a property.
pub(crate) fn getter<T: 'static, V: Serialize>(get: impl Fn(&Rc<T>) -> V + 'static) -> Get<T> {
    Box::new(move |object, out| json::write(out, &get(object)))
}

/// Makes the setter of a property.
pub(crate) fn setter<T: 'static, W: DeserializeOwned>(set: impl Fn(&Rc<T>, W) + 'static) -> Set<T> {
    Box::new(move |object, value| {
        let value = scope::coding(|| W::deserialize(value));
        let value = value.map_err(|error| CallFailure::InvalidArguments(error.to_string()))?;
        set(object, value);
        Ok(())
    })
}

/// Makes what connects the notify signal of a property.
pub(crate) fn watcher<T: 'static, N>(
    changed: impl Fn(&Rc<T>) -> SignalRef<'_, Rc<T>, N> + 'static,
) -> Watch<T>
where
    N: ?Sized + Serialize + ToOwned<Owned: Send> + 'static,
{
    Box::new(move |object, relay| {
        let last = Rc::new(LastValue::<N>(RefCell::new(None)));
        let kept = Rc::clone(&last);
        let connection = changed(object).connect(move |_object, value| {
            if relay.is_wanted() {
                let former = kept.0.replace(Some(value.to_owned()));
                drop(former);
                relay.changed();
            }
        });
        (connection, last)
    })
}

/// Keeps the value of a notify signal until it is sent.
struct LastValue<V: ?Sized + ToOwned>(RefCell<Option<V::Owned>>);

impl<V> Last for LastValue<V>
where
    V: ?Sized + Serialize + ToOwned + 'static,
{
    fn write(&self, out: &mut Vec<u8>) -> Result<(), CallFailure> {
        // Taken out meanwhile: the program's code may emit again.
        let value = self.0.borrow_mut().take();
        let written = match &value {
            Some(value) => write_arguments::<V>(out, value.borrow()),
            None => json::write(out, &[(); 0]),
        };
        if let Some(value) = value {
            let mut place = self.0.borrow_mut();
            let rest = if place.is_none() { place.replace(value) } else { Some(value) };
            drop(place);
            drop(rest);
        }
        written
    }
}

/// Writes the list of arguments of a signal: its value, or nothing if it has none.
pub(crate) fn write_arguments<V: ?Sized + Serialize + 'static>(
    out: &mut Vec<u8>,
    value: &V,
) -> Result<(), CallFailure> {
    if TypeId::of::<V>() == TypeId::of::<()>() {
        return json::write(out, &[(); 0]);
    }
    json::write(out, &[value])
}

/// Writes the list of arguments of a signal that has several.
pub(crate) fn write_tuple(
    out: &mut Vec<u8>,
    arguments: &impl Serialize,
) -> Result<(), CallFailure> {
    let start = out.len();
    json::write(out, arguments)?;
    if out.get(start) == Some(&b'[') {
        return Ok(());
    }
    out.truncate(start);
    Err(CallFailure::InvalidValue("the arguments of a signal are a tuple".to_owned()))
}
