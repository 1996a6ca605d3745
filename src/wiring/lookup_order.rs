//! The keys by which Postfix looks an address up in its tables, in its order: transport(5),
//! canonical(5) and virtual(5), access(5).
//!
//! Not here: what a result means (`domain_findings`, `before_transport`, `strangers_mail`).
//! Invariant: tables of patterns are asked about whole addresses only, as Postfix asks them.

use super::domain_list::{domains, lists};
use super::postconf::Postconf;

/// Types of tables that are asked about whole keys only.
const PATTERNS: [&str; 5] = ["cidr", "pcre", "regexp", "socketmap", "tcp"];
/// Tables within these have the type that counts.
const AROUND: [&str; 4] = ["proxy", "pipemap", "randmap", "unionmap"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LookupOrder {
    /// `transport_maps`.
    Transport,
    /// Tables that replace or list addresses: `virtual_alias_maps`, `relay_recipient_maps`.
    Address,
    /// `check_recipient_access`.
    Access,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LookupKey {
    pub(super) text: String,
    /// The whole of what is looked up: tables of patterns are asked about it.
    pub(super) is_whole: bool,
}

/// What a table says.
#[derive(Debug)]
pub(super) struct TableEntry {
    pub(super) table: String,
    pub(super) key: LookupKey,
    pub(super) value: String,
}

impl TableEntry {
    /// Whether it is found by a pattern.
    pub(super) fn is_pattern(&self) -> bool {
        has_patterns(&self.table)
    }

    /// A dollar sign as this table is written: in main.cf itself, there are two.
    pub(super) fn dollar(&self) -> &'static str {
        if self.table.contains('{') { "$$" } else { "$" }
    }
}

/// Whether a table is one of patterns.
pub(super) fn has_patterns(table: &str) -> bool {
    let (kind, rest) = table.split_once(':').unwrap_or((table, ""));
    match AROUND.contains(&kind) {
        true => PATTERNS.iter().any(|one| rest.contains(&format!("{one}:"))),
        false => PATTERNS.contains(&kind),
    }
}

/// What the first table says that knows a key of the address: a key is looked up in all tables
/// before the next one is.
pub(super) fn find(
    postconf: &Postconf,
    order: LookupOrder,
    tables: &[String],
    address: &str,
) -> Option<TableEntry> {
    if tables.is_empty() {
        return None;
    }
    first(postconf, tables, keys(postconf, order, address))
}

/// The same for other keys.
pub(super) fn first(postconf: &Postconf, tables: &[String], keys: Vec<LookupKey>) -> Option<TableEntry> {
    for key in keys {
        let mut asked = tables.iter().filter(|table| key.is_whole || !has_patterns(table));
        let found = asked.find_map(|table| Some((table, postconf.look_up(table, &key.text)?)));
        if let Some((table, value)) = found {
            return Some(TableEntry { table: table.clone(), key, value });
        }
    }
    None
}

fn keys(postconf: &Postconf, order: LookupOrder, address: &str) -> Vec<LookupKey> {
    let delimiters = postconf.expanded("recipient_delimiter").unwrap_or_default();
    let parent = match order {
        LookupOrder::Transport => postconf.matches_subdomains("transport_maps"),
        _ => postconf.matches_subdomains("smtpd_access_maps"),
    };
    let is_local =
        |domain: &str| ["myorigin", "mydestination"].iter().any(|list| lists(postconf, list, domain));
    keys_of(order, address, &delimiters, parent, is_local)
}

/// `parent`: a domain is an entry for the hosts below it too, without a dot before it.
fn keys_of(
    order: LookupOrder,
    address: &str,
    delimiters: &str,
    parent: bool,
    is_local: impl Fn(&str) -> bool,
) -> Vec<LookupKey> {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let bare = without_extension(local, delimiters);
    let part = |text: String| LookupKey { text, is_whole: false };
    let mut keys = vec![LookupKey { text: address.to_owned(), is_whole: true }];
    keys.extend(bare.map(|bare| part(format!("{bare}@{domain}"))));
    let locals = || [Some(local), bare].into_iter().flatten();
    match order {
        LookupOrder::Transport => {
            keys.extend(domains(domain, parent).map(part));
            keys.push(part("*".to_owned()));
        }
        LookupOrder::Address => {
            keys.extend(locals().filter(|_| is_local(domain)).map(|one| part(one.to_owned())));
            keys.push(part(format!("@{domain}")));
        }
        LookupOrder::Access => {
            keys.extend(domains(domain, parent).map(part));
            keys.extend(locals().map(|one| part(format!("{one}@"))));
            // Postfix looks up one of the two forms; an entry in the other one is meant to work.
            keys.extend(domains(domain, !parent).skip(1).map(part));
            keys.push(part(format!(".{domain}")));
        }
    }
    keys
}

/// The local part before `recipient_delimiter`, if it has an extension.
fn without_extension<'a>(local: &'a str, delimiters: &str) -> Option<&'a str> {
    let lower = local.to_ascii_lowercase();
    let is_own = ["mailer-daemon", "postmaster", "double-bounce"].contains(&lower.as_str());
    let is_of_list = delimiters.contains('-') && (lower.starts_with("owner-") || lower.ends_with("-request"));
    let at = local.find(|letter| delimiters.contains(letter)).filter(|at| *at > 0)?;
    (!is_own && !is_of_list).then(|| &local[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(order: LookupOrder, address: &str, delimiters: &str, parent: bool) -> String {
        let keys = keys_of(order, address, delimiters, parent, |_| false);
        let shown = keys.iter().map(|key| format!("{}{}", key.text, if key.is_whole { "!" } else { "" }));
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn keys_come_in_the_order_of_the_manual() {
        let signed = "b+1-x=y@b.a.example";
        assert_eq!(
            shown(LookupOrder::Transport, signed, "+", false),
            "b+1-x=y@b.a.example! b@b.a.example b.a.example .a.example .example *"
        );
        assert_eq!(
            shown(LookupOrder::Transport, signed, "", true),
            "b+1-x=y@b.a.example! b.a.example a.example example *"
        );
        assert_eq!(
            shown(LookupOrder::Address, signed, "-+", true),
            "b+1-x=y@b.a.example! b@b.a.example @b.a.example"
        );
        assert!(
            shown(LookupOrder::Access, signed, "+", true)
                .starts_with("b+1-x=y@b.a.example! b@b.a.example b.a.example a.example example b+1-x=y@ b@ ")
        );
        let local = keys_of(LookupOrder::Address, "b+x@a.example", "+", true, |_| true);
        let local: Vec<&str> = local.iter().map(|key| key.text.as_str()).collect();
        assert_eq!(local, ["b+x@a.example", "b@a.example", "b+x", "b", "@a.example"]);
    }

    #[test]
    fn an_extension_is_what_follows_the_first_delimiter() {
        assert_eq!(without_extension("b+1-x", "-+"), Some("b"));
        for (local, delimiters) in [
            ("b+1", ""),
            ("b", "+"),
            ("+b", "+"),
            ("mailer-daemon", "-"),
            ("owner-x", "-"),
            ("x-request", "-"),
        ] {
            assert_eq!(without_extension(local, delimiters), None, "{local}");
        }
    }

    #[test]
    fn tables_of_patterns_are_known_in_others_too() {
        for table in ["regexp:/x", "proxy:pcre:/x", "unionmap:{hash:/a, regexp:/b}"] {
            assert!(has_patterns(table), "{table}");
        }
        for table in
            ["hash:/x", "static:x", "inline:{ {a=regexp:x} }", "proxy:mysql:/x", "pipemap:{hash:/a,hash:/b}"]
        {
            assert!(!has_patterns(table), "{table}");
        }
    }
}
