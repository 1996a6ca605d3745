//! The dialect of ini that Python's configparser reads: what bouncy-sink's `consume-mail.ini` is
//! written in.
//!
//! Not here: what the keys mean. Invariant: reading never fails; a line that cannot be read is a
//! note with its number, and every other line keeps its meaning.

use std::collections::BTreeMap;

/// Depth to which `%(name)s` may name values that name others.
const MAX_INTERPOLATION: usize = 10;

/// A value and the line it starts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IniEntry {
    /// As written.
    pub(crate) key: String,
    /// The value, `%%` and `%(name)s` resolved, continuation lines joined by line breaks.
    pub(crate) value: String,
    /// Counted from 1.
    pub(crate) line: usize,
}

/// The keys of a section, by their name in lower case.
pub(crate) type IniSection = BTreeMap<String, IniEntry>;

#[derive(Debug, Default)]
pub(crate) struct Ini {
    /// The sections by their names, whose case matters.
    pub(crate) sections: BTreeMap<String, IniSection>,
    /// What could not be read.
    pub(crate) notes: Vec<String>,
}

pub(crate) fn read(text: &str) -> Ini {
    let mut ini = Ini::default();
    let mut section: Option<String> = None;
    // The key that an indented line continues, and its own indentation.
    let mut open: Option<(String, usize)> = None;
    for (index, raw) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let (line, text) = (index + 1, raw.trim());
        if text.is_empty() || text.starts_with(['#', ';']) {
            continue;
        }
        let indent = raw.len() - raw.trim_start().len();
        if let (Some((key, depth)), Some(name)) = (&open, &section)
            && indent > *depth
        {
            if let Some(entry) = ini.sections.get_mut(name).and_then(|entries| entries.get_mut(key)) {
                entry.value.push('\n');
                entry.value.push_str(text);
            }
            continue;
        }
        if let Some(name) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name)
        {
            ini.sections.entry(name.to_owned()).or_default();
            (section, open) = (Some(name.to_owned()), None);
            continue;
        }
        open = None;
        let Some((key, value)) = text.split_once(['=', ':']).filter(|(key, _)| !key.trim().is_empty()) else {
            ini.notes.push(format!("line {line}: `{text}` is not a key with a value: left out"));
            continue;
        };
        let Some(name) = &section else {
            ini.notes.push(format!("line {line}: `{text}` is before the first section: left out"));
            continue;
        };
        let (key, value) = (key.trim_end(), value.trim_start());
        let folded = key.to_lowercase();
        open = Some((folded.clone(), indent));
        let entry = IniEntry { key: key.to_owned(), value: value.to_owned(), line };
        if let Some(earlier) = ini.sections.entry(name.clone()).or_default().insert(folded, entry) {
            ini.notes
                .push(format!("line {line}: {key} was given in line {} too: this one counts", earlier.line));
        }
    }
    inherit(&mut ini);
    interpolate(&mut ini);
    ini
}

/// `[DEFAULT]` gives every section the keys that it does not have itself.
fn inherit(ini: &mut Ini) {
    let Some(defaults) = ini.sections.remove("DEFAULT") else {
        return;
    };
    for section in ini.sections.values_mut() {
        for (key, entry) in &defaults {
            section.entry(key.clone()).or_insert_with(|| entry.clone());
        }
    }
}

fn interpolate(ini: &mut Ini) {
    for section in ini.sections.values_mut() {
        let raw = section.clone();
        for entry in section.values_mut() {
            match resolved(&entry.value, &raw, 0) {
                Some(value) => entry.value = value,
                None => ini.notes.push(format!(
                    "line {}: {}: `{}` has a % that is neither %% nor a %(name)s that can be resolved: taken as it is",
                    entry.line, entry.key, entry.value
                )),
            }
        }
    }
}

/// The value with `%%` and `%(name)s` resolved; none if that is impossible.
fn resolved(value: &str, section: &IniSection, depth: usize) -> Option<String> {
    let mut whole = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((plain, after)) = rest.split_once('%') {
        whole.push_str(plain);
        if let Some(after) = after.strip_prefix('%') {
            whole.push('%');
            rest = after;
            continue;
        }
        let (name, after) = after.strip_prefix('(')?.split_once(")s")?;
        let named = section.get(&name.to_lowercase()).filter(|_| depth < MAX_INTERPOLATION)?;
        whole.push_str(&resolved(&named.value, section, depth + 1)?);
        if whole.len() > 1 << 20 {
            return None;
        }
        rest = after;
    }
    whole.push_str(rest);
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<'a>(ini: &'a Ini, section: &str, key: &str) -> Option<&'a str> {
        ini.sections.get(section)?.get(key).map(|entry| entry.value.as_str())
    }

    #[test]
    fn configparser_rules() {
        let ini = read(concat!(
            "\u{feff}# comment\r\n[Sink]\r\nOOB_Percent : 0.5\r\n; another\r\nList = a,\r\n    b,\r\n\r\n",
            "  # inside\r\n    c = d\r\nprefix=100%%\r\nfile = %(PREFIX)s/log\r\nempty =\r\n[Other]\r\nkey=[x]; not a comment\r\n",
        ));
        assert_eq!(value(&ini, "Sink", "oob_percent"), Some("0.5"));
        assert_eq!(value(&ini, "Sink", "list"), Some("a,\nb,\nc = d"));
        assert_eq!(value(&ini, "Sink", "file"), Some("100%/log"));
        assert_eq!(value(&ini, "Sink", "empty"), Some(""));
        assert_eq!(value(&ini, "Other", "key"), Some("[x]; not a comment"));
        assert_eq!(ini.notes, Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_read_is_noted_with_its_line() {
        let ini = read("early = 1\n[Sink]\nnonsense\na = 1\nA = 2\nb = 5%\nc = %(c)s\n= x\n");
        let lines: Vec<&str> = ini.notes.iter().filter_map(|note| note.split(':').next()).collect();
        assert_eq!(lines, ["line 1", "line 3", "line 5", "line 8", "line 6", "line 7"]);
        assert_eq!(value(&ini, "Sink", "a"), Some("2"));
        assert_eq!(value(&ini, "Sink", "b"), Some("5%"));
    }

    #[test]
    fn values_that_multiply_are_bounded() {
        let mut text = String::from("[Sink]\nv0 = 0123456789\n");
        for level in 1..40 {
            text += &format!("v{level} = {}\n", format!("%(v{})s", level - 1).repeat(10));
        }
        assert!(read(&text).sections["Sink"].values().all(|entry| entry.value.len() < 2 << 20));
    }
}
