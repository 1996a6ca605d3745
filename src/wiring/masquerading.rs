//! The domain that Postfix puts in the place of another one: `masquerade_domains`.
//!
//! Not here: what follows for mail (`before_transport`, `sent_return_paths`). Invariant: the first
//! element that fits decides.

use super::postconf::Postconf;

/// The domain that replaces this one in addresses of a class, like `envelope_recipient`.
pub(super) fn masqueraded(postconf: &Postconf, class: &str, name: &str) -> Option<String> {
    if !postconf.list("masquerade_classes").iter().any(|one| one == class) {
        return None;
    }
    let above = postconf.list("masquerade_domains");
    let fits = |above: &&String| {
        let above = above.trim_start_matches('!').to_ascii_lowercase();
        name.strip_suffix(&above).is_some_and(|left| left.is_empty() || left.ends_with('.'))
    };
    let first = above.iter().find(fits)?;
    (!first.starts_with('!') && !first.eq_ignore_ascii_case(name)).then(|| first.clone())
}
