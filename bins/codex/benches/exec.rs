//! What `codex exec` costs as a whole process, against a scripted model on loopback.
//!
//! `cargo bench -p codex` prints one row per figure: least, median, most. Arguments:
//! `cargo bench -p codex -- --against PATH` runs another binary with the same interface in turn and
//! adds the ratio of the medians. `-- --journal` measures only what a journal costs. Set `RUNS` for
//! another number of runs (default 20).
//!
//! CPU is that of the process and of everything it waited for; memory is the proportional set of
//! all processes, sampled while the run pauses.

#![allow(clippy::unwrap_used, clippy::print_stdout, unsafe_code, reason = "a benchmark")]

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use codex_rehearsal::{Script, Server, ServerOptions};
use serde_json::{Value, json};

/// One run.
struct Run {
    wall_ms: f64,
    cpu_ms: f64,
}

/// Where a run happens: a home, a workspace, a configuration.
struct Place {
    dir: tempfile::TempDir,
    base_url: String,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let only_journal = args == ["--journal"];
    let against = match &args[..] {
        [flag, path] if flag == "--against" => Some(PathBuf::from(path)),
        [] => None,
        _ if only_journal => None,
        other => panic!("unknown arguments {other:?}"),
    };
    let runs: usize = std::env::var("RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(20);
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_codex"));
    let size = fs::metadata(&ours).unwrap().len();
    println!("binary: {:.2} MB", size as f64 / 1e6);

    let bench = Bench { ours, against, runs };
    bench.journal();
    if only_journal {
        return;
    }
    bench.version();
    bench.one_turn();
    bench.one_turn_https();
    bench.memory();
    bench.tool_calls();
    bench.deltas();
}

struct Bench {
    ours: PathBuf,
    against: Option<PathBuf>,
    runs: usize,
}

impl Bench {
    fn version(&self) {
        self.row("codex --version", 1.0, |binary| {
            let mut command = Command::new(binary);
            command.arg("--version");
            measure(command)
        });
    }

    fn one_turn(&self) {
        let server = serve(json!({ "default": { "items": ["Hello."] } }));
        let place = Place::new(server.base_url(), "");
        self.row("one turn, http", 1.0, |binary| measure(place.exec(binary)));
        // What a process costs that only posts the request, without an agent around it.
        println!(
            "  (a bare POST in a process: `cargo run --release -p codex-net --example fetch`)"
        );
    }

    fn one_turn_https(&self) {
        let (base_url, pem) = serve_https();
        let place = Place::new(base_url, "");
        let file = place.dir.path().join("ca.pem");
        fs::write(&file, pem).unwrap();
        self.row("one turn, https with system roots", 1.0, |binary| {
            let mut command = place.exec(binary);
            command.env("SSL_CERT_FILE", &file);
            measure(command)
        });
    }

    /// What a journal costs: the same run with and without, in turn.
    fn journal(&self) {
        let call = json!({ "call": "exec_command", "args": { "cmd": "ls -la /etc" } });
        let mut calls: Vec<Value> =
            (0..9).map(|_| json!({ "items": ["Let me see.", call], "deltas": true })).collect();
        calls.push(json!({ "items": [{ "message": "word ", "times": 200 }], "deltas": true }));
        let deltas = json!([{ "items": [{ "message": "word ", "times": 5_000 }], "deltas": true }]);
        for (what, steps) in [
            ("one turn, journal", json!([{ "items": ["Hello."] }])),
            ("nine tool calls and 200 deltas, journal", json!(calls)),
            ("5,000 deltas, journal", deltas),
        ] {
            let mut figures = [Vec::new(), Vec::new()];
            for round in 0..=self.runs {
                for (with, figures) in figures.iter_mut().enumerate() {
                    let server = serve(json!({ "steps": steps }));
                    let place = Place::new(server.base_url(), "");
                    let mut command = place.exec(&self.ours);
                    if with == 1 {
                        command.args(["--journal", "../journal"]);
                    }
                    let run = measure(command);
                    if round > 0 {
                        figures.push(run.cpu_ms);
                    }
                }
            }
            let [without, with] = figures.map(|figures| spread(figures.into_iter()));
            println!(
                "{what}: CPU {:.2} / {:.2} / {:.2} ms without, {:.2} / {:.2} / {:.2} ms with: {:+.1} %",
                without.0,
                without.1,
                without.2,
                with.0,
                with.1,
                with.2,
                (with.1 / without.1 - 1.0) * 100.0
            );
        }
    }

    fn memory(&self) {
        let steps = json!({ "default": { "items": ["Hello."], "gap_ms": 100, "deltas": true } });
        let server = serve(steps);
        let place = Place::new(server.base_url(), "");
        for binary in self.binaries() {
            let mut child = place.exec(&binary).spawn().unwrap();
            let mut most = 0;
            while child.try_wait().unwrap().is_none() {
                most = most.max(proportional_kib(child.id()));
                thread::sleep(Duration::from_millis(10));
            }
            println!("one turn, peak memory: {:.1} MiB ({})", most as f64 / 1024.0, name(&binary));
        }
    }

    fn tool_calls(&self) {
        const CALLS: usize = 50;
        let call = json!({ "call": "exec_command", "args": { "cmd": "true" } });
        let mut steps: Vec<Value> = (0..CALLS).map(|_| json!({ "items": [call] })).collect();
        steps.push(json!({ "items": ["Done."], "repeat": "always" }));
        // The profile burns 100 ms, like many real ones do.
        let profile =
            "i=$(date +%s%N); while [ $(( $(date +%s%N) - i )) -lt 100000000 ]; do :; done\n";
        self.row("tool call (`true`), of 50", CALLS as f64, |binary| {
            let server = serve(json!({ "steps": steps }));
            let place = Place::new(server.base_url(), profile);
            let mut command = place.exec(binary);
            command.args(["-s", "workspace-write"]);
            measure(command)
        });
        println!("  (per call: whole run with start, login shell snapshot and end, divided by 50)");
    }

    fn deltas(&self) {
        let script = json!({ "steps": [{
            "items": [{ "message": "word ", "times": 20_000 }],
            "deltas": true, "chunks": "one", "repeat": "always",
        }] });
        let server = serve(script);
        let place = Place::new(server.base_url(), "");
        self.row("20,000 text deltas in one body", 1.0, |binary| measure(place.exec(binary)));
    }

    fn binaries(&self) -> Vec<PathBuf> {
        std::iter::once(self.ours.clone()).chain(self.against.clone()).collect()
    }

    /// Runs all binaries in turn and prints their figures, each divided by `parts`.
    fn row(&self, what: &str, parts: f64, mut run: impl FnMut(&Path) -> Run) {
        let binaries = self.binaries();
        let mut figures: Vec<Vec<Run>> = binaries.iter().map(|_| Vec::new()).collect();
        for round in 0..=self.runs {
            for (binary, figures) in binaries.iter().zip(&mut figures) {
                let one = run(binary);
                // The first round warms the caches.
                if round > 0 {
                    figures.push(one);
                }
            }
        }
        let mut medians = Vec::new();
        for (binary, runs) in binaries.iter().zip(&figures) {
            let wall = spread(runs.iter().map(|run| run.wall_ms / parts));
            let cpu = spread(runs.iter().map(|run| run.cpu_ms / parts));
            println!(
                "{what}: wall {:.2} / {:.2} / {:.2} ms, CPU {:.2} / {:.2} / {:.2} ms ({})",
                wall.0,
                wall.1,
                wall.2,
                cpu.0,
                cpu.1,
                cpu.2,
                name(binary)
            );
            medians.push(wall.1);
        }
        if let [ours, theirs] = medians[..] {
            println!("{what}: {:.1} times faster", theirs / ours);
        }
    }
}

fn name(binary: &Path) -> String {
    let parts: Vec<_> = binary.components().rev().take(2).map(|c| c.as_os_str()).collect();
    parts.iter().rev().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Least, median, most.
fn spread(values: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    (values[0], values[values.len() / 2], values[values.len() - 1])
}

fn serve(script: Value) -> Server {
    let script = Script::from_json(&script).unwrap();
    Server::serve(script, ServerOptions::default()).unwrap()
}

impl Place {
    fn new(base_url: String, profile: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("codex-bench-").tempdir_in("/var/tmp").unwrap();
        for folder in ["home", "user", "work/.git"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        fs::write(dir.path().join("user/.bash_profile"), profile).unwrap();
        let config = format!(
            "model = \"gpt-5.5\"\nmodel_provider = \"bench\"\n[model_providers.bench]\nname = \
             \"bench\"\nbase_url = \"{base_url}\"\nwire_api = \"responses\"\n"
        );
        fs::write(dir.path().join("home/config.toml"), config).unwrap();
        Self { dir, base_url }
    }

    fn exec(&self, binary: &Path) -> Command {
        let mut command = Command::new(binary);
        command
            .args(["exec", "--skip-git-repo-check", "hi"])
            .current_dir(self.dir.path().join("work"))
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.dir.path().join("user"))
            .env("CODEX_HOME", self.dir.path().join("home"))
            .env("SHELL", "/bin/bash")
            .env("LANG", "C.UTF-8")
            .env("BENCH_BASE_URL", &self.base_url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

fn measure(mut command: Command) -> Run {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let before = children_cpu_ms();
    let start = Instant::now();
    let status = command.status().unwrap();
    let wall_ms = start.elapsed().as_secs_f64() * 1e3;
    assert!(status.success(), "{command:?}: {status}");
    Run { wall_ms, cpu_ms: children_cpu_ms() - before }
}

/// CPU of all children that were waited for, and of what they waited for.
fn children_cpu_ms() -> f64 {
    // SAFETY: the call only fills the struct, for which all-zero bytes are a valid value.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    let ms = |time: libc::timeval| time.tv_sec as f64 * 1e3 + time.tv_usec as f64 / 1e3;
    ms(usage.ru_utime) + ms(usage.ru_stime)
}

/// Proportional set of a process and its descendants, in KiB.
fn proportional_kib(pid: u32) -> u64 {
    let mut sum = 0;
    let mut pids = vec![pid];
    while let Some(pid) = pids.pop() {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = pss.and_then(|rest| rest.trim().strip_suffix("kB"));
        sum += kib.and_then(|kib| kib.trim().parse::<u64>().ok()).unwrap_or(0);
        let tasks = fs::read_dir(format!("/proc/{pid}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            pids.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
    }
    sum
}

/// A TLS server that answers every request with the same small response. Returns its base URL and
/// its certificate.
fn serve_https() -> (String, String) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der());
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.unwrap())
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = Script::from_json(&json!({ "default": { "items": ["Hello."] } })).unwrap();
    let mut model = codex_rehearsal::ScriptedModel::new(script);
    let body = model.respond(b"{}", &[]).body();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\nconnection: \
         close\r\n\r\n",
        body.len()
    );
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (config, answer, body) = (Arc::clone(&config), answer.clone(), body.clone());
            thread::spawn(move || {
                let connection = rustls::ServerConnection::new(config).unwrap();
                let mut tls = rustls::StreamOwned::new(connection, stream.unwrap());
                let mut request = Vec::new();
                let mut chunk = [0; 16_384];
                while !is_whole(&request) {
                    match tls.read(&mut chunk) {
                        Ok(0) | Err(_) => return,
                        Ok(count) => request.extend_from_slice(&chunk[..count]),
                    }
                }
                let _ = tls.write_all(answer.as_bytes());
                let _ = tls.write_all(&body);
                tls.conn.send_close_notify();
                let _ = tls.flush();
            });
        }
    });
    (format!("https://localhost:{port}/v1"), certified.cert.pem())
}

/// Whether a request's body is complete, by its `content-length`.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    body.len() >= length.unwrap_or(0)
}
