//! Words that a scrubbed journal keeps: those of the wire, the tools and the patch grammar, which
//! the engine decides on and which say nothing about anybody. A word is a run of letters and digits;
//! names that are joined by other signs are listed piece by piece.

/// By where they come from; a word may be listed twice.
pub(super) const PUBLIC: [&str; 11] = [
    // JSON and streams.
    "true false null data event id retry DONE base64 image png jpeg jpg gif webp bmp text json",
    // Responses API: keys, types, states.
    "response created queued in progress completed done failed incomplete error output item added \
     content part delta summary reasoning refusal annotation annotations function call arguments \
     custom tool input web search code interpreter mcp local shell generation file type object \
     status model sequence number index key role name namespace action actions query queries url \
     urls usage tokens total cached details encrypted phase commentary final answer message messages \
     user assistant developer system turn end stop max instructions tools choice parallel store \
     stream include metadata at param code reason op msg rs fc ctc ws resp req cf ray",
    // Error codes and what a failure says.
    "context length exceeded insufficient quota usage limit reached not included cyber policy server \
     is overloaded slow down invalid prompt rate resets seconds try again detail internal",
    // Headers.
    "application utf charset no cache control transfer encoding chunked keep alive gzip",
    // Tools and their arguments.
    "exec command cmd workdir login yield time ms justification sandbox permissions require \
     escalated use default prefix rule write stdin session chars update plan explanation step steps \
     pending apply patch applypatch path view timeout tty bash zsh sh lc c cd pwsh powershell NoProfile \
     Command exe EOF PATCH parallel multi rm rf fr sudo ls cat pwd echo head wc which",
    // By what a command prints, the engine knows that the sandbox stopped it.
    "operation Operation not permitted permission Permission denied read Read only file system \
     network Network is unreachable could Could resolve host sandbox",
    // Patch grammar.
    "Begin Patch End of File Add Update Delete Move to",
    // Rollouts and what is put into a conversation.
    "timestamp payload meta history compacted replacement originator cli version source provider \
     git commit hash branch repository base environment cwd date timezone approval never on request \
     untrusted failure mode read only workspace danger full access writable roots network exclude \
     slash tmpdir tmp tier effort personality collaboration settings rolled back num turns token count \
     info last window limits task started complete aborted interrupted agent client thread skill subagent \
     notification AGENTS md override for filesystem xml external old new diff changes success stdout \
     stderr move before after digests begin",
    // Places that a policy names.
    "codex agents",
    // Voice: its messages, session descriptions, addresses.
    "session updated conversation audio transcript transcription buffer speech handoff requested \
     append delegation target turn marked truncate background remain silent cancelled already has \
     active realtime live calls rtc channel channels sample num v m a opus pcmu pcma PCMU PCMA rtpmap \
     sendrecv recvonly sendonly inactive UDP TLS RTP SAVPF 0 8 9 111 24000 48000 http https \
     ws wss v1 backend api juniper maple spruce ember vale breeze arbor sol cove alloy ash ballad \
     coral echo sage shimmer verse marin cedar",
    // What the engine knows of models.
    "openai azure low medium high xhigh minimal none auto concise detailed verbosity priority flex",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        for word in PUBLIC.iter().flat_map(|words| words.split_whitespace()) {
            assert!(word.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{word}");
        }
    }
}
