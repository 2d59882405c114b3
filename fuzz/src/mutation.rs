//! Small wrong changes to the engine, each of which some test must notice. The binary `mutants`
//! makes them one at a time on a copy of the tree.

/// One change.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// What it breaks, in a few words; also its name on the command line.
    pub name: &'static str,
    /// Relative to the root of the repository.
    pub file: &'static str,
    /// Stands in the file exactly once.
    pub old: &'static str,
    /// What stands there instead.
    pub new: &'static str,
    /// A part of the name of a test or checker that must be among those that fail.
    pub killed_by: &'static str,
}

impl Mutation {
    /// The file with the change.
    ///
    /// # Errors
    /// When the old text is not in the file exactly once: the engine has moved on.
    pub fn apply(&self, text: &str) -> Result<String, String> {
        match text.matches(self.old).count() {
            1 => Ok(text.replacen(self.old, self.new, 1)),
            count => Err(format!(
                "`{}`: the old text stands {count} times in {}, not once",
                self.name, self.file
            )),
        }
    }
}

const ANSWER: &str = "codex-engine/src/tool/answer.rs";
const BOARD: &str = "codex-engine/src/tool/board.rs";
const COMMAND: &str = "codex-engine/src/tool/command.rs";
const ENGINE: &str = "codex-engine/src/engine.rs";
const LOG: &str = "codex-engine/src/rollout/log.rs";
const MACHINE: &str = "codex-engine/src/machine.rs";
const PATCH: &str = "codex-engine/src/tool/patch.rs";
const KNOWN_SAFE: &str = "codex-engine/src/tool/known_safe.rs";
const POLICY: &str = "codex-engine/src/tool/policy.rs";
const QUEUE: &str = "codex-engine/src/thread/queue.rs";
const RESUME: &str = "codex-engine/src/rollout/resume.rs";
const RUN: &str = "codex-engine/src/tool/run.rs";
const SHARED: &str = "codex-engine/src/thread/shared.rs";
const STREAM: &str = "codex-engine/src/model/stream.rs";
const TURN: &str = "codex-engine/src/turn/mod.rs";

const CLOSING: &str = "codex-engine/src/realtime/closing.rs";
const CONTROL: &str = "codex-engine/src/realtime/control.rs";
const CONVERSATION: &str = "codex-engine/src/realtime/conversation.rs";
const CREATE: &str = "codex-engine/src/realtime/create.rs";
const HANDOFF: &str = "codex-engine/src/realtime/handoff.rs";
const INBOUND: &str = "codex-engine/src/realtime/inbound.rs";
const MEDIA: &str = "codex-engine/src/realtime/media.rs";
const MICROPHONE: &str = "codex-engine/src/realtime/microphone.rs";
const PLAYBACK: &str = "codex-engine/src/realtime/playback.rs";
const RESPONSE: &str = "codex-engine/src/realtime/response.rs";
const SIDEBAND: &str = "codex-engine/src/realtime/sideband.rs";
const SPOKEN: &str = "codex-engine/src/realtime/stream.rs";
const TRANSCRIPT: &str = "codex-engine/src/realtime/transcript.rs";
const VOICE: &str = "codex-engine/src/realtime/mod.rs";

/// Every mutation, by what it breaks.
pub const ALL: &[Mutation] = &[
    // Effects and replies.
    Mutation {
        name: "a cancelled effect goes on",
        file: MACHINE,
        old: "if self.out.abandon(id) {\n            self.tell(EffectKind::Cancel(id));",
        new: "if self.out.abandon(id) {",
        killed_by: "a_new_thread_starts_in_every_order",
    },
    Mutation {
        name: "replies after a cancel are delivered",
        file: MACHINE,
        old: "*owner = Owner::Abandoned;\n            live",
        new: "live",
        killed_by: "late_replies_of_a_broken_attempt_change_nothing",
    },
    Mutation {
        name: "an effect id is used twice",
        file: MACHINE,
        old: "self.last_id += 1;",
        new: "self.last_id |= 1;",
        killed_by: "ledger",
    },
    Mutation {
        name: "a response that was let go is never cut",
        file: MACHINE,
        old: "if self.out.abandon(id) {\n            self.out.lingering.push((id, self.now.mono.after_ms(ms)));",
        new: "if self.out.abandon(id) {\n            let _ = ms;",
        killed_by: "a_response_that_does_not_close_is_cut_after_a_while",
    },
    Mutation {
        name: "a stopped thread leaves its effects running",
        file: ENGINE,
        old: "        self.threads[slot as usize] = None;\n        self.out.abandon_thread(slot);",
        new: "        self.threads[slot as usize] = None;",
        killed_by: "a_new_thread_starts_in_every_order",
    },
    Mutation {
        name: "the engine remembers another run",
        file: MACHINE,
        old: "self.last_id += 1;",
        new: "{ static RUNS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0); self.last_id = 1 + RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed); }",
        killed_by: "replay",
    },
    // The stream and its repetition.
    Mutation {
        name: "an interrupt does not cancel the request",
        file: STREAM,
        old: "self.items.close(cx);\n        cx.cancel(self.effect);",
        new: "self.items.close(cx);",
        killed_by: "an_interrupt_gives_queued_prompts_back",
    },
    Mutation {
        name: "a silent model is waited for without end",
        file: TURN,
        old: "State::Sampling(stream) => Some(stream.deadline()),",
        new: "State::Sampling(_) => None,",
        killed_by: "late_replies_of_a_broken_attempt_change_nothing",
    },
    Mutation {
        name: "a repeated attempt keeps what the broken one said",
        file: TURN,
        old: "            stream.items.discard(cx);\n",
        new: "            stream.items.commit(cx);\n",
        killed_by: "event grammar",
    },
    Mutation {
        name: "attempts without a limit",
        file: TURN,
        old: "if attempt > limit || !in_time {",
        new: "if limit == 0 || !in_time {",
        killed_by: "limits",
    },
    Mutation {
        name: "a repetition does not wait for running tools",
        file: TURN,
        old: "State::Backoff { until: None } if board_done => {",
        new: "State::Backoff { until: None } => {",
        killed_by: "event grammar",
    },
    Mutation {
        name: "attempts are counted across requests",
        file: TURN,
        old: "                self.attempts = Attempts::default();\n",
        new: "",
        killed_by: "limits",
    },
    Mutation {
        name: "usage is counted twice",
        file: TURN,
        old: "shared.usage.add(&last);",
        new: "shared.usage.add(&last);\n        shared.usage.add(&last);",
        killed_by: "a_resumed_thread_continues_with_the_same_bytes",
    },
    // Tools.
    Mutation {
        name: "a tool starts before its line is written",
        file: BOARD,
        old: "if self.interrupted || !shared.log.is_settled(*ticket) {",
        new: "let _ = ticket;\n        if self.interrupted {",
        killed_by: "order",
    },
    Mutation {
        name: "a patch runs beside a command",
        file: BOARD,
        old: "            earlier.next().is_some()\n",
        new: "            earlier.next().is_some_and(|run| !run.is_parallel())\n",
        killed_by: "order",
    },
    Mutation {
        name: "outputs in reverse order",
        file: BOARD,
        old: "self.runs.drain(..).map(take).collect()",
        new: "self.runs.drain(..).rev().map(take).collect()",
        killed_by: "history",
    },
    Mutation {
        name: "a repeated call runs again",
        file: TURN,
        old: "if shared.calls.contains(&call.call_id)",
        new: "if call.call_id.is_empty()",
        killed_by: "rollout",
    },
    Mutation {
        name: "commands of an interrupted turn live on",
        file: RUN,
        old: "                    command.terminate(cx);\n",
        new: "                    let _ = command;\n",
        killed_by: "an_interrupt_answers_every_open_call_and_kills_what_they_started",
    },
    Mutation {
        name: "a command that ignores SIGTERM is never killed",
        file: COMMAND,
        old: "self.kill_at = Some(cx.now.mono.after_ms(KILL_GRACE_MS));",
        new: "",
        killed_by: "an_interrupt_answers_every_open_call_and_kills_what_they_started",
    },
    Mutation {
        name: "a command runs outside of the sandbox",
        file: COMMAND,
        old: "sandbox: launch.sandbox,",
        new: "sandbox: codex_proto::policy::SandboxPolicy::full_access(),",
        killed_by: "approval",
    },
    Mutation {
        name: "a command ends twice for observers",
        file: COMMAND,
        old: "        self.go(on, State::Ended(ended), cx);\n",
        new: "        cx.emit(Event::ItemCompleted { thread: cx.thread, item: TurnItem { id: self.item, body: ItemBody::Command(self.shown.clone()) } });\n        self.go(on, State::Ended(ended), cx);\n",
        killed_by: "event grammar",
    },
    // Prompts.
    Mutation {
        name: "queued prompts vanish on interrupt",
        file: TURN,
        old: "            cx.emit(Event::PromptsReturned { thread: cx.thread, prompts });\n",
        new: "            drop(prompts);\n",
        killed_by: "prompts",
    },
    Mutation {
        name: "a follow-up joins the running turn",
        file: QUEUE,
        old: "let at = self.entries.iter().position(|entry| entry.prompt.delivery == Delivery::Steer)?;",
        new: "let at = (!self.entries.is_empty()).then_some(0)?;",
        killed_by: "a_follow_up_does_not_join_between_the_steps_of_a_turn",
    },
    Mutation {
        name: "the queue of prompts has no end",
        file: QUEUE,
        old: "if self.entries.len() >= PROMPTS_QUEUED_MAX {",
        new: "if self.entries.len() >= usize::MAX {",
        killed_by: "the_65th_prompt_is_refused_ready_or_not",
    },
    Mutation {
        name: "a late image is waited for without end",
        file: QUEUE,
        old: "Some((loading.map(|entry| entry.until).min()?, \"read images\"))",
        new: "loading.map(|entry| entry.until).min().filter(|_| false).map(|at| (at, \"read images\"))",
        killed_by: "every_move_is_a_row_and_every_row_is_seen",
    },
    // The rollout.
    Mutation {
        name: "a turn ends before its last line is written",
        file: TURN,
        old: "State::Ending { outcome, ticket, .. } if shared.log.is_settled(*ticket) => {",
        new: "State::Ending { outcome, .. } => {",
        killed_by: "order",
    },
    Mutation {
        name: "an item is missing in the rollout",
        file: SHARED,
        old: "        self.log.record_item(cx.now.wall, &item);\n",
        new: "        if !matches!(item.kind(), ResponseKind::Output { .. }) {\n            self.log.record_item(cx.now.wall, &item);\n        }\n",
        killed_by: "rollout",
    },
    Mutation {
        name: "lines that the disk refused are dropped",
        file: LOG,
        old: "            self.unsaved = writing.bytes;\n",
        new: "            drop(writing.bytes);\n",
        killed_by: "rollout",
    },
    Mutation {
        name: "two writes to one rollout at once",
        file: LOG,
        old: "if self.writing.is_none() && !self.pending.is_empty() {",
        new: "if !self.pending.is_empty() {",
        killed_by: "order",
    },
    Mutation {
        name: "a thread stops without its last lines",
        file: "codex-engine/src/thread/mod.rs",
        old: "        shared.log.flush_unsaved(cx);\n",
        new: "",
        killed_by: "lines_that_a_full_disk_refused_are_tried_once_more_at_the_end",
    },
    // Start-up and endings.
    Mutation {
        name: "prompts that came early change places",
        file: "codex-engine/src/thread/early.rs",
        old: "self.prompts.push((op, prompt));",
        new: "self.prompts.insert(0, (op, prompt));",
        killed_by: "a_new_thread_starts_in_every_order",
    },
    Mutation {
        name: "a refused thread keeps the prompts that came early",
        file: "codex-engine/src/thread/mod.rs",
        old: "            starting.early.give_back(cx);\n            starting.early.refuse_commands(cx);\n            starting.give_up(cx);\n        }",
        new: "            starting.early.refuse_commands(cx);\n            starting.give_up(cx);\n        }",
        killed_by: "a_resumed_thread_starts_in_every_order",
    },
    Mutation {
        name: "a rollout that another process has is read all the same",
        file: "codex-engine/src/thread/starting.rs",
        old: "error.kind == HostErrorKind::InUse",
        new: "error.kind == HostErrorKind::Stale",
        killed_by: "a_resumed_thread_starts_in_every_order",
    },
    Mutation {
        name: "what is late at the start is not cancelled",
        file: "codex-engine/src/thread/starting.rs",
        old: "            cx.cancel(*effect);\n",
        new: "            let _ = effect;\n",
        killed_by: "a_new_thread_starts_in_every_order",
    },
    Mutation {
        name: "a finished response goes on talking",
        file: STREAM,
        old: "                    cx.linger(self.effect, RESPONSE_END_MS);\n                    return Flow::Finished",
        new: "                    return Flow::Finished",
        killed_by: "a_response_that_does_not_close_is_cut_after_a_while",
    },
    Mutation {
        name: "a patch is written before the rollout announces it",
        file: PATCH,
        old: "        if !log.is_settled(*ticket) {\n            return;\n        }\n",
        new: "        let _ = (log, ticket);\n",
        killed_by: "event grammar",
    },
    Mutation {
        name: "an interrupted patch is shown as going on",
        file: RUN,
        old: "patch.abort(\"interrupt\", cx);",
        new: "let _ = patch;",
        killed_by: "a_command_and_a_patch_end_in_every_order",
    },
    // Approvals.
    Mutation {
        name: "what is known to be safe leaves the sandbox unasked",
        file: POLICY,
        old: "            if escalated =>\n",
        new: "            if escalated && !is_known_safe(&plan.argv, own_shell) =>\n",
        killed_by: "every_command_under_every_policy",
    },
    Mutation {
        name: "a yes gives more than was asked for",
        file: RUN,
        old: "let next = RunState::Waiting { plan, ticket, rights };",
        new: "let next = RunState::Waiting { plan, ticket, rights: if first.is_none() { Rights::Unlimited } else { rights } };",
        killed_by: "a_yes_within_the_sandbox_runs_within_the_sandbox",
    },
    Mutation {
        name: "nobody is asked, and waited for",
        file: POLICY,
        old: "match (settings.interactive, escalated) {",
        new: "match (true, escalated) {",
        killed_by: "nobody_is_asked_where_nobody_is",
    },
    Mutation {
        name: "a question outlives its interrupt",
        file: RUN,
        old: "asking.question.close(None, cx);",
        new: "let _ = &asking.question;",
        killed_by: "an_interrupt_ends_the_question_and_a_late_answer_is_refused",
    },
    Mutation {
        name: "a command that the sandbox stopped is run again on request",
        file: POLICY,
        old: "ApprovalPolicy::Never | ApprovalPolicy::OnRequest => false,\n    };\n    asks",
        new: "ApprovalPolicy::Never | ApprovalPolicy::OnRequest => settings.interactive,\n    };\n    asks",
        killed_by: "a_denial_on_request_goes_to_the_model",
    },
    Mutation {
        name: "a patch may write beside the files that were allowed",
        file: PATCH,
        old: "written.filter(|path| beyond.contains(path))",
        new: "written.filter(|_| !beyond.is_empty())",
        killed_by: "a_patch_outside_is_asked_about_and_may_write_there_and_nowhere_else",
    },
    Mutation {
        name: "a word that the shell replaces is taken as it is",
        file: KNOWN_SAFE,
        old: "if args.iter().any(|word| word.expands) {",
        new: "if args.is_empty() && name.is_empty() {",
        killed_by: "what_could_write_or_run_something_is_not_known",
    },
    Mutation {
        name: "an answer is taken from another question",
        file: BOARD,
        old: "self.runs.iter_mut().find(|run| run.question() == Some(id))?",
        new: "self.runs.iter_mut().rev().find(|run| run.question().is_some_and(|of| of >= id))?",
        killed_by: "approval",
    },
    // Terminals, the user's commands, forks.
    Mutation {
        name: "a command in the background is not listed",
        file: ANSWER,
        old: "            command.go_to_background();\n",
        new: "",
        killed_by: "a_terminal_outlives_interrupts_and_turns_and_is_listed",
    },
    Mutation {
        name: "an interrupt ends the terminal that a call waits for",
        file: RUN,
        old: "            RunState::Command { waiting, .. } => {\n                if let Some",
        new: "            RunState::Command { waiting, .. } | RunState::Polling(waiting) => {\n                if let Some",
        killed_by: "a_terminal_across_turns_in_every_order",
    },
    Mutation {
        name: "Ctrl-C is no key of a terminal",
        file: RUN,
        old: "chars if command.has_tty() =>",
        new: "chars if command.has_tty() && chars != \"\\u{3}\" =>",
        killed_by: "a_terminal_is_typed_to_and_takes_ctrl_c_as_a_key",
    },
    Mutation {
        name: "the model is not told of the user's commands",
        file: TURN,
        old: "        shared.tell_of_commands(cx);\n",
        new: "",
        killed_by: "the_users_own_command_runs_free_and_the_model_is_told_with_the_next_prompt",
    },
    Mutation {
        name: "a fork keeps a prompt too many",
        file: RESUME,
        old: "prompts.get(usize::try_from(kept).ok()?)",
        new: "prompts.get(usize::try_from(kept).ok()? + 1)",
        killed_by: "a_fork_keeps_the_first_prompts_with_what_followed",
    },
    Mutation {
        name: "a fork goes by its parent's name",
        file: "codex-engine/src/thread/starting.rs",
        old: "let own = if fork.is_some() { cx.thread } else {",
        new: "let own = if fork.is_some() && thread.is_none() { cx.thread } else {",
        killed_by: "a_fork_keeps_the_first_prompts_with_what_followed",
    },
    Mutation {
        name: "another effort is never taken up",
        file: SHARED,
        old: "        if is_same && cx.settings.reasoning_effort == self.effort {\n            return false;\n        }\n",
        new: "        if is_same {\n            return false;\n        }\n",
        killed_by: "the_effort_alone_is_no_other_model",
    },
    // Voice.
    Mutation {
        name: "the answer to a call is not passed on",
        file: CONVERSATION,
        old: "            self.emit(RealtimeNews::Answer { sdp: answer }, cx);\n",
        new: "            drop(answer);\n",
        killed_by: "the_answer_comes_with_no_socket_opened_and_texts_follow_in_order",
    },
    Mutation {
        name: "an old conversation is replaced in silence",
        file: VOICE,
        old: "        self.end(End::Asked(RealtimeClosed::Replaced), Some(shared), cx);\n",
        new: "        self.conversation = None;\n",
        killed_by: "a_new_start_replaces_what_runs_and_a_thread_that_stops_ends_it",
    },
    Mutation {
        name: "a call that is stopped is created all the same",
        file: CREATE,
        old: "            cx.cancel(effect);\n        }\n        cx.moved(MACHINE, self.state.name(), \"stop\"",
        new: "            let _ = effect;\n        }\n        cx.moved(MACHINE, self.state.name(), \"stop\"",
        killed_by: "a_stop_before_the_call_is_created_is_told_and_abandons_it",
    },
    Mutation {
        name: "the agent's words overtake typed text",
        file: CONTROL,
        old: "            self.queue.push_back((origin, message));",
        new: "            if origin == Origin::Agent { self.queue.push_front((origin, message)); } else { self.queue.push_back((origin, message)); }",
        killed_by: "the_answer_comes_with_no_socket_opened_and_texts_follow_in_order",
    },
    Mutation {
        name: "text leaves before the session",
        file: CONTROL,
        old: "        self.queue.push_front((Origin::Protocol, message));",
        new: "        self.queue.push_back((Origin::Protocol, message));",
        killed_by: "realtime",
    },
    Mutation {
        name: "typed text waits without a limit",
        file: CONTROL,
        old: "waiting + messages.len() <= most &&",
        new: "waiting < usize::MAX && messages.len() <= most &&",
        killed_by: "waiting_input_is_bounded_and_what_is_lost_is_counted",
    },
    Mutation {
        name: "lost audio is not told",
        file: MICROPHONE,
        old: "            self.lose(oldest.0.len(), now);\n",
        new: "            let _ = now;\n",
        killed_by: "waiting_input_is_bounded_and_what_is_lost_is_counted",
    },
    Mutation {
        name: "the newest audio goes first",
        file: MICROPHONE,
        old: "let pcm = self.queue.pop_front()?;",
        new: "let pcm = self.queue.pop_back()?;",
        killed_by: "realtime",
    },
    Mutation {
        name: "a failed join is no error",
        file: CONVERSATION,
        old: "                Flow::Break(End::Failed(fault))\n            }\n            sideband::Flow::Lost(error) => {",
        new: "                drop(fault);\n                Flow::Break(End::Transport)\n            }\n            sideband::Flow::Lost(error) => {",
        killed_by: "a_join_that_fails_ends_a_conversation_with_one_error",
    },
    Mutation {
        name: "the devices outlive their conversation",
        file: CONVERSATION,
        old: "media.for_each(|effect| cx.cancel(effect));",
        new: "media.for_each(drop);",
        killed_by: "prop_a_conversation_that_is_closed_anywhere_ends_once_and_leaves_nothing",
    },
    Mutation {
        name: "an unknown call is asked for without end",
        file: SIDEBAND,
        old: "404 if self.of_call && young =>",
        new: "404 if self.of_call || young =>",
        killed_by: "joins_are_repeated_ever_less_often_and_only_while_it_makes_sense",
    },
    Mutation {
        name: "a refused join is tried again",
        file: SIDEBAND,
        old: "        match retry.at(self.until, ours, cx) {",
        new: "        let retry = if retry == Retry::No { Retry::Request(None) } else { retry };\n        match retry.at(self.until, ours, cx) {",
        killed_by: "a_join_that_fails_ends_a_conversation_with_one_error",
    },
    Mutation {
        name: "an event that comes over both lines is told twice",
        file: INBOUND,
        old: "            Some(id) => self.events.is_new(id),",
        new: "            Some(id) => self.events.is_new(id) || !id.is_empty(),",
        killed_by: "over_two_lines_each_message_leaves_once_and_each_event_is_told_once",
    },
    Mutation {
        name: "the end of a conversation is told twice",
        file: CONVERSATION,
        old: "        self.emit(RealtimeNews::Closed { reason }, cx);\n",
        new: "        self.emit(RealtimeNews::Closed { reason }, cx);\n        self.emit(RealtimeNews::Closed { reason }, cx);\n",
        killed_by: "realtime",
    },
    Mutation {
        name: "a socket gets no goodbye",
        file: CLOSING,
        old: "        cx.tell(tell(SocketMessage::Close));\n",
        new: "",
        killed_by: "realtime",
    },
    Mutation {
        name: "a socket that does not close is waited for too long",
        file: CLOSING,
        old: "cx.now.mono.after_ms(CLOSE_MS)",
        new: "cx.now.mono.after_ms(3 * CLOSE_MS)",
        killed_by: "a_close_says_goodbye_and_waits_a_second_at_most",
    },
    Mutation {
        name: "silence asks for an answer",
        file: INBOUND,
        old: "respond: false, may_drop: false }, cx);",
        new: "respond: true, may_drop: false }, cx);",
        killed_by: "items_and_silence_start_nothing",
    },
    Mutation {
        name: "a long message is sent whole",
        file: SPOKEN,
        old: "            self.keep_end(SPOKEN_BYTES_MAX - self.head - MARKER.len());\n",
        new: "            self.keep_end(usize::MAX);\n",
        killed_by: "what_fits_is_sent_whole_and_what_does_not_loses_its_middle",
    },
    Mutation {
        name: "every piece of a message is flushed",
        file: SPOKEN,
        old: "now.after_ms(STREAM_EVERY_MS)",
        new: "now.after_ms(STREAM_EVERY_MS / 200)",
        killed_by: "the_agents_words_stream_to_v3_every_200_ms_and_are_not_sent_again",
    },
    Mutation {
        name: "a task is answered with every turn",
        file: HANDOFF,
        old: "        let active = self.active.take_if(|active| active.queued.is_none())?;\n",
        new: "        let active = self.active.clone().filter(|active| active.queued.is_none())?;\n",
        killed_by: "realtime",
    },
    Mutation {
        name: "the end of an interrupted task is not told",
        file: HANDOFF,
        old: "let Some(active) = self.active.take_if(is_ours) else { return Vec::new() };",
        new: "let Some(active) = self.active.take_if(is_ours).filter(|_| false) else { return Vec::new() };",
        killed_by: "every_move_is_a_row_and_every_row_is_seen",
    },
    Mutation {
        name: "two responses are asked for at once",
        file: RESPONSE,
        old: "(Asked { until }, Cause::Request) => (Twice { until }, false),",
        new: "(Asked { until }, Cause::Request) => (Twice { until }, true),",
        killed_by: "realtime",
    },
    Mutation {
        name: "a response that waited is forgotten",
        file: RESPONSE,
        old: "            (Idle, Cause::Request | Cause::Conflict) | (Owed, Cause::Done) => {\n                (Asked { until }, true)",
        new: "            (Idle, Cause::Request | Cause::Conflict) | (Owed, Cause::Done) => {\n                (Asked { until }, !matches!(self.state, Owed))",
        killed_by: "a_task_starts_a_turn_and_its_end_answers_the_call_once",
    },
    Mutation {
        name: "an interruption cuts at what came, not at what was heard",
        file: PLAYBACK,
        old: "truncate = Some((id.clone(), position - item.from_ms));",
        new: "truncate = Some((id.clone(), to_ms - item.from_ms));",
        killed_by: "our_devices_play_what_comes_and_are_cut_where_the_person_speaks",
    },
    Mutation {
        name: "an interrupted item plays on",
        file: PLAYBACK,
        old: "            Some(id) => self.interrupted.has(id),",
        new: "            Some(id) => self.interrupted.has(id) && id.is_empty(),",
        killed_by: "realtime",
    },
    Mutation {
        name: "a muted microphone is heard",
        file: MEDIA,
        old: "                if !self.muted && self.plan",
        new: "                if self.plan",
        killed_by: "realtime",
    },
    Mutation {
        name: "a mute is forgotten by what opens later",
        file: VOICE,
        old: "            if plan.start.muted { MicrophoneState::Muted } else { MicrophoneState::On };",
        new: "            if plan.start.muted { MicrophoneState::On } else { MicrophoneState::On };",
        killed_by: "a_mute_holds_for_what_opens_later_and_devices_that_fail_end_nothing",
    },
    Mutation {
        name: "a final text is told each time it comes",
        file: TRANSCRIPT,
        old: "if entry.done && entry.text == text {",
        new: "if entry.done && text.is_empty() {",
        killed_by: "a_late_final_text_replaces_in_place_and_is_not_handed_twice",
    },
    Mutation {
        name: "what was handed over is handed over again",
        file: TRANSCRIPT,
        old: "            entry.handed.clone_from(&entry.text);\n",
        new: "",
        killed_by: "the_end_of_a_conversation_goes_to_the_agent_once_where_that_is_wanted",
    },
    Mutation {
        name: "the end of a conversation goes to the agent unasked",
        file: CONVERSATION,
        old: "if self.plan.start.handoff.flush_tail {",
        new: "if !self.plan.session_id.is_empty() {",
        killed_by: "realtime",
    },
    Mutation {
        name: "the voice is changed in a running call",
        file: CONVERSATION,
        old: "if is_call { spec.session_of_call() } else { spec.session() }",
        new: "if is_call { spec.session() } else { spec.session() }",
        killed_by: "the_answer_comes_with_no_socket_opened_and_texts_follow_in_order",
    },
    Mutation {
        name: "an error of the service ends the conversation",
        file: INBOUND,
        old: "        if is_new {\n            self.on_event(inbound.event, shared, cx);\n        }\n",
        new: "        if is_new {\n            if matches!(inbound.event, ServerEvent::Error(_)) { return Flow::Break(super::conversation::End::Transport); }\n            self.on_event(inbound.event, shared, cx);\n        }\n",
        killed_by: "errors_of_the_service_do_not_end_it_and_a_flood_is_cut",
    },
];
