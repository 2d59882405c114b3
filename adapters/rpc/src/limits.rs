//! Bounds of the translators. A bound that is reached is told to the client.

/// Longest line that a client may send, without its end, in bytes. The pump enforces it.
pub const LINE_BYTES_MAX: usize = 16 << 20;
/// How much of a longer line is looked at, to find the request it is, in bytes.
pub const LONG_LINE_START_BYTES: usize = 64 << 10;
/// Requests that wait for an engine or for the host at the same time.
pub const PENDING_MAX: usize = 64;
/// Threads that are loaded at the same time.
pub const THREADS_MAX: usize = 64;
/// Engines at the same time, one per distinct set of start parameters.
pub const HOSTS_MAX: usize = 16;
/// Text of one prompt, in characters.
pub const INPUT_CHARS_MAX: usize = 1 << 20;
/// Ops whose refusal is still told with the thread that it is about.
pub const RECENT_OPS_MAX: usize = 2_048;
/// Warnings of one host's configuration that are told.
pub const CONFIG_WARNINGS_MAX: usize = 32;
/// Audio of one `thread/realtime/appendAudio`, in milliseconds.
pub const AUDIO_MS_MAX: u64 = 10_000;
