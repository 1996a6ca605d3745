//! Authentication-Results (RFC 8601) of a trusted mail server.
//!
//! The header is parsed by its grammar, not searched for words. Not here: removing forged headers,
//! which is the mail server's job (section 5). Invariants: only the topmost header of a trusted
//! authserv-id counts, because those below may be forged; comments never count; after an error of
//! grammar nothing counts.

use super::auth_result::{AuthResult, Signature};
use super::name::absolute;
use crate::mailbox_syntax::split_address;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Trusted {
    pub(crate) dkim: Vec<Signature>,
    /// Each statement about SPF that says whom it is about, and of whom.
    spf: Vec<(SpfIdentity, AuthResult)>,
    /// `None`: not in the header.
    pub(crate) dmarc: Option<AuthResult>,
    /// The From domain that `dmarc` is about, in lower case, if the header has it.
    pub(crate) dmarc_domain: Option<String>,
}

/// Whom a statement about SPF is about (RFC 8601 section 2.7.2).
#[derive(Debug, PartialEq, Eq)]
enum SpfIdentity {
    /// The domain of MAIL FROM, in lower case; empty for the null sender.
    MailFrom(String),
    Helo,
}

impl Trusted {
    /// The result of SPF for this envelope sender. A statement about HELO, about another sender, or
    /// about nobody says nothing of it; only the null sender has no other identity than HELO.
    pub(crate) fn spf_of(&self, sender: &str) -> Option<AuthResult> {
        let domain = split_address(sender).map(|(_, domain)| absolute(domain));
        let is_of_sender = |identity: &SpfIdentity| match (identity, &domain) {
            (SpfIdentity::MailFrom(named), Some(domain)) => domain.is_some() && absolute(named) == *domain,
            (SpfIdentity::MailFrom(named), None) => sender.is_empty() && named.is_empty(),
            (SpfIdentity::Helo, _) => sender.is_empty(),
        };
        self.spf.iter().find(|(identity, _)| is_of_sender(identity)).map(|(_, result)| *result)
    }

    /// The result of DMARC, unless it is about another domain than the author's: that server has
    /// read another From.
    pub(crate) fn dmarc_of(&self, author: Option<&str>) -> Option<AuthResult> {
        let author = author.and_then(split_address).map(|(_, domain)| domain.to_lowercase());
        let is_other = match (&self.dmarc_domain, author) {
            (Some(judged), Some(author)) if judged.is_ascii() == author.is_ascii() => *judged != author,
            _ => false,
        };
        self.dmarc.filter(|_| !is_other)
    }
}

/// The results in the topmost of the raw header values whose authserv-id is one of `ids`.
pub(crate) fn read(values: &[String], ids: &[String]) -> Trusted {
    for value in values {
        let mut reader = Reader { rest: value };
        let issuer = reader.issuer().unwrap_or_default();
        if ids.iter().any(|id| id.eq_ignore_ascii_case(&issuer)) {
            return reader.results();
        }
    }
    Trusted::default()
}

/// The results in an ARC-Authentication-Results header (RFC 8617 section 4.1.1), which begins with
/// an instance.
pub(crate) fn sealed(value: &str) -> Trusted {
    let mut reader = Reader { rest: value };
    let instance = reader.word().filter(|word| word.eq_ignore_ascii_case("i"));
    let numbered = instance.and_then(|_| reader.punctuation('=')).and_then(|()| reader.word());
    let issuer = numbered.and_then(|_| reader.punctuation(';')).and_then(|()| reader.issuer());
    issuer.map_or_else(Trusted::default, |_| reader.results())
}

/// One `method=result` with its properties (RFC 8601 section 2.2, `resinfo`).
#[derive(Default)]
struct Statement {
    method: String,
    result: String,
    /// `ptype.property` in lower case, and the value.
    properties: Vec<(String, String)>,
}

impl Statement {
    fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `None`: a result that RFC 8601 does not define.
    fn result(&self) -> Option<AuthResult> {
        Some(match self.result.as_str() {
            "pass" => AuthResult::Pass,
            "fail" | "hardfail" => AuthResult::Fail,
            "softfail" => AuthResult::SoftFail,
            "neutral" | "policy" => AuthResult::Neutral,
            "none" => AuthResult::None,
            "temperror" => AuthResult::TempError,
            "permerror" => AuthResult::PermError,
            _ => return None,
        })
    }

    fn spf_identity(&self) -> Option<SpfIdentity> {
        let sender = self.property("smtp.mailfrom").map(|sender| sender.trim_matches(['<', '>']));
        let domain = sender.map(|sender| sender.rsplit_once('@').map_or(sender, |(_, domain)| domain));
        let of_sender = domain.map(|domain| SpfIdentity::MailFrom(domain.to_lowercase()));
        of_sender.or_else(|| self.property("smtp.helo").map(|_| SpfIdentity::Helo))
    }

    /// The signing domain: `header.d`, or the domain of `header.i`.
    fn signer(&self) -> String {
        let identity =
            || self.property("header.i").map(|i| i.rsplit_once('@').map_or(i, |(_, domain)| domain));
        self.property("header.d").or_else(identity).unwrap_or_default().to_lowercase()
    }
}

/// The rest of a header value.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    /// The authserv-id; `None` if it is missing, or the version is not 1 (section 2.2).
    fn issuer(&mut self) -> Option<String> {
        let issuer = self.value()?;
        self.skip()?;
        if !self.rest.is_empty() && !self.rest.starts_with(';') && self.value()? != "1" {
            return None;
        }
        Some(issuer)
    }

    fn results(&mut self) -> Trusted {
        let mut trusted = Trusted::default();
        while let Some(statement) = self.statement() {
            let Some(result) = statement.result() else {
                continue;
            };
            match statement.method.as_str() {
                "dkim" if result != AuthResult::None => {
                    trusted.dkim.push(Signature {
                        domain: statement.signer(),
                        result,
                        ..Signature::default()
                    });
                }
                "spf" => trusted.spf.extend(statement.spf_identity().map(|identity| (identity, result))),
                "dmarc" if trusted.dmarc.is_none() => {
                    let from = statement.property("header.from");
                    let domain = from.map(|from| from.rsplit_once('@').map_or(from, |(_, domain)| domain));
                    trusted.dmarc_domain = domain.map(str::to_lowercase);
                    trusted.dmarc = Some(result);
                }
                _ => {}
            }
        }
        trusted
    }

    /// The next statement; `None` at the end, or after an error of grammar. A method of a version
    /// other than 1 is returned without its name: its meaning is not known.
    fn statement(&mut self) -> Option<Statement> {
        self.skip()?;
        self.punctuation(';')?;
        let mut statement = Statement { method: self.word()?.to_ascii_lowercase(), ..Statement::default() };
        self.skip()?;
        if self.rest.is_empty() || self.rest.starts_with(';') {
            return (statement.method == "none").then_some(statement);
        }
        if self.rest.starts_with('/') {
            self.punctuation('/')?;
            if self.word()? != "1" {
                statement.method.clear();
            }
        }
        self.punctuation('=')?;
        statement.result = self.word()?.to_ascii_lowercase();
        loop {
            self.skip()?;
            if self.rest.is_empty() || self.rest.starts_with(';') {
                return Some(statement);
            }
            let property = self.property_name()?;
            self.punctuation('=')?;
            let value = self.property_value()?;
            statement.properties.push((property, value));
        }
    }

    /// `reason`, or `ptype.property` with blanks and comments around the dot.
    fn property_name(&mut self) -> Option<String> {
        let mut name = self.word()?.to_ascii_lowercase();
        loop {
            self.skip()?;
            if self.rest.starts_with('=') {
                return Some(name);
            }
            if !name.ends_with('.') && !self.rest.starts_with('.') {
                return None;
            }
            name.push_str(&self.word()?.to_ascii_lowercase());
        }
    }

    /// A value, or an address without angle brackets. Servers do not always quote where they must,
    /// so everything up to a blank, a semicolon or a comment belongs to it.
    fn property_value(&mut self) -> Option<String> {
        self.skip()?;
        let mut value = String::new();
        loop {
            if self.rest.starts_with('"') {
                value.push_str(&self.quoted()?);
            }
            let ends = |c: char| c.is_ascii_whitespace() || matches!(c, ';' | '(' | '"');
            let (plain, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
            value.push_str(plain);
            self.rest = rest;
            if !self.rest.starts_with('"') {
                return Some(value);
            }
        }
    }

    /// A token or a quoted string (RFC 2045 section 5.1 `value`).
    fn value(&mut self) -> Option<String> {
        self.skip()?;
        if self.rest.starts_with('"') { self.quoted() } else { self.word() }
    }

    /// A token, at least one character.
    fn word(&mut self) -> Option<String> {
        self.skip()?;
        let ends =
            |c: char| c.is_ascii_whitespace() || c.is_ascii_control() || "()<>@,;:\\\"/[]?=".contains(c);
        let (word, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        (!word.is_empty()).then(|| word.to_owned())
    }

    fn quoted(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Some(value);
                }
                '\\' => value.push(characters.next()?.1),
                other => value.push(other),
            }
        }
        None
    }

    fn punctuation(&mut self, wanted: char) -> Option<()> {
        self.skip()?;
        self.rest = self.rest.strip_prefix(wanted)?;
        Some(())
    }

    /// Skips blanks and comments, which nest (RFC 5322 section 3.2.2); `None` if a comment is not
    /// closed.
    fn skip(&mut self) -> Option<()> {
        loop {
            self.rest = self.rest.trim_ascii_start();
            if !self.rest.starts_with('(') {
                return Some(());
            }
            let mut depth = 0usize;
            let mut characters = self.rest.char_indices();
            loop {
                let (at, character) = characters.next()?;
                match character {
                    '(' => depth += 1,
                    ')' => depth -= 1,
                    '\\' => {
                        characters.next()?;
                    }
                    _ => {}
                }
                if depth == 0 {
                    self.rest = &self.rest[at + 1..];
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(values: &[&str]) -> Trusted {
        let values: Vec<String> = values.iter().map(|value| value.to_string()).collect();
        read(&values, &["mx.example.com".into()])
    }

    fn signature(domain: &str, result: AuthResult) -> Signature {
        Signature { domain: domain.into(), result, ..Signature::default() }
    }

    #[test]
    fn every_result_of_the_header_is_read() {
        let trusted = results(&[
            " MX.Example.COM 1;\r\n dkim=pass (2048-bit key) header.d=Sender.Example\r\n\
            \theader.i=@sender.example header.b=\"abc/de+=\";\r\n dkim/1=temperror reason=\"no; dkim=pass\"\r\n\
            \theader . i=joe@other.example; dkim/2=pass header.d=evil.example;\r\n\
            spf=softfail smtp.helo=h.example; spf=pass (why (not)) smtp.mailfrom=\"a b\"@sender.example;\r\n\
            dmarc=fail (p=none) header.from=sender.example; x-new=pass; arc=none",
        ]);
        let dkim = vec![
            signature("sender.example", AuthResult::Pass),
            signature("other.example", AuthResult::TempError),
        ];
        let dmarc = Some(AuthResult::Fail);
        let sender = SpfIdentity::MailFrom("sender.example".to_owned());
        let spf = vec![(SpfIdentity::Helo, AuthResult::SoftFail), (sender, AuthResult::Pass)];
        let dmarc_domain = Some("sender.example".to_owned());
        assert_eq!(trusted, Trusted { dkim, spf, dmarc, dmarc_domain });
        assert_eq!(trusted.spf_of("joe@Sender.example"), Some(AuthResult::Pass));
        assert_eq!(trusted.spf_of(""), Some(AuthResult::SoftFail), "HELO");
        assert_eq!(trusted.spf_of("joe@other.example"), None);
        assert_eq!(trusted.dmarc_of(Some("joe@Sender.example")), dmarc);
        assert_eq!((trusted.dmarc_of(Some("joe@other.example")), trusted.dmarc_of(None)), (None, dmarc));
    }

    #[test]
    fn b27_dkim_pass_in_a_comment_never_counts() {
        let trusted =
            results(&["mx.example.com; dkim=fail (dkim=pass; (spf=pass)\\) dkim=pass) header.d=a.example"]);
        assert_eq!(trusted.dkim, [signature("a.example", AuthResult::Fail)]);
        assert_eq!(results(&["mx.example.com (; dkim=pass); none"]), Trusted::default());
        assert_eq!(results(&["(mx.example.com; dkim=pass) other.example; dkim=pass"]), Trusted::default());
    }

    #[test]
    fn b27_another_authserv_id_never_counts() {
        assert_eq!(results(&["evil.example; dkim=pass"]), Trusted::default());
        assert_eq!(results(&["mx.example.com.evil.example; dkim=pass"]), Trusted::default());
        assert_eq!(results(&["evil.example mx.example.com; dkim=pass"]), Trusted::default());
        assert_eq!(results(&["mx.example.com 2; dkim=pass"]), Trusted::default());
        assert_eq!(results(&["\"mx.example.com\"; dkim=pass"]).dkim.len(), 1);
    }

    #[test]
    fn b27_a_header_below_the_topmost_trusted_one_never_counts() {
        let trusted = results(&[
            "first.example; dmarc=pass",
            "mx.example.com; dmarc=fail",
            "mx.example.com; dmarc=pass",
        ]);
        assert_eq!(trusted.dmarc, Some(AuthResult::Fail));
        assert_eq!(results(&["mx.example.com; none", "mx.example.com; dkim=pass"]), Trusted::default());
    }

    #[test]
    fn sealed_results_stand_behind_an_instance() {
        let value = " i=1; mx.example.com;\r\n dkim=pass (ok; dkim=pass) header.d=a.example; spf=fail smtp.mailfrom=b.example";
        let results = sealed(value);
        assert_eq!(results.dkim, [signature("a.example", AuthResult::Pass)]);
        assert_eq!(results.spf_of("x@b.example"), Some(AuthResult::Fail));
        for broken in [
            "mx.example.com; dkim=pass header.d=a.example",
            "i=1 mx.example.com; dkim=pass",
            "i=1;",
            "i=1; (",
            "",
        ] {
            assert_eq!(sealed(broken), Trusted::default(), "{broken}");
        }
    }

    #[test]
    fn broken_grammar_says_nothing_from_there_on() {
        assert_eq!(results(&["mx.example.com; spf=pass; dkim pass; dmarc=pass"]).dmarc, None);
        for broken in [
            "mx.example.com; dkim=pass (",
            "mx.example.com; =pass",
            "mx.example.com;;dkim=pass",
            "",
            "(",
            "\"",
        ] {
            assert_eq!(results(&[broken]), Trusted::default(), "{broken}");
        }
    }
}
