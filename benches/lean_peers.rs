//! Peers on loopback that leave the processor to what is measured: an SMTP server that takes every
//! letter, and a web server that answers every request. One thread each, one read(2) and one
//! write(2) for whatever a client sends together, and nothing is kept but the count.
//!
//! Like the servers of most hosts, the SMTP server offers PIPELINING.

use memchr::memchr;
use memchr::memmem;
use rustix::event::epoll;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What a read takes at most.
const PIECE: usize = 64 << 10;
/// Events that are taken together.
const EVENTS: usize = 64;
/// The listening socket among the events.
const LISTENER: u64 = u64::MAX;

const END_OF_LETTER: &[u8] = b"\r\n.\r\n";
const END_OF_REQUEST: &[u8] = b"\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nServer: test\r\nContent-Length: 3\r\n\r\nok\n";

pub(crate) struct LeanPeer {
    pub(crate) port: u16,
    served: Arc<AtomicUsize>,
}

/// Answers what was heard, as far as it is whole; returns how many letters or requests that were.
type Answer = fn(&mut Client, &mut Vec<u8>) -> usize;

struct Client {
    stream: TcpStream,
    heard: Vec<u8>,
    in_letter: bool,
}

impl LeanPeer {
    pub(crate) fn smtp() -> LeanPeer {
        LeanPeer::start(b"220 peer ESMTP\r\n", take_letters)
    }

    pub(crate) fn web() -> LeanPeer {
        LeanPeer::start(b"", answer_requests)
    }

    /// Letters or requests so far.
    pub(crate) fn served(&self) -> usize {
        self.served.load(Relaxed)
    }

    fn start(greeting: &'static [u8], answer: Answer) -> LeanPeer {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let peer = LeanPeer { port: listener.local_addr().unwrap().port(), served: Arc::default() };
        let served = peer.served.clone();
        std::thread::spawn(move || serve(&listener, greeting, answer, &served).unwrap());
        peer
    }
}

fn serve(
    listener: &TcpListener,
    greeting: &[u8],
    answer: Answer,
    served: &AtomicUsize,
) -> std::io::Result<()> {
    let poll: OwnedFd = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&poll, listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    let mut clients: Vec<Option<Client>> = Vec::new();
    let (mut events, mut piece, mut replies) = (Vec::with_capacity(EVENTS), vec![0; PIECE], Vec::new());
    loop {
        events.clear();
        match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None) {
            Err(rustix::io::Errno::INTR) => continue,
            waited => drop(waited?),
        }
        for event in &events {
            let number = event.data.u64();
            if number == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    stream.write_all(greeting)?;
                    let number = epoll::EventData::new_u64(clients.len() as u64);
                    epoll::add(&poll, &stream, number, epoll::EventFlags::IN)?;
                    clients.push(Some(Client { stream, heard: Vec::new(), in_letter: false }));
                }
                continue;
            }
            let Some(client) = &mut clients[number as usize] else { continue };
            match client.stream.read(&mut piece) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Ok(0) | Err(_) => clients[number as usize] = None,
                Ok(read) => {
                    client.heard.extend_from_slice(&piece[..read]);
                    replies.clear();
                    served.fetch_add(answer(client, &mut replies), Relaxed);
                    // A client that has gone needs no reply.
                    let _ = client.stream.write_all(&replies);
                }
            }
        }
    }
}

fn take_letters(client: &mut Client, replies: &mut Vec<u8>) -> usize {
    let Client { heard, in_letter, .. } = client;
    let (mut at, mut letters) = (0, 0);
    loop {
        if *in_letter {
            let Some(end) = memmem::find(&heard[at..], END_OF_LETTER) else {
                // Its end may have begun.
                at = at.max(heard.len().saturating_sub(END_OF_LETTER.len() - 1));
                break;
            };
            (at, *in_letter, letters) = (at + end + END_OF_LETTER.len(), false, letters + 1);
            replies.extend_from_slice(b"250 2.0.0 taken\r\n");
            continue;
        }
        let Some(end) = memchr(b'\n', &heard[at..]) else { break };
        let line = &heard[at..at + end];
        replies.extend_from_slice(match line.get(..4).unwrap_or_default() {
            b"EHLO" => {
                b"250-peer\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 100000000\r\n"
            }
            b"DATA" => b"354 go on\r\n",
            b"QUIT" => b"221 2.0.0 bye\r\n",
            _ => b"250 2.0.0 ok\r\n",
        });
        *in_letter = line.starts_with(b"DATA");
        at += end + 1;
    }
    heard.drain(..at);
    letters
}

fn answer_requests(client: &mut Client, replies: &mut Vec<u8>) -> usize {
    let (mut at, mut requests) = (0, 0);
    while let Some(end) = memmem::find(&client.heard[at..], END_OF_REQUEST) {
        (at, requests) = (at + end + END_OF_REQUEST.len(), requests + 1);
        replies.extend_from_slice(OK);
    }
    client.heard.drain(..at);
    requests
}
