//! Clients that hold a place without using it, on real sockets: each is let go in its time, and counted; slow ones that mean
//! well are served.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use super::*;

const SHORT: Duration = Duration::from_millis(400);
/// Whatever is to happen has happened by then.
const LONG: Duration = Duration::from_secs(30);

fn hasty(set: impl FnOnce(&mut Config)) -> Server {
    let patience = Patience {
        handshake: SHORT,
        head: SHORT,
        idle: SHORT * 2,
        stall: SHORT,
        grace: Duration::from_secs(5),
    };
    Server::patient(set, patience, SHORT)
}

impl Server {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    /// The value of a line of `/metrics`.
    fn counted(&self, line: &str) -> u64 {
        let metrics = String::from_utf8(self.anybody().get("/metrics").body).unwrap();
        let found = metrics.lines().find_map(|it| it.strip_prefix(line)?.strip_prefix(' '));
        found
            .unwrap_or_else(|| panic!("{line} is not in\n{metrics}"))
            .parse()
            .unwrap()
    }
}

/// All that comes until the connection ends.
fn to_the_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        // It was broken off while we sent.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("it does not end: {error}"),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn who_says_nothing_or_never_comes_to_an_end_is_let_go() {
    let server = hasty(|_| {});
    for begin in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        let mut stream = server.connect();
        stream.write_all(begin.as_bytes()).unwrap();
        assert_eq!(to_the_end(&mut stream), "", "{begin}");
    }
    assert!(server.counted("loa_connections_refused_total{reason=\"slow_head\"}") >= 2);
    // Nor does a line of the head now and then help.
    let mut stream = server.connect();
    let mut writer = stream.try_clone().unwrap();
    let dripping = std::thread::spawn(move || {
        let begun = std::time::Instant::now();
        writer.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        while begun.elapsed() < LONG && writer.write_all(b"x: y\r\n").is_ok() {
            std::thread::sleep(SHORT / 8);
        }
        begun.elapsed()
    });
    to_the_end(&mut stream);
    assert!(dripping.join().unwrap() < LONG);
}

#[test]
fn who_is_done_may_ask_again_for_a_while() {
    let server = hasty(|_| {});
    let mut stream = server.connect();
    for _ in 0..3 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nok\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        std::thread::sleep(SHORT / 4);
    }
    assert_eq!(to_the_end(&mut stream), "");
}

#[test]
fn a_body_that_does_not_come_on_is_given_up() {
    let server = hasty(|_| {});
    let lan = server.admin();
    let before = server.files();
    let head = |path: &str, kind: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nCookie: {}\r\nX-Loa-Csrf: {}\r\nContent-Type: {kind}\r\n\
             Content-Length: 100000\r\n\r\n",
            lan.cookie, lan.csrf
        )
    };
    let mut form = Form::default();
    form.field("title", "A").field("class", "normal").file(&tone(0.5));
    let multipart = format!("multipart/form-data; boundary={}", Form::BOUNDARY);
    for (head, part) in [
        (head("/api/v1/areas", "application/json"), &b"{\"name\":"[..]),
        (head("/api/v1/bulletins", &multipart), &form.0[..5000]),
    ] {
        let mut stream = server.connect();
        stream.write_all(&[head.as_bytes(), part].concat()).unwrap();
        let answer = to_the_end(&mut stream);
        assert!(
            answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"too_slow\""),
            "{answer}"
        );
    }
    assert_eq!(server.counted("loa_requests_refused_total{reason=\"slow_body\"}"), 2);
    assert_eq!(server.files(), before);
}

/// A line that brings 9 kB in less than the time that 8 kB must come in: far slower than the whole body would have to be.
#[test]
fn a_slow_line_that_goes_on_is_served() {
    let window = SHORT * 4;
    let server = Server::patient(|_| {}, Patience::default(), window);
    let lan = server.admin();
    let mut form = Form::default();
    form.field("title", "Đường truyền chậm")
        .field("class", "normal")
        .file(&tone(4.0));
    let body = form.finished();
    let mut stream = server.connect();
    let head = format!(
        "POST /api/v1/bulletins HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: {}\r\nX-Loa-Csrf: {}\r\n\
         Content-Type: multipart/form-data; boundary={}\r\nContent-Length: {}\r\n\r\n",
        lan.cookie,
        lan.csrf,
        Form::BOUNDARY,
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let begun = std::time::Instant::now();
    for part in body.chunks(9000) {
        stream.write_all(part).unwrap();
        std::thread::sleep(window / 6);
    }
    assert!(begun.elapsed() > window * 2, "it was quick");
    let answer = to_the_end(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
}

#[test]
fn an_answer_that_nobody_takes_is_given_up() {
    let server = hasty(|_| {});
    let mut stream = server.connect();
    // More than all buffers on the way hold.
    let asked = b"GET /api/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n".repeat(400);
    stream.set_nonblocking(true).unwrap();
    let mut sent = 0;
    let begun = std::time::Instant::now();
    // Nothing is read here; how the server fares is asked on other connections.
    while server.counted("loa_connections_refused_total{reason=\"stalled\"}") == 0 {
        assert!(begun.elapsed() < LONG, "it waits for ever");
        if sent < asked.len()
            && let Ok(more) = stream.write(&asked[sent..])
        {
            sent += more;
        }
    }
    stream.set_nonblocking(false).unwrap();
    to_the_end(&mut stream);
}

/// Events come seldom, and only from the server: that is no stalled answer.
#[test]
fn a_watcher_who_reads_is_left_alone() {
    let server = Server::patient(
        |_| {},
        Patience {
            stall: Duration::from_secs(7),
            head: SHORT,
            idle: SHORT * 2,
            ..Patience::default()
        },
        SHORT,
    );
    let lan = server.admin();
    let mut stream = server.connect();
    let head = format!(
        "GET /api/v1/events HTTP/1.1\r\nHost: a\r\nCookie: {}\r\n\r\n",
        lan.cookie
    );
    stream.write_all(head.as_bytes()).unwrap();
    // A comment each five seconds: the third is beyond any patience.
    let mut text = String::new();
    while text.matches("\n:\n").count() < 3 {
        let mut part = [0; 4096];
        let length = stream.read(&mut part).unwrap();
        assert!(length > 0, "it was ended: {text}");
        text += &String::from_utf8_lossy(&part[..length]);
    }
}

#[test]
fn connections_are_bounded_and_a_place_that_comes_free_is_given_on() {
    let server = Server::with(|config| config.limits_connections = 3);
    let mut held: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for stream in &mut held {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        stream.read_exact(&mut [0; 15]).unwrap();
    }
    assert_eq!(to_the_end(&mut server.connect()), "");
    drop(held.pop());
    let begun = std::time::Instant::now();
    loop {
        assert!(begun.elapsed() < LONG, "no place came free");
        let mut stream = server.connect();
        let asked = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = to_the_end(&mut stream);
        if asked.is_ok() && answer.contains("loa_connections_refused_total{reason=\"places\"} ") {
            assert!(!answer.contains("{reason=\"places\"} 0"), "{answer}");
            break;
        }
    }
}

#[test]
fn what_is_under_way_when_the_server_ends_is_brought_to_its_end() {
    let server = Server::start();
    let mut stream = server.connect();
    let body = json!({ "username": "lan", "password": "x" }).to_string();
    let head = format!(
        "POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body.as_bytes()[..5]).unwrap();
    let mut idle = server.connect();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    idle.read_exact(&mut [0; 15]).unwrap();
    server.end.send_replace(true);
    to_the_end(&mut idle);
    stream.write_all(&body.as_bytes()[5..]).unwrap();
    let answer = to_the_end(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}
