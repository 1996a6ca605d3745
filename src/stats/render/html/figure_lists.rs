//! The lists behind figures: the deliveries that a figure counts, as a command, and as an address
//! of the page that `carom serve` shows.
//!
//! Not here: the lists. Invariant: what mail says ends neither a word of the command nor a value of
//! the address.

use super::markup::Html;
use crate::clock;
use crate::stats::Figures;
use crate::stats::render::wording::clean;
use url::form_urlencoded;

/// Characters of a value in a command.
const LONGEST_WORD: usize = 200;
/// The options of a period.
const PERIOD: [&str; 2] = ["since", "until"];

/// An option of `carom deliveries`, and its value; empty: the option alone.
pub(crate) type Choice<'a> = (&'static str, &'a str);

/// The lists behind the figures of a period.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    from_ms: i64,
    to_ms: i64,
    /// Mail that is not our own is in the log too, and not in the figures.
    only_own: bool,
    /// The figures are those of a customer, which count all mail that he sees.
    of_some_mail: bool,
    /// There is a server that has the lists.
    is_linked: bool,
}

impl Lists {
    pub(crate) fn of(figures: &Figures, is_linked: bool) -> Lists {
        let only_own = figures.others.total() > 0 || figures.carom.total() > 0;
        let (from_ms, to_ms, of_some_mail) = (figures.from_ms, figures.to_ms, figures.of_some_mail);
        Lists { from_ms, to_ms, only_own, of_some_mail, is_linked }
    }

    /// The same of any period, in which the log may have what is not our own mail.
    pub(crate) fn elsewhen(&self, from_ms: i64, to_ms: i64) -> Lists {
        Lists { from_ms, to_ms, only_own: !self.of_some_mail, ..*self }
    }

    /// The same of a part of the period.
    pub(crate) fn within(&self, from_ms: i64, to_ms: i64) -> Lists {
        Lists { from_ms, to_ms, ..*self }
    }

    /// Text from mail, which leads to the deliveries that it names.
    pub(crate) fn foreign(&self, to: &mut Html, text: &str, most: usize, choices: &[Choice<'_>]) {
        self.begin(to, choices);
        to.raw("<bdi>").foreign(text, most).raw("</bdi>");
        self.end(to);
    }

    /// A number, which leads to the deliveries that it counts.
    pub(crate) fn number(&self, to: &mut Html, text: &str, choices: &[Choice<'_>]) {
        self.begin(to, choices);
        to.text(text);
        self.end(to);
    }

    /// Words that lead to another part of the page.
    pub(crate) fn place(&self, to: &mut Html, text: &str, place: &'static str) {
        if self.is_linked {
            to.tag("a", &[("href", &place)]);
        }
        to.text(text);
        self.end(to);
    }

    /// The command that lists the same deliveries.
    pub(crate) fn command(&self, to: &mut Html, choices: &[Choice<'_>]) {
        to.raw("<p class=command>");
        self.number(to, "List them", choices);
        to.raw(": <code dir=ltr>").text(self.typed(choices)).raw("</code></p>");
    }

    fn begin(&self, to: &mut Html, choices: &[Choice<'_>]) {
        if self.is_linked {
            to.tag("a", &[("href", &self.address(choices))]);
        }
    }

    fn end(&self, to: &mut Html) {
        if self.is_linked {
            to.raw("</a>");
        }
    }

    fn own(&self) -> &'static [Choice<'static>] {
        if self.only_own { &[("own", "")] } else { &[] }
    }

    /// Where the page has the list.
    pub(crate) fn address(&self, choices: &[Choice<'_>]) -> String {
        let mut query = form_urlencoded::Serializer::for_suffix(String::from("/deliveries?"), 12);
        for (option, value) in self.own().iter().chain(choices) {
            query.append_pair(&option.replace('-', "_"), if value.is_empty() { "true" } else { value });
        }
        for (option, at) in PERIOD.into_iter().zip([self.from_ms, self.to_ms]) {
            query.append_pair(option, &short_time(at));
        }
        query.finish()
    }

    /// What a person types for the list.
    pub(crate) fn typed(&self, choices: &[Choice<'_>]) -> String {
        let times = [self.from_ms, self.to_ms].map(short_time);
        let period = PERIOD.into_iter().zip(times.iter().map(String::as_str));
        typed("carom deliveries", self.own().iter().chain(choices).copied().chain(period))
    }
}

/// A command with options, each value as one word of a shell.
pub(crate) fn typed<'a>(command: &str, choices: impl Iterator<Item = (impl AsRef<str>, &'a str)>) -> String {
    let mut text = command.to_owned();
    for (option, value) in choices {
        text.push_str(" --");
        text.push_str(option.as_ref());
        if !value.is_empty() {
            text.push(' ');
            text.push_str(&shell_word(value));
        }
    }
    text
}

/// One word of a shell, whatever it holds.
pub(crate) fn shell_word(value: &str) -> String {
    let value = clean(value, LONGEST_WORD);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".,:@/_+-".contains(c);
    match !value.is_empty() && !value.starts_with('-') && value.chars().all(is_plain) {
        true => value,
        false => format!("'{}'", value.replace('\'', r"'\''")),
    }
}

/// Without milliseconds, where there are none.
pub(crate) fn short_time(at_ms: i64) -> String {
    clock::rfc3339(at_ms).replace(".000Z", "Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_word_and_one_value() {
        assert_eq!(shell_word("a.example"), "a.example");
        assert_eq!(shell_word("$(rm -rf ~)'; x"), r"'$(rm -rf ~)'\''; x'");
        assert_eq!(shell_word("--help"), "'--help'");
        let lists =
            Lists { from_ms: 0, to_ms: 3_600_000, only_own: false, of_some_mail: false, is_linked: true };
        let choices = [("reason", "a&b=\"<c>"), ("unclassified", "")];
        let address = lists.address(&choices);
        assert_eq!(
            address,
            "/deliveries?reason=a%26b%3D%22%3Cc%3E&unclassified=true&since=1970-01-01T00%3A00%3A00Z\
             &until=1970-01-01T01%3A00%3A00Z"
        );
        assert_eq!(
            lists.typed(&choices),
            "carom deliveries --reason 'a&b=\"<c>' --unclassified --since 1970-01-01T00:00:00Z --until 1970-01-01T01:00:00Z"
        );
    }
}
