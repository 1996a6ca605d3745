//! URL templates: what they become, what hostile values cannot do, and which templates are refused.

use super::*;

const KNOWN: [&str; 3] = ["address", "reason", "empty"];

fn to(template: &str, value: &str) -> Result<String> {
    UrlTemplate::parse(template, &KNOWN)?.fill(&[
        ("address", value),
        ("reason", "user-unknown"),
        ("empty", ""),
    ])
}

#[test]
fn a_url_is_the_template_with_a_value_in_it() {
    for (template, expected) in [
        ("https://app.example/b/{address}", "https://app.example/b/o%27neil%2Bx%40example.org"),
        ("https://app.example/b{?address}", "https://app.example/b?address=o%27neil%2Bx%40example.org"),
        ("https://app.example{?reason,empty}", "https://app.example?reason=user-unknown&empty="),
        ("https://app.example/b?x=1{&reason}", "https://app.example/b?x=1&reason=user-unknown"),
        ("https://app.example:8443?a={address}", "https://app.example:8443?a=o%27neil%2Bx%40example.org"),
        ("https://app.example/b", "https://app.example/b"),
        ("https://app.example/O{empty}X", "https://app.example/OX"),
        ("https://app.example?a=/../b", "https://app.example?a=/../b"),
        ("https://app.example/ü/%C3%bc/~'(x)", "https://app.example/%C3%BC/%C3%bc/~'(x)"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ] {
        assert_eq!(to(template, "o'neil+x@example.org").unwrap(), expected);
    }
    for (value, encoded) in [("Hello World!", "Hello%20World%21"), ("50%", "50%25"), ("a=b&c", "a%3Db%26c")] {
        assert_eq!(to("https://a.example/{address}", value).unwrap(), format!("https://a.example/{encoded}"));
    }
    for (value, encoded) in [("a;b", "a%3Bb"), ("me/too", "me%2Ftoo"), ("%2e%2e", "%252e%252e")] {
        let made = to("https://a.example/x{?address}", value).unwrap();
        assert_eq!(made, format!("https://a.example/x?address={encoded}"));
    }
}

#[test]
fn an_unknown_variable_or_a_malformed_template_is_named() {
    for (template, named) in [
        ("/{addres}", "unknown variable {addres}"),
        ("/{?address,nobody}", "unknown variable {nobody}"),
        ("/{address", "a variable is not closed"),
        ("/{}", "`{}` is not supported"),
        ("/{+address}", "`{+address}` is not supported"),
        ("/{#address}", "`{#address}` is not supported"),
        ("/{.address}", "`{.address}` is not supported"),
        ("{/address}", "`{/address}` is not supported"),
        ("/{;address}", "`{;address}` is not supported"),
        ("/{address,reason}", "`{address,reason}` is not supported"),
        ("/{?address,}", "`{?address,}` is not supported"),
        ("/{x y}", "`{x y}` is not supported"),
        ("/{{x}}", "`{{x}` is not supported"),
        ("/{=x}", "`{=x}` is not supported"),
        ("/{ü}", "`{ü}` is not supported"),
        ("/{address:3}", "`{address:3}` is not supported"),
        ("/{?address*}", "`{?address*}` is not supported"),
        ("/x}", "`}` is not allowed"),
        ("/50%", "`%` is not allowed"),
        ("/%4", "`%` is not allowed"),
        ("/a b", "` ` is not allowed"),
        ("/a\r\nHost: b", "`\\r` is not allowed"),
        ("/<x>", "`<` is not allowed"),
    ] {
        let error = UrlTemplate::parse(&format!("https://app.example{template}"), &KNOWN).unwrap_err();
        assert!(error.text().contains(named) && error.text().contains("https://app.example"), "{error}");
        assert!(error.remedy_text().is_some(), "{error}");
    }
    let error = UrlTemplate::parse("https://a.example/{z}", &KNOWN[..2]).unwrap_err();
    assert_eq!(error.remedy_text(), Some("use {address}, {reason}"));
}

#[test]
fn hostile_values_stay_where_they_are_put() {
    let hostile = [
        "../../admin",
        "..",
        ".",
        "%2e%2e",
        "/",
        "//evil.example/",
        "@evil.example/",
        "\\evil",
        "a?admin=1#@x.org",
        "a&b=c;d",
        "a\r\nHost: evil.example",
        "\0\u{7f}",
        "{address}",
        "\u{202e}\u{2028}語",
        "",
    ];
    for value in hostile {
        for template in
            ["https://app.example/b/{address}/end", "https://app.example/b/{address}/end?x={reason}"]
        {
            match to(template, value) {
                Ok(made) => {
                    assert!(!is_refused(value), "{value}");
                    let parsed = Url::parse(&made).unwrap();
                    let segments: Vec<&str> = parsed.path_segments().unwrap().collect();
                    assert_eq!(parsed.host_str(), Some("app.example"));
                    assert_eq!((segments.len(), segments[0], segments[2]), (3, "b", "end"), "{made}");
                    assert_eq!(parsed.query().is_some(), template.contains('?'));
                    assert!(made.is_ascii() && !made.contains(|c: char| c.is_ascii_control() || c == ' '));
                }
                Err(error) => {
                    let is_dots = value == "." || value == "..";
                    assert_eq!(error.text().contains("segment of dots"), is_dots, "{error}");
                    assert!(is_dots || is_refused(value), "{value}");
                }
            }
        }
        let query = to("https://app.example/b{?address}{&reason}", value).unwrap();
        let pairs: Vec<_> = Url::parse(&query).unwrap().query_pairs().into_owned().collect();
        assert_eq!(pairs[0], ("address".into(), value.to_owned()));
        assert_eq!((pairs.len(), pairs[1].1.as_str()), (2, "user-unknown"));
    }
    for climbing in ["..", "."] {
        assert!(to("https://app.example/b/{address};/admin", climbing).is_err(), "{climbing}");
    }
}

/// Whether a path with this value has another shape once it is decoded, one or more times.
fn is_refused(value: &str) -> bool {
    value.contains(['/', '\\', '?', '#', ';', '\r', '\n', '\0', '\u{7f}']) || value.contains("%2e")
}

#[test]
fn no_value_becomes_a_path_however_often_it_is_decoded() {
    for value in [
        "../../admin@x.org",
        "a/b@x.org",
        "..%2F..%2Fadmin@x.org",
        "%252e%252e%252fadmin@x.org",
        "%5c..%5cadmin@x.org",
        "a\\b@x.org",
        "a?admin=1@x.org",
        "a#b@x.org",
        "a;b@x.org",
        "a\tb@x.org",
        "a\u{85}b@x.org",
    ] {
        let error = to("https://app.example/b/{address}", value).unwrap_err();
        assert!(error.text().contains("is not sent in a path"), "{error}");
        assert_eq!(error.remedy_text(), Some("put it in the query: {?address} in place of /{address}"));
        for template in ["https://app.example/b{?address}", "https://app.example/b?x=1&a={address}"] {
            let made = Url::parse(&to(template, value).unwrap()).unwrap();
            assert_eq!(made.path(), "/b", "{made}");
        }
    }
    assert!(to("https://app.example/a%2F..%2Fb/{address}", "x").is_err(), "in the template");
}

#[test]
fn the_template_alone_names_the_host() {
    for template in [
        "{address}",
        "/b/{address}",
        "not a url",
        "tracker.example:18180/b/{address}",
        "ftp://app.example/{address}",
        "HTTPS://app.example/{address}",
        "javascript:alert(1)//{address}",
        "https://{address}/b",
        "https://app.example{address}",
        "https://app.example{&address}",
        "https:///{address}",
        "https://",
        "https://user@app.example/{address}",
        "https://user:word@app.example/{address}",
        "https://app.example/{address}#top",
        "https://app.example:port/{address}",
        "https://app.example/../{address}",
        "https://app.example/a/%2E%2e/{address}",
    ] {
        assert!(UrlTemplate::parse(template, &KNOWN).is_err(), "{template}");
    }
}
