//! Who runs a mail server, by the registered domain of its name: operators group recipients by it.
//!
//! Not here: the providers of classification rules (`policies/bounce`), which know servers by their
//! words too. A server that is not in the list is counted by its domain only.

use super::domain::registered;

/// Registered domains of mail servers, and who runs them; sorted, for binary search.
const PROVIDERS: [(&str, &str); 63] = [
    ("1and1.com", "ionos"),
    ("aol.com", "yahoo"),
    ("apple.com", "apple"),
    ("aruba.it", "aruba"),
    ("att.net", "att"),
    ("barracudanetworks.com", "barracuda"),
    ("bell.net", "bell"),
    ("charter.net", "charter"),
    ("comcast.net", "comcast"),
    ("cox.net", "cox"),
    ("docomo.ne.jp", "docomo"),
    ("emailsrvr.com", "rackspace"),
    ("ezweb.ne.jp", "kddi"),
    ("fastmail.com", "fastmail"),
    ("free.fr", "free"),
    ("freenet.de", "freenet"),
    ("gandi.net", "gandi"),
    ("gmx.com", "gmx"),
    ("gmx.net", "gmx"),
    ("google.com", "google"),
    ("googlemail.com", "google"),
    ("hornetsecurity.com", "hornetsecurity"),
    ("hostedemail.com", "tucows"),
    ("hotmail.com", "microsoft"),
    ("icloud.com", "apple"),
    ("ionos.com", "ionos"),
    ("iphmx.com", "cisco"),
    ("kddi.com", "kddi"),
    ("kpnmail.nl", "kpn"),
    ("kundenserver.de", "ionos"),
    ("laposte.net", "laposte"),
    ("libero.it", "libero"),
    ("mail.com", "gmx"),
    ("mail.ru", "mail.ru"),
    ("messagelabs.com", "broadcom"),
    ("messagingengine.com", "fastmail"),
    ("microsoft.com", "microsoft"),
    ("mimecast.com", "mimecast"),
    ("naver.com", "naver"),
    ("netease.com", "netease"),
    ("orange.fr", "orange"),
    ("outlook.com", "microsoft"),
    ("ovh.net", "ovh"),
    ("ppe-hosted.com", "proofpoint"),
    ("pphosted.com", "proofpoint"),
    ("proofpoint.com", "proofpoint"),
    ("protonmail.ch", "proton"),
    ("qq.com", "tencent"),
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
    ("yahoodns.net", "yahoo"),
    ("yandex.net", "yandex"),
    ("yandex.ru", "yandex"),
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
}
