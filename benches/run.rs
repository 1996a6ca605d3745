//! What carom costs: `make bench`. One process of `carom pipe` alternates with an empty Rust
//! process; `carom relay` with loopback peers is compared with the throughput of bouncy-sink on a
//! machine with two cores; then policies and mail logs (`logs`). Quote the ratios, which depend
//! less on the machine.

#[path = "logs.rs"]
mod logs;
#[path = "../tests/harness/peers.rs"]
mod peers;

use mail_auth::common::crypto::{RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::DkimSigner;
use peers::{ACCEPT, SmtpPeer, Tracker};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use std::error::Error;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Runs of each kind of process.
const RUNS: usize = 200;
/// Messages in each run of the relay.
const MESSAGES: usize = 4000;
const SENDER: &str = "alice@sender.example";

fn main() -> Outcome<()> {
    // `cargo test --benches` passes `--test`: then nothing is measured.
    if std::env::args().any(|argument| argument == "--test") {
        return Ok(());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let binary = target.join("release/carom");
    let dir = std::env::temp_dir().join(format!("carom-bench-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    let bench =
        Bench { binary, dir: dir.clone(), key: fs::read_to_string(root.join("benches/rsa2048.pem"))? };
    let empty = dir.join("empty");
    let built =
        Command::new("rustc").args(["-O", "-o"]).arg(&empty).arg(root.join("benches/empty.rs")).status()?;
    if !built.success() {
        return Err("benches/empty.rs does not compile".into());
    }
    bench.pipe(&empty)?;
    bench.policy()?;
    bench.relay("accept", "x@accept.sink.example", 347.0)?;
    bench.relay("open and click", "x@openclick.sink.example", 114.0)?;
    bench.relay("bounce", "x@oob.sink.example", 146.0)?;
    logs::run(&bench.binary, &dir)?;
    fs::remove_dir_all(dir)?;
    Ok(())
}

/// The kind of process. Interpreted is carom where memory may not be made executable.
#[derive(Clone, Copy, PartialEq)]
enum What {
    Carom,
    Empty,
    Interpreted,
}

struct Bench {
    binary: PathBuf,
    dir: PathBuf,
    key: String,
}

/// CPU time of all ended children, in seconds: cutime and cstime of /proc/self/stat, in hundredths.
/// Too coarse for one run, so many are added up.
fn children() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(13) + ticks(14)) / 100.0
}

impl Bench {
    fn pipe(&self, empty: &Path) -> Outcome<()> {
        self.config("pipe", 25, "")?;
        let message = self.message("x@accept.sink.example");
        let file = self.dir.join("message");
        fs::write(&file, &message)?;
        let config = self.dir.join("pipe.toml");
        let run = |what: What| -> Outcome<()> {
            let mut command = Command::new(if what == What::Empty { empty } else { &self.binary });
            if what != What::Empty {
                command.arg("--config").arg(&config);
                let to = "x@accept.sink.example";
                command.args([
                    "pipe",
                    "--sender",
                    SENDER,
                    "--recipient",
                    to,
                    "--client-address",
                    "192.0.2.1",
                ]);
            }
            if what == What::Interpreted {
                // SAFETY: prctl is a plain system call, which is allowed between fork and exec.
                unsafe {
                    command.pre_exec(|| match libc::prctl(libc::PR_SET_MDWE, 1u64, 0u64, 0u64, 0u64) {
                        0 => Ok(()),
                        _ => Err(std::io::Error::last_os_error()),
                    });
                }
            }
            let status = command.stdin(fs::File::open(&file)?).stdout(Stdio::null()).status()?;
            if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
        };
        let all: &[What] = match run(What::Carom).and_then(|()| run(What::Interpreted)) {
            Ok(()) => &[What::Carom, What::Empty, What::Interpreted],
            Err(_) => &[What::Carom, What::Empty],
        };
        let mut used = [0.0; 3];
        for _ in 0..RUNS / 20 {
            for what in all {
                let before = children();
                for _ in 0..20 {
                    run(*what)?;
                }
                used[*what as usize] += children() - before;
            }
        }
        let [ours, theirs, interpreted] = used;
        let each = |seconds: f64| seconds * 1000.0 / RUNS as f64;
        println!(
            "carom pipe, {} bytes, DKIM verified, sink policy, SQLite: {:.2} ms CPU",
            message.len(),
            each(ours)
        );
        println!("an empty Rust process:                                    {:.2} ms CPU", each(theirs));
        println!("ratio                                                     {:.2}", ours / theirs);
        if interpreted > 0.0 {
            println!(
                "the same where memory may not be made executable (Pulley): {:.2} ms CPU, {:.2} times\n",
                each(interpreted),
                interpreted / ours
            );
        }
        Ok(())
    }

    /// The shipped policies, and the example policies that are built.
    fn policy(&self) -> Outcome<()> {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies");
        let mut policies = vec![PathBuf::from("sink"), PathBuf::from("bounce")];
        let languages = ["rust", "c", "javascript", "python"];
        policies.extend(languages.map(|language| examples.join(language).join("policy.wasm")));
        for policy in policies.iter().filter(|policy| policy.extension().is_none() || policy.exists()) {
            let output = Command::new(&self.binary)
                .arg("--config")
                .arg(self.dir.join("pipe.toml"))
                .args(["policy", "bench"])
                .arg(policy)
                .output()?;
            let text = String::from_utf8_lossy(if output.status.success() {
                &output.stdout
            } else {
                &output.stderr
            });
            println!("carom policy bench {}\n{text}", policy.display());
        }
        Ok(())
    }

    fn relay(&self, name: &str, recipient: &str, bouncy_sink: f64) -> Outcome<()> {
        let mail = SmtpPeer::at("127.0.0.1", 0, ACCEPT);
        let tracker = Tracker::at(0);
        let settings = format!(
            "open_again_percent = 0\nclick_percent = 20\nclick_again_percent = 0\ntracking_domains_allowlist = [\"tracker.example:{}\"]\n",
            tracker.port
        );
        let stem = format!("relay-{}", name.replace(' ', "-"));
        self.config(&stem, mail.port, &settings)?;
        let inbox = self.dir.join(format!("{stem}.inbox"));
        fs::create_dir_all(&inbox)?;
        let message = String::from_utf8(self.message_with(
            recipient,
            &format!("http://tracker.example:{}/i", tracker.port),
            &format!("http://tracker.example:{}/l", tracker.port),
        ))?;
        let envelope = format!(
            "x-sender: {SENDER}\r\nx-receiver: {recipient}\r\nReceived: from c (192.0.2.1) by mx.sink.example id 1\r\n"
        );
        for number in 0..MESSAGES {
            fs::write(inbox.join(format!("{number}.msg")), format!("{envelope}{message}"))?;
        }
        let before = children();
        let output = Command::new(&self.binary)
            .arg("--config")
            .arg(self.dir.join(format!("{stem}.toml")))
            .args(["relay", "--json"])
            .arg(&inbox)
            .output()?;
        let cpu = children() - before;
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))?;
        let rate = summary["per_second"].as_f64().unwrap_or(0.0);
        println!(
            "relay, {name:15} {rate:6.0}/s  {:5.1} times bouncy-sink's {bouncy_sink}/s  ({:.2} ms CPU a message, peers not counted)",
            rate / bouncy_sink,
            cpu * 1000.0 / MESSAGES as f64
        );
        let (letters, requests) = (mail.mails().len(), tracker.paths().len());
        println!("  the peers saw {letters} letters and {requests} requests; {}", summary["counters"]);
        Ok(())
    }

    fn config(&self, stem: &str, smtp_port: u16, settings: &str) -> Outcome<()> {
        let dir = self.dir.display();
        let zone = format!(
            "s1._domainkey.sender.example. 300 IN TXT {}\nsender.example. 300 IN TXT \"v=spf1 ip4:192.0.2.1 -all\"\n\
             sender.example. 300 IN MX 10 mx1.sender.example.\nmx1.sender.example. 300 IN A 127.0.0.1\ntracker.example. 300 IN A 127.0.0.1\n",
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/rsa2048.txt"))?.trim()
        );
        fs::write(self.dir.join("zone"), zone)?;
        let config = format!(
            "state = \"{dir}/{stem}.state\"\n[dns]\nzone = \"{dir}/zone\"\n[network]\nallow_private = [\"127.0.0.0/8\"]\nsmtp_port = {smtp_port}\n\
             hostname = \"sink.example\"\n[policy.sink.settings]\ndomains = [\"sink.example\"]\n{settings}\
             [policy.sink.settings.mx_allowlist]\n\"mx1.sender.example\" = \"fbl@sender.example\"\n"
        );
        Ok(fs::write(self.dir.join(format!("{stem}.toml")), config)?)
    }

    fn message(&self, recipient: &str) -> Vec<u8> {
        self.message_with(recipient, "http://tracker.example/i", "http://tracker.example/l")
    }

    /// Six kilobytes, signed with RSA-2048.
    fn message_with(&self, recipient: &str, image: &str, link: &str) -> Vec<u8> {
        let filler =
            "<p>Some text of the kind that newsletters are made of, line after line.</p>\r\n".repeat(65);
        let message = format!(
            "From: Alice <{SENDER}>\r\nTo: <{recipient}>\r\nSubject: a benchmark\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\
             Message-ID: <1@sender.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
             <html><body>{filler}<img src=\"{image}\"><a href=\"{link}\">x</a></body></html>\r\n"
        );
        let signed = PrivateKeyDer::from_pem_slice(self.key.as_bytes())
            .map_err(|error| mail_auth::Error::Io(error.to_string()))
            .and_then(RsaKey::<Sha256>::from_key_der)
            .and_then(|key| {
                let signer = DkimSigner::from_key(key)
                    .domain("sender.example")
                    .selector("s1")
                    .headers(["From", "To", "Subject"]);
                signer.sign(message.as_bytes())
            })
            .map(|signature| signature.to_header())
            .unwrap_or_default();
        format!("{signed}{message}").into_bytes()
    }
}
