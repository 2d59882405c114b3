//! Every bound and every deadline of the engine, with its unit. Reaching one is reported.

/// Prompts that wait at most, per thread.
pub(crate) const PROMPTS_QUEUED_MAX: usize = 64;
/// Tool calls that run at once, per turn; later ones wait for their turn.
pub(crate) const TOOLS_PARALLEL_MAX: usize = 16;
/// Tool calls of one response; the rest get an error output.
pub(crate) const TOOL_CALLS_MAX: usize = 256;
/// Commands that live at once, per thread. At the limit the oldest ended or idle one is removed.
pub(crate) const COMMANDS_MAX: usize = 64;

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
/// Default `timeout_ms` of `shell` and `shell_command`.
pub(crate) const SHELL_TIMEOUT_MS: u64 = 10_000;
