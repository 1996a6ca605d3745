//! An example of a rule as the reply that the provider sends: without what a log puts beside it, and
//! with names to be filled in where the example has some of nobody.
//!
//! Not here: what it means (`build`). Invariant: a reply that a log shows in one line has the lines
//! that the provider sends.

use crate::reply::Reply;

/// About as long as the lines of providers that give several.
const WIDTH: usize = 70;

/// Domains of nobody, which stand for somebody's.
const DOMAINS: [&str; 4] = ["example.org", "example.com", "example.it", "example"];

pub struct ExampleReply {
    pub reply: Reply,
    /// The stage that the log shows, if it does: `Rcpt` or `Data`.
    pub stage: Option<&'static str>,
}

impl ExampleReply {
    /// `None`: it is no reply in ASCII.
    pub fn read(example: &str) -> Option<ExampleReply> {
        let example = example.replace(['\r', '\n'], " ");
        let (said, stage) = match example.split_once(" (in reply to ") {
            Some((said, command)) if command.contains("DATA") => (said, Some("Data")),
            Some((said, _)) => (said, Some("Rcpt")),
            None => (&*example, None),
        };
        let reply = Reply::read(said).filter(|reply| reply.text.is_ascii())?;
        let goes_on = said[3..].starts_with('-') && !has_lines(&reply);
        let reply = if goes_on { broken(reply) } else { reply };
        Some(ExampleReply { reply, stage })
    }
}

/// As mail servers log what they hear: `550-5.1.1 no such 550 5.1.1 user`.
pub fn logged(reply: &Reply) -> String {
    let Reply { code, status, text } = reply;
    format!("{code}{}{status} {text}", if has_lines(reply) { '-' } else { ' ' })
}

/// Whether it has more lines than one.
fn has_lines(reply: &Reply) -> bool {
    let Reply { code, status, text } = reply;
    text.contains(&format!(" {code} {status} "))
}

/// The log shows that the reply has more lines than one, and not where they end: each sentence
/// begins a line.
fn broken(reply: Reply) -> Reply {
    let text = reply.text.clone();
    let mut lines = Vec::new();
    for mut rest in text.split_inclusive(". ").map(str::trim_end) {
        while rest.len() > WIDTH {
            let Some(end) = rest[..WIDTH].rfind(' ') else { break };
            lines.push(&rest[..end]);
            rest = &rest[end + 1..];
        }
        lines.push(rest);
    }
    reply.saying(&lines)
}

/// The text with macros for names of nobody: those of the recipient, or of the sender if the reply is
/// about that.
pub fn with_macros(text: &str, about_sender: bool) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "@.-".contains(c);
    let mut filled = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len()).max(1);
        let name = rest[..end].trim_end_matches('.');
        filled.push_str(&in_macros(name, about_sender).unwrap_or_else(|| name.to_owned()));
        filled.push_str(&rest[name.len()..end]);
        rest = &rest[end..];
    }
    filled
}

/// An address or a host of nobody.
fn in_macros(name: &str, about_sender: bool) -> Option<String> {
    let (local, host) = name.rsplit_once('@').map_or((None, name), |(local, host)| (Some(local), host));
    let host = host.to_ascii_lowercase();
    let below = DOMAINS.iter().find_map(|domain| host.strip_suffix(domain))?;
    let is_domain = below.is_empty() && host != "example";
    match (local, below.strip_suffix('.')) {
        (Some("a"), None) if is_domain && about_sender => Some("<ORIG>".into()),
        (Some("a"), None) if is_domain => Some("<RCPT_USER>@<RCPT_DOMAIN>".into()),
        (None, None) if is_domain && about_sender => Some("<ORIG_DOMAIN>".into()),
        (None, None) if is_domain => Some("<RCPT_DOMAIN>".into()),
        (None, Some("mail")) if host == "mail.example" => Some("<RCPT_DOMAIN>".into()),
        (None, Some("mx" | "mx1" | "mta1")) => Some("<RCPT_SERVER>".into()),
        (local, Some(below)) => {
            let local = local.map_or(String::new(), |local| format!("{local}@"));
            Some(format!("{local}{below}.<RCPT_DOMAIN>"))
        }
        _ => None,
    }
}
