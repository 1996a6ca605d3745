//! Whether a list of domains in main.cf has a domain: by name, in a table, or in a file.
//!
//! Not here: tables of addresses (`lookup_order`). Invariant: the first element that fits decides,
//! and one after `!` leaves a domain out.

use super::list_value::without;
use super::postconf::Postconf;
use crate::files::regular;
use std::path::Path;

/// Lists in which an element can be for the hosts below a domain. Others know whole names only.
const WITH_HOSTS: [&str; 1] = ["relay_domains"];
/// A file of domains is not larger.
const LARGEST: u64 = 16 << 20;
/// Files that name each other are followed this far.
const DEEPEST: usize = 4;

/// Whether the list has this domain.
pub(super) fn lists(postconf: &Postconf, parameter: &str, domain: &str) -> bool {
    let with_hosts = WITH_HOSTS.contains(&parameter);
    let parent = postconf.matches_subdomains(parameter);
    let fits = |element: &str| match element.contains(':') {
        true => {
            let keys = domains(domain, parent).take(if with_hosts { usize::MAX } else { 1 });
            keys.into_iter().any(|key| postconf.look_up(element, &key).is_some())
        }
        false => names(element, domain, with_hosts, parent),
    };
    let elements = postconf.list(parameter).into_iter().map(|element| (element, false));
    let elements = elements.flat_map(|(element, is_out)| whole(&element, is_out, DEEPEST));
    elements.into_iter().find(|(element, _)| fits(element)).is_some_and(|(_, is_out)| !is_out)
}

/// A domain and those above it. `parent`: without a dot before them.
pub(super) fn domains(domain: &str, parent: bool) -> impl Iterator<Item = String> {
    let above = domain.match_indices('.').map(move |(at, _)| domain[at + usize::from(parent)..].to_owned());
    std::iter::once(domain.to_owned()).chain(above)
}

fn names(element: &str, domain: &str, with_hosts: bool, parent: bool) -> bool {
    let (element, domain) = (element.to_ascii_lowercase(), domain.to_ascii_lowercase());
    let is_above = |element: &str| domain.strip_suffix(element).is_some_and(|left| left.ends_with('.'));
    match element.strip_prefix('.') {
        Some(above) => with_hosts && is_above(above),
        None => element == domain || with_hosts && parent && is_above(&element),
    }
}

/// An element, or those in the file that it names, and whether they leave domains out.
fn whole(element: &str, is_out: bool, depth: usize) -> Vec<(String, bool)> {
    let bare = element.trim_start_matches('!');
    let is_out = is_out ^ ((element.len() - bare.len()) % 2 == 1);
    if !bare.starts_with('/') || depth == 0 {
        return vec![(bare.to_owned(), is_out)];
    }
    let text = regular::read_text(Path::new(bare), LARGEST).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let elements = lines.flat_map(|line| without(line, &[]));
    elements.flat_map(|element| whole(&element, is_out, depth - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_hosts_below_it_only_where_postfix_takes_it_so() {
        let in_relay_domains = |element: &str, parent| names(element, "a.B.example", true, parent);
        assert!(in_relay_domains("A.b.example", false) && in_relay_domains("b.example", true));
        assert!(!in_relay_domains("b.example", false) && in_relay_domains(".b.example", false));
        assert!(!in_relay_domains(".a.b.example", true) && !in_relay_domains("x.a.b.example", true));
        assert!(
            !names("b.example", "a.b.example", false, true)
                && !names(".b.example", "a.b.example", false, true)
        );
    }

    #[test]
    fn a_file_is_read_as_if_its_domains_were_written_there() {
        let file = std::env::temp_dir().join(format!("carom-domains-{:x}", fastrand::u64(..)));
        std::fs::write(&file, "# ours\na.example, b.example\n!c.example\n").unwrap();
        let shown = |element: &str| {
            let found = whole(element, false, 1).into_iter();
            found.map(|(name, is_out)| format!("{}{name}", if is_out { "!" } else { "" })).collect::<Vec<_>>()
        };
        let name = file.display().to_string();
        assert_eq!(shown(&name), ["a.example", "b.example", "!c.example"]);
        assert_eq!(shown(&format!("!{name}")), ["!a.example", "!b.example", "c.example"]);
        assert!(shown("/no/such/file").is_empty());
        std::fs::remove_file(&file).unwrap();
    }
}
