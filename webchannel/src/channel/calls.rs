//! Calls of methods, and their answers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use serde_json::Value;
use serde_json::value::RawValue;

use crate::channel::coding::Coding;
use crate::channel::properties::FORGED;
use crate::channel::state::Inner;
use crate::class_info::DELETE_LATER;
use crate::client::{Client, RunningCall};
use crate::error::{CallError, CallFailure, discard, panicked};
use crate::instance::{Called, PendingCall};
use crate::json;
use crate::message::{self, Invoke, MethodName};
use crate::registry::Entry;
use crate::scope::{self, Exchange};

impl Inner {
    /// Calls a method for a client; returns whether there is one, or an answer.
    pub(crate) fn invoke(self: &Rc<Self>, client: &Rc<Client>, call: &Invoke<'_>) -> bool {
        let coding = Coding::of_call(self, client);
        // While it lasts, `caller` is known, also to the slots of `call_failed`.
        let _scope = scope::enter(coding.clone());
        let object = call.object.as_deref().unwrap_or_default();
        match self.method_of(client, object, call) {
            Ok((entry, method)) if entry.instance.info().is_delete_later(method) => {
                self.delete(client, &entry, call.id);
                true
            }
            Ok((entry, method)) => {
                self.run(client, &coding, &entry, method, call);
                true
            }
            Err(failure) => {
                self.fail(client, call.id, object, &name_of(call), failure);
                call.id.is_some()
            }
        }
    }

    fn method_of(
        self: &Rc<Self>,
        client: &Client,
        object: &str,
        call: &Invoke<'_>,
    ) -> Result<(Rc<Entry>, usize), CallFailure> {
        let entry = self.find(client, object).ok_or(CallFailure::UnknownObject)?;
        let info = entry.instance.info();
        let method = match &call.method {
            Some(MethodName::Name(name)) => info.method(name),
            Some(MethodName::Index(index)) => info.method_name(*index).map(|_| *index),
            None => None,
        };
        Ok((entry, method.ok_or(CallFailure::UnknownMethod)?))
    }

    /// Calls a method, and answers unless it is async.
    fn run(
        self: &Rc<Self>,
        client: &Rc<Client>,
        coding: &Rc<Coding>,
        entry: &Rc<Entry>,
        method: usize,
        call: &Invoke<'_>,
    ) {
        let mut out = self.take_buffer();
        message::begin_response(&mut out, call.id.map_or("null", RawValue::get));
        entry.running.set(entry.running.get() + 1);
        let called = run(coding, entry, method, call.arguments, &mut out);
        entry.running.set(entry.running.get() - 1);
        match called {
            Ok(Called::Done) if call.id.is_some() => {
                message::end(&mut out);
                client.send(&out);
            }
            Ok(Called::Done) => coding.undo_all(),
            Ok(Called::Pending(run)) => self.spawn(client, entry, method, call.id, run),
            Err(failure) => {
                coding.undo_all();
                let name = entry.instance.info().method_name(method).unwrap_or_default();
                self.fail(client, call.id, &entry.id, name, failure);
            }
        }
        self.keep_buffer(out);
        // The method may have withdrawn its own object.
        self.withdraw_ending(entry);
    }

    /// Answers a call with the JSON of its result.
    fn answer(&self, client: &Client, id: &RawValue, result: &[u8]) {
        let mut out = self.take_buffer();
        message::begin_response(&mut out, id.get());
        out.extend_from_slice(result);
        message::end(&mut out);
        client.send(&out);
        self.keep_buffer(out);
    }

    /// Reports a failed call, and answers it so that the client rejects its promise.
    pub(crate) fn fail(
        &self,
        client: &Client,
        id: Option<&RawValue>,
        object: &str,
        method: &str,
        failure: CallFailure,
    ) {
        if let Some(id) = id {
            client.socket.send_text_message(message::failed_response(id.get()));
        }
        self.report(object, method, failure);
    }

    /// Reports what has failed to the log and the slots of `call_failed`.
    pub(crate) fn report(&self, object: &str, method: &str, failure: CallFailure) {
        let error = CallError::new(object, method, failure);
        self.warn(|| format!("web channel: {error}"));
        self.call_failed.emit(&error);
    }

    /// Deletes an object for a client, unless it is registered.
    fn delete(self: &Rc<Self>, client: &Rc<Client>, entry: &Rc<Entry>, id: Option<&RawValue>) {
        if entry.is_registered {
            return self.fail(client, id, &entry.id, DELETE_LATER, CallFailure::NotDeletable);
        }
        if let Some(id) = id {
            self.answer(client, id, b"null");
        }
        self.remove(entry);
    }

    /// Starts the task of an async call; over the limit the client is not read from.
    fn spawn(
        self: &Rc<Self>,
        client: &Rc<Client>,
        entry: &Entry,
        method: usize,
        id: Option<&RawValue>,
        run: PendingCall,
    ) {
        if client.is_gone.get() {
            return discard(run);
        }
        let (number, count) = {
            let state = &mut *client.state.borrow_mut();
            state.last_call += 1;
            let id = id.map(ToOwned::to_owned);
            let call = RunningCall { object: entry.key, method, id, task: None };
            state.calls.insert(state.last_call, call);
            (state.last_call, state.calls.len())
        };
        let (channel, weak) = (Rc::downgrade(self), Rc::downgrade(client));
        let task =
            self.event_loop.spawn(CallTask { channel, client: weak, number, run: Some(run) });
        if let Some(call) = client.state.borrow_mut().calls.get_mut(&number) {
            call.task = Some(Box::new(task));
        }
        if count >= self.max_calls.get() && !client.is_paused.replace(true) {
            client.socket.pause_reading();
        }
    }

    /// Answers an async call that is done.
    fn finish(
        self: &Rc<Self>,
        client: &Rc<Client>,
        coding: &Coding,
        number: u64,
        result: Result<Vec<u8>, CallFailure>,
    ) {
        let call = client.state.borrow_mut().calls.remove(&number);
        let Some(call) = call else { return coding.undo_all() };
        let entry = self.registry.borrow().with_key(call.object);
        match (result, &call.id) {
            (Ok(data), Some(id)) => self.answer(client, id, &data),
            (Ok(_), None) => coding.undo_all(),
            (Err(failure), id) => {
                coding.undo_all();
                let (object, name) = match &entry {
                    Some(entry) => (&*entry.id, entry.instance.info().method_name(call.method)),
                    None => ("", None),
                };
                self.fail(client, id.as_deref(), object, name.unwrap_or_default(), failure);
            }
        }
        self.resume(client);
    }

    /// Reads from a client again when enough of its calls are done.
    pub(crate) fn resume(&self, client: &Client) {
        let count = client.state.borrow().calls.len();
        if count < self.max_calls.get() {
            client.resume_reading();
        }
    }
}

/// Calls a method with the arguments of a client, and appends its result.
fn run(
    coding: &Rc<Coding>,
    entry: &Entry,
    method: usize,
    arguments: Option<&str>,
    out: &mut Vec<u8>,
) -> Result<Called, CallFailure> {
    let text = arguments.unwrap_or("[]");
    let arguments: Vec<Value> = serde_json::from_str(text)
        .map_err(|error| CallFailure::InvalidArguments(error.to_string()))?;
    if !json::has_known_objects(text, &arguments, &|id| coding.has_object(id)) {
        return Err(CallFailure::InvalidArguments(FORGED.to_owned()));
    }
    let mut called = Called::Done;
    coding.attempt(out, |out| {
        called = entry.instance.call(method, arguments, out)?;
        Ok(())
    })?;
    Ok(called)
}

/// Returns the name of a method that does not exist, for the log.
fn name_of(call: &Invoke<'_>) -> String {
    match &call.method {
        Some(MethodName::Name(name)) => name.clone().into_owned(),
        Some(MethodName::Index(index)) => index.to_string(),
        None => String::new(),
    }
}

/// The task of an async call.
struct CallTask {
    channel: Weak<Inner>,
    client: Weak<Client>,
    number: u64,
    run: Option<PendingCall>,
}

impl Future for CallTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let (Some(channel), Some(client)) = (self.channel.upgrade(), self.client.upgrade()) else {
            return Poll::Ready(());
        };
        let Some(run) = &mut self.run else { return Poll::Ready(()) };
        let coding = Coding::of_call(&channel, &client);
        let _scope = scope::enter(coding.clone());
        let polled = catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(context)));
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => result,
            Err(payload) => Err(panicked(payload)),
        };
        // Before the answer.
        discard(self.run.take());
        channel.finish(&client, &coding, self.number, result);
        Poll::Ready(())
    }
}
