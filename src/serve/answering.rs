//! FROM A REQUEST TO ITS ANSWER: who asks, what is asked, in how much time, and what comes back.
//!
//! Not here: connections (`web_server`), and what each route answers. Invariants: a function runs
//! in a thread that may wait for the disk, with a view of what its caller may see; whatever goes
//! wrong is a problem document.

use super::http_answer::{HttpAnswer, wants_page};
use super::http_query::{HttpQuery, badly_written};
use super::http_route::{Face, HttpAsked, HttpRoute, Need};
use super::problem::Problem;
use super::serve_desk::ServeDesk;
use super::view::View;
use super::{api, caller::Caller, compat, gate, page};
use crate::index::Interrupter;
use crate::listen::Peer;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::http::{HeaderMap, Response, StatusCode, Uri, Version, header};
use axum::routing::{MethodFilter, on};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The variable parts of a path, unless they cannot be decoded.
type PathParts = Result<RawPathParams, RawPathParamsRejection>;

/// A mark of requests that came through TLS.
#[derive(Clone, Copy)]
pub(super) struct Secured;

/// Every route.
pub(crate) fn routes() -> impl Iterator<Item = &'static HttpRoute> {
    api::ROUTES.iter().chain(compat::ROUTES).copied().flatten().chain(page::ROUTES)
}

pub(super) fn router(desk: &Arc<ServeDesk>) -> Router {
    let mut router = Router::new();
    for route in routes() {
        let desk = desk.clone();
        let handler = move |parts: PathParts, request: Request| answer(desk, route, parts, request);
        let filter = if route.is_post() { MethodFilter::POST } else { MethodFilter::GET };
        router = router.route(route.path, on(filter, handler));
    }
    let other_method = |request: Request| async move {
        let detail = format!("{} is not possible here", request.method());
        let fix = "read with GET; actions are POST";
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail, fix);
        without_route(problem, &request)
    };
    let nowhere = |request: Request| async move {
        let detail = format!("there is nothing at {}", request.uri().path());
        without_route(Problem::not_found(detail), &request)
    };
    router.method_not_allowed_fallback(other_method).fallback(nowhere)
}

/// The answer where no route is: in the form that whoever asks reads.
fn without_route(problem: Problem, request: &Request) -> Response<Body> {
    let (path, asked) = (request.uri().path(), request.headers());
    let is_browser = !path.starts_with("/api/") && wants_page(asked);
    let face = match compat::is_of_agent(path) {
        true => Face::Agent,
        false if is_browser => Face::Person,
        false => Face::Program,
    };
    let problem = match face {
        Face::Person => problem.with_fix("look for it from the overview"),
        _ => problem,
    };
    refused(problem, face, request.uri(), asked).into_response(asked)
}

/// What went wrong, in the form of a route's answers.
fn refused(problem: Problem, face: Face, wanted: &Uri, asked: &HeaderMap) -> HttpAnswer {
    match face {
        Face::Program => problem.answer(),
        Face::Agent => compat::refused(problem, asked),
        Face::Person | Face::Form => page::refused(&problem, wanted, asked),
    }
}

async fn answer(
    desk: Arc<ServeDesk>,
    route: &'static HttpRoute,
    parts: PathParts,
    request: Request,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let (asked, uri) = (head.headers.clone(), head.uri.clone());
    let peer = head.extensions.get::<Peer>().copied().unwrap_or(Peer::Local);
    let is_secured = head.extensions.get::<Secured>().is_some();
    let answered = async {
        has_one_host(head.version, &head.headers)?;
        let caller = admit(&desk, route, &head.headers, peer)?;
        let parts = parts.map_err(|_| badly_written())?;
        let parts = parts.iter().map(|(_, value)| value.to_owned()).collect();
        let is_form = !route.path.starts_with("/api/");
        let query = HttpQuery::read(head.uri.query().unwrap_or_default(), &route.parameters(), is_form)?;
        let body = whole_body(body, &desk).await?;
        let headers = head.headers;
        in_time(Job { desk, route, caller, query, headers, body, peer, is_secured, parts }).await
    };
    let answered = answered.await.unwrap_or_else(|problem| refused(problem, route.face, &uri, &asked));
    answered.into_response(&asked)
}

/// Has the request answered by a thread that may wait.
async fn in_time(job: Job) -> Result<HttpAnswer, Problem> {
    // An action that has begun is waited for: its caller hears what it did.
    let parts = if job.route.acts() { 100 } else { 1 };
    let time = Duration::from_secs(job.desk.limits.request_time.into()) * parts;
    let reading = Reading::default();
    let begun = reading.clone();
    match tokio::time::timeout(time, tokio::task::spawn_blocking(move || job.work(&begun))).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(_)) => {
            let (detail, fix) = ("carom failed on this request", "please report it, with carom's log");
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", detail, fix))
        }
        Err(_) => {
            if let Some(interrupter) = &*reading.lock().unwrap_or_else(PoisonError::into_inner) {
                interrupter.interrupt();
            }
            let fix = "ask for less: a shorter period, or an address";
            let detail = "the answer took too long";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-slow", detail, fix))
        }
    }
}

/// RFC 9112, 3.2: what has none or two means one host to a proxy, and another one here.
fn has_one_host(version: Version, asked: &HeaderMap) -> Result<(), Problem> {
    let hosts = asked.get_all(header::HOST).iter().count();
    if hosts == 1 || hosts == 0 && version < Version::HTTP_11 {
        return Ok(());
    }
    let detail = format!("the request has {hosts} header fields Host");
    Err(Problem::new(StatusCode::BAD_REQUEST, "bad-request", detail, "send one"))
}

fn admit(desk: &ServeDesk, route: &HttpRoute, asked: &HeaderMap, peer: Peer) -> Result<Caller, Problem> {
    if route.need == Need::Nothing {
        return Ok(Caller::anybody());
    }
    if route.acts() && desk.read_only {
        let fix = "start carom serve without --read-only, and without read_only in [serve]";
        let detail = "this server only reads";
        return Err(Problem::new(StatusCode::FORBIDDEN, "read-only", detail, fix));
    }
    let caller = desk.gate.admit(asked, peer)?;
    if route.acts() {
        gate::may_act(&caller, asked)?;
    }
    Ok(caller)
}

async fn whole_body(body: Body, desk: &ServeDesk) -> Result<Bytes, Problem> {
    let time = Duration::from_secs(desk.limits.request_time.into());
    match tokio::time::timeout(time, to_bytes(body, desk.limits.body_size)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            format!("the body is larger than {} bytes, or was cut off", desk.limits.body_size),
            "send less in one request",
        )),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "too-late",
            "the body did not come in time",
            "send the request again",
        )),
    }
}

/// What ends the question that a thread is at.
type Reading = Arc<Mutex<Option<Interrupter>>>;

/// A request whose caller is known.
struct Job {
    desk: Arc<ServeDesk>,
    route: &'static HttpRoute,
    caller: Caller,
    query: HttpQuery,
    headers: HeaderMap,
    body: Bytes,
    peer: Peer,
    is_secured: bool,
    parts: Vec<String>,
}

impl Job {
    fn work(self, reading: &Reading) -> Result<HttpAnswer, Problem> {
        let Job { desk, route, caller, query, headers, body, peer, is_secured, parts } = &self;
        let files = desk.readers.take()?;
        let note = |interrupter| *reading.lock().unwrap_or_else(PoisonError::into_inner) = interrupter;
        note(files.interrupter());
        let view = &View::new(&files, &caller.seen);
        if matches!(route.need, Need::AllMail | Need::Act) {
            view.whole()?;
        }
        let (peer, is_secured) = (*peer, *is_secured);
        let answered =
            (route.answers)(&HttpAsked { desk, caller, view, query, headers, body, peer, is_secured, parts });
        note(None);
        desk.readers.give_back(files);
        answered
    }
}
