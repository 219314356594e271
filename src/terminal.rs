//! The terminal of `demo` as a chat: lines in from standard input, one after the other, answers and alerts out.

use rackwarden_core::chat::{Asked, SessionId, sessions};
use rackwarden_core::effect::SessionReply;
use rackwarden_core::event::Event;
use rackwarden_io::inbox::Inbox;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

/// The session that stands for the person at the terminal.
const SESSION: SessionId = SessionId::TERMINAL;

/// The longest line that is read; the rest of a longer one is dropped.
const LONGEST_LINE: u64 = 4096;

/// Prints replies and lets the next line go when one is complete.
#[derive(Clone)]
pub(crate) struct Terminal {
    turn: Arc<(Mutex<bool>, Condvar)>,
    has_prompt: bool,
}

impl Terminal {
    /// A terminal that reads nothing yet.
    pub(crate) fn new() -> Terminal {
        Terminal {
            turn: Arc::default(),
            has_prompt: io::stdin().is_terminal() && io::stdout().is_terminal(),
        }
    }

    /// Whether a reply is for the terminal.
    pub(crate) fn owns(session: SessionId) -> bool {
        session == SESSION
    }

    /// Reads lines until `/quit` or the end of input, then stops the agent.
    pub(crate) fn start(&self, inbox: Inbox) -> io::Result<()> {
        let terminal = self.clone();
        thread::Builder::new()
            .name("stdin".into())
            .stack_size(128 * 1024)
            .spawn(move || {
                terminal.read(&inbox);
                inbox.send(Event::Stop);
            })?;
        Ok(())
    }

    /// Prints a reply. The last one of an answer lets the next line go.
    pub(crate) fn reply(&self, reply: SessionReply) {
        let mut out = io::stdout().lock();
        let start = if self.has_prompt { "\r\x1b[K" } else { "" };
        let _ = writeln!(out, "{start}{}", reply.text.trim_end());
        if let Some(document) = &reply.document {
            let _ = writeln!(out, "--- {}", document.name);
            match document.mime.starts_with("text/") {
                true => drop(out.write_all(&document.bytes)),
                false => drop(writeln!(out, "({} bytes)", document.bytes.len())),
            }
        }
        self.prompt(&mut out);
        if reply.last {
            *self.answered() = true;
            self.turn.1.notify_all();
        }
    }

    fn prompt(&self, out: &mut impl Write) {
        if self.has_prompt {
            let _ = write!(out, "> ");
        }
        let _ = out.flush();
    }

    fn read(&self, inbox: &Inbox) {
        self.prompt(&mut io::stdout().lock());
        let mut stdin = io::stdin().lock();
        loop {
            let mut line = Vec::new();
            match io::Read::take(&mut stdin, LONGEST_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            if line.len() as u64 == LONGEST_LINE && stdin.skip_until(b'\n').is_err() {
                return;
            }
            let line = String::from_utf8_lossy(&line).trim().to_owned();
            match line.as_str() {
                "" => continue,
                "/quit" | "quit" | "/exit" | "exit" => return,
                _ => self.ask(inbox, line),
            }
        }
    }

    fn ask(&self, inbox: &Inbox, line: String) {
        *self.answered() = false;
        inbox.send(Event::Asked(Asked {
            session: SESSION,
            who: sessions::terminal(),
            is_owner: true,
            line,
        }));
        let answered = self.answered();
        drop(self.turn.1.wait_while(answered, |answered| !*answered));
    }

    fn answered(&self) -> std::sync::MutexGuard<'_, bool> {
        self.turn.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
