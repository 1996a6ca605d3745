//! Whether a text is a person's letter: it greets somebody, and says goodbye or asks something.
//!
//! Programs greet too, but they hardly ask. Not here: what the header says about the writer
//! (`writer`). Invariant: one pass over a bounded text.

use super::fold::folded;
use super::own_words::OwnWords;

/// How letters begin, folded.
const GREETINGS: &[&str] = &[
    "hi",
    "hey",
    "hello",
    "dear",
    "good morning",
    "good day",
    "good afternoon",
    "good evening",
    "greetings",
    "hallo",
    "guten tag",
    "guten morgen",
    "moin",
    "sehr geehrte",
    "sehr geehrter",
    "liebe",
    "lieber",
    "servus",
    "gruezi",
    "bonjour",
    "bonsoir",
    "salut",
    "cher",
    "chere",
    "madame",
    "monsieur",
    "hola",
    "buenos dias",
    "buenas tardes",
    "estimado",
    "estimada",
    "estimados",
    "ciao",
    "salve",
    "buongiorno",
    "gentile",
    "egregio",
    "ola",
    "bom dia",
    "boa tarde",
    "caro",
    "cara",
    "prezado",
    "prezados",
    "beste",
    "geachte",
    "dag",
    "hej",
    "hei",
    "kara",
    "kaere",
    "moi",
    "czesc",
    "dzien dobry",
    "szanowni",
    "szanowny",
    "dobry den",
    "ahoj",
    "vazeni",
    "vazeny",
    "kedves",
    "tisztelt",
    "buna ziua",
    "stimate",
    "merhaba",
    "sayin",
    "здравствуйте",
    "добрый день",
    "привет",
    "уважаемые",
    "уважаемый",
    "добрий день",
    "вітаю",
    "您好",
    "你好",
    "尊敬的",
    "こんにちは",
    "お世話になっております",
    "안녕하세요",
    "שלום",
    "مرحبا",
    "السلام عليكم",
    "xin chao",
];
/// How they end, folded.
const GOODBYES: &[&str] = &[
    "regards",
    "kind regards",
    "best regards",
    "warm regards",
    "best",
    "best wishes",
    "thanks",
    "thank you",
    "many thanks",
    "thx",
    "cheers",
    "sincerely",
    "yours",
    "gruss",
    "grus",
    "grusse",
    "viele grusse",
    "lg",
    "mfg",
    "mit freundlichen",
    "freundliche grusse",
    "freundliche gruse",
    "gruse",
    "viele gruse",
    "beste gruse",
    "beste grusse",
    "liebe gruse",
    "liebe grusse",
    "schone gruse",
    "schonen grus",
    "danke",
    "vielen dank",
    "cordialement",
    "bien cordialement",
    "cordialmente",
    "un cordial saludo",
    "med vanliga halsningar",
    "bien a vous",
    "merci",
    "saludos",
    "un saludo",
    "gracias",
    "atentamente",
    "cordiali saluti",
    "saluti",
    "grazie",
    "distinti saluti",
    "abraco",
    "obrigado",
    "obrigada",
    "cumprimentos",
    "atenciosamente",
    "groet",
    "groeten",
    "met vriendelijke",
    "bedankt",
    "halsningar",
    "mvh",
    "vanlig halsning",
    "venlig hilsen",
    "hilsen",
    "tack",
    "tak",
    "takk",
    "terveisin",
    "kiitos",
    "pozdrawiam",
    "dziekuje",
    "s pozdravem",
    "s pozdravom",
    "dekuji",
    "udvozlettel",
    "koszonom",
    "cu stima",
    "multumesc",
    "tesekkurler",
    "saygilar",
    "с уважением",
    "спасибо",
    "з повагою",
    "дякую",
    "谢谢",
    "此致",
    "よろしくお願い",
    "감사합니다",
    "תודה",
    "شكرا",
];

/// What is asked of whoever is to deal with a forwarded mail, folded.
const LOOKS: &[&str] = &[
    "look",
    "check",
    "see to",
    "see this",
    "deal with",
    "remove",
    "ansehen",
    "anschauen",
    "nachsehen",
    "prufen",
    "kummern",
    "entfernen",
    "regarder",
    "verifier",
    "mirar",
    "revisar",
    "guardare",
    "occhiata",
    "controllare",
    "verificar",
    "kijken",
    "sprawdz",
    "посмотр",
    "провер",
];

/// Remarks that say nothing, folded.
const PASSES_ON: &[&str] = &[
    "fyi",
    "for your information",
    "see below",
    "see attach",
    "see the attach",
    "as attached",
    "zur info",
    "z. k.",
    "z.k.",
    "zur kenntnis",
    "siehe unten",
    "siehe anhang",
    "pour info",
    "ci-dessous",
    "ci-joint",
    "para tu info",
    "para su info",
    "vease",
    "per conoscenza",
    "vedi sotto",
    "para conhecimento",
    "ter info",
    "zie onder",
    "for kannedom",
    "se nedan",
    "til orientering",
    "do wiadomosci",
    "к сведению",
    "см. ниже",
];

/// How somebody tells what came back, folded. Mail servers say that they tried and gave up, never
/// that they got something.
const TELLS: &[&str] = &[
    "i got the following",
    "i got this",
    "i got a bounce",
    "i just got",
    "i get the following",
    "i get this",
    "i received the following",
    "i received this",
    "i have received",
    "i keep getting",
    "i am getting",
    "i'm getting",
    "i attempted to",
    "we got the following",
    "we received the following",
    "we are getting",
    "got the following rejection",
    "got the following bounce",
    "got the following error",
    "ich bekomme",
    "bekam ich",
    "ich habe folgende",
    "erhalte ich",
    "j'ai recu",
    "je recois",
    "he recibido",
    "recibo el siguiente",
    "ho ricevuto",
    "recebi",
    "ik kreeg",
    "ik krijg",
    "dostalem",
    "я получил",
    "я получаю",
];

/// Whether the writer tells what came back.
pub(crate) fn tells(words: &OwnWords) -> bool {
    words.text.lines().map(folded).any(|line| TELLS.iter().any(|told| line.contains(told)))
}

/// Whether the writer's own words are a letter.
pub(crate) fn is_letter(words: &OwnWords) -> bool {
    let first = words.text.lines().next().map(folded).unwrap_or_default();
    let greets = first.len() < 80 && !first.contains("this is") && starts(&first, GREETINGS);
    greets && (asks(words) || says_goodbye(words))
}

/// Whether a folded line says that forwarded mail follows, as Apple's program writes it.
pub(crate) fn begins_forward(line: &str) -> bool {
    const WORDS: [&str; 6] = [
        "begin forwarded message",
        "anfang der weitergeleiteten",
        "debut du message",
        "inicio del mensaje reenviado",
        "inizio messaggio inoltrato",
        "begin doorgestuurd bericht",
    ];
    WORDS.iter().any(|words| line.starts_with(words))
}

/// Whether somebody hands a mail on without a word of their own: nothing but a greeting, and one
/// sentence that asks to look at it. Whoever says more explains what is shown, or knows better.
pub(crate) fn only_hands_on(words: &OwnWords) -> bool {
    const MAX_GREETING: usize = 40;
    let text = words.text.lines().map(folded).collect::<Vec<String>>().join("\n");
    let is_greeting =
        |line: &str| line.len() < MAX_GREETING && starts(line, GREETINGS) && !line.contains('.');
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let said = if is_greeting(first) { rest } else { text.as_str() };
    let (before, last) = said.rsplit_once('\n').unwrap_or(("", said));
    let said = if begins_forward(last) { before.trim_end() } else { said };
    let ends = |pair: &[char]| matches!(pair, ['.' | '?' | '!' | ':', ' ' | '\n']);
    let is_sentence =
        !said.ends_with([':', '：']) && !said.chars().collect::<Vec<char>>().windows(2).any(ends);
    let passes = |words: &[&str]| words.iter().any(|word| said.contains(word));
    said.is_empty() || (is_sentence && (passes(LOOKS) || passes(PASSES_ON)))
}

/// Whether the writer asks something. A question mark within a word is one of an address on the
/// web.
pub(crate) fn asks(words: &OwnWords) -> bool {
    let ends_question = |word: &str| word.trim_end_matches(['"', ')', '!', '*']).ends_with('?');
    words.text.contains('？') || words.text.split_whitespace().any(ends_question)
}

fn says_goodbye(words: &OwnWords) -> bool {
    let mut lines = words.text.lines().skip(1).map(folded);
    lines.any(|line| line.len() < 60 && starts(&line, GOODBYES))
}

/// Whether a line starts with one of some words, and not with a longer one.
fn starts(line: &str, words: &[&str]) -> bool {
    let follows = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric());
    words.iter().any(|word| line.strip_prefix(word).is_some_and(follows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    #[test]
    fn people_tell_what_came_back() {
        for (text, told) in [
            ("I tried to vote and got the following\nanswer, I got this:\n\n  550 no\n", true),
            ("Vorhin bekam ich das hier zurück:\n550 nein\n", true),
            ("I'm afraid I wasn't able to deliver your message. I've given up.\n", false),
        ] {
            let words = OwnWords::of(&PartText::plain(text, 1).lines());
            assert_eq!(tells(&words), told, "{text}");
        }
    }

    #[test]
    fn a_remark_that_says_something_is_a_letter() {
        for (text, only) in [
            ("", true),
            ("FYI\n", true),
            ("FYI\nBegin forwarded message:\n", true),
            ("Hallo,\nkannst du das ansehen?\n", true),
            ("Please look at this.\n", true),
            ("Otto did not get it, see below. He was away, please try again.\n", false),
            ("Have a look at an example:\n", false),
            ("Das bekommen wir jeden Tag.\n", false),
        ] {
            let words = OwnWords::of(&PartText::plain(text, 1).lines());
            assert_eq!(only_hands_on(&words), only, "{text}");
        }
        assert!(PASSES_ON.iter().chain(LOOKS).all(|word| folded(word) == *word));
    }

    #[test]
    fn people_greet_and_ask_or_say_goodbye() {
        for (text, letter) in [
            ("Hello all,\n\nmail comes back.\n\nThanks\nJoe\n", true),
            ("Sehr geehrte Damen und Herren,\nkommt diese Mail an?\n", true),
            ("Hi. This is the mail server.\nRegards\n", false),
            ("Hello, this is the mail server.\nNot delivered.\n", false),
            ("Hidden fees are listed.\nThanks\n", false),
            ("Mail comes back.\nThanks\n", false),
        ] {
            let words = OwnWords::of(&PartText::plain(text, 1).lines());
            assert_eq!(is_letter(&words), letter, "{text}");
        }
        assert!(GREETINGS.iter().chain(GOODBYES).all(|word| folded(word) == *word));
    }
}
