//! Letters to hosts that are polite, busy, closed, silent or dripping.

mod secured;

use super::*;
use crate::auth::Dns;
use crate::config::{self, Config, MailServer};
use crate::deadline::Deadline;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a test's host says to a line: its reply, or nothing more when there is none.
type Manner = fn(&str) -> Option<&'static str>;

/// What reached a host: its connections, and every line of the client's.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<(usize, Vec<u8>)>>);

impl Heard {
    fn connections(&self) -> usize {
        self.0.lock().unwrap().0
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap().1).into_owned()
    }
}

fn polite(line: &str) -> Option<&'static str> {
    Some(match line.split([' ', '\r']).next().unwrap_or_default() {
        "hello" => "220 host ESMTP\r\n",
        "EHLO" => "250-host\r\n250 8BITMIME\r\n",
        "DATA" => "354 go on\r\n",
        _ => "250 2.0.0 yes\r\n",
    })
}

fn host(address: &str, manner: Manner) -> (SocketAddr, Heard) {
    let listener = TcpListener::bind(address).unwrap();
    let heard = Heard::default();
    let (at, hears) = (listener.local_addr().unwrap(), heard.clone());
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let hears = hears.clone();
            hears.0.lock().unwrap().0 += 1;
            std::thread::spawn(move || talk(client, manner, &hears));
        }
    });
    (at, heard)
}

fn talk(mut client: TcpStream, manner: Manner, heard: &Heard) -> Option<()> {
    let mut lines = BufReader::new(client.try_clone().ok()?);
    let (mut line, mut in_data) = (b"hello".to_vec(), false);
    loop {
        if !in_data || line == b".\r\n" {
            let reply = manner(&String::from_utf8_lossy(&line))?;
            in_data = reply.starts_with("354");
            client.write_all(reply.as_bytes()).ok()?;
        }
        line.clear();
        if lines.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        heard.0.lock().unwrap().1.extend(&line);
    }
}

fn world(port: u16) -> (Config, Dns) {
    let mut config = Config::default();
    config.network = config::NetworkTable {
        allow_private: vec!["127.0.0.0/8".parse().unwrap()],
        smtp_port: port,
        hostname: Some("carom.example".into()),
    };
    config.send.timeout = 2;
    (config, Dns::open(&config::DnsTable::default()).unwrap())
}

fn letter(data: &[u8]) -> Letter {
    Letter { from: None, to: "a@b.example".into(), data: data.to_vec().into() }
}

fn send(hosts: &[&str], letter: &Letter, pool: &Pool, port: u16) -> Result<String, SendFailure> {
    let (config, dns) = world(port);
    let hosts: Vec<String> = hosts.iter().map(|host| host.to_string()).collect();
    let to = SmtpTarget::exchangers(hosts, &config);
    pool.deliver(letter, &to, &config, &dns, Deadline::after(Duration::from_secs(10)))
}

#[test]
fn b5_letters_arrive_byte_for_byte_from_nobody_over_one_connection() {
    let (at, heard) = host("127.0.0.1:0", polite);
    let pool = Pool::default();
    let eight_bit = b"A: b\r\n\r\n.\r\n..caf\xe9\r\n.";
    for data in [&b"A: b\r\n\r\n.\r\n..\xc3\xa9\r\n\r\n"[..], eight_bit] {
        assert_eq!(send(&["127.0.0.1"], &letter(data), &pool, at.port()), Ok("127.0.0.1".into()));
    }
    drop(pool);
    let expected = b"EHLO carom.example\r\n\
        MAIL FROM:<> BODY=8BITMIME\r\nRCPT TO:<a@b.example>\r\nDATA\r\n\
        A: b\r\n\r\n..\r\n...\xc3\xa9\r\n\r\n.\r\n\
        MAIL FROM:<> BODY=8BITMIME\r\nRCPT TO:<a@b.example>\r\nDATA\r\n\
        A: b\r\n\r\n..\r\n...caf\xe9\r\n..\r\n.\r\nQUIT\r\n";
    let bytes = heard.0.lock().unwrap().1.clone();
    assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
    assert_eq!(heard.connections(), 1);
}

#[test]
fn b11_not_now_leads_to_the_next_host_and_no_is_final() {
    let (at, _) =
        host(
            "127.0.0.1:0",
            |line| {
                if line == ".\r\n" { Some("451 4.3.0 not now\r\n") } else { polite(line) }
            },
        );
    let (_, second) = host(&format!("127.0.0.2:{}", at.port()), polite);
    let closed = "127.0.0.3";
    let pool = Pool::default();
    let sent = send(&[closed, "10.0.0.1", "127.0.0.1", "127.0.0.2"], &letter(b"\r\n"), &pool, at.port());
    assert_eq!((sent, second.connections()), (Ok("127.0.0.2".into()), 1));
    let failure = send(&[closed, "127.0.0.1"], &letter(b"\r\n"), &pool, at.port()).unwrap_err();
    assert!(failure.temporary && failure.text.contains("not now"), "{}", failure.text);
    let (at, no) =
        host(
            "127.0.0.1:0",
            |line| {
                if line.starts_with("RCPT") { Some("550 5.1.1 who?\r\n") } else { polite(line) }
            },
        );
    let (_, second) = host(&format!("127.0.0.2:{}", at.port()), polite);
    let pool = Pool::default();
    for _ in 0..2 {
        let failure = send(&["127.0.0.1", "127.0.0.2"], &letter(b"\r\n"), &pool, at.port()).unwrap_err();
        assert!(!failure.temporary && failure.text.contains("who?"), "{}", failure.text);
    }
    assert_eq!((no.connections(), second.connections()), (1, 0), "a connection outlives a refusal");
}

#[test]
fn a_host_that_greets_with_a_refusal_has_not_refused_the_letter() {
    let (at, _) = host("127.0.0.1:0", |_| Some("554 5.3.2 no mail here\r\n"));
    let (_, second) = host(&format!("127.0.0.2:{}", at.port()), polite);
    let pool = Pool::default();
    assert!(send(&["127.0.0.1"], &letter(b"\r\n"), &pool, at.port()).unwrap_err().temporary);
    assert!(send(&["127.0.0.1", "127.0.0.2"], &letter(b"\r\n"), &pool, at.port()).is_ok());
    assert_eq!(second.connections(), 1);
}

#[test]
fn commands_go_together_where_the_host_takes_them_so_and_a_refusal_costs_no_connection() {
    let (at, heard) = host("127.0.0.1:0", |line| match line {
        line if line.starts_with("EHLO") => Some("250-host\r\n250-8BITMIME\r\n250 pipelining\r\n"),
        line if line.starts_with("RCPT TO:<no@") => Some("550-5.1.1 who\r\n550 5.1.1 is that?\r\n"),
        line => polite(line),
    });
    let pool = Pool::default();
    let to = |to: &str| Letter { to: to.into(), ..letter(b"A: b\r\n\r\n.\r\n") };
    assert!(send(&["127.0.0.1"], &to("a@b.example"), &pool, at.port()).is_ok());
    let failure = send(&["127.0.0.1"], &to("no@b.example"), &pool, at.port()).unwrap_err();
    assert_eq!((failure.temporary, &*failure.text), (false, "127.0.0.1: 550 5.1.1 who 5.1.1 is that?"));
    assert!(send(&["127.0.0.1"], &to("c@b.example"), &pool, at.port()).is_ok());
    drop(pool);
    let expected = "EHLO carom.example\r\n\
        MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nA: b\r\n\r\n..\r\n.\r\n\
        MAIL FROM:<>\r\nRCPT TO:<no@b.example>\r\nDATA\r\n.\r\n\
        RSET\r\nMAIL FROM:<>\r\nRCPT TO:<c@b.example>\r\nDATA\r\nA: b\r\n\r\n..\r\n.\r\nQUIT\r\n";
    assert_eq!((heard.text().as_str(), heard.connections()), (expected, 1));
}

#[test]
fn a_host_that_says_anything_but_replies_is_left() {
    for said in ["hello there\r\n", "999 yes\r\n", "22\r\n", "\u{e9}\u{e9} yes\r\n"] {
        let said: &'static str = said;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let _ = client.write_all(said.as_bytes());
            }
        });
        let failure = send(&["127.0.0.1"], &letter(b"\r\n"), &Pool::default(), port).unwrap_err();
        assert!(failure.temporary && failure.text.contains("not a reply"), "{}", failure.text);
    }
}

#[test]
fn a_kept_connection_that_was_closed_costs_one_more() {
    let (at, heard) = host("127.0.0.1:0", |line| {
        if line == ".\r\n" { Some("250 2.0.0 yes\r\n421 4.4.2 idle\r\n") } else { polite(line) }
    });
    let pool = Pool::default();
    for _ in 0..3 {
        assert!(send(&["127.0.0.1"], &letter(b"\r\n"), &pool, at.port()).is_ok());
    }
    assert_eq!(heard.connections(), 3);
}

#[test]
fn mail_goes_in_clear_when_tls_fails() {
    let (at, heard) = host("127.0.0.1:0", |line| match line {
        "STARTTLS\r\n" => Some("454 4.7.0 no\r\n"),
        line if line.starts_with("EHLO") => Some("250-host\r\n250 STARTTLS\r\n"),
        line => polite(line),
    });
    assert!(send(&["127.0.0.1"], &letter(b"\r\n"), &Pool::default(), at.port()).is_ok());
    assert_eq!(heard.connections(), 2);
}

#[test]
fn b9_silence_and_dripping_end_with_the_hosts_share_of_the_time() {
    fn endless(_: &str) -> Option<&'static str> {
        std::thread::sleep(Duration::from_millis(300));
        Some("220-still\r\n")
    }
    let (silent, _) = host("127.0.0.1:0", |_| {
        std::thread::sleep(Duration::from_secs(20));
        None
    });
    let (dripping, _) = host("127.0.0.1:0", endless);
    let pool = Pool::default();
    for at in [silent, dripping] {
        let began = Instant::now();
        assert!(send(&["127.0.0.1"], &letter(b"\r\n"), &pool, at.port()).unwrap_err().temporary);
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
}

#[test]
fn a_host_that_takes_its_time_is_heard() {
    let (at, heard) = host("127.0.0.1:0", |line| {
        std::thread::sleep(Duration::from_millis(if line.starts_with("MAIL") { 1300 } else { 0 }));
        polite(line)
    });
    assert!(send(&["127.0.0.1"], &letter(b"\r\n"), &Pool::default(), at.port()).is_ok());
    assert_eq!(heard.connections(), 1);
}

#[test]
fn nothing_but_an_address_gets_into_a_command() {
    let (at, heard) = host("127.0.0.1:0", polite);
    let long = format!("{}@b.example", "a".repeat(400));
    for to in
        ["a@b\r\nRCPT TO:<c@d>", "a@b> SIZE=1", "", "a b@c.example", "a@", "\0@b.example", long.as_str()]
    {
        let failure =
            send(&["127.0.0.1"], &Letter { to: to.into(), ..letter(b"\r\n") }, &Pool::default(), at.port());
        assert!(!failure.unwrap_err().temporary, "{to}");
    }
    let beyond = Letter { to: "jürgen@b.example".into(), ..letter(b"\r\n") };
    assert!(
        send(&["127.0.0.1"], &beyond, &Pool::default(), at.port()).unwrap_err().text.contains("SMTPUTF8")
    );
    assert!(!heard.text().contains("MAIL"));
}

#[test]
fn b28_mail_goes_to_no_private_host() {
    let failure = send(&["10.0.0.1", "[IPv6:::1]"], &letter(b"\r\n"), &Pool::default(), 25).unwrap_err();
    assert!(!failure.temporary && failure.text.contains("private"), "{}", failure.text);
}

#[test]
fn an_alert_through_a_named_server_does_not_widen_the_guard_against_private_addresses() {
    let (at, heard) = host("127.0.0.1:0", polite);
    let (mut config, dns) = world(at.port());
    config.network.allow_private.clear();
    let pool = Pool::default();
    let send = |to: &SmtpTarget| {
        pool.deliver(&letter(b"\r\n"), to, &config, &dns, Deadline::after(Duration::from_secs(10)))
    };
    let named = MailServer { host: "127.0.0.1".into(), port: at.port() };
    assert_eq!(send(&SmtpTarget::named(&named)), Ok("127.0.0.1".into()));
    // The same host from an MX record is refused, although a connection to it was kept.
    let refused = send(&SmtpTarget::exchangers(vec!["127.0.0.1".into()], &config)).unwrap_err();
    assert!(!refused.temporary && refused.text.contains("private address"), "{}", refused.text);
    assert_eq!(heard.text().matches("MAIL FROM").count(), 1);
    assert_eq!(send(&SmtpTarget::named(&named)), Ok("127.0.0.1".into()));
    assert_eq!((heard.connections(), heard.text().matches("MAIL FROM").count()), (1, 2));
}
