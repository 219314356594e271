use super::*;
use rackwarden_base::secret::Secret;
use rackwarden_core::effect::Ticket;
use std::net::TcpListener;

/// What the server says to each line that it gets, by the line's beginning; a dot alone ends the mail.
type Script = &'static [(&'static str, &'static str)];

/// Speaks to one client after a script; returns what the client said.
fn server(greeting: &'static str, script: Script) -> (u16, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    let run = move || {
        let (mut peer, _) = listener.accept().expect("a connection");
        peer.set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a time-out");
        let mut said = String::new();
        let mut is_content = false;
        peer.write_all(greeting.as_bytes()).expect("a greeting");
        let mut bytes = io::BufReader::new(peer.try_clone().expect("a handle"));
        loop {
            let mut line = String::new();
            match io::BufRead::read_line(&mut bytes, &mut line) {
                Ok(0) | Err(_) => return said,
                Ok(_) => said.push_str(&line),
            }
            let line = line.trim_end();
            if is_content && line != "." {
                continue;
            }
            let answer = script.iter().find(|(begin, _)| line.starts_with(begin));
            let Some((_, answer)) = answer else {
                return said;
            };
            is_content = answer.starts_with("354");
            if peer.write_all(answer.as_bytes()).is_err() {
                return said;
            }
        }
    };
    (port, thread::spawn(run))
}

fn request(port: u16, login: bool, security: MailSecurity, message: &str) -> MailRequest {
    let password = Secret::new("s3cr3t".to_owned());
    MailRequest {
        ticket: Ticket(7),
        server: Arc::new(MailConfig {
            host: "127.0.0.1".to_owned(),
            port,
            security,
            login: login.then(|| ("agent".to_owned(), password)),
            from_name: String::new(),
            from: "agent@example.org".to_owned(),
            ca_file: None,
            fallback_after: Duration::from_secs(600),
            fallback_to: Vec::new(),
        }),
        to: "ann@example.org".to_owned(),
        message: message.as_bytes().to_vec(),
        timeout: Duration::from_secs(10),
    }
}

fn send(request: MailRequest) -> Result<(), Fault> {
    let inbox = Inbox::new();
    MailHandle::new(inbox.clone()).send(request);
    match inbox.receive(Some(Duration::from_secs(30))) {
        Some(Event::Done {
            ticket,
            reply: Reply::Mail(result),
        }) => {
            assert_eq!(ticket, Ticket(7));
            result
        }
        other => panic!("{other:?}"),
    }
}

const FAIR: Script = &[
    (
        "EHLO [127.0.0.1]",
        "250-mx.test greets you\r\n250-size 5000\r\n250 AUTH LOGIN PLAIN\r\n",
    ),
    ("AUTH PLAIN AGFnZW50AHMzY3IzdA==", "235 ok\r\n"),
    ("MAIL FROM:<agent@example.org>", "250 ok\r\n"),
    ("RCPT TO:<ann@example.org>", "250 ok\r\n"),
    ("DATA", "354 go on\r\n"),
    (".", "250 2.0.0 queued\r\n"),
];

#[test]
fn a_mail_is_handed_over_whole_and_its_dots_survive() {
    let (port, said) = server("220 mx.test\r\n", FAIR);
    let message = "Subject: x\r\n\r\n.\r\n..two\r\nend\r\n";
    send(request(port, true, MailSecurity::None, message)).expect("accepted");
    let said = said.join().expect("a server");
    assert!(
        said.contains("\r\nSubject: x\r\n\r\n..\r\n...two\r\nend\r\n.\r\nQUIT\r\n"),
        "{said}"
    );
}

#[test]
fn login_is_spoken_where_plain_is_not_offered() {
    let (port, said) = server(
        "220 mx.test\r\n",
        &[
            ("EHLO", "250-mx.test\r\n250 AUTH login\r\n"),
            ("AUTH LOGIN", "334 VXNlcm5hbWU6\r\n"),
            ("YWdlbnQ=", "334 UGFzc3dvcmQ6\r\n"),
            ("czNjcjN0", "235 ok\r\n"),
            ("MAIL", "250 ok\r\n"),
            ("RCPT", "250 ok\r\n"),
            ("DATA", "354 go on\r\n"),
            (".", "250 ok\r\n"),
        ],
    );
    send(request(port, true, MailSecurity::None, "x\r\n")).expect("accepted");
    assert!(said.join().expect("a server").contains("czNjcjN0"));
}

#[test]
fn a_server_without_starttls_gets_neither_password_nor_mail() {
    for script in [
        &[("EHLO", "250-mx.test\r\n250 AUTH PLAIN\r\n")],
        &[("EHLO", "250-mx.test\r\n250 STARTTLS\r\n")],
    ] {
        let (port, said) = server("220 mx.test\r\n", script);
        let fault = send(request(port, true, MailSecurity::StartTls, "x\r\n")).expect_err("no TLS");
        let said = said.join().expect("a server");
        assert!(!said.contains("AUTH") && !said.contains("MAIL"), "{said}");
        assert!(
            matches!(fault.kind, FaultKind::Tls | FaultKind::Unreachable),
            "{fault:?}"
        );
    }
}

#[test]
fn what_was_said_before_tls_does_not_count_in_it() {
    let (port, _said) = server(
        "220 mx.test\r\n",
        &[
            ("EHLO", "250-mx.test\r\n250 STARTTLS\r\n"),
            ("STARTTLS", "220 go\r\n250 AUTH PLAIN\r\n"),
        ],
    );
    let fault = send(request(port, true, MailSecurity::StartTls, "x\r\n")).expect_err("injected");
    assert_eq!(fault.kind, FaultKind::Tls, "{fault}");
}

#[test]
fn a_server_that_speaks_no_tls_is_a_tls_fault() {
    let (port, _said) = server("220 mx.test ESMTP\r\n", &[]);
    let fault = send(request(port, false, MailSecurity::Tls, "x\r\n")).expect_err("no TLS");
    assert_eq!(fault.kind, FaultKind::Tls, "{fault}");
}

#[test]
fn every_refusal_is_of_its_kind_and_none_tells_the_password() {
    const EHLO: (&str, &str) = ("EHLO", "250-mx.test\r\n250 AUTH PLAIN\r\n");
    const AUTH: (&str, &str) = ("AUTH", "235 ok\r\n");
    const MAIL: (&str, &str) = ("MAIL", "250 ok\r\n");
    const RCPT: (&str, &str) = ("RCPT", "250 ok\r\n");
    const DATA: (&str, &str) = ("DATA", "354 go on\r\n");
    let cases: [(&str, &'static str, Script, FaultKind); 16] = [
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
        let (port, _said) = server(greeting, script);
        let fault = send(request(
            port,
            true,
            MailSecurity::None,
            "Subject: x\r\n\r\ny\r\n",
        ))
        .expect_err(rule);
        assert_eq!(fault.kind, want, "{rule}: {fault}");
        let told = format!("{fault:?}");
        assert!(
            !told.contains("s3cr3t") && !told.contains("AGFnZW50"),
            "{rule}: {told}"
        );
    }
}

#[test]
fn one_deadline_holds_for_everything() {
    // A byte from time to time does not make it longer.
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    let slow = thread::spawn(move || {
        let (mut peer, _) = listener.accept().expect("a connection");
        while peer.write_all(b"2").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let mut request = request(port, false, MailSecurity::None, "x\r\n");
    request.timeout = Duration::from_millis(300);
    let begin = Instant::now();
    let fault = send(request).expect_err("slow");
    assert_eq!(fault.kind, FaultKind::Timeout);
    assert!(begin.elapsed() < Duration::from_secs(5));
    slow.join().expect("a server");
}

#[test]
fn nobody_listening_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    drop(listener);
    let fault = send(request(port, false, MailSecurity::None, "x\r\n")).expect_err("refused");
    assert_eq!(fault.kind, FaultKind::Unreachable);
}

#[test]
fn a_mail_beyond_the_queue_is_answered_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    let inbox = Inbox::new();
    let handle = MailHandle::new(inbox.clone());
    // One is under way (nobody answers it), the queue is full, and one more follows.
    for _ in 0..QUEUE + 2 {
        handle.send(request(port, false, MailSecurity::None, "x\r\n"));
    }
    match inbox.receive(Some(Duration::from_secs(5))) {
        Some(Event::Done {
            reply: Reply::Mail(result),
            ..
        }) => {
            assert_eq!(result.expect_err("full").kind, FaultKind::Overload);
        }
        other => panic!("{other:?}"),
    }
}
