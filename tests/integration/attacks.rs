//! Limits that hold when somebody wants to break them.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::support::documents::{definition, instance, raw_report, report, selection};
use crate::support::{Optimize, Service, TOKEN, http};

const IDLE_CONNECTIONS: usize = 5_000;
const SLOW_CONNECTIONS: usize = 500;
/// Memory that the service may take under attack.
const MAX_MEMORY: u64 = 256 * 1024 * 1024;
const PAGE: &str = "/api/public/export/report/r/result/json?limit=1000&paginationTimeout=60";
/// Large enough for the buffers of a connection not to hold it, small enough for Elasticsearch to hold many of them.
const GREEDY_PAGE: &str = "/api/public/export/report/r/result/json?limit=250&paginationTimeout=60";

/// 1,000 orders of 20 kB: a page of them does not fit into the buffers of a connection.
fn with_wide_orders() -> Optimize {
    let optimize = Optimize::install();
    let wide = "x".repeat(20_000);
    let order = |n: usize| {
        instance(
            "order",
            &format!("i-{n:04}"),
            json!({ "businessKey": wide }),
        )
    };
    optimize.store_instances("order", (0..1_000).map(order));
    optimize.store_report(raw_report("r", "order", json!({})));
    optimize
}

fn is_open(optimize: &Optimize, scroll_id: &str) -> bool {
    let body = json!({"scroll": "1m", "scroll_id": scroll_id});
    let client = optimize.installation.client();
    client.post("/_search/scroll", &body).unwrap().is_success()
}

/// The scroll of a page of which only the beginning was read.
fn scroll_id(beginning: &[u8]) -> String {
    let text = String::from_utf8_lossy(beginning);
    let (_, rest) = text.split_once("\"searchRequestId\":\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// Sends the beginning of a request, and nothing more.
fn begin(service: &Service, head: &str) -> TcpStream {
    let mut stream = http::connect(service.address);
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// Reads until the connection closes; what came, and whether it closed in time.
fn read_to_end(mut stream: TcpStream, limit: Duration) -> (Vec<u8>, bool) {
    stream.set_read_timeout(Some(limit)).unwrap();
    let mut bytes = Vec::new();
    let is_closed = match stream.read_to_end(&mut bytes) {
        Ok(_) => true,
        Err(error) => !matches!(
            error.kind(),
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
        ),
    };
    (bytes, is_closed)
}

/// Lets this process open as many files as it may; gives back how many.
fn raise_file_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    limit
        .maximum
        .map_or(usize::MAX, |files| usize::try_from(files).unwrap())
}

#[test]
fn thousands_of_idle_and_slow_connections_keep_nobody_out() {
    let files = raise_file_limit();
    let idle = IDLE_CONNECTIONS.min(files.saturating_sub(SLOW_CONNECTIONS + 700));
    assert!(idle >= 500, "{files} open files are too few for this test");
    let optimize = with_wide_orders();
    let tokens = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(tokens.path(), format!("normal: {TOKEN}\ngreedy: other\n")).unwrap();
    let flags = [
        "--access-token-file",
        tokens.path().to_str().unwrap(),
        "--max-concurrent-exports-per-client",
        "24",
    ];
    let service = Service::start_with_tokens_of(&optimize.url, &optimize.prefix, &flags);

    let mut connections: Vec<TcpStream> =
        (0..idle).map(|_| http::connect(service.address)).collect();
    for n in 0..SLOW_CONNECTIONS {
        // Half of them don't finish their heads, of 50 kB at that, and half don't read their answers.
        let head =
            format!("GET {GREEDY_PAGE} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer other\r\n");
        connections.push(match n % 2 {
            0 => begin(
                &service,
                &format!("{head}X-Padding: {}", "y".repeat(50_000)),
            ),
            _ => begin(&service, &format!("{head}\r\n")),
        });
    }
    // One more asks for the metrics.
    let all = idle + SLOW_CONNECTIONS + 1;
    service.wait_for_metric(&format!("optimize_export_http_connections {all}"));
    let began = Instant::now();
    let page = service.first_page("r", 1_000).ok();
    assert_eq!(page["numberOfRecordsInResponse"], 1_000);
    assert_eq!(service.next_page("r", &page).ok()["data"], json!([]));
    let took = began.elapsed();
    let peak = service.peak_memory();
    println!(
        "{idle} idle and {SLOW_CONNECTIONS} slow connections: a page of 20 MB came within {took:?}; memory {peak} at its peak"
    );
    assert!(peak < MAX_MEMORY, "{peak} bytes");
    let health = b"GET /health/ready HTTP/1.1\r\nHost: t";
    assert_eq!(http::send(service.management, health).status, 200);
}

#[test]
fn connections_beyond_the_limit_wait_for_a_place() {
    let optimize = Optimize::install();
    let service = optimize.serve_with(&["--max-connections", "3", "--head-timeout", "2"]);
    let idle: Vec<TcpStream> = (0..3).map(|_| http::connect(service.address)).collect();
    // The health checks have places of their own.
    let health = b"GET /health/live HTTP/1.1\r\nHost: t";
    assert_eq!(http::send(service.management, health).status, 200);
    // Who waits is served as soon as the idle ones have to leave.
    assert_eq!(service.first_page("none", 1).status, 404);
    drop(idle);
}

#[test]
fn a_head_has_to_be_there_in_time_however_it_drips() {
    let optimize = Optimize::install();
    let service = optimize.serve_with(&["--head-timeout", "2"]);
    let stream = begin(&service, "GET / HTTP/1.1\r\n");
    let mut writer = stream.try_clone().unwrap();
    let dripping = thread::spawn(move || {
        // Never silent for long, until the connection is gone.
        while writer.write_all(b"X-Drip: drop\r\n").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    let (answer, is_closed) = read_to_end(stream, Duration::from_secs(30));
    assert!(is_closed, "{:?}", String::from_utf8_lossy(&answer));
    dripping.join().unwrap();
    // One that says nothing at all has no more time.
    let (_, is_closed) = read_to_end(http::connect(service.address), Duration::from_secs(30));
    assert!(is_closed);
}

#[test]
fn a_huge_head_is_refused_before_it_is_taken() {
    let optimize = Optimize::install();
    let service = optimize.serve();
    service.first_page("none", 1);
    let before = service.peak_memory();
    for (head, status) in [
        (
            format!("GET / HTTP/1.1\r\nX-Huge: {}", "y".repeat(10 * 1024 * 1024)),
            431,
        ),
        (
            format!("GET /{} HTTP/1.1\r\n", "y".repeat(10 * 1024 * 1024)),
            414,
        ),
        (
            format!("GET / HTTP/1.1\r\n{}", "X: y\r\n".repeat(2_000_000)),
            431,
        ),
        // Just above the bound, so that nothing is on its way when the answer comes.
        (format!("GET /{} HTTP/1.1\r\n", "y".repeat(65_536)), 414),
        (
            format!("GET / HTTP/1.1\r\nX-Huge: {}", "y".repeat(65_520)),
            431,
        ),
        (format!("\r\n\r\nGET /{}", "y".repeat(70_000)), 414),
    ] {
        let mut stream = http::connect(service.address);
        // It may be closed while it is still being sent.
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(b"\r\n\r\n");
        let (answer, is_closed) = read_to_end(stream, Duration::from_secs(30));
        assert!(is_closed);
        if head.len() < 100_000 || !answer.is_empty() {
            let answer = http::parse(&answer);
            let (found, code, detail) = answer.error();
            assert_eq!((found, code.as_str()), (status, "badRequestError"));
            assert!(detail.contains("65536 bytes"), "{detail}");
        }
    }
    // The scroll id of a report over very many shards fits.
    let long = service.export(
        "none",
        &format!(
            "limit=1&paginationTimeout=60&searchRequestId={}",
            "y".repeat(60_000)
        ),
    );
    assert_eq!(long.status, 404);
    let growth = service.peak_memory() - before;
    assert!(growth < 8 * 1024 * 1024, "{growth} bytes");
    assert_eq!(service.first_page("none", 1).status, 404);
}

#[test]
fn requests_in_a_row_are_answered_in_their_order() {
    let optimize = with_wide_orders();
    let service = optimize.serve();
    let request = |limit: usize, rest: &str| {
        format!(
            "GET /api/public/export/report/r/result/json?limit={limit}&paginationTimeout=60 HTTP/1.1\r\nHost: t\r\n\
             Authorization: Bearer {TOKEN}\r\n{rest}\r\n"
        )
    };
    let mut requests: String = (1..=20).map(|limit| request(limit, "")).collect();
    requests.push_str(&request(21, "Connection: close\r\n"));
    let (answers, is_closed) = read_to_end(begin(&service, &requests), Duration::from_secs(60));
    assert!(is_closed);
    let answers = String::from_utf8_lossy(&answers);
    let counts: Vec<usize> = answers
        .split("\"numberOfRecordsInResponse\":")
        .skip(1)
        .map(|rest| rest.split_once('}').unwrap().0.parse().unwrap())
        .collect();
    assert_eq!(counts, (1..=21).collect::<Vec<_>>());
}

#[test]
fn a_body_that_nobody_asked_for_is_not_taken() {
    let optimize = Optimize::install();
    let service = optimize.serve();
    service.first_page("none", 1);
    let before = service.peak_memory();
    let head = format!(
        "GET {PAGE} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 10000000000\r\n\r\n"
    );
    let mut stream = begin(&service, &head);
    // The connection closes after the answer, somewhere in the middle of this.
    for _ in 0..64 {
        if stream.write_all(&[b'x'; 1024 * 1024]).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
    let (_, is_closed) = read_to_end(stream, Duration::from_secs(30));
    assert!(is_closed);
    let growth = service.peak_memory() - before;
    assert!(growth < 8 * 1024 * 1024, "{growth} bytes");
    assert_eq!(service.first_page("none", 1).status, 404);
}

#[test]
fn a_reader_that_stalls_loses_its_page_and_its_scroll() {
    let optimize = with_wide_orders();
    let service = optimize.serve_with(&["--stall-timeout", "1"]);
    let (mut stalled, beginning) = service.begin(PAGE, 1_000);
    let id = scroll_id(&beginning);
    service.wait_for_log("read nothing for too long");
    service.wait_for_metric("optimize_export_scrolls_open 0");
    let page = json!({ "searchRequestId": id });
    let (status, _, detail) = service.next_page("r", &page).error();
    assert!(status == 400 && detail.contains("start over"), "{detail}");
    let deadline = Instant::now() + Duration::from_secs(20);
    while is_open(&optimize, &id) {
        assert!(Instant::now() < deadline, "the scroll was not cleared");
        thread::sleep(Duration::from_millis(50));
    }
    let mut rest = Vec::new();
    // What is in the buffers can still be read; the end is missing.
    let _ = stalled.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains("numberOfRecordsInResponse"));
    assert_eq!(service.all_rows("r", 500).len(), 1_000);
}

#[test]
fn a_service_that_stops_lets_pages_finish_for_a_while_and_then_cuts_them_off() {
    let optimize = with_wide_orders();
    let mut service = optimize.serve_with(&["--shutdown-timeout", "2"]);
    let (mut slow, beginning) = service.begin(PAGE, 1_000);
    let (mut fast, _) = service.begin(PAGE, 1_000);
    let id = scroll_id(&beginning);
    service.terminate();
    service.wait_for_log("asked to stop");
    let mut rest = String::new();
    fast.read_to_string(&mut rest).unwrap();
    assert!(
        rest.contains("\"numberOfRecordsInResponse\":1000"),
        "a page under way may finish"
    );
    assert!(TcpStream::connect(service.address).is_err() || service.wait().success());
    assert!(service.wait().success());
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains("numberOfRecordsInResponse"));
    service.wait_for_log("cut off");
    assert!(!is_open(&optimize, &id), "its scroll was given up");
}

#[test]
fn requests_of_any_shape_are_answered() {
    let optimize = Optimize::install();
    let service = optimize.serve();
    for request in [
        "GET  HTTP/1.1",
        "GET * HTTP/1.1",
        "CONNECT a:1 HTTP/1.1",
        "GET http://other/api/public HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "get /api/public HTTP/1.1",
        "GET /api/public/%00%ff/../.. HTTP/1.1",
        "GET /api/public HTTP/9.9",
        "\u{0}\u{1}\u{2}",
        "PRI * HTTP/2.0",
        "GET /api/public HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
        "GET /api/public HTTP/1.1\r\nHost: a\r\nHost: b\r\nAuthorization: Bearer\r\nAuthorization: Bearer x",
    ] {
        let stream = begin(&service, &format!("{request}\r\nConnection: close\r\n\r\n"));
        let (answer, is_closed) = read_to_end(stream, Duration::from_secs(30));
        assert!(is_closed, "{request}");
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with("HTTP/1.1 4"), "{request}: {text}");
        // What is HTTP gets an error with a body; what is none gets a status, and the connection closes.
        if let Some((_, body)) = text
            .split_once("\r\n\r\n")
            .filter(|(_, body)| !body.is_empty())
        {
            let body: Value = serde_json::from_str(body).unwrap();
            assert!(body["errorCode"].is_string(), "{request}: {body}");
        } else {
            assert!(text.starts_with("HTTP/1.1 400"), "{request}: {text}");
        }
    }
}

/// The system takes little of what is not read.
fn connect_with_small_buffer(service: &Service) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    socket.connect(&service.address.into()).unwrap();
    socket.into()
}

/// Sends as much as the service takes without being read from.
fn push(stream: &mut TcpStream, bytes: &[u8]) {
    stream
        .set_write_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    // Neither a full connection nor a closed one is news.
    let _ = stream.write_all(bytes);
}

/// Opens so many connections, and lets each send these bytes as far as they are taken, several at a time.
fn push_on_each(service: &Service, connections: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let at_once = 50;
    thread::scope(|scope| {
        let pushing: Vec<_> = (0..at_once)
            .map(|n| {
                scope.spawn(move || {
                    let mut streams = Vec::new();
                    for _ in (n..connections).step_by(at_once) {
                        let mut stream = connect_with_small_buffer(service);
                        push(&mut stream, bytes);
                        streams.push(stream);
                    }
                    streams
                })
            })
            .collect();
        pushing
            .into_iter()
            .flat_map(|pushing| pushing.join().unwrap())
            .collect()
    })
}

#[test]
fn requests_in_a_row_that_nobody_reads_the_answers_of_take_no_memory() {
    raise_file_limit();
    let optimize = Optimize::install();
    let service = optimize.serve_with(&["--stall-timeout", "1"]);
    service.first_page("none", 1);
    let before = service.peak_memory();
    // Without a token, and one for a large file.
    let refused = "GET /api/public/report HTTP/1.1\r\nHost: t\r\n\r\n".repeat(20_000);
    let static_file =
        "GET /api/docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: t\r\n\r\n".repeat(2_000);
    let mut held = push_on_each(&service, 150, refused.as_bytes());
    held.extend(push_on_each(&service, 100, static_file.as_bytes()));
    let growth = service.peak_memory() - before;
    println!("250 connections that read nothing took {growth} bytes");
    assert!(growth < 40 * 1024 * 1024, "{growth} bytes");
    // They lose their connections; the one that is left asks for the metrics.
    service.wait_for_metric("optimize_export_http_connections 1");
    assert_eq!(service.first_page("none", 1).status, 404);
    drop(held);
}

/// A report whose answer, of one number for each flow node, does not fit into the buffers of a connection.
fn with_many_flow_nodes() -> Optimize {
    let optimize = Optimize::install();
    optimize.store_instances("wide", [instance("wide", "i", json!({}))]);
    let wide = |n: usize| (format!("{n:05}{}", "i".repeat(400)), "n".repeat(400));
    let flow_nodes: Vec<(String, String)> = (0..8_000).map(wide).collect();
    let flow_nodes: Vec<(&str, Option<&str>)> = flow_nodes
        .iter()
        .map(|(id, name)| (id.as_str(), Some(name.as_str())))
        .collect();
    optimize.store(
        testkit::indices::Index::ProcessDefinition,
        [("wide:1", definition("wide", "1", None, &flow_nodes))],
    );
    let data = json!({
        "definitions": [selection("wide")], "filter": [], "configuration": {},
        "view": {"entity": "flowNode", "properties": ["frequency"]},
        "groupBy": {"type": "flowNodes", "value": null},
        "distributedBy": {"type": "none", "value": null},
        "visualization": "table", "managementReport": false,
    });
    optimize.store_report(report("counts", data));
    optimize
}

#[test]
fn a_whole_answer_that_nobody_reads_was_not_delivered() {
    let optimize = with_many_flow_nodes();
    let flags = [
        "--stall-timeout",
        "2",
        "--max-concurrent-exports",
        "1",
        "--queue-timeout",
        "0",
    ];
    let service = optimize.serve_with(&flags);
    let target = "/api/public/export/report/counts/result/json?limit=10&paginationTimeout=60";
    let (mut stalled, _) = service.begin(target, 1_000);
    // Its place is taken as long as its answer waits.
    let (status, ..) = service.first_page("counts", 1).error();
    assert_eq!(status, 429);
    assert!(!service.log().contains("export delivered"));
    service.wait_for_log("export interrupted");
    assert!(service.log().contains("read nothing for too long"));
    let mut rest = Vec::new();
    let _ = stalled.read_to_end(&mut rest);
    assert!(rest.len() < 6_000_000, "the end is missing");

    let whole = service.first_page("counts", 1).ok();
    assert_eq!(whole["numberOfRecordsInResponse"], 8_000);
    // Its place is free as soon as it is read.
    assert_eq!(service.first_page("counts", 1).status, 200);
    service.wait_for_log("export delivered");
    // One that leaves in the middle has not got it either.
    drop(service.begin(target, 1_000));
    service.wait_for_log("the client closed the connection");
    // Compressed, it arrives as well.
    let headers = [
        ("Authorization", format!("Bearer {TOKEN}")),
        ("Accept-Encoding", "gzip".to_owned()),
    ];
    let headers = headers.each_ref().map(|(n, v)| (*n, v.as_str()));
    let compressed = service.request("GET", target, &headers);
    assert!(compressed.status == 200 && compressed.is_complete);
}

#[test]
fn a_client_that_reads_slowly_gets_a_whole_answer() {
    let optimize = with_many_flow_nodes();
    let service = optimize.serve_with(&["--stall-timeout", "2"]);
    let target = "/api/public/export/report/counts/result/json?limit=10&paginationTimeout=60";
    let (mut slow, beginning) = service.begin(target, 1_000);
    let mut bytes = beginning.len();
    let mut buffer = vec![0; 256 * 1024];
    while let Ok(read @ 1..) = slow.read(&mut buffer) {
        bytes += read;
        thread::sleep(Duration::from_millis(200));
    }
    assert!(bytes > 6_000_000, "{bytes}");
    service.wait_for_log("export delivered");
}

#[test]
fn clients_that_keep_it_waiting_do_not_hold_up_a_service_that_stops() {
    let optimize = with_many_flow_nodes();
    let mut service = optimize.serve();
    let target = "/api/public/export/report/counts/result/json?limit=10&paginationTimeout=60";
    let stalled = service.begin(target, 1_000);
    let partial = begin(&service, "GET / HTTP/1.1\r\nHost: t\r\nX-Half: ");
    let idle = http::connect(service.address);
    service.wait_for_metric("optimize_export_http_connections 4");
    let began = Instant::now();
    service.terminate();
    assert!(service.wait().success());
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    service.wait_for_log("export interrupted");
    drop((stalled, partial, idle));
}

#[test]
fn heads_that_are_not_finished_are_bounded_together() {
    raise_file_limit();
    let optimize = Optimize::install();
    let service = optimize.serve();
    service.first_page("none", 1);
    let before = service.peak_memory();
    for bytes in [200_000, 60_000, 20_000] {
        let head = format!("GET / HTTP/1.1\r\nHost: t\r\nX-Half: {}", "y".repeat(bytes));
        let held = push_on_each(&service, 1_300, head.as_bytes());
        // A head that comes in two parts is small and young beside those.
        let mut client = begin(&service, "GET /api/public/report HTTP/1.1\r\nHost: t\r\n");
        thread::sleep(Duration::from_millis(100));
        client.write_all(b"Connection: close\r\n\r\n").unwrap();
        let (answer, _) = read_to_end(client, Duration::from_secs(30));
        assert!(answer.starts_with(b"HTTP/1.1 401"));
        drop(held);
        // On a busy machine they would be closed while the next ones are there; what is left is the one that asks.
        service.wait_for_metric("optimize_export_http_connections 1");
    }
    let growth = service.peak_memory() - before;
    println!("3,900 unfinished heads took {growth} bytes");
    assert!(growth < 64 * 1024 * 1024, "{growth} bytes");
}

#[test]
fn handshakes_that_are_not_finished_count_as_heads_do() {
    raise_file_limit();
    let optimize = Optimize::install();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = path("tls.crt", &signed.cert.pem());
    let key = path("tls.key", &signed.signing_key.serialize_pem());
    let service = optimize.serve_with(&[
        "--tls-certificate-file",
        &certificate,
        "--tls-key-file",
        &key,
    ]);
    let before = service.peak_memory();
    // The beginning of a ClientHello of 64 kB, in records of 16 kB.
    let mut hello = Vec::new();
    for n in 0..4_u8 {
        hello.extend_from_slice(&[22, 3, 1, 0x40, 0]);
        let header: &[u8] = if n == 0 {
            &[1, 0, 0xff, 0xf0, 3, 3]
        } else {
            &[]
        };
        hello.extend_from_slice(header);
        hello.resize((usize::from(n) + 1) * (5 + 0x4000), 0);
    }
    hello.truncate(60_000);
    let held = push_on_each(&service, 1_000, &hello);
    let growth = service.peak_memory() - before;
    println!("1,000 unfinished handshakes took {growth} bytes");
    assert!(growth < 64 * 1024 * 1024, "{growth} bytes");
    drop(held);
}
