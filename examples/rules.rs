//! Evaluating rules on your own samples: a water temperature that must not stay above 30 °C for more than 10 s.
//!
//! Time is an argument, so a minute is judged in no time.

use rackwarden_core::alert::{Rule, RuleState, Sample};
use rackwarden_core::time::{Mono, Now, Wall};
use std::time::Duration;

fn main() {
    let rule = Rule {
        for_: Duration::from_secs(10),
        ..Rule::above(30.0, 28.0)
    };
    let mut state = RuleState::default();
    println!("rule: {}", rule.in_words("°C"));

    let celsius = [27.0, 31.0, 29.5, 31.5, 32.0, 32.5, 33.0, 32.0, 29.0, 27.5];
    for (index, value) in celsius.into_iter().enumerate() {
        let since_start = Duration::from_secs(5 * index as u64);
        let now = Now {
            mono: Mono::ZERO + since_start,
            wall: Wall(1_795_205_700_000).plus(since_start),
        };
        match state.evaluate(&rule, now, Sample::Value(value)) {
            Some(transition) => {
                println!("t+{:>2}s {value} °C  {transition}", since_start.as_secs())
            }
            None => println!("t+{:>2}s {value} °C", since_start.as_secs()),
        }
    }
}
