//! The tables that open the modules of the machines, held against what the machines do. From the
//! same tables the pages of `docs/machines` are made; `UPDATE_GOLDEN=1` rewrites them.

#![expect(clippy::disallowed_methods, reason = "this test reads the tree, the engine does not")]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use codex_engine::{Engine, Move};
use codex_proto::{
    HostError, HostErrorKind, Op, Reply, ThreadId, Wall,
    approval::ApprovalAnswer,
    effect::Exit,
    op::{Prompt, PromptPart},
    policy::ApprovalPolicy,
    rollout::{LineKind, push_line},
};
use codex_sim::{
    World,
    scene::{Scene, function, head, patch},
};
use serde_json::{Value, json};

#[path = "machines/voice.rs"]
mod voice;

/// Seeds that are run beside the scenes.
const SEEDS: u64 = 25;
/// Steps of the safety phase of each.
const STEPS: usize = 300;

/// Name of the machine, what it is, and the file that its table opens.
const MACHINES: [(&str, &str, &str); 17] = [
    ("thread", "A conversation, from its start to its end.", "thread/mod.rs"),
    ("slot", "One of the things that a thread needs before it can begin.", "thread/starting.rs"),
    ("prompt", "A prompt that has not reached the model yet.", "thread/queue.rs"),
    ("snapshot", "The snapshot of the login shell.", "thread/shared.rs"),
    ("turn", "From a prompt to the model's last word.", "turn/mod.rs"),
    ("stream", "One attempt at a request to the model.", "model/stream.rs"),
    ("tool", "A tool call, from the model's word to its output.", "tool/run.rs"),
    ("command", "A running command.", "tool/command.rs"),
    ("patch", "A patch that is being applied.", "tool/patch.rs"),
    ("conversation", "A conversation by voice.", "realtime/conversation.rs"),
    ("call", "The request that creates a call by voice.", "realtime/create.rs"),
    ("sideband", "The socket of a conversation by voice.", "realtime/sideband.rs"),
    ("control", "Which line carries the messages of a conversation.", "realtime/control.rs"),
    ("closing", "A socket of voice that is being closed.", "realtime/closing.rs"),
    ("prepared", "What is ready before a conversation by voice.", "realtime/prepare.rs"),
    ("response", "Asking the voice model to answer.", "realtime/response.rs"),
    ("handoff", "A task that the voice model gives the agent.", "realtime/handoff.rs"),
];

/// The rollout's writer has a table, too; it is last because every thread has one.
const ROLLOUT: (&str, &str, &str) =
    ("rollout", "The writer of a thread's transcript.", "rollout/log.rs");

/// A row of a table: one arrow from each of its states, for each of its causes, to each target.
struct Row {
    from: Vec<String>,
    on: Vec<String>,
    to: Vec<String>,
    remark: String,
}

/// Machines that must have come to an end when another one makes this move.
const ENDED: [(&str, &str, &[&str]); 4] = [
    ("thread", "slots filled", &["slot"]),
    ("turn", "last line settled", &["stream", "tool", "patch"]),
    ("thread", "all ended", &["prompt", "turn", "command", "conversation", "prepared"]),
    ("thread", "all ended", &["call", "sideband", "control", "closing", "handoff"]),
];

/// The moves of each seed's world in order; run once for all tests.
static WORLDS: LazyLock<Vec<Vec<Move>>> = LazyLock::new(|| (1..=SEEDS).map(world).collect());

fn world(seed: u64) -> Vec<Move> {
    let world = World::run(seed, STEPS).unwrap_or_else(|failure| panic!("{failure}"));
    let mut engine = Engine::new(world.settings, world.engine_seed);
    let mut moves = Vec::new();
    for (now, input) in world.inputs {
        engine.handle(now, input).for_each(drop);
        moves.extend_from_slice(engine.moves());
    }
    moves
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn machines() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    MACHINES.into_iter().chain([ROLLOUT])
}

/// Reads the first table of a module's documentation.
fn table(file: &str) -> Vec<Row> {
    let path = root().join("codex-engine/src").join(file);
    let text = fs::read_to_string(&path).unwrap();
    let docs = text.lines().map_while(|line| line.strip_prefix("//!"));
    let block = docs.skip_while(|line| line.trim() != "```text").skip(1);
    let lines: Vec<&str> = block.take_while(|line| line.trim() != "```").map(str::trim).collect();
    let rows: Vec<Row> =
        lines.iter().map(|line| row(line).unwrap_or_else(|| panic!("{file}: `{line}`"))).collect();
    assert!(!rows.is_empty(), "{file} has no table");
    rows
}

/// `From, From --cause, cause--> To, To   remark`; two spaces or more set the remark apart.
fn row(line: &str) -> Option<Row> {
    let (from, rest) = line.split_once("--")?;
    let (on, rest) = rest.split_once("-->")?;
    let rest = rest.trim_start();
    let (to, remark) = rest.split_once("  ").unwrap_or((rest, ""));
    let list = |text: &str| text.split(", ").map(|part| part.trim().to_owned()).collect();
    Some(Row { from: list(from), on: list(on), to: list(to), remark: remark.trim().to_owned() })
}

fn arrows(row: &Row) -> Vec<(String, String, String)> {
    let mut arrows = Vec::new();
    for from in &row.from {
        for on in &row.on {
            for to in &row.to {
                arrows.push((from.clone(), on.clone(), to.clone()));
            }
        }
    }
    arrows
}

fn seen() -> BTreeSet<Move> {
    scenes().iter().chain(&*WORLDS).flatten().copied().collect()
}

#[test]
fn every_move_is_a_row_and_every_row_is_seen() {
    let seen = seen();
    let mut wrong = String::new();
    let mut known = BTreeSet::new();
    for (machine, _, file) in machines() {
        for (from, on, to) in table(file).iter().flat_map(arrows) {
            let was_seen = seen.iter().any(|Move { machine: of, from: a, on: b, to: c }| {
                (*of, *a, *b, *c) == (machine, from.as_str(), on.as_str(), to.as_str())
            });
            if !was_seen {
                let _ = writeln!(wrong, "{machine}: {from} --{on}--> {to} never happens");
            }
            known.insert((machine, from, on, to));
        }
    }
    for Move { machine, from, on, to } in &seen {
        let row = (*machine, (*from).to_owned(), (*on).to_owned(), (*to).to_owned());
        if !known.contains(&row) {
            let _ = writeln!(wrong, "{machine}: {from} --{on}--> {to} is in no table");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// A move that is not reported leaves a machine behind in a state that it has left. Somebody
/// notices: it leaves a state in which no machine is, or its parent ends before it.
#[test]
fn every_move_is_reported() {
    for (number, moves) in (1..).zip(scenes()) {
        count(&moves).unwrap_or_else(|wrong| panic!("scene {number}: {wrong}"));
    }
    for (seed, moves) in (1..=SEEDS).zip(WORLDS.iter()) {
        count(moves).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}"));
    }
}

/// Counts the machines in each state, move by move, until a second thread begins: a move does not
/// say whose it is.
fn count(moves: &[Move]) -> Result<(), String> {
    let tables: Vec<_> = machines().map(|(machine, _, file)| (machine, table(file))).collect();
    let mut open: BTreeMap<(String, String), i64> = BTreeMap::new();
    let mut left = BTreeSet::new();
    for (machine, rows) in &tables {
        let froms = rows.iter().flat_map(|row| &row.from);
        left.extend(froms.map(|from| ((*machine).to_owned(), from.clone())));
        // What has no beginning is there from the start, in the state that comes first.
        let first = &rows[0].from[0];
        if first != "(new)" {
            open.insert(((*machine).to_owned(), first.clone()), 1);
        }
    }
    let mut threads = 0;
    for Move { machine, from, on, to } in moves {
        threads += u32::from((*machine, *from) == ("thread", "(new)"));
        if threads > 1 {
            break;
        }
        if *from != "(new)" {
            let count = open.entry(((*machine).to_owned(), (*from).to_owned())).or_default();
            *count -= 1;
            if *count < 0 {
                return Err(format!("{machine}: {from} --{on}--> {to}, but none was {from}"));
            }
        }
        *open.entry(((*machine).to_owned(), (*to).to_owned())).or_default() += 1;
        let ended = ENDED.iter().filter(|(of, why, _)| (of, why) == (machine, on));
        for child in ended.flat_map(|(_, _, children)| *children) {
            let still = |(state, count): &(&(String, String), &i64)| {
                state.0 == *child && **count > 0 && left.contains(*state)
            };
            if let Some(((_, state), count)) = open.iter().find(still) {
                return Err(format!("{machine}: {on}, but {count} {child} was still {state}"));
            }
        }
    }
    Ok(())
}

#[test]
fn the_pages_show_the_tables() {
    let mut index = String::from(
        "# The machines\n\nEach page is made from the table that opens the machine's module; tests hold the tables against what the\nmachines do.\n\n```text\n\
         Engine ── Thread (1..n) ─┬─ Slot (1..2)      what it waits for at its start\n\
         \x20                        ├─ Prompt (0..64)   not yet with the model\n\
         \x20                        ├─ Turn (0..1) ─┬─ Stream (0..1)\n\
         \x20                        │               └─ Tool (0..256) ── Patch (0..1)\n\
         \x20                        ├─ Command (0..64)  outlives its turn\n\
         \x20                        ├─ Snapshot\n\
         \x20                        └─ Rollout\n```\n\n| machine | what it is |\n| --- | --- |\n",
    );
    for (machine, what, file) in machines() {
        let _ = writeln!(index, "| [{machine}]({machine}.md) | {what} |");
        compare(&format!("{machine}.md"), &page(machine, what, file));
    }
    compare("README.md", &index);
}

fn page(machine: &str, what: &str, file: &str) -> String {
    let rows = table(file);
    let mut page = format!("# {machine}\n\n{what} Source: `codex-engine/src/{file}`.\n\n");
    page.push_str("```mermaid\nstateDiagram-v2\n");
    let mut drawn: Vec<(String, String, Vec<String>)> = Vec::new();
    for (from, on, to) in rows.iter().flat_map(arrows) {
        match drawn.iter_mut().find(|(a, b, _)| (a, b) == (&from, &to)) {
            Some((_, _, causes)) => causes.push(on),
            None => drawn.push((from, to, vec![on])),
        }
    }
    for (from, to, causes) in drawn {
        let node = |name: &str| if name == "(new)" { "[*]".into() } else { name.to_owned() };
        let target = if to.starts_with('(') { "[*]".to_owned() } else { node(&to) };
        let end = if to.starts_with('(') { format!(" {to}") } else { String::new() };
        let _ = writeln!(page, "    {} --> {target}: {}{end}", node(&from), causes.join(", "));
    }
    page.push_str("```\n\n| from | cause | to | |\n| --- | --- | --- | --- |\n");
    for Row { from, on, to, remark } in &rows {
        let [from, on, to] = [from, on, to].map(|list| list.join(", "));
        let _ = writeln!(page, "| {from} | {on} | {to} | {remark} |");
    }
    page
}

fn compare(name: &str, page: &str) {
    let path = root().join("docs/machines").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        return fs::write(path, page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/machines/{name} does not show the table: run `UPDATE_GOLDEN=1 cargo test -p codex-sim --test machines`"
    );
}

/// A turn whose model has said this much.
fn turn(said: &[Value]) -> Scene {
    let mut scene = Scene::ready(true);
    scene.prompt("go");
    if !said.is_empty() {
        scene.say(said);
    }
    scene
}

fn picture() -> Scene {
    let mut scene = Scene::ready(true);
    let mut prompt = Prompt::text(scene.id(), "look");
    prompt.content.push(PromptPart::Image { path: "/w/p.png".into() });
    scene.op(Op::Prompt(Box::new(prompt)));
    scene
}

fn stop(scene: &mut Scene, thread: ThreadId) {
    scene.op(Op::StopThread { thread });
}

fn rollout() -> Vec<u8> {
    let id = "01a201e5-0f0d-73f4-9382-ceb60245302b";
    let mut bytes = Vec::new();
    for (kind, payload) in [
        (LineKind::SessionMeta, json!({ "id": id })),
        (LineKind::ResponseItem, patch("p")),
        (
            LineKind::EventMsg,
            json!({ "type": "patch_apply_begin", "call_id": "p", "digests": [
                { "path": "/w/n.txt", "before": null, "after": "00" }] }),
        ),
    ] {
        push_line(&mut bytes, Wall(0), kind, &payload.to_string());
    }
    bytes
}

/// What seeds seldom meet, one scene each.
fn scenes() -> Vec<Vec<Move>> {
    let fail = |kind| Reply::Failed(HostError::new(kind, "no"));
    let mut all = Vec::new();
    let mut scene = |scene: Scene| all.push(scene.moves);

    let resume = || {
        let mut scene = Scene::new(true);
        scene.resume("/r.jsonl");
        scene
    };
    let mut missing = resume();
    missing.reply("read", [fail(HostErrorKind::NotFound)]);
    scene(missing);
    let mut late = resume();
    late.later(100_000);
    scene(late);

    let mut early = Scene::new(true);
    early.op(Op::StartThread);
    stop(&mut early, Scene::first_thread());
    scene(early);
    let mut recovering = resume();
    recovering.reply("project", [Reply::Project(Box::default()), Reply::Closed]);
    recovering.reply("read", [Reply::Bytes(rollout()), Reply::Closed]);
    stop(&mut recovering, "01a201e5-0f0d-73f4-9382-ceb60245302b".parse().unwrap());
    scene(recovering);
    let mut stopped = turn(&[]);
    stopped.reply("http", [Reply::Opened]);
    let command = function("c", "exec_command", &json!({ "cmd": "sleep 9" }));
    stopped.say(std::slice::from_ref(&command));
    stopped.reply("spawn", [Reply::Opened]);
    let thread = stopped.id();
    stop(&mut stopped, thread);
    stopped.later(100_000);
    scene(stopped);

    let mut pictures = picture();
    pictures.later(60_000);
    scene(pictures);
    let mut pictures = picture();
    pictures.interrupt();
    scene(pictures);

    for said in [vec![], vec![Reply::Opened], vec![head(500)]] {
        let mut silent = turn(&[]);
        silent.reply("http", said);
        silent.later(400_000);
        scene(silent);
    }

    let mut waiting = turn(&[]);
    waiting.reply("http", [fail(HostErrorKind::Connect)]);
    waiting.interrupt();
    scene(waiting);
    let mut refused = turn(&[]);
    refused.reply("http", [head(500)]);
    refused.interrupt();
    scene(refused);

    let asks = json!({ "cmd": "x", "sandbox_permissions": "require_escalated",
                       "justification": "why" });
    scene(turn(&[function("e", "exec_command", &asks)]));
    let mut lost = turn(std::slice::from_ref(&command));
    lost.reply("spawn", [Reply::Opened, fail(HostErrorKind::Other)]);
    scene(lost);
    let mut polling = turn(&[command]);
    polling.reply("http", [Reply::Closed]);
    polling.reply("spawn", [Reply::Opened]);
    polling.later(12_000);
    let session = session(&polling);
    polling.say(&[function("w", "write_stdin", &json!({ "session_id": session }))]);
    polling.interrupt();
    scene(polling);

    let mut alone = Scene::new(true);
    alone.op(Op::StartThread);
    alone.reply("project", [fail(HostErrorKind::Permission)]);
    scene(alone);
    let mut recording = Scene::ready(false);
    recording.prompt("go");
    recording.write();
    recording.say(&[patch("p")]);
    recording.write();
    recording.reply("read", [fail(HostErrorKind::NotFound)]);
    recording.interrupt();
    scene(recording);
    let mut reading = turn(&[patch("p")]);
    reading.later(40_000);
    reading.say(&[]);
    scene(reading);
    let mut writing = turn(&[patch("p")]);
    writing.reply("read", [fail(HostErrorKind::NotFound)]);
    writing.interrupt();
    writing.later(10_000);
    scene(writing);

    let asked = |said: Value| {
        let mut scene = Scene::asking(true, ApprovalPolicy::Untrusted);
        scene.prompt("go");
        scene.say(&[said]);
        scene
    };
    let no = || ApprovalAnswer::Deny { feedback: None };
    let make = || function("m", "exec_command", &json!({ "cmd": "make" }));
    let mut command = asked(make());
    command.approve(command.questions()[0], ApprovalAnswer::Once);
    let exit = Exit { code: 159, ..Exit::default() };
    command.reply("spawn", [Reply::Opened, Reply::Exited(exit)]);
    command.approve(command.questions()[0], no());
    scene(command);
    let mut interrupted = asked(make());
    interrupted.interrupt();
    scene(interrupted);
    for answer in [Some(ApprovalAnswer::Once), Some(no()), None] {
        let mut patched = asked(patch("p"));
        patched.reply("read", [fail(HostErrorKind::NotFound)]);
        match answer {
            Some(answer) => patched.approve(patched.questions()[0], answer),
            None => patched.interrupt(),
        }
        scene(patched);
    }
    all.extend(voice::scenes());
    all
}

/// The session that the newest request mentions.
fn session(scene: &Scene) -> u64 {
    let body = String::from_utf8_lossy(scene.requests.last().unwrap());
    let rest = body.split("session ID ").nth(1).unwrap();
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}
