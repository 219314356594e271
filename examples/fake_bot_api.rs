//! Telegram's Bot API on loopback, to try the agent's chat without Telegram:
//!
//! ```text
//! cargo run --example fake_bot_api -- 127.0.0.1:8081
//! ```
//!
//! Point `[telegram] api_url` and `token` at what it prints. Each line that is typed is a message of user 1 in
//! a private chat; `press LABEL` presses the newest button with that label.

#[path = "../tests/it/bot_api.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod bot_api;

use bot_api::{BotApi, Message, TOKEN};
use std::collections::BTreeMap;
use std::io::BufRead;
use std::time::Duration;

const USER: i64 = 1;

fn main() -> std::io::Result<()> {
    let addr = std::env::args().nth(1);
    let api = BotApi::listen(addr.as_deref().unwrap_or("127.0.0.1:0"))?;
    println!(
        "[telegram]\ntoken = \"{TOKEN}\"\napi_url = \"{}\"\n",
        api.url()
    );
    println!("[access]\nowners = [\"telegram:{USER}\"]\n\n[notify]\nto = [\"telegram:{USER}\"]\n");
    println!("Type a command, or `press LABEL`.");
    let api = std::sync::Arc::new(api);
    let shown = std::sync::Arc::clone(&api);
    std::thread::spawn(move || show(&shown));
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.strip_prefix("press ") {
            Some(label) if !api.press(USER, USER, label) => println!("there is no such button"),
            Some(_) => {}
            None => api.post(USER, USER, &line),
        }
    }
    Ok(())
}

/// Prints every message, and again when it has changed.
fn show(api: &BotApi) {
    let mut edits: BTreeMap<i64, u32> = BTreeMap::new();
    loop {
        let fresh = |message: &Message| edits.get(&message.id) != Some(&message.edits);
        for message in api.messages().iter().filter(|message| fresh(message)) {
            println!("\n#{} to {}: {}", message.id, message.chat, message.text);
            for (label, _) in &message.buttons {
                println!("  [{label}]");
            }
        }
        edits = api
            .messages()
            .iter()
            .map(|message| (message.id, message.edits))
            .collect();
        std::thread::sleep(Duration::from_millis(100));
    }
}
