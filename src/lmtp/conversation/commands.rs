//! The commands of a client, one by one: when each may come, and what it changes.
//!
//! Not here: their syntax (`verbs`), and the text of messages (`conversation`).

use super::incoming_text::TOO_LARGE;
use super::{Conversation, Dialect, RECIPIENT_OK, Reading, Turn, ok, say};
use crate::config::ChaosMoment;
use crate::lmtp::dot_reader::DotReader;
use crate::lmtp::mail_transaction::MailTransaction;
use crate::lmtp::verbs::{Hello, MailFrom, RcptTo, Verb};

const TOO_MANY: &str = "452 4.5.3 too many recipients";

impl Conversation<'_> {
    pub(super) fn obey(&mut self, verb: Verb, out: &mut Vec<u8>) -> Turn {
        self.said = moment(&verb);
        match verb {
            Verb::Hello(kind, name) => self.hello(kind, name, out),
            Verb::Mail(mail) => self.mail(mail, out),
            Verb::Rcpt(rcpt) => self.rcpt(rcpt, out),
            Verb::Data => self.data(out),
            Verb::Bdat { size, last } => self.bdat(size, last, out),
            Verb::Xforward(_) if !self.client.may_forward => {
                self.refuse("550 5.7.1 XFORWARD is not for you", out)
            }
            Verb::Xforward(_) if self.transaction.is_some() => {
                self.refuse("503 5.5.1 MAIL transaction in progress", out)
            }
            Verb::Xforward(facts) => {
                self.forwarded.get_or_insert_default().note(facts);
                ok(out, "250 2.0.0 ok")
            }
            Verb::StartTls => self.start_tls(out),
            Verb::Auth if self.rules.auth => {
                let turn = self.refuse("535 5.7.8 authentication failed", out);
                // The usual answer.
                self.said = Some(ChaosMoment::Auth);
                turn
            }
            Verb::Auth => self.refuse("502 5.5.1 no authentication here", out),
            Verb::Rset => {
                self.reset();
                ok(out, "250 2.0.0 ok")
            }
            Verb::Noop => ok(out, "250 2.0.0 ok"),
            Verb::Vrfy => ok(out, "252 2.0.0 send some mail to find out"),
            Verb::Help => ok(out, "214 2.0.0 see RFC 5321 and RFC 2033"),
            Verb::Quit => {
                say(out, "221 2.0.0 bye");
                Turn::Close
            }
        }
    }

    fn hello(&mut self, kind: Hello, name: String, out: &mut Vec<u8>) -> Turn {
        let is_known = match self.rules.dialect {
            Dialect::Lmtp => kind == Hello::Lhlo,
            Dialect::Smtp => kind != Hello::Lhlo,
        };
        if !is_known {
            // After 421, a mail server with the wrong protocol in its config keeps its mail.
            let which = match self.rules.dialect {
                Dialect::Lmtp => "421 4.3.5 this is LMTP: use LHLO",
                Dialect::Smtp => "421 4.3.5 this is SMTP: use EHLO",
            };
            return self.refuse(which, out);
        }
        self.reset();
        self.name = Some(name);
        let hostname = &self.rules.hostname;
        if kind == Hello::Helo {
            return ok(out, &format!("250 {hostname}"));
        }
        // With a number, mail servers return what is larger, instead of trying it here.
        let mut offers = vec![
            hostname.as_str(),
            "PIPELINING",
            "SIZE",
            "8BITMIME",
            "SMTPUTF8",
            "ENHANCEDSTATUSCODES",
            "DSN",
            "CHUNKING",
        ];
        if self.client.may_forward {
            offers.push("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE");
        }
        if self.rules.tls && !self.secured {
            offers.push("STARTTLS");
        }
        if self.rules.auth {
            offers.push("AUTH PLAIN LOGIN");
        }
        let last = offers.len() - 1;
        for (number, offer) in offers.iter().enumerate() {
            say(out, &format!("250{}{offer}", if number == last { ' ' } else { '-' }));
        }
        Turn::Next
    }

    fn mail(&mut self, mail: MailFrom, out: &mut Vec<u8>) -> Turn {
        if self.name.is_none() {
            return self.refuse("503 5.5.1 say hello first", out);
        }
        if self.transaction.is_some() {
            return self.refuse("503 5.5.1 nested MAIL command", out);
        }
        if mail.size.is_some_and(|size| size > self.rules.max_size) {
            self.note_refusal(TOO_LARGE, Vec::new(), false);
            return self.refuse(TOO_LARGE, out);
        }
        self.transaction = Some(MailTransaction { mail, recipients: Vec::new() });
        ok(out, "250 2.1.0 ok")
    }

    fn rcpt(&mut self, rcpt: RcptTo, out: &mut Vec<u8>) -> Turn {
        let Some(transaction) = &mut self.transaction else {
            return self.refuse("503 5.5.1 MAIL first", out);
        };
        if self.in_pieces {
            return self.refuse("503 5.5.1 the message has begun", out);
        }
        let needs_utf8 = !transaction.mail.utf8 && !rcpt.recipient.is_ascii();
        let is_one_too_many = transaction.recipients.len() >= self.rules.recipients;
        transaction.recipients.push(rcpt);
        if needs_utf8 {
            let reply = "553 5.6.7 an address beyond ASCII needs SMTPUTF8";
            self.refuse_recipient(reply);
            return self.refuse(reply, out);
        }
        if is_one_too_many {
            // No error of the client: it sends the rest in another transaction.
            self.refuse_recipient(TOO_MANY);
            self.said = None;
            return ok(out, TOO_MANY);
        }
        let asked_about = if self.rules.asks_at_rcpt { self.last_envelope() } else { None };
        match asked_about {
            Some(envelope) => Turn::Recipient(envelope),
            None => ok(out, RECIPIENT_OK),
        }
    }

    /// The last recipient is none.
    fn refuse_recipient(&mut self, reply: &str) {
        let envelopes = self.last_envelope().into_iter().collect();
        self.note_refusal(reply, envelopes, false);
        self.take_back(ChaosMoment::Rcpt);
    }

    fn data(&mut self, out: &mut Vec<u8>) -> Turn {
        if self.in_pieces {
            return self.refuse("503 5.5.1 DATA after BDAT", out);
        }
        match &self.transaction {
            None => self.refuse("503 5.5.1 MAIL first", out),
            Some(transaction) if transaction.recipients.is_empty() => {
                self.refuse("503 5.5.1 no valid recipients", out)
            }
            Some(_) => {
                self.reading = Reading::Text(DotReader::default());
                ok(out, "354 end with <CRLF>.<CRLF>")
            }
        }
    }

    /// A piece that has no place is read all the same: commands follow it (RFC 3030).
    fn bdat(&mut self, size: u64, last: bool, out: &mut Vec<u8>) -> Turn {
        let has_recipients = self.transaction.as_ref().is_some_and(|one| !one.recipients.is_empty());
        let begins = has_recipients && !self.in_pieces;
        self.in_pieces = true;
        if !has_recipients {
            self.refuse_body("503 5.5.1 no valid recipients");
        }
        if size == 0 {
            return self.end_of_piece(last, out);
        }
        self.reading = Reading::Piece { left: size, last };
        self.said = begins.then_some(ChaosMoment::Data);
        Turn::Next
    }

    fn start_tls(&mut self, out: &mut Vec<u8>) -> Turn {
        match self.rules.tls && !self.secured {
            true => {
                say(out, "220 2.0.0 ready to start TLS");
                Turn::StartTls
            }
            false => self.refuse("502 5.5.1 no STARTTLS here", out),
        }
    }
}

fn moment(verb: &Verb) -> Option<ChaosMoment> {
    match verb {
        Verb::Hello(..) => Some(ChaosMoment::Hello),
        Verb::Mail(_) => Some(ChaosMoment::Mail),
        Verb::Rcpt(_) => Some(ChaosMoment::Rcpt),
        Verb::Data => Some(ChaosMoment::Data),
        Verb::StartTls => Some(ChaosMoment::StartTls),
        Verb::Auth => Some(ChaosMoment::Auth),
        Verb::Quit => Some(ChaosMoment::Quit),
        _ => None,
    }
}
