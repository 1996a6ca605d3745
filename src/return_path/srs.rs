//! Sender Rewriting Scheme, read without the key: whose mail a forwarder sent on. A forwarder
//! rewrites `joe@example.org` to
//!
//! ```text
//! SRS0=HHH=TT=example.org=joe@one.example                   first forwarder: hash, day, sender
//! SRS1=HHH=one.example==HHH=TT=example.org=joe@two.example  later ones: hash, the first, rest
//! SRS1=one.example==HHH=TT=example.org=joe@two.example      old programs: without a hash
//! list+SRS=HHH=TT=example.org=joe@three.example             Microsoft 365, after the mailbox
//! ```
//!
//! The separator after `SRS0`, `SRS1` and the first host may be `=`, `+` or `-`; letters may come
//! in any case. Not here: whether the forwarder really wrote it. Only its key could tell, so this
//! is a claim, and proves nothing by itself; an original that is a signed return path of ours
//! (`verp`) does. Invariant: hostile addresses cost no more than their length, and what is not
//! clearly SRS is left alone.

use super::MAX_LAYERS;

/// The return path before it was rewritten, as it is written there: letters may have been
/// lower-cased. `None` if `address` is not an SRS address.
pub(crate) fn decode(address: &str) -> Option<String> {
    let mut original = layer(address)?;
    for _ in 1..MAX_LAYERS {
        let Some(inner) = layer(&original) else { break };
        original = inner;
    }
    Some(original)
}

/// Undoes one rewriting.
fn layer(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let local = local.strip_prefix('"').and_then(|local| local.strip_suffix('"')).unwrap_or(local);
    if !is_host(domain) {
        return None;
    }
    if let Some(rest) = tagged(local, "SRS0") {
        return sender(rest);
    }
    if let Some(rest) = tagged(local, "SRS1") {
        let (first, after) = rest.split_once('=')?;
        let (host, opaque) = match separated(after) {
            Some(opaque) => (first, opaque),
            None => {
                let (host, after) = is_hash(first).then(|| after.split_once('='))??;
                (host, separated(after)?)
            }
        };
        return is_host(host).then(|| sender(opaque))?;
    }
    let at = find(local, "+SRS=")?;
    sender(&local[at + 5..])
}

/// The sender in `HHH=TT=domain=local`. Everything after the third `=` is the local part.
fn sender(opaque: &str) -> Option<String> {
    let mut fields = opaque.splitn(4, '=');
    let (hash, day, domain, local) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let is_day = (1..=4).contains(&day.len()) && day.bytes().all(|c| c.is_ascii_alphanumeric());
    (is_hash(hash) && is_day && is_host(domain) && !local.is_empty()).then(|| format!("{local}@{domain}"))
}

/// What follows `tag` and its separator.
fn tagged<'a>(local: &'a str, tag: &str) -> Option<&'a str> {
    let start = local.get(..tag.len())?;
    start.eq_ignore_ascii_case(tag).then(|| separated(&local[tag.len()..]))?
}

/// What follows one of the separators.
fn separated(text: &str) -> Option<&str> {
    text.strip_prefix(['=', '+', '-'])
}

/// A piece of base64, four characters mostly.
fn is_hash(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"+/-_".contains(&c))
}

fn is_host(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || !c.is_ascii();
    text.len() <= 255 && text.split('.').all(|label| !label.is_empty() && label.chars().all(plain))
}

/// The position of `word` in `text`, in any case.
fn find(text: &str, word: &str) -> Option<usize> {
    text.as_bytes().windows(word.len()).position(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_is_read() {
        for (address, original) in [
            ("SRS0=JvSE=IT=example.org=joe@one.example", "joe@example.org"),
            ("SRS0+JvSE=IT=example.org=joe@one.example", "joe@example.org"),
            ("SRS0-Jv+/=IT=example.org=joe@one.example", "joe@example.org"),
            ("srs0=jvse=it=example.org=joe@one.example", "joe@example.org"),
            ("\"SRS0=JvSE=IT=example.org=joe\"@one.example", "joe@example.org"),
            ("SRS0=JvSE=IT=example.org=joe+a=b@one.example", "joe+a=b@example.org"),
            ("SRS0=ab12cd34=072=example.org=joe@one.example", "joe@example.org"),
            ("SRS1=XJv3=one.example==JvSE=IT=example.org=joe@two.example", "joe@example.org"),
            ("SRS1+XJv3=one.example=+JvSE=IT=example.org=joe@two.example", "joe@example.org"),
            ("SRS1-XJv3=one.example=-JvSE=IT=example.org=joe@two.example", "joe@example.org"),
            ("srs1=xjv3=one.example==jvse=it=example.org=joe@two.example", "joe@example.org"),
            ("SRS1=one.example==JvSE=IT=example.org=joe@two.example", "joe@example.org"),
            ("SRS1=X+/3=one.example==JvSE=IT=example.org=joe@two.example", "joe@example.org"),
            ("list+SRS=Wq8v=LF=example.org=joe@three.example", "joe@example.org"),
            ("a+b+srs=Wq8v=LF=example.org=joe@three.example", "joe@example.org"),
        ] {
            assert_eq!(decode(address).as_deref(), Some(original), "{address}");
        }
    }

    #[test]
    fn a_tagged_or_signed_sender_stays_whole() {
        let batv = "SRS0=Kjsf=5O=example.org=prvs=374a1453b=Joe.Doe@srs-se1.filter.example";
        assert_eq!(decode(batv).unwrap(), "prvs=374a1453b=Joe.Doe@example.org");
        let verp = "SRS0=Kjsf=5O=bounces.example.com=b+fyf-reatroqprun2-joe=example.org@one.example";
        assert_eq!(decode(verp).unwrap(), "b+fyf-reatroqprun2-joe=example.org@bounces.example.com");
    }

    #[test]
    fn a_forwarder_that_did_not_know_srs_is_undone_too() {
        let twice = "SRS0=Aaaa=5O=one.example=SRS0=JvSE=IT=example.org=joe@two.example";
        assert_eq!(decode(twice).as_deref(), Some("joe@example.org"));
        let mixed = "bounce+SRS=Aaaa=5O=one.example=SRS0=JvSE=IT=example.org=joe@three.example";
        assert_eq!(decode(mixed).as_deref(), Some("joe@example.org"));
        let deep = format!("{}example.org=joe@last.example", "SRS0=Aaaa=5O=one.example=".repeat(10_000));
        let left = decode(&deep).unwrap().matches("SRS0=").count();
        assert_eq!(left, 10_000 - MAX_LAYERS);
    }

    #[test]
    fn what_is_not_clearly_srs_is_left_alone() {
        for address in [
            "",
            "@",
            "joe@example.org",
            "srs@example.org",
            "SRS0@example.org",
            "SRS0=@example.org",
            "SRS0=a=b@example.org",
            "SRS0=JvSE=IT=example.org@one.example",
            "SRS0=JvSE=IT=example.org=@one.example",
            "SRS0=JvSE=IT==joe@one.example",
            "SRS0==IT=example.org=joe@one.example",
            "SRS0=JvSE==example.org=joe@one.example",
            "SRS0=JvSE=I T=example.org=joe@one.example",
            "SRS0=JvSE=ITITI=example.org=joe@one.example",
            "SRS0=JvSE=IT=exa..mple=joe@one.example",
            "SRS0=JvSE=IT=[192.0.2.1]=joe@one.example",
            "SRS0JvSE=IT=example.org=joe@one.example",
            "SRS0.JvSE=IT=example.org=joe@one.example",
            "SRS0=JvSE=IT=example.org=joe@",
            "SRS0=JvSE=IT=example.org=joe",
            "SRS1=XJv3=one.example=JvSE=IT=example.org=joe@two.example",
            "SRS1=XJv3==JvSE=IT@two.example",
            "SRS1==one.example==JvSE=IT=example.org=joe@two.example",
            "SRS1=XJv3@two.example",
            "SRS2=JvSE=IT=example.org=joe@one.example",
            "bounces+SRS=DmMzc=V3@example.org",
            "ü+SRS=é@example.org",
            "SRSé=JvSE=IT=example.org=joe@one.example",
        ] {
            assert_eq!(decode(address), None, "{address}");
        }
    }
}
