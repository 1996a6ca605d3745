//! Paths and forms that programs know from other tools: Postfix-Deliverability-Analytics,
//! bouncy-sink, Prometheus.
//!
//! Not here: what has no counterpart in carom, such as restarts by HTTP.

mod agent_envelope;
mod agent_read;
mod agent_record;
mod agent_records;
mod agent_status;
mod metrics;
mod sink_pages;

pub(super) use agent_envelope::{is_of_agent, refused};

use super::http_route::HttpRoute;

/// The tables of all tools.
pub(super) const ROUTES: &[&[HttpRoute]] =
    &[agent_read::ROUTES, agent_status::ROUTES, sink_pages::ROUTES, metrics::ROUTES];
