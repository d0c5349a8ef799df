//! The types whose objects web pages can use, and their classes.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::class::Class;
use crate::error::Error;
use crate::publisher::Publisher;

/// A type whose objects web pages can use.
///
/// What is not listed does not exist for them. The class is described once for each thread.
///
/// # Qt
///
/// The `Q_PROPERTY`, `Q_INVOKABLE`, `signals:`, `slots:` and `Q_ENUM` of a `QObject`. Qt publishes
/// all of them, and those of `QObject` itself.
///
/// # Examples
///
/// ```
/// use std::cell::RefCell;
/// use std::rc::Rc;
///
/// use serde::Serialize;
/// use slotwork::signals::{Signal, SignalRef};
/// use slotwork_webchannel::{Publish, Publisher};
///
/// #[derive(Clone, Serialize)]
/// struct Said {
///     from: String,
///     text: String,
/// }
///
/// #[derive(Default)]
/// struct Chat {
///     topic: RefCell<String>,
///     said: Signal<Said>,
///     topic_changed: Signal<str>,
/// }
///
/// impl Publish for Chat {
///     fn publish(with: &mut Publisher<Self>) {
///         with.method("send", Self::send)
///             .signal("said", Self::said)
///             .writable_property("topic", Self::topic, Self::set_topic, Self::topic_changed)
///             .constant("version", |_chat| env!("CARGO_PKG_VERSION"));
///     }
/// }
///
/// impl Chat {
///     fn send(self: &Rc<Self>, from: String, text: String) {
///         self.said.emit(&Said { from, text });
///     }
///
///     fn topic(self: &Rc<Self>) -> String {
///         self.topic.borrow().clone()
///     }
///
///     fn set_topic(self: &Rc<Self>, topic: String) {
///         self.topic.replace(topic.clone());
///         self.topic_changed.emit(&topic);
///     }
///
///     fn said(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, Said> {
///         SignalRef::new(self, &self.said)
///     }
///
///     fn topic_changed(self: &Rc<Self>) -> SignalRef<'_, Rc<Self>, str> {
///         SignalRef::new(self, &self.topic_changed)
///     }
/// }
/// ```
pub trait Publish: Sized + 'static {
    /// Lists the members that web pages can use.
    fn publish(with: &mut Publisher<Self>);
}

/// Returns the class of a type, which is described when it is first needed.
pub(crate) fn class_of<T: Publish>() -> Result<Rc<Class<T>>, Error> {
    let known = CLASSES.try_with(|classes| classes.borrow().get(&TypeId::of::<T>()).cloned());
    if let Some(class) = known.ok().flatten().and_then(|class| class.downcast().ok()) {
        return Ok(class);
    }
    let mut publisher = Publisher::new();
    T::publish(&mut publisher);
    let class = Rc::new(publisher.finish()?);
    let known: Rc<dyn Any> = class.clone();
    let former = CLASSES.try_with(|classes| classes.borrow_mut().insert(TypeId::of::<T>(), known));
    drop(former);
    Ok(class)
}

thread_local! {
    static CLASSES: RefCell<HashMap<TypeId, Rc<dyn Any>>> = RefCell::default();
}
