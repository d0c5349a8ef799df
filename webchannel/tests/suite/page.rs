//! A page without a browser: the messages of `qwebchannel.js`, sent as raw TCP.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use support::raw_peer::{CLOSE, RawPeer, TEXT, masked};

/// A page.
pub(crate) struct Page {
    pub(crate) peer: RawPeer,
    next_id: u64,
    /// What came while an answer was waited for.
    pub(crate) earlier: Vec<Value>,
}

impl Page {
    /// Connects, without an init.
    pub(crate) fn connect(port: u16) -> Result<Self> {
        Ok(Self { peer: RawPeer::open(port)?, next_id: 0, earlier: Vec::new() })
    }

    /// Connects as the client does: init, and idle.
    pub(crate) fn open(port: u16) -> Result<Self> {
        let mut page = Self::connect(port)?;
        page.init()?;
        page.idle()?;
        Ok(page)
    }

    /// Returns the class infos of the registered objects.
    pub(crate) fn init(&mut self) -> Result<Value> {
        let answer = self.ask(json!({"type": 3}))?;
        answer.get("data").cloned().context("no data")
    }

    pub(crate) fn send(&mut self, message: &Value) -> Result<()> {
        self.send_text(&message.to_string())
    }

    pub(crate) fn send_text(&mut self, message: &str) -> Result<()> {
        self.peer.send(masked(TEXT, message.as_bytes()))
    }

    pub(crate) fn idle(&mut self) -> Result<()> {
        self.send(&json!({"type": 4}))
    }

    /// Sends a message with an id, and returns its answer.
    pub(crate) fn ask(&mut self, mut message: Value) -> Result<Value> {
        let id = json!(self.next_id);
        self.next_id += 1;
        message["id"] = id.clone();
        self.send(&message)?;
        loop {
            let answer = self.read()?;
            if answer["type"] == 10 {
                ensure!(answer["id"] == id, "{answer} answers something else");
                return Ok(answer);
            }
            self.earlier.push(answer);
        }
    }

    /// Calls a method; fails if it is rejected.
    pub(crate) fn call(&mut self, object: &str, method: &str, args: &Value) -> Result<Value> {
        let answer = self.ask(invoke(object, method, args))?;
        answer.get("data").cloned().with_context(|| format!("{method} was rejected"))
    }

    /// Calls what the test has the device do.
    pub(crate) fn call_hook(&mut self) -> Result<Value> {
        self.call("device", "hook", &json!([]))
    }

    /// Calls a method, which has to be rejected.
    pub(crate) fn call_in_vain(&mut self, object: &str, method: &str, args: &Value) -> Result<()> {
        let answer = self.ask(invoke(object, method, args))?;
        ensure!(answer.get("data").is_none(), "{answer}");
        Ok(())
    }

    pub(crate) fn connect_signal(&mut self, object: &str, signal: usize) -> Result<()> {
        self.send(&json!({"type": 7, "object": object, "signal": signal}))
    }

    pub(crate) fn set_property(
        &mut self,
        object: &str,
        property: usize,
        value: &Value,
    ) -> Result<()> {
        let message = json!({"type": 9, "object": object, "property": property, "value": value});
        self.send(&message)
    }

    /// Returns the next message that is no answer.
    pub(crate) fn next(&mut self) -> Result<Value> {
        if self.earlier.is_empty() { self.read() } else { Ok(self.earlier.remove(0)) }
    }

    /// Returns the next message of a type; others are skipped.
    pub(crate) fn next_of(&mut self, kind: u64) -> Result<Value> {
        loop {
            let message = self.next()?;
            if message["type"] == kind {
                return Ok(message);
            }
        }
    }

    /// Returns what the next message has; an update of one object.
    pub(crate) fn next_update(&mut self) -> Result<Value> {
        let message = self.next()?;
        let object = message["data"][0].clone();
        ensure!(message == json!({"type": 2, "data": [object]}), "{message}");
        Ok(object)
    }

    /// Checks that the next message is the end of an object.
    pub(crate) fn expect_destroyed(&mut self, object: &str) -> Result<()> {
        let message = self.next()?;
        ensure!(message == json!({"type": 1, "object": object, "signal": 0}), "{message}");
        Ok(())
    }

    /// Checks that nothing but the answer to a call comes until the server has answered.
    pub(crate) fn expect_nothing(&mut self) -> Result<()> {
        self.call("device", "add", &json!([1, 2]))?;
        ensure!(self.earlier.is_empty(), "{:?} came", self.earlier);
        Ok(())
    }

    pub(crate) fn read(&mut self) -> Result<Value> {
        let frame = self.peer.read_frame()?;
        if frame.opcode == CLOSE {
            bail!("closed with {}", frame.close_code()?);
        }
        ensure!(frame.opcode == TEXT, "{frame:?}");
        Ok(serde_json::from_slice(&frame.payload)?)
    }
}

pub(crate) fn invoke(object: &str, method: &str, args: &Value) -> Value {
    json!({"type": 6, "object": object, "method": method, "args": args})
}

/// An object as a page gives it back.
pub(crate) fn reference(id: &Value) -> Value {
    json!({"__QObject*__": true, "id": id})
}
