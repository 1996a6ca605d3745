//! What gateways and companies add to every mail: a line about a scanner, a notice of
//! confidentiality. It is no part of what a report says.
//!
//! Not here: the phrases (`phrases.txt`). Invariant: a paragraph with a reply in it or with the
//! words of a failure stays.

use super::fold::Folded;
use super::lines::NumberedLine;
use super::phrases::{self, Hit, Says};
use super::quoted_reply::QuotedReply;

/// Words of a paragraph that says what a scanner found, folded.
const FINDINGS: [&str; 8] = [
    "infected",
    "contains a virus",
    "contained a virus",
    "virus found",
    "viruses found",
    "found a virus",
    "detected",
    "infiziert",
];
/// A longer signature is not one, in lines.
const MAX_SIGNATURE: usize = 12;
/// Paragraphs that are looked at, at most.
const MAX_PARAGRAPHS: usize = 200;

/// Empties the lines of footers up to `end`. Whether there were any.
pub(crate) fn remove(lines: &mut [NumberedLine<'_>], end: usize, folded: &Folded, hits: &[Hit]) -> bool {
    let mut found = remove_signature(lines, end, folded, hits);
    let mut after = 0;
    for hit in hits.iter().filter(|hit| hit.says == Says::Footer).take(MAX_PARAGRAPHS) {
        let at = folded.line(hit.start);
        if at < after || at >= end {
            continue;
        }
        let first = lines[..at].iter().rposition(NumberedLine::is_blank).map_or(0, |blank| blank + 1);
        let last = lines[at..end].iter().position(NumberedLine::is_blank).map_or(end, |blank| at + blank);
        after = last;
        let own = lines[first..at].iter().position(is_rule).map_or(first, |rule| first + rule);
        if !says_something(&lines[own..last], folded, hits, own..last) {
            lines[own..last].iter_mut().for_each(|line| line.text = "");
            found = true;
        }
    }
    found
}

/// A signature goes from a line `--` to the end.
fn remove_signature(lines: &mut [NumberedLine<'_>], end: usize, folded: &Folded, hits: &[Hit]) -> bool {
    let last = lines[..end].iter().rposition(|line| line.text == "--");
    let signature = last.filter(|&at| end - at <= MAX_SIGNATURE);
    let Some(at) = signature.filter(|&at| !says_something(&lines[at..end], folded, hits, at..end)) else {
        return false;
    };
    lines[at..end].iter_mut().for_each(|line| line.text = "");
    true
}

/// Whether a line separates what follows.
fn is_rule(line: &NumberedLine<'_>) -> bool {
    line.trimmed().bytes().take_while(|byte| b"-_=*~#".contains(byte)).count() >= 4
}

fn says_something(
    lines: &[NumberedLine<'_>],
    folded: &Folded,
    hits: &[Hit],
    place: std::ops::Range<usize>,
) -> bool {
    let text = &folded.text[folded.start(place.start)..folded.start(place.end)];
    let failure = |hit: &Hit| matches!(hit.says, Says::Failed | Says::Delayed | Says::Gone | Says::Object);
    phrases::hits_in(hits, folded, place).iter().any(failure)
        || FINDINGS.iter().any(|finding| text.contains(finding))
        || lines.iter().any(|line| QuotedReply::find(line.text).code.is_some())
}

#[cfg(test)]
mod tests {
    use crate::report::human_notice::HumanNotice;
    use crate::report::lines::PartText;

    fn whole(text: &str) -> String {
        let text = PartText::plain(text, 1);
        HumanNotice::read(text.lines()).whole().to_owned()
    }

    #[test]
    fn a_footer_is_not_part_of_the_notice() {
        for footer in [
            "____________________\nThis email was scanned for viruses\nby Example Ltd",
            "This e-mail is confidential and intended solely for the addressee.",
            "Diese E-Mail wurde auf Viren geprüft.",
        ] {
            assert_eq!(whole(&format!("It was not delivered:\n\n{footer}\n")), "It was not delivered:");
        }
    }

    #[test]
    fn what_a_scanner_found_stays() {
        for text in [
            "The message was scanned by Example and found to be infected.",
            "This confidential message was rejected.",
            "host mx.x.example said: 550 intended solely for others",
        ] {
            assert_eq!(whole(text), text);
        }
    }
}
