//! A class with its type: how its members are read, written, called and connected.

use std::any::Any;
use std::cell::RefCell;
use std::rc::{Rc, Weak};

use serde_json::Value;
use slotwork::signals::Connection;

use crate::class_info::ClassInfo;
use crate::error::CallFailure;
use crate::instance::{Called, ChangeRelay, Instance, SignalRelay};
use crate::method::Arguments;

/// What a [`Publish`](crate::Publish) has listed; one for each type and thread.
pub(crate) struct Class<T> {
    pub(crate) info: ClassInfo,
    pub(crate) methods: Vec<Call<T>>,
    /// The plain signals.
    pub(crate) signals: Vec<Connect<T>>,
    pub(crate) properties: Vec<Property<T>>,
}

/// Calls a method.
pub(crate) type Call<T> =
    Box<dyn Fn(&Rc<T>, Arguments, &mut Vec<u8>) -> Result<Called, CallFailure>>;

/// Connects a plain signal.
pub(crate) type Connect<T> = Box<dyn Fn(&Rc<T>, Rc<dyn SignalRelay>) -> Connection>;

/// Writes the value of a property.
pub(crate) type Get<T> = Box<dyn Fn(&Rc<T>, &mut Vec<u8>) -> Result<(), CallFailure>>;

/// Sets a property.
pub(crate) type Set<T> = Box<dyn Fn(&Rc<T>, Value) -> Result<(), CallFailure>>;

/// Connects the notify signal of a property, and keeps its last arguments.
pub(crate) type Watch<T> = Box<dyn Fn(&Rc<T>, Rc<dyn ChangeRelay>) -> (Connection, Rc<dyn Last>)>;

/// A property.
pub(crate) struct Property<T> {
    pub(crate) get: Get<T>,
    pub(crate) set: Option<Set<T>>,
    /// Absent for a constant.
    pub(crate) watch: Option<Watch<T>>,
}

/// The arguments of the last emission of a signal.
pub(crate) trait Last {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), CallFailure>;
}

/// An object with its class.
pub(crate) struct Published<T> {
    class: Rc<Class<T>>,
    object: Hold<T>,
    /// For each property that is watched.
    last: RefCell<Vec<Option<Rc<dyn Last>>>>,
}

/// How a channel holds an object.
enum Hold<T> {
    /// It is registered; the program owns it.
    Weak(Weak<T>),
    /// A method has returned it; the clients own it.
    Strong(Rc<T>),
}

impl<T: 'static> Published<T> {
    pub(crate) fn weak(class: Rc<Class<T>>, object: &Rc<T>) -> Self {
        Self::new(class, Hold::Weak(Rc::downgrade(object)))
    }

    pub(crate) fn strong(class: Rc<Class<T>>, object: &Rc<T>) -> Self {
        Self::new(class, Hold::Strong(Rc::clone(object)))
    }

    fn new(class: Rc<Class<T>>, object: Hold<T>) -> Self {
        Self { class, object, last: RefCell::default() }
    }

    fn object(&self) -> Result<Rc<T>, CallFailure> {
        match &self.object {
            Hold::Weak(object) => object.upgrade().ok_or(CallFailure::ObjectDestroyed),
            Hold::Strong(object) => Ok(Rc::clone(object)),
        }
    }

    fn property(&self, property: usize) -> Result<&Property<T>, CallFailure> {
        let found = self.class.properties.get(property);
        found.ok_or_else(|| CallFailure::InvalidValue("there is no such property".to_owned()))
    }
}

impl<T: 'static> Instance for Published<T> {
    fn info(&self) -> &ClassInfo {
        &self.class.info
    }

    fn is_alive(&self) -> bool {
        match &self.object {
            Hold::Weak(object) => object.strong_count() > 0,
            Hold::Strong(_) => true,
        }
    }

    fn upgrade(&self) -> Option<Rc<dyn Any>> {
        let object: Rc<dyn Any> = self.object().ok()?;
        Some(object)
    }

    fn write_value(&self, property: usize, out: &mut Vec<u8>) -> Result<(), CallFailure> {
        (self.property(property)?.get)(&self.object()?, out)
    }

    fn write_last(&self, property: usize, out: &mut Vec<u8>) -> Result<(), CallFailure> {
        let last = self.last.borrow().get(property).cloned().flatten();
        if let Some(last) = last {
            return last.write(out);
        }
        out.extend_from_slice(b"[]");
        Ok(())
    }

    fn set_value(&self, property: usize, value: Value) -> Result<(), CallFailure> {
        match &self.property(property)?.set {
            Some(set) => set(&self.object()?, value),
            None => Err(CallFailure::NotWritable),
        }
    }

    fn call(
        &self,
        method: usize,
        arguments: Vec<Value>,
        out: &mut Vec<u8>,
    ) -> Result<Called, CallFailure> {
        let call = self.class.methods.get(method).ok_or(CallFailure::UnknownMethod)?;
        call(&self.object()?, Arguments::new(arguments), out)
    }

    fn watch(&self, property: usize, relay: Rc<dyn ChangeRelay>) -> Option<Connection> {
        let watch = self.class.properties.get(property)?.watch.as_ref()?;
        let (connection, last) = watch(&self.object().ok()?, relay);
        let mut all = self.last.borrow_mut();
        if all.is_empty() {
            // Not more: there are as many of these lists as objects.
            *all = vec![None; self.class.properties.len()];
        }
        let former = all.get_mut(property).and_then(|place| place.replace(last));
        drop(all);
        drop(former);
        Some(connection)
    }

    fn connect(&self, signal: usize, relay: Rc<dyn SignalRelay>) -> Option<Connection> {
        let connect = self.class.signals.get(signal)?;
        Some(connect(&self.object().ok()?, relay))
    }
}
