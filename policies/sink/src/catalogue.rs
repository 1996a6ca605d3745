//! The operator's own replies, by weight, and the macros in them.
//!
//! Not here: the form of the setting (`form`), and the replies of providers (`providers`).
//! Invariant: what strangers have written stays in one line of bounded length.

use crate::reply::Reply;

/// A reply of the setting `replies`.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighted {
    pub reply: Reply,
    pub weight: f64,
    /// What a classifier should make of it; empty: nobody has said.
    pub expect: String,
}

/// One of these, by chance and weight.
pub fn pick<T>(all: &[T], weight: impl Fn(&T) -> f64, chance: f64) -> Option<&T> {
    let whole: f64 = all.iter().map(&weight).sum();
    let mut left = chance * whole;
    let found = all.iter().find(|one| {
        left -= weight(one);
        left < 0.0
    });
    found.or(all.last())
}

/// What macros stand for.
pub struct Names {
    pub recipient: String,
    pub sender: String,
    /// The IP address of the client.
    pub client: String,
    /// What it calls itself: it stands for the domain of the null sender.
    pub client_name: String,
}

/// Characters of a value.
const LONGEST: usize = 256;

impl Names {
    /// A text with its macros replaced: those of PowerMTA's `random_bounce:` lines, those of
    /// carom's own, and the client's address in examples.
    pub fn fill(&self, text: &str) -> String {
        let (user, domain) = self.recipient.rsplit_once('@').unwrap_or((&self.recipient, ""));
        let clean = |value: &str| -> String {
            value.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect()
        };
        let client = if self.client.is_empty() { "192.0.2.1" } else { &self.client };
        let client_name = if self.client_name.is_empty() { client } else { &self.client_name };
        let sender_domain = self.sender.rsplit_once('@').map_or(client_name, |(_, domain)| domain);
        let values = [
            ("<RCPT_USER>", clean(user)),
            ("<RCPT_DOMAIN>", clean(domain)),
            ("<SENDER_IPADDRESS>", clean(client)),
            ("<RCPT_SERVER>", format!("mx.{}", clean(domain))),
            ("<OTHER_IPADDRESS>", "192.0.2.25".into()),
            ("<ORIG>", clean(&self.sender)),
            ("<ORIG_DOMAIN>", clean(sender_domain)),
            ("198.51.100.7", clean(client)),
        ];
        let mut filled = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            match values.iter().find(|(name, _)| rest.starts_with(name)) {
                Some((name, value)) => {
                    filled.push_str(value);
                    rest = &rest[name.len()..];
                }
                None => {
                    let first = rest.chars().next().map_or(1, char::len_utf8);
                    filled.push_str(&rest[..first]);
                    rest = &rest[first..];
                }
            }
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reply_has_its_share() {
        let replies = [(550, 3.0), (551, 1.0), (552, 0.0)];
        let one = |n: u32| pick(&replies, |(_, weight)| *weight, f64::from(n) / 400.0);
        let drawn: Vec<u16> = (0..400).filter_map(one).map(|(code, _)| *code).collect();
        let count = |code: u16| drawn.iter().filter(|drawn| **drawn == code).count();
        assert_eq!((count(550), count(551), count(552)), (300, 100, 0));
        assert_eq!(pick(&replies[..0], |(_, weight)| *weight, 0.5), None);
    }

    #[test]
    fn macros_are_replaced_once_and_cannot_end_the_line() {
        let names = Names {
            recipient: "<ORIG>\r\n250 ok@sink.example".into(),
            sender: "a@b.example".into(),
            client: String::new(),
            client_name: String::new(),
        };
        assert_eq!(
            names.fill("<RCPT_USER>@<RCPT_DOMAIN> from <ORIG> at <SENDER_IPADDRESS> via <RCPT_SERVER> <X>"),
            "<ORIG>  250 ok@sink.example from a@b.example at 192.0.2.1 via mx.sink.example <X>"
        );
        assert_eq!(names.fill("<ORIG_DOMAIN>"), "b.example");
        let of_nobody = |client_name: &str| Names {
            recipient: "x@sink.example".into(),
            sender: String::new(),
            client: "192.0.2.7".into(),
            client_name: client_name.into(),
        };
        assert_eq!(of_nobody("mx.b.example").fill("<<ORIG>> <ORIG_DOMAIN>"), "<> mx.b.example");
        assert_eq!(of_nobody("").fill("<ORIG_DOMAIN>"), "192.0.2.7");
    }
}
