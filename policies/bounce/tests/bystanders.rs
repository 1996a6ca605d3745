//! Whatever is said to be unknown, gone or invalid that is not the recipient: no such words make
//! the recipient hard, at whichever stage and with whatever code they come.
//!
//! Not here: the sentences and their frames (`others`), and whole replies in the frames of mail
//! systems (`metamorphic`).

mod others;

use bounce::{classify, Failure, Severity};
use others::Others;

/// Frames drawn.
const DRAWN: usize = 100_000;

/// How a failure was decided, if it was hard.
fn hard(failure: &Failure) -> Option<String> {
    let class = classify(failure);
    let shown = || format!("{} by {}: {}", class.reason, class.rule, failure.text);
    (class.severity == Severity::Hard).then(shown)
}

/// Fails with the first of many.
fn expect_none(wrong: &[String], of: usize) {
    let first: Vec<&str> = wrong.iter().take(60).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} of {of}\n{}", wrong.len(), first.join("\n"));
}

#[test]
fn nobody_else_is_the_recipient() {
    let sentences = Others::read().sentences();
    let at_rcpt = |sentence: &String| {
        let text = format!("550 5.1.1 {sentence}");
        hard(&Failure { text: &text, stage: "RCPT", ..Failure::default() })
    };
    let wrong: Vec<String> = sentences.iter().filter_map(at_rcpt).collect();
    expect_none(&wrong, sentences.len());
}

#[test]
fn no_frame_makes_somebody_else_the_recipient() {
    let frames = Others::read().frames(DRAWN);
    let drawn = |framed: &others::Framed| {
        let others::Framed { text, status, stage } = framed;
        hard(&Failure { text, status, stage, ..Failure::default() })
    };
    let wrong: Vec<String> = frames.iter().filter_map(drawn).collect();
    expect_none(&wrong, DRAWN);
}

/// A word beside the recipient's noun is another thing, unless it is the recipient's own name.
#[test]
fn the_recipient_is_known_by_its_name() {
    for text in [
        "550 5.1.1 user kim not found",
        "550 5.1.1 the mailbox kim does not exist",
        "550 5.1.1 kim is not known here",
    ] {
        let of = |recipient| classify(&Failure { text, recipient, stage: "RCPT", ..Failure::default() });
        assert_eq!(of("Kim@example.org").severity, Severity::Hard, "{text}");
        assert_eq!(of("r@example.org").severity, Severity::Soft, "{text}");
    }
    // Where nobody says who it is, the address before the words does.
    let of = |text| classify(&Failure { text, ..Failure::default() }).severity;
    assert_eq!(of("550 5.1.1 <kim@example.org>: user kim not found"), Severity::Hard);
    assert_eq!(of("550 5.1.1 <r@example.org>: user kim not found"), Severity::Soft);
    assert_eq!(of("550 5.1.1 the vacation account does not exist, ask vacation@example.org"), Severity::Soft);
}

#[test]
fn what_is_said_of_the_recipient_in_any_language_is_hard() {
    for text in Others::read().recipients() {
        let class = classify(&Failure {
            text: &text,
            stage: "RCPT",
            recipient: "kim@dest.example",
            ..Failure::default()
        });
        assert_eq!(class.severity, Severity::Hard, "{} by {}: {text}", class.reason, class.rule);
    }
}

/// A text is quoted, a thing happens again and again, an address is ours by its `@`, and a script
/// without blanks names the user of a system.
#[test]
fn what_only_holds_the_words_is_not_hard() {
    for text in [
        "550 5.1.1 reply template: no such user",
        "550 5.1.1 the sample says: mailbox does not exist",
        "550 5.1.1 bounces such as \"user unknown\" are counted for a day",
        "550 5.1.1 z.B. Benutzer unbekannt",
        "550 5.1.1 模板：用户不存在",
        "550 5.1.1 simulated: no such user",
        "550 5.1.1 a few of your recipients do not exist",
        "550 5.1.1 there is no such mailbox for the journal",
        "550 5.1.1 one copy goes to a mailbox that does not exist",
        "550 5.1.1 la casella \"root\" non esiste",
        "550 5.1.1 the catalog lacks \"mailbox not found\"",
        "550 5.1.1 the redirection target of that user does not exist",
        "550 5.1.1 account 'rsync' not found in database",
        "550 5.1.1 the name right of your @ does not exist",
        "550 5.1.1 unless one of the recipients does not exist",
        "550 5.1.1 any time a recipient is not found, you are charged",
        "550 5.1.1 as soon as the mailbox does not exist, mail stops",
        "550 5.1.1 chaque fois qu'une adresse est inconnue, nous comptons",
        "550 5.1.1 每次用户不存在时",
        "550 5.1.1 the host behind your @ is unknown",
        "550 5.1.1 the domain in your envelope's address does not exist",
        "550 5.1.1 the user before your @ does not exist",
        "550 帐号backup在系统中不存在",
        "550 用户\"vmail\"不存在",
        "550 ユーザーcronが見つかりません",
        "550 5.1.1 address not found in the user's list",
        "550 5.1.1 mailbox not found on this backend server",
        "550 5.1.1 the keeper of the old distribution list no longer exists",
        "550 5.1.1 the sponsor for the new account does not exist",
        "550 the forward destination mailbox was not found",
        "550 the group's sponsor is an unknown user",
        "550 5.1.1 user unknown - template field RCPT is empty",
        "554 5.1.1 we refuse mail for nonexistent users; yours was taken for spam",
        "550 the sponsor's email box does not exist",
        "550 5.1.1 one delegate turned out to be an unknown user",
        "550 5.1.1 the mailbox to which this alias points does not exist",
        "550 5.1.1 the mailbox that the alias points to does not exist",
        "550 5.1.1 the user as whom we run is unknown",
        "550 ไม่พบบัญชีผู้ส่ง",
        "550 找不到寄件者帳號",
        "550 recipient verification could not be completed",
        "550 5.1.1 callback verify was put off",
    ] {
        let class = classify(&Failure { text, recipient: "kim@dest.example", ..Failure::default() });
        assert_ne!(class.severity, Severity::Hard, "{} by {}: {text}", class.reason, class.rule);
    }
}

/// Whoever asked for an address that every domain should have asked the sender's.
#[test]
fn an_address_of_the_senders_domain_is_not_the_recipients() {
    for text in ["550 abuse@shop.example does not exist", "550 5.1.1 <postmaster@shop.example>: user unknown"]
    {
        let of = |sender, recipient| {
            let failure = Failure { text, sender, recipient, stage: "RCPT", ..Failure::default() };
            classify(&failure).severity
        };
        assert_eq!(of("news@shop.example", "kim@dest.example"), Severity::Soft, "{text}");
        assert_eq!(of("", "kim@dest.example"), Severity::Soft, "{text}");
        let own =
            text.rsplit(['<', ' ']).find(|word| word.contains('@')).unwrap().trim_end_matches([':', '>']);
        assert_eq!(of("news@other.example", own), Severity::Hard, "{text}");
    }
    let of = |sender, recipient| {
        let text = "550 5.1.1 <kim@shop.example>: user unknown";
        classify(&Failure { text, sender, recipient, ..Failure::default() }).severity
    };
    assert_eq!(of("news@shop.example", "ann@dest.example"), Severity::Soft);
    assert_eq!(of("news@shop.example", "kim@shop.example"), Severity::Hard);
}

/// The recipient is the recipient whatever else is named, and whoever is greeted.
#[test]
fn the_recipient_stays_hard() {
    for text in [
        "550 5.1.1 User unknown in virtual mailbox table",
        "550 5.1.1 User unknown in relay recipient table",
        "550 5.1.1 no such user in the directory",
        "550 5.1.1 user j.doe not listed in the address book",
        "550 5.1.1 no virtual user of that name: user not found",
        "550 5.1.1 Ihre Nachricht kam nicht an: Benutzer unbekannt",
        "550 5.1.1 Votre message n'a pas été remis: utilisateur inconnu",
        "550 5.1.1 Su mensaje no se entregó: usuario desconocido",
        "550 5.1.1 Sehr geehrter Absender, dieses Konto existiert nicht mehr",
        "550 5.1.1 Cher expéditeur, cette boîte n'existe pas",
        "550 MAILBOX_NOT_FOUND",
        "550 5.1.1 your message was sent to a user that does not exist: user unknown",
        "550 5.1.1 The table of users holds no such user",
        "550 5.1.1 This mail server knows no such user",
        "550 5.1.1 the mail system does not know the user a@example.org",
        "550 5.1.1 the recipient's mailbox does not exist",
        "550 5.1.1 recipient <a@example.org> was not found on this server",
        "550 5.1.1 user account not found",
        "550 5.1.1 mailbox name unknown",
        "550 5.1.1 this email account does not exist at our service",
        "550 5.1.1 there is no such mailbox for this domain",
        "550 5.1.1 account 'kim' not found",
        "550 用户kim@dest.example不存在",
        "550 5.1.1 no such user \"kim\"",
        "550 5.1.1 the recipient of your letter does not exist",
        "550 5.1.1 there was no account @ of the domain dest.example found: no such account",
        "550 5.1.1 recipient refused: mailbox not in the user database",
        "550 5.1.1 rejected: account not in our directory",
        "550 5.1.1 user not found on the backend",
        "550 5.1.1 no such user at back-end system",
        "550 5.1.1 address lookup: recipient not found",
        "550 5.1.1 mailbox not found in the recipient's system",
        "550 5.1.1 A caixa postal do destinatário não existe",
        "550 5.1.1 存在しないメールアドレスです",
        "550 5.1.1 用户kim不存在 <kim@dest.example>",
        "550 5.1.1 your destination mailbox does not exist",
        "550 5.1.1 the target address is unknown",
        "550 5.1.1 it is an invalid mailbox",
        "550 5.1.1 the address you tried is an invalid address",
        "550 5.1.1 this appears to be an invalid address",
        "550 5.1.1 the address to which your message was sent does not exist",
        "550 5.1.1 the recipient is an unknown user",
        "550 5.1.1 kim is an unknown user",
        "550 5.1.1 one of the original recipients does not exist",
        "550 5.1.1 recipient verification failed",
        "550 5.1.1 the mailbox of the original recipient does not exist",
    ] {
        let class =
            classify(&Failure { text, stage: "RCPT", recipient: "kim@dest.example", ..Failure::default() });
        assert_eq!(class.severity, Severity::Hard, "{} by {}: {text}", class.reason, class.rule);
    }
}
