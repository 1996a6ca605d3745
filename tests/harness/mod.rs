//! What the tests share: a sandbox around the real binary, signed messages, and loopback peers
//! that record what reaches them. Nothing here knows the inside of carom: time passes by its clock.

pub(crate) mod application;
pub(crate) mod browser;
pub(crate) mod checked_host;
pub(crate) mod disk_trace;
pub(crate) mod guest;
pub(crate) mod lmtp;
pub(crate) mod listener;
pub(crate) mod mail_log;
pub(crate) mod memory;
pub(crate) mod peers;
pub(crate) mod policies;
pub(crate) mod postfix;
pub(crate) mod redis;
mod signals;
mod signed_mail;
mod traced_memory;
pub(crate) mod tracer;
pub(crate) mod web;

use peers::{Manner, SmtpPeer, Tracker};
pub(crate) use signed_mail::{html, key, plain, sign, sign_fields, sign_for, signed};
use std::fs;
use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// The binary under test.
pub(crate) const CAROM: &str = env!("CARGO_BIN_EXE_carom");

/// The same, or the installed one that the variable `CAROM_BINARY` names.
fn binary() -> String {
    std::env::var("CAROM_BINARY").unwrap_or_else(|_| CAROM.to_owned())
}

/// The zone every sandbox begins with: a sender that signs and has SPF, whose mail goes to two hosts.
pub(crate) const ZONE: &str = r#"
s1._domainkey.sender.example. 300 IN TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
sender.example. 300 IN TXT "v=spf1 ip4:192.0.2.1 ip4:127.0.0.0/8 -all"
sender.example. 300 IN MX 10 mx1.sender.example.
sender.example. 300 IN MX 20 mx2.sender.example.
mx1.sender.example. 300 IN A 127.0.0.1
mx2.sender.example. 300 IN A 127.0.0.2
stranger.example. 300 IN MX 10 mx.stranger.example.
mx.stranger.example. 300 IN A 127.0.0.1
tracker.example. 300 IN A 127.0.0.1
other.example. 300 IN A 127.0.0.1
"#;

/// A directory of its own with a config, removed at the end.
pub(crate) struct Sandbox {
    pub(crate) dir: PathBuf,
    /// The SMTP port that carom sends to.
    pub(crate) smtp_port: u16,
    config: String,
    settings: String,
    /// Milliseconds by which carom's clock is ahead of ours.
    ahead_ms: AtomicI64,
}

pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

impl Sandbox {
    pub(crate) fn new() -> Sandbox {
        let dir =
            std::env::temp_dir().join(format!("carom-test-{:x}-{:x}", std::process::id(), fastrand::u64(..)));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("zone"), ZONE).unwrap();
        let sandbox = Sandbox {
            dir,
            smtp_port: free_port(),
            config: String::new(),
            settings: String::new(),
            ahead_ms: AtomicI64::new(0),
        };
        sandbox.write();
        sandbox
    }

    /// Adds top-level tables to the config.
    pub(crate) fn config(mut self, toml: &str) -> Sandbox {
        self.config.push_str(toml);
        self.config.push('\n');
        self.write();
        self
    }

    /// Adds settings of the sink policy.
    pub(crate) fn settings(mut self, toml: &str) -> Sandbox {
        self.settings.push_str(toml);
        self.settings.push('\n');
        self.write();
        self
    }

    /// Mail goes to this port.
    pub(crate) fn smtp_port(mut self, port: u16) -> Sandbox {
        self.smtp_port = port;
        self.write();
        self
    }

    fn write(&self) {
        let dir = self.dir.display();
        let dns = if self.config.contains("[dns]") {
            String::new()
        } else {
            format!("[dns]\nzone = \"{dir}/zone\"\n")
        };
        let text = format!(
            "state = \"{dir}/state\"\n{dns}[network]\nallow_private = [\"127.0.0.0/8\"]\nsmtp_port = {}\n\
             hostname = \"sink.example\"\n{}\n[policy.sink.settings]\ndomains = [\"sink.example\"]\n{}\
             \n[policy.sink.settings.mx_allowlist]\n\"mx1.sender.example\" = \"fbl@sender.example\"\n\"mx2.sender.example\" = \"\"\n",
            self.smtp_port, self.config, self.settings
        );
        fs::write(self.dir.join("carom.toml"), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Sets carom's clock this much ahead of ours, or behind it.
    pub(crate) fn set_clock(&self, ahead_ms: i64) {
        self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
    }

    /// Time passes.
    pub(crate) fn advance(&self, by_ms: i64) {
        self.ahead_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// The time by carom's clock, in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond() + self.ahead_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        if self.ahead_ms.load(Ordering::Relaxed) != 0 {
            let now = jiff::Timestamp::from_millisecond(self.now_ms()).unwrap();
            command.args(["--now", &now.to_string()]);
        }
        command
            .arg("--config")
            .arg(self.dir.join("carom.toml"))
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        signals::are_heard_by(command)
    }

    /// Runs carom with `stdin`, for at most a minute.
    pub(crate) fn run(&self, arguments: &[&str], stdin: &[u8]) -> Ran {
        finish(start(self.command(arguments), stdin), Duration::from_secs(60))
    }

    /// `carom pipe` with a signed sender.
    pub(crate) fn pipe(&self, recipient: &str, message: &[u8]) -> Ran {
        self.run(
            &["pipe", "--sender", SENDER, "--recipient", recipient, "--client-address", "192.0.2.1"],
            message,
        )
    }

    /// Runs carom until its compiled policy is recorded as verified: later runs make the same system
    /// calls.
    pub(crate) fn verify_policy(&self) {
        let recorded = || names(&self.path("state/compiled")).iter().any(|name| name.ends_with(".verified"));
        wait_for(30, "a compiled policy that is verified", || {
            let dry = ["pipe", "--dry-run", "--sender", SENDER, "--recipient", "x@accept.sink.example"];
            assert_eq!(self.run(&dry, b"Subject: x\r\n\r\nx\r\n").code, 0);
            recorded()
        });
    }

    /// The counters.
    pub(crate) fn counters(&self) -> serde_json::Map<String, serde_json::Value> {
        let ran = self.run(&["stats", "--json"], b"");
        assert_eq!(ran.code, 0, "{ran:?}");
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// One counter, 0 where it was never added to.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        self.counters().get(name).and_then(|value| value.as_u64()).unwrap_or(0)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The sender of the tests: `ZONE` has its key, its SPF and its mail exchangers.
pub(crate) const SENDER: &str = "alice@sender.example";

/// The words with which Postfix hands over a message of `SENDER`.
pub(crate) fn queued<'a>(recipient: &'a str, queue_id: &'a str) -> [&'a str; 9] {
    let to = ["pipe", "--sender", SENDER, "--recipient", recipient, "--client-address", "192.0.2.1"];
    [to[0], to[1], to[2], to[3], to[4], to[5], to[6], "--queue-id", queue_id]
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Exit code; -1 for a signal.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The run ended well and without a word.
    #[track_caller]
    pub(crate) fn silent(&self) {
        assert!(self.code == 0 && self.stdout.is_empty() && self.stderr.is_empty(), "{self:?}");
    }

    /// The run ended with this code and one line that begins with an enhanced status code.
    #[track_caller]
    pub(crate) fn says(&self, code: i32, start: &str) {
        let lines: Vec<&str> = self.stdout.lines().collect();
        assert!(
            self.code == code && lines.len() == 1 && lines[0].starts_with(start),
            "wanted {code} {start}: {self:?}"
        );
        assert_eq!(self.stderr, "");
    }
}

pub(crate) fn start(mut command: Command, stdin: &[u8]) -> Child {
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let bytes = stdin.to_vec();
    std::thread::spawn(move || drop(pipe.write_all(&bytes)));
    child
}

pub(crate) fn finish(child: Child, limit: Duration) -> Ran {
    let id = child.id();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || drop(sender.send(child.wait_with_output())));
    let output: Output = match receiver.recv_timeout(limit) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
            panic!("not finished within {limit:?}");
        }
    };
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Waits until `there` holds, for at most `seconds`.
#[track_caller]
pub(crate) fn wait_for(seconds: u64, what: &str, mut there: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(seconds);
    while !there() {
        assert!(Instant::now() < until, "{what}: not within {seconds} s");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Names in a directory, sorted; none if it is not there.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Takes the connection and says nothing.
pub(crate) const SILENT: Manner = Manner { at: "silent", reply: "" };
/// Greets a byte at a time.
pub(crate) const DRIP: Manner = Manner { at: "drip", reply: "" };

impl SmtpPeer {
    pub(crate) fn start(manner: Manner) -> SmtpPeer {
        SmtpPeer::at("127.0.0.1", 0, manner)
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }
}

impl Tracker {
    pub(crate) fn start() -> Tracker {
        Tracker::at(0)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://tracker.example:{}{path}", self.port)
    }

    /// The setting that lets carom fetch from it.
    pub(crate) fn allowed(&self) -> String {
        format!("tracking_domains_allowlist = [\"tracker.example:{}\"]", self.port)
    }
}

/// A port of 127.0.0.1 that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A way to the peer on which `passed` is called before the first byte.
pub(crate) fn gate(peer: &SmtpPeer, passed: impl Fn() + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, beyond) = (listener.local_addr().unwrap().port(), peer.port);
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            passed();
            let far = TcpStream::connect(("127.0.0.1", beyond)).unwrap();
            for (from, to) in [(near.try_clone(), far.try_clone()), (far.try_clone(), near.try_clone())] {
                let (mut from, mut to) = (from.unwrap(), to.unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    port
}
