use super::*;
use std::time::Duration;

const DEADLINE: Mono = Mono::new(Duration::from_secs(60));

/// What the server says to each line that it gets, by the line's beginning; a dot alone ends the mail.
type Script<'a> = &'a [(&'a str, &'a str)];

fn task(message: &str) -> Task {
    Task {
        us: [127, 0, 0, 1].into(),
        needs_starttls: false,
        login: Some(("agent".to_owned(), Secret::new("s3cr3t".to_owned()))),
        mail: Some(Envelope {
            from: "agent@example.org".to_owned(),
            to: "ann@example.org".to_owned(),
            message: message.as_bytes().to_vec(),
        }),
    }
}

/// Speaks to a server that follows a script and closes where it ends; its bytes come in pieces of at most `piece`.
/// Returns what the client said.
fn talk_in_pieces(
    task: Task,
    greeting: &str,
    script: Script<'_>,
    piece: usize,
) -> (String, Result<(), Fault>) {
    let mut session = Session::new(task, DEADLINE);
    let mut wire = greeting.as_bytes().to_vec();
    let mut said = String::new();
    let mut is_content = false;
    loop {
        match session.next(Mono::ZERO) {
            Step::Write(bytes) => {
                let text = String::from_utf8(bytes).expect("text");
                said.push_str(&text);
                for line in text.lines() {
                    if is_content && line != "." {
                        continue;
                    }
                    let answer = script.iter().find(|(begin, _)| line.starts_with(begin));
                    let answer = answer.map_or("", |(_, answer)| answer);
                    is_content = answer.starts_with("354");
                    wire.extend_from_slice(answer.as_bytes());
                }
            }
            Step::Read if wire.is_empty() => return (said, session.broken("end of file")),
            Step::Read => {
                let rest = wire.split_off(piece.min(wire.len()));
                session.receive(&std::mem::replace(&mut wire, rest));
            }
            Step::Encrypt => said.push_str("<TLS>\r\n"),
            Step::Done(result) => return (said, result),
        }
    }
}

fn talk(task: Task, script: Script<'_>) -> (String, Result<(), Fault>) {
    talk_in_pieces(task, "220 mx.test\r\n", script, usize::MAX)
}

const FAIR: Script<'_> = &[
    (
        "EHLO",
        "250-mx.test greets you\r\n250-size 5000\r\n250 AUTH LOGIN PLAIN\r\n",
    ),
    ("AUTH", "235 ok\r\n"),
    ("MAIL", "250 ok\r\n"),
    ("RCPT", "250-o\r\n250 k\r\n"),
    ("DATA", "354 go on\r\n"),
    (".", "250 2.0.0 queued\r\n"),
];

#[test]
fn a_conversation_is_the_same_wherever_it_is_torn() {
    let want = "EHLO [127.0.0.1]\r\nAUTH PLAIN AGFnZW50AHMzY3IzdA==\r\n\
        MAIL FROM:<agent@example.org> SIZE=17\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n\
        ..\r\n...two\r\nthree\r\n.\r\nQUIT\r\n";
    for piece in [usize::MAX, 1, 2, 3, 5, 7, 11] {
        let message = task(".\r\n..two\r\nthree\r\n");
        let greeting = "220-mx.test\r\n220 ready\r\n";
        let (said, result) = talk_in_pieces(message, greeting, FAIR, piece);
        assert_eq!((said.as_str(), result), (want, Ok(())), "{piece}");
    }
}

#[test]
fn a_server_that_ends_after_any_byte_is_told_apart_by_whether_all_was_sent() {
    let replies: String = FAIR.iter().map(|(_, reply)| *reply).collect();
    let whole = format!("220 mx.test\r\n{replies}");
    let before_the_end = whole.len() - FAIR[5].1.len();
    for length in 0..=whole.len() {
        let mut session = Session::new(task("x\r\n"), DEADLINE);
        let mut left = &whole.as_bytes()[..length];
        let result = loop {
            match session.next(Mono::ZERO) {
                Step::Read => match left.split_first() {
                    Some((byte, rest)) => {
                        session.receive(&[*byte]);
                        left = rest;
                    }
                    None => break session.broken("end of file"),
                },
                Step::Done(result) => break result,
                _ => {}
            }
        };
        let want = match length {
            _ if length == whole.len() => None,
            _ if length >= before_the_end => Some(FaultKind::Interrupted),
            _ => Some(FaultKind::Unreachable),
        };
        assert_eq!(result.err().map(|fault| fault.kind), want, "{length}");
    }
}

#[test]
fn login_is_spoken_where_plain_is_not_offered() {
    let script: Script<'_> = &[
        ("EHLO", "250-mx.test\r\n250 AUTH login\r\n"),
        ("AUTH LOGIN", "334 VXNlcm5hbWU6\r\n"),
        ("YWdlbnQ=", "334 UGFzc3dvcmQ6\r\n"),
        ("czNjcjN0", "235 ok\r\n"),
    ];
    let mut login = task("");
    login.mail = None;
    let (said, result) = talk(login, script);
    assert_eq!(result, Ok(()));
    assert!(
        said.ends_with("AUTH LOGIN\r\nYWdlbnQ=\r\nczNjcjN0\r\nQUIT\r\n"),
        "{said}"
    );
}

#[test]
fn what_is_said_before_tls_does_not_count_inside() {
    let fair: Script<'_> = &[
        ("EHLO", "250-mx.test\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n"),
        ("STARTTLS", "220 go\r\n"),
        ("AUTH", "235 ok\r\n"),
    ];
    let mut login = task("");
    login.mail = None;
    login.needs_starttls = true;
    let (said, result) = talk(login.clone(), fair);
    assert_eq!(result, Ok(()));
    assert_eq!(
        said,
        "EHLO [127.0.0.1]\r\nSTARTTLS\r\n<TLS>\r\nEHLO [127.0.0.1]\r\n\
         AUTH PLAIN AGFnZW50AHMzY3IzdA==\r\nQUIT\r\n"
    );
    for (rule, script) in [
        (
            "not offered",
            &[("EHLO", "250-mx.test\r\n250 AUTH PLAIN\r\n")][..],
        ),
        (
            "injected",
            &[
                ("EHLO", "250-x\r\n250 STARTTLS\r\n"),
                ("STARTTLS", "220 go\r\n250 AUTH PLAIN\r\n"),
            ],
        ),
        (
            "begun",
            &[
                ("EHLO", "250-x\r\n250 STARTTLS\r\n"),
                ("STARTTLS", "220 go\r\n2"),
            ],
        ),
    ] {
        let (said, result) = talk(login.clone(), script);
        assert_eq!(result.expect_err(rule).kind, FaultKind::Tls, "{rule}");
        assert!(
            !said.contains("AUTH") && !said.contains("<TLS>"),
            "{rule}: {said}"
        );
    }
}

#[test]
fn more_than_ascii_needs_a_server_that_takes_it() {
    const OFFERS: &str = "250-x\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN\r\n";
    let mut beyond = task("h\u{e9}\r\n");
    if let Some(mail) = &mut beyond.mail {
        mail.to = "zo\u{eb}@example.org".to_owned();
    }
    let script: Script<'_> = &[("EHLO", OFFERS), ("AUTH", "235 ok\r\n")];
    let (said, _) = talk(beyond.clone(), script);
    assert!(
        said.ends_with("MAIL FROM:<agent@example.org> BODY=8BITMIME SMTPUTF8\r\n"),
        "{said}"
    );
    let fault = talk(beyond, FAIR).1.expect_err("neither is offered");
    assert_eq!(fault.kind, FaultKind::Unwanted);
}

#[test]
fn no_address_begins_a_line_of_its_own() {
    for to in ["a@b>\r\nRCPT TO:<c@d", "a b@c", "a@b\n", "<a@b", "nobody"] {
        let mut task = task("x\r\n");
        if let Some(mail) = &mut task.mail {
            mail.to = to.to_owned();
        }
        let (said, result) = talk(task, FAIR);
        assert_eq!(result.expect_err(to).kind, FaultKind::Unwanted);
        assert!(!said.contains("MAIL"), "{said}");
    }
}

#[test]
fn no_line_of_a_mail_ends_it() {
    for (message, want) in [
        ("", ""),
        ("a", "a\r\n"),
        ("a\n.\nb", "a\r\n..\r\nb\r\n"),
        ("a\r.\r\nb\r", "a\r\n..\r\nb\r\n"),
        ("\r\r\n\n..", "\r\n\r\n\r\n...\r\n"),
        (".a.\r\n", "..a.\r\n"),
    ] {
        let out = content::stuffed(message.as_bytes());
        assert_eq!(String::from_utf8_lossy(&out), want, "{message:?}");
    }
}

#[test]
fn the_deadline_holds_at_every_step_until_the_mail_is_accepted() {
    let steps = |late_at: usize| {
        let mut session = Session::new(task("x\r\n"), DEADLINE);
        let mut replies = ["220 x\r\n"]
            .into_iter()
            .chain(FAIR.iter().map(|(_, reply)| *reply));
        for step in 0.. {
            let now = if step < late_at { Mono::ZERO } else { DEADLINE };
            match session.next(now) {
                Step::Read => session.receive(replies.next().unwrap_or_default().as_bytes()),
                Step::Done(result) => return (step, result.err().map(|fault| fault.kind)),
                _ => {}
            }
        }
        unreachable!("it ends")
    };
    let (all, kind) = steps(usize::MAX);
    assert_eq!(kind, None);
    for late_at in 0..all {
        let want = match all - late_at {
            1 => None,
            2 => Some(FaultKind::Interrupted),
            _ => Some(FaultKind::Timeout),
        };
        assert_eq!(steps(late_at).1, want, "{late_at} of {all}");
    }
}

#[test]
fn every_refusal_is_of_its_kind_and_none_tells_the_password() {
    const EHLO: (&str, &str) = ("EHLO", "250-mx.test\r\n250 AUTH PLAIN\r\n");
    const AUTH: (&str, &str) = ("AUTH", "235 ok\r\n");
    const MAIL: (&str, &str) = ("MAIL", "250 ok\r\n");
    const RCPT: (&str, &str) = ("RCPT", "250 ok\r\n");
    const DATA: (&str, &str) = ("DATA", "354 go on\r\n");
    let cases: [(&str, &str, Script, FaultKind); 21] = [
        ("too busy", "421 later\r\n", &[], FaultKind::Busy),
        ("no service", "554 go away\r\n", &[], FaultKind::Denied),
        ("not smtp", "HTTP/1.1 400\r\n", &[], FaultKind::Malformed),
        (
            "no login",
            "220 x\r\n",
            &[("EHLO", "250 mx.test\r\n")],
            FaultKind::Denied,
        ),
        (
            "password",
            "220 x\r\n",
            &[
                EHLO,
                ("AUTH", "535 5.7.8 no s3cr3t AGFnZW50AHMzY3IzdA==\r\n"),
            ],
            FaultKind::Denied,
        ),
        (
            "login later",
            "220 x\r\n",
            &[EHLO, ("AUTH", "454 4.7.0 later\r\n")],
            FaultKind::Busy,
        ),
        (
            "sender",
            "220 x\r\n",
            &[EHLO, AUTH, ("MAIL", "550 who?\r\n")],
            FaultKind::Unwanted,
        ),
        (
            "login first",
            "220 x\r\n",
            &[EHLO, AUTH, ("MAIL", "530 login\r\n")],
            FaultKind::Denied,
        ),
        (
            "greylisting",
            "220 x\r\n",
            &[EHLO, AUTH, MAIL, ("RCPT", "451 4.7.1 greylisted\r\n")],
            FaultKind::Busy,
        ),
        (
            "mailbox full",
            "220 x\r\n",
            &[EHLO, AUTH, MAIL, ("RCPT", "552 5.2.2 full\r\n")],
            FaultKind::Busy,
        ),
        (
            "nobody",
            "220 x\r\n",
            &[EHLO, AUTH, MAIL, ("RCPT", "550 5.1.1 no such user\r\n")],
            FaultKind::Unwanted,
        ),
        (
            "too large",
            "220 x\r\n",
            &[EHLO, AUTH, MAIL, RCPT, DATA, (".", "552 5.3.4 too big\r\n")],
            FaultKind::TooLarge,
        ),
        (
            "announced size",
            "220 x\r\n",
            &[("EHLO", "250-x\r\n250-SIZE 1\r\n250 AUTH PLAIN\r\n"), AUTH],
            FaultKind::TooLarge,
        ),
        (
            "spam",
            "220 x\r\n",
            &[
                EHLO,
                AUTH,
                MAIL,
                RCPT,
                DATA,
                (".", "554-5.7.1 spam,\r\n554 5.7.1 we think\r\n"),
            ],
            FaultKind::Rejected,
        ),
        (
            "yes instead of go on",
            "220 x\r\n",
            &[EHLO, AUTH, MAIL, RCPT, ("DATA", "250 ok\r\n")],
            FaultKind::Malformed,
        ),
        (
            "go on instead of yes",
            "220 x\r\n",
            &[EHLO, AUTH, MAIL, RCPT, DATA, (".", "354 go on\r\n")],
            FaultKind::Interrupted,
        ),
        (
            "one reply too many",
            "220 x\r\n",
            &[EHLO, AUTH, ("MAIL", "250 ok\r\n250 ok\r\n"), RCPT, DATA],
            FaultKind::Malformed,
        ),
        (
            "numbers that differ",
            "220-x\r\n250 x\r\n",
            &[],
            FaultKind::Malformed,
        ),
        (
            "more than a password",
            "220 x\r\n",
            &[EHLO, ("AUTH", "334 \r\n")],
            FaultKind::Denied,
        ),
        (
            "cut before the end",
            "220 x\r\n",
            &[EHLO, AUTH, MAIL],
            FaultKind::Unreachable,
        ),
        (
            "cut after the end",
            "220 x\r\n",
            &[EHLO, AUTH, MAIL, RCPT, DATA],
            FaultKind::Interrupted,
        ),
    ];
    for (rule, greeting, script, want) in cases {
        let message = task("Subject: x\r\n\r\ny\r\n");
        let (_, result) = talk_in_pieces(message, greeting, script, usize::MAX);
        let fault = result.expect_err(rule);
        assert_eq!(fault.kind, want, "{rule}: {fault}");
        let told = format!("{fault:?}");
        assert!(
            !told.contains("s3cr3t") && !told.contains("AGFnZW50"),
            "{rule}: {told}"
        );
    }
}
