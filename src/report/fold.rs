//! Text as it is compared with the phrases: lower case, without accents, one space between words.
//!
//! Not here: the phrases. Invariant: one pass, and every place in the folded text belongs to a
//! known line.

/// Letters from U+00C0 on, without their accents.
const LATIN: &[u8] = b"aaaaaaaceeeeiiiidnooooo*ouuuuypsaaaaaaaceeeeiiiidnooooo/ouuuuypy\
    aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllllnnnnnnnnn\
    oooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
/// Letters from U+1E00 on, most of them Vietnamese.
const LATIN_ADDITIONAL: &[u8] = b"aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmmmmmm\
    nnnnnnnnoooooooopppprrrrrrrrssssssssssttttttttuuuuuuuuuuvvvvwwwwwwwwwwxxxxyyzzzzzzhtwyasssss\
    aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeeeeeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy\
    llvvyy";

/// Lines, folded and joined by spaces.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    /// All of them.
    pub(crate) text: String,
    /// Where each line starts.
    starts: Vec<usize>,
}

impl Folded {
    /// Room for this number of lines and bytes.
    pub(crate) fn with_capacity(lines: usize, bytes: usize) -> Folded {
        Folded { text: String::with_capacity(bytes), starts: Vec::with_capacity(lines) }
    }

    /// Adds a line.
    pub(crate) fn push(&mut self, line: &str) {
        #[cfg(test)]
        crate::message::work::add(line.len());
        self.starts.push(self.text.len());
        let mut space = self.text.is_empty() || self.text.ends_with(' ');
        self.text.reserve(line.len() + 1);
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            // Most text is ASCII, with one space between words.
            let plain = plain_start(rest.as_bytes());
            if plain > 0 {
                let from = self.text.len();
                self.text.push_str(&rest[..plain]);
                self.text[from..].make_ascii_lowercase();
                (rest, space) = (&rest[plain..], false);
                continue;
            }
            rest = &rest[first.len_utf8()..];
            let Some(c) = fold(first) else { continue };
            if c != ' ' || !space {
                self.text.push(c);
            }
            space = c == ' ';
        }
        if !space {
            self.text.push(' ');
        }
    }

    /// The line that the text at `at` comes from.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|&start| start <= at).saturating_sub(1)
    }

    /// Where the text of a line starts.
    pub(crate) fn start(&self, line: usize) -> usize {
        self.starts.get(line).copied().unwrap_or(self.text.len())
    }
}

/// How many bytes at the start are words of ASCII with single spaces between them.
fn plain_start(text: &[u8]) -> usize {
    let is_letter = |at: usize| text.get(at).is_some_and(|byte| (b'!'..=b'~').contains(byte));
    let mut end = 0;
    while is_letter(end) || end > 0 && text.get(end) == Some(&b' ') && is_letter(end + 1) {
        end += 1;
    }
    end
}

/// One text, folded.
pub(crate) fn folded(text: &str) -> String {
    let mut folded = Folded::default();
    folded.push(text);
    folded.text.truncate(folded.text.trim_end().len());
    folded.text
}

/// A character without case and accent. Every kind of space is a space; invisible characters are
/// removed.
fn fold(c: char) -> Option<char> {
    let table = |table: &[u8], first: u32| char::from(table[(u32::from(c) - first) as usize]);
    Some(match c {
        'A'..='Z' => c.to_ascii_lowercase(),
        '\t' | '\r' | '\n' | '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{3000}' => ' ',
        ' '..='~' => c,
        '\u{c0}'..='\u{17f}' => table(LATIN, 0xc0),
        '\u{1e00}'..='\u{1eff}' => table(LATIN_ADDITIONAL, 0x1e00),
        '\u{1a0}' | '\u{1a1}' => 'o',
        '\u{1af}' | '\u{1b0}' => 'u',
        '\u{218}' | '\u{219}' => 's',
        '\u{21a}' | '\u{21b}' => 't',
        '‘' | '’' | '´' | '′' => '\'',
        '“' | '”' | '„' | '«' | '»' => '"',
        '–' | '—' | '‐' | '‑' => '-',
        'ά' | 'Ά' => 'α',
        'έ' | 'Έ' => 'ε',
        'ή' | 'Ή' => 'η',
        'ί' | 'Ί' | 'ϊ' | 'ΐ' => 'ι',
        'ό' | 'Ό' => 'ο',
        'ύ' | 'Ύ' | 'ϋ' | 'ΰ' => 'υ',
        'ώ' | 'Ώ' => 'ω',
        'ς' => 'σ',
        'ё' | 'Ё' => 'е',
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}' => {
            return None;
        }
        c if c.is_control() => return None,
        c => c.to_lowercase().next().unwrap_or(c),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_and_spaces_do_not_count() {
        assert_eq!(folded("  N’a pas  pu être\tREMIS\u{a0}: "), "n'a pas pu etre remis :");
        assert_eq!(
            folded("Nie można dostarczyć Größe ЁЖ Αποτυχία"),
            "nie mozna dostarczyc grose еж αποτυχια"
        );
        assert_eq!(folded("không thể\u{200b}"), "khong the");
    }

    #[test]
    fn the_tables_cover_their_ranges() {
        assert_eq!((LATIN.len(), LATIN_ADDITIONAL.len()), (0x180 - 0xc0, 0x100));
        let all: String = ('\u{0}'..='\u{ffff}').collect();
        folded(&all);
    }

    #[test]
    fn every_place_has_a_line() {
        let mut folded = Folded::default();
        for line in ["One two", "", "  Three "] {
            folded.push(line);
        }
        assert_eq!(folded.text, "one two three ");
        let at = folded.text.find("three").unwrap();
        assert_eq!((folded.line(at), folded.line(0), folded.start(2)), (2, 0, at));
    }
}
