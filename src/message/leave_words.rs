//! The words by which a link says that it takes the reader off a list, in many languages.
//!
//! Not here: where they are looked for (`links`). Invariant: letters alone count, so that case,
//! accents in two forms, soft hyphens and separators hide nothing.

/// Longer texts come first in no particular order: one of them is enough.
const WORDS: &[&str] = &[
    // English, and what addresses hold in any language
    "unsubscri",
    "optout",
    "optmeout",
    "removemefrom",
    "stopreceivingthese",
    "stopreceivingemail",
    "leavethislist",
    "leavelist",
    "nolongerwishtoreceive",
    // German, Dutch, Scandinavian
    "abmelden",
    "abmeldung",
    "abbestellen",
    "austragen",
    "afmelden",
    "uitschrijven",
    "avregistrera",
    "avprenumerera",
    "avslutaprenumeration",
    "meldegav",
    "meldavnyhetsbrev",
    "avmeld",
    "afmeld",
    "frameld",
    "peruutatilaus",
    "peruuttaatilau",
    "lopetatilaus",
    // French, Spanish, Portuguese, Italian, Romanian, Catalan
    "désabonn",
    "desabonn",
    "désinscri",
    "desinscri",
    "neplusrecevoir",
    "darsedebaja",
    "dardebaja",
    "darmedebaja",
    "anularsuscripción",
    "anularsuscripcion",
    "cancelarsuscripción",
    "cancelarsuscripcion",
    "cancelarlasuscripción",
    "desuscri",
    "cancelarinscrição",
    "cancelarinscricao",
    "cancelarsubscrição",
    "cancelarassinatura",
    "descadastr",
    "anularsubscrição",
    "disiscri",
    "annullaiscrizione",
    "annullal'iscrizione",
    "cancellaiscrizione",
    "cancellatidalla",
    "cancellalatuaiscrizione",
    "dezabon",
    "donarsedebaixa",
    // Slavic, Hungarian, Baltic
    "wypisz",
    "wypisaćsię",
    "rezygnacjazsubskrypcji",
    "anulujsubskrypcję",
    "odhlásit",
    "odhlasit",
    "odhlásiť",
    "odhlásenie",
    "zrušitodběr",
    "odjavi",
    "odjava",
    "leiratkoz",
    "отписаться",
    "отпишитесь",
    "отписка",
    "отменитьподписку",
    "отказатьсяотрассылки",
    "відписатися",
    "відписатись",
    "отпишетесе",
    "отписване",
    "atsisakytiprenumeratos",
    "atrakstīties",
    "loobuuudiskirjast",
    // Greek, Turkish, Hebrew, Arabic
    "διαγραφήαπό",
    "κατάργησηεγγραφής",
    "απεγγραφή",
    "aboneliktençık",
    "üyeliktençık",
    "listedençık",
    "הסרהמרשימת",
    "להסרה",
    "ביטולהרשמה",
    "إلغاءالاشتراك",
    "الغاءالاشتراك",
    // East Asian
    "退订",
    "退訂",
    "取消订阅",
    "取消訂閱",
    "配信停止",
    "配信解除",
    "購読解除",
    "購読停止",
    "登録解除",
    "退会",
    "수신거부",
    "구독취소",
    "구독해지",
    "hủyđăngký",
    "ยกเลิกการรับ",
    "ยกเลิกการเป็นสมาชิก",
    "berhentiberlangganan",
];

/// Whether a text, or a part of an address, says that it takes the reader off a list.
pub(crate) fn says_leave(text: &str) -> bool {
    // Vowel signs of Thai and Hindi are no letters by themselves.
    let letters = |c: &char| c.is_alphabetic() || *c == '\'' || (*c >= '\u{300}' && !is_separator(*c));
    let plain: String = text.chars().flat_map(char::to_lowercase).filter(letters).collect();
    let mut parts = text.split(|c: char| !c.is_alphanumeric());
    parts.any(|part| part.eq_ignore_ascii_case("unsub")) || WORDS.iter().any(|word| plain.contains(word))
}

/// Punctuation and blanks beyond Latin.
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff20}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_and_case_hide_nothing() {
        for text in [
            "Un-Subscribe",
            "UN\u{ad}SUBSCRIBE",
            "opt out",
            "/opt_out.php",
            "Newsletter abbestellen",
            "se d\u{e9}sabonner",
            "Отписаться от рассылки",
            "メール配信停止はこちら",
            "Darse de baja",
            "/unsub/7",
        ] {
            assert!(says_leave(text), "{text}");
        }
    }

    #[test]
    fn subscribing_is_not_leaving() {
        for text in [
            "Subscribe",
            "Options",
            "Outlet",
            "Abonnieren",
            "S'abonner",
            "Sign up",
            "購読",
            "Stop & shop",
            "sun subway",
        ] {
            assert!(!says_leave(text), "{text}");
        }
    }

    #[test]
    fn every_word_is_in_the_form_that_is_compared() {
        for word in WORDS {
            assert!(says_leave(word), "{word}");
        }
    }
}
