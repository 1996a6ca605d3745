//! The registered domain of a host name, well enough for statistics.
//!
//! Not here, on purpose: the Public Suffix List. It is 250 kB that change every week, and all that
//! depends on it here is whether `a.example.co.uk` is counted with `example.co.uk`. So the rule is
//! one sentence: a name has two labels, or three if a country's registry sells names below a second
//! level of the usual kind (for example `co.uk`, `com.br`, `or.jp`). A name that is grouped wrongly
//! is counted with its neighbors, never lost. Nothing that decides about trust may use it.
//! Invariant: the answer is the end of the name that was given.

/// Second levels below which countries' registries sell names.
const SECOND_LEVELS: [&str; 40] = [
    "ac", "ad", "asn", "asso", "co", "com", "ed", "edu", "firm", "gen", "go", "gob", "gouv", "gov", "govt",
    "gr", "id", "idv", "ind", "info", "k12", "lg", "ltd", "me", "mil", "muni", "ne", "net", "nhs", "nic",
    "nom", "or", "org", "plc", "police", "pvt", "res", "sch", "school", "web",
];
/// Country codes without such second levels; `web.de` and `or.at` are ordinary names.
const FLAT: [&str; 16] =
    ["be", "ca", "ch", "cz", "de", "dk", "eu", "fi", "io", "it", "li", "me", "nl", "no", "se", "tv"];

/// The name that is counted for the null sender.
pub(crate) const NULL_SENDER: &str = "<>";

/// The registered domain of an address, empty if it has none.
pub(crate) fn of_address(address: &str) -> &str {
    registered(address.rsplit_once('@').map_or("", |(_, domain)| domain))
}

/// The registered domain of a host: `mail.example.co.uk` → `example.co.uk`. Address literals and
/// names without a dot stay as they are; a final dot is removed; case is kept.
pub(crate) fn registered(host: &str) -> &str {
    let host = host.trim_end_matches('.');
    if host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok() {
        return host;
    }
    let mut dots = host.rmatch_indices('.').map(|(at, _)| at);
    let Some(last) = dots.next() else { return host };
    let Some(second) = dots.next() else { return host };
    let (country, level) = (&host[last + 1..], &host[second + 1..last]);
    let is = |list: &[&str], label: &str| list.iter().any(|one| one.eq_ignore_ascii_case(label));
    if country.len() == 2 && !is(&FLAT, country) && is(&SECOND_LEVELS, level) {
        return dots.next().map_or(host, |third| &host[third + 1..]);
    }
    &host[second + 1..]
}

/// Whether registries sell names below this one, as below `com` and `co.uk`.
pub(crate) fn is_registry(domain: &str) -> bool {
    let is = |list: &[&str], label: &str| list.iter().any(|one| one.eq_ignore_ascii_case(label));
    match domain.split_once('.') {
        None => true,
        Some((level, country)) => country.len() == 2 && !is(&FLAT, country) && is(&SECOND_LEVELS, level),
    }
}

#[cfg(test)]
mod tests {
    use super::registered;

    #[test]
    fn a_host_belongs_to_what_was_registered() {
        for (host, domain) in [
            ("example.com", "example.com"),
            ("mx1.mail.example.com.", "example.com"),
            ("a.example.co.uk", "example.co.uk"),
            ("example.co.uk", "example.co.uk"),
            ("co.uk", "co.uk"),
            ("x.y.docomo.ne.jp", "docomo.ne.jp"),
            ("Mail.Example.COM.BR", "Example.COM.BR"),
            ("a.b.web.de", "web.de"),
            ("mail.co.com", "co.com"),
            ("localhost", "localhost"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[IPv6:2001:db8::1.2]", "[IPv6:2001:db8::1.2]"),
            ("192.0.2.1", "192.0.2.1"),
            ("xn--bcher-kva.bücher.example", "bücher.example"),
            ("", ""),
            ("..", ""),
            ("a..b", ".b"),
        ] {
            assert_eq!(registered(host), domain, "{host}");
        }
    }
}
