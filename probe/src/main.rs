//! `slotwork-probe`: tries WebSocket servers and clients from the command line.

mod certificate;
mod client;
mod input;
mod listen;
mod options;
mod output;
mod pings;
mod progress;
mod report;
mod text;
mod tls;

use std::process::ExitCode;
use std::rc::Rc;

use anyhow::Result;
use clap::{CommandFactory, Parser};

use crate::client::Client;
use crate::options::{Command, Options};
use crate::output::Output;
use crate::report::Exit;

fn main() -> ExitCode {
    let options = Options::parse();
    let output = Rc::new(Output::default());
    match run(options, &output) {
        Ok(exit) => output.exit(exit),
        Err(error) => {
            output.error(&format!("{error:#}"));
            output.exit(Exit::Usage)
        }
    }
    .into()
}

fn run(options: Options, output: &Rc<Output>) -> Result<Exit> {
    if let Some(Command::Completion { shell }) = options.command {
        // Into memory: clap panics when the output is closed.
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Options::command(), "slotwork-probe", &mut script);
        output.write(|out| out.write_all(&script));
        return Ok(Exit::Success);
    }
    match options.listen {
        Some(address) => listen::run(address, &options, output),
        None => Client::run(options, output),
    }
}
