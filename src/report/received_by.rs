//! The part of a notice that says who did receive the message: a heading, and addresses below it.
//! None of them failed.
//!
//! Not here: reports of success alone, whose recipients are read as any other. Invariant: lines are
//! removed only if an address is left that they do not name.

use super::fold::folded;
use super::lines::NumberedLine;
use super::list_entry;
use super::mailbox;
use super::quoted_reply::QuotedReply;
use std::collections::HashSet;

/// A longer line is no heading, in bytes.
const MAX_HEADING: usize = 120;
/// Beginnings of words that say that somebody received it, folded.
const ARRIVED: &[&str] = &[
    " delivered",
    " successful",
    " succeeded",
    " received",
    " were ok",
    " was ok",
    " ok",
    " zugestellt",
    " erfolgreich",
    " erhalten",
    " distribue",
    " remis",
    " livre",
    " recu",
    " delivre",
    " reussi",
    " entregad",
    " entregue",
    " recibid",
    " recebid",
    " exito",
    " sucesso",
    " consegnat",
    " recapitat",
    " ricevut",
    " bezorgd",
    " afgeleverd",
    " ontvangen",
    " dostarczon",
    " doreczon",
    " dorucen",
    " levere",
    " levert",
    " toimitett",
    " kezbesit",
    " livrat",
    " iletildi",
    " доставлен",
    " получил",
    " отримал",
    " παραδοθηκ",
    "已送达",
    "已送達",
    "成功",
    "配信済",
    "배달 완료",
];
/// Words of a heading that says something else, folded: it failed, or is still tried.
const NOT_ARRIVED: &[&str] = &[
    " not",
    "n't",
    "cannot",
    " never",
    " no ",
    " none",
    "fail",
    "undeliver",
    "unsuccess",
    " unable",
    "error",
    "reject",
    "refus",
    "bounc",
    "problem",
    "delay",
    " later",
    " yet",
    " could",
    " would",
    " should",
    " must",
    " to be",
    " will",
    " when",
    " if ",
    " from",
    " nicht",
    " kein",
    "fehl",
    "unzustell",
    " konnte",
    " wird",
    " werden",
    " von ",
    " non ",
    " n'",
    " ne ",
    " pas ",
    "echec",
    "echou",
    "impossible",
    "imposible",
    " sin ",
    "fall",
    " nao ",
    "falh",
    " niet",
    "mislukt",
    " nie ",
    "niedor",
    "niedost",
    "nedoruc",
    " nebyl",
    " nelze",
    " ikke",
    " inte ",
    " ej ",
    " ei ",
    "epaonn",
    " nem ",
    " nu ",
    "edilemedi",
    "iletilmedi",
    " не ",
    "недостав",
    " δεν ",
    "未",
    "无法",
    "無法",
    "失败",
    "失敗",
    "不",
    "できません",
    "못",
    "실패",
];

/// Empties the lines of such parts up to `end`. Whether there were any.
pub(crate) fn remove(lines: &mut [NumberedLine<'_>], end: usize) -> bool {
    let mut parts: Vec<usize> = Vec::new();
    let mut at = 0;
    while at < end {
        let last = if is_heading(lines[at].trimmed()) { end_of_part(&lines[..end], at) } else { at };
        parts.extend(at..last);
        at = last.max(at + 1);
    }
    let named = |at: usize| mailbox::all(lines[at].text).map(|found| found.address.to_lowercase());
    let received: HashSet<String> = parts.iter().flat_map(|at| named(*at)).collect();
    let mut others = (0..end).filter(|at| parts.binary_search(at).is_err()).flat_map(named);
    if received.is_empty() || !others.any(|other| !received.contains(&other)) {
        return false;
    }
    parts.into_iter().for_each(|at| lines[at].text = "");
    true
}

/// The line after the addresses below a heading; the heading's own line if there are none.
fn end_of_part(lines: &[NumberedLine<'_>], heading: usize) -> usize {
    let mut end = if lines[heading].text.contains('@') { heading + 1 } else { heading };
    for (at, line) in lines.iter().enumerate().skip(heading + 1) {
        if is_entry(line.trimmed()) {
            end = at + 1;
        } else if !line.is_blank() {
            break;
        }
    }
    end
}

/// Whether a line is an address below such a heading: nothing went wrong with it.
fn is_entry(line: &str) -> bool {
    list_entry::head(line).is_some() && !QuotedReply::find(line).is_some() && !is_negative(line)
}

/// Whether a line says that those who follow received it, by its words before the colon.
fn is_heading(line: &str) -> bool {
    let Some((words, rest)) = line.split_once([':', '：']) else { return false };
    let rest = rest.trim().trim_matches(['<', '>']);
    if words.len() > MAX_HEADING || words.contains('@') || !(rest.is_empty() || mailbox::is_address(rest)) {
        return false;
    }
    let spaced = format!(" {} ", folded(words));
    ARRIVED.iter().any(|word| spaced.contains(word)) && !is_negative(words)
}

fn is_negative(text: &str) -> bool {
    let spaced = format!(" {} ", folded(text));
    NOT_ARRIVED.iter().any(|word| spaced.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    fn left(text: &str) -> String {
        let text = PartText::plain(text, 1);
        let mut lines = text.lines();
        let end = lines.len();
        remove(&mut lines, end);
        lines.iter().map(NumberedLine::trimmed).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn whoever_received_it_is_no_failure() {
        for heading in [
            "Successfully delivered to:",
            "Delivered:",
            "Following recipients were OK:",
            "Erfolgreich zugestellt an:",
            "Distribué à :",
            "Entregado a:",
            "These recipients received the message:",
        ] {
            let text =
                format!("{heading}\n  a@x.example\n  <b@x.example>\n\nFailed:\n  c@x.example: 550 no\n");
            assert_eq!(left(&text), "Failed:|c@x.example: 550 no", "{heading}");
            let text = format!("Failed:\n  c@x.example: 550 no\n\n{heading}\n  a@x.example\n");
            assert_eq!(left(&text), "Failed:|c@x.example: 550 no", "{heading}");
        }
        let inline = "Delivered: a@x.example\nNot delivered: c@x.example\n";
        assert_eq!(left(inline), "Not delivered: c@x.example");
    }

    #[test]
    fn other_parts_stay() {
        for text in [
            "Not delivered:|a@x.example|Failed:|b@x.example",
            "Your message could not be delivered to:|a@x.example|b@x.example: 550 no",
            "Nicht zugestellt:|a@x.example|b@x.example",
            "Delivered:|a@x.example",
            "Message received from:|a@x.example|b@x.example",
        ] {
            assert_eq!(left(&text.replace('|', "\n")), text, "{text}");
        }
        let all = ARRIVED.iter().chain(NOT_ARRIVED);
        assert!(all.into_iter().all(|word| folded(word).trim() == word.trim()));
    }
}
