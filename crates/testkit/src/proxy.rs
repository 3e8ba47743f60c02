//! A TCP proxy that stands in front of a server and injects faults into what passes.
//!
//! It follows HTTP/1.1 just far enough to know where a request begins and what it asks for: a fault can be meant for all
//! requests or for some, such as those that continue a scroll. What the server answers is bytes to it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How often the proxy looks whether it should refuse connections.
const ACCEPT_PAUSE: Duration = Duration::from_millis(5);

/// How many times a second a slow connection passes something.
const SLOW_STEPS: usize = 20;

/// What happens to a request and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// They pass.
    Pass,
    /// Connections are refused, those that are open close.
    Refuse,
    /// The connection closes when the request has arrived; the server never sees it.
    Close,
    /// So many bytes of the answer pass, the rest waits for another mode.
    HoldAfter(usize),
    /// So many bytes of the answer pass, then the connection closes.
    CutAfter(usize),
    /// The answer passes, with so many bytes a second.
    Slow(usize),
    /// These bytes take the place of the answer, then the connection closes; the server never sees the request.
    Answer(Vec<u8>),
    /// The same, but the connection stays open.
    AnswerAndHold(Vec<u8>),
}

impl Mode {
    /// An answer with this status and a JSON body in place of the server's.
    pub fn status(status: u16, body: &str) -> Self {
        let length = body.len();
        Self::Answer(
            format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{body}"
            )
            .into_bytes(),
        )
    }
}

/// What is in force.
struct State {
    target: String,
    mode: Mode,
    /// A text in the first line of the requests that the mode is for; all others pass.
    only: String,
    /// For how many requests the mode is, before all pass again.
    left: usize,
    /// Tells one setting of the mode from the next: each begins to count anew.
    generation: u32,
    /// How many requests the modes have been for so far.
    applied: usize,
    /// The first lines of all requests, where they are wanted.
    seen: Option<Vec<String>>,
    connections: Vec<TcpStream>,
    is_stopped: bool,
}

type Shared = (Mutex<State>, Condvar);

/// The proxy. It stops when it is dropped.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    /// A proxy in front of the server at `url`, which begins with `http://`.
    ///
    /// # Errors
    /// It can't listen.
    pub fn start(url: &str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let state = State {
            target: host_of(url),
            mode: Mode::Pass,
            only: String::new(),
            left: usize::MAX,
            generation: 0,
            applied: 0,
            seen: Some(Vec::new()),
            connections: Vec::new(),
            is_stopped: false,
        };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || accept(address, Some(listener), &of_thread));
        Ok(Self { address, shared })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Another server from now on, for the connections to come.
    pub fn set_target(&self, url: &str) {
        lock(&self.shared).target = host_of(url);
    }

    /// What happens from now on to all requests, those under way included.
    pub fn set(&self, mode: Mode) {
        self.set_for("", usize::MAX, mode);
    }

    /// What happens from now on to the next `count` requests with this text in their first line, such as `POST /_search/scroll`.
    pub fn set_for(&self, only: &str, count: usize, mode: Mode) {
        let mut state = lock(&self.shared);
        state.mode = mode;
        only.clone_into(&mut state.only);
        state.left = count;
        state.generation = state.generation.wrapping_add(1);
        drop(state);
        self.shared.1.notify_all();
    }

    /// Whether a fault that was set for some requests is still waiting for one.
    pub fn is_armed(&self) -> bool {
        let state = lock(&self.shared);
        state.mode != Mode::Pass && state.left > 0
    }

    /// How many requests so far had this text in their first line.
    pub fn count(&self, text: &str) -> usize {
        let state = lock(&self.shared);
        let seen = state.seen.iter().flatten();
        seen.filter(|line| line.contains(text)).count()
    }

    /// Keeps no requests in mind any more, so that it can run for long.
    pub fn forget_requests(&self) {
        lock(&self.shared).seen = None;
    }

    /// How many requests so far met a fault.
    pub fn applied(&self) -> usize {
        lock(&self.shared).applied
    }

    /// Closes all connections that are open.
    pub fn close_connections(&self) {
        close_all(&mut lock(&self.shared));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = lock(&self.shared);
        state.is_stopped = true;
        close_all(&mut state);
        drop(state);
        self.shared.1.notify_all();
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

fn host_of(url: &str) -> String {
    url.trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned()
}

fn close_all(state: &mut State) {
    for connection in state.connections.drain(..) {
        // It may be closed already.
        let _ = connection.shutdown(Shutdown::Both);
    }
}

fn accept(address: SocketAddr, mut listener: Option<TcpListener>, shared: &Arc<Shared>) {
    loop {
        let mut state = lock(shared);
        if state.is_stopped {
            return;
        }
        if state.mode == Mode::Refuse {
            listener = None;
            close_all(&mut state);
        }
        let is_refusing = state.mode == Mode::Refuse;
        let target = state.target.clone();
        drop(state);
        if listener.is_none() && !is_refusing {
            listener = TcpListener::bind(address)
                .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
                .ok();
        }
        match listener.as_ref().map(TcpListener::accept) {
            // A connection that can't be passed on is closed, like one to a server that is gone.
            Some(Ok((client, _))) => drop(connect(client, &target, shared)),
            _ => thread::sleep(ACCEPT_PAUSE),
        }
    }
}

/// The request under way on one connection.
#[derive(Default)]
struct UnderWay {
    number: u64,
    /// Whether the mode in force is for it, and which one that is.
    generation: Option<u32>,
}

fn connect(client: TcpStream, target: &str, shared: &Arc<Shared>) -> io::Result<()> {
    client.set_nonblocking(false)?;
    let server = TcpStream::connect(target)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let mut state = lock(shared);
    state
        .connections
        .retain(|stream| stream.peer_addr().is_ok());
    state.connections.push(client.try_clone()?);
    drop(state);
    let under_way = Arc::new(Mutex::new(UnderWay::default()));
    let (client_writer, server_reader) = (client.try_clone()?, server.try_clone()?);
    let (of_requests, of_answers) = (Arc::clone(shared), Arc::clone(shared));
    let requests_under_way = Arc::clone(&under_way);
    thread::spawn(move || {
        // Either side may leave at any time; then the other one has to know.
        let _ = pass_requests(&client, &server, &of_requests, &requests_under_way);
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        let _ = pass_answers(&server_reader, &client_writer, &of_answers, &under_way);
        let _ = client_writer.shutdown(Shutdown::Both);
        let _ = server_reader.shutdown(Shutdown::Both);
    });
    Ok(())
}

/// Passes request after request, unless one is not to reach the server.
fn pass_requests(
    mut client: &TcpStream,
    mut server: &TcpStream,
    shared: &Shared,
    under_way: &Mutex<UnderWay>,
) -> io::Result<()> {
    while let Some((line, request)) = read_request(client)? {
        let mut state = lock(shared);
        let is_meant = state.left > 0 && state.mode != Mode::Pass && line.contains(&state.only);
        if let Some(seen) = &mut state.seen {
            seen.push(line);
        }
        if is_meant {
            state.left = state.left.saturating_sub(1);
            state.applied += 1;
        }
        let (mode, generation) = (state.mode.clone(), state.generation);
        let mut request_under_way = under_way.lock().unwrap_or_else(PoisonError::into_inner);
        request_under_way.number += 1;
        request_under_way.generation = is_meant.then_some(generation);
        drop(request_under_way);
        drop(state);
        match mode {
            Mode::Close | Mode::Refuse if is_meant => return Ok(()),
            Mode::Answer(bytes) if is_meant => return client.write_all(&bytes),
            Mode::AnswerAndHold(bytes) if is_meant => client.write_all(&bytes)?,
            _ => server.write_all(&request)?,
        }
    }
    Ok(())
}

/// The first line of the next request, and all of its bytes; `None` when no other comes.
fn read_request(mut client: &TcpStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte)? == 0 {
            return Ok(None);
        }
        request.extend_from_slice(&byte);
    }
    let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|length| length.trim().parse().ok())
        .unwrap_or(0);
    let line = String::from_utf8_lossy(&request)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    let head_length = request.len();
    request.resize(head_length + length, 0);
    client.read_exact(request.get_mut(head_length..).unwrap_or_default())?;
    Ok(Some((line, request)))
}

/// Passes what the server answers, as the mode says.
fn pass_answers(
    mut server: &TcpStream,
    mut client: &TcpStream,
    (state, changed): &Shared,
    under_way: &Mutex<UnderWay>,
) -> io::Result<()> {
    let mut buffer = [0; 4096];
    let (mut counted, mut passed) = ((0, 0), 0);
    loop {
        let read = server.read(&mut buffer)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let mode = loop {
            if state.is_stopped {
                return Ok(());
            }
            let request = under_way.lock().unwrap_or_else(PoisonError::into_inner);
            // A mode that is for all takes hold of answers that have begun, and lets go of them.
            let is_meant = state.only.is_empty() || request.generation == Some(state.generation);
            let counting = (state.generation, request.number);
            drop(request);
            if counted != counting {
                (counted, passed) = (counting, 0);
            }
            match &state.mode {
                Mode::HoldAfter(limit) if is_meant && passed >= *limit => {
                    state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                mode if is_meant => break mode.clone(),
                _ => break Mode::Pass,
            }
        };
        drop(state);
        match mode {
            Mode::CutAfter(limit) => {
                let rest = limit.saturating_sub(passed).min(read);
                client.write_all(bytes.get(..rest).unwrap_or_default())?;
                if rest < read || passed + rest >= limit {
                    return Ok(());
                }
            }
            Mode::Slow(rate) => {
                for piece in bytes.chunks((rate / SLOW_STEPS).max(1)) {
                    client.write_all(piece)?;
                    thread::sleep(Duration::from_secs(1) / SLOW_STEPS as u32);
                }
            }
            _ => client.write_all(bytes)?,
        }
        passed += read;
    }
}
