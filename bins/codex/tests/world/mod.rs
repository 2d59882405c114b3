//! A home, a project and a scripted model on loopback, for one run of the binary.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use codex_rehearsal::{LoggedRequest, Script, Server, ServerOptions};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_codex");
/// Longest run of a test's process.
const RUN_MAX: Duration = Duration::from_secs(120);

pub(crate) struct World {
    dir: TempDir,
    server: Option<Server>,
    /// Where it listened.
    address: SocketAddr,
    /// Bodies of the requests so far.
    pub(crate) requests: Arc<Mutex<Vec<Value>>>,
}

pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Standard output as JSON lines.
    pub(crate) fn events(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// The types of the lines, items with theirs.
    pub(crate) fn kinds(&self) -> Vec<String> {
        self.events().iter().map(kind).collect()
    }
}

fn serve(script: &str, addr: SocketAddr, requests: &Arc<Mutex<Vec<Value>>>) -> Server {
    let log = Arc::clone(requests);
    let options = ServerOptions {
        addr,
        on_request: Some(Box::new(move |request: &LoggedRequest<'_>| {
            log.lock().unwrap().push(serde_json::from_slice(request.body).unwrap_or_default());
        })),
        ..ServerOptions::default()
    };
    let script = Script::parse("test", script).unwrap_or_else(|error| panic!("{error}"));
    Server::serve(script, options).unwrap()
}

fn kind(event: &Value) -> String {
    let name = event["type"].as_str().unwrap().to_owned();
    match event["item"]["type"].as_str() {
        Some(item) => format!("{name} {item}"),
        None => name,
    }
}

impl World {
    /// A world whose model follows a script.
    pub(crate) fn new(script: &str) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let server = serve(script, ServerOptions::default().addr, &requests);
        let url = server.base_url();
        Self::at(&url, Some(server), requests)
    }

    /// The same at a port that the system gives to nobody, so that it can be left and taken again.
    pub(crate) fn at_a_port_of_its_own(script: &str) -> Self {
        let mut port = 10_000 + (std::process::id() % 20_000) as u16;
        while let Err(error) = TcpListener::bind(("127.0.0.1", port)) {
            assert!(port < 32_000, "no port is free: {error}");
            port += 1;
        }
        let requests = Arc::new(Mutex::new(Vec::new()));
        let server = serve(script, SocketAddr::from(([127, 0, 0, 1], port)), &requests);
        let url = server.base_url();
        Self::at(&url, Some(server), requests)
    }

    /// The model is gone: nobody listens at its address.
    pub(crate) fn stop_server(&mut self) {
        self.address = self.server.take().unwrap().addr();
    }

    /// A model listens at the address again.
    pub(crate) fn start_server(&mut self, script: &str) {
        self.server = Some(serve(script, self.address, &self.requests));
    }

    /// A world whose model is at an address where nobody listens.
    pub(crate) fn without_server() -> Self {
        // A port that the system gives to nobody.
        Self::at("http://127.0.0.1:1/v1", None, Arc::default())
    }

    fn at(url: &str, server: Option<Server>, requests: Arc<Mutex<Vec<Value>>>) -> Self {
        let dir = TempDir::new().unwrap();
        for name in ["home", "project/.git"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let config = format!(
            "model_provider = \"local\"\n[exec]\nstdin_wait_ms = 200\n[model_providers.local]\n\
             name = \"local\"\nbase_url = \"{url}\"\nwire_api = \"responses\"\n\
             request_max_retries = 0\nstream_max_retries = 1\n"
        );
        fs::write(dir.path().join("home/config.toml"), config).unwrap();
        let address = ServerOptions::default().addr;
        Self { dir, server, address, requests }
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// The binary with this world's environment and nothing on standard input.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command
            .args(args)
            .current_dir(self.project())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.home())
            .env("CODEX_HOME", self.home())
            .env("SHELL", "/bin/bash")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        finish(self.command(args).spawn().unwrap())
    }

    /// Runs with bytes on standard input.
    pub(crate) fn run_with(&self, args: &[&str], stdin: &[u8]) -> Ran {
        // All is in the pipe before the process starts, since it does not wait for ever.
        let (reader, mut writer) = std::io::pipe().unwrap();
        assert!(stdin.len() <= 4_096, "a pipe has room for that");
        writer.write_all(stdin).unwrap();
        drop(writer);
        finish(self.command(args).stdin(reader).spawn().unwrap())
    }

    /// The transcripts, oldest first.
    pub(crate) fn rollouts(&self) -> Vec<PathBuf> {
        let (mut found, mut folders) = (Vec::new(), vec![self.home().join("sessions")]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        found
    }
}

/// Waits for a process and takes its output; a process that does not end fails the test.
pub(crate) fn finish(mut child: Child) -> Ran {
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    let status = wait_within(&mut child, RUN_MAX);
    let text = |reader: Option<std::thread::JoinHandle<String>>| {
        reader.map(|reader| reader.join().unwrap()).unwrap_or_default()
    };
    Ran { status, stdout: text(stdout), stderr: text(stderr) }
}

fn collect(mut reader: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    })
}

pub(crate) fn wait_within(child: &mut Child, within: Duration) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > within {
            child.kill().unwrap();
            panic!("the process did not end within {within:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until a condition holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < RUN_MAX, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Processes whose command line holds a marker.
pub(crate) fn processes_with(marker: &str) -> usize {
    let holds = |pid: &Path| {
        fs::read(pid.join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).split('\0').any(|word| word == marker))
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter(|entry| holds(&entry.path())).count()
}
