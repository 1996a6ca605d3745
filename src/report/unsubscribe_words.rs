//! The words of requests to unsubscribe, in many languages.
//!
//! Not here: when they count (`unsubscribe`), and addresses (`unsubscribe_address`). Invariant: all
//! words are folded, as what they are compared with.

use super::fold::folded;

/// Words for nothing but unsubscribing.
const CLEAR: &[&str] = &[
    "unsubscribe",
    "unsubscribed",
    "unsubscription",
    "unsub",
    "opt-out",
    "opt out",
    "optout",
    "signoff",
    "abbestellen",
    "abbestellung",
    "abmelden",
    "abmeldung",
    "newsletter abbestellen",
    "newsletter abmelden",
    "austragen",
    "desabonnement",
    "desabonner",
    "se desabonner",
    "me desabonner",
    "desinscription",
    "desinscrire",
    "me desinscrire",
    "se desinscrire",
    "baja",
    "darme de baja",
    "dar de baja",
    "darse de baja",
    "cancelar suscripcion",
    "cancelar la suscripcion",
    "cancelar mi suscripcion",
    "anular suscripcion",
    "desuscribir",
    "cancelar inscricao",
    "cancelar assinatura",
    "cancelar subscricao",
    "anular subscricao",
    "descadastrar",
    "annulla iscrizione",
    "cancella iscrizione",
    "cancellami",
    "disiscrivi",
    "disiscrivimi",
    "disiscrizione",
    "afmelden",
    "uitschrijven",
    "dezabonare",
    "dezaboneaza-ma",
    "avprenumerera",
    "avregistrera",
    "avsluta prenumeration",
    "afmeld",
    "avmeld",
    "meld meg av",
    "peru tilaus",
    "peruuta tilaus",
    "wypisz",
    "wypisz mnie",
    "anuluj subskrypcje",
    "odhlasit",
    "odhlaseni",
    "odhlasenie",
    "zrusit odber",
    "leiratkozas",
    "leiratkozom",
    "odjava",
    "odjavi me",
    "abonelikten cik",
    "aboneligi iptal et",
    "διαγραφη",
    "καταργηση εγγραφησ",
    "отказаться от подписки",
    "отписать",
    "отписаться",
    "отписка",
    "отпишите меня",
    "відписатися",
    "відмовитися від підписки",
    "отписване",
    "配信停止",
    "配信解除",
    "購読解除",
    "登録解除",
    "退会",
    "退订",
    "退訂",
    "取消订阅",
    "取消訂閱",
    "수신거부",
    "수신 거부",
    "구독취소",
    "구독 취소",
    "הסר",
    "הסרה",
    "הסרה מרשימת התפוצה",
    "إلغاء الاشتراك",
    "لغو اشتراک",
    "huy dang ky",
    "berhenti berlangganan",
    "ยกเลิกการสมัคร",
    "ยกเลิกการรับข่าวสาร",
];
/// Words that ask for it only where nothing else is said.
const ALONE: &[&str] = &[
    "remove",
    "remove me",
    "remove me please",
    "remove from list",
    "please remove",
    "please remove me",
    "stop",
    "leave",
    "cancel",
    "cancel subscription",
    "cancel my subscription",
    "take me off",
    "delete me",
    "cancelar",
    "opzeggen",
];
/// What people ask in a sentence.
const REQUESTS: &[&str] = &[
    "unsubscribe me",
    "unsubscribe my",
    "unsubscribe this",
    "unsubscribe from",
    "please unsubscribe",
    "to unsubscribe",
    "stop sending me",
    "stop emailing",
    "stop mailing",
    "cancel my subscription",
    "no longer wish to receive",
    "no longer want to receive",
    "not wish to receive",
    "not want to receive",
    "don't want to receive",
    "bitte abmelden",
    "bitte austragen",
    "aus dem verteiler",
    "aus ihrem verteiler",
    "melden sie mich ab",
    "mich abmelden",
    "newsletter abbestellen",
    "keine weiteren mails",
    "keine weiteren e-mails",
    "keine newsletter mehr",
    "desabonnez-moi",
    "desabonnez moi",
    "me desabonner",
    "me desinscrire",
    "ne plus recevoir",
    "darme de baja",
    "denme de baja",
    "deme de baja",
    "dar de baja",
    "no quiero recibir",
    "no deseo recibir",
    "cancelar mi suscripcion",
    "cancelar a minha",
    "nao quero receber",
    "nao desejo receber",
    "cancellatemi",
    "cancellarmi",
    "disiscrivermi",
    "non desidero ricevere",
    "non voglio ricevere",
    "schrijf mij uit",
    "schrijf me uit",
    "mij uitschrijven",
    "me afmelden",
    "mij afmelden",
    "prosze o wypisanie",
    "wypiszcie mnie",
    "avregistrera mig",
    "afmeld mig",
    "отпишите меня",
    "отписать меня",
    "odhlaste me",
    "配信を停止",
    "配信停止を",
];
/// What people ask in a sentence that speaks of a list as well: they leave meetings too.
const REQUESTS_OF_LISTS: &[&str] = &[
    "remove me from",
    "remove my e",
    "remove my name",
    "remove my address",
    "remove this address",
    "take me off",
    "me retirer de",
    "verwijder mij",
    "verwijder me",
    "fjern meg",
    "fjern mig",
    "ta bort mig",
    "удалите меня из",
];
/// What follows the word in a request.
const OBJECTS: &[&str] =
    &["me", "my", "us", "from", "request", "please", "this", "mich", "moi", "von", "aus"];
/// What mail programs write of themselves.
const MADE: &[&str] = &[
    "automatically",
    "automatic message",
    "automated",
    "automatisch",
    "automatiquement",
    "automaticamente",
    "apple mail",
    "by gmail",
    "自动",
    "自動",
    "автоматически",
];
/// What lists and shops write of a request that they have or have done.
const DONE: &[&str] = &[
    "your request",
    "we received",
    "we have received",
    "you have been",
    "you are now unsubscribed",
    "you were removed",
    "you will be removed",
    "has been removed",
    "have been removed",
    "sorry to see you go",
    "ihre abmeldung",
    "ihr abmeldewunsch",
    "wurden abgemeldet",
    "wurden aus dem verteiler",
    "votre demande",
    "avez ete desinscrit",
    "votre desinscription",
    "su solicitud",
    "tu solicitud",
    "ha sido dado de baja",
    "ha sido eliminad",
    "sua solicitacao",
    "foi removid",
    "la tua richiesta",
    "sei stato cancellato",
    "uw aanvraag",
    "bent afgemeld",
    "bent uitgeschreven",
    "вы отписаны",
    "вы успешно отписались",
    "ваш запрос",
    "配信停止のお手続き",
    "您已成功退订",
];
/// Whether a folded text confirms what was asked.
pub(crate) fn is_done(text: &str) -> bool {
    DONE.iter().any(|words| text.contains(words))
}

/// Whether a folded text speaks of how it is done, and does not ask for it.
pub(crate) fn speaks_of_the_way(text: &str) -> bool {
    const WAYS: [&str; 7] = [
        "how to unsubscribe",
        "how to opt out",
        "how people unsubscribe",
        "how users unsubscribe",
        "comment se desabonner",
        "como darse de baja",
        "wie man sich abmeldet",
    ];
    const ASKS: [&str; 4] = ["please unsubscribe", "unsubscribe me", "remove me", "take me off"];
    let has = |words: &[&str]| words.iter().any(|words| text.contains(words));
    has(&WAYS) && !has(&ASKS)
}

/// Whether a folded text asks to unsubscribe and says nothing else.
pub(crate) fn is_request(text: &str) -> bool {
    let text = bare(text);
    let text = text.strip_prefix("please ").or_else(|| text.strip_prefix("bitte ")).unwrap_or(text);
    let Some(rest) = after_word(text) else { return false };
    let first = rest.split(' ').next().unwrap_or_default();
    let one = first.len() == rest.len();
    rest.is_empty() || (one && is_token(rest)) || (OBJECTS.contains(&first) && rest.split(' ').count() <= 8)
}

/// Whether a folded text is a word that asks for it if nothing else is said.
pub(crate) fn is_alone(text: &str) -> bool {
    ALONE.contains(&bare(text))
}

/// Whether a folded text speaks of a list that is sent by mail.
pub(crate) fn speaks_of_list(text: &str) -> bool {
    const LISTS: [&str; 12] = [
        "list",
        "letter",
        "mail",
        "verteiler",
        "nieuwsbrief",
        "subscri",
        "boletin",
        "bulletin",
        "рассыл",
        "database",
        "bestand",
        "utskick",
    ];
    LISTS.iter().any(|word| text.contains(word))
}

/// Whether a short folded text has a request in one of its sentences.
pub(crate) fn has_request(text: &str) -> bool {
    let has = |requests: &[&str]| requests.iter().any(|request| text.contains(request));
    has(REQUESTS)
        || (has(REQUESTS_OF_LISTS) && speaks_of_list(text))
        || text.lines().next().is_some_and(is_request)
}

/// Whether a folded subject is a word that people use of courses and appointments too.
pub(crate) fn is_ambiguous(subject: &str) -> bool {
    const WORDS: [&str; 8] =
        ["abmeldung", "abmelden", "afmelden", "baja", "odjava", "odhlaseni", "odhlasit", "leiratkozas"];
    WORDS.contains(&bare(subject))
}

/// Whether a folded text speaks of it, and not of the way to do it.
pub(crate) fn speaks_of_it(text: &str) -> bool {
    const WAYS: [&str; 8] = ["link", "button", "page", "header", "error", "problem", "not work", "rate"];
    let word = |word: &str| CLEAR.contains(&word.trim_matches(|c: char| c.is_ascii_punctuation()));
    !WAYS.iter().any(|way| text.contains(way)) && text.split([' ', '\n']).any(word)
}

/// Whether a folded text is a command to a list manager: the word, and the name of a list.
pub(crate) fn is_command(text: &str) -> bool {
    after_word(bare(text)).is_some_and(|rest| rest.len() <= 60 && !rest.contains(' '))
}

/// Whether the first line of a folded text is such a command, maybe with the name of the writer.
pub(crate) fn is_command_of_somebody(text: &str) -> bool {
    let first = after_word(bare(text.lines().next().unwrap_or_default()));
    first.is_some_and(|rest| rest.split(' ').count() <= 5)
}

/// Whether a folded text says that a program made it.
pub(crate) fn is_made(text: &str) -> bool {
    MADE.iter().any(|words| text.contains(words))
}

/// What a subject names after the word: a token or an address.
pub(crate) fn token_in_subject(subject: &str) -> Option<String> {
    let (word, rest) = subject.trim().split_once([' ', ':'])?;
    let rest = rest.trim();
    (after_word(&folded(word)) == Some("") && is_token(rest) && rest.len() <= 200).then(|| rest.to_owned())
}

/// A text without the marks of a reply and the punctuation around it.
fn bare(text: &str) -> &str {
    let text = text.trim();
    let text = text.strip_prefix("re:").unwrap_or(text);
    text.trim_matches(|c: char| c.is_ascii_punctuation() || c == ' ' || c == '。')
}

/// What follows a word for unsubscribing at the beginning of a text.
fn after_word(text: &str) -> Option<&str> {
    let rests = CLEAR.iter().filter_map(|word| text.strip_prefix(word));
    let whole = rests.filter(|rest| rest.is_empty() || rest.starts_with([' ', ':', ',', '.', '!', '-']));
    whole.map(|rest| rest.trim_start_matches([' ', ':', ',', '.', '!', '-'])).min_by_key(|rest| rest.len())
}

/// Whether a word is hardly one of a language.
fn is_token(word: &str) -> bool {
    !word.contains(' ')
        && word.chars().any(|c| c.is_ascii_digit() || matches!(c, '@' | '=' | '_' | '+' | '/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_and_listed_once() {
        for words in [CLEAR, ALONE, REQUESTS, REQUESTS_OF_LISTS, MADE, OBJECTS, DONE] {
            let mut sorted = words.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), words.len());
            for word in words {
                assert_eq!(folded(word), *word);
            }
        }
        assert!(CLEAR.iter().all(|word| is_request(word) && is_command(word)));
    }
}
