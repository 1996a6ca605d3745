//! What a reader sees of HTML, as lines of text.
//!
//! Not here: links (`message::links`). Invariant: one pass, whatever the HTML is.

/// Elements that end a line.
const BLOCKS: [&str; 17] = [
    "br", "p", "/p", "div", "/div", "tr", "/tr", "li", "/li", "table", "/table", "h1", "h2", "h3", "hr",
    "pre", "/td",
];

/// Roughly what a reader sees of HTML: no tags, styles or scripts. An address in angle brackets is
/// text.
pub(crate) fn shown(html: &str) -> String {
    let mut text = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&', '\n', '\r']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        match rest.as_bytes()[0] {
            b'<' => rest = after_tag(rest, &mut text),
            b'&' => rest = after_entity(rest, &mut text),
            _ => {
                text.push(' ');
                rest = &rest[1..];
            }
        }
    }
    text.push_str(rest);
    text
}

/// Skips a tag, with all of a style or script. A `<` that does not start a tag is text.
fn after_tag<'a>(html: &'a str, text: &mut String) -> &'a str {
    let inner = &html[1..];
    if let Some(comment) = inner.strip_prefix("!--") {
        return comment.find("-->").map_or("", |end| &comment[end + 3..]);
    }
    let end = inner.find(['>', '<']).filter(|&end| inner.as_bytes()[end] == b'>');
    let Some(end) = end else {
        text.push('<');
        return inner;
    };
    let (tag, rest) = (&inner[..end], &inner[end + 1..]);
    let name: String = tag.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '/').take(12).collect();
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix('/').unwrap_or(&name);
    if tag.contains('@') && !tag.contains([' ', '=']) {
        text.push_str(&html[..end + 2]);
    } else if matches!(name, "style" | "script" | "title") {
        let close = format!("</{name}");
        let found = rest
            .as_bytes()
            .windows(close.len())
            .position(|bytes| bytes.eq_ignore_ascii_case(close.as_bytes()));
        return found.map_or("", |at| &rest[at..]);
    } else if BLOCKS.contains(&name) {
        text.push('\n');
    }
    rest
}

/// Writes the character of an entity.
fn after_entity<'a>(html: &'a str, text: &mut String) -> &'a str {
    let end = html.bytes().take(10).position(|byte| byte == b';');
    let known = end.and_then(|end| Some((end, entity(&html[1..end])?)));
    match known {
        Some((end, c)) => {
            text.push(c);
            &html[end + 1..]
        }
        None => {
            text.push('&');
            &html[1..]
        }
    }
}

/// The names of the letters from U+00C0 on.
const LATIN: [&str; 64] = [
    "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig", "Ccedil", "Egrave", "Eacute", "Ecirc",
    "Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve", "Oacute", "Ocirc", "Otilde",
    "Ouml", "times", "Oslash", "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute", "THORN", "szlig", "agrave",
    "aacute", "acirc", "atilde", "auml", "aring", "aelig", "ccedil", "egrave", "eacute", "ecirc", "euml",
    "igrave", "iacute", "icirc", "iuml", "eth", "ntilde", "ograve", "oacute", "ocirc", "otilde", "ouml",
    "divide", "oslash", "ugrave", "uacute", "ucirc", "uuml", "yacute", "thorn", "yuml",
];

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "ndash" => '–',
        "mdash" => '—',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        "bdquo" => '„',
        "hellip" => '…',
        "bull" => '•',
        _ => {
            if let Some(at) = LATIN.iter().position(|known| *known == name) {
                return char::from_u32(0xc0 + at as u32);
            }
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_read_as_it_is_shown() {
        let html = "<style>p {}</style><p>A &lt;a@x.example&gt;<br>B<b>C</b>&nbsp;&#228;&uuml;&bogus;</p><a@y.example>\nx < y";
        assert_eq!(shown(html), "\nA <a@x.example>\nBC äü&bogus;\n<a@y.example> x < y");
    }

    #[test]
    fn hostile_html_takes_linear_time() {
        for hostile in ["<", "<style>", "&", "&#", "<a@", "<!--", "</", "<script x"] {
            shown(&hostile.repeat(200_000));
        }
    }
}
