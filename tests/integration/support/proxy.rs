//! A TCP proxy between the service and Elasticsearch that holds back or cuts off what Elasticsearch sends.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What happens to the bytes from Elasticsearch, on each connection by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They pass.
    Pass,
    /// So many pass, the rest waits for another mode.
    HoldAfter(usize),
    /// So many pass, then the connection closes.
    CutAfter(usize),
}

struct State {
    mode: Mode,
    /// Whether the proxy is gone.
    is_stopped: bool,
    connections: Vec<TcpStream>,
    /// Tells one setting of the mode from the next: each begins to count anew.
    generation: u32,
}

/// The proxy.
pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Proxy {
    /// A proxy in front of the Elasticsearch at `url`. TLS passes through it.
    pub fn start(url: &str) -> Self {
        let target = url
            .trim_start_matches("http://")
            .trim_start_matches("https://")
            .trim_end_matches('/')
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new((
            Mutex::new(State {
                mode: Mode::Pass,
                is_stopped: false,
                connections: Vec::new(),
                generation: 0,
            }),
            Condvar::new(),
        ));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let mut state = shared.0.lock().unwrap();
                if state.is_stopped {
                    return;
                }
                state.connections.push(client.try_clone().unwrap());
                drop(state);
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
        let mut state = state.lock().unwrap();
        state.mode = mode;
        state.generation += 1;
        changed.notify_all();
    }

    /// Goes away as a node does that dies: its connections end and nobody listens any more.
    pub fn stop(&self) {
        let mut state = self.state.0.lock().unwrap();
        state.is_stopped = true;
        for connection in state.connections.drain(..) {
            // It may be closed already.
            let _ = connection.shutdown(Shutdown::Both);
        }
        drop(state);
        // The listener sees that it is over when the next one comes.
        let _ = TcpStream::connect(self.address);
        while TcpStream::connect(self.address).is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    // Either side may leave at any time; then the other one has to know.
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}

fn pass_by_mode(mut from: TcpStream, mut to: TcpStream, state: &(Mutex<State>, Condvar)) {
    let mut buffer = [0; 4096];
    let (lock, changed) = state;
    let (mut generation, mut passed) = (0, 0);
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut state = lock.lock().unwrap();
        loop {
            if state.generation != generation {
                (generation, passed) = (state.generation, 0);
            }
            match state.mode {
                Mode::HoldAfter(limit) if passed >= limit => state = changed.wait(state).unwrap(),
                _ => break,
            }
        }
        let is_cut = matches!(state.mode, Mode::CutAfter(limit) if passed >= limit);
        drop(state);
        if is_cut || to.write_all(&buffer[..read]).is_err() {
            break;
        }
        passed += read;
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
