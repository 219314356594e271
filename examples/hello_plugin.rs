//! A plugin from outside the agent: one command with a counter that survives a restart, tried in a simulated world.
//!
//! A plugin of the agent is the same in `lib/core/src/plugins/`, with a line in `PLUGINS`.

use rackwarden_core::chat::{Answer, Command, Invocation, Role, Spec, command};
use rackwarden_core::config::Config;
use rackwarden_core::ctx::Ctx;
use rackwarden_core::plugins::Plugin;
use rackwarden_core::sim::Sim;
use rackwarden_core::state::Records;
use std::sync::Arc;
use std::time::Duration;

const COMMANDS: &[Command<Hello>] = &[Command {
    spec: Spec {
        name: "hello",
        usage: "[name]",
        help: "says hello, and how often it did",
        example: "/hello Ann",
        role: Role::Viewer,
        action: None,
        arg: None,
        changes_state: false,
    },
    run: Hello::greet,
}];

#[derive(Default)]
struct Hello {
    times: u32,
}

impl Hello {
    fn greet(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        self.times += 1;
        ctx.state.put("hello", "times", &self.times);
        let name = invocation.arg(0).unwrap_or(&invocation.caller.name);
        let text = format!("Hello {name}, for the {}. time.", self.times);
        ctx.answer(&invocation.reply_to, Answer::text(text));
    }
}

impl Plugin for Hello {
    fn name(&self) -> &'static str {
        "hello"
    }

    fn commands(&self) -> Vec<&'static Spec> {
        command::specs(COMMANDS)
    }

    fn start(&mut self, _ctx: &mut Ctx<'_>, records: &Records) {
        self.times = records.get("hello", "times").unwrap_or(0);
    }

    fn run(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        command::run(COMMANDS, self, ctx, invocation);
    }
}

fn make(_config: &Arc<Config>) -> Box<dyn Plugin> {
    Box::new(Hello::default())
}

fn main() {
    let mut sim = Sim::with_plugins(Sim::config(&[("alpha", 3000.0)]), &[make]);
    sim.say("/hello Ann");
    sim.run_for(Duration::from_secs(1));
    sim.kill_and_restart();
    sim.say("/hello Ann");
    sim.run_for(Duration::from_secs(1));
    print!("{}", sim.transcript());
}
