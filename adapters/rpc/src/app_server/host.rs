//! Engines: one per distinct set of start parameters, opened when the first thread needs it and
//! closed when the last one is gone.

use codex_proto::{Op, OpId};
use serde_json::json;

use super::{
    AppServer,
    boundary::{Ask, HostFacts, HostId, HostRequest, Output, Told},
    state::{HostPhase, HostState, Pending, Start, Waiting, Wanted},
};
use crate::{
    jsonrpc::{ErrorObject, RequestId},
    limits::{CONFIG_WARNINGS_MAX, HOSTS_MAX, THREADS_MAX},
};

impl AppServer {
    /// Begins a thread in the engine that the request describes.
    pub(super) fn begin(
        &mut self,
        request: RequestId,
        host: HostRequest,
        start: Start,
    ) -> Result<(), ErrorObject> {
        if self.thread_count() >= THREADS_MAX {
            return Err(ErrorObject::invalid(format!(
                "{THREADS_MAX} threads are loaded already; unload one with `thread/unsubscribe`"
            )));
        }
        let wanted = Wanted { request, start };
        let count = self.hosts.len();
        let known = self.hosts.iter_mut().find(|(_, state)| state.request == host);
        match known {
            Some((_, HostState { phase: HostPhase::Opening(waiting), .. })) => waiting.push(wanted),
            Some((id, _)) => {
                let id = *id;
                self.start_thread(id, wanted);
            }
            None if count >= HOSTS_MAX => {
                return Err(ErrorObject::invalid(format!(
                    "threads run with {HOSTS_MAX} different sets of parameters already; unload one \
                     with `thread/unsubscribe`"
                )));
            }
            None => {
                let id = HostId(self.next_host);
                self.next_host += 1;
                let phase = HostPhase::Opening(vec![wanted]);
                self.hosts.insert(id, HostState { request: host.clone(), phase });
                self.ask(Waiting::Host(id), Ask::OpenHost { host: id, request: Box::new(host) });
            }
        }
        Ok(())
    }

    /// Threads that are loaded or being loaded.
    fn thread_count(&self) -> usize {
        let opening = self.hosts.values().map(|state| match &state.phase {
            HostPhase::Opening(waiting) => waiting.len(),
            HostPhase::Open(_) => 0,
        });
        let starting = self.pending.values().filter(|it| matches!(it, Pending::Start { .. }));
        self.threads.len() + opening.sum::<usize>() + starting.count()
    }

    fn start_thread(&mut self, host: HostId, wanted: Wanted) {
        let Wanted { request, start } = wanted;
        let op = match &start {
            Start::New => Op::StartThread,
            Start::Resumed { path, .. } => Op::ResumeThread { path: path.clone() },
        };
        let id = self.send(host, op);
        self.pending.insert(id, Pending::Start { request, host, start });
    }

    pub(super) fn told_host(&mut self, id: HostId, told: Told) {
        let Some(state) = self.hosts.get_mut(&id) else { return };
        let (phase, problem) = match told {
            Told::Host(facts) => (HostPhase::Open(facts), None),
            Told::Failed(message) => (HostPhase::Open(HostFacts::default()), Some(message)),
            _ => (HostPhase::Open(HostFacts::default()), Some("the host answered oddly".into())),
        };
        let HostPhase::Opening(waiting) = std::mem::replace(&mut state.phase, phase) else {
            return;
        };
        if let Some(message) = problem {
            self.hosts.remove(&id);
            for wanted in waiting {
                self.fail(&wanted.request, ErrorObject::invalid(message.clone()));
            }
            return;
        }
        self.tell_config(id);
        for wanted in waiting {
            self.start_thread(id, wanted);
        }
    }

    fn tell_config(&mut self, id: HostId) {
        let Some(HostState { phase: HostPhase::Open(facts), .. }) = self.hosts.get_mut(&id) else {
            return;
        };
        let warnings = std::mem::take(&mut facts.warnings);
        let untold = warnings.len().saturating_sub(CONFIG_WARNINGS_MAX);
        for warning in warnings.into_iter().take(CONFIG_WARNINGS_MAX) {
            self.notify("configWarning", json!({ "summary": warning, "details": null }));
        }
        if untold > 0 {
            let summary = format!("{untold} more warnings about the configuration are not shown");
            self.notify("configWarning", json!({ "summary": summary, "details": null }));
        }
    }

    pub(super) fn host_facts(&self, id: HostId) -> Option<&HostFacts> {
        match &self.hosts.get(&id)?.phase {
            HostPhase::Open(facts) => Some(facts),
            HostPhase::Opening(_) => None,
        }
    }

    /// Lets an engine go when no thread is in it or on the way to it.
    pub(super) fn release(&mut self, id: HostId) {
        let is_open = self.host_facts(id).is_some();
        let is_used = self.threads.values().any(|thread| thread.host == id)
            || self
                .pending
                .values()
                .any(|it| matches!(it, Pending::Start { host, .. } if *host == id));
        if is_open && !is_used {
            self.hosts.remove(&id);
            self.out.push_back(Output::CloseHost(id));
        }
    }

    /// An engine has ended although nobody asked for it: its threads are gone, and whatever waits
    /// for it fails.
    pub fn host_ended(&mut self, id: HostId, why: &str) {
        let Some(state) = self.hosts.remove(&id) else { return };
        let message = format!("the engine has ended: {why}");
        if let HostPhase::Opening(waiting) = state.phase {
            for wanted in waiting {
                self.fail(&wanted.request, ErrorObject::internal(message.clone()));
            }
        }
        let lost: Vec<_> =
            self.threads.iter().filter(|(_, t)| t.host == id).map(|(thread, _)| *thread).collect();
        let orphans: Vec<OpId> = self
            .pending
            .iter()
            .filter(|(_, pending)| match pending {
                Pending::Start { host, .. } => *host == id,
                Pending::Past { thread, .. }
                | Pending::Turn { thread, .. }
                | Pending::Voice { thread, .. } => lost.contains(thread),
            })
            .map(|(op, _)| *op)
            .collect();
        for op in orphans {
            if let Some(request) = self.pending.remove(&op).map(Pending::into_request) {
                self.fail(&request, ErrorObject::internal(message.clone()));
            }
        }
        for thread in lost {
            self.thread_lost(thread, &message);
        }
    }
}
