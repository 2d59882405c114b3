//! Every bound and every deadline of the engine, with its unit. Reaching one is reported.

use codex_proto::effect::TtySize;

/// Prompts that wait at most, per thread.
pub(crate) const PROMPTS_QUEUED_MAX: usize = 64;
/// Tool calls that run at once, per turn; later ones wait for their turn.
pub(crate) const TOOLS_PARALLEL_MAX: usize = 16;
/// Tool calls of one response; the rest get an error output.
pub(crate) const TOOL_CALLS_MAX: usize = 256;
/// Commands that live at once, per thread. At the limit the oldest ended or idle one is removed.
pub(crate) const COMMANDS_MAX: usize = 64;

/// Ended commands of the user's own that the model is not told of yet, per thread.
pub(crate) const USER_COMMANDS_UNTOLD_MAX: usize = 64;
/// Lines and bytes at the end of a running command's output that people are shown in a list.
pub(crate) const LIST_TAIL: (usize, usize) = (4, 1_024);
/// Characters that one call types into a terminal, in bytes.
pub(crate) const TYPED_BYTES_MAX: usize = 1 << 20;
/// The size of a terminal until somebody says otherwise.
pub(crate) const TTY_SIZE: TtySize = TtySize { rows: 24, columns: 80 };
/// Answers that hold for the session, per thread; later ones count once.
pub(crate) const GRANTS_MAX: usize = 4_096;

/// Bytes of a command's output that the engine holds from its start, until they are read.
pub(crate) const COMMAND_HEAD_BYTES: usize = 512 << 10;
/// Bytes of a command's output that the engine holds from its end.
pub(crate) const COMMAND_TAIL_BYTES: usize = 512 << 10;
/// The file with the whole output stops growing here.
pub(crate) const SPOOL_BYTES_MAX: u64 = 1 << 30;
/// Bytes of an error body that are read.
pub(crate) const ERROR_BODY_BYTES_MAX: usize = 64 << 10;
/// Text of one assistant message or reasoning item, in bytes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 32 << 20;
/// A file that a patch may touch, in bytes.
pub(crate) const PATCH_FILE_BYTES_MAX: u64 = 64 << 20;
/// A rollout that can be resumed, in bytes.
pub(crate) const ROLLOUT_BYTES_MAX: u64 = 2 << 30;
/// A rollout that can be forked, in bytes: its lines are copied.
pub(crate) const FORK_BYTES_MAX: u64 = 256 << 20;
/// Entries of a transcript that a resumed thread tells again; the oldest are left out.
pub(crate) const RESTORED_ITEMS_MAX: usize = 10_000;
/// Rollout lines that are kept for another try while the disk refuses them, in bytes.
pub(crate) const LOG_PENDING_BYTES_MAX: usize = 16 << 20;

/// Name resolution, connection and TLS.
pub(crate) const CONNECT_MS: u64 = 15_000;
/// All attempts of one request, counted from the first failure.
pub(crate) const RETRY_TOTAL_MS: u64 = 300_000;
/// A server that cannot be reached is waited for this long, where somebody sees it and can stop it:
/// long enough for a tunnel, or a laptop that wakes up elsewhere.
pub(crate) const NETWORK_TOTAL_MS: u64 = 900_000;
/// Longest delay between two looks for the network.
pub(crate) const NETWORK_DELAY_MS_MAX: u64 = 5_000;
/// Delay before the first repetition; doubled each time, ±10 %.
pub(crate) const RETRY_BASE_MS: u64 = 200;
/// Longest delay that we choose ourselves.
pub(crate) const RETRY_DELAY_MS_MAX: u64 = 20_000;
/// After its last event a response may take this long to close before it is cut.
pub(crate) const RESPONSE_END_MS: u64 = 1_000;
/// The project's documents; without them the thread goes on, and says so.
pub(crate) const PROJECT_MS: u64 = 2_000;
/// The rollout of a thread to resume.
pub(crate) const RESUME_MS: u64 = 60_000;
/// The images of a prompt.
pub(crate) const IMAGE_MS: u64 = 30_000;
/// Reading the files of a patch.
pub(crate) const PATCH_READ_MS: u64 = 30_000;
/// Between SIGTERM and SIGKILL.
pub(crate) const KILL_GRACE_MS: u64 = 800;
/// The end of a command's output, once asked for.
pub(crate) const FLUSH_MS: u64 = 1_000;
/// The login shell that a snapshot is taken from.
pub(crate) const SNAPSHOT_MS: u64 = 10_000;
/// When the model has not answered by then, the snapshot is taken while it thinks.
pub(crate) const SNAPSHOT_AFTER_MS: u64 = 250;
/// Calls that cannot be cancelled (a patch being written) after an interrupt.
pub(crate) const DRAIN_MS: u64 = 5_000;
/// The last rollout lines of a turn or thread; it ends without them afterwards.
pub(crate) const LOG_END_MS: u64 = 10_000;

/// `yield_time_ms` of `exec_command`: default, least, most.
pub(crate) const YIELD_MS: (u64, u64, u64) = (10_000, 250, 30_000);
/// `yield_time_ms` of `write_stdin` with input: default, least, most.
pub(crate) const WRITE_YIELD_MS: (u64, u64, u64) = (250, 250, 30_000);
/// Least wait of an empty poll; the most is configured.
pub(crate) const POLL_MS_MIN: u64 = 5_000;
/// A command of the user's own.
pub(crate) const USER_COMMAND_MS: u64 = 3_600_000;
/// Default `timeout_ms` of `shell` and `shell_command`.
pub(crate) const SHELL_TIMEOUT_MS: u64 = 10_000;

/// Creating a call of voice: the peer's offer, the request, and its repetitions.
pub(crate) const CALL_MS: u64 = 60_000;
/// Opening the socket of a conversation by voice, with all repetitions.
pub(crate) const JOIN_MS: u64 = 30_000;
/// One attempt at that socket.
pub(crate) const JOIN_ATTEMPT_MS: u64 = 10_000;
/// After a call was created, how long its socket may be unknown to the service.
pub(crate) const CALL_UNKNOWN_MS: u64 = 5_000;
/// Longest delay between two attempts at that socket.
pub(crate) const JOIN_DELAY_MS_MAX: u64 = 3_200;
/// A wait that the service may demand before a call is created anew, in milliseconds.
pub(crate) const CALL_WAIT_MS_MAX: u64 = 5_000;
/// Media of our own peer, after the answer.
pub(crate) const MEDIA_UP_MS: u64 = 20_000;
/// How long our own peer may hear nothing before the conversation ends.
pub(crate) const MEDIA_LOST_MS: u64 = 30_000;
/// No packet for this long counts as nothing heard.
pub(crate) const MEDIA_SILENCE_MS: u64 = 3_000;
/// The closing handshake of a socket of voice.
pub(crate) const CLOSE_MS: u64 = 1_000;
/// Sockets that may be closing at once, per thread; the oldest is cut.
pub(crate) const CLOSINGS_MAX: usize = 4;
/// What was made ready for a conversation is kept this long.
pub(crate) const PREPARED_MS: u64 = 600_000;
/// An unused connection is kept this long.
pub(crate) const PRECONNECT_KEEP_MS: u64 = 60_000;
/// Microphone audio that is kept until media is up.
pub(crate) const PREROLL_MS: u64 = 5_000;
/// Microphone audio that waits to be sent over a socket, at most.
pub(crate) const AUDIO_QUEUE_MS: u64 = 5_000;
/// Speaker audio that waits to be played, at most.
pub(crate) const PLAYBACK_MS_MAX: u64 = 600_000;
/// Between two reports of lost audio, at least.
pub(crate) const DROPPED_EVERY_MS: u64 = 1_000;
/// Messages that an adapter holds at most.
pub(crate) const SEND_WINDOW: usize = 32;
/// Typed messages that wait for the service, at most.
pub(crate) const TEXTS_QUEUED_MAX: usize = 64;
/// Messages of the agent that wait for the service, at most.
pub(crate) const AGENT_QUEUED_MAX: usize = 256;
/// Bytes of messages that wait for the service, at most.
pub(crate) const MESSAGES_BYTES_MAX: usize = 1 << 20;
/// One typed message, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 64 << 10;
/// A message from the service, in bytes.
pub(crate) const SERVER_MESSAGE_BYTES_MAX: usize = 16 << 20;
/// A `response.create` that nothing answers is forgotten.
pub(crate) const RESPONSE_CREATE_MS: u64 = 10_000;
/// Streamed text goes out this seldom, per item.
pub(crate) const STREAM_EVERY_MS: u64 = 200;
/// What the voice model gets of one message of the agent, in bytes.
pub(crate) const SPOKEN_BYTES_MAX: usize = 4_000;
/// What of it is streamed, in bytes; the rest is kept for the end.
pub(crate) const SPOKEN_HEAD_BYTES: usize = 1_988;
/// Transcript entries that are remembered.
pub(crate) const TRANSCRIPT_ENTRIES_MAX: usize = 256;
/// One transcript entry, in bytes.
pub(crate) const TRANSCRIPT_BYTES_MAX: usize = 64 << 10;
/// Transcript that goes to the agent with a task, in bytes; the newest is kept.
pub(crate) const TRANSCRIPT_DELTA_BYTES: usize = 8 << 10;
/// A task for the agent, in bytes.
pub(crate) const DELEGATION_BYTES_MAX: usize = 64 << 10;
/// Delegations, items and events whose ids are remembered.
pub(crate) const IDS_REMEMBERED_MAX: usize = 512;
/// Errors of the service that are told one by one, per conversation.
pub(crate) const SERVER_ERRORS_TOLD_MAX: u32 = 20;
/// Items of an earlier conversation.
pub(crate) const INITIAL_ITEMS_MAX: usize = 128;
/// Estimated tokens of those items, of each and of all, and of instructions for the agent.
pub(crate) const INITIAL_TOKENS_MAX: usize = 8_192;
/// Looking at what the user has been working on; voice goes on without it.
pub(crate) const SURVEY_MS: u64 = 20_000;
/// Threads, levels and entries of a folder that are looked at.
pub(crate) const SURVEY_THREADS: u32 = 40;
pub(crate) const SURVEY_DEPTH: u32 = 2;
pub(crate) const SURVEY_ENTRIES: u32 = 20;
