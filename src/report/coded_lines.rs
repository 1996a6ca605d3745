//! Lines that are a whole refusal each: a reply, and the address that was refused.
//!
//! Not here: sessions with both sides (`session`), and entries that begin with an address
//! (`entries`). Invariant: one line alone is no list.

use super::human_notice::HumanNotice;
use super::mailbox;
use super::mention::Mention;
use super::speakers::starts_with_code;
use super::tidied::tidy;

impl HumanNotice<'_> {
    /// The refusals of several addresses: `550 5.1.1 user unknown <a@x.example>`.
    pub(crate) fn coded_lines(&self) -> Vec<Mention> {
        let mut found: Vec<Mention> = Vec::new();
        for (at, line) in self.own().iter().enumerate() {
            let said = line.trimmed().trim_start_matches(['<', '>', '*', '-', ' ']);
            if !starts_with_code(said) || !said.starts_with(['4', '5']) {
                continue;
            }
            let mut named = mailbox::all(said.get(4..).unwrap_or_default());
            if let (Some(only), None) = (named.next(), named.next()) {
                let mention = self.mention(only.address, at, "", at + 1);
                found.push(Mention { text: tidy(said), ..mention });
            }
        }
        let is_other = |mention: &Mention| !mailbox::same(&mention.address, &found[0].address);
        if found.iter().any(is_other) { found } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    #[test]
    fn each_line_keeps_its_own_reply() {
        let text = "It failed:\n\n550 5.1.1 unknown <a@x.example>\n<<< 552 5.2.2 full <b@x.example>\n";
        let text = PartText::plain(text, 1);
        let found = HumanNotice::read(text.lines()).coded_lines();
        let found: Vec<_> = found.iter().map(|one| (one.address.as_str(), one.text.as_str())).collect();
        let unknown = ("a@x.example", "550 5.1.1 unknown <a@x.example>");
        assert_eq!(found, [unknown, ("b@x.example", "552 5.2.2 full <b@x.example>")]);
        let one = PartText::plain("550-a@x.example is\n550 a@x.example unknown\n", 1);
        assert_eq!(HumanNotice::read(one.lines()).coded_lines(), []);
    }
}
