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
fn a_connection_that_ends_says_whether_the_mail_may_have_arrived() {
    for (script, want) in [
        (&FAIR[..3], FaultKind::Unreachable),
        (&FAIR[..5], FaultKind::Interrupted),
    ] {
        let (port, _said) = server("220 mx.test\r\n", script);
        let fault = send(request(port, true, MailSecurity::None, "x\r\n")).expect_err("cut");
        assert_eq!(fault.kind, want, "{fault}");
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
