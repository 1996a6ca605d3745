//! THE SERVER: connections are accepted, secured and served until a signal comes.
//!
//! One thread drives all connections; what waits for the disk has threads of its own. Not here:
//! what a request is answered (`answering`). Invariants: connections are bounded, together and of
//! each client; no client holds one by being slow; a stop lets requests in hand end; after a reload
//! no request is answered by an earlier config; nobody beyond this host is served without having to
//! say who asks.

use super::answering::{Secured, router};
use super::client_stream::ClientStream;
use super::serve_desk::ServeDesk;
use crate::clock;
use crate::config::Config;
use crate::error::{Context, Error, Result};
use crate::listen::client_count::ClientCount;
use crate::listen::{Listener, ListeningSocket, Peer, ServerSignals, TlsIdentity, open_files};
use crate::shared::LiveExchange;
use axum::Router;
use axum::http::{HeaderValue, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// Threads that wait for the disk.
const READERS: usize = 8;
/// How soon a signal is noticed.
const SOON: Duration = Duration::from_millis(50);
/// A pause after an error of the system, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// What a server is started with.
pub(crate) struct ServeSetup<'r> {
    pub(crate) config: Arc<Config>,
    /// Reads the config again.
    pub(crate) reread: &'r dyn Fn() -> Result<Arc<Config>>,
    /// No action is carried out, whatever the config says.
    pub(crate) read_only: bool,
    pub(crate) sockets: Vec<ListeningSocket>,
}

/// What all connections share.
struct Shared {
    in_force: Mutex<Arc<InForce>>,
    count: Mutex<ClientCount>,
    stopping: watch::Receiver<bool>,
}

/// What serves with one config.
struct InForce {
    desk: Arc<ServeDesk>,
    router: Router,
    tls: Option<TlsAcceptor>,
    /// With other hosts.
    _exchange: LiveExchange,
}

/// Serves until a signal comes.
pub(crate) fn run(setup: ServeSetup<'_>, signals: &ServerSignals) -> Result<()> {
    let started_ms = clock::now_ms();
    let open = |config| InForce::open(config, &setup, started_ms);
    let in_force = Mutex::new(Arc::new(open(setup.config.clone())?));
    let sockets = &setup.sockets;
    open_files::allow_most();
    let (stop, stopping) = watch::channel(false);
    let shared = Arc::new(Shared { in_force, count: Mutex::default(), stopping });
    let mut builder = Builder::new_current_thread();
    builder.enable_io().enable_time().max_blocking_threads(READERS).thread_name("reader");
    let runtime = builder.build().context("cannot start the server")?;
    runtime.block_on(async {
        let accepting = sockets.iter().map(|socket| accept_from(&shared, socket));
        let accepting: Vec<JoinHandle<()>> = accepting.collect::<Result<_>>()?;
        while !signals.stop.load(Relaxed) {
            if signals.reload.swap(false, Relaxed) {
                shared.renew((setup.reread)().and_then(open));
            }
            sleep(SOON).await;
        }
        let _ = stop.send(true);
        accepting.iter().for_each(JoinHandle::abort);
        let until = Instant::now() + Duration::from_secs(shared.in_force().desk.limits.stop_time.into());
        while shared.count().sessions() > 0 && Instant::now() < until {
            sleep(SOON).await;
        }
        Ok(())
    })?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}

/// Everybody on a network could read the mail of others.
fn refuse_strangers(desk: &ServeDesk, sockets: &[ListeningSocket]) -> Result<()> {
    let mut beyond = sockets.iter().filter_map(ListeningSocket::address);
    let beyond = beyond.find(|address| !address.ip().to_canonical().is_loopback());
    match beyond.filter(|_| desk.gate.is_open()) {
        None => Ok(()),
        Some(address) => Err(Error::new(format_args!(
            "cannot serve on {address}: whoever reaches it could read all mail, because [serve] has no tokens"
        ))
        .remedy("add [[serve.tokens]] (see `carom secret new --token`), or listen on 127.0.0.1")),
    }
}

fn acceptor(desk: &ServeDesk) -> Result<Option<TlsAcceptor>> {
    let (certificate, key) = (desk.limits.certificate.as_deref(), desk.limits.key.as_deref());
    Ok(TlsIdentity::load(certificate, key)?.map(|tls| tls.current()).map(TlsAcceptor::from))
}

impl InForce {
    fn open(config: Arc<Config>, setup: &ServeSetup<'_>, started_ms: i64) -> Result<InForce> {
        let desk = Arc::new(ServeDesk::new(config, setup.read_only, started_ms)?);
        refuse_strangers(&desk, &setup.sockets)?;
        let tls = acceptor(&desk)?;
        desk.migrate();
        let _exchange = LiveExchange::begin(&desk.config)?;
        Ok(InForce { router: router(&desk), desk, tls, _exchange })
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(self.desk.limits.request_time.into())
    }
}

impl Shared {
    /// Requests from now on are answered with what the config says now, on open connections too.
    fn renew(&self, opened: Result<InForce>) {
        match opened {
            Ok(in_force) => {
                *self.in_force.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(in_force);
                tracing::info!("serving with the config and the certificate that there are now");
            }
            Err(error) => tracing::error!(%error, "going on with the config that was read before"),
        }
    }

    fn in_force(&self) -> Arc<InForce> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self) -> MutexGuard<'_, ClientCount> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection under way: one of the number that there may be.
struct Place {
    shared: Arc<Shared>,
    peer: Peer,
    is_secured: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.count().leave(self.peer);
    }
}

fn admit(shared: &Arc<Shared>, peer: Peer) -> Option<Place> {
    let in_force = shared.in_force();
    let limits = &in_force.desk.limits;
    let is_in = shared.count().admit(peer, limits.connections, limits.connections_per_client);
    is_in.then(|| Place { shared: shared.clone(), peer, is_secured: false })
}

/// Accepts in a task of its own.
fn accept_from(shared: &Arc<Shared>, socket: &ListeningSocket) -> Result<JoinHandle<()>> {
    const CANNOT: &str = "cannot wait for connections";
    let shared = shared.clone();
    Ok(match socket.listener().context(CANNOT)? {
        Listener::Tcp(listener) => {
            let listener = TcpListener::from_std(listener).context(CANNOT)?;
            tokio::spawn(async move {
                loop {
                    match listener.accept().await {
                        Ok((stream, from)) => begin(&shared, stream, from),
                        Err(error) => rest(&error).await,
                    }
                }
            })
        }
        // Who can open the socket is on this host: a proxy, which has the certificate.
        Listener::Unix(listener) => {
            let listener = UnixListener::from_std(listener).context(CANNOT)?;
            tokio::spawn(async move {
                loop {
                    match listener.accept().await {
                        Ok((stream, _)) => {
                            admit(&shared, Peer::Local).map(|place| tokio::spawn(serve(place, stream)));
                        }
                        Err(error) => rest(&error).await,
                    }
                }
            })
        }
    })
}

async fn rest(error: &std::io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    sleep(PAUSE).await;
}

/// Serves a connection beside the others; one too many is closed.
fn begin(shared: &Arc<Shared>, stream: TcpStream, from: SocketAddr) {
    let Some(place) = admit(shared, Peer::Address(from.ip().to_canonical())) else { return };
    let _ = stream.set_nodelay(true);
    match shared.in_force().tls.clone() {
        Some(tls) => drop(tokio::spawn(secured(place, stream, tls))),
        None => drop(tokio::spawn(serve(place, stream))),
    }
}

async fn secured(mut place: Place, stream: TcpStream, tls: TlsAcceptor) {
    if let Ok(Ok(stream)) = timeout(place.shared.in_force().limit(), tls.accept(stream)).await {
        place.is_secured = true;
        serve(place, stream).await;
    }
}

async fn serve(place: Place, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let (shared, peer) = (&place.shared, place.peer);
    let (most, header_size, limit) = {
        let in_force = shared.in_force();
        (in_force.desk.limits.requests, in_force.desk.limits.header_size, in_force.limit())
    };
    let requests = AtomicU64::new(0);
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        if place.is_secured {
            request.extensions_mut().insert(Secured);
        }
        let is_last = requests.fetch_add(1, Relaxed) + 1 >= most;
        let answered = TowerToHyperService::new(shared.in_force().router.clone()).call(request);
        async move {
            let mut response = answered.await?;
            if is_last {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limit).max_buf_size(header_size);
    let stream = TokioIo::new(ClientStream::new(stream, limit));
    let mut connection = pin!(http.serve_connection(stream, service));
    let mut stopping = shared.stopping.clone();
    let mut stopped = pin!(stopping.changed());
    let mut is_asked = false;
    let served = poll_fn(|context| {
        if !is_asked && stopped.as_mut().poll(context).is_ready() {
            is_asked = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(context)
    });
    if let Err(error) = served.await {
        tracing::debug!(%error, ?peer, "a connection ended");
    }
}
