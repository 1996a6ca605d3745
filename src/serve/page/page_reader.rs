//! Who reads the page: what may be seen and pressed, and in which zone times are shown.
//!
//! Not here: who may ask at all (`gate`). Invariant: a zone that is not known is UTC.

use crate::clock;
use crate::serve::gate;
use crate::serve::http_route::HttpAsked;
use crate::stats::render::html::markup::Html;
use axum::http::HeaderMap;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use url::form_urlencoded::Serializer;

/// The cookie of the zone that was chosen.
const ZONE: &str = "carom_zone";
/// The name of the server's own zone, where it has no other.
const SERVER: &str = "server";
/// Seconds that a choice is kept.
const KEPT: u32 = 365 * 86_400;

#[derive(Clone)]
pub(crate) struct PageReader {
    /// `None`: the server asks for no token.
    pub(crate) name: Option<String>,
    /// Buttons are shown.
    pub(crate) may_act: bool,
    /// All mail may be seen.
    pub(crate) is_whole: bool,
    /// By the form of the page, and not by the browser.
    pub(crate) signed_in: bool,
    /// What is shown is not the present: no tick has read the logs since.
    pub(crate) overdue_since: Option<i64>,
    pub(crate) zone: TimeZone,
    pub(crate) zone_name: String,
    /// Of this view, with its parameters.
    pub(crate) address: String,
}

impl PageReader {
    pub(super) fn of(asked: &HttpAsked<'_>, path: &str) -> PageReader {
        let chosen = cookie(asked.headers, ZONE).filter(|name| !name.is_empty());
        let known = chosen.and_then(|name| Some((zone(name)?, name.to_owned())));
        let (zone, zone_name) = known.unwrap_or_else(|| (TimeZone::UTC, "UTC".into()));
        let written = asked.query.written();
        let address = if written.is_empty() { path.to_owned() } else { format!("{path}?{written}") };
        PageReader {
            name: (!asked.desk.gate.is_open()).then(|| asked.caller.name.clone()),
            may_act: asked.caller.may_act && !asked.desk.read_only,
            is_whole: asked.view.is_whole(),
            signed_in: cookie(asked.headers, gate::COOKIE).is_some(),
            // The view that reads a store says that it cannot be read.
            overdue_since: asked.view.overdue_since().ok().flatten(),
            zone,
            zone_name,
            address,
        }
    }

    /// The same reader, who only reads.
    pub(crate) fn without_buttons(&self) -> PageReader {
        PageReader { may_act: false, ..self.clone() }
    }

    /// A time on the reader's clock, in the form that strftime knows.
    pub(crate) fn clock(&self, at_ms: i64, form: &str) -> String {
        at(at_ms).to_zoned(self.zone.clone()).strftime(form).to_string()
    }

    /// The same as people read it and as programs do.
    pub(crate) fn time(&self, to: &mut Html, at_ms: i64) {
        to.tag("time", &[("datetime", &clock::rfc3339(at_ms))]);
        to.text(self.clock(at_ms, "%Y-%m-%d %H:%M:%S")).raw("</time>");
    }

    pub(crate) fn other_zones(&self) -> Vec<String> {
        let zones = ["UTC", SERVER].into_iter();
        zones.filter(|name| *name != self.zone_name).map(str::to_owned).collect()
    }

    /// Where a zone is chosen, to come back here.
    pub(crate) fn zone_address(&self, zone: &str) -> String {
        let mut query = Serializer::for_suffix(String::from("/zone?"), 6);
        query.append_pair("zone", zone).append_pair("back", &self.address);
        query.finish()
    }
}

fn at(at_ms: i64) -> Timestamp {
    Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A zone by its name.
fn zone(name: &str) -> Option<TimeZone> {
    let is_name = name.bytes().all(|c| c.is_ascii_alphanumeric() || b"/_+-".contains(&c));
    match name {
        SERVER => Some(clock::local_zone()),
        name if is_name => clock::zone(name),
        _ => None,
    }
}

/// The cookie that keeps a choice; `None`: it is not a zone.
pub(super) fn zone_cookie(name: &str) -> Option<String> {
    zone(name)?;
    Some(format!("{ZONE}={name}; Path=/; Max-Age={KEPT}; SameSite=Strict; HttpOnly"))
}

/// The value of a cookie.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    gate::cookies(headers).find(|(one, _)| *one == name).map(|(_, value)| value)
}
