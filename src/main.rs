//! The agent's command line. Starts, stops and wires; decisions are made in `rackwarden_core`.

mod agent;
mod args;
mod ask;
mod audit;
mod check;
mod completions;
mod demo;
mod discover;
mod doctor;
mod failure;
mod help;
mod import;
mod launch;
mod load;
mod local;
mod logger;
mod man;
mod pair;
mod probe;
mod profiles;
mod record;
mod run;
mod service;
mod signals;
mod simulate;
mod status;
mod subcommands;
mod terminal;
mod test_alert;
mod user;

use args::Command;
use failure::{Outcome, print, report};
use rackwarden_io::clock::Clock;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.next_if(|first| first == launch::NAME).is_some() {
        return launch::run(arguments);
    }
    logger::start(Clock::start());
    let outcome = args::parse(arguments).and_then(dispatch);
    log::logger().flush();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure);
            ExitCode::from(failure.code)
        }
    }
}

fn dispatch(command: Command) -> Outcome {
    match command {
        Command::Help(sub) => print(&help::text(sub)),
        Command::Version => print(concat!("rackwarden ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Run(options) => run::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Check(options) => check::run(&options),
        Command::Doctor(config) => doctor::run(config.as_deref()),
        Command::Probe(options) => probe::run(&options),
        Command::Discover(options) => discover::run(&options),
        Command::Profiles(options) => profiles::run(&options),
        Command::Simulate(options) => simulate::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Ask(options) => ask::run(&options),
        Command::AuditVerify(options) => audit::run(&options),
        Command::TestAlert(options) => test_alert::run(&options),
        Command::Pair(config) => pair::run(config.as_deref()),
        Command::Status(options) => status::run(&options),
        Command::Completions(shell) => print(&completions::script(shell)),
        Command::Man => print(&man::page()),
    }
}
