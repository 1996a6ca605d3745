//! Sentences about a member of a list or group whose copy failed. The address of the list is
//! alive, whoever of its members is gone.
//!
//! Not here: lists that take no mail from others. Invariant: an address counts only next to the
//! word for the member.

use super::fold::folded;
use super::human_notice::HumanNotice;
use super::mailbox;
use super::mention::Mention;

/// What names the member that something could not be delivered to, folded.
const MEMBERS: &[&str] = &[
    "to the member",
    "to a member",
    "to its member",
    "to one of its",
    "to one of the members",
    "to one of the subscribers",
    "to one member",
    "to some of its",
    "to some members",
    "to the subscriber",
    "to a subscriber",
    "for the member",
    "for a member",
    "dem mitglied",
    "einem mitglied",
    "einem der mitglieder",
    "einem ihrer mitglieder",
    "das mitglied",
    "ein mitglied",
    "au membre",
    "a un membre",
    "a l'un des membres",
    "a un de ses membres",
    "a l'un de ses membres",
    "al miembro",
    "a un miembro",
    "a uno de sus miembros",
    "al membro",
    "a un membro",
    "a uno dei suoi membri",
    "ao membro",
    "a um membro",
    "a um dos seus membros",
    "het lid",
    "een lid",
    "een van de leden",
    "czlonka",
    "czlonkowi",
    "clenovi",
    "till medlemmen",
    "till en medlem",
    "til medlemmet",
    "til et medlem",
];
/// One of these is in each of them.
const STEMS: [&str; 10] =
    ["memb", "mitglied", "miembro", " its", " lid", " leden", "subscriber", "medlem", "czlonk", "clen"];
/// How far the address may be from the word, in bytes.
const NEAR: usize = 12;

impl HumanNotice<'_> {
    /// The members that it names; `None` if it speaks of none.
    pub(crate) fn members(&self) -> Option<Vec<Mention>> {
        let mut found: Option<Vec<Mention>> = None;
        for (at, line) in self.own().iter().enumerate() {
            let text = &self.folded.text[self.folded.start(at)..self.folded.start(at + 1)];
            if !STEMS.iter().any(|stem| text.contains(stem)) {
                continue;
            }
            let ends = MEMBERS.iter().filter_map(|words| Some(text.find(words)? + words.len()));
            let Some(end) = ends.max() else { continue };
            let members = found.get_or_insert_default();
            let next = mailbox::first(&text[end..]).filter(|next| next.start <= NEAR);
            let address = next.map(|next| next.address.to_owned()).or_else(|| before_aside(text));
            let written = mailbox::all(line.text).find(|written| Some(folded(written.address)) == address);
            if let Some(written) = written {
                let rest = &line.text[written.end..];
                members.push(self.mention(written.address, at, rest, self.end));
            }
        }
        found
    }
}

/// The address in `to a@x.example, a member of the list`.
fn before_aside(text: &str) -> Option<String> {
    let at = text.find(", a member of")?;
    let last = mailbox::all(&text[..at]).last()?;
    (at - last.end <= NEAR).then(|| last.address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    fn members(text: &str) -> Option<Vec<String>> {
        let text = PartText::plain(text, 1);
        let members = HumanNotice::read(text.lines()).members()?;
        Some(members.into_iter().map(|mention| mention.address).collect())
    }

    #[test]
    fn the_list_is_not_its_member() {
        let named =
            "Your message to team@x.example was delivered, but not to the member a@y.example: no user.";
        assert_eq!(members(named), Some(vec!["a@y.example".to_owned()]));
        for text in [
            "Your message to team@x.example could not be delivered to one of its members: user unknown.",
            "Ihre Nachricht an team@x.example konnte einem Mitglied nicht zugestellt werden.",
        ] {
            assert_eq!(members(text), Some(Vec::new()), "{text}");
        }
        for text in ["a@x.example: 550 only members may write", "You are not a member of team@x.example"] {
            assert_eq!(members(text), None, "{text}");
        }
        assert!(MEMBERS.iter().all(|words| folded(words) == *words));
    }
}
