//! What a type publishes: its methods, signals, properties and enumerations.

use std::any::type_name;
use std::fmt;
use std::rc::Rc;

use serde::de::DeserializeOwned;
use serde::ser::Serialize;
use slotwork::signals::{Connection, SignalRef};

use crate::class::{Class, Property};
use crate::class_info::{self, ClassInfo};
use crate::error::{CallFailure, Error};
use crate::instance::{Called, SignalRelay};
use crate::json;
use crate::method::{Arguments, AsyncMethod, Method};
use crate::values::{getter, setter, watcher, write_arguments, write_tuple};

/// Collects the members of a type, for [`Publish`](crate::Publish).
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
            json::write(out, &method.call(object, arguments)?)?;
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
            json::write(out, &method.call(object, arguments)?.map_err(failed)?)?;
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
        let (get, set, watch) = (getter(get), Some(setter(set)), Some(watcher(changed)));
        self.add_property(name, Property { get, set, watch })
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
    pub(crate) fn new() -> Self {
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
        connect: impl Fn(&Rc<T>, Rc<dyn SignalRelay>) -> Connection + 'static,
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
        if let Some(reason) = self.class.info.objection(name) {
            self.refuse(name, reason);
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

    /// Returns the class, unless a member was refused.
    pub(crate) fn finish(mut self) -> Result<Class<T>, Error> {
        self.class.info.finish();
        self.error.map_or(Ok(self.class), Err)
    }
}

impl<T> fmt::Debug for Publisher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("class", &self.class.info.class).finish_non_exhaustive()
    }
}

fn written(value: &impl Serialize) -> Result<Vec<u8>, CallFailure> {
    let mut out = Vec::new();
    json::write(&mut out, value)?;
    Ok(out)
}

fn failed(error: impl fmt::Display) -> CallFailure {
    CallFailure::Failed(error.to_string())
}
