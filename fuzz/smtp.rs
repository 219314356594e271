//! Bytes of a mail server, in pieces of any size.

use rackwarden_core::secret::Secret;
use rackwarden_core::smtp::{Envelope, Session, Step, Task};
use rackwarden_core::time::Mono;
use std::time::Duration;

/// The first byte says how long the pieces are and whether TLS has to begin, the second how long the mail is; the mail
/// and what the server says follow. A mail is accepted only after its end was sent, and its text cannot end it.
pub fn smtp(data: &[u8]) {
    let [how, length, rest @ ..] = data else {
        return;
    };
    let (message, mut server) = rest.split_at(usize::from(*length).min(rest.len()));
    let task = Task {
        us: [127, 0, 0, 1].into(),
        needs_starttls: how & 1 == 1,
        login: (how & 2 == 2).then(|| ("user".to_owned(), Secret::new("s3cr3t".to_owned()))),
        mail: Some(Envelope {
            from: "a@example.org".to_owned(),
            to: "b@example.org".to_owned(),
            message: message.to_vec(),
        }),
    };
    let piece = 1 + usize::from(how >> 2);
    let mut session = Session::new(task, Mono::new(Duration::from_secs(1)));
    let mut said = Vec::new();
    let result = loop {
        match session.next(Mono::ZERO) {
            Step::Write(bytes) => said.extend(bytes),
            Step::Encrypt => assert_eq!(how & 1, 1, "TLS that nobody asked for"),
            Step::Read if server.is_empty() => break session.broken("end of file"),
            Step::Read => {
                let (now, later) = server.split_at(piece.min(server.len()));
                session.receive(now);
                server = later;
            }
            Step::Done(result) => break result,
        }
    };
    let lines = said.split(|byte| *byte == b'\n');
    let ends = lines.filter(|line| *line == b".\r").count();
    assert!(ends <= 1, "more than one end");
    assert!(result.is_err() || ends == 1, "accepted, and not sent");
    assert!(!format!("{result:?}").contains("s3cr3t"));
}

pub fn smtp_seeds() -> Vec<Vec<u8>> {
    let fair =
        "220 x\r\n250-x\r\n250-STARTTLS\r\n250-SIZE 99\r\n250-8BITMIME\r\n250 AUTH LOGIN PLAIN\r\n";
    let rest = "235 ok\r\n250 ok\r\n250-o\r\n250 k\r\n354 go\r\n250 queued\r\n";
    let login = fair.replace(" PLAIN", "");
    [
        format!("\x1e\x0aA: b\r\n\r\n.\r\n{fair}{rest}"),
        format!("\x1c\x05.\n.\r\n{fair}{}", &rest[8..]),
        format!("\x1f\x00{fair}220 go\r\n{}{rest}", &fair[7..]),
        format!("\x1e\x00{login}334 VXNlcg==\r\n334 UGFzcw==\r\n{rest}"),
        format!("\x1e\x00{fair}535-5.7.8 no\r\n535 really no\r\n"),
    ]
    .map(String::into_bytes)
    .to_vec()
}
