//! `/api/v1/`: what the commands print, by HTTP.
//!
//! Not here: finding it. Invariant: an object here has the keys that its command prints with
//! `--json`.

pub(super) mod action_routes;
mod delivery_routes;
mod delivery_sheet;
mod document;
mod health_routes;
mod message_routes;
mod rule_routes;
mod statistics_routes;
pub(super) mod store_routes;

pub(super) use store_routes::{counters, minutes};

use super::http_route::HttpRoute;

/// The tables of all parts.
pub(super) const ROUTES: &[&[HttpRoute]] = &[
    document::ROUTES,
    health_routes::ROUTES,
    delivery_routes::ROUTES,
    message_routes::ROUTES,
    statistics_routes::ROUTES,
    store_routes::ROUTES,
    action_routes::ROUTES,
    rule_routes::ROUTES,
];
