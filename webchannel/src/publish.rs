//! What a type publishes: its methods, signals, properties and enumerations.

use std::any::{Any, TypeId, type_name};
use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use serde::de::DeserializeOwned;
use serde::ser::Serialize;
use serde_json::Value;
use slotwork::signals::SignalRef;

use crate::class::{Class, Get, Last, Property, Watch};
use crate::class_info::{self, ClassInfo};
use crate::error::{CallFailure, Error};
use crate::instance::{Called, SignalRelay};
use crate::json;
use crate::method::{Arguments, AsyncMethod, Method};
use crate::scope;

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

/// Collects the members of a type, for [`Publish`].
///
/// Names are those of the page, such as `"slowSquare"`. Each may be used once, and the client needs
/// some for itself, such as `destroyed`: [`WebChannel::register`](crate::WebChannel::register)
/// refuses a type with such a member.
///
/// # Qt
///
/// `QMetaObject`, which `moc` makes.
#[doc(alias = "QMetaObject")]
pub struct Publisher<T> {
    class: Class<T>,
    error: Option<Error>,
}

/// Methods.
impl<T: 'static> Publisher<T> {
    /// Publishes a method, `fn(self: &Rc<Self>, …) -> R` with up to six arguments.
    ///
    /// The arguments of a call that are missing count as `null`, so an `Option` is an optional
    /// argument; too many fail the call. The page gets the result as a promise; that of `()` is
    /// `null`. A method that returns a `Result` is one for [`try_method`](Self::try_method), and is
    /// refused here.
    ///
    /// # Qt
    ///
    /// `Q_INVOKABLE` or a public slot. There are no overloads and no conversions.
    #[doc(alias = "Q_INVOKABLE")]
    pub fn method<M, F>(&mut self, name: &'static str, method: F) -> &mut Self
    where
        F: Method<T, M, Output: Serialize>,
    {
        self.refuse_result::<F::Output>(name);
        self.add_method(name, move |object, arguments, out| {
            write(out, &method.call(object, arguments)?)?;
            Ok(Called::Done)
        })
    }

    /// Publishes a method that may fail, `fn(self: &Rc<Self>, …) -> Result<R, E>`.
    ///
    /// An error rejects the promise of the page. Its text is not sent: it goes to the log, and to
    /// [`call_failed`](crate::WebChannel::call_failed). Otherwise as [`method`](Self::method).
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: a call that fails has an empty result.
    pub fn try_method<M, F, R, E>(&mut self, name: &'static str, method: F) -> &mut Self
    where
        F: Method<T, M, Output = Result<R, E>>,
        R: Serialize,
        E: fmt::Display,
    {
        self.add_method(name, move |object, arguments, out| {
            write(out, &method.call(object, arguments)?.map_err(failed)?)?;
            Ok(Called::Done)
        })
    }

    /// Publishes an async method, `async fn(self: Rc<Self>, …) -> R`.
    ///
    /// It runs as a task of the channel's loop. When the client disconnects, or the object is
    /// destroyed, it is dropped where it awaits something. Otherwise as [`method`](Self::method).
    ///
    /// # Qt
    ///
    /// `Q_INVOKABLE` with a `QFuture` as its result, since Qt 6.8.
    pub fn method_async<M, F>(&mut self, name: &'static str, method: F) -> &mut Self
    where
        F: AsyncMethod<T, M, Output: Serialize>,
    {
        self.refuse_result::<F::Output>(name);
        self.add_method(name, move |object, arguments, _out| {
            let run = method.call(Rc::clone(object), arguments)?;
            Ok(Called::Pending(Box::pin(async move { written(&run.await) })))
        })
    }

    /// Publishes an async method that returns a `Result`.
    ///
    /// As [`method_async`](Self::method_async) and [`try_method`](Self::try_method).
    ///
    /// # Qt
    ///
    /// `Q_INVOKABLE` with a `QFuture` as its result, since Qt 6.8; a future that was canceled has no
    /// answer there.
    pub fn try_method_async<M, F, R, E>(&mut self, name: &'static str, method: F) -> &mut Self
    where
        F: AsyncMethod<T, M, Output = Result<R, E>>,
        R: Serialize + 'static,
        E: fmt::Display + 'static,
    {
        self.add_method(name, move |object, arguments, _out| {
            let run = method.call(Rc::clone(object), arguments)?;
            Ok(Called::Pending(Box::pin(async move { written(&run.await.map_err(failed)?) })))
        })
    }
}

/// Signals.
impl<T: 'static> Publisher<T> {
    /// Publishes a signal; its value is the one argument of the page's callbacks.
    ///
    /// A signal of `()` has no argument. It goes at once to the clients that have connected it.
    ///
    /// # Qt
    ///
    /// A signal. Qt sends it to all clients once one of them has connected it.
    #[doc(alias = "Q_SIGNAL")]
    pub fn signal<V>(
        &mut self,
        name: &'static str,
        signal: impl Fn(&Rc<T>) -> SignalRef<'_, Rc<T>, V> + 'static,
    ) -> &mut Self
    where
        V: ?Sized + Serialize + ToOwned<Owned: Send> + 'static,
    {
        self.add_signal(name, move |object, relay| {
            signal(object).connect(move |_object, value| {
                relay.emitted(&|out| write_arguments(out, value));
            })
        })
    }

    /// Publishes a signal with several arguments, which `arguments` makes of its value.
    ///
    /// They are a tuple: `|moved| (moved.x, moved.y)`. Otherwise as [`signal`](Self::signal).
    ///
    /// # Qt
    ///
    /// A signal with several arguments.
    pub fn signal_args<V, A>(
        &mut self,
        name: &'static str,
        signal: impl Fn(&Rc<T>) -> SignalRef<'_, Rc<T>, V> + 'static,
        arguments: impl Fn(&V) -> A + 'static,
    ) -> &mut Self
    where
        V: ?Sized + ToOwned<Owned: Send> + 'static,
        A: Serialize,
    {
        let arguments = Rc::new(arguments);
        self.add_signal(name, move |object, relay| {
            let arguments = Rc::clone(&arguments);
            signal(object).connect(move |_object, value| {
                relay.emitted(&|out| write_tuple(out, &arguments(value)));
            })
        })
    }

    /// Publishes a signal whose value is not `Send`, such as an `Object`.
    ///
    /// Emissions of other threads do not reach the clients. Otherwise as [`signal`](Self::signal).
    ///
    /// # Qt
    ///
    /// A signal with a `QObject *`.
    pub fn local_signal<V>(
        &mut self,
        name: &'static str,
        signal: impl Fn(&Rc<T>) -> SignalRef<'_, Rc<T>, V> + 'static,
    ) -> &mut Self
    where
        V: ?Sized + Serialize + 'static,
    {
        self.add_signal(name, move |object, relay| {
            signal(object).local().connect(move |_object, value| {
                relay.emitted(&|out| write_arguments(out, value));
            })
        })
    }
}

/// Properties and enumerations.
impl<T: 'static> Publisher<T> {
    /// Publishes a property that the page reads, and its notify signal.
    ///
    /// The page calls the signal `<name>Changed`. Each client has a copy of the value: emissions are
    /// collected for [`property_update_interval`], and then the value is read and sent. Callbacks
    /// of the page get the value of the last emission; a signal of `()` is the right one for an
    /// object as a value.
    ///
    /// # Qt
    ///
    /// `Q_PROPERTY` with `READ` and `NOTIFY`.
    ///
    /// [`property_update_interval`]: crate::WebChannel::property_update_interval
    #[doc(alias = "Q_PROPERTY")]
    pub fn property<V, N>(
        &mut self,
        name: &'static str,
        get: impl Fn(&Rc<T>) -> V + 'static,
        changed: impl Fn(&Rc<T>) -> SignalRef<'_, Rc<T>, N> + 'static,
    ) -> &mut Self
    where
        V: Serialize,
        N: ?Sized + Serialize + ToOwned<Owned: Send> + 'static,
    {
        let property = Property { get: getter(get), set: None, watch: Some(watcher(changed)) };
        self.add_property(name, property)
    }

    /// Publishes a property that the page also writes.
    ///
    /// A page does not wait for the answer of a write: it sees its new value at once. When the
    /// setter has refused or changed it, the page gets the true value with the next update.
    /// Otherwise as [`property`](Self::property).
    ///
    /// # Qt
    ///
    /// `Q_PROPERTY` with `READ`, `WRITE` and `NOTIFY`. Qt leaves a refused value in the page.
    #[doc(alias = "Q_PROPERTY")]
    pub fn writable_property<V, W, N>(
        &mut self,
        name: &'static str,
        get: impl Fn(&Rc<T>) -> V + 'static,
        set: impl Fn(&Rc<T>, W) + 'static,
        changed: impl Fn(&Rc<T>) -> SignalRef<'_, Rc<T>, N> + 'static,
    ) -> &mut Self
    where
        V: Serialize,
        W: DeserializeOwned,
        N: ?Sized + Serialize + ToOwned<Owned: Send> + 'static,
    {
        let set = move |object: &Rc<T>, value: Value| {
            let value = scope::coding(|| W::deserialize(value));
            let value = value.map_err(|e| CallFailure::InvalidArguments(e.to_string()))?;
            set(object, value);
            Ok(())
        };
        let set = Some(Box::new(set) as _);
        self.add_property(name, Property { get: getter(get), set, watch: Some(watcher(changed)) })
    }

    /// Publishes a property that never changes.
    ///
    /// # Qt
    ///
    /// `Q_PROPERTY` with `CONSTANT`.
    #[doc(alias = "Q_PROPERTY")]
    pub fn constant<V: Serialize>(
        &mut self,
        name: &'static str,
        get: impl Fn(&Rc<T>) -> V + 'static,
    ) -> &mut Self {
        self.add_property(name, Property { get: getter(get), set: None, watch: None })
    }

    /// Publishes an enumeration: an object with its keys in the page.
    ///
    /// # Qt
    ///
    /// `Q_ENUM` and `Q_FLAG`.
    #[doc(alias = "Q_ENUM")]
    #[doc(alias = "Q_FLAG")]
    pub fn enumeration(
        &mut self,
        name: &'static str,
        keys: &'static [(&'static str, i64)],
    ) -> &mut Self {
        self.check_name(name);
        self.class.info.add_enumeration(name, keys);
        self
    }
}

impl<T: 'static> Publisher<T> {
    fn new() -> Self {
        let info = ClassInfo::new(type_name::<T>());
        let class =
            Class { info, methods: Vec::new(), signals: Vec::new(), properties: Vec::new() };
        Self { class, error: None }
    }

    fn add_method(
        &mut self,
        name: &'static str,
        call: impl Fn(&Rc<T>, Arguments, &mut Vec<u8>) -> Result<Called, CallFailure> + 'static,
    ) -> &mut Self {
        self.check_name(name);
        if name == "then" {
            self.refuse(name, "a promise would take the object for another promise");
        }
        self.class.info.add_method(name);
        self.class.methods.push(Box::new(call));
        self
    }

    fn add_signal(
        &mut self,
        name: &'static str,
        connect: impl Fn(&Rc<T>, Rc<dyn SignalRelay>) -> slotwork::signals::Connection + 'static,
    ) -> &mut Self {
        self.check_name(name);
        self.class.info.add_signal(name);
        self.class.signals.push(Box::new(connect));
        self
    }

    fn add_property(&mut self, name: &'static str, property: Property<T>) -> &mut Self {
        self.check_name(name);
        if property.watch.is_some() {
            self.check_name(&class_info::notify_name(name));
        }
        self.class.info.add_property(name, property.watch.is_none());
        self.class.properties.push(property);
        self
    }

    fn check_name(&mut self, name: &str) {
        if name.is_empty() {
            self.refuse(name, "it has no name");
        } else if RESERVED.contains(&name) {
            self.refuse(name, "the client needs the name for itself");
        } else if self.class.info.has_member(name) {
            self.refuse(name, "the name is used twice");
        }
    }

    fn refuse_result<R>(&mut self, name: &'static str) {
        // It would arrive as `{"Ok": …}`, and its error as well.
        if type_name::<R>().starts_with("core::result::Result<") {
            self.refuse(name, "it returns a `Result`: publish it with `try_method`");
        }
    }

    /// Keeps the first error.
    fn refuse(&mut self, member: &str, reason: &'static str) {
        let class = self.class.info.class;
        let error = || Error::InvalidClass { class, member: member.to_owned(), reason };
        self.error.get_or_insert_with(error);
    }

    fn finish(mut self) -> Result<Class<T>, Error> {
        self.class.info.finish();
        self.error.map_or(Ok(self.class), Err)
    }
}

impl<T> fmt::Debug for Publisher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("class", &self.class.info.class).finish_non_exhaustive()
    }
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
            None => write(out, &[(); 0]),
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

fn getter<T: 'static, V: Serialize>(get: impl Fn(&Rc<T>) -> V + 'static) -> Get<T> {
    Box::new(move |object, out| write(out, &get(object)))
}

fn watcher<T: 'static, N>(changed: impl Fn(&Rc<T>) -> SignalRef<'_, Rc<T>, N> + 'static) -> Watch<T>
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

/// Writes the list of arguments of a signal: its value, or nothing if it has none.
fn write_arguments<V: ?Sized + Serialize + 'static>(
    out: &mut Vec<u8>,
    value: &V,
) -> Result<(), CallFailure> {
    if TypeId::of::<V>() == TypeId::of::<()>() {
        return write(out, &[(); 0]);
    }
    write(out, &[value])
}

fn write_tuple(out: &mut Vec<u8>, arguments: &impl Serialize) -> Result<(), CallFailure> {
    let start = out.len();
    write(out, arguments)?;
    if out.get(start) == Some(&b'[') {
        return Ok(());
    }
    out.truncate(start);
    Err(CallFailure::InvalidValue("the arguments of a signal are a tuple".to_owned()))
}

fn written(value: &impl Serialize) -> Result<Vec<u8>, CallFailure> {
    let mut out = Vec::new();
    write(&mut out, value)?;
    Ok(out)
}

fn write(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) -> Result<(), CallFailure> {
    json::write(out, value).map_err(|error| CallFailure::InvalidValue(error.to_string()))
}

fn failed(error: impl fmt::Display) -> CallFailure {
    CallFailure::Failed(error.to_string())
}

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
    "destroyed",
    "deleteLater",
];

thread_local! {
    static CLASSES: RefCell<HashMap<TypeId, Rc<dyn Any>>> = RefCell::default();
}
