//! The list comes back as it was written, and no line is lost in silence.

use super::*;

fn entry(address: &str, expires_ms: Option<i64>) -> Suppressed {
    Suppressed {
        address: address.into(),
        sender_domain: "example.org".into(),
        reason: "said \"no\", twice".into(),
        source: "operator".into(),
        added_ms: 1_767_225_600_000,
        expires_ms,
    }
}

#[test]
fn what_is_written_is_read_again() {
    let entries = [entry("a@b.example", None), entry("c,d@b.example", Some(1_767_225_601_000))];
    assert_eq!(read(&csv(&entries), "import", 0).unwrap(), entries);
    assert_eq!(read(&json_lines(&entries), "import", 0).unwrap(), entries);
}

#[test]
fn a_bare_list_of_addresses_will_do() {
    let read = read("A@b.example\n\n# no more\nc@d.example\r\n", "import", 7).unwrap();
    let addresses: Vec<&str> = read.iter().map(|entry| entry.address.as_str()).collect();
    assert_eq!(addresses, ["a@b.example", "c@d.example"]);
    assert!(read.iter().all(|entry| entry.added_ms == 7 && entry.source == "import"));
}

#[test]
fn a_line_that_cannot_be_read_is_named() {
    let wrong = |text: &str| read(text, "import", 0).unwrap_err().to_string();
    let error = wrong("address\na@b.example\nnobody\n");
    assert!(error.starts_with("line 3: invalid address"), "{error}");
    assert!(wrong("address,added\na@b.example,yesterday\n").contains("added"));
    let error = wrong("address,reason\na@b.example,\"open\nc@d.example,x\"\n");
    assert!(error.starts_with("line 2: a quotation mark"), "{error}");
}

#[test]
fn an_address_that_begins_like_a_formula_comes_back_as_it_was() {
    let entries = [entry("+491234@sms.example", None), entry("-x-@a.example", Some(9_000))];
    assert_eq!(read(&csv(&entries), "import", 0).unwrap(), entries);
}

#[test]
fn a_formula_is_no_formula_in_a_spreadsheet() {
    let mut hostile = entry("a@b.example", None);
    hostile.reason = "=1+1".into();
    assert!(csv(&[hostile]).contains("\"'=1+1\""));
}
