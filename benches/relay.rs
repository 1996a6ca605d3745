//! `carom relay` over a directory, with loopback peers: messages a second, CPU time for each, in a
//! state directory that is new and in one that is not, and with ten times the messages.

use super::lean_peers::LeanPeer;
use super::measured::{self, Used, in_turns};
use super::setting::{SENDER, Setting, message};
use super::{Bench, Outcome};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Messages of one run.
const MESSAGES: usize = 4000;
/// Runs of the empty process.
const EMPTY: usize = 100;

/// Who checks the signature of a message.
#[derive(Clone, Copy, PartialEq)]
enum Checked {
    /// carom.
    Here,
    /// The mail server: its Authentication-Results are trusted.
    Before,
}

pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    let mut nothing = Command::new(&bench.empty);
    let empty = in_turns(EMPTY, 1, |_| measured::run(nothing.stdin(Stdio::null()).stdout(Stdio::null())))?[0];
    println!("carom relay, {MESSAGES} messages of 6 KB; peers on loopback share the processor");
    for (what, recipient, checked, many) in [
        ("accepted, authenticated before", "x@accept.sink.example", Checked::Before, 1),
        ("accepted, authenticated before, 10 times", "x@accept.sink.example", Checked::Before, 10),
        ("accepted, DKIM verified", "x@accept.sink.example", Checked::Here, 1),
        ("a bounce for each", "x@oob.sink.example", Checked::Here, 1),
        ("a complaint for each", "x@fbl.sink.example", Checked::Here, 1),
        ("open and click", "x@openclick.sink.example", Checked::Here, 1),
    ] {
        let kind = Kind { what, recipient, checked, messages: MESSAGES * many };
        for (number, (binary, name)) in bench.binaries().into_iter().enumerate() {
            kind.measure(bench, binary, &format!("relay-{number}"), name, empty)?;
        }
    }
    Ok(())
}

/// A kind of message.
struct Kind {
    what: &'static str,
    recipient: &'static str,
    checked: Checked,
    messages: usize,
}

impl Kind {
    /// Twice: first in a new state directory.
    fn measure(&self, bench: &Bench, binary: &Path, stem: &str, name: &str, empty: Used) -> Outcome<()> {
        let _ = fs::remove_dir_all(bench.dir.join(format!("{stem}.state")));
        for state in ["new", "used"] {
            let (mail, tracker) = (LeanPeer::smtp(), LeanPeer::web());
            let (settings, tables) = (settings(tracker.port), self.tables());
            let setting = Setting::new(&bench.dir, stem, mail.port, &settings, tables)?;
            let inbox = bench.dir.join(format!("{stem}.inbox"));
            self.fill(&inbox, tracker.port)?;
            let (began, peers) = (Instant::now(), measured::own_cpu_ms()?);
            let used = measured::run(setting.carom(binary, &["relay", "-q"]).arg(&inbox))?;
            let seconds = began.elapsed().as_secs_f64();
            let peers = measured::own_cpu_ms()? - peers;
            let left = fs::read_dir(&inbox)?.flatten().filter(|entry| entry.path().is_file()).count();
            if left > 0 {
                return Err(format!("{}: {left} files are left", self.what).into());
            }
            let each = used.cpu_ms / self.messages as f64;
            println!(
                "  {:52} {:6.0}/s {:6.3} ms CPU each, {:4.2} of an empty process; \
                 {} letters, {} requests; carom's share of the CPU time {:.0} %",
                format!("{}, {state} state{name}", self.what),
                self.messages as f64 / seconds,
                each,
                each / empty.cpu_ms,
                mail.served(),
                tracker.served(),
                100.0 * used.cpu_ms / (used.cpu_ms + peers)
            );
            fs::remove_dir_all(&inbox)?;
        }
        Ok(())
    }

    fn tables(&self) -> &'static str {
        match self.checked {
            Checked::Here => "",
            Checked::Before => "[auth]\ntrusted_authserv_ids = [\"mx.sink.example\"]\n",
        }
    }

    fn fill(&self, inbox: &Path, tracker: u16) -> Outcome<()> {
        fs::create_dir_all(inbox)?;
        let recipient = self.recipient;
        let url = |path: &str| format!("http://tracker.example:{tracker}/{path}");
        let results = match self.checked {
            Checked::Here => "",
            Checked::Before => {
                "Authentication-Results: mx.sink.example; dkim=pass header.d=sender.example\r\n"
            }
        };
        let file = format!(
            "x-sender: {SENDER}\r\nx-receiver: {recipient}\r\n{results}\
             Received: from c (192.0.2.1) by mx.sink.example id 1\r\n{}",
            message(recipient, &url("i"), &url("l"))?
        );
        for number in 0..self.messages {
            fs::write(inbox.join(format!("{number}.msg")), &file)?;
        }
        File::open(inbox)?.sync_all()?;
        Ok(())
    }
}

/// One request for opening and one for clicking.
fn settings(tracker: u16) -> String {
    format!(
        "open_percent = 100\nopen_again_percent = 0\n\
         click_percent = 100\nclick_again_percent = 0\n\
         tracking_domains_allowlist = [\"tracker.example:{tracker}\"]\n"
    )
}
