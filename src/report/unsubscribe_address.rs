//! Addresses that a mail goes to in order to unsubscribe, and what they name.
//!
//! Not here: the words of the mail (`unsubscribe_words`). Invariant: a word counts only between
//! separators, as `unsubscribers@` is another mailbox.

/// Parts of addresses that are for nothing else.
const ADDRESSES: &[&str] = &[
    "unsubscribe",
    "unsubscribes",
    "unsubscription",
    "unsub",
    "optout",
    "opt-out",
    "opt_out",
    "listunsubscribe",
    "signoff",
    "abmelden",
    "abmeldung",
    "abbestellen",
    "desabonnement",
    "desabonner",
    "desinscription",
    "disiscrizione",
    "uitschrijven",
    "afmelden",
    "avregistrera",
    "afmeld",
    "avmeld",
    "odhlasit",
    "wypisz",
    "leiratkozas",
    "dezabonare",
    "descadastrar",
];
/// Parts of addresses that are for it if the rest fits.
const LIKELY_ADDRESSES: &[&str] = &["leave", "remove", "removeme", "baja", "bajas", "removal", "stop"];
/// How the addresses of list managers begin.
const MANAGERS: &[&str] = &["listserv", "majordomo", "sympa", "listproc", "lyris", "ecartis", "mlmmj"];

/// Whether an address may be one for unsubscribing.
pub(crate) fn is_address(address: &str) -> bool {
    let whole = |end: usize, local: &str| local.len() == end && LIKELY_ADDRESSES.contains(&local);
    let local = local_part(address);
    is_clear_address(address) || end_of(LIKELY_ADDRESSES, &local).is_some_and(|end| !whole(end, &local))
}

/// Whether an address is for nothing else.
pub(crate) fn is_clear_address(address: &str) -> bool {
    end_of(ADDRESSES, &local_part(address)).is_some()
}

/// Whether an address takes commands to a list manager.
pub(crate) fn is_manager(address: &str) -> bool {
    let local = local_part(address);
    MANAGERS.iter().any(|name| local.starts_with(name)) || local.ends_with("-request")
}

/// What an address names after the word: `unsubscribe+token@`, `news-unsubscribe-token@`.
pub(crate) fn token_in_address(address: &str) -> Option<String> {
    let local = local_part(address);
    let end = end_of(ADDRESSES, &local).or_else(|| end_of(LIKELY_ADDRESSES, &local))?;
    address.get(end + 1..local.len()).filter(|token| !token.is_empty()).map(str::to_owned)
}

/// In small letters.
fn local_part(address: &str) -> String {
    address.rsplit_once('@').map_or("", |(local, _)| local).to_ascii_lowercase()
}

/// Where one of the words ends in a local part that has it between separators.
fn end_of(words: &[&str], local: &str) -> Option<usize> {
    let separates = |c: Option<char>| c.is_none_or(|c| "+-_.=".contains(c));
    let at = |word: &&str| {
        let mut places = local.match_indices(word).map(|(start, _)| (start, start + word.len()));
        places.find(|(start, end)| {
            separates(local[..*start].chars().next_back()) && separates(local[*end..].chars().next())
        })
    };
    words.iter().find_map(at).map(|(_, end)| end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_the_word_as_a_part() {
        for (address, token) in [
            ("unsubscribe@x.example", None),
            ("news-unsubscribe@x.example", None),
            ("unsubscribe+a-1@x.example", Some("a-1")),
            ("leave-77b-news@x.example", Some("77b-news")),
            ("opt-out_7@x.example", Some("7")),
        ] {
            assert!(is_address(address), "{address}");
            assert_eq!(token_in_address(address).as_deref(), token, "{address}");
        }
        for address in
            ["unsubscribers@x.example", "leave@x.example", "removes@x.example", "a@unsubscribe.example"]
        {
            assert!(!is_address(address), "{address}");
        }
    }
}
