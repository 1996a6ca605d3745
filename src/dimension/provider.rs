//! Who runs a mail server, by the registered domain of its name: operators group recipients by it.
//!
//! Not here: the providers of classification rules (`policies/bounce`), which know servers by their
//! words too. A server that is not in the list is counted by its domain only.

use super::domain::registered;

/// Registered domains of mail servers and of mailboxes, and who runs them; sorted, for binary
/// search.
pub(crate) const PROVIDERS: [(&str, &str); 99] = [
    ("126.com", "netease"),
    ("163.com", "netease"),
    ("1and1.com", "ionos"),
    ("aol.com", "yahoo"),
    ("apple.com", "apple"),
    ("aruba.it", "aruba"),
    ("att.net", "att"),
    ("barracudanetworks.com", "barracuda"),
    ("bell.net", "bell"),
    ("bk.ru", "mail.ru"),
    ("charter.net", "charter"),
    ("comcast.net", "comcast"),
    ("cox.net", "cox"),
    ("docomo.ne.jp", "docomo"),
    ("emailsrvr.com", "rackspace"),
    ("ezweb.ne.jp", "kddi"),
    ("fastmail.com", "fastmail"),
    ("fastmail.fm", "fastmail"),
    ("foxmail.com", "tencent"),
    ("free.fr", "free"),
    ("freenet.de", "freenet"),
    ("gandi.net", "gandi"),
    ("gmail.com", "google"),
    ("gmx.at", "gmx"),
    ("gmx.ch", "gmx"),
    ("gmx.com", "gmx"),
    ("gmx.de", "gmx"),
    ("gmx.net", "gmx"),
    ("google.com", "google"),
    ("googlemail.com", "google"),
    ("hornetsecurity.com", "hornetsecurity"),
    ("hostedemail.com", "tucows"),
    ("hotmail.co.uk", "microsoft"),
    ("hotmail.com", "microsoft"),
    ("hotmail.de", "microsoft"),
    ("hotmail.fr", "microsoft"),
    ("hotmail.it", "microsoft"),
    ("icloud.com", "apple"),
    ("inbox.ru", "mail.ru"),
    ("ionos.com", "ionos"),
    ("iphmx.com", "cisco"),
    ("kddi.com", "kddi"),
    ("kpnmail.nl", "kpn"),
    ("kundenserver.de", "ionos"),
    ("laposte.net", "laposte"),
    ("libero.it", "libero"),
    ("list.ru", "mail.ru"),
    ("live.com", "microsoft"),
    ("live.fr", "microsoft"),
    ("mac.com", "apple"),
    ("mail.com", "gmx"),
    ("mail.ru", "mail.ru"),
    ("me.com", "apple"),
    ("messagelabs.com", "broadcom"),
    ("messagingengine.com", "fastmail"),
    ("microsoft.com", "microsoft"),
    ("mimecast.com", "mimecast"),
    ("msn.com", "microsoft"),
    ("naver.com", "naver"),
    ("netease.com", "netease"),
    ("office365.com", "microsoft"),
    ("orange.fr", "orange"),
    ("outlook.com", "microsoft"),
    ("outlook.de", "microsoft"),
    ("outlook.fr", "microsoft"),
    ("ovh.net", "ovh"),
    ("pm.me", "proton"),
    ("ppe-hosted.com", "proofpoint"),
    ("pphosted.com", "proofpoint"),
    ("proofpoint.com", "proofpoint"),
    ("proton.me", "proton"),
    ("protonmail.ch", "proton"),
    ("protonmail.com", "proton"),
    ("qq.com", "tencent"),
    ("rocketmail.com", "yahoo"),
    ("seznam.cz", "seznam"),
    ("sfr.fr", "sfr"),
    ("softbank.jp", "softbank"),
    ("strato.de", "strato"),
    ("t-online.de", "t-online"),
    ("telenet.be", "telenet"),
    ("trendmicro.com", "trend-micro"),
    ("verizon.net", "verizon"),
    ("wanadoo.fr", "orange"),
    ("web.de", "gmx"),
    ("wp.pl", "wp"),
    ("ya.ru", "yandex"),
    ("yahoo.co.uk", "yahoo"),
    ("yahoo.com", "yahoo"),
    ("yahoo.de", "yahoo"),
    ("yahoo.es", "yahoo"),
    ("yahoo.fr", "yahoo"),
    ("yahoo.it", "yahoo"),
    ("yahoodns.net", "yahoo"),
    ("yandex.com", "yandex"),
    ("yandex.net", "yandex"),
    ("yandex.ru", "yandex"),
    ("ymail.com", "yahoo"),
    ("zoho.com", "zoho"),
];

/// Who runs the server with this name.
pub(crate) fn provider(host: &str) -> Option<&'static str> {
    let domain = registered(host);
    if domain.len() > 32 {
        return None;
    }
    let domain = domain.to_ascii_lowercase();
    let at = PROVIDERS.binary_search_by(|(known, _)| (*known).cmp(domain.as_str())).ok()?;
    PROVIDERS.get(at).map(|(_, provider)| *provider)
}

/// Who runs a server or the mailboxes of a domain; of those that are not in the list, the domain.
pub(crate) fn provider_or_domain(host: &str) -> String {
    provider(host).unwrap_or_else(|| registered(host)).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_its_registered_domain() {
        assert!(PROVIDERS.is_sorted_by(|a, b| a.0 < b.0), "a search needs an order");
        for (host, whose) in [
            ("gmail-smtp-in.l.google.com", Some("google")),
            ("example-com.mail.protection.outlook.com", Some("microsoft")),
            ("MTA7.am0.YahooDNS.net.", Some("yahoo")),
            ("mx.example.com", None),
            ("google.com.example.net", None),
            ("notgoogle.com", None),
            ("local", None),
            ("", None),
        ] {
            assert_eq!(provider(host), whose, "{host}");
        }
        for (domain, whose) in PROVIDERS {
            assert_eq!(provider(&format!("mx1.{domain}")), Some(whose), "{domain}");
        }
    }

    #[test]
    fn servers_and_mailboxes_of_a_provider_have_one_name() {
        for (host, whose) in [
            ("gmail.com", "google"),
            ("gmail-smtp-in.l.google.com", "google"),
            ("Hotmail.co.uk", "microsoft"),
            ("mx1.example.co.uk", "example.co.uk"),
        ] {
            assert_eq!(provider_or_domain(host), whose, "{host}");
        }
    }
}
