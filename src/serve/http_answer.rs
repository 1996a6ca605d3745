//! An answer: status, form, body. Tagged, so that a client that has it need not get it again, and
//! compressed, if the client can read that.
//!
//! Invariant: no answer is stored by a proxy, framed by another site, or taken for another form.

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use std::io::Write;

use crate::digest;

/// Smaller bodies do not get smaller.
const WORTH_IT: usize = 1024;
/// Header fields of an answer that says nothing else.
const UNLESS_SAID: &[(&str, &str)] = &[
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
];
/// Hexadecimal digits of a tag.
const DIGITS: usize = 24;

#[derive(Clone, Debug)]
pub(crate) struct HttpAnswer {
    pub(crate) status: StatusCode,
    /// The media type.
    pub(crate) kind: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) fields: Vec<(&'static str, String)>,
}

impl HttpAnswer {
    pub(crate) fn of(kind: &'static str, body: impl Into<Vec<u8>>) -> HttpAnswer {
        HttpAnswer { status: StatusCode::OK, kind, body: body.into(), fields: Vec::new() }
    }

    pub(crate) fn json(value: &impl Serialize) -> HttpAnswer {
        // Every value here is made of texts and numbers, so it has a form as JSON.
        let mut body = serde_json::to_vec(value).unwrap_or_default();
        body.push(b'\n');
        HttpAnswer::of("application/json", body)
    }

    pub(crate) fn with(mut self, field: &'static str, value: impl ToString) -> HttpAnswer {
        self.fields.push((field, value.to_string()));
        self
    }

    /// The answer as it is sent to a client that sent these header fields.
    pub(crate) fn into_response(mut self, asked: &HeaderMap) -> Response<Body> {
        let mut response = Response::builder();
        let is_good = self.status == StatusCode::OK;
        if is_good {
            let tag = format!("W/\"{}\"", digest::sha256_hex(&[&self.body], DIGITS));
            if has_tag(asked, &tag) {
                self.status = StatusCode::NOT_MODIFIED;
                self.body.clear();
            }
            response = response.header(header::ETAG, tag);
        }
        if self.body.len() >= WORTH_IT && takes_gzip(asked) {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            if let Ok(packed) = packed.write_all(&self.body).and_then(|()| packed.finish()) {
                self.body = packed;
                response = response.header(header::CONTENT_ENCODING, "gzip");
            }
        }
        response = response
            .status(self.status)
            .header(header::CACHE_CONTROL, "private, no-cache")
            .header(header::VARY, "Accept, Accept-Encoding, Authorization, Cookie")
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        if self.status != StatusCode::NOT_MODIFIED {
            response = response.header(header::CONTENT_TYPE, self.kind);
        }
        for (field, usual) in UNLESS_SAID {
            if !self.fields.iter().any(|(name, _)| name == field) {
                response = response.header(*field, *usual);
            }
        }
        for (name, value) in self.fields {
            response = response.header(name, value);
        }
        response.body(Body::from(self.body)).unwrap_or_else(|_| {
            let mut failed = Response::new(Body::empty());
            *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            failed
        })
    }
}

/// The members of a list in header fields.
fn members(asked: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let values = asked.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Whether the client is a browser that shows a page.
pub(crate) fn wants_page(asked: &HeaderMap) -> bool {
    let forms = members(asked, header::ACCEPT).map(|one| one.split(';').next().unwrap_or_default().trim());
    forms.into_iter().any(|form| form.eq_ignore_ascii_case("text/html"))
}

fn has_tag(asked: &HeaderMap, tag: &str) -> bool {
    let bare = |tag: &str| tag.trim_start_matches("W/").to_owned();
    members(asked, header::IF_NONE_MATCH).any(|one| one == "*" || bare(one) == bare(tag))
}

fn takes_gzip(asked: &HeaderMap) -> bool {
    members(asked, header::ACCEPT_ENCODING).any(|one| {
        let (coding, weight) = one.split_once(';').unwrap_or((one, ""));
        let weight = weight.trim().strip_prefix("q=").map(|weight| weight.trim().parse::<f32>());
        let is_wanted = !matches!(weight, Some(Ok(0.0) | Err(_)));
        is_wanted && (coding.trim().eq_ignore_ascii_case("gzip") || coding.trim() == "*")
    })
}
