//! Where the message that a notice is about begins in the text of the notice.
//!
//! Not here: reading that message (`original`). Invariant: a sentence about the original message
//! does not begin it; a separate line or a header section does.

use super::fold::Folded;
use super::lines::NumberedLine;
use super::phrases::{self, Hit, Says};

/// Phrases that are tried, at most.
const MAX_MARKERS: usize = 200;

/// The line that the original begins with; `hits` are the phrases in the lines.
pub(crate) fn find(lines: &[NumberedLine<'_>], folded: &Folded, hits: &[Hit]) -> Option<usize> {
    let fails =
        |line| phrases::hits_in(hits, folded, line..line + 1).iter().any(|hit| hit.says == Says::Failed);
    let mut markers = hits
        .iter()
        .filter(|hit| hit.says == Says::Original && is_marker(folded, hit, lines))
        .take(MAX_MARKERS)
        .map(|hit| folded.line(hit.start));
    let marker = markers.find(|line| !fails(*line) && !errors_follow(folded, *line));
    header_start(lines, marker.unwrap_or(lines.len())).or(marker)
}

/// Whether the notice goes on after a line with the details of the error, as Microsoft's do after
/// those of the message.
fn errors_follow(folded: &Folded, line: usize) -> bool {
    const DETAILS: [&str; 3] = ["error details", "reported error:", "diagnostic information for"];
    let start = folded.start(line + 1);
    let mut end = folded.text.len().min(start + 1_000);
    while !folded.text.is_char_boundary(end) {
        end -= 1;
    }
    folded.text.get(start..end).is_some_and(|text| DETAILS.iter().any(|details| text.contains(details)))
}

/// Whether the line of a phrase is the line before an original message, not a sentence about it.
fn is_marker(folded: &Folded, hit: &Hit, lines: &[NumberedLine<'_>]) -> bool {
    let line = folded.line(hit.start);
    let (start, end) = (folded.start(line), folded.start(line + 1));
    let before = &folded.text[start..hit.start];
    let after = folded.text.get(hit.end..end).unwrap_or_default();
    let own = &folded.text[hit.start..hit.end];
    // A sentence that ends with these words, or goes on in the next line, is about the original.
    let sentence = hit.end > end || after.contains('.');
    let (first, last) = (is_decoration(before), is_decoration(after) && !sentence);
    let ruled = lines[line].trimmed().starts_with(['-', '=', '*', '_', '|', '+', '#', '~']);
    let marked = ruled && (before.len() >= 2 || after.trim_end().ends_with("--"));
    if own == "original message" || own == "forwarded message" {
        marked || (first && last)
    } else {
        first || last || marked
    }
}

/// Whether a text has no words.
fn is_decoration(text: &str) -> bool {
    text.chars().all(|c| "-=*_>.: #[]()|+~".contains(c))
}

/// Where a header section starts: a trace field at the beginning of a line, with another field
/// near.
fn header_start(lines: &[NumberedLine<'_>], until: usize) -> Option<usize> {
    const TRACE: [&str; 4] = ["received:", "return-path:", "dkim-signature:", "x-received:"];
    const NEAR: [&str; 6] = ["from:", "to:", "subject:", "date:", "message-id:", "arc-seal:"];
    fn starts(line: &NumberedLine<'_>, name: &str) -> bool {
        let text = line.text.strip_prefix('>').unwrap_or(line.text);
        let text = text.as_bytes();
        text.first().is_some_and(|first| first.eq_ignore_ascii_case(&name.as_bytes()[0]))
            && text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
    }
    let trace = |line: &NumberedLine<'_>| TRACE.iter().any(|name| starts(line, name));
    let field = |line: &NumberedLine<'_>| trace(line) || NEAR.iter().any(|name| starts(line, name));
    (0..until).find(|&at| trace(&lines[at]) && lines[at + 1..].iter().take(12).any(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    fn start(text: &str) -> Option<usize> {
        let text = PartText::plain(text, 1);
        let lines = text.lines();
        let mut folded = Folded::default();
        lines.iter().for_each(|line| folded.push(line.text));
        find(&lines, &folded, &phrases::find(&folded.text))
    }

    #[test]
    fn the_original_is_not_part_of_the_notice() {
        for text in [
            "not delivered:\n----- Original message -----\nTo: a@x\n",
            "not delivered:\nReceived: from x\n by y\nSubject: a\n",
            "not delivered:\n>Received: from x\n>To: a@x\n",
            "not delivered:\nBelow is a copy of the original message:\nx\n",
        ] {
            assert_eq!(start(text), Some(1), "{text}");
        }
        assert_eq!(start("The original message was received at noon\nnot delivered:\n<a@x>\n"), None);
        assert_eq!(start("Received: yesterday\nand lost\n"), None);
    }
}
