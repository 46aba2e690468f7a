//! Bytes that no driver sends, by the thousand: the connection that sends them ends, and nobody else notices.
//!
//! Everything random comes from a seed; `TRIBUTARY_FLOOD_SEED` takes another one, which a failure names.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::logins::{start, users};
use super::raw::Raw;

const STREAMS: usize = 10_000;
const MIB: u64 = 1 << 20;

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.next() as u8).collect()
    }
}

fn seed() -> u64 {
    std::env::var("TRIBUTARY_FLOOD_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_260_302)
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

fn startup() -> Vec<u8> {
    let body = b"\0\x03\0\0user\0ana\0database\0tributary\0\0";
    [&(body.len() as u32 + 4).to_be_bytes()[..], body].concat()
}

/// A conversation of a driver, message by message.
fn conversation() -> Vec<Vec<u8>> {
    vec![
        message(b'Q', b"SELECT 1; SELECT 'tea'\0"),
        message(b'P', b"s\0SELECT $1::bigint + 1\0\0\x01\0\0\0\x14"),
        message(b'D', b"Ss\0"),
        message(b'B', b"p\0s\0\0\x01\0\x01\0\x01\0\0\0\x08\0\0\0\0\0\0\0\x05\0\x01\0\x01"),
        message(b'E', b"p\0\0\0\0\x01"),
        message(b'C', b"Pp\0"),
        message(b'S', b""),
        message(b'p', b"SCRAM-SHA-256\0\0\0\0\x0an,,n=,r=me"),
        message(b'd', b"row\n"),
        message(b'H', b""),
    ]
}

/// One stream: noise, or a conversation with something wrong in it.
fn stream(random: &mut Random) -> Vec<u8> {
    if random.below(8) == 0 {
        return random.bytes(300);
    }
    let mut bytes = if random.below(10) == 0 { random.bytes(20) } else { startup() };
    let messages = conversation();
    for _ in 0..random.below(6) {
        let mut message = messages[random.below(messages.len())].clone();
        match random.below(7) {
            // A length that promises more or less than there is.
            0 => message[1..5].copy_from_slice(&(random.next() as u32).to_be_bytes()),
            1 => message[1..5].copy_from_slice(&(random.below(70) as u32).to_be_bytes()),
            2 => message.truncate(random.below(message.len())),
            3 => message[0] = random.next() as u8,
            4 => {
                for _ in 0..=random.below(4) {
                    let at = random.below(message.len());
                    message[at] = random.next() as u8;
                }
            }
            5 => message.extend(random.bytes(40)),
            _ => {}
        }
        bytes.extend(message);
    }
    let is_cut = random.below(4) == 0;
    if is_cut {
        bytes.truncate(random.below(bytes.len() + 1));
    }
    bytes
}

/// Sends a stream and waits until the server has closed the connection.
fn send(address: SocketAddr, bytes: &[u8]) -> Result<(), String> {
    let mut socket = TcpStream::connect(address).map_err(|error| format!("no connection: {error}"))?;
    socket.set_read_timeout(Some(Duration::from_secs(30))).map_err(|error| error.to_string())?;
    // The server may end the connection before it has read all.
    let _ = socket.write_all(bytes);
    let _ = socket.shutdown(Shutdown::Write);
    let mut answer = vec![];
    match socket.read_to_end(&mut answer) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Err("the connection stays open".to_owned())
        }
        _ => Ok(()),
    }
}

fn flood(config: &str) {
    let configured = start(config, &[]);
    let server = &configured.server;
    let mut bystander = config.is_empty().then(|| Raw::start(server));
    // Whatever is made once is made now.
    for _ in 0..50 {
        send(server.address(), &startup()).expect("a connection that says no more ends");
    }
    let (memory, files) = (server.resident_bytes(), server.open_files());
    let next = AtomicUsize::new(0);
    let (address, seed) = (server.address(), seed());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= STREAMS {
                        return;
                    }
                    let bytes = stream(&mut Random(seed.wrapping_add(number as u64)));
                    send(address, &bytes)
                        .unwrap_or_else(|why| panic!("stream {number} of seed {seed}: {why}: {bytes:?}"));
                }
            });
        }
        while next.load(Ordering::Relaxed) < STREAMS {
            if let Some(bystander) = &mut bystander {
                assert_eq!(bystander.query("SELECT 1"), (b"TDC".to_vec(), b'I'), "others go on");
            }
            assert!(server.resident_bytes() < memory + 256 * MIB, "{} MiB", server.resident_bytes() / MIB);
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let started = Instant::now();
    while server.open_files() > files + 2 {
        assert!(started.elapsed() < Duration::from_secs(20), "{} files, {files} before", server.open_files());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[test]
fn ten_thousand_streams_end_and_nobody_notices() {
    flood("");
}

#[test]
fn ten_thousand_streams_end_before_anybody_is_let_in() {
    flood(&users());
}

#[test]
fn half_a_gigabyte_is_refused_before_it_is_read() {
    let configured = start("memory_limit = '256MiB'", &[]);
    let server = &configured.server;
    let mut bystander = Raw::start(server);
    let memory = server.resident_bytes();
    for kind in [b'Q', b'P', b'B', b'd'] {
        let mut raw = Raw::start(server);
        raw.send_bytes(&[&[kind][..], &900_000_000_u32.to_be_bytes()].concat());
        let (answer, body) = raw.message();
        assert_eq!(answer, b'E', "{}", kind as char);
        assert!(body.windows(7).any(|field| field == b"\0C54000"), "{}", String::from_utf8_lossy(&body));
    }
    // Messages that are allowed, and never come to their end: some are read, and for the rest there is no memory.
    let mut refused = 0;
    let mut waiting: Vec<Raw> = (0..12).map(|_| Raw::start(server)).collect();
    for raw in &mut waiting {
        raw.send_bytes(&[&b"Q"[..], &60_000_000_u32.to_be_bytes(), &vec![b'x'; 20_000]].concat());
    }
    for raw in &mut waiting {
        if raw.has_answer(Duration::from_millis(300)) {
            let (answer, body) = raw.message();
            assert_eq!(answer, b'E');
            assert!(body.windows(7).any(|field| field == b"\0C53200"), "{}", String::from_utf8_lossy(&body));
            refused += 1;
        }
    }
    assert!((1..12).contains(&refused), "{refused} of 12 were refused");
    assert!(server.resident_bytes() < memory + 256 * MIB, "{} MiB", server.resident_bytes() / MIB);
    assert_eq!(bystander.query("SELECT 1"), (b"TDC".to_vec(), b'I'));
    drop(waiting);
    // What they held is free again.
    let started = Instant::now();
    loop {
        let mut raw = Raw::start(server);
        raw.send_bytes(&[&b"Q"[..], &60_000_000_u32.to_be_bytes()].concat());
        if !raw.has_answer(Duration::from_millis(300)) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "the memory is not given back");
    }
}
