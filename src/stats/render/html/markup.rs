//! HTML and SVG as they are written: tags, attributes and text.
//!
//! Not here: what a page holds. Invariant: only literals of carom's own sources are markup. Values
//! of attributes and text are escaped, wherever they come from.

use super::super::wording::clean;
use std::fmt::Display;

/// Characters of a value that carom words itself.
const UNBOUNDED: usize = usize::MAX - 1;

/// Names are carom's, values may be anybody's.
pub(crate) type Attributes<'a> = &'a [(&'static str, &'a dyn Display)];

#[derive(Default)]
pub(crate) struct Html(String);

impl Html {
    pub(crate) fn finish(self) -> String {
        self.0
    }

    /// Markup.
    pub(crate) fn raw(&mut self, markup: &'static str) -> &mut Html {
        self.0.push_str(markup);
        self
    }

    /// A number, a date or words of carom.
    pub(crate) fn text(&mut self, text: impl Display) -> &mut Html {
        self.escaped(&text.to_string(), UNBOUNDED)
    }

    /// At most `most` characters of text from mail.
    pub(crate) fn foreign(&mut self, text: &str, most: usize) -> &mut Html {
        self.escaped(text, most)
    }

    /// A start tag.
    pub(crate) fn tag(&mut self, name: &'static str, attributes: Attributes<'_>) -> &mut Html {
        self.opened(name, attributes).raw(">")
    }

    /// An SVG element without content.
    pub(crate) fn shape(&mut self, name: &'static str, attributes: Attributes<'_>) -> &mut Html {
        self.opened(name, attributes).raw(" />")
    }

    fn opened(&mut self, name: &'static str, attributes: Attributes<'_>) -> &mut Html {
        self.raw("<").raw(name);
        for (name, value) in attributes {
            let value = value.to_string();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '%' | '-' | '_');
            self.raw(" ").raw(name);
            match !value.is_empty() && value.chars().all(is_plain) {
                true => self.raw("=").text(value),
                false => self.raw("=\"").text(value).raw("\""),
            };
        }
        self
    }

    fn escaped(&mut self, text: &str, most: usize) -> &mut Html {
        for c in clean(text, most).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
        self
    }
}

/// The beginning of a part with a head.
pub(crate) fn card(to: &mut Html, id: &'static str, head: &'static str) {
    to.tag("section", &[("class", &"card"), ("aria-labelledby", &id)]);
    to.tag("h2", &[("id", &id)]).raw(head).raw("</h2>\n");
}

/// The beginning of a box that a wide table can be moved in.
pub(crate) fn scroll(to: &mut Html, id: &'static str) {
    to.tag("div", &[("class", &"scroll"), ("tabindex", &0), ("role", &"group"), ("aria-labelledby", &id)]);
}

/// A share of the width: `12.34%`.
pub(crate) fn percent(share: f64) -> String {
    format!("{share:.2}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_values_are_never_markup() {
        let mut html = Html::default();
        html.tag("p", &[("class", &"a"), ("title", &"\"><script>"), ("id", &"")]).foreign("<b>&'\n…", 6);
        assert_eq!(
            html.finish(),
            "<p class=a title=\"&quot;&gt;&lt;script&gt;\" id=\"\">&lt;b&gt;&amp;&#39;…"
        );
    }
}
