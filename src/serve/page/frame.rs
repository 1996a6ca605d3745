//! What every view of the page has around it: the head, the ways to the other views, the search,
//! and whose time is shown.
//!
//! Not here: views. Invariant: nothing in it comes from elsewhere, and nothing runs but the one
//! script.

use super::page_reader::PageReader;
use super::style;
use crate::clock;
use crate::stats::render::html::markup::Html;

/// Characters of a name or an address that are shown.
pub(crate) const LONGEST: usize = 200;

/// A view: where it is, its name, and whether it is about all mail.
pub(crate) struct ViewLink {
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
    pub(crate) is_about_all: bool,
}

const fn of(path: &'static str, name: &'static str, is_about_all: bool) -> ViewLink {
    ViewLink { path, name, is_about_all }
}

pub(crate) const VIEWS: [ViewLink; 9] = [
    of("/", "Overview", false),
    of("/deliveries", "Deliveries", false),
    of("/providers", "Providers", false),
    of("/queue", "Queue", false),
    of("/suppressions", "Suppressions", false),
    of("/outbox", "Outbox", true),
    of("/unknown", "Unknown texts", true),
    of("/alerts", "Alerts", true),
    of("/policy", "Policy", true),
];

/// What the frame of a view says.
pub(crate) struct Frame<'a> {
    pub(crate) title: &'a str,
    /// The path of the view that this one belongs to.
    pub(crate) path: &'a str,
    /// Seconds after which a view that shows the present is fetched again.
    pub(crate) fresh_for: Option<u32>,
    pub(crate) reader: &'a PageReader,
}

impl Frame<'_> {
    pub(crate) fn begin(&self) -> Html {
        let mut to = Html::default();
        head(&mut to, self.title);
        to.raw("<body>\n<a class=skip href=\"#main\">Skip to the content</a>\n<header class=top><div>");
        to.raw("<a class=brand href=\"/\">carom</a>\n<nav aria-label=Views><ul>");
        for view in VIEWS.iter().filter(|view| self.reader.is_whole || !view.is_about_all) {
            to.raw("<li>");
            match view.path == self.path {
                true => to.tag("a", &[("href", &view.path), ("aria-current", &"page")]),
                false => to.tag("a", &[("href", &view.path)]),
            };
            to.raw(view.name).raw("</a>");
        }
        to.raw("</ul></nav>\n<form role=search action=\"/search\"><label class=sr for=q>Address, ");
        to.raw("Message-ID or queue id</label>");
        to.raw("<input id=q name=q type=search required maxlength=998 autocomplete=off spellcheck=false ");
        to.raw("placeholder=\"Address or id\"><button>Find</button></form>");
        to.raw("</div></header>\n<main id=main tabindex=-1>\n");
        if let Some(at_ms) = self.reader.overdue_since {
            to.raw("<p class=unreadable>The logs were last read at ");
            self.reader.time(&mut to, at_ms);
            to.raw(match self.reader.is_whole {
                true => {
                    ": let <code>carom cron</code> run each minute. <code>carom check</code> says more.</p>\n"
                }
                false => ", so newer mail is not shown yet.</p>\n",
            });
        }
        to
    }

    pub(crate) fn end(&self, mut to: Html) -> String {
        if self.reader.may_act {
            to.raw("<noscript><p class=unreadable>Buttons need the script of this page.</p></noscript>\n");
        }
        to.raw("</main>\n<footer class=bottom><div>");
        self.zones(&mut to);
        if let Some(seconds) = self.fresh_for {
            to.raw("<p class=live hidden><label>");
            let at = self.reader.clock(clock::now_ms(), "%H:%M:%S");
            to.tag(
                "input",
                &[("type", &"checkbox"), ("id", &"live"), ("data-every", &seconds), ("data-at", &at)],
            );
            to.raw(" Refresh every ").text(seconds).raw(" s</label></p>");
        }
        self.name(&mut to);
        to.raw("<p>carom ").raw(env!("CARGO_PKG_VERSION")).raw("</p></div></footer>\n");
        to.raw("<p id=said class=said role=status></p>\n</body>\n</html>\n");
        to.finish()
    }

    /// Whose time is shown, and the other choices.
    fn zones(&self, to: &mut Html) {
        let reader = self.reader;
        to.raw("<p>Times: <b>").text(&reader.zone_name).raw("</b>");
        for zone in reader.other_zones() {
            to.raw(" · ");
            to.tag("a", &[("href", &reader.zone_address(&zone))]).text(zone).raw("</a>");
        }
        to.tag("span", &[("id", &"own-zone"), ("data-back", &reader.address)]).raw("</span></p>");
    }

    fn name(&self, to: &mut Html) {
        let Some(name) = &self.reader.name else { return };
        to.raw("<form method=post action=\"/sign-out\"><p>").foreign(name, LONGEST);
        to.raw(if self.reader.may_act { "" } else { ", who reads" });
        if self.reader.signed_in {
            to.raw(" <button class=quiet>Sign out</button>");
        }
        to.raw("</p></form>");
    }
}

pub(crate) fn head(to: &mut Html, title: &str) {
    to.raw("<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n");
    to.raw("<meta name=viewport content=\"width=device-width, initial-scale=1\">\n");
    to.raw("<meta name=color-scheme content=\"light dark\">\n<meta name=robots content=noindex>\n");
    to.raw("<meta name=description content=\"What became of our mail\">\n");
    to.raw("<title>").foreign(title, LONGEST).raw(" – carom</title>\n");
    to.tag("link", &[("rel", &"icon"), ("href", &style::ICON)]).raw("\n");
    to.tag("link", &[("rel", &"stylesheet"), ("href", &style::SHEET)]).raw("\n");
    to.tag("script", &[("src", &style::SCRIPT), ("defer", &"defer")]).raw("</script>\n</head>\n");
}
