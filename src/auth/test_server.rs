//! A DNS server on loopback for tests: it answers over UDP and TCP as the test wants, and counts
//! questions.

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};

/// What the server does with a question.
pub(crate) enum Reply {
    Records(Vec<RData>),
    Code(ResponseCode),
    Silence,
    /// Too long for UDP: these records over TCP.
    OverTcp(Vec<RData>),
}

/// How often each question came over UDP.
pub(crate) type Questions = Arc<Mutex<HashMap<(String, RecordType), usize>>>;

/// Starts a server that lives as long as the test process.
pub(crate) fn serve(reply: fn(&str, RecordType) -> Reply) -> (SocketAddr, Questions) {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(address).unwrap();
    let questions = Questions::default();
    let counted = questions.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, client)) = udp.recv_from(&mut buffer) {
            let mut message = Message::from_vec(&buffer[..length]).unwrap();
            let (name, kind) = (message.queries[0].name().to_ascii(), message.queries[0].query_type());
            *counted.lock().unwrap().entry((name.clone(), kind)).or_default() += 1;
            message.additionals.clear();
            let truncated = match reply(&name, kind) {
                Reply::Silence => continue,
                Reply::OverTcp(_) => true,
                other => {
                    answer(&mut message, other);
                    false
                }
            };
            message = message.into_response();
            message.metadata.truncation = truncated;
            udp.send_to(&message.to_vec().unwrap(), client).unwrap();
        }
    });
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = tcp.accept() {
            let mut length = [0; 2];
            client.read_exact(&mut length).unwrap();
            let mut query = vec![0; u16::from_be_bytes(length).into()];
            client.read_exact(&mut query).unwrap();
            let mut message = Message::from_vec(&query).unwrap();
            let (name, kind) = (message.queries[0].name().to_ascii(), message.queries[0].query_type());
            answer(&mut message, reply(&name, kind));
            let bytes = message.into_response().to_vec().unwrap();
            client.write_all(&u16::try_from(bytes.len()).unwrap().to_be_bytes()).unwrap();
            client.write_all(&bytes).unwrap();
        }
    });
    (address, questions)
}

fn answer(message: &mut Message, reply: Reply) {
    match reply {
        Reply::Records(records) | Reply::OverTcp(records) => {
            let name = message.queries[0].name().clone();
            message.add_answers(records.into_iter().map(|data| Record::from_rdata(name.clone(), 300, data)));
        }
        Reply::Code(code) => message.metadata.response_code = code,
        Reply::Silence => {}
    }
}
