//! URI templates (RFC 6570, levels 1 to 3) and the URLs that notifications go to.
//!
//! `https://app.example/bounces/{address}` becomes the URL for one address. The eight operators are known, with lists of
//! variables (`{?reason,status}`); prefixes (`{name:3}`) and explosion (`{name*}`), which only level 4 has, are not. Not
//! here: where the template comes from and whether the host may be connected to. Invariant: values may come from
//! strangers. Whatever they hold, a URL from `url` has the scheme and host of the template and does not climb out of its
//! path; a value under `{…}` is one value, a value under `{+…}` may have slashes in it.

use crate::error::{Error, Result};
use url::Url;

/// What an operator does (RFC 6570 appendix A): what comes first, what stands between, whether names are given, whether
/// an empty value still has its `=`, and whether reserved characters stay as they are.
struct Operator {
    first: &'static str,
    between: &'static str,
    named: bool,
    empty: &'static str,
    reserved: bool,
}

const fn operator(
    first: &'static str,
    between: &'static str,
    named: bool,
    empty: &'static str,
    reserved: bool,
) -> Operator {
    Operator { first, between, named, empty, reserved }
}

const SIMPLE: Operator = operator("", ",", false, "", false);
const RESERVED: Operator = operator("", ",", false, "", true);
const FRAGMENT: Operator = operator("#", ",", false, "", true);
const LABEL: Operator = operator(".", ".", false, "", false);
const SEGMENT: Operator = operator("/", "/", false, "", false);
const PARAMETER: Operator = operator(";", ";", true, "", false);
const QUERY: Operator = operator("?", "&", true, "=", false);
const CONTINUATION: Operator = operator("&", "&", true, "=", false);

/// A template in pieces.
enum Piece<'a> {
    /// Text, as it stands in the result.
    Literal(String),
    /// `{…}`: the whole of it, its operator, its variables.
    Expression(&'a str, &'static Operator, Vec<&'a str>),
}

/// Expands `template` with `values`, as RFC 6570 has it. An error names the variable that has no value, or the piece that
/// is malformed.
pub(crate) fn expand(template: &str, values: &[(&str, &str)]) -> Result<String> {
    let pieces = parse(template).map_err(|why| malformed(template, &why))?;
    let mut expanded = String::with_capacity(template.len() + 64);
    for piece in &pieces {
        match piece {
            Piece::Literal(text) => expanded.push_str(text),
            Piece::Expression(_, operator, names) => {
                for (at, name) in names.iter().enumerate() {
                    let value = look_up(name, values).map_err(|error| error.within(template))?;
                    expanded.push_str(if at == 0 { operator.first } else { operator.between });
                    if operator.named {
                        expanded.push_str(name);
                        expanded.push_str(if value.is_empty() { operator.empty } else { "=" });
                    }
                    encode(value, operator.reserved, &mut expanded);
                }
            }
        }
    }
    Ok(expanded)
}

/// Expands `template` to the URL of a notification: `http` or `https`, scheme and host written out in the template, no
/// user name, no fragment. Values that would lead elsewhere are an error: those that make a path segment `.` or `..`, and
/// those with `?` or `#` under `{+…}`.
pub(crate) fn url(template: &str, values: &[(&str, &str)]) -> Result<String> {
    let expanded = expand(template, values)?;
    let pieces = parse(template).map_err(|why| malformed(template, &why))?;
    let start = match pieces.first() {
        Some(Piece::Literal(text)) => text.as_str(),
        _ => "",
    };
    let written_out = match start.split_once("://") {
        Some(("http" | "https", rest)) => {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            !host.is_empty() && (host.len() < rest.len() || pieces.len() == 1)
        }
        _ => false,
    };
    if !written_out {
        let remedy = "write out scheme and host, with a slash before the first {variable}: https://app.example/{address}";
        return Err(malformed(template, "it does not say which host is meant").remedy(remedy));
    }
    if expanded.contains('#') {
        return Err(malformed(template, "a fragment (#) is never sent"));
    }
    let parsed = Url::parse(&expanded).map_err(|error| malformed(template, &error.to_string()))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(malformed(template, "a user name in a URL is sent to nobody"));
    }
    for piece in &pieces {
        let Piece::Expression(text, operator, names) = piece else { continue };
        for name in names {
            let value = look_up(name, values)?;
            if operator.reserved && value.contains(['?', '#']) {
                let what = format!("{template}: {text}: the value has a `?` or `#` in it");
                return Err(Error::new(what).remedy(format!("write {{{name}}}, which encodes them")));
            }
        }
    }
    let behind_scheme = expanded.split_once("://").map_or("", |(_, rest)| rest);
    let path = behind_scheme.split('?').next().unwrap_or_default();
    if path.split('/').any(is_dots) {
        return Err(malformed(
            template,
            "with these values a path segment is nothing but dots, which leads elsewhere",
        ));
    }
    Ok(expanded)
}

/// The names of the variables of `template`, in order; to be checked before there are values.
pub(crate) fn variables(template: &str) -> Result<Vec<&str>> {
    let pieces = parse(template).map_err(|why| malformed(template, &why))?;
    let names = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Expression(_, _, names) => Some(names),
        Piece::Literal(_) => None,
    });
    Ok(names.flatten().collect())
}

/// `.` or `..`, however they are encoded; also with parameters behind (`..;x`), which some servers take off first.
fn is_dots(segment: &str) -> bool {
    let segment = segment.split(';').next().unwrap_or_default();
    matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

fn malformed(template: &str, why: &str) -> Error {
    Error::new(format_args!("{template}: {why}"))
}

fn look_up<'a>(name: &str, values: &[(&str, &'a str)]) -> Result<&'a str> {
    let found = values.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = values.iter().map(|(known, _)| *known).collect();
        Error::new(format_args!("{{{name}}}: there is no such variable"))
            .remedy(format_args!("the variables are {}", known.join(", ")))
    })
}

fn parse(template: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('{') {
            let end = inside.find('}').ok_or_else(|| format!("`{rest}` has no end"))?;
            pieces.push(expression(&rest[..end + 2], &inside[..end])?);
            rest = &inside[end + 1..];
        } else {
            let end = rest.find('{').unwrap_or(rest.len());
            pieces.push(Piece::Literal(literal(&rest[..end])?));
            rest = &rest[end..];
        }
    }
    Ok(pieces)
}

fn expression<'a>(whole: &'a str, inside: &'a str) -> Result<Piece<'a>, String> {
    let (operator, list) = match inside.chars().next() {
        Some('+') => (&RESERVED, &inside[1..]),
        Some('#') => (&FRAGMENT, &inside[1..]),
        Some('.') => (&LABEL, &inside[1..]),
        Some('/') => (&SEGMENT, &inside[1..]),
        Some(';') => (&PARAMETER, &inside[1..]),
        Some('?') => (&QUERY, &inside[1..]),
        Some('&') => (&CONTINUATION, &inside[1..]),
        _ => (&SIMPLE, inside),
    };
    let names: Vec<&str> = list.split(',').collect();
    for name in &names {
        if name.contains(['*', ':']) {
            return Err(format!("`{whole}`: prefixes and explosion are not supported"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.split('.').all(|part| !part.is_empty() && part.chars().all(plain)) {
            return Err(format!("`{whole}` is not an expression"));
        }
    }
    Ok(Piece::Expression(whole, operator, names))
}

/// RFC 6570 section 2.1: what may stand outside of expressions, encoded where a URI wants it (section 3.1). The
/// apostrophe may (erratum 6937).
fn literal(text: &str) -> Result<String, String> {
    let mut wrong = text.char_indices().filter(|&(at, c)| match c {
        '%' => !is_encoded(&text.as_bytes()[at..]),
        '"' | '<' | '>' | '\\' | '^' | '`' | '|' | '}' => true,
        _ => c == ' ' || c.is_control(),
    });
    match wrong.next() {
        Some((_, c)) => Err(format!("`{}` may not stand in a URL", c.escape_default())),
        None => {
            let mut encoded = String::with_capacity(text.len());
            encode(text, true, &mut encoded);
            Ok(encoded)
        }
    }
}

/// Appends `value`, all but unreserved characters (RFC 3986 section 2.3) as `%XX`. With `reserved`, reserved ones
/// (section 2.2) and what is encoded already stay.
fn encode(value: &str, reserved: bool, to: &mut String) {
    for (at, &octet) in value.as_bytes().iter().enumerate() {
        let stays = octet.is_ascii_alphanumeric()
            || b"-._~".contains(&octet)
            || reserved && b":/?#[]@!$&'()*+,;=".contains(&octet)
            || reserved && octet == b'%' && is_encoded(&value.as_bytes()[at..]);
        if stays {
            to.push(char::from(octet));
        } else {
            to.push('%');
            to.extend(
                [octet >> 4, octet & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])),
            );
        }
    }
}

/// Whether this begins with `%XX`.
fn is_encoded(octets: &[u8]) -> bool {
    matches!(octets, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6570 sections 1.2 and 3.2: variables of the examples.
    const VALUES: [(&str, &str); 14] = [
        ("var", "value"),
        ("hello", "Hello World!"),
        ("path", "/foo/bar"),
        ("empty", ""),
        ("x", "1024"),
        ("y", "768"),
        ("dub", "me/too"),
        ("half", "50%"),
        ("base", "http://example.com/home/"),
        ("who", "fred"),
        ("v", "6"),
        ("semi", ";"),
        ("dom", "example.com"),
        ("a.b_1", "dotted"),
    ];

    #[test]
    fn the_examples_of_the_rfc() {
        for (template, expected) in [
            // Section 1.2, level 1.
            ("{var}", "value"),
            ("{hello}", "Hello%20World%21"),
            // Level 2.
            ("{+var}", "value"),
            ("{+hello}", "Hello%20World!"),
            ("{+path}/here", "/foo/bar/here"),
            ("here?ref={+path}", "here?ref=/foo/bar"),
            ("X{#var}", "X#value"),
            ("X{#hello}", "X#Hello%20World!"),
            // Level 3.
            ("map?{x,y}", "map?1024,768"),
            ("{x,hello,y}", "1024,Hello%20World%21,768"),
            ("{+x,hello,y}", "1024,Hello%20World!,768"),
            ("{+path,x}/here", "/foo/bar,1024/here"),
            ("{#x,hello,y}", "#1024,Hello%20World!,768"),
            ("{#path,x}/here", "#/foo/bar,1024/here"),
            ("X{.var}", "X.value"),
            ("X{.x,y}", "X.1024.768"),
            ("{/var}", "/value"),
            ("{/var,x}/here", "/value/1024/here"),
            ("{;x,y}", ";x=1024;y=768"),
            ("{;x,y,empty}", ";x=1024;y=768;empty"),
            ("{?x,y}", "?x=1024&y=768"),
            ("{?x,y,empty}", "?x=1024&y=768&empty="),
            ("?fixed=yes{&x}", "?fixed=yes&x=1024"),
            ("{&x,y,empty}", "&x=1024&y=768&empty="),
            // Sections 3.2.2 to 3.2.9.
            ("{half}", "50%25"),
            ("O{empty}X", "OX"),
            ("{x,empty}", "1024,"),
            ("?{x,empty}", "?1024,"),
            ("{+half}", "50%25"),
            ("{base}index", "http%3A%2F%2Fexample.com%2Fhome%2Findex"),
            ("{+base}index", "http://example.com/home/index"),
            ("O{+empty}X", "OX"),
            ("up{+path}{var}/here", "up/foo/barvalue/here"),
            ("{#half}", "#50%25"),
            ("foo{#empty}", "foo#"),
            ("{.who}", ".fred"),
            ("{.who,who}", ".fred.fred"),
            ("{.half,who}", ".50%25.fred"),
            ("www{.dom}", "www.example.com"),
            ("X{.empty}", "X."),
            ("{/who}", "/fred"),
            ("{/half,who}", "/50%25/fred"),
            ("{/who,dub}", "/fred/me%2Ftoo"),
            ("{/var,empty}", "/value/"),
            ("{;who}", ";who=fred"),
            ("{;half}", ";half=50%25"),
            ("{;empty}", ";empty"),
            ("{;v,empty,who}", ";v=6;empty;who=fred"),
            ("{?who}", "?who=fred"),
            ("{?half}", "?half=50%25"),
            ("{&who}", "&who=fred"),
            ("{&half}", "&half=50%25"),
            ("{semi}", "%3B"),
            // Literals, and a name with a dot.
            ("{a.b_1}", "dotted"),
            ("", ""),
            ("ü/%C3%bc/~'(x)", "%C3%BC/%C3%bc/~'(x)"),
        ] {
            assert_eq!(expand(template, &VALUES).unwrap(), expected, "{template}");
        }
    }

    #[test]
    fn an_unknown_variable_or_a_malformed_template_is_named() {
        for (template, named) in [
            ("/{nobody}", "{nobody}: there is no such variable"),
            ("/{x,nobody}", "{nobody}: there is no such variable"),
            ("/{x", "`{x` has no end"),
            ("/{}", "`{}` is not an expression"),
            ("/{+}", "`{+}` is not an expression"),
            ("/{x,}", "`{x,}` is not an expression"),
            ("/{x y}", "`{x y}` is not an expression"),
            ("/{{x}}", "`{{x}` is not an expression"),
            ("/{x..y}", "`{x..y}` is not an expression"),
            ("/{=x}", "`{=x}` is not an expression"),
            ("/{ü}", "`{ü}` is not an expression"),
            ("/{x:3}", "`{x:3}`: prefixes and explosion are not supported"),
            ("/{?x*}", "`{?x*}`: prefixes and explosion are not supported"),
            ("/x}", "`}` may not stand"),
            ("/50%", "`%` may not stand"),
            ("/%4", "`%` may not stand"),
            ("/a b", "` ` may not stand"),
            ("/a\r\nHost: b", "`\\r` may not stand"),
            ("/<x>", "`<` may not stand"),
        ] {
            let error = expand(template, &VALUES).unwrap_err();
            assert!(error.text().contains(named) && error.text().starts_with(template), "{error}");
            assert!(url(&format!("https://app.example{template}"), &VALUES).is_err());
        }
        let error = expand("{z}", &VALUES[..2]).unwrap_err();
        assert_eq!(error.remedy_text(), Some("the variables are var, hello"));
        assert_eq!(variables("https://a.b/{x}{?y,nobody}").unwrap(), ["x", "y", "nobody"]);
        assert!(variables("{x").is_err());
    }

    fn to(template: &str, value: &str) -> Result<String> {
        url(template, &[("address", value), ("reason", "user-unknown")])
    }

    #[test]
    fn a_url_is_what_the_template_says_with_a_value_in_it() {
        for (template, expected) in [
            ("https://app.example/b/{address}", "https://app.example/b/o%27neil%2Bx%40example.org"),
            ("https://app.example/b/{+address}/x", "https://app.example/b/o'neil+x@example.org/x"),
            ("https://app.example/b{?address}", "https://app.example/b?address=o%27neil%2Bx%40example.org"),
            ("https://app.example:8443?a={address}", "https://app.example:8443?a=o%27neil%2Bx%40example.org"),
            ("https://app.example/b", "https://app.example/b"),
            ("https://app.example?a=/../b", "https://app.example?a=/../b"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(to(template, "o'neil+x@example.org").unwrap(), expected);
        }
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
                ["https://app.example/b/{address}/end", "https://app.example/b{/address}/end?x={reason}"]
            {
                match to(template, value) {
                    Ok(made) => {
                        let parsed = Url::parse(&made).unwrap();
                        let segments: Vec<&str> = parsed.path_segments().unwrap().collect();
                        assert_eq!(parsed.host_str(), Some("app.example"));
                        assert_eq!((segments.len(), segments[0], segments[2]), (3, "b", "end"), "{made}");
                        assert_eq!(parsed.query().is_some(), template.contains('?'));
                        assert!(
                            made.is_ascii() && !made.contains(|c: char| c.is_ascii_control() || c == ' ')
                        );
                    }
                    Err(error) => {
                        assert!(value == "." || value == "..", "{value}");
                        assert!(error.text().contains("nothing but dots"), "{error}");
                    }
                }
            }
            let query = to("https://app.example/b{?address}{&reason}", value).unwrap();
            let pairs: Vec<_> = Url::parse(&query).unwrap().query_pairs().into_owned().collect();
            assert_eq!(pairs[0], ("address".into(), value.to_owned()));
            assert_eq!((pairs.len(), pairs[1].1.as_str()), (2, "user-unknown"));
            if let Ok(made) = to("https://app.example/b/{+address}", value) {
                let parsed = Url::parse(&made).unwrap();
                assert_eq!((parsed.host_str(), parsed.query()), (Some("app.example"), None));
                assert!(parsed.path().starts_with("/b/"), "{made}");
            }
        }
        for climbing in ["..", "../admin", "x/..", "x/%2E./y", "..;/admin", "./x"] {
            assert!(to("https://app.example/b/{+address}", climbing).is_err(), "{climbing}");
        }
        let error = to("https://app.example/{+address}", "a?b@example.org").unwrap_err();
        assert!(error.text().contains("{+address}") && error.remedy_text().unwrap().contains("{address}"));
    }

    #[test]
    fn the_template_alone_says_which_host_is_meant() {
        for template in [
            "{+address}",
            "{address}",
            "/b/{address}",
            "ftp://app.example/{address}",
            "HTTPS://app.example/{address}",
            "javascript:alert(1)//{address}",
            "https://{address}/b",
            "https://app.example{address}",
            "https://app.example{.address}/b",
            "https://app{/address}",
            "https:///{address}",
            "https://",
            "https://user@app.example/{address}",
            "https://user:word@app.example/{address}",
            "https://app.example/{address}#top",
            "https://app.example/x{#address}",
            "https://app.example:port/{address}",
            "https://app.example/../{address}",
            "https://app.example/a/%2E%2e/{address}",
        ] {
            assert!(to(template, "joe@example.org").is_err(), "{template}");
        }
    }
}
