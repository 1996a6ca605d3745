//! The door for mail: a letter to the first of several hosts that takes it.
//!
//! Not here: what the letter says. Connections are kept for the next letter to the same host. Invariant: no host, silent
//! or slow, holds a caller beyond its deadline, and a letter is reported as sent only after the host's 2xx to its end.

use super::guard::{self, Unreachable};
use crate::auth::Dns;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::text::{bounded, one_line};
use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::client::{CertificateStore, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Idle connections kept for one host, in all, and how long.
const KEPT_A_HOST: usize = 64;
const KEPT: usize = 256;
const IDLE: Duration = Duration::from_secs(20);
/// Time for taking leave of all of them.
const FAREWELL: Duration = Duration::from_millis(500);
/// Sessions that outlived their deadline and are still held by a dripping host; beyond that nothing more is started.
const MAX_ABANDONED: usize = 64;
/// What a session may take longer than its deadline, so that its own account of a time-out is heard.
const GRACE: Duration = Duration::from_millis(50);
/// Stack of a session's thread.
const STACK: usize = 256 << 10;

/// A letter, ready to send.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    /// Envelope sender; `None` is the null sender.
    pub(crate) from: Option<String>,
    /// Envelope recipient.
    pub(crate) to: String,
    /// The message, with CRLF line ends.
    pub(crate) data: Arc<Vec<u8>>,
}

/// A letter could not be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SendFailure {
    /// Whether it is worth another try.
    pub(crate) temporary: bool,
    /// The host's reply, or what went wrong.
    pub(crate) text: String,
}

impl SendFailure {
    fn temporary(text: impl Display) -> SendFailure {
        SendFailure { temporary: true, text: text.to_string() }
    }

    fn permanent(text: impl Display) -> SendFailure {
        SendFailure { temporary: false, text: text.to_string() }
    }
}

/// Why one host did not take a letter.
enum Broken {
    /// Mail cannot go to this host at all; another may take it.
    NoHost(String),
    /// The connection that was kept had been closed; that says nothing about a new one.
    Closed(String),
    /// TLS could not be set up.
    Tls(String),
    /// The host could not be talked to, or said no.
    Failed(SendFailure),
}

impl From<SmtpError> for Broken {
    fn from(error: SmtpError) -> Broken {
        Broken::Failed(SendFailure { temporary: !error.is_permanent(), text: describe(&error) })
    }
}

/// A connection that waits for the next letter to its host.
struct Idle {
    host: String,
    connection: SmtpConnection,
    since: Instant,
}

/// The connections of a process.
#[derive(Default)]
pub(crate) struct Pool {
    idle: Mutex<Vec<Idle>>,
    abandoned: Arc<AtomicUsize>,
}

impl Pool {
    /// Sends the letter to the first of `hosts` that takes it; returns which. A host that cannot be reached or says "not
    /// now" is followed by the next; a host that says "no" to the letter has the last word.
    pub(crate) fn deliver(
        &self,
        hosts: &[String],
        letter: &Letter,
        config: &Config,
        dns: &Dns,
        deadline: Deadline,
    ) -> Result<String, SendFailure> {
        let mut last = SendFailure::permanent("no host to send to");
        for host in hosts {
            if deadline.passed() {
                return Err(SendFailure::temporary(format_args!("not sent in time; last: {}", last.text)));
            }
            let share = deadline.within(Duration::from_secs(u64::from(config.send.timeout.max(1))));
            match self.send(host, letter, config, dns, share) {
                Ok(()) => return Ok(host.clone()),
                Err(Broken::Failed(failure)) if !failure.temporary => return Err(failure),
                Err(Broken::NoHost(text)) if !last.temporary => last = SendFailure::permanent(text),
                Err(Broken::NoHost(_)) => {}
                Err(Broken::Failed(failure)) => last = failure,
                Err(Broken::Closed(text) | Broken::Tls(text)) => last = SendFailure::temporary(text),
            }
        }
        Err(last)
    }

    fn send(
        &self,
        host: &str,
        letter: &Letter,
        config: &Config,
        dns: &Dns,
        deadline: Deadline,
    ) -> Result<(), Broken> {
        let mut session = Session {
            addresses: Vec::new(),
            hello: config.hostname(),
            host: host.to_owned(),
            starttls: config.send.starttls,
            sender: letter.from.as_deref().map(address).transpose().map_err(Broken::Failed)?,
            recipient: address(&letter.to).map_err(Broken::Failed)?,
            data: letter.data.clone(),
            deadline,
        };
        if let Some(kept) = self.take(host) {
            match self.run(session.clone(), Some(kept)) {
                Err(Broken::Closed(_)) => {}
                ended => return ended,
            }
        }
        let port = config.network.smtp_port;
        session.addresses =
            guard::resolve(dns, host, port, &config.network, deadline).map_err(|why| match why {
                Unreachable::Forbidden(text) => Broken::NoHost(text),
                Unreachable::Temporary(text) => Broken::Failed(SendFailure::temporary(text)),
            })?;
        match self.run(session.clone(), None) {
            Err(Broken::Tls(_)) => self.run(Session { starttls: false, ..session }, None),
            ended => ended,
        }
    }

    /// Runs a session on a thread of its own and waits for it until the deadline: lettre's time-outs are for one read,
    /// and a host that drips a byte at a time would pass each of them.
    fn run(&self, session: Session, kept: Option<SmtpConnection>) -> Result<(), Broken> {
        let later = |text: String| Err(Broken::Failed(SendFailure::temporary(text)));
        if self.abandoned.load(Ordering::Relaxed) >= MAX_ABANDONED {
            return later("too many hosts drip: nothing more is sent to any for now".into());
        }
        let (host, deadline) = (session.host.clone(), session.deadline);
        // Without a buffer an answer is either heard here or known there to be unheard, never both.
        let (answer, answered) = sync_channel(0);
        let abandoned = self.abandoned.clone();
        let talk = move || {
            if answer.send(session.talk(kept)).is_err() {
                abandoned.fetch_sub(1, Ordering::Relaxed);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("smtp".into()).stack_size(STACK).spawn(talk) {
            return later(format!("cannot start a session: {error}"));
        }
        match answered.recv_timeout(deadline.left() + GRACE) {
            Ok((outcome, connection)) => {
                if let Some(connection) = connection {
                    self.put(host, connection);
                }
                outcome
            }
            Err(RecvTimeoutError::Timeout) => {
                self.abandoned.fetch_add(1, Ordering::Relaxed);
                later("did not finish in time".into())
            }
            Err(RecvTimeoutError::Disconnected) => later("the session broke off".into()),
        }
    }

    fn take(&self, host: &str) -> Option<SmtpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let index = idle.iter().rposition(|idle| idle.host == host && idle.since.elapsed() < IDLE)?;
        Some(idle.remove(index).connection)
    }

    fn put(&self, host: String, connection: SmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| idle.since.elapsed() < IDLE);
        let of_host = idle.iter().filter(|idle| idle.host == host).count();
        if of_host < KEPT_A_HOST && idle.len() < KEPT {
            idle.push(Idle { host, connection, since: Instant::now() });
        }
    }
}

impl Drop for Pool {
    /// Takes leave of the hosts (RFC 5321 section 4.1.1.10). None of them can hold us up by its answer.
    fn drop(&mut self) {
        let idle = std::mem::take(self.idle.get_mut().unwrap_or_else(PoisonError::into_inner));
        if idle.is_empty() {
            return;
        }
        let (done, all_done) = sync_channel::<()>(0);
        let leave = move || {
            for mut idle in idle {
                let _ = idle.connection.set_timeout(Some(FAREWELL / 4));
                let _ = idle.connection.quit();
            }
            drop(done);
        };
        if std::thread::Builder::new().stack_size(STACK).spawn(leave).is_ok() {
            let _ = all_done.recv_timeout(FAREWELL);
        }
    }
}

/// What a session needs; owned, because it runs on a thread that may be abandoned.
#[derive(Clone)]
struct Session {
    addresses: Vec<SocketAddr>,
    hello: String,
    host: String,
    starttls: bool,
    sender: Option<Address>,
    recipient: Address,
    data: Arc<Vec<u8>>,
    deadline: Deadline,
}

impl Session {
    /// Talks to the host over the connection that was kept for it, or a new one. Returns what came of the letter, and the
    /// connection if it is good for another.
    fn talk(self, kept: Option<SmtpConnection>) -> (Result<(), Broken>, Option<SmtpConnection>) {
        let opened = match kept {
            Some(mut kept) => match self.say(&mut kept, Rset) {
                Ok(()) => Ok(kept),
                Err(error) => Err(Broken::Closed(describe(&error))),
            },
            None => self.connect(),
        };
        let mut connection = match opened {
            Ok(connection) => connection,
            Err(broken) => return (Err(broken), None),
        };
        let international = self.is_international();
        if international && !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            let failure = SendFailure::permanent("the host does not know SMTPUTF8 (RFC 6531)");
            return (Err(Broken::Failed(failure)), Some(connection));
        }
        match self.hand_over(&mut connection, international) {
            Ok(()) => (Ok(()), Some(connection)),
            Err(error) => {
                // A host that has said "no" is ready for the next letter; 421 means that it closes (RFC 5321 section 3.8).
                let ready = error.status().is_some_and(|code| u16::from(code) != 421);
                (Err(error.into()), ready.then_some(connection))
            }
        }
    }

    fn hand_over(&self, connection: &mut SmtpConnection, international: bool) -> Result<(), SmtpError> {
        let mut parameters = Vec::new();
        // Bytes beyond ASCII go to a host without 8BITMIME too: they are the original's, and hosts have taken them for
        // decades.
        if !self.data.is_ascii() && connection.server_info().supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        if international {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        self.say(connection, Mail::new(self.sender.clone(), parameters))?;
        self.say(connection, Rcpt::new(self.recipient.clone(), Vec::new()))?;
        self.say(connection, Data)?;
        // The end of the data is written anew.
        let data = self.data.strip_suffix(b"\r\n").unwrap_or(&self.data);
        match std::str::from_utf8(data) {
            Ok(text) => self.say(connection, Content(text)),
            Err(_) => {
                let _ = connection.set_timeout(Some(self.deadline.left()));
                connection.message(data).map(drop)
            }
        }
    }

    /// One command, which has no longer than what is left.
    fn say(&self, connection: &mut SmtpConnection, command: impl Display) -> Result<(), SmtpError> {
        let _ = connection.set_timeout(Some(self.deadline.left()));
        connection.command(command).map(drop)
    }

    /// Whether an address or a header field of the letter is beyond ASCII.
    fn is_international(&self) -> bool {
        let ascii = |address: &Address| AsRef::<str>::as_ref(address).is_ascii();
        let header = self.data.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(self.data.len());
        !(ascii(&self.recipient) && self.sender.as_ref().is_none_or(ascii) && self.data[..header].is_ascii())
    }

    fn connect(&self) -> Result<SmtpConnection, Broken> {
        let hello = ClientId::Domain(self.hello.clone());
        let mut greeted = Err(SendFailure::temporary("no address"));
        for (tried, address) in self.addresses.iter().enumerate() {
            // What is left is shared among the addresses that are left: a silent one leaves time for the others.
            let share = self.deadline.left() / u32::try_from(self.addresses.len() - tried).unwrap_or(1);
            match SmtpConnection::connect(address, Some(share), &hello, None, None) {
                Ok(connection) => {
                    greeted = Ok(connection);
                    break;
                }
                // Whatever its greeting says, it has not been asked about the letter: others may be.
                Err(error) => greeted = Err(SendFailure::temporary(describe(&error))),
            }
        }
        let mut connection = greeted.map_err(Broken::Failed)?;
        if self.starttls && connection.can_starttls() {
            // Opportunistic (RFC 7435): mail that would go in clear otherwise is not kept back by a certificate.
            let parameters = TlsParameters::builder(self.host.clone())
                .certificate_store(CertificateStore::None)
                .dangerous_accept_invalid_certs(true)
                .dangerous_accept_invalid_hostnames(true)
                .build()
                .map_err(|error| Broken::Tls(describe(&error)))?;
            let _ = connection.set_timeout(Some(self.deadline.left() / 2));
            connection.starttls(&parameters, &hello).map_err(|error| Broken::Tls(describe(&error)))?;
        }
        Ok(connection)
    }
}

/// The content of a letter with dots doubled and the end of the data (RFC 5321 section 4.5.2), to be sent in one piece.
/// lettre's own way writes the end apart: it then waits for the acknowledgement of the rest, which hosts put off for
/// 40 ms (RFC 1122 section 4.2.3.2). What is not UTF-8 cannot go this way.
struct Content<'a>(&'a str);

impl Display for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.0.split("\r\n") {
            let dot = if line.starts_with('.') { "." } else { "" };
            write!(f, "{dot}{line}\r\n")?;
        }
        f.write_str(".\r\n")
    }
}

/// An envelope address that can stand between angle brackets.
fn address(text: &str) -> Result<Address, SendFailure> {
    let unsafe_in_smtp = |c: char| c.is_control() || c.is_whitespace() || c == '<' || c == '>';
    if text.len() > 320 || text.contains(unsafe_in_smtp) {
        return Err(SendFailure::permanent("not an address that mail can be sent to"));
    }
    text.parse().map_err(|error| SendFailure::permanent(format_args!("{text}: {error}")))
}

/// The error and what caused it, in one line.
fn describe(error: &SmtpError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    one_line(bounded(&text, 400))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};

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
        pool.deliver(&hosts, letter, &config, &dns, Deadline::after(Duration::from_secs(10)))
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
            A: b\r\n\r\n..\r\n...\xc3\xa9\r\n\r\n.\r\nRSET\r\n\
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
        let (at, no) = host("127.0.0.1:0", |line| {
            if line.starts_with("RCPT") { Some("550 5.1.1 who?\r\n") } else { polite(line) }
        });
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
    fn a_kept_connection_that_was_closed_costs_one_more() {
        let (at, heard) = host("127.0.0.1:0", |line| {
            if line.starts_with("RSET") { Some("421 4.4.2 idle\r\n") } else { polite(line) }
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
    fn nothing_but_an_address_gets_into_a_command() {
        let (at, heard) = host("127.0.0.1:0", polite);
        let long = format!("{}@b.example", "a".repeat(400));
        for to in
            ["a@b\r\nRCPT TO:<c@d>", "a@b> SIZE=1", "", "a b@c.example", "a@", "\0@b.example", long.as_str()]
        {
            let failure = send(
                &["127.0.0.1"],
                &Letter { to: to.into(), ..letter(b"\r\n") },
                &Pool::default(),
                at.port(),
            );
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
}
