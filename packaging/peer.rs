//! A mail server on loopback that takes every letter, for the runs that `order.rs` traces. It
//! prints its port and serves until it is killed.
//!
//! Not here: what a mail server may say besides. `packaging/dist.sh` compiles this file with rustc
//! alone.

use std::io::{BufRead, BufReader, Result, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    for client in listener.incoming() {
        // A client that goes away is done.
        let _ = serve(client?);
    }
    Ok(())
}

fn serve(client: TcpStream) -> Result<()> {
    let mut replies = client.try_clone()?;
    replies.write_all(b"220 peer\r\n")?;
    let mut in_letter = false;
    for line in BufReader::new(client).split(b'\n') {
        let line = line?;
        let reply = match &line[..line.len().min(4)] {
            b".\r" if in_letter => "250 taken\r\n",
            _ if in_letter => continue,
            b"EHLO" => "250-peer\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
            b"DATA" => "354 go on\r\n",
            b"QUIT" => "221 bye\r\n",
            _ => "250 ok\r\n",
        };
        in_letter = reply.starts_with("354");
        replies.write_all(reply.as_bytes())?;
    }
    Ok(())
}
