//! Wrapped lines of every kind: what they say, and when.

use super::*;
use crate::maillog::postfix::{Event, Grammar};
use jiff::tz::TimeZone;

/// 2026-01-06T00:00:00Z.
const REFERENCE: i64 = 1_767_657_600_000;

/// The time, the host and whether the queue id is the one that all lines here have.
fn read(line: &str) -> Option<(String, String)> {
    let grammar = Grammar { zone: TimeZone::UTC, ..Grammar::default() };
    let mut reader = ServerLines::new(&grammar, REFERENCE);
    let mut unwrapper = Unwrapper::default();
    match unwrapper.read(line.as_bytes(), &mut reader)? {
        Ok(line) => {
            assert_eq!((line.queue_id, line.event), (Some(&b"4A1B2C3D4E"[..]), Event::Removed));
            let at = jiff::Timestamp::from_millisecond(line.at_ms).unwrap().to_string();
            Some((at, String::from_utf8(line.host.to_vec()).unwrap()))
        }
        _ => None,
    }
}

const LINE: &str = "Jan  5 10:00:01 mx postfix/qmgr[7]: 4A1B2C3D4E: removed";
const BARE: &str = "postfix/qmgr[7]: 4A1B2C3D4E: removed";

#[test]
fn a_line_with_its_own_stamp_keeps_it() {
    for line in [
        format!("{{\"log\":\"{LINE}\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-05T10:00:09.5Z\"}}"),
        format!(
            "{{\"message\":\"{LINE}\",\"@timestamp\":\"2026-01-05T10:00:09.5Z\",\"host\":{{\"name\":\"x\"}}}}"
        ),
        format!("postfix-1  | {LINE}"),
        format!("\x1b[36mpostfix-1  | \x1b[0m{LINE}"),
        format!("mail_postfix.1.abc123@node1    | {LINE}"),
        format!("[pod/postfix-0/postfix] {LINE}"),
        format!("2026-01-05T10:00:09.500000000Z stdout F {LINE}"),
        format!("2026-01-05T10:00:09.5+01:00 stderr F {LINE}"),
        format!("2026-01-05T10:00:09.500000000Z {LINE}"),
        format!("2026-01-05 10:00:09.500  {LINE}"),
        format!(
            "2026-01-05T10:00:09.5Z stdout F {{\"message\":\"{LINE}\",\"time\":\"2026-01-05T10:00:08Z\"}}"
        ),
        format!("postfix stdout | {LINE}"),
        LINE.replace(' ', "\t"),
        format!("[Jan  5 10:00:01] {}", &LINE[16..]),
        format!("[2026-01-05T10:00:01Z] {}", &LINE[16..]),
        format!("\u{feff}{LINE}"),
        format!("\x1b[2m{LINE}\x1b[0m"),
        format!("postfix-1  | {{\"log\":\"{LINE}\",\"time\":\"2026-01-05T10:00:09.5Z\"}}"),
    ] {
        assert_eq!(read(&line), Some(("2026-01-05T10:00:01Z".into(), "mx".into())), "{line}");
    }
}

#[test]
fn a_line_without_a_stamp_gets_that_of_its_wrapper() {
    for line in [
        format!("{{\"log\":\"{BARE}\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-05T10:00:01.5Z\"}}"),
        format!("postfix-1  | 2026-01-05T10:00:01.5Z {BARE}"),
        format!("{{\"date\":1767607201.5,\"log\":\"{BARE}\"}}"),
        format!("{{\"timestamp\":1767607201500,\"msg\":\"{BARE}\",\"tag\":\"docker.postfix\"}}"),
        "{\"__REALTIME_TIMESTAMP\":\"1767607201500000\",\"SYSLOG_IDENTIFIER\":\"postfix/qmgr\",\"SYSLOG_PID\":\"7\",\
         \"MESSAGE\":\"4A1B2C3D4E: removed\",\"_CMDLINE\":[\"a\",\"b\"],\"X\":null}".into(),
        "{\"__REALTIME_TIMESTAMP\":\"1767607201500000\",\"SYSLOG_IDENTIFIER\":[\"postfix/qmgr\",\"y\"],\
         \"MESSAGE\":[52,65,49,66,50,67,51,68,52,69,58,32,114,101,109,111,118,101,100]}".into(),
        "data: {\"__REALTIME_TIMESTAMP\":\"1767607201500000\",\"SYSLOG_IDENTIFIER\":\"postfix/qmgr\",\
         \"MESSAGE\":\"4A1B2C3D4E: removed\"}".into(),
        "{\"time\":\"2026-01-05T10:00:01.5Z\",\"tag\":\"postfix/qmgr[3]:\",\"message\":\" 4A1B2C3D4E: removed\"}".into(),
        "{\"PROGRAM\":\"postfix/qmgr\",\"PID\":\"3\",\"MESSAGE\":\"4A1B2C3D4E: removed\",\
         \"DATE\":\"Jan  5 10:00:01.5\"}".into(),
    ] {
        assert_eq!(read(&line), Some(("2026-01-05T10:00:01.5Z".into(), String::new())), "{line}");
    }
    let named = "{\"time\":\"2026-01-05T10:00:01Z\",\"hostname\":\"mx\",\"programname\":\"postfix\",\
         \"syslogtag\":\"postfix/qmgr[3]:\",\"msg\":\"4A1B2C3D4E: removed\"}";
    assert_eq!(read(named), Some(("2026-01-05T10:00:01Z".into(), "mx".into())));
}

#[test]
fn what_cannot_be_dated_or_says_nothing_is_not_read() {
    for line in [
        BARE.to_owned(),
        format!("smtp_1      | {BARE}"),
        format!("{{\"log\":\"{BARE}\"}}"),
        "{\"log\":5}".to_owned(),
        "{\"log\":\"x".to_owned(),
        "{}".to_owned(),
        "{\"message\":{\"a\":1},\"time\":\"2026-01-05T10:00:01Z\"}".to_owned(),
        "a|b".to_owned(),
        format!("| {LINE}"),
        format!("user | said <{LINE}"),
    ] {
        assert_eq!(read(&line), None, "{line}");
    }
    let deep = format!("{}{}", "{\"log\":".repeat(200), "1");
    assert_eq!(read(&deep), None);
}
