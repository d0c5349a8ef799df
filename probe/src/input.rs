//! Messages to send: arguments, files, lines of standard input.

use std::fs;
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};
use slotwork::Message;
use smol::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::client::Client;
use crate::options::Options;

/// A message, or messages that are read while the connection is open.
pub(crate) enum Input {
    Message(Message),
    Lines,
}

/// Returns the messages of the command line; files are read.
pub(crate) fn load(options: &Options) -> Result<Vec<Input>> {
    let is_binary = options.exchange.binary;
    let mut inputs = Vec::new();
    for text in &options.messages {
        inputs.push(match text.as_str() {
            "-" => Input::Lines,
            text => Input::Message(message(text.into(), is_binary)?),
        });
    }
    ensure!(
        inputs.iter().filter(|input| matches!(input, Input::Lines)).count() <= 1,
        "standard input can be sent once: there are several `-`"
    );
    for path in &options.exchange.files {
        let name = path.display();
        let bytes = fs::read(path).with_context(|| format!("cannot read {name}"))?;
        inputs.push(Input::Message(message(bytes, is_binary).with_context(|| name.to_string())?));
    }
    Ok(inputs)
}

/// Sends all messages, as fast as the server reads them.
pub(crate) async fn send(client: &Rc<Client>, inputs: Vec<Input>) -> Result<()> {
    for input in inputs {
        match input {
            Input::Message(message) => client.send(&message).await?,
            Input::Lines => send_lines(client).await?,
        }
    }
    Ok(())
}

async fn send_lines(client: &Rc<Client>) -> Result<()> {
    let is_binary = client.options.exchange.binary;
    let mut input = BufReader::new(smol::Unblock::new(std::io::stdin()));
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut input).take(MAX_LINE);
        limited.read_until(b'\n', &mut line).await.context("cannot read standard input")?;
        match line.strip_suffix(b"\n") {
            Some(text) => line.truncate(text.strip_suffix(b"\r").unwrap_or(text).len()),
            None if line.is_empty() => return Ok(()),
            None if limited.limit() == 0 => bail!("a line of standard input has over 64 MiB"),
            // The last one has no end.
            None => {}
        }
        client.send(&message(line, is_binary).context("standard input")?).await?;
    }
}

fn message(bytes: Vec<u8>, is_binary: bool) -> Result<Message> {
    if is_binary {
        return Ok(bytes.into());
    }
    let text = String::from_utf8(bytes);
    Ok(text.map_err(|_| anyhow::anyhow!("not UTF-8: send it with --binary"))?.into())
}

/// The maximum size of a line of standard input, in bytes.
const MAX_LINE: u64 = 64 * 1024 * 1024;
