//! A client of the app-server over pipes.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::Duration,
};

use serde_json::{Value, json};

use crate::world::{Ran, World, finish};

/// Longest wait for one line.
const LINE_MAX: Duration = Duration::from_secs(120);

pub(crate) struct Client {
    pub(crate) child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    next_id: i64,
    /// All lines so far.
    pub(crate) seen: Vec<Value>,
}

impl Client {
    /// Starts the server and says hello.
    pub(crate) fn start(world: &World, args: &[&str]) -> Self {
        let mut client = Self::silent(world, args);
        let result = client.ask(
            "initialize",
            json!({
                "clientInfo": { "name": "probe", "title": null, "version": "1" },
                "capabilities": { "experimentalApi": true },
            }),
        );
        assert!(result["result"]["userAgent"].as_str().unwrap().starts_with("probe/"), "{result}");
        client.send(&json!({ "method": "initialized" }));
        client
    }

    /// Starts the server and says nothing.
    pub(crate) fn silent(world: &World, args: &[&str]) -> Self {
        let args: Vec<&str> = args.iter().chain(&["app-server"]).copied().collect();
        let mut command = world.command(&args);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, lines, next_id: 1, seen: Vec::new() }
    }

    pub(crate) fn send(&mut self, line: &Value) {
        self.send_text(&line.to_string());
    }

    pub(crate) fn send_text(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Sends a request and gives its id.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({ "id": id, "method": method, "params": params }));
        id
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        self.until(|line| line.get("method").is_none() && line["id"] == id)
    }

    /// The next line; `None` when there are no more.
    pub(crate) fn line(&mut self) -> Option<Value> {
        match self.lines.recv_timeout(LINE_MAX) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("no line came within {LINE_MAX:?} after {:#?}", self.seen.last())
            }
        }
    }

    /// Reads until a line is wanted.
    pub(crate) fn until(&mut self, is: impl Fn(&Value) -> bool) -> Value {
        loop {
            let Some(line) = self.line() else { panic!("the end came after {:#?}", self.seen) };
            if is(&line) {
                return line;
            }
        }
    }

    pub(crate) fn until_method(&mut self, method: &str) -> Value {
        self.until(|line| line["method"] == method)
    }

    /// Starts a thread and gives its id.
    pub(crate) fn thread(&mut self, params: Value) -> String {
        let answer = self.ask("thread/start", params);
        let id = answer["result"]["thread"]["id"].as_str();
        id.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Starts a turn with a text and gives its id.
    pub(crate) fn turn(&mut self, thread: &str, text: &str) -> String {
        let input = json!([{ "type": "text", "text": text }]);
        let answer = self.ask("turn/start", json!({ "threadId": thread, "input": input }));
        let id = answer["result"]["turn"]["id"].as_str();
        id.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Ends the input and waits for the server's end; what it said meanwhile is seen.
    pub(crate) fn end(mut self) -> (Ran, Vec<Value>) {
        drop(self.stdin.take());
        while self.line().is_some() {}
        (finish(self.child), self.seen)
    }
}

/// Methods of notifications and requests, in order, with the type of items; deltas are left out.
pub(crate) fn methods(lines: &[Value]) -> Vec<String> {
    let name = |line: &Value| {
        let method = line["method"].as_str()?;
        let of = line["params"]["item"]["type"].as_str();
        let of = of.or_else(|| line["params"]["status"]["type"].as_str());
        let is_delta = method.ends_with("elta");
        (!is_delta).then(|| of.map_or(method.to_owned(), |of| format!("{method} {of}")))
    };
    lines.iter().filter_map(name).collect()
}
