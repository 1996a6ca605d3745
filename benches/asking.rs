//! Clients that ask carom as Postfix does, over a unix socket: requests sent ahead on some connections,
//! or one at a time on each. Not here: what is asked about, and the server (`access`).

use super::Outcome;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Requests that are written together, when they are sent ahead. Twice as many are under way.
const AHEAD: usize = 64;

/// What is spoken on the socket.
#[derive(Clone, Copy)]
pub(crate) enum Protocol {
    /// Policy delegation, of `carom access`.
    Policy,
    /// socketmap_table(5), of `carom socketmap`.
    Map,
}

impl Protocol {
    fn request(self, recipient: &str, out: &mut Vec<u8>) {
        match self {
            Protocol::Policy => out.extend_from_slice(policy_request(recipient).as_bytes()),
            Protocol::Map => {
                let request = format!("suppressed {recipient}");
                out.extend_from_slice(format!("{}:{request},", request.len()).as_bytes());
            }
        }
    }

    /// The ends of answers in these bytes: two for each.
    fn ends(self, bytes: &[u8]) -> usize {
        match self {
            Protocol::Policy => bytes.iter().filter(|byte| **byte == b'\n').count(),
            Protocol::Map => bytes.iter().filter(|byte| **byte == b',').count() * 2,
        }
    }
}

/// As Postfix 3.7 sends it at RCPT.
fn policy_request(recipient: &str) -> String {
    format!(
        "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=192.0.2.1\n\
         client_name=client.example\nclient_port=4711\nreverse_client_name=client.example\n\
         server_address=192.0.2.2\nserver_port=25\nhelo_name=client.example\nsender=news@shop.example\n\
         recipient={recipient}\nrecipient_count=0\nqueue_id=\ninstance=1a2b.5f3c.0\nsize=6000\netrn_domain=\n\
         stress=\nsasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\nccert_issuer=\n\
         ccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=\nencryption_cipher=\n\
         encryption_keysize=0\npolicy_context=\n\n"
    )
}

/// What came of asking for a while.
pub(crate) struct Asked {
    pub(crate) many: usize,
    pub(crate) seconds: f64,
    /// Of each request, in milliseconds, the shortest first; none if they were sent ahead.
    waited: Vec<f64>,
}

impl Asked {
    pub(crate) fn rate(&self) -> f64 {
        self.many as f64 / self.seconds
    }

    /// The time within which this many of a hundred requests were answered.
    pub(crate) fn waited(&self, of_hundred: usize) -> f64 {
        let place = (self.waited.len() * of_hundred / 100).min(self.waited.len().saturating_sub(1));
        self.waited.get(place).copied().unwrap_or(0.0)
    }
}

/// A client, and the recipients it asks about.
struct Client<'r> {
    stream: UnixStream,
    protocol: Protocol,
    recipient: &'r (dyn Fn(u64) -> String + Sync),
    random: u64,
    bytes: Vec<u8>,
    /// Ends of answers that were read.
    ends: usize,
}

impl Client<'_> {
    fn write(&mut self, many: usize) -> Outcome<()> {
        let mut all = Vec::new();
        for _ in 0..many {
            // PCG's multiplier: the upper bits are random enough.
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            self.protocol.request(&(self.recipient)(self.random >> 33), &mut all);
        }
        Ok(self.stream.write_all(&all)?)
    }

    fn read(&mut self, many: usize) -> Outcome<()> {
        while self.ends < many * 2 {
            let read = self.stream.read(&mut self.bytes)?;
            if read == 0 {
                return Err("carom has closed the connection".into());
            }
            self.ends += self.protocol.ends(&self.bytes[..read]);
        }
        self.ends -= many * 2;
        Ok(())
    }

    fn ahead(&mut self, until: Instant) -> Outcome<usize> {
        let mut many = 0;
        self.write(AHEAD)?;
        while Instant::now() < until {
            self.write(AHEAD)?;
            self.read(AHEAD)?;
            many += AHEAD;
        }
        self.read(AHEAD)?;
        Ok(many + AHEAD)
    }

    fn one_at_a_time(&mut self, until: Instant) -> Outcome<Vec<f64>> {
        let mut waited = Vec::new();
        loop {
            let began = Instant::now();
            if began >= until {
                return Ok(waited);
            }
            self.write(1)?;
            self.read(1)?;
            waited.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
}

/// Asks for a while, on this many connections; `ahead`: without waiting for each answer.
pub(crate) fn ask(
    socket: &Path,
    protocol: Protocol,
    (connections, ahead): (usize, bool),
    time: Duration,
    recipient: &(dyn Fn(u64) -> String + Sync),
) -> Outcome<Asked> {
    let clients: std::io::Result<Vec<Client<'_>>> = (0..connections)
        .map(|number| {
            let (stream, random) = (UnixStream::connect(socket)?, 7919 * number as u64);
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            Ok(Client { stream, protocol, recipient, random, bytes: vec![0; 64 << 10], ends: 0 })
        })
        .collect();
    let began = Instant::now();
    let until = began + time;
    let all: Vec<(usize, Vec<f64>)> = std::thread::scope(|scope| {
        let asking = clients?.into_iter().map(|mut client| {
            scope.spawn(move || -> Result<(usize, Vec<f64>), String> {
                let asked = match ahead {
                    true => client.ahead(until).map(|many| (many, Vec::new())),
                    false => client.one_at_a_time(until).map(|waited| (waited.len(), waited)),
                };
                asked.map_err(|error| error.to_string())
            })
        });
        let asking: Vec<_> = asking.collect();
        let asked = asking.into_iter().map(|one| Ok(one.join().map_err(|_| "a client failed")??));
        asked.collect::<Outcome<Vec<_>>>()
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let many = all.iter().map(|(many, _)| many).sum();
    let mut waited: Vec<f64> = all.into_iter().flat_map(|(_, waited)| waited).collect();
    waited.sort_by(f64::total_cmp);
    Ok(Asked { many, seconds, waited })
}
