//! The URL of a notification, with variables: `https://app.example/bounces/{address}{?event}`.
//!
//! Three expressions of RFC 6570 are supported: `{name}` (the value, percent-encoded), `{?name,…}`
//! (a query) and `{&name,…}` (more of a query). The operators `+ # . / ;`, prefixes (`{name:3}`)
//! and explosion (`{name*}`) are not. Invariants: values may come from strangers. Whatever they
//! contain, the URL has the scheme and host of the template, and each value is one path segment or
//! one query parameter. A value that would be more than one segment if a server on the way decoded
//! the path, once or twice, is refused in a path.

use crate::error::{Error, Result};
use crate::text::name_or_dots;
use url::Url;

/// In place of what may be secret.
const HIDDEN: &str = "…";

#[derive(Clone, Debug)]
pub(crate) struct UrlTemplate {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Literal(String),
    Value(String),
    /// `?` or `&`, and the names of the parameters.
    Query(char, Vec<String>),
}

impl UrlTemplate {
    /// A template with some of the variables in `known`.
    pub(crate) fn parse(text: &str, known: &[&str]) -> Result<UrlTemplate> {
        let pieces = pieces(text, known).map_err(|error| error.within(shown(text)))?;
        let template = UrlTemplate { text: text.to_owned(), pieces };
        template.check_host()?;
        let url = Url::parse(&template.sample(known)?).map_err(|error| template.wrong(error))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(template.wrong("URLs with user names are not allowed").remedy("remove `user@`"));
        }
        if url.port() == Some(0) {
            return Err(template.wrong("nothing listens on port 0").remedy("correct the port, or remove it"));
        }
        if url.fragment().is_some() {
            return Err(template.wrong("a fragment is never sent").remedy("remove `#` and what follows"));
        }
        Ok(template)
    }

    /// The URL with some value for each of these variables.
    pub(crate) fn sample(&self, known: &[&str]) -> Result<String> {
        let values: Vec<(&str, &str)> = known.iter().map(|name| (*name, "x")).collect();
        self.fill(&values)
    }

    /// The URL for these values; each variable needs one. An error if a value in the path leads
    /// elsewhere, or could once it is decoded.
    pub(crate) fn fill(&self, values: &[(&str, &str)]) -> Result<String> {
        let value = |name: &str| {
            let found = values.iter().find(|(known, _)| *known == name);
            found
                .map(|(_, value)| *value)
                .ok_or_else(|| unknown(name, values.iter().map(|(known, _)| *known)))
        };
        let mut url = String::with_capacity(self.text.len() + 64);
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => url.push_str(text),
                Piece::Value(name) => {
                    let value = value(name)?;
                    if !url.contains('?') {
                        self.check_segment(name, value)?;
                    }
                    encode(value, false, &mut url);
                }
                Piece::Query(mark, names) => {
                    for (at, name) in names.iter().enumerate() {
                        url.push(if at == 0 { *mark } else { '&' });
                        url.push_str(name);
                        url.push('=');
                        encode(value(name)?, false, &mut url);
                    }
                }
            }
        }
        let path = url.split_once("://").and_then(|(_, rest)| rest.split('?').next());
        let path = path.unwrap_or_default().to_ascii_lowercase().replace("%2f", "/").replace("%5c", "/");
        if path.split('/').any(is_dots) {
            return Err(self.wrong("a path segment of dots leads elsewhere"));
        }
        Ok(url)
    }

    /// A value in the path is a part of one segment, also for servers that decode it before they
    /// split the path.
    fn check_segment(&self, name: &str, value: &str) -> Result<()> {
        let octets = value.as_bytes();
        let leads_on = |c: char| matches!(c, '/' | '\\' | '?' | '#' | ';') || c.is_control();
        let is_encoded = (0..octets.len()).any(|at| is_encoded(&octets[at..]));
        if !value.contains(leads_on) && !is_encoded {
            return Ok(());
        }
        let what = format!("the value of {{{name}}} is not sent in a path: {}", value.escape_debug());
        Err(self.wrong(what).remedy(format_args!("put it in the query: {{?{name}}} in place of /{{{name}}}")))
    }

    /// Scheme and host are written out, and a variable cannot extend the host.
    fn check_host(&self) -> Result<()> {
        let start = match self.pieces.first() {
            Some(Piece::Literal(text)) => text.as_str(),
            _ => "",
        };
        let (scheme, rest) = start.split_once("://").unwrap_or(("", start));
        if !is_web(scheme) {
            let what = match scheme {
                "" => "the URL does not begin with https://",
                "ftp" => "ftp is not http or https, and carom speaks only those",
                _ => "its scheme is not http or https, and carom speaks only those",
            };
            return Err(self.wrong(what).remedy("begin it with https://, as https://app.example/{address}"));
        }
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let ends = host.len() < rest.len() || matches!(self.pieces.get(1), None | Some(Piece::Query('?', _)));
        let written_out = !host.is_empty() && ends;
        let remedy =
            "write scheme, host and a slash before the first variable: https://app.example/{address}";
        written_out.then_some(()).ok_or_else(|| self.wrong("the URL does not name its host").remedy(remedy))
    }

    fn wrong(&self, why: impl std::fmt::Display) -> Error {
        Error::new(format_args!("{}: {why}", shown(&self.text)))
    }
}

/// A URL or a template as logs and errors show it: its scheme and its host. All else may be a
/// password or a token, and the path too: of some services it is all that a caller has to know.
pub(crate) fn shown(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| is_web(scheme)) else {
        return HIDDEN.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#', '{']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let has_port = host.rsplit_once(':').is_none_or(|(_, port)| port.ends_with(']') || is_port(port));
    // A password may have a slash in it.
    let host = if path.contains('@') || !has_port { HIDDEN } else { host };
    let path = if path.is_empty() { "" } else { "/…" };
    format!("{scheme}://{host}{path}")
}

fn is_web(scheme: &str) -> bool {
    matches!(scheme, "http" | "https")
}

fn pieces(text: &str, known: &[&str]) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('{') {
            let end = inside
                .find('}')
                .ok_or_else(|| Error::new("a variable is not closed").remedy("add the missing `}`"))?;
            pieces.push(expression(&inside[..end], known)?);
            rest = &inside[end + 1..];
        } else {
            let end = rest.find('{').unwrap_or(rest.len());
            pieces.push(literal(&rest[..end])?);
            rest = &rest[end..];
        }
    }
    Ok(pieces)
}

fn expression(inside: &str, known: &[&str]) -> Result<Piece> {
    let (mark, list) = match inside.chars().next() {
        Some(mark @ ('?' | '&')) => (Some(mark), &inside[1..]),
        _ => (None, inside),
    };
    let names: Vec<String> = list.split(',').map(str::to_owned).collect();
    let is_name =
        |name: &String| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !names.iter().all(is_name) || (mark.is_none() && names.len() > 1) {
        let remedy = "use {name}, {?name} or {&name}; several names are separated by commas after ? or &";
        return Err(
            Error::new(format_args!("`{{{}}}` is not supported", name_or_dots(inside))).remedy(remedy)
        );
    }
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(unknown(name, known.iter().copied()));
    }
    Ok(match mark {
        Some(mark) => Piece::Query(mark, names),
        None => Piece::Value(list.to_owned()),
    })
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let known: Vec<String> = known.map(|name| format!("{{{name}}}")).collect();
    Error::new(format_args!("unknown variable {{{}}}", name_or_dots(name)))
        .remedy(format_args!("use {}", known.join(", ")))
}

/// What RFC 6570 section 2.1 allows outside of expressions, and the apostrophe (erratum 6937).
fn literal(text: &str) -> Result<Piece> {
    let mut wrong = text.char_indices().filter(|&(at, c)| match c {
        '%' => !is_encoded(&text.as_bytes()[at..]),
        '"' | '<' | '>' | '\\' | '^' | '`' | '|' | '}' => true,
        _ => c == ' ' || c.is_control(),
    });
    if let Some((_, c)) = wrong.next() {
        let what = format!("`{}` is not allowed in a URL", c.escape_default());
        return Err(Error::new(what).remedy("remove it, or write it percent-encoded (%20 for a space)"));
    }
    let mut encoded = String::with_capacity(text.len());
    encode(text, true, &mut encoded);
    Ok(Piece::Literal(encoded))
}

/// Appends `text`, with everything but unreserved characters (RFC 3986 section 2.3) as `%XX`. In a
/// literal, reserved characters (section 2.2) and what is encoded already stay.
fn encode(text: &str, is_literal: bool, to: &mut String) {
    for (at, &octet) in text.as_bytes().iter().enumerate() {
        let stays = octet.is_ascii_alphanumeric()
            || b"-._~".contains(&octet)
            || is_literal && b":/?#[]@!$&'()*+,;=".contains(&octet)
            || is_literal && is_encoded(&text.as_bytes()[at..]);
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

/// A value as it is in the URL of a notification.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    encode(text, false, &mut encoded);
    encoded
}

/// Whether this begins with `%XX`.
fn is_encoded(octets: &[u8]) -> bool {
    matches!(octets, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// `.` or `..`, however encoded, and also with parameters (`..;x`), which some servers remove
/// first.
fn is_dots(segment: &str) -> bool {
    let segment = segment.split(';').next().unwrap_or_default();
    matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

#[cfg(test)]
mod tests;
