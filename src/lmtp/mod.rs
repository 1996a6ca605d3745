//! `carom lmtp`: messages that clients hand in by LMTP (RFC 2033) or SMTP, over many sessions.
//!
//! Not here: connections and threads (`listen`), and the road of a message (`deliver`). Invariants:
//! 250 is said when the message is durable; what a client says about its own client is believed
//! only if the operator trusts it; hostile clients cost bounded time and memory.

mod answer_slot;
mod chaos;
mod client_line;
mod client_session;
mod client_shares;
pub(crate) mod conversation;
mod delivery_desk;
mod desk_queue;
mod dot_reader;
mod loop_bell;
mod message_room;
mod recipient_desk;
mod sending_pace;
mod session_counts;
mod session_loop;
mod session_means;
mod spoken_reply;
mod mail_transaction;
mod verbs;
mod written_text;

use crate::clock;
use crate::config::{ChaosMoment, Config, LmtpTable};
use crate::error::{Context, Result};
use crate::house::House;
use crate::intake::unanswered_slots::UnansweredSlots;
use crate::listen::{self, ClientConnection, Doorway, Peer, ServerSignals, Service, SessionLimits};
use crate::listen::{SessionThreads, Succession, TlsIdentity, open_files};
use crate::memory;
use chaos::Chaos;
use client_line::ClientLine;
use client_session::ClientSession;
use client_shares::ClientShares;
use conversation::{ConnectedClient, Conversation, ConversationRules, Dialect};
use delivery_desk::DeliveryDesk;
use recipient_desk::RecipientDesk;
use session_counts::SessionCounts;
use session_loop::SessionLoop;
use session_means::{SessionMeans, SessionTimes};
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

/// What serves clients, with one config.
pub(crate) struct LmtpServer {
    house: House,
    dialect: Dialect,
    tls: Option<TlsIdentity>,
    /// Shared with the server before: what it has not answered comes again.
    unanswered: Arc<UnansweredSlots>,
}

impl LmtpServer {
    /// Everything is there that a message needs. It serves after the one `before`, while that one
    /// ends.
    pub(crate) fn open(
        config: Arc<Config>,
        policy: &str,
        dialect: Dialect,
        before: Option<&LmtpServer>,
    ) -> Result<LmtpServer> {
        let state = config.state_dir();
        let shared = before.map(|before| &before.unanswered).filter(|slots| slots.is_in(&state));
        let unanswered = shared.cloned().unwrap_or_else(|| Arc::new(UnansweredSlots::new(&state)));
        let table = &config.lmtp;
        let tls = TlsIdentity::load(table.certificate.as_deref(), table.key.as_deref())?;
        let threads = table.threads;
        let asking = if table.ask_at_rcpt { recipient_desk::SIDE_BY_SIDE } else { 0 };
        let house = House::open(config, policy, threads + asking)?;
        house.start_clock()?;
        Ok(LmtpServer { house, dialect, tls, unanswered })
    }

    /// Seconds that a stop leaves to messages in hand.
    pub(crate) fn stop_time(&self) -> u32 {
        self.house.config.lmtp.stop_time
    }

    /// Whether its store has lost its name.
    pub(crate) fn has_lost_its_store(&self) -> bool {
        self.house.store.is_replaced()
    }

    pub(crate) fn close(&self) {
        self.house.store.close();
    }

    /// Serves clients until a signal comes, until the one on standard input has gone, or until it
    /// `is_replaced`.
    pub(crate) fn serve(
        &self,
        doorway: &Doorway,
        signals: &ServerSignals,
        succession: &dyn Succession,
    ) -> Result<()> {
        memory::give_large_blocks_back();
        open_files::allow_most();
        let means = self.means();
        let sessions = SessionLoop::new().context("cannot wait for clients")?;
        let serve_alone = |session: ClientSession<'_, '_>| session.run();
        let alone = SessionThreads::new(&serve_alone);
        let table = &self.house.config.lmtp;
        let ended = std::thread::scope(|scope| {
            let thread = |name: &str| Builder::new().name(name.to_owned());
            let workers = (0..table.threads).try_for_each(|number| {
                thread(&format!("lmtp-{number}")).spawn_scoped(scope, || means.desk.work()).map(drop)
            });
            let waits = || {
                let (sessions, alone) = (&sessions, &alone);
                let wait = move || sessions.run(&|session| alone.serve(scope, session));
                thread("lmtp-sessions").spawn_scoped(scope, wait).map(drop)
            };
            let serve = || {
                let service = LmtpService { means: &means, sessions: &sessions };
                listen::run(&service, doorway, limits(table), signals, succession)
            };
            let started = workers.and_then(|()| waits()).context("cannot start the threads of carom lmtp");
            let ended = started.and_then(|()| serve());
            sessions.close();
            alone.close();
            means.desk.close();
            ended
        });
        means.counts.write(&self.house.store, true);
        ended
    }

    fn means(&self) -> SessionMeans<'_> {
        let LmtpServer { house, dialect, tls, unanswered } = self;
        let table = &house.config.lmtp;
        let rules = ConversationRules {
            dialect: *dialect,
            hostname: house.config.hostname(),
            max_size: house.config.message.max_size,
            recipients: table.recipients,
            errors: table.errors,
            tls: tls.is_some(),
            asks_at_rcpt: table.ask_at_rcpt,
            auth: table.chaos.iter().any(|one| one.at == ChaosMoment::Auth),
        };
        SessionMeans {
            house,
            desk: DeliveryDesk::new(house),
            recipients: RecipientDesk::new(house),
            rules,
            times: times(table),
            shares: ClientShares::new(house.doors.memory.whole() / 2),
            unanswered,
            tls: tls.as_ref(),
            counts: SessionCounts::new(),
            chaos: Chaos::of(table),
            seed: table.seed,
        }
    }
}

fn limits(table: &LmtpTable) -> SessionLimits {
    let LmtpTable { sessions, sessions_per_client: per_client, .. } = *table;
    SessionLimits { sessions, per_client, grace: seconds(table.stop_time) }
}

fn times(table: &LmtpTable) -> SessionTimes {
    let (idle, transfer) = (seconds(table.command_time), seconds(table.data_time));
    SessionTimes { idle, transfer, session: seconds(table.session_time) }
}

fn seconds(many: u32) -> Duration {
    Duration::from_secs(many.into())
}

struct LmtpService<'s, 'h> {
    means: &'s SessionMeans<'h>,
    sessions: &'s SessionLoop<'s, 'h>,
}

impl<'s> LmtpService<'s, '_> {
    /// What is there for a client that may connect.
    fn begin(&self, client: ConnectedClient) -> Conversation<'s> {
        self.means.counts.add("lmtp_sessions");
        Conversation::new(&self.means.rules, client)
    }

    /// `None`: it may not connect.
    fn client(&self, peer: Peer) -> Option<ConnectedClient> {
        let LmtpTable { clients, xforward, .. } = &self.means.house.config.lmtp;
        match peer {
            Peer::Local => Some(ConnectedClient { address: None, may_forward: true }),
            Peer::Address(address) => {
                let may_forward = xforward.iter().any(|network| network.contains(&address));
                let is_known = may_forward || clients.iter().any(|network| network.contains(&address));
                is_known.then_some(ConnectedClient { address: Some(address), may_forward })
            }
        }
    }
}

impl Service for LmtpService<'_, '_> {
    fn serve(&self, connection: ClientConnection) {
        let Some(client) = self.client(connection.peer()) else { return };
        ClientSession::new(self.means, ClientLine::new(connection), self.begin(client)).run();
    }

    fn take(&self, connection: ClientConnection) -> Option<ClientConnection> {
        // Who rests on purpose, or asks a policy at RCPT, holds up nobody else.
        let needs_thread = self.means.chaos.is_some() || self.means.rules.asks_at_rcpt;
        if needs_thread || connection.socket().is_none() {
            return Some(connection);
        }
        let Some(client) = self.client(connection.peer()) else { return Some(connection) };
        let line = ClientLine::without_waits(connection);
        self.sessions.take(ClientSession::new(self.means, line, self.begin(client)));
        None
    }

    fn turned_away(&self, peer: Peer) -> Option<&'static [u8]> {
        if self.client(peer).is_some() {
            return None;
        }
        self.means.counts.add("lmtp_sessions_refused");
        Some(b"554 5.7.1 this host may not connect: see [lmtp] clients\r\n")
    }

    fn refusal(&self) -> &'static [u8] {
        self.means.counts.add("lmtp_sessions_refused");
        b"421 4.7.0 too many sessions, try again later\r\n"
    }

    fn look_around(&self) {
        self.means.house.refresh();
        self.means.tls.iter().for_each(|tls| tls.refresh());
        self.means.unanswered.look_around(clock::now_ms());
        self.means.counts.write(&self.means.house.store, false);
    }
}
