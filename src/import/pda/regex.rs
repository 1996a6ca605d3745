//! A Java regular expression as one of carom's patterns.
//!
//! Invariant: the pattern matches every text that the expression matches; what cannot be said in a
//! pattern is an error that says why, never a guess.

/// A longer regular expression is not a rule.
const LONGEST: usize = 4000;

/// The pattern for a regular expression that was searched for anywhere in a text, and whether the
/// pattern also matches other texts.
pub(super) fn pattern_of(regex: &str) -> Result<(String, bool), String> {
    if regex.is_empty() || regex.len() > LONGEST {
        return Err("it is empty or very long".into());
    }
    let mut reader = Reader { letters: regex.chars().collect(), at: 0, wider: false };
    let begins = reader.take('^');
    let body = reader.alternatives(0)?;
    if reader.at < reader.letters.len() {
        return Err("a ) has no (".into());
    }
    let ends = regex.ends_with('$') && !regex.ends_with("\\$");
    let body = if body.len() == 1 { body.concat() } else { format!("({})", body.join("|")) };
    if !body.chars().any(char::is_alphanumeric) {
        return Err("it holds no word".into());
    }
    if body.split(|letter: char| !letter.is_ascii_digit() && letter != '.').any(is_code) {
        return Err("it asks for a code in the text: give the rule codes = [\"…\"]".into());
    }
    let (before, after) = (if begins { "^" } else { "*" }, if ends { "$" } else { "*" });
    Ok((format!("{before}{body}{after}"), reader.wider))
}

/// `550` or `5.1.1`.
fn is_code(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let is_whole = word.matches('.').count() == 2 || word.len() == 3;
    digits >= 3 && is_whole && word.starts_with(['2', '4', '5'])
}

struct Reader {
    letters: Vec<char>,
    at: usize,
    /// Whether the pattern matches more than the expression.
    wider: bool,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn take(&mut self, letter: char) -> bool {
        let is = self.peek() == Some(letter);
        self.at += usize::from(is);
        is
    }

    fn alternatives(&mut self, depth: usize) -> Result<Vec<String>, String> {
        if depth > 7 {
            return Err("its groups are too deep".into());
        }
        let mut all = vec![String::new()];
        while let Some(letter) = self.peek() {
            match letter {
                ')' if depth > 0 => break,
                ')' => return Err("a ) has no (".into()),
                '|' => {
                    self.at += 1;
                    all.push(String::new());
                }
                '$' if self.at + 1 == self.letters.len() => self.at += 1,
                _ => {
                    let item = self.item(depth)?;
                    let item = self.repeated(item)?;
                    all.last_mut().expect("there is one").push_str(&item);
                }
            }
        }
        Ok(all)
    }

    fn item(&mut self, depth: usize) -> Result<String, String> {
        let letter = self.peek().ok_or("it ends too early")?;
        self.at += 1;
        match letter {
            '(' => {
                if self.take('?') && !self.take(':') {
                    return Err("it looks around or sets flags".into());
                }
                let inner = self.alternatives(depth + 1)?;
                if !self.take(')') {
                    return Err("a ( is not closed".into());
                }
                Ok(format!("({})", inner.join("|")))
            }
            '.' => {
                self.wider |= !matches!(self.peek(), Some('*' | '+'));
                Ok("*".into())
            }
            '[' => {
                let end = self.letters[self.at..]
                    .iter()
                    .position(|letter| *letter == ']')
                    .ok_or("a [ is not closed")?;
                self.at += end + 1;
                self.wider = true;
                Ok("*".into())
            }
            '\\' => self.escaped(),
            '^' | '$' => Err(format!("a {letter} is inside it")),
            '*' | '+' | '?' | '{' => Err(format!("a {letter} has nothing to repeat")),
            _ => Ok(plain(letter)),
        }
    }

    fn escaped(&mut self) -> Result<String, String> {
        let letter = self.peek().ok_or("it ends in a \\")?;
        self.at += 1;
        match letter {
            's' => Ok(" ".into()),
            'b' => {
                self.wider = true;
                Ok(String::new())
            }
            'd' | 'w' | 'S' | 'D' | 'W' => {
                self.wider = true;
                Ok("*".into())
            }
            _ if letter.is_ascii_alphanumeric() => Err(format!("\\{letter} has no counterpart")),
            _ => Ok(plain(letter)),
        }
    }

    fn repeated(&mut self, item: String) -> Result<String, String> {
        let Some(letter @ ('*' | '+' | '?' | '{')) = self.peek() else { return Ok(item) };
        self.at += 1;
        let lazy = letter != '?' && self.take('?');
        let repeated = match (letter, item.as_str()) {
            ('{', _) => return Err("it counts repetitions".into()),
            (_, "*") => item,
            ('?', _) => format!("({item}|)"),
            ('*', " ") => "( |)".into(),
            ('+', " ") => item,
            _ => return Err(format!("it repeats \"{item}\"")),
        };
        if lazy && repeated.is_empty() {
            return Err("it repeats nothing".into());
        }
        Ok(repeated)
    }
}

/// A letter as a pattern has it.
fn plain(letter: char) -> String {
    match letter {
        '*' | '(' | ')' | '|' | '\\' | '{' | '}' | '~' | '^' | '$' => format!("\\{letter}"),
        _ => letter.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_said_is_named() {
        for wrong in ["a(?=b)", "x{3}", "(ab", "ab)", "(ab)+", "\\p{L}", "", ".*", "a^b", "*a"] {
            assert!(pattern_of(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            pattern_of("(:?denied|refused).*blocked").unwrap(),
            ("*((:|)denied|refused)*blocked*".into(), false)
        );
        assert_eq!(pattern_of("a|b c").unwrap().0, "*(a|b c)*");
        assert!(pattern_of("error [0-9]+ x").unwrap().1, "wider");
    }
}
