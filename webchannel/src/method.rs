//! Functions that can be published as methods: those with up to six arguments.

use std::rc::Rc;
use std::vec;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::CallFailure;
use crate::scope;

/// A function of `T` that can be published as a method.
///
/// Implemented for functions and closures that take `&Rc<T>`, usually as `self`, and up to six
/// arguments that serde can deserialize. `Marker` is inferred.
///
/// # Qt
///
/// A slot or `Q_INVOKABLE`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be published as a method of `{T}`",
    label = "expected a function of `&Rc<{T}>` and up to six arguments that are `DeserializeOwned`",
    note = "a method takes `self: &Rc<Self>`, and owned arguments such as `String`"
)]
pub trait Method<T, Marker>: 'static {
    /// The result of the function.
    type Output;

    /// Calls the function with the arguments of a client.
    ///
    /// # Errors
    ///
    /// When the arguments do not fit.
    #[doc(hidden)]
    fn call(&self, object: &Rc<T>, arguments: Arguments) -> Result<Self::Output, CallFailure>;
}

/// An async function of `T` that can be published as a method.
///
/// Implemented for functions and closures that take `Rc<T>`, usually as `self`, and up to six
/// arguments that serde can deserialize. `Marker` is inferred.
///
/// # Qt
///
/// A `Q_INVOKABLE` that returns a `QFuture` (since Qt 6.8).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be published as an async method of `{T}`",
    label = "expected an async function of `Rc<{T}>` and up to six arguments that are \
             `DeserializeOwned`",
    note = "an async method takes `self: Rc<Self>`, and owned arguments such as `String`"
)]
pub trait AsyncMethod<T, Marker>: 'static {
    /// The result of the function.
    type Output: 'static;

    /// Calls the function with the arguments of a client.
    ///
    /// # Errors
    ///
    /// When the arguments do not fit.
    #[doc(hidden)]
    fn call(
        &self,
        object: Rc<T>,
        arguments: Arguments,
    ) -> Result<impl Future<Output = Self::Output> + 'static, CallFailure>;
}

/// The arguments of a call, which a method takes one by one.
#[doc(hidden)]
#[derive(Debug)]
pub struct Arguments {
    values: vec::IntoIter<Value>,
    taken: usize,
}

impl Arguments {
    pub(crate) fn new(values: Vec<Value>) -> Self {
        Self { values: values.into_iter(), taken: 0 }
    }

    /// Returns the next argument; one that is absent counts as `null`.
    fn next<A: DeserializeOwned>(&mut self) -> Result<A, CallFailure> {
        self.taken += 1;
        let value = self.values.next();
        let is_absent = value.is_none();
        let value = scope::coding(|| A::deserialize(value.unwrap_or_default()));
        value.map_err(|error| {
            let number = self.taken;
            let missing = if is_absent { "missing, " } else { "" };
            CallFailure::InvalidArguments(format!("argument {number}: {missing}{error}"))
        })
    }

    fn end(self) -> Result<(), CallFailure> {
        match self.values.len() {
            0 => Ok(()),
            more => Err(CallFailure::InvalidArguments(format!("{more} too many"))),
        }
    }
}

macro_rules! methods {
    ($(($($argument:ident $value:ident),*))*) => {$(
        impl<T, F, R, $($argument),*> Method<T, fn($($argument),*) -> R> for F
        where
            F: Fn(&Rc<T>, $($argument),*) -> R + 'static,
            $($argument: DeserializeOwned,)*
        {
            type Output = R;

            fn call(&self, object: &Rc<T>, arguments: Arguments) -> Result<R, CallFailure> {
                #[allow(unused_mut, reason = "without arguments it is not")]
                let mut arguments = arguments;
                $(let $value = arguments.next::<$argument>()?;)*
                arguments.end()?;
                Ok(self(object, $($value),*))
            }
        }

        impl<T, F, O, $($argument),*> AsyncMethod<T, fn($($argument),*) -> O> for F
        where
            F: Fn(Rc<T>, $($argument),*) -> O + 'static,
            O: Future<Output: 'static> + 'static,
            $($argument: DeserializeOwned,)*
        {
            type Output = O::Output;

            fn call(
                &self,
                object: Rc<T>,
                arguments: Arguments,
            ) -> Result<impl Future<Output = Self::Output> + 'static, CallFailure> {
                #[allow(unused_mut, reason = "without arguments it is not")]
                let mut arguments = arguments;
                $(let $value = arguments.next::<$argument>()?;)*
                arguments.end()?;
                Ok(self(object, $($value),*))
            }
        }
    )*};
}

methods! {
    ()
    (A a)
    (A a, B b)
    (A a, B b, C c)
    (A a, B b, C c, D d)
    (A a, B b, C c, D d, E e)
    (A a, B b, C c, D d, E e, G g)
}
