//! A gate in front of a service: it answers some requests itself, and lets the others through.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// The gate. Every request comes on a connection of its own.
pub struct Gate {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

/// An answer that the gate gives itself.
pub fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
}

impl Gate {
    /// Answers the requests with these numbers, counted from 0, by itself.
    pub fn start(service: SocketAddr, answers: impl IntoIterator<Item = (usize, String)>) -> Self {
        let answers: HashMap<usize, String> = answers.into_iter().collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(mut client) = client else { return };
                let Some(head) = read_head(&mut client) else {
                    continue;
                };
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(head.lines().next().unwrap_or_default().to_owned());
                    seen.len() - 1
                };
                match answers.get(&number) {
                    // A client that is gone has its reasons.
                    Some(answer) => drop(client.write_all(answer.as_bytes())),
                    None => pass(service, &head, &mut client),
                }
                let _ = client.shutdown(Shutdown::Both);
            }
        });
        Self { address, requests }
    }

    /// The first lines of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// The head of a request, with its last empty line.
fn read_head(client: &mut TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

fn pass(service: SocketAddr, head: &str, client: &mut TcpStream) {
    let mut service = TcpStream::connect(service).unwrap();
    let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    service.write_all(head.as_bytes()).unwrap();
    let _ = std::io::copy(&mut service, client);
}
