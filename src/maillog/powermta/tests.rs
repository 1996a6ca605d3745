//! Accounting files, whole and torn.

use super::*;
use crate::maillog::logged_status::LoggedStatus;
use std::path::Path;

/// Status, recipient, attempts, first and last seen.
type Seen = (LoggedStatus, String, u32, i64, i64);

fn chunk<'a>(first_line: &'a [u8], begins: bool, lines: &'a [u8]) -> Chunk<'a> {
    Chunk { path: Path::new("acct.csv"), lines, reference_ms: 0, first_line, begins }
}

/// The deliveries of a file, and how many other records.
fn read(parts: &[&str]) -> (Vec<Seen>, usize) {
    let mut state = AccountingState::default();
    let (mut seen, mut records) = (Vec::new(), 0);
    let first_line = parts[0].split('\n').next().unwrap();
    for (number, part) in parts.iter().enumerate() {
        let mut accounting = Accounting::new(TimeZone::UTC, 1_800_000_000_000, state);
        accounting.read(&chunk(first_line.as_bytes(), number == 0, part.as_bytes()), |d| {
            seen.push((d.status, d.recipient.unwrap().to_owned(), d.attempts, d.first_seen, d.last_seen));
        });
        records += accounting.take_reading().lines.events as usize;
        state = serde_json::from_str(&serde_json::to_string(accounting.state()).unwrap()).unwrap();
    }
    let others = records - seen.len();
    (seen, others)
}

const HEADER: &str = "type,timeLogged,timeQueued,orig,rcpt,orcpt,dsnStatus,dsnDiag,bounceCat,jobId\r\n";

#[test]
fn columns_are_found_by_name_and_times_in_every_form() {
    for times in [
        "1767225610,1767225600",
        "2026-01-01 00:00:10+0000,2026-01-01 00:00:00+0000",
        "2026-01-01T01:00:10+01:00,2026-01-01T00:00:00Z",
        "2026-01-01 00:00:10,1767225600000",
    ] {
        let file = format!("{HEADER}d,{times},s@x,r@x,,2.0.0 (success),smtp;250 ok,,\r\n");
        let want = (LoggedStatus::Sent, "r@x".to_owned(), 1, 1_767_225_600_000, 1_767_225_610_000);
        assert_eq!(read(&[&file]), (vec![want], 0), "{times}");
    }
    let other = "type,rcpt,timeLogged\nb,r@x,1767225610\n\"d\",\"r@x\",1767225611\n";
    let (seen, _) = read(&[other]);
    assert_eq!((seen[0].0, seen[1].0), (LoggedStatus::Bounced, LoggedStatus::Sent));
}

#[test]
fn every_type_of_record_is_what_it_is() {
    let row = |kind: &str, cat: &str| format!("{kind},1767225610,1767225600,s@x,r@x,,4.4.7,x,{cat},\n");
    for (kind, cat, want) in [
        ("d", "", Some(LoggedStatus::Sent)),
        ("b", "bad-mailbox", Some(LoggedStatus::Bounced)),
        ("b", "message-expired", Some(LoggedStatus::Expired)),
        ("b", "", Some(LoggedStatus::Expired)),
        ("t", "quota-issues", Some(LoggedStatus::Deferred)),
        ("rb", "bad-mailbox", Some(LoggedStatus::Bounced)),
        ("tq", "", None),
        ("r", "", None),
        ("f", "", None),
        ("rs", "", None),
    ] {
        let (seen, others) = read(&[&format!("{HEADER}{}", row(kind, cat))]);
        assert_eq!((seen.first().map(|seen| seen.0), others), (want, usize::from(want.is_none())), "{kind}");
    }
}

#[test]
fn a_report_that_came_back_counts_as_others_mail() {
    for (kind, whose) in [("b", Whose::Own), ("rb", Whose::Others)] {
        let file = format!("{HEADER}{kind},1767225610,1767225600,s@x,r@x,,5.1.1,x,,\n");
        let mut accounting = Accounting::new(TimeZone::UTC, 0, AccountingState::default());
        let mut found = Vec::new();
        let text = file.as_bytes();
        accounting.read(&chunk(HEADER.trim().as_bytes(), true, text), |one| found.push(one.route.whose()));
        assert_eq!(found, [whose], "{kind}");
    }
}

#[test]
fn attempts_are_counted_until_the_end_across_ticks() {
    let row = |kind: &str, at: u32| format!("{kind},{at},1767225600,s@x,r@x,,4.2.2,x,,\n");
    let parts =
        [format!("{HEADER}{}", row("t", 1_767_225_610)), row("t", 1_767_225_620), row("d", 1_767_225_630)];
    let (seen, _) = read(&[&parts[0], &parts[1], &parts[2]]);
    let attempts: Vec<_> = seen.iter().map(|seen| (seen.0, seen.2)).collect();
    assert_eq!(attempts, [(LoggedStatus::Deferred, 1), (LoggedStatus::Deferred, 2), (LoggedStatus::Sent, 3)]);
}

#[test]
fn quoted_fields_may_hold_anything_even_across_ticks() {
    let parts = [
        format!("{HEADER}b,1767225610,1767225600,s@x,r@x,,5.1.1,\"smtp;550-a, \"\"b\"\"\r\n"),
        "550 c\",bad-mailbox,\r\nd,1767225610,1767225600,s@x,q@x,,2.0.0,ok,,\r\n".to_owned(),
    ];
    let (seen, _) = read(&[&parts[0], &parts[1]]);
    assert_eq!((seen.len(), seen[0].1.as_str(), seen[1].1.as_str()), (2, "r@x", "q@x"));
}

#[test]
fn what_is_not_a_record_is_counted_and_skipped() {
    let mut accounting = Accounting::new(TimeZone::UTC, 0, AccountingState::default());
    let open = format!("b,\"{}\nd,1767225610,,s@x,r@x\n", "x".repeat(LINE + 5));
    let text = format!("{HEADER}\nzz,1\n\"\n\"\n{open}");
    let mut seen = 0;
    accounting.read(&chunk(HEADER.trim().as_bytes(), true, text.as_bytes()), |_| seen += 1);
    let lines = accounting.take_reading().lines;
    assert_eq!((seen, lines.unknown, lines.ignored, lines.events), (1, 3, 2, 1));
    accounting.read(&chunk(b"", true, &[b','; 1 << 20]), |_| seen += 1);
    accounting.read(&chunk(b"", true, &[b'"'; 1 << 20]), |_| seen += 1);
    assert_eq!(seen, 1);
}

#[test]
fn a_second_header_counts_until_the_end_of_the_file() {
    let mut accounting = Accounting::new(TimeZone::UTC, 1_800_000_000_000, AccountingState::default());
    let mut seen = Vec::new();
    let first = b"type,timeLogged,rcpt";
    let chunks: [(&[u8], bool, &str); 4] = [
        (first, true, "type,timeLogged,rcpt\nd,1767225600,a@x.example\ntype,rcpt,timeLogged\n"),
        (first, false, "d,b@x.example,1767225601\n"),
        (first, false, "d,c@x.example,1767225602\n"),
        (first, true, "type,timeLogged,rcpt\nd,1767225603,d@x.example\n"),
    ];
    for (first_line, begins, lines) in chunks {
        let state = serde_json::from_str(&serde_json::to_string(accounting.state()).unwrap()).unwrap();
        accounting = Accounting::new(TimeZone::UTC, 1_800_000_000_000, state);
        accounting.read(&chunk(first_line, begins, lines.as_bytes()), |delivery| {
            seen.extend(delivery.recipient.map(str::to_owned));
        });
    }
    assert_eq!(seen, ["a@x.example", "b@x.example", "c@x.example", "d@x.example"]);
}

#[test]
fn the_type_may_be_any_column_in_any_case() {
    for header in ["timeLogged,type,rcpt", "Type,timeLogged,Rcpt", "rcpt,timeLogged,\"type\""] {
        let mut accounting = Accounting::new(TimeZone::UTC, 1_800_000_000_000, AccountingState::default());
        let of = |name: &str| match name.trim_matches('"').to_lowercase().as_str() {
            "type" => "d",
            "rcpt" => "a@x.example",
            _ => "1767225600",
        };
        let row: Vec<&str> = header.split(',').map(of).collect();
        let text = format!("{header}\n{}\n", row.join(","));
        let mut seen = Vec::new();
        accounting.read(&chunk(header.as_bytes(), true, text.as_bytes()), |delivery| {
            seen.extend(delivery.recipient.map(str::to_owned));
        });
        assert_eq!(seen, ["a@x.example"], "{header}");
    }
}

#[test]
fn a_quote_that_nothing_closes_takes_its_own_line_only() {
    let mut accounting = Accounting::new(TimeZone::UTC, 1_800_000_000_000, AccountingState::default());
    let mut seen = 0;
    let rows = |many: usize| "d,1767225600,a@x.example\n".repeat(many);
    let header = "type,timeLogged,rcpt\n";
    let chunks = [format!("{header}d,1767225600,\"b@x.exa\n{}", rows(5)), format!("{header}{}", rows(1))];
    for text in &chunks {
        let state = serde_json::from_str(&serde_json::to_string(accounting.state()).unwrap()).unwrap();
        let lines = accounting.take_reading().lines;
        accounting = Accounting::new(TimeZone::UTC, 1_800_000_000_000, state);
        accounting.lines = lines;
        accounting.read(&chunk(header.trim_end().as_bytes(), true, text.as_bytes()), |_| seen += 1);
    }
    assert_eq!((seen, accounting.take_reading().lines.unknown), (6, 1), "the next file begins");
    let text = format!("{header}d,1767225600,\"b@x.exa\n{}", rows(100));
    accounting.read(&chunk(header.trim_end().as_bytes(), true, text.as_bytes()), |_| seen += 1);
    assert_eq!(seen, 106, "too much to be one record");
}
