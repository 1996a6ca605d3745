//! Trace fields (RFC 5321 section 4.4): who handed the message to whom.
//!
//! Not here: which of several trace fields can be believed (`auth`). Invariant: the client address
//! is what the receiving server saw, never what the client said in HELO.

use std::net::IpAddr;

/// What one `Received` field says. Everything may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    /// The name after `from`: what the client said in HELO, or what the server calls it.
    pub(crate) from_helo: Option<String>,
    /// The address of the client, as the server saw it.
    pub(crate) client_address: Option<IpAddr>,
    /// The name after `by`: the server.
    pub(crate) by: Option<String>,
    /// The first comment after it: usually the server's program.
    pub(crate) by_comment: Option<String>,
    /// The word after `id`: the server's queue id.
    pub(crate) id: Option<String>,
    /// The address after `for`: the envelope recipient.
    pub(crate) for_recipient: Option<String>,
    /// The word after `with`: the protocol.
    pub(crate) protocol: Option<String>,
    /// It begins with `from`, whatever follows.
    pub(crate) begins_with_from: bool,
}

/// Who handed a message to the server that wrote a trace field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HopClient {
    /// A program on the same host, not by SMTP, or the server itself.
    Nobody,
    At(IpAddr),
    /// Somebody whose address cannot be read.
    Unreadable,
}

impl Received {
    /// Who handed the message in, as far as the field can be read. A doubt is a client.
    pub(crate) fn client(&self) -> HopClient {
        if let Some(address) = self.client_address {
            return HopClient::At(address);
        }
        let is_from = |name: &str| self.from_helo.as_deref() == Some(name);
        // Exim names the user of the program, Sendmail itself.
        let is_local = match self.protocol.as_deref() {
            Some(protocol) => protocol.eq_ignore_ascii_case("local"),
            None => is_from("localhost"),
        };
        let is_by_program = is_local && self.by.is_some() && self.id.is_some();
        let has_client = self.begins_with_from || self.from_helo.is_some();
        if has_client && !is_by_program { HopClient::Unreadable } else { HopClient::Nobody }
    }

    /// Whether the client gave a password or a certificate (RFC 3848).
    pub(crate) fn is_authenticated(&self) -> bool {
        let authenticated = ["ESMTPA", "ESMTPSA", "UTF8SMTPA", "UTF8SMTPSA"];
        let protocol = self.protocol.as_deref().unwrap_or_default();
        authenticated.iter().any(|known| protocol.eq_ignore_ascii_case(known))
    }

    /// Reads a field's unfolded value.
    pub(crate) fn parse(value: &str) -> Received {
        let begins = value.trim_start().get(..4).is_some_and(|word| word.eq_ignore_ascii_case("from"));
        let mut received = Received { begins_with_from: begins, ..Received::default() };
        let mut clause = Clause::None;
        let mut exim = false;
        let mut inside_from = Vec::new();
        for item in Items(value) {
            match (clause, item) {
                (Clause::From | Clause::Value(Keyword::From), Item::Comment(comment)) => {
                    exim |= is_claim(&comment, &EXIM_CLAIMS);
                    inside_from.push(comment);
                    clause = Clause::From;
                }
                (clause, Item::Comment(comment)) => {
                    exim |= comment.starts_with("Exim");
                    if matches!(clause, Clause::By) {
                        received.by_comment.get_or_insert(comment);
                    }
                }
                (Clause::Value(keyword), Item::Word(word)) => clause = received.take(keyword, word),
                (_, Item::Word(word)) => clause = Clause::of(word),
            }
        }
        received.client_address = inside_from.iter().find_map(|comment| address_in_comment(comment));
        if exim && received.client_address.is_none() {
            // If Exim does not know the name of the client, the address is in its place.
            let unnamed = received.from_helo.as_deref().and_then(|name| name.strip_prefix('['));
            received.client_address = unnamed.and_then(literal);
        }
        received
    }

    /// Stores the word after a keyword; the first of its kind counts.
    fn take(&mut self, keyword: Keyword, word: &str) -> Clause {
        let word = word.to_owned();
        match keyword {
            Keyword::From => _ = self.from_helo.get_or_insert(word),
            Keyword::By => _ = self.by.get_or_insert(word),
            Keyword::Id => _ = self.id.get_or_insert(word),
            Keyword::With => _ = self.protocol.get_or_insert(word),
            Keyword::For => {
                let address = word.trim_start_matches('<').trim_end_matches('>');
                if address.contains('@') {
                    self.for_recipient.get_or_insert(address.to_owned());
                }
            }
            Keyword::Other => {}
        }
        match keyword {
            Keyword::From => Clause::From,
            Keyword::By => Clause::By,
            Keyword::For | Keyword::Id | Keyword::With | Keyword::Other => Clause::None,
        }
    }
}

/// A word that says what the next one is.
#[derive(Clone, Copy)]
enum Keyword {
    From,
    By,
    For,
    Id,
    With,
    /// `via`: its value is skipped, so that it is not taken for a keyword.
    Other,
}

/// Where in the field we are.
#[derive(Clone, Copy)]
enum Clause {
    None,
    /// After the value of `from`, where the comments about the client are.
    From,
    /// After the value of `by`.
    By,
    /// After a keyword.
    Value(Keyword),
}

impl Clause {
    fn of(word: &str) -> Clause {
        match word.to_ascii_lowercase().as_str() {
            "from" => Clause::Value(Keyword::From),
            "by" => Clause::Value(Keyword::By),
            "for" => Clause::Value(Keyword::For),
            "id" => Clause::Value(Keyword::Id),
            "with" => Clause::Value(Keyword::With),
            "via" => Clause::Value(Keyword::Other),
            _ => Clause::None,
        }
    }
}

/// The client's address in a comment: `rdns [1.2.3.4]` (Postfix, Sendmail), `[1.2.3.4] helo=x`
/// (Exim), `1.2.3.4` (PowerMTA, Microsoft), `ident@1.2.3.4` (qmail).
fn address_in_comment(comment: &str) -> Option<IpAddr> {
    if is_claim(comment, &EXIM_CLAIMS) || is_claim(comment, &QMAIL_CLAIMS) {
        None
    } else if comment.starts_with('[') {
        literal(comment.split_once('[')?.1)
    } else if let Some((_, last)) = comment.rsplit_once('[') {
        literal(last)
    } else {
        address(comment.rsplit('@').next()?)
    }
}

/// How comments with the client's own words start.
const EXIM_CLAIMS: [&str; 3] = ["helo=", "ident=", "port="];
const QMAIL_CLAIMS: [&str; 2] = ["helo ", "ehlo "];

fn is_claim(comment: &str, claims: &[&str]) -> bool {
    let starts =
        |claim: &&str| comment.get(..claim.len()).is_some_and(|start| start.eq_ignore_ascii_case(claim));
    claims.iter().any(starts)
}

/// `1.2.3.4]` or `IPv6:2001:db8::1]`.
fn literal(after_bracket: &str) -> Option<IpAddr> {
    let (text, _) = after_bracket.split_once(']')?;
    match text.split_at_checked(5) {
        Some((tag, rest)) if tag.eq_ignore_ascii_case("ipv6:") => address(rest),
        _ => address(text),
    }
}

/// An address without its zone; an IPv4-mapped IPv6 address becomes IPv4.
fn address(text: &str) -> Option<IpAddr> {
    let unzoned = text.split_once('%').map_or(text, |(address, _)| address);
    unzoned.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// The words and comments of a field up to the semicolon before the date.
struct Items<'a>(&'a str);

enum Item<'a> {
    /// An atom, a quoted string without its quotes, or something in angle brackets with them.
    Word(&'a str),
    /// A comment's own text, without the comments in it.
    Comment(String),
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        self.0 = self.0.trim_start();
        match self.0.chars().next()? {
            ';' => None,
            '(' => Some(Item::Comment(self.comment())),
            '"' => Some(Item::Word(self.through('"').trim_matches('"'))),
            '<' => Some(Item::Word(self.through('>'))),
            first => {
                let rest = &self.0[first.len_utf8()..];
                let stop = |c: char| c.is_whitespace() || matches!(c, '(' | ';' | '<');
                let length = rest.find(stop).map_or(self.0.len(), |found| first.len_utf8() + found);
                Some(Item::Word(self.split_off(length)))
            }
        }
    }
}

impl<'a> Items<'a> {
    fn split_off(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    /// Up to and with the closing character, or all that is left.
    fn through(&mut self, close: char) -> &'a str {
        let length = self.0[1..].find(close).map_or(self.0.len(), |found| found + 2);
        self.split_off(length)
    }

    fn comment(&mut self) -> String {
        let (mut depth, mut own) = (0, String::new());
        let mut chars = self.0.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => own.extend(chars.next().filter(|_| depth == 1).map(|(_, escaped)| escaped)),
                '(' => depth += 1,
                ')' if depth == 1 => {
                    self.split_off(at + 1);
                    return own.trim().to_owned();
                }
                ')' => depth -= 1,
                c if depth == 1 => own.push(c),
                _ => {}
            }
        }
        self.0 = "";
        own.trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(value: &str) -> Option<String> {
        Received::parse(value).client_address.map(|address| address.to_string())
    }

    #[test]
    fn a_postfix_field_is_read_in_full() {
        let value = "from helo.example (mail.example.com [192.0.2.1]) (using TLSv1.3 (256/256 bits)) \
            by mx.example (Postfix) with ESMTPS id 4X for <a@b.example>; Mon, 1 Jan 2024 (UTC)";
        assert_eq!(
            Received::parse(value),
            Received {
                from_helo: Some("helo.example".into()),
                client_address: Some([192, 0, 2, 1].into()),
                by: Some("mx.example".into()),
                by_comment: Some("Postfix".into()),
                id: Some("4X".into()),
                for_recipient: Some("a@b.example".into()),
                protocol: Some("ESMTPS".into()),
                begins_with_from: true,
            }
        );
    }

    #[test]
    fn servers_write_the_address_in_many_ways() {
        for value in [
            "from x (192.0.2.1) by mx id h1 for <a@b>; date (envelope-from <s@x>)",
            "from mail.example (192.0.2.1) by X.outlook.com (10.1.1.1) with Microsoft SMTP Server id 15; d",
            "from unknown (HELO [203.0.113.9]) (192.0.2.1) by mx with SMTP; d",
            "from rdns.example (HELO x) (someone@192.0.2.1) by mx with SMTP; d",
            "from [192.0.2.1] (helo=[203.0.113.9]) by mx with esmtp (Exim 4.96) id 1; d",
            "from rdns.example ([192.0.2.1]:4711 helo=[203.0.113.9]) by mx with esmtp (Exim 4.96) id 1; d",
            "from [192.0.2.1] (port=4711 helo=[203.0.113.9]) by mx with esmtp id 1; d",
            "from (unknown [192.0.2.1]) by mx with smtp; d",
            "from [192.0.2.1]:25 by mx with smtp (Exim 4.96); d",
            "from x (joe@rdns [192.0.2.1] (may be forged)) by mx (8.15) with ESMTP id 1; d",
            "from x (unknown [IPv6:::ffff:192.0.2.1]) by mx; d",
        ] {
            assert_eq!(client(value).as_deref(), Some("192.0.2.1"), "{value}");
        }
    }

    #[test]
    fn b23_ipv6_is_an_address_too() {
        for value in [
            "from x (unknown [IPv6:2001:db8::1]) by mx (Postfix); d",
            "from x (rdns. [2001:db8::1]) by mx.google.com with ESMTPS id 1 for <a@b> (version=TLS1_3); d",
            "from A.outlook.com (2001:db8::1) by B.outlook.com (2001:db8::2) with mapi id 15; d",
            "from x (rdns [IPv6:2001:db8::1%eth0]) by mx; d",
        ] {
            assert_eq!(client(value).as_deref(), Some("2001:db8::1"), "{value}");
        }
    }

    #[test]
    fn the_helo_is_never_the_address() {
        assert_eq!(client("from [203.0.113.9] by mx (Postfix) with SMTP id 1; d"), None);
        assert_eq!(client("from [203.0.113.9] (unknown [192.0.2.1]) by mx; d").as_deref(), Some("192.0.2.1"));
        assert_eq!(client("from by (x [192.0.2.1]) by mx; d").as_deref(), Some("192.0.2.1"));
        assert_eq!(client("from x (account a HELO 203.0.113.9) by mx; d"), None);
        assert_eq!(client("by mx (1.1.1.1) with HTTP; d (from x (192.0.2.1))"), None);
    }

    #[test]
    fn a_client_that_cannot_be_read_is_a_client() {
        for value in [
            "from x;y (rdns [203.0.113.9]) by mx (Postfix) with ESMTP id 1; d",
            "from ;y (rdns [203.0.113.9]) by mx (Postfix) with ESMTP id 1; d",
            "from x( (rdns [203.0.113.9]) by mx (Postfix) with ESMTP id 1; d",
            "from \"x (rdns [203.0.113.9]) by mx (Postfix) with ESMTP id 1; d",
            "from <x (rdns [203.0.113.9]) by mx (Postfix) with ESMTP id 1; d",
            "from x (unknown [unknown]) by mx (Postfix) with ESMTP id 1; d",
            "from x by mx (Postfix) with ESMTP id 1; d",
            "from",
        ] {
            assert_eq!(Received::parse(value).client(), HopClient::Unreadable, "{value}");
        }
        for value in [
            "by mx (Postfix, from userid 33) id 1; d",
            "from Debian-exim by mx with local (Exim 4.96) id 1; d",
            "from localhost (localhost) by mx (8.17.1) id 1; d",
            "(qmail 1 invoked for bounce); d",
        ] {
            assert_eq!(Received::parse(value).client(), HopClient::Nobody, "{value}");
        }
    }

    #[test]
    fn b23_anything_at_all_is_read_without_harm() {
        assert_eq!(Received::parse(""), Received::default());
        for hostile in ["(", ")", "\"", "<", "[", "from ", "(\\", ";", "from (", "é(", "\\"] {
            Received::parse(&hostile.repeat(30_000));
        }
        assert_eq!(Received::parse("from \"a b\" by \"").from_helo.as_deref(), Some("a b"));
    }
}
