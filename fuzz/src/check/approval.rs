//! Claim: no command and no patch without a verdict or an answer, and never with a weaker sandbox
//! than that: what the policy asks about runs after a yes to a question that names it, what leaves
//! the sandbox only after a yes to a question that says what is lost. A question ends once, with
//! the answer that was given; nobody is asked where nobody is.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use codex_proto::{
    ApprovalId, EffectKind, Event, Input, Op, Output, Settings, ThreadId,
    approval::{ApprovalAnswer, ApprovalReason, ApprovalRequest, ApprovalSubject},
    effect::{FilePatch, Spawn},
    item::{CommandItem, ItemBody, ItemStatus},
    policy::{ApprovalPolicy, SandboxPolicy},
};

use super::Check;

/// Commands of the world that only read.
const READS: [&str; 3] = ["cat a.txt", "ls", "ls -l"];

pub(super) struct Approval {
    settings: Arc<Settings>,
    threads: BTreeMap<ThreadId, Thread>,
    /// A command whose item follows.
    spawned: Option<Spawn>,
    /// The last answer that a user gave.
    given: Option<(ThreadId, ApprovalId, ApprovalAnswer)>,
}

struct Thread {
    approval: ApprovalPolicy,
    /// All that were ever in force: what was judged by an earlier one may still start.
    policies: Vec<ApprovalPolicy>,
    sandbox: SandboxPolicy,
    open: BTreeMap<ApprovalId, ApprovalRequest>,
    seen: BTreeSet<ApprovalId>,
    /// Questions that were answered with yes, and whether for the session.
    yes: Vec<(ApprovalRequest, bool)>,
    /// Commands of the user's own, which need nobody's leave.
    own: usize,
}

impl Approval {
    pub(super) fn new(settings: &Arc<Settings>) -> Self {
        let settings = Arc::clone(settings);
        Self { settings, threads: BTreeMap::new(), spawned: None, given: None }
    }

    fn thread(&mut self, id: ThreadId) -> &mut Thread {
        let Settings { approval, sandbox, .. } = &*self.settings;
        self.threads.entry(id).or_insert_with(|| Thread {
            approval: *approval,
            policies: vec![*approval],
            sandbox: sandbox.clone(),
            open: BTreeMap::new(),
            seen: BTreeSet::new(),
            yes: Vec::new(),
            own: 0,
        })
    }
}

impl Check for Approval {
    fn on_input(&mut self, input: &Input) -> Result<(), String> {
        match input {
            Input::Op(_, Op::Approve { thread, id, answer }) => {
                self.given = Some((*thread, *id, answer.clone()));
            }
            Input::Op(_, Op::RunCommand { thread, .. }) => self.thread(*thread).own += 1,
            _ => {}
        }
        Ok(())
    }

    fn on_output(&mut self, output: &Output) -> Result<(), String> {
        match output {
            Output::Effect(effect) => match &effect.kind {
                EffectKind::Spawn(spawn) => {
                    self.spawned = Some((**spawn).clone());
                    Ok(())
                }
                EffectKind::Patch(patch) => self.thread(patch.thread).patch(patch),
                _ => Ok(()),
            },
            Output::Event(event) => self.event(event),
        }
    }
}

impl Approval {
    fn event(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::ItemStarted { thread, item } => match (&item.body, self.spawned.take()) {
                (ItemBody::Command(command), Some(spawn)) => {
                    self.thread(*thread).spawn(command, &spawn)
                }
                (ItemBody::Command(command), None) if command.status != ItemStatus::InProgress => {
                    Err("a command without a process".into())
                }
                _ => Ok(()),
            },
            Event::ThreadReady(ready) => {
                // Questions, answers and changes do not outlive a thread.
                self.threads.remove(&ready.thread);
                let thread = self.thread(ready.thread);
                thread.approval = ready.approval;
                thread.policies = vec![ready.approval];
                thread.sandbox.clone_from(&ready.sandbox);
                Ok(())
            }
            Event::Configured { thread, config } => {
                let thread = self.thread(*thread);
                thread.approval = config.approval;
                thread.policies.push(config.approval);
                thread.sandbox.clone_from(&config.sandbox);
                Ok(())
            }
            Event::ApprovalRequested(request) => {
                if !self.settings.interactive {
                    return Err("a question that nobody can answer".into());
                }
                self.thread(request.thread).asked(request)
            }
            Event::ApprovalEnded { thread, id, answer } => {
                let given = self.given.clone();
                self.thread(*thread).ended(*thread, *id, answer.as_ref(), given.as_ref())
            }
            Event::TurnEnded { thread, .. } | Event::ThreadStopped { thread } => {
                match self.thread(*thread).open.keys().next() {
                    Some(id) => Err(format!("question {id:?} outlives its turn")),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

impl Thread {
    fn asked(&mut self, request: &ApprovalRequest) -> Result<(), String> {
        if self.approval == ApprovalPolicy::Never {
            return Err("a question although the policy is never".into());
        }
        if !self.seen.insert(request.id) {
            return Err(format!("question {:?} twice", request.id));
        }
        let leaves = matches!(
            request.why,
            ApprovalReason::Escalation | ApprovalReason::Failed | ApprovalReason::OutsideRoots
        );
        if leaves && request.lost.is_empty() {
            return Err("a question that does not say what is lost".into());
        }
        if request.why == ApprovalReason::Failed && request.session_scope.is_some() {
            return Err("a run without the sandbox is offered for the session".into());
        }
        self.open.insert(request.id, request.clone());
        Ok(())
    }

    fn ended(
        &mut self,
        thread: ThreadId,
        id: ApprovalId,
        answer: Option<&ApprovalAnswer>,
        given: Option<&(ThreadId, ApprovalId, ApprovalAnswer)>,
    ) -> Result<(), String> {
        let Some(request) = self.open.remove(&id) else {
            return Err(format!("question {id:?} ended without being open"));
        };
        let Some(answer) = answer else { return Ok(()) };
        match given {
            Some((of, _, given)) if (*of, given) == (thread, answer) => {}
            _ => return Err(format!("an answer that nobody gave: {answer:?}")),
        }
        // One answer ends one question, and others about the same when it is for the session.
        let is_its_own = given.is_some_and(|(_, of, _)| *of == id);
        let for_session = *answer == ApprovalAnswer::Session;
        if !(is_its_own || for_session && self.covers(&request)) {
            return Err(format!("question {id:?} took another one's answer"));
        }
        if matches!(answer, ApprovalAnswer::Once | ApprovalAnswer::Session) {
            let lasts = for_session && request.session_scope.is_some();
            self.yes.push((request, lasts));
        }
        Ok(())
    }

    /// Whether a yes for the session says the same.
    fn covers(&self, request: &ApprovalRequest) -> bool {
        self.yes.iter().any(|(yes, lasts)| {
            *lasts
                && match (&yes.subject, &request.subject) {
                    (ApprovalSubject::Patch { .. }, ApprovalSubject::Patch { changes }) => {
                        changes.iter().all(|change| self.may_write(&change.path))
                    }
                    (yes_to, subject) => yes_to == subject && yes.lost == request.lost,
                }
        })
    }

    fn spawn(&mut self, item: &CommandItem, spawn: &Spawn) -> Result<(), String> {
        if item.by_user {
            self.own = self.own.checked_sub(1).ok_or("a command that the user did not run")?;
            return Ok(());
        }
        let script = spawn.argv.last().map_or("", String::as_str);
        let words = spawn.argv.join(" ");
        let is_subject = |subject: &ApprovalSubject| {
            matches!(subject, ApprovalSubject::Command { command, cwd }
                if (command == script || *command == words) && *cwd == spawn.cwd)
        };
        let mut yes = self.yes.iter().filter(|(yes, lasts)| {
            is_subject(&yes.subject) && (*lasts || yes.call_id == item.call_id)
        });
        let is_free = spawn.sandbox.is_full_access();
        if is_free && !self.is_session(&SandboxPolicy::full_access()) {
            return match yes.any(|(yes, _)| !yes.lost.is_empty()) {
                true => Ok(()),
                false => Err(format!("`{script}` left the sandbox without a yes")),
            };
        }
        if !self.is_session(&spawn.sandbox) {
            return Err(format!("`{script}` has another sandbox than the session"));
        }
        let needs_yes = self.policies.iter().all(|policy| match policy {
            ApprovalPolicy::Never => false,
            ApprovalPolicy::OnFailure | ApprovalPolicy::OnRequest => script.starts_with("rm -"),
            ApprovalPolicy::Untrusted => !READS.contains(&script) && !READS.contains(&&*words),
        });
        if needs_yes && yes.next().is_none() {
            return Err(format!("`{script}` ran without a yes"));
        }
        Ok(())
    }

    fn is_session(&self, sandbox: &SandboxPolicy) -> bool {
        *sandbox == self.sandbox
    }

    /// Whether the user said yes to a patch of this file.
    fn may_write(&self, path: &Path) -> bool {
        self.yes.iter().any(|(yes, _)| match &yes.subject {
            ApprovalSubject::Patch { changes } => changes
                .iter()
                .any(|change| change.path == path || change.move_path.as_deref() == Some(path)),
            ApprovalSubject::Command { .. } => false,
        })
    }

    fn patch(&self, patch: &FilePatch) -> Result<(), String> {
        let mut beyond: Vec<PathBuf> = Vec::new();
        for file in &patch.files {
            // What its own sandbox does not allow is not written.
            let outside =
                !self.sandbox.allows_write(&file.path) && patch.sandbox.allows_write(&file.path);
            let is_untrusted = |policy: &ApprovalPolicy| *policy == ApprovalPolicy::Untrusted;
            let needs_yes = outside || self.policies.iter().all(is_untrusted);
            if needs_yes && !self.may_write(&file.path) {
                return Err(format!("{} is written without a yes", file.path.display()));
            }
            if outside {
                beyond.extend(file.path.parent().map(Path::to_owned));
            }
        }
        let mut allowed = self.sandbox.clone();
        let roots = patch.sandbox.writable_roots.iter();
        if !roots.clone().all(|root| allowed.writable_roots.contains(root) || beyond.contains(root))
        {
            return Err("a patch may write where nobody said so".into());
        }
        allowed.writable_roots.clone_from(&patch.sandbox.writable_roots);
        if allowed == patch.sandbox {
            return Ok(());
        }
        Err("a patch has another sandbox than the session".into())
    }
}
