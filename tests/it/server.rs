//! The real binary, started as a user starts it and ended with the test.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, Config, NoTls};

/// A debug build opens its lakes in well under a second; a loaded machine gets time.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The server's program.
pub fn tributary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
    command.stdin(Stdio::null());
    command
}

/// Runs a command that ends by itself.
///
/// Panics if it has not ended after a minute.
pub fn run(command: &mut Command) -> Output {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let (out, err) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status;
        }
        if started.elapsed() > Duration::from_secs(60) {
            let _ = child.kill();
            panic!("{command:?} did not end");
        }
        thread::sleep(Duration::from_millis(20));
    };
    let join = |reader: thread::JoinHandle<Vec<u8>>| reader.join().expect("a reader does not panic");
    Output { status, stdout: join(out), stderr: join(err) }
}

fn collect(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = vec![];
        if let Some(mut stream) = stream {
            let _ = stream.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// A running server. Dropping it ends the process.
pub struct Server {
    child: Child,
    address: SocketAddr,
    status: Option<SocketAddr>,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Serves lakes, each `NAME=PATH`, on a free port.
    pub fn start(lakes: &[String]) -> Self {
        Self::start_with(lakes, &[])
    }

    /// The same with further arguments of `serve`.
    pub fn start_with(lakes: &[String], arguments: &[&str]) -> Self {
        let mut command = tributary();
        command.arg("serve").args(arguments);
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        for lake in lakes {
            command.args(["--lake", lake]);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let log = Arc::new(Mutex::new(String::new()));
        let (sender, lines) = mpsc::channel();
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|stream| Box::new(stream) as _),
            child.stderr.take().map(|stream| Box::new(stream) as _),
        ];
        for stream in streams.into_iter().flatten() {
            let (log, sender) = (Arc::clone(&log), sender.clone());
            // Read to the end, so that the server never waits for a full pipe.
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    log.lock().expect("nothing panics while it logs").push_str(&format!("{line}\n"));
                    let _ = sender.send(line);
                }
            });
        }
        drop(sender);
        let mut server = Self { child, address: ([127, 0, 0, 1], 0).into(), status: None, log };
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(rest) = line.strip_prefix("status on http://") {
                        let address = rest.trim_end_matches("/metrics");
                        server.status = Some(address.parse().expect("an address of the status"));
                    }
                    if let Some(address) = line.strip_prefix("listening on ") {
                        server.address = address.trim().parse().expect("an address after 'listening on'");
                        return server;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("the server did not listen in time:\n{}", server.log()),
                Err(RecvTimeoutError::Disconnected) => panic!("the server ended at once:\n{}", server.log()),
            }
        }
    }

    /// A server of the golden lake, shared by the tests that change nothing in it.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let server = Arc::new(Self::start(&[crate::fixtures::golden_lake()]));
        *shared = Arc::downgrade(&server);
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it answers how it is, if it was told to.
    pub fn status_address(&self) -> Option<SocketAddr> {
        self.status
    }

    /// How a client connects.
    pub fn config(&self) -> Config {
        let mut config = Config::new();
        config
            .host(self.address.ip().to_string())
            .port(self.address.port())
            .user("ana")
            .dbname("tributary")
            .connect_timeout(Duration::from_secs(10));
        config
    }

    /// Opens a connection; its work goes on in the background until the client is dropped.
    pub async fn connect(&self) -> Client {
        connect(&self.config()).await
    }

    /// What the server has written so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("nothing panics while it logs").clone()
    }

    /// CPU time that the process has used, user and system.
    pub fn cpu_time(&self) -> Duration {
        let path = Path::new("/proc").join(self.child.id().to_string()).join("stat");
        let stat = std::fs::read_to_string(&path).expect("the server runs");
        // The name may hold spaces and ends with the last parenthesis; utime and stime are fields 14 and 15.
        let after_name = stat.rsplit_once(") ").expect("a name in parentheses").1;
        let fields: Vec<&str> = after_name.split(' ').collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("ticks")).sum();
        // Linux counts these in hundredths of a second on every machine that Rust supports.
        Duration::from_millis(ticks * 10)
    }

    /// Memory of the process that is in the machine's memory now.
    pub fn resident_bytes(&self) -> u64 {
        let path = Path::new("/proc").join(self.child.id().to_string()).join("status");
        let status = std::fs::read_to_string(&path).expect("the server runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a resident size");
        let kib: u64 = line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number");
        kib * 1024
    }

    /// Files and sockets that the process has open.
    pub fn open_files(&self) -> usize {
        let folder = Path::new("/proc").join(self.child.id().to_string()).join("fd");
        std::fs::read_dir(&folder).expect("the server runs").count()
    }

    /// Sends the process a signal by its name: `TERM`, `INT`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the server runs");
    }

    /// Waits until the process has ended by itself, and gives its exit code.
    ///
    /// Panics if it has not ended after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status.code();
            }
            assert!(started.elapsed() < limit, "the server runs on:\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the process does almost nothing: under a tenth of one core for 300 ms.
    ///
    /// Gives the time it took until it was idle; panics after `limit`.
    pub async fn wait_until_idle(&self, limit: Duration) -> Duration {
        const LOOK: Duration = Duration::from_millis(300);
        let started = Instant::now();
        loop {
            let before = self.cpu_time();
            let since = started.elapsed();
            tokio::time::sleep(LOOK).await;
            if self.cpu_time() - before <= LOOK / 10 {
                return since;
            }
            assert!(since < limit, "the server still works after {since:?}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Connects and drives the connection in the background.
pub async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("the server accepts connections");
    tokio::spawn(connection);
    client
}
