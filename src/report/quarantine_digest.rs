//! Digests of a spam filter: what it holds back for somebody, of whom it tells nobody else.
//!
//! Not here: notices to a sender whose message is held (`challenge`). Invariant: the subject has a
//! word for the place and a word for a list.

/// Where such mail is, folded.
const PLACES: &[&str] = &[
    "quarant",
    "cuarentena",
    "spam",
    "junk",
    "blocked mail",
    "blocked message",
    "blocked e-mail",
    "held message",
    "held mail",
    "карантин",
    "спам",
    "隔離",
    "隔离",
    "迷惑メール",
    "垃圾邮件",
    "격리",
];
/// What is sent about it, folded.
const LISTS: &[&str] = &[
    "digest",
    "summary",
    "overview",
    "zusammenfassung",
    "bericht",
    "ubersicht",
    "resume",
    "recapitulatif",
    "rapport",
    "resumen",
    "informe",
    "riepilogo",
    "resumo",
    "relatorio",
    "samenvatting",
    "overzicht",
    "podsumowanie",
    "raport",
    "souhrn",
    "sammanfattning",
    "oversigt",
    "отчет",
    "сводка",
    "дайджест",
    "レポート",
    "报告",
    "摘要",
    "요약",
];

/// Whether a subject, folded, is that of such a digest.
pub(crate) fn is_titled(subject: &str) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| subject.contains(word));
    has(PLACES) && (has(LISTS) || subject.contains("quarantine report") || subject.contains("spam report"))
}

#[cfg(test)]
mod tests {
    use super::super::fold::folded;
    use super::*;

    #[test]
    fn a_digest_has_a_place_and_a_list() {
        for subject in [
            "Quarantine digest: 2 messages were blocked",
            "Your daily spam summary",
            "Quarantäne-Bericht für bob@x.example",
            "Resumen de cuarentena",
            "Récapitulatif de la quarantaine",
            "Сводка: карантин",
        ] {
            assert!(is_titled(&folded(subject)), "{subject}");
        }
        for subject in [
            "Your message was rejected as spam",
            "Delivery report",
            "Message quarantined",
            "Undelivered Mail Returned to Sender",
        ] {
            assert!(!is_titled(&folded(subject)), "{subject}");
        }
    }
}
