//! What a reply means does not change with the frame in which a mail system shows it; and whatever
//! is said about somebody else never makes a recipient's address dead.

mod frames;
mod quoted;

use bounce::{classify, Class, Failure, Severity};
use frames::{is_bare, names_no_stage, ABOUT_OTHERS, AT_RECIPIENT};
use quoted::{examples, Example};

/// Frames drawn by the last test.
const DRAWN: usize = 100_000;

fn meaning(class: &Class) -> (&'static str, Severity) {
    (class.reason, class.severity)
}

fn changed(example: &Example, was: &Class, is: &Class, text: &str) -> String {
    let Example { family, rule, .. } = example;
    format!("{family}, {rule}: {} by {} became {} by {}: {text}", was.reason, was.rule, is.reason, is.rule)
}

fn at_rcpt(text: &str) -> Failure<'_> {
    Failure { text, stage: "RCPT", ..Failure::default() }
}

/// Fails with the first of many.
fn expect_none(wrong: &[String], of: usize) {
    let first: Vec<&str> = wrong.iter().take(40).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} of {of}\n{}", wrong.len(), first.join("\n"));
}

#[test]
fn frames_change_nothing() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    let is_framed = |example: &&Example| is_bare(&example.text) && !example.is_whole;
    for example in examples().iter().filter(is_framed) {
        let bare = classify(&at_rcpt(&example.text));
        for frame in AT_RECIPIENT {
            let text = frame.replace("{}", &example.text);
            let framed = classify(&at_rcpt(&text));
            count += 1;
            if meaning(&framed) != meaning(&bare) {
                wrong.push(changed(example, &bare, &framed, &text));
            }
        }
    }
    assert!(wrong.len() * 200 < count, "{} of {count}\n{}", wrong.len(), wrong.join("\n"));
}

/// Upper case, line breaks, replies of several lines.
#[test]
fn forms_change_nothing() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for example in examples().iter().filter(|example| is_bare(&example.text)) {
        let bare = classify(&at_rcpt(&example.text));
        let words: Vec<&str> = example.text.split(' ').collect();
        let codes =
            example.text.get(..4).filter(|code| code.bytes().take(3).all(|byte| byte.is_ascii_digit()));
        let mut forms = vec![example.text.to_uppercase(), words.join("\r\n    "), words.join("  ")];
        if let Some(code) = codes.filter(|code| code.ends_with(' ')) {
            let line = format!("\r\n{}-", &code[..3]);
            forms.push(format!("{}-{}", &code[..3], words[1..].join(&line)));
            forms.push(format!("{}-{}", &code[..3], words[1..].join(&line.replace("\r\n", " "))));
        }
        for text in forms {
            let framed = classify(&at_rcpt(&text));
            count += 1;
            if meaning(&framed) != meaning(&bare) {
                wrong.push(changed(example, &bare, &framed, &text));
            }
        }
    }
    assert!(wrong.len() * 100 < count, "{} of {count}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn nothing_about_others_is_about_the_recipient() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for example in examples().iter().filter(|example| names_no_stage(&example.text)) {
        for frame in ABOUT_OTHERS {
            let text = frame.replace("{}", &example.text);
            let class = classify(&Failure { text: &text, ..Failure::default() });
            count += 1;
            if class.severity == Severity::Hard || class.about.is_recipients() {
                wrong.push(format!("{} {} {}: {text}", class.about.name(), class.reason, class.rule));
            }
        }
        for stage in ["CONN", "EHLO", "HELO", "MAIL FROM", "STARTTLS", "AUTH"] {
            let class = classify(&Failure { text: &example.text, stage, ..Failure::default() });
            if class.severity == Severity::Hard || class.about.is_recipients() {
                wrong.push(format!("at {stage}: {} {}: {}", class.reason, class.rule, example.text));
            }
        }
    }
    expect_none(&wrong, count);
}

/// A 4xx is never hard, nor is a code beside words that no rule knows.
#[test]
fn codes_alone_are_never_hard() {
    for text in
        ["550", "550 5.1.1", "550 5.1.1 qwertz", "5.1.1 qwertz uiop", "550 5.1.2 qwertz", "556 qwertz"]
    {
        let class = classify(&at_rcpt(text));
        assert_ne!(class.severity, Severity::Hard, "{text}");
        let class = classify(&Failure { status: "5.1.1", text: "qwertz uiop", ..Failure::default() });
        assert_ne!(class.severity, Severity::Hard);
    }
    for example in examples() {
        let text = format!("450 4.1.1 {}", example.text.trim_start_matches(|c: char| !c.is_alphabetic()));
        let failure = Failure { status: "4.1.1", code: 450, text: &text, ..Failure::default() };
        let class = classify(&failure);
        assert!(class.severity != Severity::Hard || class.rule == "postfix-table-with-450", "{text}");
    }
}

/// What names the sender somewhere, and is still about the recipient.
#[test]
fn what_is_about_the_recipient_stays_hard() {
    let mut wrong = Vec::new();
    for text in [
        "550 5.1.1 <r@example.org>: Recipient address rejected: User unknown in local recipient table",
        "550 5.1.1 <r@example.org>: Recipient address rejected: User unknown in virtual mailbox table (in reply to RCPT TO command)",
        "550 5.1.1 sender is told that the user is unknown: user unknown",
        "550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address",
        "550 No such user here (in reply to RCPT TO command)",
        "550 5.1.1 The sender should correct the address: user unknown",
        "550 5.1.1 User unknown; message returned to sender",
        "550 5.1.1 Your message from s@example.net to r@example.org was not delivered: no such user",
        "550 5.1.1 <r@example.org> user unknown, please contact your system administrator",
        "550 5.1.1 Your message was not delivered because the mailbox r@example.org does not exist",
        ">>> MAIL From:<s@example.net>\n<<< 250 2.1.0 sender ok\n>>> RCPT To:<r@example.org>\n<<< 550 5.1.1 user unknown",
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        "550 5.1.1 Mail from s@example.net could not be delivered: unknown user r@example.org",
        "550 5.1.1 unknown user <r@example.org>, sender s@example.net",
        "user unknown. Command output: lda: unknown user",
        "Host or domain name not found. Name service error for name=example.org type=A: Host not found",
        "550 5.1.1 Empfänger unbekannt, der Absender wird benachrichtigt",
    ] {
        let failure = Failure { text, stage: if text.contains("RCPT") { "RCPT" } else { "" }, sender: "s@example.net", ..Failure::default() };
        let class = classify(&failure);
        if class.severity != Severity::Hard || !class.about.is_recipients() {
            wrong.push(format!("{} by {}: {text}", class.reason, class.rule));
        }
    }
    expect_none(&wrong, 17);
}

/// The sender's own address or domain beside the words.
#[test]
fn the_senders_own_address_is_not_the_recipients() {
    for text in [
        "550 5.1.1 <s@shop.example.net>: User unknown",
        "550 s@shop.example.net does not exist here",
        "550 No such user: s@shop.example.net",
        "550 5.1.2 The domain shop.example.net does not exist",
        "550 unknown domain shop.example.net",
        "550 5.1.2 shop.example.net: domain not found",
    ] {
        let of = |sender| classify(&Failure { text, sender, stage: "RCPT", ..Failure::default() });
        let class = of("s@shop.example.net");
        assert_eq!((class.severity, class.about.name()), (Severity::Soft, "sender"), "{class:?} {text}");
        assert_eq!(of("t@other.example").severity, Severity::Hard, "{text}");
    }
}

/// Draws frames of the texts of all rules about somebody else, with other codes, hosts and noise.
#[test]
fn no_drawn_frame_about_others_is_hard() {
    let examples: Vec<_> = examples().into_iter().filter(|example| names_no_stage(&example.text)).collect();
    let mut state = 20_261_128_u64;
    let mut draw = |most: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % most
    };
    const CODES: &[&str] =
        &["550 ", "550 5.1.1 ", "553 5.1.2 ", "554 5.7.1 ", "450 4.1.1 ", "5.1.10 ", "550-5.1.1 ", ""];
    const STATUS: &[&str] = &["", "5.1.1", "5.0.0", "5.1.2", "5.1.10", "4.1.1", "5.7.1", "5.1.0"];
    const NOISE: &[&str] = &[
        "",
        " (queue id 250A4F)",
        " [2001:db8:250::1]",
        " <r@example.org>",
        " r@example.org",
        "\r\n",
        " see https://example.org/550",
    ];
    let mut wrong = Vec::new();
    for _ in 0..DRAWN {
        let example = &examples[draw(examples.len())].text;
        let words = example.trim_start_matches(|letter: char| !letter.is_alphabetic());
        let reply = format!("{}{}{}", CODES[draw(CODES.len())], words, NOISE[draw(NOISE.len())]);
        let text = ABOUT_OTHERS[draw(ABOUT_OTHERS.len())].replace("{}", &reply);
        let failure = Failure { text: &text, status: STATUS[draw(STATUS.len())], ..Failure::default() };
        let class = classify(&failure);
        if class.severity == Severity::Hard {
            wrong.push(format!("{} by {}: {text}", class.reason, class.rule));
        }
    }
    expect_none(&wrong, DRAWN);
}
