//! Claim: whatever a model streams, the engine's answer does not depend on how its bytes are cut,
//! and the turn goes on or ends.

use std::sync::Arc;

use codex_engine::Engine;
use codex_proto::{
    EffectId, EffectKind, Event, Input, Mono, Now, Op, OpId, Output, Reply, Settings, Wall,
    effect::{HttpHead, ProjectInfo},
    event::Usage,
    item::ItemBody,
    op::Prompt,
    wire::responses::event::StreamEvent,
};

/// The first byte says how the rest, a body of the Responses API, is cut.
pub fn run(bytes: &[u8]) {
    let Some((cut, stream)) = bytes.split_first() else { return };
    let _ = StreamEvent::parse(&String::from_utf8_lossy(stream));
    let size = usize::from(*cut % 32) + 1;
    let whole = Heard::of(&answer([stream]));
    let pieces = Heard::of(&answer(stream.chunks(size)));
    assert_eq!(whole, pieces, "cut every {size} bytes");
}

/// What came of a response, each kind in its order. Calls run as they come, so only the order
/// between them and the text may depend on the cuts.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    items: Vec<ItemBody>,
    warnings: Vec<String>,
    calls: Vec<String>,
    usage: Option<Usage>,
    retries: usize,
}

impl Heard {
    fn of(outputs: &[Output]) -> Self {
        let mut heard = Self::default();
        for output in outputs {
            let Output::Event(event) = output else { continue };
            match event {
                Event::ItemCompleted { item, .. } => match &item.body {
                    ItemBody::AgentMessage { .. }
                    | ItemBody::Reasoning { .. }
                    | ItemBody::WebSearch { .. } => heard.items.push(item.body.clone()),
                    _ => {}
                },
                Event::ItemStarted { item, .. } => {
                    if let ItemBody::Command(command) = &item.body {
                        heard.calls.push(command.call_id.clone());
                    }
                }
                Event::Warning { message, .. } => heard.warnings.push(message.clone()),
                Event::UsageUpdated { last, .. } => heard.usage = Some(*last),
                Event::Retrying { .. } => heard.retries += 1,
                _ => {}
            }
        }
        heard
    }
}

/// What the engine does while a model answers its first request with these bytes.
fn answer<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Output> {
    let mut settings = Settings::sample("/w".into());
    settings.ephemeral = true;
    let mut host = Host { engine: Engine::new(Arc::new(settings), [7; 16]), out: Vec::new() };
    let Some(request) = host.ask() else { panic!("no request") };
    host.out.clear();
    let head = HttpHead { status: 200, headers: Vec::new() };
    host.feed(Input::Reply(request, Reply::Head(Box::new(head))));
    for chunk in chunks {
        host.feed(Input::Reply(request, Reply::Bytes(chunk.to_vec())));
    }
    host.feed(Input::Reply(request, Reply::Closed));
    assert!(host.engine.inflight() <= 512, "{} effects in flight", host.engine.inflight());
    host.out
}

struct Host {
    engine: Engine,
    out: Vec<Output>,
}

impl Host {
    /// Starts a thread, says something, and gives the request.
    fn ask(&mut self) -> Option<EffectId> {
        self.feed(Input::Op(OpId(1), Op::StartThread));
        let project = self.effect(|kind| matches!(kind, EffectKind::Project(_)))?;
        self.feed(Input::Reply(project, Reply::Project(Box::<ProjectInfo>::default())));
        self.feed(Input::Reply(project, Reply::Closed));
        let thread = self.out.iter().find_map(|output| match output {
            Output::Event(Event::ThreadReady(ready)) => Some(ready.thread),
            _ => None,
        })?;
        self.feed(Input::Op(OpId(2), Op::Prompt(Box::new(Prompt::text(thread, "go")))));
        self.effect(|kind| matches!(kind, EffectKind::Http(_)))
    }

    fn feed(&mut self, input: Input) {
        let now = Now { mono: Mono(1), wall: Wall(1_795_328_118_541) };
        self.out.extend(self.engine.handle(now, input));
    }

    fn effect(&self, is: impl Fn(&EffectKind) -> bool) -> Option<EffectId> {
        self.out.iter().find_map(|output| match output {
            Output::Effect(effect) if is(&effect.kind) => Some(effect.id),
            _ => None,
        })
    }
}
