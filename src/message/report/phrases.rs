//! The phrases by which mail servers and providers say what happened, in many languages, and the search for them.
//!
//! Not here: what follows from a phrase. The phrases are data: folded text, one meaning a table; a new language is new
//! lines. Invariant: all of them are looked for in one pass.

/// What a phrase says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// Somebody did not get the message. Who, stands after it.
    Failed,
    /// The address right after it did not get the message, if anything else says that this is a bounce.
    Perhaps,
    /// It is still tried.
    Delayed,
    /// It was delivered.
    Delivered,
    /// It was handed to a server that sends no reports.
    Relayed,
    /// What was said between two servers follows.
    Transcript,
    /// The message that is reported on follows.
    Original,
    /// An address to ask for help follows.
    Contact,
    /// The command that was answered.
    Stage(&'static str),
}

/// A place where a phrase stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// The index of its first byte in the folded text.
    pub(super) start: usize,
    /// The index after its last byte.
    pub(super) end: usize,
    /// What it says.
    pub(super) says: Says,
}

const TABLES: [(Says, &[&str]); 15] = [
    (Says::Failed, FAILED),
    (Says::Failed, FAILED_EUROPE),
    (Says::Failed, FAILED_WORLD),
    (Says::Perhaps, PERHAPS),
    (Says::Delayed, DELAYED),
    (Says::Delivered, DELIVERED),
    (Says::Relayed, RELAYED),
    (Says::Transcript, TRANSCRIPT),
    (Says::Original, ORIGINAL),
    (Says::Contact, CONTACT),
    (Says::Stage("DATA"), STAGE_DATA),
    (Says::Stage("RCPT"), STAGE_RCPT),
    (Says::Stage("MAIL"), STAGE_MAIL),
    (Says::Stage("HELO"), STAGE_GREETING),
    (Says::Stage("CONN"), STAGE_CONNECTION),
];

const FAILED: &[&str] = &[
    "address failed",
    "addresses failed",
    "address(es) failed",
    "address not found",
    "an error occurred while trying to deliver",
    "be delivered to",
    "below could not be",
    "bounced address",
    "can not be delivered",
    "can not deliver",
    "can't be delivered",
    "can't deliver",
    "cannot be delivered",
    "cannot deliver",
    "considered unsolicited",
    "could not be delivered",
    "could not be reached",
    "could not be sent",
    "could not deliver",
    "couldn't be delivered",
    "couldn't be reached",
    "couldn't be sent",
    "couldn't deliver",
    "delevery to the following",
    "deliver to the following",
    "delivery error",
    "delivery errors",
    "delivery failed",
    "delivery failure",
    "delivery has failed",
    "delivery incomplete",
    "delivery problem",
    "delivery problems",
    "delivery to these recipients",
    "delivery to the following",
    "delivery was unsuccessful",
    "did not get through",
    "did not receive",
    "did not reach",
    "did not exactly match",
    "didn't reach",
    "duplicated message-id in",
    "error delivering",
    "error has occurred while attempting",
    "errors delivering",
    "failed address",
    "failed addresses",
    "failed permanently",
    "failed recipient",
    "failed recipients",
    "failed to deliver",
    "failed to delivery",
    "failed to reach",
    "failed to send",
    "failure delivering",
    "failure reasons",
    "fatal delivery error",
    "fatal delivery errors",
    "fatal error",
    "fatal errors",
    "following address had",
    "following addresses had",
    "following recipient was",
    "following recipients were",
    "following recipients was",
    "has been blocked",
    "has been rejected",
    "has been returned",
    "has bounced",
    "has not been delivered",
    "have not been delivered",
    "invalid final delivery userid",
    "mail delivery problem",
    "message blocked",
    "message rejected",
    "message undelivered",
    "non-deliverable",
    "non-delivery report",
    "non deliverable",
    "not able to deliver",
    "not been able to deliver",
    "not be delivered",
    "not been delivered",
    "not deliverable",
    "not delivered",
    "not receive this message",
    "permanent delivery error",
    "permanent error",
    "permanent errors",
    "problem delivering",
    "problems delivering",
    "recipients failed",
    "recipients were affected",
    "rejected the message",
    "rejected your message",
    "returned permanent errors",
    "returned to sender",
    "trouble delivering",
    "unable to be delivered",
    "unable to deliver",
    "unable to reach",
    "unable to relay",
    "unable to send",
    "undeliverable",
    "undelivered",
    "unknown user",
    "was blocked",
    "was not delivered",
    "was not relayed",
    "was not sent",
    "was rejected",
    "was returned",
    "was undeliverable",
    "wasn't delivered",
    "were not delivered",
    "weren't delivered",
    "your message was automatically rejected",
];

const FAILED_EUROPE: &[&str] = &[
    // German
    "fehler beim zustellen",
    "fehler bei der zustellung",
    "konnte leider nicht",
    "konnte nicht an",
    "konnte nicht ausgeliefert",
    "konnte nicht gesendet",
    "konnte nicht ubermittelt",
    "konnte nicht uebermittelt",
    "konnte nicht zugestellt",
    "konnten nicht zugestellt",
    "kann nicht zugestellt",
    "nicht ausgeliefert",
    "nicht erreicht",
    "nicht zugestellt",
    "nicht zustellbar",
    "unzustellbar",
    "zustellfehler",
    "zustellung an",
    "zustellung fehlgeschlagen",
    "zustellung ist fehlgeschlagen",
    "zustellung nicht moglich",
    "abgelehnt",
    // French
    "a ete rejete",
    "echec d'envoi",
    "echec de l'envoi",
    "echec de la remise",
    "echec de livraison",
    "echec de la distribution",
    "echec de remise",
    "impossible d'envoyer",
    "impossible de delivrer",
    "impossible de distribuer",
    "impossible de remettre",
    "n'a pas ete delivre",
    "n'a pas ete distribue",
    "n'a pas ete envoye",
    "n'a pas ete remis",
    "n'a pas pu",
    "n'ont pas pu",
    "n'a pu etre",
    "n'ont pas recu",
    "non delivre",
    "non distribue",
    "non remis",
    "pas parvenu",
    // Spanish, Catalan, Portuguese, Italian, Romanian
    "error al entregar",
    "error de entrega",
    "error en la entrega",
    "fallo de entrega",
    "fallo en la entrega",
    "fallo la entrega",
    "imposible entregar",
    "no fue entregado",
    "no ha podido ser entregado",
    "no ha sido entregado",
    "no pudo entregarse",
    "no pudo ser entregado",
    "no puede ser entregado",
    "no se entrego",
    "no se ha entregado",
    "no se ha podido entregar",
    "no se han podido entregar",
    "no se pudo entregar",
    "no se pudo enviar",
    "no se puede entregar",
    "no entregado",
    "no entregable",
    "no s'ha pogut entregar",
    "no s'ha pogut lliurar",
    "erro ao entregar",
    "erro de entrega",
    "erro na entrega",
    "falha ao entregar",
    "falha de entrega",
    "falha na entrega",
    "impossivel entregar",
    "nao entregue",
    "nao foi entregue",
    "nao foi possivel entregar",
    "nao foi possivel enviar",
    "nao pode ser entregue",
    "nao puderam ser entregues",
    "consegna fallita",
    "consegna non riuscita",
    "errore di consegna",
    "impossibile consegnare",
    "impossibile recapitare",
    "mancata consegna",
    "mancato recapito",
    "non e stata consegnata",
    "non e stato consegnato",
    "non e stato possibile consegnare",
    "non e stato possibile recapitare",
    "non e stato recapitato",
    "non consegnato",
    "non recapitabile",
    "non recapitato",
    "non puo essere consegnato",
    "recapito non riuscito",
    "livrarea a esuat",
    "nu a fost livrat",
    "nu a putut fi livrat",
    "nu s-a putut livra",
    "nu poate fi livrat",
    // Dutch, Swedish, Danish, Norwegian, Finnish, Estonian
    "aflevering mislukt",
    "bezorgen is mislukt",
    "bezorging mislukt",
    "kan niet worden bezorgd",
    "kan niet worden afgeleverd",
    "kon niet worden",
    "konden niet worden",
    "niet afgeleverd",
    "niet bezorgd",
    "niet worden bezorgd",
    "niet worden afgeleverd",
    "onbestelbaar",
    "gick inte att leverera",
    "har inte levererats",
    "kan inte levereras",
    "kunde inte levereras",
    "kunde inte skickas",
    "leveransen misslyckades",
    "obestallbar",
    "olevererbar",
    "ej levererat",
    "ikke leveret",
    "ikke levert",
    "kan ikke leveres",
    "kunne ikke leveres",
    "kunne ikke sendes",
    "levering mislyktes",
    "leveringen mislykkedes",
    "leveringen mislyktes",
    "ei voida toimittaa",
    "ei voitu toimittaa",
    "toimitus epaonnistui",
    "toimittaminen epaonnistui",
    "ei toimitettu",
    "ei onnestunud",
    // Polish, Czech, Slovak, Hungarian, Croatian, Slovene, Lithuanian, Latvian
    "blad dostarczenia",
    "blad dostarczania",
    "nie dostarczono",
    "nie mogla zostac dostarczona",
    "nie moze zostac dostarczona",
    "nie mozna dostarczyc",
    "nie mozna bylo dostarczyc",
    "nie powiodlo sie",
    "nie udalo sie dostarczyc",
    "nie zostala dostarczona",
    "niedostarczona",
    "niedostarczalna",
    "doruceni se nezdarilo",
    "nebyla dorucena",
    "nebylo doruceno",
    "nelze dorucit",
    "nemohla byt dorucena",
    "nemuze byt dorucena",
    "nedorucena",
    "nedorucitelna",
    "nepodarilo se dorucit",
    "nepodarilo sa dorucit",
    "nebola dorucena",
    "nebolo mozne dorucit",
    "nemozno dorucit",
    "kezbesitese sikertelen",
    "kezbesitesi hiba",
    "nem kezbesitheto",
    "nem sikerult kezbesiteni",
    "sikertelen kezbesites",
    "nem lehetett kezbesiteni",
    "isporuka nije uspjela",
    "nije isporucena",
    "nije mogla biti isporucena",
    "ni bilo mogoce dostaviti",
    "nepavyko pristatyti",
    "neizdevas piegadat",
    // Turkish, Greek
    "gonderilemedi",
    "iletilemedi",
    "teslim edilemedi",
    "teslim edilememistir",
    "ulastirilamadi",
    "αποτυχια παραδοσησ",
    "δεν ηταν δυνατη η παραδοση",
    "δεν παραδοθηκε",
    "δεν μπορεσε να παραδοθει",
    "δεν μπορει να παραδοθει",
    "αδυνατη η παραδοση",
    // Russian, Ukrainian, Bulgarian, Serbian
    "доставить сообщение",
    "доставить письмо",
    "невозможно доставить",
    "не было доставлено",
    "не доставлен",
    "не доставлено",
    "не может быть доставлено",
    "не может быть отправлено",
    "не могло быть доставлено",
    "не удалось доставить",
    "не удалось отправить",
    "недоставленное",
    "ошибка доставки",
    "ошибка при доставке",
    "сбой доставки",
    "не вдалося доставити",
    "не вдалося надіслати",
    "не може бути доставлено",
    "помилка доставки",
    "не може да бъде доставен",
    "не беше доставен",
    "није могуће испоручити",
    "не може бити испоручена",
];

const FAILED_WORLD: &[&str] = &[
    // Japanese
    "お届けできません",
    "届けることができません",
    "届けできません",
    "配信できません",
    "配信できなかった",
    "配信に失敗",
    "配信不能",
    "配達できません",
    "配送できません",
    "配送できなかった",
    "送信できません",
    "送信できなかった",
    "送信に失敗",
    "送信エラー",
    "送れませんでした",
    "届きませんでした",
    "エラーのため",
    "アドレスへの送信",
    "見つかりませんでした",
    "受信者またはグループへの配信",
    "返信されました",
    "戻されました",
    // Chinese
    "不能投递",
    "传递失败",
    "傳送失敗",
    "傳遞失敗",
    "发送失败",
    "寄送失敗",
    "投递失败",
    "投遞失敗",
    "无法传递",
    "无法发送",
    "无法投递",
    "无法送达",
    "无法递送",
    "無法傳遞",
    "無法傳送",
    "無法寄送",
    "無法投遞",
    "無法送達",
    "未能送达",
    "未能送達",
    "未能投递",
    "未送达",
    "被退回",
    "退信",
    "退件",
    // Korean
    "배달되지 않",
    "배달하지 못",
    "배달할 수 없",
    "배달 실패",
    "전달되지 않",
    "전달하지 못",
    "전달할 수 없",
    "전송되지 않",
    "전송하지 못",
    "전송할 수 없",
    "전송 실패",
    "발송 실패",
    "반송되",
    "보내지 못",
    // Arabic, Hebrew, Persian
    "تعذر تسليم",
    "تعذر توصيل",
    "تعذر إرسال",
    "فشل تسليم",
    "فشل في تسليم",
    "لم يتم تسليم",
    "לא נמסרה",
    "לא ניתן היה למסור",
    "לא ניתן למסור",
    "מסירת ההודעה נכשלה",
    "תحویل نشد",
    "ارسال نشد",
    // Vietnamese, Thai, Indonesian, Malay, Hindi
    "khong the chuyen",
    "khong the gui",
    "khong gui duoc",
    "khong duoc gui",
    "gui khong thanh cong",
    "ไม่สามารถส่ง",
    "ส่งไม่สำเร็จ",
    "gagal dikirim",
    "gagal terkirim",
    "pengiriman gagal",
    "tidak dapat dikirim",
    "tidak dapat dihantar",
    "tidak terkirim",
    "वितरित नहीं",
    "डिलीवर नहीं",
];

const PERHAPS: &[&str] = &[
    "addressed to email address :",
    "deliver your message to",
    "delivering your message to",
    "email address",
    "e-mail address",
    "for the recipient",
    "local mailbox",
    "mail to",
    "mailbox",
    "message for",
    "message was addressed,",
    "message to",
    "nachricht an",
    "recipient",
    "recipient address",
    "recipient's address",
    "send to",
    "sent to",
    "user",
    "votre message a",
    "your message to",
    "ваше письмо",
    "адрес",
];

const DELAYED: &[&str] = &[
    "action is required on your part",
    "attempts will continue",
    "being retried",
    "continue trying",
    "delayed delivery",
    "delayed for more than",
    "delivery attempts will continue",
    "delivery is delayed",
    "delivery status notification (delay)",
    "do not need to resend",
    "do not need to re-send",
    "has been delayed",
    "has not yet been delivered",
    "have not yet been delivered",
    "have not yet received",
    "is delayed",
    "message delayed",
    "no need to resend",
    "not yet been delivered",
    "notification about a delay",
    "only a temporary failure",
    "still awaiting delivery",
    "still being retried",
    "temporary problem delivering",
    "this is a warning message only",
    "this is a warning only",
    "warning message only",
    "warning: could not send",
    "warning: message",
    "was delayed",
    "will be retried",
    "will continue to be tried",
    "will continue to try",
    "will keep trying",
    "will retry",
    "will be attempted again",
    "auslieferung verzogert",
    "verzogerte zustellung",
    "wird verzogert",
    "noch nicht zugestellt",
    "wurde verzogert",
    "weitere zustellversuche",
    "a ete retarde",
    "en retard",
    "pas encore ete",
    "remise retardee",
    "nouvelle tentative",
    "ha sido retrasado",
    "se ha retrasado",
    "se sigue intentando",
    "aun no se ha entregado",
    "consegna ritardata",
    "in ritardo",
    "non e ancora stato",
    "foi adiada",
    "atraso na entrega",
    "ainda nao foi entregue",
    "vertraagd",
    "nog niet bezorgd",
    "har fordrojts",
    "forsinket",
    "opoznion",
    "zpozden",
    "задержк",
    "доставка отложена",
    "ещё не доставлен",
    "еще не доставлен",
    "повторные попытки",
    "затримк",
    "遅延",
    "遅れています",
    "再送を試み",
    "延迟",
    "延遲",
    "지연",
];

const DELIVERED: &[&str] = &[
    "delivery successful",
    "has been successfully delivered",
    "successfully delivered to",
    "was delivered to the following",
    "was successfully delivered",
    "delivery report that you requested",
    "erfolgreich zugestellt",
    "a ete remis",
    "fue entregado a",
    "доставлено успешно",
];

const RELAYED: &[&str] = &[
    "but no delivery notification was sent",
    "successfully relayed",
    "relayed to a system",
    "relayed into a non dsn-aware",
    "sent by the destination server",
    "relayed via a remote that does not support dsn",
];

const TRANSCRIPT: &[&str] = &[
    "session transcript",
    "transcript of session",
    "transcript of the session",
    "transcript of the attempts",
    "additional information",
    "diagnostic information for administrators",
    "technical details of",
    "technical report:",
    "generating server:",
    "informations de diagnostic",
    "diagnoseinformationen fur",
    "informacion de diagnostico",
    "informazioni di diagnostica",
    "diagnostische informatie",
    "diagnostikinformation",
    "diagnostische gegevens",
    "диагностические сведения",
    "管理者向けの診断情報",
    "供管理员使用的诊断信息",
    "informacoes de diagnostico",
];

const ORIGINAL: &[&str] = &[
    "a copy of the message",
    "a copy of your message",
    "a copy of the original message",
    "a summary of the undelivered message",
    "below is a copy of",
    "below this line is a copy",
    "below this line is the original",
    "copy of the header",
    "copy of the message header",
    "enclosed is a copy of",
    "forwarded message",
    "header of the original message",
    "headers of the original message",
    "included is a copy",
    "message body suppressed",
    "message header follows",
    "message headers follow",
    "old message:",
    "original mail as follows",
    "original mail info",
    "original message as received",
    "original message details",
    "original message follows",
    "original message header",
    "original message headers",
    "original message :",
    "original message:",
    "original message -",
    "original message",
    "returned message -",
    "start of returned message",
    "text of the original message",
    "text of your message",
    "the header and top",
    "the message you sent",
    "the original message follows",
    "undelivered message:",
    "unsent message",
    "your original message",
    "message headers:",
    "kopie der nachricht",
    "originalnachricht",
    "originalkopfzeilen",
    "ursprungliche nachricht",
    "kopfzeilen der",
    "en-tetes de message d'origine",
    "en-tete du message",
    "message d'origine",
    "message original",
    "mensaje original",
    "encabezados del mensaje",
    "messaggio originale",
    "intestazioni originali",
    "mensagem original",
    "cabecalhos originais",
    "oorspronkelijk bericht",
    "oorspronkelijke bericht",
    "originalmeddelande",
    "oprindelig meddelelse",
    "opprinnelig melding",
    "alkuperainen viesti",
    "oryginalna wiadomosc",
    "puvodni zprava",
    "eredeti uzenet",
    "ozgun ileti",
    "исходное сообщение",
    "оригинал письма",
    "исходные заголовки",
    "αρχικο μηνυμα",
    "元のメッセージ",
    "元のメール",
    "オリジナルメッセージ",
    "原始邮件",
    "原邮件",
    "原始郵件",
    "원본 메시지",
];

const CONTACT: &[&str] = &[
    "contact",
    "assistance",
    "for help",
    "questions",
    "support",
    "mailto:",
    "kontakt",
    "wenden sie sich",
    "contactez",
    "contacte",
    "contatta",
    "пишите",
    "обращ",
    "ご連絡",
    "お問い合わせ",
    "请联系",
    "from:",
    "sender:",
    "from address",
    "on behalf of",
    "an email",
];

const STAGE_DATA: &[&str] = &[
    "end of data",
    "data command",
    "after data",
    "final data",
    "(data)",
    "[data]",
    "[body]",
    ">>> data",
    "sent: data",
    "smtp command data",
    "failed after i sent the message",
    "smtp:data",
    "in data",
    "in response to data",
    "after pipelined data",
];

const STAGE_RCPT: &[&str] = &[
    "rcpt to command",
    "rcpt command",
    "after rcpt to",
    "our rcpt to",
    "[rcpt_to]",
    ">>> rcpt to",
    "smtp:rcpt",
    "in rcpt to",
    "does not like recipient",
    "sent: rcpt to",
    "rcpt to generated",
    "smtp command rcpt",
    "(rcpt",
    "after pipelined rcpt",
    "in response to rcpt",
];

const STAGE_MAIL: &[&str] = &[
    "mail from command",
    "mail command",
    "after mail from",
    "our mail from",
    "[mail_from]",
    ">>> mail from",
    "smtp:mail",
    "sent: mail from",
    "does not like your sender",
    "in mail from",
    "after pipelined mail",
    "in response to mail",
];

const STAGE_GREETING: &[&str] = &[
    "ehlo command",
    "helo command",
    "after ehlo",
    "after helo",
    "my name was rejected",
    "our helo",
    "our ehlo",
    ">>> ehlo",
    ">>> helo",
    "in response to ehlo",
    "in response to helo",
];

const STAGE_CONNECTION: &[&str] =
    &["initial connection", "refused to talk to me", "smtp:greeting", "after connect"];

/// How many phrases there are.
const COUNT: usize = {
    let (mut count, mut table) = (0, 0);
    while table < TABLES.len() {
        count += TABLES[table].1.len();
        table += 1;
    }
    count
};
/// Buckets of phrases by their first bytes.
const BUCKETS: usize = 4096;

/// The phrases by the bucket of their beginning, computed by the compiler.
struct Index {
    /// One more than the number of the last phrase in a bucket; 0 for none.
    last: [u16; BUCKETS],
    /// Likewise the one before a phrase in its bucket.
    before: [u16; COUNT],
    /// Table and place of a phrase.
    place: [(u8, u16); COUNT],
}

static INDEX: Index = index();

const fn index() -> Index {
    let mut index = Index { last: [0; BUCKETS], before: [0; COUNT], place: [(0, 0); COUNT] };
    let (mut number, mut table) = (0, 0);
    while table < TABLES.len() {
        let mut row = 0;
        while row < TABLES[table].1.len() {
            let bucket = bucket(TABLES[table].1[row].as_bytes(), 0);
            index.before[number] = index.last[bucket];
            index.place[number] = (table as u8, row as u16);
            number += 1;
            index.last[bucket] = number as u16;
            row += 1;
        }
        table += 1;
    }
    index
}

/// The bucket of the four bytes at `at`.
const fn bucket(bytes: &[u8], at: usize) -> usize {
    let (a, b, c, d) =
        (bytes[at] as usize, bytes[at + 1] as usize, bytes[at + 2] as usize, bytes[at + 3] as usize);
    (a.wrapping_mul(61) ^ b.wrapping_mul(509) ^ c.wrapping_mul(1021) ^ d.wrapping_mul(2039)) % BUCKETS
}

/// Every phrase in a folded text, in order; where several start at one place, the longest.
pub(super) fn find(folded: &str) -> Vec<Hit> {
    let bytes = folded.as_bytes();
    let mut hits: Vec<Hit> = Vec::new();
    let mut in_word = false;
    for start in 0..bytes.len().saturating_sub(3) {
        let byte = bytes[start];
        let inside = std::mem::replace(&mut in_word, byte.is_ascii_alphanumeric());
        if inside || byte == b' ' || matches!(byte, 0x80..0xc0) {
            continue;
        }
        let mut number = INDEX.last[bucket(bytes, start)];
        let mut longest: Option<Hit> = None;
        while number > 0 {
            let (table, row) = INDEX.place[usize::from(number) - 1];
            let (says, phrases) = TABLES[usize::from(table)];
            let phrase = phrases[usize::from(row)].as_bytes();
            let end = start + phrase.len();
            let ends = bytes[start..].starts_with(phrase) && whole_word(phrase, bytes.get(end).copied());
            if ends && longest.is_none_or(|longest| longest.end < end) {
                longest = Some(Hit { start, end, says });
            }
            number = INDEX.before[usize::from(number) - 1];
        }
        hits.extend(longest);
    }
    hits
}

/// Whether a phrase may end before this byte: an English word may not go on, others are declined.
fn whole_word(phrase: &[u8], next: Option<u8>) -> bool {
    let last_is_letter = phrase.last().is_some_and(u8::is_ascii_alphanumeric);
    !(phrase.len() < 12 && last_is_letter && next.is_some_and(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::report::fold::folded;

    #[test]
    fn phrases_are_folded_and_stand_once() {
        let mut all: Vec<&str> = TABLES.iter().flat_map(|(_, phrases)| phrases.iter().copied()).collect();
        for phrase in &all {
            assert_eq!(folded(phrase), *phrase);
            assert!(phrase.len() >= 4, "{phrase}");
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn phrases_are_found_in_many_languages() {
        for text in [
            "I'm afraid I wasn't able to deliver your message",
            "Ihre Nachricht konnte nicht zugestellt werden",
            "Votre message n'a pas pu être délivré à",
            "no se pudo entregar su mensaje",
            "Не удалось доставить сообщение",
            "メールを配信できませんでした",
            "您的邮件无法投递",
            "메시지를 배달하지 못했습니다",
        ] {
            assert!(find(&folded(text)).iter().any(|hit| hit.says == Says::Failed), "{text}");
        }
        assert_eq!(find("all is well"), []);
    }

    #[test]
    fn the_longest_phrase_counts() {
        let text = "it has not yet been delivered";
        assert_eq!(find(text)[0], Hit { start: 3, end: text.len(), says: Says::Delayed });
    }
}
