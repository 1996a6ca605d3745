//! Entries with fields of every kind and length, whole and torn.

use super::*;
use crate::maillog::postfix;
use crate::maillog::postfix::Event;
use std::io;

fn binary(name: &str, value: &[u8]) -> Vec<u8> {
    [name.as_bytes(), b"\n", &(value.len() as u64).to_le_bytes(), value, b"\n"].concat()
}

#[test]
fn entries_with_text_and_binary_fields_are_read() {
    let mut text = b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1767225600123456\n_HOSTNAME=mx\nPRIORITY=6\n\
        SYSLOG_IDENTIFIER=postfix/qmgr\nSYSLOG_PID=77\n_PID=78\nMESSAGE=4Xn0y83s5Zz1f: removed\n\n"
        .to_vec();
    text.extend(b"__CURSOR=s=1;i=3\nSYSLOG_IDENTIFIER=postfix/smtp\n_PID=78\n");
    text.extend(binary("MESSAGE", b"4Xn0y83s5Zz1f: to=<a\xff@example.com>, relay=none, status=sent (x\n=y)"));
    text.extend(b"\n__CURSOR=s=1;i=4\nMESSAGE=torn");
    for size in [1, 7, 4096] {
        let mut journal = JournalExport::new(io::BufReader::with_capacity(size, &text[..]));
        let entry = journal.next_entry().unwrap().unwrap();
        assert_eq!((entry.cursor.as_str(), entry.at_ms, entry.pid), ("s=1;i=2", 1_767_225_600_123, 77));
        let Ok(line) = entry.parse() else { panic!() };
        assert_eq!((line.event, line.host), (Event::Removed, &b"mx"[..]));
        let entry = journal.next_entry().unwrap().unwrap();
        assert_eq!((entry.cursor.as_str(), entry.pid), ("s=1;i=3", 78));
        assert!(matches!(entry.parse(), Ok(line) if matches!(line.event, Event::Attempt(_))));
        assert_eq!(journal.next_entry().unwrap(), None);
    }
}

#[test]
fn a_value_of_any_length_takes_bounded_memory() {
    let mut text = binary("MESSAGE", &vec![b'x'; 1 << 20]);
    text.extend(b"__CURSOR=");
    text.extend(vec![b'y'; 1 << 20]);
    text.extend(b"\n\n");
    text.extend(b"MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xffabc");
    let mut journal = JournalExport::new(&text[..]);
    let entry = journal.next_entry().unwrap().unwrap();
    assert_eq!((entry.message.len(), entry.cursor.len()), (postfix::LINE, postfix::LINE));
    assert_eq!(journal.next_entry().unwrap(), None);
}
