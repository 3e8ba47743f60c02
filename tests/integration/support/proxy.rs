//! A TCP proxy between the service and Elasticsearch that holds back or cuts off what Elasticsearch sends.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// What happens to the bytes from Elasticsearch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They pass.
    Pass,
    /// So many pass, the rest waits for another mode.
    HoldAfter(usize),
    /// So many pass, then all connections close.
    CutAfter(usize),
}

struct State {
    mode: Mode,
    /// Bytes that passed since the mode was set.
    passed: usize,
}

/// The proxy.
pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Proxy {
    /// A proxy in front of the Elasticsearch at `url`.
    pub fn start(url: &str) -> Self {
        let target = url
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new((
            Mutex::new(State {
                mode: Mode::Pass,
                passed: 0,
            }),
            Condvar::new(),
        ));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let Ok(server) = TcpStream::connect(&target) else {
                    return;
                };
                let (client_writer, server_reader) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap());
                let shared = Arc::clone(&shared);
                thread::spawn(move || pass(client, server));
                thread::spawn(move || pass_by_mode(server_reader, client_writer, &shared));
            }
        });
        Self { address, state }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set(&self, mode: Mode) {
        let (state, changed) = &*self.state;
        *state.lock().unwrap() = State { mode, passed: 0 };
        changed.notify_all();
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    // Either side may leave at any time; then the other one has to know.
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}

fn pass_by_mode(mut from: TcpStream, mut to: TcpStream, state: &(Mutex<State>, Condvar)) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let (lock, changed) = state;
        let mut state = lock.lock().unwrap();
        while matches!(state.mode, Mode::HoldAfter(limit) if state.passed >= limit) {
            state = changed.wait(state).unwrap();
        }
        if matches!(state.mode, Mode::CutAfter(limit) if state.passed >= limit) {
            break;
        }
        state.passed += read;
        drop(state);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
