//! Power cuts: a run of the relay is recorded, and what a cut may leave at each of its syncs is handed to carom.

use crate::harness::disk_trace::{DiskTrace, Unsynced, record};
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{SENDER, Sandbox, names, plain, signed};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Files of each kind: accepted, bounced, kept, and one of which half the recipients are deferred.
fn recorded(sandbox: &Sandbox) -> Option<DiskTrace> {
    let inbox = sandbox.path("inbox");
    fs::create_dir_all(&inbox).unwrap();
    let trace = format!(
        "Return-Path: <{SENDER}>\r\nReceived: from c.sender.example (192.0.2.1) by mx.sink.example id h1; Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    );
    let message = |recipient: &str, extra: &str| {
        [trace.clone().into_bytes(), signed(recipient, extra, b"hello\r\n")].concat()
    };
    let two = b"x-sender: alice@sender.example\r\nx-receiver: a@accept.sink.example\r\nx-receiver: b@defer.sink.example\r\n";
    let files = [
        ("accepted.msg", message("x@accept.sink.example", "")),
        ("bounced.msg", message("x@oob.sink.example", "")),
        ("kept.msg", message("x@accept.sink.example", "X-Bouncy-Sink: store-done\r\n")),
        ("two.msg", [&two[..], &plain("x@sink.example")].concat()),
    ];
    for (name, bytes) in files {
        let path = inbox.join(name);
        fs::write(&path, bytes).unwrap();
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    }
    record(sandbox.command(&["relay", inbox.to_str().unwrap()]), &sandbox.dir)
}

/// Cuts the power at these boundaries of a run, with spool and state on one file system and on two.
/// Returns how many cuts there were.
pub(crate) fn cut_at(chosen: impl Fn(usize, usize) -> bool) -> usize {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port).config("[relay]\nthreads = 1\nsettle = 0");
    // The store and the compiled policy are there already.
    sandbox.run(&["cron"], b"").silent();
    sandbox.run(&["relay", sandbox.dir.to_str().unwrap()], b"");
    let Some(trace) = recorded(&sandbox) else {
        eprintln!("nobody may trace here");
        return 0;
    };
    let inbox = sandbox.path("inbox");
    let first = peer.mails().len();
    assert_eq!(first, 1);
    let boundaries = trace.boundaries();
    assert!(boundaries.len() > 5, "{} syncs", boundaries.len());
    let ids: BTreeSet<String> =
        peer.mails().iter().map(|mail| id(&String::from_utf8_lossy(&mail.data))).collect();
    let (all, mut cuts) = (boundaries.len(), 0);
    for (number, cut) in boundaries.iter().enumerate().filter(|(number, _)| chosen(*number, all)) {
        // What was not synced of the spool, and of the state on another file system.
        for unsynced in [
            [Unsynced::Lost; 2],
            [Unsynced::Kept; 2],
            [Unsynced::OnlyNames; 2],
            [Unsynced::Lost, Unsynced::Kept],
            [Unsynced::Kept, Unsynced::Lost],
            [Unsynced::Lost, Unsynced::OnlyNames],
            [Unsynced::OnlyNames, Unsynced::Lost],
        ] {
            trace.replay(&sandbox.dir, *cut, &|path| unsynced[usize::from(!path.starts_with(&inbox))]);
            let is_promised = number >= all / 2;
            goes_on(
                &sandbox,
                &peer,
                is_promised.then_some(&ids),
                &format!("sync {number} of {all}, {unsynced:?}"),
            );
            cuts += 1;
        }
    }
    // A kill loses nothing that was written.
    for cut in trace.name_changes(&inbox) {
        trace.replay(&sandbox.dir, cut, &|_| Unsynced::Kept);
        goes_on(&sandbox, &peer, None, &format!("change {cut} of {:?}", boundaries.last()));
        cuts += 1;
    }
    cuts
}

/// Lets carom go on with what a cut has left: each message comes to its end once. `sent` are the Message-IDs of bounces that
/// were promised before: one that is sent again is one of them.
fn goes_on(sandbox: &Sandbox, peer: &SmtpPeer, sent: Option<&BTreeSet<String>>, place: &str) {
    let (inbox, before) = (sandbox.path("inbox"), peer.mails().len());
    let ran = sandbox.run(&["relay", inbox.to_str().unwrap()], b"");
    assert_eq!(ran.code, 0, "{place}: {ran:?}");
    sandbox.run(&["cron"], b"");
    let counted = sandbox.counters();
    let of = |name: &str| counted.get(name).and_then(|value| value.as_u64()).unwrap_or_default();
    assert_eq!((of("total_messages"), of("accept"), of("oob_sent")), (4, 3, 1), "{place}: {counted:?}");
    assert_eq!(shown(&inbox), ["done", "two.msg"], "{place}");
    assert_eq!(shown(&inbox.join("done")), ["kept.msg"], "{place}");
    let left = fs::read_to_string(inbox.join("two.msg")).unwrap();
    assert!(left.contains("b@defer.") && !left.contains("a@accept."), "{place}: {left}");
    let again: Vec<String> =
        peer.mails()[before..].iter().map(|mail| id(&String::from_utf8_lossy(&mail.data))).collect();
    assert!(again.len() <= 1, "{place}: {again:?}");
    assert!(sent.is_none_or(|sent| again.iter().all(|id| sent.contains(id))), "{place}: {again:?}");
}

/// The names in a directory without those that are hidden: what a cut leaves unfinished, or of a run
/// that had claimed nothing, is removed after an hour.
fn shown(folder: &Path) -> Vec<String> {
    names(folder).into_iter().filter(|name| !name.starts_with('.')).collect()
}

fn id(mail: &str) -> String {
    let line = mail.lines().find(|line| line.to_ascii_lowercase().starts_with("message-id:"));
    line.unwrap_or_default().to_owned()
}

#[test]
fn a_power_cut_at_a_sync_loses_nothing_and_repeats_only_what_was_not_on_record() {
    cut_at(|number, all| number.is_multiple_of(6) || number + 1 == all);
}
