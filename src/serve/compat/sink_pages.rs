//! bouncy-sink's two documents, for its dashboards.

use super::super::api::{counters, minutes};
use super::super::http_route::{HttpRoute, Need};

pub(super) const ROUTES: &[HttpRoute] = &[
    HttpRoute::new("/json", Need::AllMail, &[], counters),
    HttpRoute::new("/json/ts-messages", Need::AllMail, &[], minutes),
];
