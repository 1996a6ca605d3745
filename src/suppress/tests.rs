//! The list comes back as it was written, no line is lost in silence, and every form of a list is
//! known by its content.

use super::*;
use crate::clock;
use crate::store::{Store, Suppressed};
use std::path::PathBuf;

const NOW: i64 = 1_790_000_000_000;

struct Place {
    path: PathBuf,
    store: Store,
}

impl Place {
    fn new() -> Place {
        let path = std::env::temp_dir().join(format!("carom-list-{:x}", fastrand::u64(..)));
        std::fs::create_dir_all(&path).unwrap();
        let store = Store::open(&path.join("carom.db")).unwrap();
        Place { path, store }
    }

    fn import(&self, list: &[u8]) -> ImportOutcome {
        let defaults = ImportDefaults { now_ms: NOW, ..ImportDefaults::default() };
        Import::new(&self.store, &|_| Ok(Vec::new()), defaults).run(list, &|_, _| ()).unwrap()
    }

    fn entries(&self) -> Vec<Suppressed> {
        self.store.suppressions("", None, NOW, usize::MAX).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Lines that are refused, each with the reason.
type Problems = Vec<(u64, String)>;

/// What a list becomes: the addresses with their reasons, and the lines that are refused.
fn read(list: impl AsRef<[u8]>) -> (Vec<(String, String)>, Problems) {
    let place = Place::new();
    let imported = place.import(list.as_ref());
    let entries = place.entries().into_iter().map(|entry| (entry.address, entry.reason)).collect();
    (entries, imported.problems.into_iter().map(|problem| (problem.line, problem.why)).collect())
}

#[track_caller]
fn gives(list: impl AsRef<[u8]>, addresses: &[&str], refused: &[u64]) {
    let (entries, problems) = read(list);
    let found: Vec<&str> = entries.iter().map(|(address, _)| address.as_str()).collect();
    let lines: Vec<u64> = problems.iter().map(|(line, _)| *line).collect();
    assert_eq!((found, lines), (addresses.to_vec(), refused.to_vec()), "{problems:?}");
}

fn entry(address: &str, expires_ms: Option<i64>) -> Suppressed {
    Suppressed {
        address: address.into(),
        sender_domain: "example.org".into(),
        reason: "said \"no\", twice".into(),
        source: "operator".into(),
        added_ms: 1_767_225_600_000,
        expires_ms,
        ..Suppressed::default()
    }
}

#[test]
fn what_is_written_is_read_again() {
    let entries = [
        entry("\"c,d\"@b.example", Some(NOW + 1000)),
        entry("+491234@sms.example", None),
        entry("-x-@a.example", None),
        entry("a@b.example", None),
    ];
    for written in [csv(&entries), json_lines(&entries)] {
        let place = Place::new();
        let imported = place.import(written.as_bytes());
        assert_eq!((imported.new, imported.problems.len()), (4, 0), "{written}");
        assert_eq!(place.entries(), entries);
        let again = place.import(written.as_bytes());
        assert_eq!((again.new, again.same, again.changed), (0, 4, 0), "{written}");
    }
}

#[test]
fn a_formula_is_no_formula_in_a_spreadsheet() {
    let mut hostile = entry("a@b.example", None);
    hostile.reason = "=1+1".into();
    assert!(csv(&[hostile]).contains("\"'=1+1\""));
}

#[test]
fn plain_lists_are_read_however_they_are_written() {
    gives("A@b.example\n\n# no more\nc@d.example\r\n", &["a@b.example", "c@d.example"], &[]);
    gives("\u{feff}a@b.example\r\nAnn <ann@b.example>\r\n", &["a@b.example", "ann@b.example"], &[]);
    gives(
        "mailto:a%2Bx@b.example?subject=y\n<c@b.example>;\n'd@b.example'\n",
        &["a+x@b.example", "c@b.example", "d@b.example"],
        &[],
    );
    gives("\"Doe, John\" <j@b.example>\nDoe, Jane <k@b.example>\n", &["j@b.example", "k@b.example"], &[]);
    gives(
        "a@b.example # left in May\nb@b.example 2026-01-01 b@b.example\n",
        &["a@b.example", "b@b.example"],
        &[],
    );
    gives("- a@b.example\n1. c@b.example\n", &["a@b.example", "c@b.example"], &[]);
    gives("From: a@b.example\nask c@b.example\n", &[], &[1, 2]);
    gives("jo;hn@b.example\njo,an@b.example\na@b.example,gone\n", &["a@b.example"], &[1, 2]);
    gives("email\ra@b.example\rc@b.example\r", &["a@b.example", "c@b.example"], &[]);
    gives("jürgen@b.example\n用户@例子.example\n", &["jürgen@b.example", "用户@xn--fsqu00a.example"], &[]);
    let utf16: Vec<u8> =
        "\u{feff}a@b.example\r\n𝒳@b.example\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    gives(utf16, &["a@b.example", "𝒳@b.example"], &[]);
    let big: Vec<u8> = "Email;Name\r\na@b.example;A\r\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    gives(big, &["a@b.example"], &[]);
}

#[test]
fn what_is_no_mailbox_is_refused_with_its_line_and_the_rest_is_read() {
    let refused = [
        "nobody",
        "a;b",
        "a@b.example;c@b.example",
        "sender@our.example,gone@b.example",
        "a@b.example c@b.example",
        "<a@b.example> and Ann <c@b.example>",
        "- a@b.example reported by root@mx.example",
        "a@@b.example",
        "a b@",
        "@b.example",
        "a@-b.example",
        "a..b@b.example",
        "a@b_c.example",
        "a@b.example..",
        "a@192.0.2.1",
        "{email:a@b.example}",
        "http://b.example/?a@b.example/",
        "a@exa mple.example",
        "\"a\"b@b.example",
        &format!("{}@b.example", "x".repeat(65)),
    ];
    for line in refused {
        gives(
            format!("first@b.example\n{line}\nlast@b.example\n"),
            &["first@b.example", "last@b.example"],
            &[2],
        );
    }
    let (entries, problems) = read("[{email:a@x.example}]");
    assert!(entries.is_empty() && problems[0].1.contains("invalid JSON"), "{problems:?}");
}

#[test]
fn a_stray_quotation_mark_swallows_nothing_and_a_cell_may_have_line_breaks() {
    let (entries, problems) = read("address,reason\na@b.example,\"open\nc@d.example,x\"\n");
    assert_eq!(problems, [(2, "a quotation mark is not closed".into())]);
    assert_eq!(entries, [("c@d.example".into(), "x\"".into())]);
    let list =
        "email,reason,created\na@b.example,\"550 no\nsuch user\",1755424000\nc@b.example,x,1755424000\n";
    gives(list, &["a@b.example", "c@b.example"], &[]);
    gives("address,added\na@b.example,yesterday\nc@d.example,2026-01-01\n", &["c@d.example"], &[2]);
}

#[test]
fn columns_are_known_in_any_spelling_and_no_heading_becomes_an_address() {
    for heading in [
        "EmailAddress",
        "Email Address",
        "E-MAIL",
        "email_address",
        "recipient",
        "Rcpt",
        "ADDRESS",
        "E-Mail-Adresse",
        "\"email\"",
    ] {
        for separator in [",", ";", "\t", "|"] {
            let list = format!("Name{separator}{heading}\nx{separator}a@b.example\ny{separator}nobody\n");
            gives(list, &["a@b.example"], &[3]);
        }
    }
    gives("Email Address,Address\na@b.example,1 Main Street\n", &["a@b.example"], &[]);
    gives("sep=;\nemail;x\na@b.example;\n", &["a@b.example"], &[]);
    // A second address is not dropped in silence.
    gives(
        "email\na@b.example\nc@b.example,d@b.example\ne@b.example,left\n",
        &["a@b.example", "e@b.example"],
        &[3],
    );
    gives("email\na@b.example\nemail\nc@b.example\n", &["a@b.example", "c@b.example"], &[]);
    gives(
        "email,email\na@b.example,c@b.example\nd@b.example,D@B.example\ne@b.example,\n",
        &["d@b.example", "e@b.example"],
        &[2],
    );
}

#[test]
fn json_is_read_as_a_document_as_lines_and_nested() {
    let document = "{\"Suppressions\":[\n {\"EmailAddress\":\"a@b.example\",\"SuppressionReason\":\"HardBounce\"},\n \
                    {\"EmailAddress\":\"nobody\"},\n {\"EmailAddress\":\"c@b.example\",\"SuppressionReason\":\"SpamComplaint\"}\n]}";
    let (entries, problems) = read(document);
    assert_eq!(
        entries,
        [("a@b.example".into(), "bounce".into()), ("c@b.example".into(), "complaint".into())]
    );
    assert_eq!(problems[0].0, 3, "{problems:?}");
    gives("[\"a@b.example\",\n\"c@b.example\"]", &["a@b.example", "c@b.example"], &[]);
    gives("{\"recipient_emails\": [\"a@b.example\"]}", &["a@b.example"], &[]);
    gives(
        "{\"email\":\"a@b.example\"}\nnot json\n{\"email\":\n{\"email\":\"c@b.example\"}\n",
        &["a@b.example", "c@b.example"],
        &[2, 3],
    );
    gives("{\"email\":\"a@b.example\"}{\"email\":\"c@b.example\"}", &["a@b.example", "c@b.example"], &[]);
    let notice = "{\"Type\":\"Notification\",\"Message\":\"{\\\"bounce\\\":{\\\"bounceType\\\":\\\"Permanent\\\",\
                  \\\"bouncedRecipients\\\":[{\\\"emailAddress\\\":\\\"a@b.example\\\"}]}}\"}";
    gives(notice, &["a@b.example"], &[]);
    gives(
        "{\"account\":{\"email\":\"owner@our.example\"},\"email\":\"me@our.example\",\"bounces\":[{\"email\":\"a@b.example\"}]}",
        &["a@b.example"],
        &[],
    );
    gives("{\"recipient\":\"a@b.example\",\"user\":{\"email\":\"me@our.example\"}}", &["a@b.example"], &[]);
    let many: Vec<String> = (1000..4000).map(|n| format!("{{\"email\":\"u{n}@b.example\"}}")).collect();
    assert_eq!(read(format!("{{\"list\":{{\"of\":[{}]}},\"more\":1}}", many.join(","))).0.len(), 3000);
    let (entries, problems) = read("[{\"email\":\"a@b.example\"},\n{\"email\":");
    assert_eq!((entries.len(), problems[0].0), (1, 2), "{problems:?}");
}

#[test]
fn what_may_be_alive_is_skipped_and_counted() {
    let place = Place::new();
    let imported = place.import(
        b"{\"event\":\"delivered\",\"recipient\":\"a1@b.example\",\"tags\":[]}\n\
          {\"event\":\"failed\",\"severity\":\"temporary\",\"recipient\":\"a2@b.example\"}\n\
          {\"Type\":\"SoftBounce\",\"Email\":\"a3@b.example\"}\n\
          {\"notificationType\":\"Bounce\",\"bounce\":{\"bounceType\":\"Transient\",\"bouncedRecipients\":[{\"emailAddress\":\"a4@b.example\"}]},\"mail\":{\"destination\":[\"a5@b.example\"]}}\n\
          {\"email\":\"a6@b.example\",\"status\":\"4.2.2\",\"reason\":\"452 4.2.2 over quota\",\"created\":1755424000}\n\
          {\"email\":\"a9@b.example\",\"status\":\"active\"}\n{\"email\":\"a10@b.example\",\"unsubscribed\":false,\"bounced\":0}\n\
          {\"bounce\":{\"bouncedRecipients\":[{\"emailAddress\":\"a11@b.example\"}],\"bounceType\":\"Transient\"}}\n\
          {\"event\":\"failed\",\"severity\":\"permanent\",\"recipient\":\"dead@b.example\",\"message\":{\"headers\":{\"to\":\"a7@b.example\"},\"recipients\":[\"a8@b.example\"]}}\n",
    );
    let found: Vec<String> = place.entries().into_iter().map(|entry| entry.address).collect();
    assert_eq!((found, imported.skipped, imported.invalid), (vec!["dead@b.example".to_owned()], 8, 0));
}

#[test]
fn events_of_providers_that_clear_an_address_put_it_nowhere() {
    for event in [
        r#"{"email":"a@b.example","timestamp":1790000000,"event":"group_resubscribe","asm_group_id":10}"#,
        r#"{"RecordType":"SubscriptionChange","Recipient":"a@b.example","SuppressSending":false,"SuppressionReason":null,"ChangedAt":"2026-03-01T10:00:00Z"}"#,
        r#"{"notificationType":"Complaint","complaint":{"complainedRecipients":[{"emailAddress":"a@b.example"}],"complaintFeedbackType":"not-spam"}}"#,
        r#"{"notificationType":"Complaint","complaint":{"complainedRecipients":[{"emailAddress":"a@b.example"}],"complaintFeedbackType":"auth-failure"}}"#,
        r#"{"notificationType":"Delivery","delivery":{"recipients":["a@b.example"]},"mail":{"destination":["a@b.example"]}}"#,
    ] {
        let place = Place::new();
        let imported = place.import(format!("{event}\n").as_bytes());
        assert_eq!((imported.new, imported.skipped, imported.invalid), (0, 1, 0), "{event}");
    }
    let rows = "type,timeLogged,rcpt,bounceCat,dsnStatus\nrb,2026-03-01 10:00:00+0000,a@b.example,bad-mailbox,5.1.1\n";
    gives(rows, &[], &[]);
    gives("{\"event\":\"bounce\",\"mail\":{\"source\":\"me\"}}\n", &[], &[1]);
    let place = Place::new();
    place.import(br#"{"RecordType":"SubscriptionChange","Recipient":"a@b.example","SuppressSending":true,"SuppressionReason":"HardBounce","ChangedAt":"2026-03-01T10:00:00Z"}"#);
    assert_eq!(place.entries()[0].added_ms, 1_772_359_200_000);
}

#[test]
fn times_of_every_provider_are_kept() {
    const AT: i64 = 1_786_960_800_000;
    for written in [
        "2026-08-17T10:00:00Z",
        "2026-08-17T10:00:00.000000+00:00",
        "2026-08-17T12:00:00+0200",
        "2026-08-17 10:00:00",
        "2026-08-17 10:00:00 UTC",
        "2026-08-17 10:00:00 +0000",
        "2026-08-17 10:00:00+0000",
        "Mon, 17 Aug 2026 10:00:00 UTC",
        "Mon, 17 Aug 2026 10:00:00 GMT",
        "17 Aug 2026 12:00:00 +0200",
        "1786960800",
        "1786960800000",
        "1786960800.000",
        "8/17/2026 10:00",
        "08/17/2026 10:00:00 AM",
        "17/08/2026 10:00:00",
        "17.08.2026 10:00",
        "Aug 17, 2026 10:00 AM",
        "August 17, 2026, 12:00:00 (UTC+02:00)",
        "August 17, 2026, 03:00 (UTC-07:00)",
    ] {
        assert_eq!(
            time_forms::milliseconds(written).map(clock::rfc3339),
            Some(clock::rfc3339(AT)),
            "{written}"
        );
    }
    let place = Place::new();
    place.import(b"email,created\na@b.example,1786960800\nb@b.example,soon\n");
    let added: Vec<i64> = place.entries().into_iter().map(|entry| entry.added_ms).collect();
    assert_eq!(added, [AT, NOW]);
}
