//! How a delivery was sent: the streams that it belongs to, the TLS level of its session, and whose
//! mail it is.
//!
//! A stream is a *source*: a kind and a name. PowerMTA names a virtual MTA, its pool, the source
//! address and the job; Postfix an instance and a transport; a header the campaign. Not here: the
//! logs they are read from. Invariant: no name is empty, longer than `LONGEST`, or of several
//! lines.

use super::whose::Whose;
use crate::text::bounded;
use serde::Serialize;

/// Bytes of a name at most.
const LONGEST: usize = 128;
/// Characters of a TLS level.
const LEVEL: usize = 20;
/// The instance of a Postfix that was given no other name.
pub(crate) const USUAL_INSTANCE: &str = "postfix";

/// What a source is, the most specific first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceKind {
    /// PowerMTA's virtual MTA.
    Vmta,
    /// A pool of virtual MTAs.
    Pool,
    /// The address that PowerMTA sent from.
    Ip,
    /// A Postfix transport with a syslog name.
    Transport,
    /// A Postfix instance.
    Instance,
    /// PowerMTA's job, or what a header says.
    Campaign,
}

impl SourceKind {
    pub(crate) const ALL: [SourceKind; 6] = [
        SourceKind::Vmta,
        SourceKind::Pool,
        SourceKind::Ip,
        SourceKind::Transport,
        SourceKind::Instance,
        SourceKind::Campaign,
    ];

    /// The word in front of the name: `vmta/mta1`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            SourceKind::Vmta => "vmta",
            SourceKind::Pool => "pool",
            SourceKind::Ip => "ip",
            SourceKind::Transport => "transport",
            SourceKind::Instance => "instance",
            SourceKind::Campaign => "campaign",
        }
    }

    /// `vmta/mta1`
    pub(crate) fn source(self, name: &str) -> String {
        format!("{}/{name}", self.name())
    }

    /// The kind and the name in `vmta/mta1`; none if it begins with no kind.
    pub(crate) fn split(source: &str) -> Option<(SourceKind, &str)> {
        let (word, name) = source.split_once('/')?;
        let kind = SourceKind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(word))?;
        Some((kind, name))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct DeliveryRoute<'a> {
    /// In the order of [`SourceKind::ALL`].
    names: [Option<&'a str>; 6],
    /// As Postfix logs it: `dane`, `encrypt/(requiretls)`.
    tls: Option<&'a str>,
    whose: Whose,
}

impl<'a> DeliveryRoute<'a> {
    /// That of a Postfix without another name.
    pub(crate) const USUAL: DeliveryRoute<'static> = DeliveryRoute {
        names: [None, None, None, None, Some(USUAL_INSTANCE), None],
        tls: None,
        whose: Whose::Own,
    };

    pub(crate) fn with(mut self, kind: SourceKind, name: Option<&'a str>) -> DeliveryRoute<'a> {
        self.names[kind as usize] = name.map(fit).filter(|name| !name.is_empty());
        self
    }

    pub(crate) fn with_tls(self, tls: Option<&'a str>) -> DeliveryRoute<'a> {
        DeliveryRoute { tls: tls.map(fit).filter(|tls| !tls.is_empty()), ..self }
    }

    pub(crate) fn with_whose(self, whose: Whose) -> DeliveryRoute<'a> {
        DeliveryRoute { whose, ..self }
    }

    /// Whose mail was sent.
    pub(crate) fn whose(&self) -> Whose {
        self.whose
    }

    /// With the instance, and the transport if there is one, of a syslog name: `postfix-out`,
    /// `postfix/smtp-marketing`.
    pub(crate) fn with_syslog_name(self, syslog_name: &'a str) -> DeliveryRoute<'a> {
        let (instance, transport) = match syslog_name.split_once('/') {
            Some((instance, transport)) => (instance, Some(transport)),
            None => (syslog_name, None),
        };
        self.with(SourceKind::Instance, Some(instance)).with(SourceKind::Transport, transport)
    }

    /// Its names in the order of [`SourceKind::ALL`], then the TLS level.
    pub(crate) fn texts(&self) -> [Option<&'a str>; 7] {
        let [vmta, pool, ip, transport, instance, campaign] = self.names;
        [vmta, pool, ip, transport, instance, campaign, self.tls]
    }

    /// The route with these [`texts`](Self::texts), which another one had.
    pub(crate) fn of_texts(texts: [Option<&'a str>; 7], whose: Whose) -> DeliveryRoute<'a> {
        let [names @ .., tls] = texts;
        DeliveryRoute { names, tls, whose }
    }

    pub(crate) fn name(&self, kind: SourceKind) -> Option<&'a str> {
        self.names[kind as usize]
    }

    pub(crate) fn tls(&self) -> Option<&'a str> {
        self.tls
    }

    /// The TLS level that was in force: `none` in `may:none`, `encrypt` in `encrypt/(requiretls)`.
    pub(crate) fn level(&self) -> Option<&'a str> {
        let first = self.tls?.split('/').next()?;
        let level = first.rsplit(':').next()?.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
        Some(level).filter(|level| !level.is_empty() && level.len() <= LEVEL && level.chars().all(is_word))
    }

    /// Every source, the most specific first.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (SourceKind, &'a str)> + use<'a> {
        let names = SourceKind::ALL.into_iter().zip(self.names);
        names.filter_map(|(kind, name)| Some((kind, name?)))
    }

    /// Whether nothing is known, and it is our own mail.
    pub(crate) fn is_unknown(&self) -> bool {
        *self == DeliveryRoute::default()
    }

    /// Whether nothing is known but that it was sent by a Postfix without another name, and is our
    /// own mail.
    pub(crate) fn is_usual(&self) -> bool {
        *self == DeliveryRoute::USUAL
    }
}

fn fit(name: &str) -> &str {
    let line = name.trim().split(char::is_control).next().unwrap_or_default();
    bounded(line, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(route: DeliveryRoute<'_>) -> Vec<String> {
        route.sources().map(|(kind, name)| kind.source(name)).collect()
    }

    #[test]
    fn the_most_specific_source_comes_first() {
        let usual = DeliveryRoute::default().with_syslog_name("postfix");
        assert!(usual.is_usual() && !usual.with_tls(Some("may")).is_usual());
        assert_eq!(sources(usual), ["instance/postfix"]);
        let marketing = DeliveryRoute::default().with_syslog_name("postfix/smtp-marketing");
        assert!(!marketing.is_usual());
        assert_eq!(sources(marketing), ["transport/smtp-marketing", "instance/postfix"]);
        assert_eq!(
            sources(DeliveryRoute::default().with_syslog_name("postfix-out")),
            ["instance/postfix-out"]
        );
        let job = DeliveryRoute::default()
            .with(SourceKind::Campaign, Some(" spring "))
            .with(SourceKind::Vmta, Some(""))
            .with(SourceKind::Ip, Some("2001:db8::1"));
        assert_eq!(sources(job), ["ip/2001:db8::1", "campaign/spring"]);
        assert!(DeliveryRoute::default().with(SourceKind::Vmta, Some(" ")).is_unknown());
        let long = "é".repeat(400);
        assert!(
            DeliveryRoute::default()
                .with(SourceKind::Campaign, Some(&long))
                .name(SourceKind::Campaign)
                .unwrap()
                .len()
                <= LONGEST
        );
    }

    #[test]
    fn the_level_is_the_one_in_force() {
        for (tls, level) in [
            ("may", "may"),
            ("dane", "dane"),
            ("dane-only", "dane-only"),
            ("encrypt/(requiretls)", "encrypt"),
            ("may:none", "none"),
            ("dane:may/requiretls:none", "may"),
            ("may?", "may"),
            ("secure!/requiretls!", "secure"),
        ] {
            assert_eq!(DeliveryRoute::default().with_tls(Some(tls)).level(), Some(level), "{tls}");
        }
        for odd in ["/", "<>", "a b", "may-have-been-encrypted"] {
            assert_eq!(DeliveryRoute::default().with_tls(Some(odd)).level(), None, "{odd}");
        }
        assert_eq!(DeliveryRoute::default().with_tls(Some(" ")).tls(), None);
    }

    #[test]
    fn a_source_is_split_at_its_kind() {
        assert_eq!(SourceKind::split("vmta/a/b"), Some((SourceKind::Vmta, "a/b")));
        assert_eq!(SourceKind::split("IP/192.0.2.1"), Some((SourceKind::Ip, "192.0.2.1")));
        assert_eq!(SourceKind::split("postfix/a"), None);
        assert_eq!(SourceKind::split("spring"), None);
    }
}
