//! The maps that can be looked up, and what they say about a key.
//!
//! | map | key | value |
//! |---|---|---|
//! | `suppressed` | a recipient | an action of access(5), if no sender may send to it |
//! | `suppressed/shop.example` | a recipient | the same for mail of this sender domain |
//! | `verp/app.example` | `…+user=domain@app.example` | the return path signed for `user@domain` |
//! | `return-path` | a recipient | the return path signed for it |
//!
//! Not here: netstrings and connections. Invariant: a key that a map does not know is not found,
//! and a map that does not exist is refused; only a fault of ours is temporary.

use super::access_answer::AccessAnswer;
use super::asked_address::listed;
use crate::clock;
use crate::config::{Config, ReturnPaths};
use crate::error::{Error, Result};
use crate::mailbox_syntax::{is_domain, is_mailbox, normal_domain, split_address, undotted};
use crate::policy::session_facts::Stage;
use crate::return_path::day;
use crate::store::SuppressionReader;

#[derive(Debug)]
pub(super) enum LookedUp {
    Found(String),
    NotFound,
    /// It can be looked up later.
    Temporary(Error),
    /// It cannot be looked up, because of the config of one side.
    Permanent(String),
}

const NO_MAP: &str = "there is no map of this name";

/// What a map says about a key.
pub(super) fn look_up(map: &str, key: &str, config: &Config, list: &SuppressionReader) -> LookedUp {
    let (kind, domain) = map.split_once('/').unwrap_or((map, ""));
    let (domain, key) = (undotted(domain), undotted(key));
    if !domain.is_empty() && !is_domain(domain) {
        return LookedUp::Permanent(NO_MAP.to_owned());
    }
    match (kind, domain) {
        ("suppressed", domain) => match suppressed(key, &normal_domain(domain), config, list) {
            Ok(found) => found.map_or(LookedUp::NotFound, LookedUp::Found),
            Err(error) => LookedUp::Temporary(error),
        },
        // Postfix looks up what it has found, until nothing is found.
        ("verp", domain) if !domain.is_empty() && config.return_paths.is_signed(key) => LookedUp::NotFound,
        ("verp", domain) if !domain.is_empty() => match named_recipient(key, domain) {
            Some(recipient) => signed(&recipient, &config.return_paths),
            None => LookedUp::NotFound,
        },
        ("return-path", "") if is_mailbox(key) => signed(key, &config.return_paths),
        ("return-path", "") => LookedUp::NotFound,
        _ => LookedUp::Permanent(NO_MAP.to_owned()),
    }
}

fn suppressed(key: &str, domain: &str, config: &Config, list: &SuppressionReader) -> Result<Option<String>> {
    let Some(address) = listed(key) else { return Ok(None) };
    let (sender_domain, mail) = config.access.get()?.of(domain);
    let asked = [(address, sender_domain)];
    let entry = list.first_of_each(&asked, clock::now_ms())?.pop().flatten();
    let answer = entry.map(|entry| AccessAnswer::of_suppressed(mail, entry.given_reason(), Stage::Rcpt));
    Ok(answer.and_then(AccessAnswer::map_value))
}

fn signed(recipient: &str, paths: &ReturnPaths) -> LookedUp {
    if !paths.has_keys() {
        return LookedUp::Permanent("[verp] keys: there is no key to sign return paths with".to_owned());
    }
    paths.sign(recipient, day(clock::now_ms())).map_or(LookedUp::NotFound, LookedUp::Found)
}

/// `joe@example.org` in `bounces+joe=example.org@app.example`, as programs write that do not sign.
fn named_recipient(sender: &str, domain: &str) -> Option<String> {
    let (local, of) = split_address(sender)?;
    let (_, about) = local.split_once('+').filter(|_| of.eq_ignore_ascii_case(domain))?;
    let (user, host) = about.rsplit_once('=')?;
    Some(format!("{user}@{host}")).filter(|recipient| is_mailbox(recipient))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_names_its_recipient_after_the_first_plus() {
        for (sender, recipient) in [
            ("bounces+joe=example.org@app.example", Some("joe@example.org")),
            ("b+joe+news=example.org@APP.example", Some("joe+news@example.org")),
            ("b+a=b=example.org@app.example", Some("a=b@example.org")),
            ("bounces@app.example", None),
            ("b+joe@app.example", None),
            ("b+=example.org@app.example", None),
            ("b+joe=@app.example", None),
            ("b+joe=example.org@other.example", None),
            ("b+joe=exa mple.org@app.example", None),
            ("", None),
        ] {
            assert_eq!(named_recipient(sender, "app.example").as_deref(), recipient, "{sender}");
        }
    }
}
