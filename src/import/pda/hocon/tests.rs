//! Values, what is left out, and mistakes with their lines.

use super::*;

const CONF: &str = r#"
akka { loggers = ["a"]
x { "akka.y" = akka.z } }
app {
base = "/opt/pda"   # a comment
// another = "comment"
notification.recipients = ["ops@example.com", b@example.com]
list { url = "file://"${app.base}"/rules.xml", auth = "" }
logs {
    dir = /var/log/
    pattern = "mail\\.log\\.(\\d{1,3}).*", size : 1000
}
db { dir = ${app.base}"/db/"
     auth = ${?SECRET} }
}
"#;

#[test]
fn paths_references_lists_and_comments() {
    let (values, left_out) = read(CONF).unwrap();
    assert!(left_out.is_empty(), "{left_out:?}");
    let text = |path: &str| values[path].join("|");
    assert_eq!(text("app.list.url"), "file:///opt/pda/rules.xml");
    assert_eq!(text("app.db.dir"), "/opt/pda/db/");
    assert_eq!(text("app.db.auth"), "");
    assert_eq!(text("app.logs.dir"), "/var/log/");
    assert_eq!(text("app.logs.pattern"), r"mail\.log\.(\d{1,3}).*");
    assert_eq!(text("app.logs.size"), "1000");
    assert_eq!(text("app.notification.recipients"), "ops@example.com|b@example.com");
    assert_eq!(text("akka.x.akka.y"), "akka.z");
    assert_eq!(read("{ a = 1 }").unwrap().0["a"], ["1"]);
    assert_eq!(read("a = \"\"\"x\"y\"\"\"").unwrap().0["a"], ["x\"y"]);
}

#[test]
fn mistakes_are_named_with_their_line() {
    for (text, line) in [
        ("a {\n b = 1\n", "line 3"),
        ("a = 1\n}", "line 2"),
        ("a = \"x\n", "line 2"),
        ("\na\n", "line 2"),
        ("include \"b.conf\"\n", "line 1"),
        ("a = [1\n", "line 2"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(line), "{text}: {error}");
    }
    assert!(read(&"a {".repeat(100_000)).is_err());
    assert!(read(&format!("a = {}", "[".repeat(100_000))).is_err());
}

#[test]
fn what_has_no_value_here_is_left_out_with_its_reason() {
    for text in ["a = ${b}", "a = ${a}", "a = [[1], { b = 2 }]", "a = ${b} { c = 1 }"] {
        let (values, left_out) = read(&format!("{text}\nx = 1\n")).unwrap();
        assert_eq!(values["x"], ["1"], "{text}");
        assert!(!left_out.is_empty() && left_out.iter().all(|one| one.path == "a"), "{text}: {left_out:?}");
    }
    assert_eq!(read("a = [\"1\"] [2]\n").unwrap().0["a"], ["1", "2"]);
}
