//! The demo: `carom relay` over `examples/inbox`, with a zone file for DNS and loopback peers for
//! everything else, and a report of what happened. `make demo` runs it; `--make-inbox` writes the
//! signed messages again.

#[path = "../../tests/harness/peers.rs"]
mod peers;

use mail_auth::common::crypto::Ed25519Key;
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::DkimSigner;
use peers::{ACCEPT, SmtpPeer, Tracker};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The key pair of RFC 8463 appendix A. Its public half is in `examples/demo/zone`.
const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const SENDER: &str = "news@sender.example";

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    if std::env::args().any(|argument| argument == "--make-inbox") {
        return make_inbox(&root.join("examples/inbox"));
    }
    let taken = |port: u16| {
        format!("port {port} on 127.0.0.1 is in use: stop the program that listens there, and try again")
    };
    for port in [18025, 18080] {
        std::net::TcpListener::bind(("127.0.0.1", port)).map_err(|_| taken(port))?;
    }
    let mail = SmtpPeer::at("127.0.0.1", 18025, ACCEPT);
    let tracker = Tracker::at(18080);
    let scratch = std::env::temp_dir().join(format!("carom-demo-{}", std::process::id()));
    let inbox = scratch.join("inbox");
    fs::create_dir_all(&inbox)?;
    let mut messages = 0;
    for entry in fs::read_dir(root.join("examples/inbox"))?.flatten() {
        messages += 1;
        fs::copy(entry.path(), inbox.join(entry.file_name()))?;
    }
    let zone = root.join("examples/demo/zone");
    let config = fs::read_to_string(root.join("examples/demo/carom.toml"))?
        .replace("STATE", &scratch.join("state").to_string_lossy())
        .replace("ZONE", &zone.to_string_lossy());
    fs::write(scratch.join("carom.toml"), config)?;
    let (mail_port, tracker_port) = (mail.port, tracker.port);
    println!(
        "carom relay over {messages} messages of examples/inbox; mail goes to port {mail_port}, links to port {tracker_port}\n"
    );
    let relayed = carom(&scratch, &["relay", &inbox.to_string_lossy()])?;
    let log = carom(&scratch, &["log"])?;
    println!("what happened to each message (carom log)");
    for line in log.lines() {
        println!("  {}", line.split_once("> to ").map_or(line, |(_, rest)| rest));
    }
    println!("\nwhat reached the mail exchanger of {SENDER}");
    for mail in mail.mails() {
        let text = String::from_utf8_lossy(&mail.data).into_owned();
        let kind = ["delivery-status", "feedback-report"]
            .into_iter()
            .find(|kind| text.contains(&format!("report-type={kind}")));
        println!(
            "  to {:24} from {:26} {}",
            mail.to,
            format!("<{}>", mail.from),
            kind.unwrap_or("automatic reply")
        );
    }
    let mut visits: BTreeMap<String, usize> = BTreeMap::new();
    for path in tracker.paths() {
        *visits.entry(path).or_default() += 1;
    }
    println!("\nwhat reached the tracker");
    for (path, times) in visits {
        println!("  {path:30} {times}");
    }
    println!("\n{relayed}\n{}", carom(&scratch, &["stats"])?);
    fs::remove_dir_all(&scratch)?;
    Ok(())
}

/// Runs the binary that was built like this program.
fn carom(scratch: &Path, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let demo = std::env::current_exe()?;
    let profile = demo.parent().ok_or("not run by cargo")?;
    let output = Command::new(profile.join("carom"))
        .arg("--config")
        .arg(scratch.join("carom.toml"))
        .args(arguments)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Name, recipient, further header lines, and whether it is signed.
const MESSAGES: &[(&str, &str, &str, bool)] = &[
    ("01-accept", "anyone@accept.sink.example", "", true),
    ("02-bounce", "anyone@oob.sink.example", "", true),
    ("03-mailbox-full", "anyone+5.2.2@oob.sink.example", "", true),
    (
        "04-complaint",
        "anyone@fbl.sink.example",
        "X-MSFBL: c2FtcGxlIGZlZWRiYWNrIGxvb3AgaWRlbnRpZmllcg==\r\n",
        true,
    ),
    ("05-open", "anyone@openclick.sink.example", "", true),
    ("06-open", "someone@openclick.sink.example", "", true),
    ("07-by-chance", "anyone@sink.example", "", true),
    ("08-by-chance", "someone@sink.example", "", true),
    ("09-out-of-office", "ooto@sink.example", "", true),
    ("10-hard-bounce", "HardBounce@sink.example", "", true),
    ("11-complaint", "complaint@sink.example", "", true),
    ("12-refused", "bounce@sink.example", "", true),
    ("13-kept", "anyone@accept.sink.example", "X-Bouncy-Sink: store-done\r\n", true),
    ("14-unsigned", "anyone@oob.sink.example", "", false),
];

fn make_inbox(inbox: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(inbox)?;
    let bytes = |hex: &str| -> Result<Vec<u8>, std::num::ParseIntError> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16)).collect()
    };
    for (name, recipient, extra, is_signed) in MESSAGES {
        let message = format!(
            "From: The News <{SENDER}>\r\nTo: {recipient}\r\nSubject: News for you\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\
             Message-ID: <{name}@sender.example>\r\n{extra}MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
             <html><body><p>News, as every day.</p>\r\n<img src=\"http://tracker.example:18080/open/{name}\">\r\n\
             <a href=\"http://tracker.example:18080/click/{name}\">Read on</a>\r\n</body></html>\r\n"
        );
        let mut file = format!(
            "x-sender: {SENDER}\r\nx-receiver: {recipient}\r\nReceived: from out.sender.example (192.0.2.1) by mx.sink.example id {name}; Sat, 21 Nov 2026 10:00:01 +0000\r\n"
        );
        if *is_signed {
            let key = Ed25519Key::from_seed_and_public_key(&bytes(SEED)?, &bytes(PUBLIC)?)
                .map_err(|error| error.to_string())?;
            let signer = DkimSigner::from_key(key).domain("sender.example").selector("s1").headers([
                "From",
                "To",
                "Subject",
                "Date",
                "Message-ID",
            ]);
            file.push_str(&signer.sign(message.as_bytes()).map_err(|error| error.to_string())?.to_header());
        }
        file.push_str(&message);
        fs::write(inbox.join(format!("{name}.msg")), file)?;
    }
    Ok(())
}
