//! Sender Rewriting Scheme, read without the key: whose mail a forwarder sent on. A forwarder rewrites `joe@example.org` to
//!
//! ```text
//! SRS0=HHH=TT=example.org=joe@one.example                          the first forwarder: hash, day, sender
//! SRS1=HHH=one.example==HHH=TT=example.org=joe@two.example         every later one: hash, the first, the rest as it was
//! SRS1=one.example==HHH=TT=example.org=joe@two.example             the same by the first programs, without a hash
//! list+SRS=HHH=TT=example.org=joe@three.example                    Microsoft 365, behind the forwarding mailbox
//! ```
//!
//! The separator behind `SRS0`, `SRS1` and the first host may be `=`, `+` or `-`; letters may come in any case. Not here:
//! whether the forwarder really wrote it. Only its key could tell, so what is read here is what somebody says, and proves
//! nothing by itself; when the original is a signed return path of ours (`verp`), that proves it. Invariant: hostile
//! addresses cost no more than their length, and what is not clearly SRS is left alone.

/// What a rewritten return path says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Srs {
    /// The return path before it was rewritten, as it is written there: letters may have been lower-cased on the way.
    pub(crate) original: String,
    /// Hosts that say they have rewritten it, the last one, who takes bounces now, first.
    pub(crate) forwarders: Vec<String>,
}

/// Rewritings that are undone at most: a chain is two hosts long, unless a forwarder does not know SRS when it sees it.
const MAX_LAYERS: usize = 8;

/// The return path before it was rewritten; `None` if `address` is not an SRS address. An original that is itself
/// rewritten is undone as well.
pub(crate) fn decode(address: &str) -> Option<Srs> {
    let (mut original, mut forwarders) = layer(address)?;
    for _ in 1..MAX_LAYERS {
        let Some((inner, hosts)) = layer(&original) else { break };
        original = inner;
        forwarders.extend(hosts);
    }
    Some(Srs { original, forwarders })
}

/// The address that a report means which names `address`, sent as `original` if that is another: what was rewritten, as it was
/// before. `None`: the report means the address that it names.
pub(crate) fn before(address: &str, original: Option<&str>) -> Option<String> {
    let decoded = decode(original.unwrap_or(address)).map(|srs| srs.original);
    decoded.or_else(|| original.map(str::to_owned))
}

/// Undoes one rewriting: the address before, and the hosts, last first.
fn layer(address: &str) -> Option<(String, Vec<String>)> {
    let (local, domain) = address.rsplit_once('@')?;
    let local = local.strip_prefix('"').and_then(|local| local.strip_suffix('"')).unwrap_or(local);
    if !is_host(domain) {
        return None;
    }
    if let Some(rest) = tagged(local, "SRS0") {
        return Some((sender(rest)?, vec![domain.to_owned()]));
    }
    if let Some(rest) = tagged(local, "SRS1") {
        let (first, behind) = rest.split_once('=')?;
        let (host, opaque) = match separated(behind) {
            Some(opaque) => (first, opaque),
            None => {
                let (host, behind) = is_hash(first).then(|| behind.split_once('='))??;
                (host, separated(behind)?)
            }
        };
        let hosts = is_host(host).then(|| vec![domain.to_owned(), host.to_owned()])?;
        return Some((sender(opaque)?, hosts));
    }
    let at = find(local, "+SRS=")?;
    Some((sender(&local[at + 5..])?, vec![domain.to_owned()]))
}

/// The sender in `HHH=TT=domain=local`. Everything behind the third `=` is the local part.
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

/// Where `word` stands in `text`, in any case.
fn find(text: &str, word: &str) -> Option<usize> {
    text.as_bytes().windows(word.len()).position(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(address: &str) -> Option<(String, String)> {
        decode(address).map(|srs| (srs.original, srs.forwarders.join(" ")))
    }

    #[test]
    fn the_sender_and_the_forwarders_are_read() {
        for (address, original, forwarders) in [
            ("SRS0=JvSE=IT=example.org=joe@one.example", "joe@example.org", "one.example"),
            ("SRS0+JvSE=IT=example.org=joe@one.example", "joe@example.org", "one.example"),
            ("SRS0-Jv+/=IT=example.org=joe@one.example", "joe@example.org", "one.example"),
            ("srs0=jvse=it=example.org=joe@one.example", "joe@example.org", "one.example"),
            ("\"SRS0=JvSE=IT=example.org=joe\"@one.example", "joe@example.org", "one.example"),
            ("SRS0=JvSE=IT=example.org=joe+a=b@one.example", "joe+a=b@example.org", "one.example"),
            ("SRS0=ab12cd34=072=example.org=joe@one.example", "joe@example.org", "one.example"),
            (
                "SRS1=XJv3=one.example==JvSE=IT=example.org=joe@two.example",
                "joe@example.org",
                "two.example one.example",
            ),
            (
                "SRS1+XJv3=one.example=+JvSE=IT=example.org=joe@two.example",
                "joe@example.org",
                "two.example one.example",
            ),
            (
                "SRS1-XJv3=one.example=-JvSE=IT=example.org=joe@two.example",
                "joe@example.org",
                "two.example one.example",
            ),
            (
                "srs1=xjv3=one.example==jvse=it=example.org=joe@two.example",
                "joe@example.org",
                "two.example one.example",
            ),
            (
                "SRS1=one.example==JvSE=IT=example.org=joe@two.example",
                "joe@example.org",
                "two.example one.example",
            ),
            (
                "SRS1=X+/3=one.example==JvSE=IT=example.org=joe@two.example",
                "joe@example.org",
                "two.example one.example",
            ),
            ("list+SRS=Wq8v=LF=example.org=joe@three.example", "joe@example.org", "three.example"),
            ("a+b+srs=Wq8v=LF=example.org=joe@three.example", "joe@example.org", "three.example"),
        ] {
            assert_eq!(decoded(address), Some((original.into(), forwarders.into())), "{address}");
        }
    }

    #[test]
    fn a_report_about_a_rewritten_address_means_the_one_before() {
        let rewritten = "SRS0=JvSE=IT=example.org=joe@one.example";
        let joe = Some("joe@example.org".to_owned());
        assert_eq!(before(rewritten, None), joe);
        assert_eq!(before("box@two.example", Some(rewritten)), joe);
        assert_eq!(before("box@two.example", Some("joe@example.org")), joe);
        assert_eq!(before("joe@example.org", None), None);
    }

    #[test]
    fn a_tagged_or_signed_sender_stays_whole() {
        let batv = "SRS0=Kjsf=5O=example.org=prvs=374a1453b=Joe.Doe@srs-se1.filter.example";
        assert_eq!(decoded(batv).unwrap().0, "prvs=374a1453b=Joe.Doe@example.org");
        let verp = "SRS0=Kjsf=5O=bounces.example.com=b+fyf-reatroqprun2-joe=example.org@one.example";
        assert_eq!(decoded(verp).unwrap().0, "b+fyf-reatroqprun2-joe=example.org@bounces.example.com");
    }

    #[test]
    fn a_forwarder_that_did_not_know_srs_is_undone_too() {
        let twice = "SRS0=Aaaa=5O=one.example=SRS0=JvSE=IT=example.org=joe@two.example";
        assert_eq!(decoded(twice), Some(("joe@example.org".into(), "two.example one.example".into())));
        let mixed = "bounce+SRS=Aaaa=5O=one.example=SRS0=JvSE=IT=example.org=joe@three.example";
        assert_eq!(decoded(mixed).unwrap().1, "three.example one.example");
        let deep = format!("{}example.org=joe@last.example", "SRS0=Aaaa=5O=one.example=".repeat(10_000));
        assert_eq!(decode(&deep).unwrap().forwarders.len(), MAX_LAYERS);
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
