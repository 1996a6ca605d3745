//! `carom serve`: what carom knows and what support staff press, by HTTP.
//!
//! Every route is a row of a table: its path, what a caller needs, its parameters, and a function
//! that answers (`http_route`). The tables are in `api`, `compat` and `page`. One function leads
//! from a request to its answer (`answering`), so no route forgets who asks, which parameters
//! there are, or how long it may take. Not here: the command (`cli/serve`), sockets (`listen`), and
//! what the answers say, which the commands say too. Invariants: what a caller may see is part of
//! the view that the function gets; only a POST by a token that may act changes anything.

mod answering;
mod api;
mod audited_action;
mod caller;
mod client_stream;
mod compat;
mod delivery_filters;
mod found_message;
mod gate;
mod http_answer;
mod http_query;
mod http_route;
mod json_body;
mod page;
mod problem;
mod view;
mod serve_desk;
mod web_server;

pub(crate) use web_server::{ServeSetup, run};
