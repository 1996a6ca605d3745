//! One form for letters, so that texts and patterns can be compared byte by byte.
//!
//! Not here: codes and addresses in a text (`diagnostic`). Invariant: patterns and texts are folded
//! by the same function, so that neither can hold a letter that the other cannot.

/// Appends a letter in its plain form: lower case, without accents, with plain quotes and dashes.
pub fn fold(letter: char, out: &mut Vec<u8>) {
    let plain: &str = match letter {
        'A'..='Z' => return out.push(letter.to_ascii_lowercase() as u8),
        '\0'..='\u{7f}' => return out.push(letter as u8),
        'À'..='Å' | 'à'..='å' | 'Ā'..='ą' => "a",
        'Æ' | 'æ' => "ae",
        'Ç' | 'ç' | 'Ć'..='č' => "c",
        'È'..='Ë' | 'è'..='ë' | 'Ē'..='ě' => "e",
        'Ì'..='Ï' | 'ì'..='ï' | 'Ĩ'..='ı' => "i",
        'Ð' | 'ð' | 'Ď'..='đ' => "d",
        'Ñ' | 'ñ' | 'Ń'..='ň' => "n",
        'Ò'..='Ö' | 'ò'..='ö' | 'Ø' | 'ø' | 'Ō'..='ő' => "o",
        'Œ' | 'œ' => "oe",
        'Ù'..='Ü' | 'ù'..='ü' | 'Ũ'..='ų' => "u",
        'Ý' | 'ý' | 'ÿ' | 'Ÿ' => "y",
        'Þ' | 'þ' => "th",
        'ß' => "ss",
        'Ğ'..='ģ' => "g",
        'Ĺ'..='ł' => "l",
        'Ŕ'..='ř' => "r",
        'Ś'..='š' | 'Ș' | 'ș' => "s",
        'Ţ'..='ŧ' | 'Ț' | 'ț' => "t",
        'Ź'..='ž' => "z",
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{ad}' => return,
        '‘' | '’' | '‚' | '´' => "'",
        '“'..='‟' | '«' | '»' | '‹' | '›' | '《'..='』' => "\"",
        '–' | '—' | '‐' | '‑' => "-",
        '…' => "...",
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{3000}' => {
            if out.last() != Some(&b' ') {
                out.push(b' ');
            }
            return;
        }
        '！'..='～' => {
            let plain = (letter as u32 - '！' as u32) as u8 + b'!';
            return out.push(plain.to_ascii_lowercase());
        }
        'Ё' | 'ё' => "е",
        // Greek in capitals has no accents, and one form of sigma.
        'Ά' | 'ά' => "α",
        'Έ' | 'έ' => "ε",
        'Ή' | 'ή' => "η",
        'Ί' | 'ί' | 'ΐ' | 'Ϊ' | 'ϊ' => "ι",
        'Ό' | 'ό' => "ο",
        'Ύ' | 'ύ' | 'ΰ' | 'Ϋ' | 'ϋ' => "υ",
        'Ώ' | 'ώ' => "ω",
        'ς' => "σ",
        // Bengali writes this letter as one or as two.
        '\u{9df}' => "\u{9af}\u{9bc}",
        _ => {
            for small in letter.to_lowercase() {
                out.extend_from_slice(small.encode_utf8(&mut [0; 4]).as_bytes());
            }
            return;
        }
    };
    out.extend_from_slice(plain.as_bytes());
}
