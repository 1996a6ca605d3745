//! What a recipient's address asks for: by the label of its domain, or by a name or code in its
//! local part.
//!
//! Not here: how the answer is given (`lib`) and what chance makes of the rest (`mix`). Invariant:
//! an address outside the sink's domains asks for nothing.

use crate::asked::Asked;
use crate::named_reply::named_reply;
use crate::providers::provider;
use crate::simulator::simulated;

/// What `local_part` at `domain` asks for; `domains` are the sink's own.
pub fn asked(local_part: &str, domain: &str, domains: &[String]) -> Asked {
    let Some(label) = label(domain, domains) else {
        return Asked::Mix;
    };
    let local = local_part.trim_matches('"').to_ascii_lowercase();
    let name = local.split('+').next().unwrap_or("");
    if name == "ooto" {
        return Asked::AutoReply;
    }
    if let Some(times) = name.strip_prefix("fail-").and_then(times) {
        return Asked::Fail(times);
    }
    let tag = tag(&local);
    let reply = named_reply(tag);
    let of_label = match label.as_str() {
        "oob" if provider(tag).is_some() => return Asked::BounceAs(tag.to_owned()),
        "oob" => return Asked::Bounce(reply),
        "reject" => return Asked::Reject(reply.filter(|reply| reply.code >= 500)),
        "defer" => return Asked::Defer(reply.filter(|reply| reply.code < 500)),
        "accept" => Asked::Accept,
        "fbl" => Asked::Complain,
        "openclick" => Asked::OpenAndClick,
        "unsubscribe" => Asked::Unsubscribe,
        "greylist" => Asked::Greylist,
        label if provider(label).is_some() => return as_provider(label, &local),
        _ => match simulated(name) {
            Some(asked) => return asked,
            None => Asked::Mix,
        },
    };
    with_status(tag).unwrap_or(of_label)
}

/// How often to fail. A number beyond the largest means the largest.
fn times(digits: &str) -> Option<u32> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u32::MAX))
}

/// What a recipient with this local part asks for where this provider's replies are given: one of
/// them, unless it names another one.
pub fn as_provider(name: &str, local_part: &str) -> Asked {
    let local = local_part.to_ascii_lowercase();
    let tag = tag(&local);
    match with_status(tag) {
        Some(asked) if !provider(name).is_some_and(|provider| provider.has(tag)) => asked,
        _ => Asked::Provider(name.to_owned()),
    }
}

/// The text after the last `+`.
fn tag(local: &str) -> &str {
    local.rsplit_once('+').map_or("", |(_, tag)| tag)
}

/// The reply that a status names. A number alone is the serial of a test address; it names a reply
/// only where the label asks for one.
fn with_status(tag: &str) -> Option<Asked> {
    let reply = named_reply(tag).filter(|_| tag.contains('.'))?;
    Some(if reply.code >= 500 { Asked::Reject(Some(reply)) } else { Asked::Defer(Some(reply)) })
}

/// The label that names the answer: the one left of a domain of ours, empty at the domain itself.
/// Without domains it is the first. None: not a domain of ours.
pub fn label(domain: &str, domains: &[String]) -> Option<String> {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    if domains.is_empty() {
        return domain.split('.').next().map(str::to_owned);
    }
    let left_of = |own: &String| {
        let own = own.trim_matches('.').to_ascii_lowercase();
        let left = domain.strip_suffix(&own).filter(|_| !own.is_empty())?;
        let below = if left.is_empty() { Some("") } else { left.strip_suffix('.') };
        below.map(str::to_owned)
    };
    // The longest of our domains is the one meant.
    let left = domains.iter().filter_map(left_of).min_by_key(String::len)?;
    left.rsplit('.').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Reply;

    fn of(address: &str) -> Asked {
        let (local, domain) = address.rsplit_once('@').unwrap();
        asked(local, domain, &["sink.example.com".into()])
    }

    #[test]
    fn b21_labels_ignore_case() {
        assert_eq!(of("x@ACCEPT.sink.example.com"), Asked::Accept);
        assert_eq!(of("x@oob.Sink.Example.Com"), Asked::Bounce(None));
        assert_eq!(of("x@a.b.fbl.sink.example.com"), Asked::Complain);
        assert_eq!(of("x@openclick.sink.example.com"), Asked::OpenAndClick);
        assert_eq!(of("x@unsubscribe.sink.example.com"), Asked::Unsubscribe);
        assert_eq!(of("unsubscribe+7@sink.example.com"), Asked::Unsubscribe);
        assert_eq!(of("x+gmail@oob.sink.example.com"), Asked::BounceAs("gmail".into()));
        assert_eq!(of("x@Gmail.sink.example.com"), Asked::Provider("gmail".into()));
        assert_eq!(of("x@greylist.sink.example.com"), Asked::Greylist);
        assert_eq!(of("Fail-3+label@sink.example.com"), Asked::Fail(3));
        assert_eq!(of("fail-4294967295@sink.example.com"), Asked::Fail(u32::MAX));
        assert_eq!(of("fail-4294967296@sink.example.com"), Asked::Fail(u32::MAX));
        assert_eq!(of("fail-99999999999999999999999@sink.example.com"), Asked::Fail(u32::MAX));
        for none in ["fail-x", "fail-", "fail--1", "fail-+3"] {
            assert_eq!(of(&format!("{none}@sink.example.com")), Asked::Mix, "{none}");
        }
        assert_eq!(of("x@sink.example.com"), Asked::Mix);
        assert_eq!(of("x@oob.other.example.com"), Asked::Mix);
        assert_eq!(of("x@oobsink.example.com"), Asked::Mix);
        assert_eq!(asked("x", "oob.anything.example", &[]), Asked::Bounce(None));
    }

    #[test]
    fn the_local_part_may_name_the_answer() {
        let full = |code, status: &str, text: &str| Some(Reply::new(code, status, text));
        assert_eq!(of("x+5.2.2@oob.sink.example.com"), Asked::Bounce(full(552, "5.2.2", "mailbox full")));
        assert_eq!(
            of("x+550-5.7.1@oob.sink.example.com"),
            Asked::Bounce(full(550, "5.7.1", "delivery not authorized, message refused"))
        );
        assert_eq!(of("x+4.2.2@sink.example.com"), Asked::Defer(full(452, "4.2.2", "mailbox full")));
        assert_eq!(
            of("x+451-4.3.0@defer.sink.example.com"),
            Asked::Defer(full(451, "4.3.0", "try again later"))
        );
        assert_eq!(of("x+550@defer.sink.example.com"), Asked::Defer(None));
        assert_eq!(of("x+550@reject.sink.example.com"), Asked::Reject(full(550, "5.0.0", "rejected")));
        assert_eq!(of("x+450-5.1.1@oob.sink.example.com"), Asked::Bounce(None));
        assert_eq!(of("x+9.9.9@sink.example.com"), Asked::Mix);
        // The reply that the address names comes before what its label asks for.
        let refused = Asked::Reject(full(550, "5.7.1", "delivery not authorized, message refused"));
        for label in ["accept", "fbl", "openclick", "unsubscribe", "greylist", "any"] {
            assert_eq!(of(&format!("x+550-5.7.1@{label}.sink.example.com")), refused, "{label}");
            assert_ne!(of(&format!("x+550@{label}.sink.example.com")), Asked::Reject(None), "{label}");
        }
        let deferred = Asked::Defer(full(451, "4.3.0", "try again later"));
        assert_eq!(of("x+4.3.0@accept.sink.example.com"), deferred);
        // One that the provider gives is the provider's.
        for tag in ["5.7.26", "550-5.7.26", "550", "mailbox-full"] {
            let asked = of(&format!("x+{tag}@gmail.sink.example.com"));
            assert_eq!(asked, Asked::Provider("gmail".into()), "{tag}");
        }
        assert_eq!(as_provider("google", "X+4.7.77"), of("x+4.7.77@sink.example.com"));
        assert_eq!(of("OOTO+label@accept.sink.example.com"), Asked::AutoReply);
        assert_eq!(of("HardBounce@sink.example.com"), Asked::Bounce(full(550, "5.1.1", "user unknown")));
        assert_eq!(of("complaint+l@any.sink.example.com"), Asked::Complain);
    }

    #[test]
    fn serial_numbers_are_not_replies() {
        for local in
            ["test+512", "test+0512", "test+00450", "x+5", "x+550-", "x+-5.1.1", "x+5.1.1.1", "x+5.é.1"]
        {
            assert_eq!(of(&format!("{local}@sink.example.com")), Asked::Mix, "{local}");
        }
        assert_eq!(of("test+0550@oob.sink.example.com"), Asked::Bounce(None));
    }

    #[test]
    fn elsewhere_nothing_is_asked() {
        for address in [
            "bounce@other.example",
            "ooto@other.example",
            "x+5.1.1@other.example",
            "x@",
            "x@.",
            "complaint@com",
        ] {
            assert_eq!(of(address), Asked::Mix, "{address}");
        }
        let two = ["example.com".to_owned(), "oob.example.com".to_owned()];
        assert_eq!(asked("x", "fbl.oob.example.com", &two), Asked::Complain);
        assert_eq!(asked("x", "oob.example.com", &two), Asked::Mix);
    }
}
