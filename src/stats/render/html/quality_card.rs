//! How far the figures can be trusted: lines and replies that carom does not know, and what is
//! missing in the newest deliveries.
//!
//! Not here: how that is found (`crate::index`).

use super::figure_lists::Lists;
use super::markup::{Html, card};
use crate::index::DeliveryQuality;
use crate::stats::Figures;
use crate::stats::render::wording::{number, share};

pub(crate) fn quality(to: &mut Html, figures: &Figures, newest: &DeliveryQuality, lists: &Lists) {
    let lines = &figures.lines;
    let all = lines.parsed.saturating_add(lines.ignored).saturating_add(lines.unknown);
    card(to, "quality", "Quality");
    to.raw("<p>").text(number(lines.parsed)).raw(" lines of logs parsed, ").text(number(lines.ignored));
    to.raw(" ignored, ").text(number(lines.unknown)).raw(" not understood (");
    to.text(share(lines.unknown, all)).raw("). ").text(number(figures.unclassified)).raw(" replies that ");
    lists.place(to, "no rule knows", "/unknown");
    let DeliveryQuality { deliveries, without_sender, without_message_id } = *newest;
    to.raw(".</p><p>Of the newest ").text(number(deliveries)).raw(" deliveries, the lines of ");
    to.text(share(deliveries.saturating_sub(without_sender), deliveries));
    to.raw(" came together; ").text(number(without_sender)).raw(" have no sender, ");
    to.text(number(without_message_id)).raw(" no Message-ID.</p>");
    to.raw("</section>\n");
}
