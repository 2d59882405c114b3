//! What a conversation will be: checked before anything of it begins.

use codex_proto::{
    Refused, Settings, ThreadId,
    effect::{HttpRequest, Method, Preconnect, PreconnectPurpose, SocketRequest},
    realtime::{RealtimeStart, RealtimeTransport, RealtimeVersion},
    settings::HeaderValue,
    wire::realtime::{call, sdp, session::SessionSpec, url},
};

use super::prompt;
use crate::limits::{
    CONNECT_MS, INITIAL_ITEMS_MAX, INITIAL_TOKENS_MAX, JOIN_ATTEMPT_MS, PRECONNECT_KEEP_MS,
    SERVER_MESSAGE_BYTES_MAX,
};

/// Flag of the whole feature.
const FEATURE: &str = "realtime_conversation";
/// Bytes that a token stands for, in estimates.
const TOKEN: usize = 4;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) start: RealtimeStart,
    pub(super) version: RealtimeVersion,
    /// The instructions without the startup context.
    prompt: String,
    spec: SessionSpec,
    pub(super) session_id: String,
    call_base: String,
    socket_base: String,
    /// A configured voice that the version does not have.
    pub(super) odd_voice: Option<String>,
}

pub(super) fn refused(why: impl Into<String>, hint: Option<&str>) -> Refused {
    Refused::Realtime { why: why.into(), hint: hint.map(str::to_owned) }
}

/// Whether voice is on at all.
pub(super) fn check_feature(settings: &Settings) -> Result<(), Refused> {
    if settings.feature(FEATURE) {
        return Ok(());
    }
    let hint = "start with `--enable realtime_conversation`, or set `realtime_conversation = true` \
                under [features]";
    Err(refused("conversations by voice are switched off", Some(hint)))
}

impl Plan {
    pub(super) fn check(start: RealtimeStart, settings: &Settings) -> Result<Self, Refused> {
        check_feature(settings)?;
        let configured = &settings.realtime;
        let version = start.version.unwrap_or(configured.version);
        let name = version.as_str();
        let mut odd_voice = None;
        let voice = match (&start.voice, &configured.voice) {
            (Some(voice), _) if !version.voices().contains(&voice.as_str()) => {
                let hint = format!("voices of {name}: {}", version.voices().join(", "));
                return Err(refused(format!("{name} has no voice `{voice}`"), Some(&hint)));
            }
            (Some(voice), _) => voice.clone(),
            (None, Some(voice)) if version.voices().contains(&voice.as_str()) => voice.clone(),
            (None, other) => {
                odd_voice.clone_from(other);
                version.default_voice().to_owned()
            }
        };
        if start.text_output && !version.has_text_output() {
            return Err(refused(format!("{name} only speaks"), Some("text output needs v2")));
        }
        if !start.initial_items.is_empty() && !version.has_initial_items() {
            let why = format!("{name} cannot begin with items of an earlier conversation");
            return Err(refused(why, Some("initial items need v3")));
        }
        check_items(&start)?;
        for text in [&start.start_instructions, &start.end_instructions].into_iter().flatten() {
            if text.len() / TOKEN > INITIAL_TOKENS_MAX {
                let why = format!("instructions for the agent exceed {INITIAL_TOKENS_MAX} tokens");
                return Err(refused(why, None));
            }
        }
        if let RealtimeTransport::WebRtcClient { offer } = &start.transport
            && sdp::check(offer).is_err()
        {
            return Err(refused("the offer is not a session description", None));
        }
        let provider = &settings.provider;
        let call_base = configured.call_base_url.as_ref().unwrap_or(&provider.base_url).clone();
        let socket_base = url::socket_base(configured.socket_base_url.as_deref(), &call_base);
        let model = start.model.as_ref().or(configured.model.as_ref());
        let model = model.map_or_else(|| version.default_model().to_owned(), String::clone);
        let spec = SessionSpec {
            version,
            transcription: configured.transcription,
            text_output: start.text_output,
            model,
            voice,
            instructions: String::new(),
            ack_filler: start.handoff.ack_filler,
            initial_items: start.initial_items.clone(),
        };
        let session_id = start.session_id.clone().unwrap_or_else(|| start.thread.to_string());
        let prompt = prompt::instructions(&start, settings);
        let plan =
            Self { start, version, prompt, spec, session_id, call_base, socket_base, odd_voice };
        plan.socket_url(None, settings).map_err(|error| {
            refused(error.to_string(), Some("set experimental_realtime_ws_base_url"))
        })?;
        Ok(plan)
    }

    /// Whether the model only writes down what it hears.
    pub(super) fn is_transcription(&self) -> bool {
        self.spec.transcription && self.version == RealtimeVersion::V2
    }

    /// Whether our own peer, microphone and speaker are used.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self.start.transport, RealtimeTransport::WebRtc | RealtimeTransport::WebSocket)
    }

    pub(super) fn is_webrtc(&self) -> bool {
        matches!(
            self.start.transport,
            RealtimeTransport::WebRtc | RealtimeTransport::WebRtcClient { .. }
        )
    }

    /// Whether the data channel of our peer carries messages, too. For the other versions that is
    /// unknown.
    pub(super) fn has_channel(&self) -> bool {
        self.start.transport == RealtimeTransport::WebRtc && self.version == RealtimeVersion::V2
    }

    /// The session with this startup context.
    pub(super) fn spec(&self, context: Option<&str>) -> SessionSpec {
        let mut spec = self.spec.clone();
        spec.instructions = match context {
            Some(context) if self.prompt.is_empty() => context.to_owned(),
            Some(context) => format!("{}\n\n{context}", self.prompt),
            None => self.prompt.clone(),
        };
        spec
    }

    /// The request that creates the call.
    pub(super) fn call(
        &self,
        offer: &str,
        context: Option<&str>,
        thread: ThreadId,
        settings: &Settings,
    ) -> HttpRequest {
        let session = self.spec(context).session();
        let call::CallBody { content_type, bytes } = call::body(&self.call_base, offer, &session);
        let mut headers = self.headers(thread, settings);
        headers.push(("content-type".into(), HeaderValue::Plain(content_type)));
        HttpRequest {
            method: Method::Post,
            url: url::call(&self.call_base, self.version, &settings.provider.query),
            headers,
            auth: settings.provider.auth.clone(),
            body: bytes,
            connect_ms: CONNECT_MS,
        }
    }

    /// The socket beside a call, or the one with the audio in it.
    pub(super) fn socket(
        &self,
        call_id: Option<&str>,
        thread: ThreadId,
        settings: &Settings,
    ) -> Result<SocketRequest, url::UrlError> {
        Ok(SocketRequest {
            url: self.socket_url(call_id, settings)?,
            headers: self.headers(thread, settings),
            auth: settings.provider.auth.clone(),
            connect_ms: JOIN_ATTEMPT_MS,
            message_bytes_max: SERVER_MESSAGE_BYTES_MAX,
        })
    }

    fn socket_url(
        &self,
        call_id: Option<&str>,
        settings: &Settings,
    ) -> Result<String, url::UrlError> {
        let (base, query) = (&self.socket_base, &settings.provider.query);
        match call_id {
            Some(id) => url::sideband(base, self.version, id, query),
            None => url::websocket(base, self.version, &self.spec.model, query),
        }
    }

    /// A connection for the socket, made while the call is being created.
    pub(super) fn preconnect(&self, settings: &Settings) -> Option<Preconnect> {
        let url = self.socket_url(None, settings).ok()?;
        let purpose = PreconnectPurpose::Socket;
        Some(Preconnect { url, purpose, connect_ms: CONNECT_MS, keep_ms: PRECONNECT_KEEP_MS })
    }

    /// The provider's headers, and ours, which come first where both have one.
    fn headers(&self, thread: ThreadId, settings: &Settings) -> Vec<(String, HeaderValue)> {
        /// Names a client that the service knows without being told.
        const DEFAULT_ORIGINATOR: &str = "codex_cli_rs";
        let thread = thread.to_string();
        let mut ours = vec![
            ("x-session-id", self.session_id.clone()),
            ("session-id", thread.clone()),
            ("thread-id", thread),
        ];
        ours.extend(self.version.alpha().map(|alpha| ("openai-alpha", alpha.to_owned())));
        if settings.originator != DEFAULT_ORIGINATOR {
            ours.push(("originator", settings.originator.clone()));
        }
        let provider = settings.provider.headers.iter();
        let vacant = |name: &str| !ours.iter().any(|(own, _)| *own == name);
        let mut headers: Vec<_> = provider.filter(|(name, _)| vacant(name)).cloned().collect();
        if !headers.iter().any(|(name, _)| name == "user-agent") {
            ours.push(("user-agent", settings.host.user_agent.clone()));
        }
        headers.extend(
            ours.into_iter().map(|(name, value)| (name.to_owned(), HeaderValue::Plain(value))),
        );
        headers
    }
}

/// A connection to the host of calls.
pub(super) fn preconnect_calls(settings: &Settings) -> Preconnect {
    let base = settings.realtime.call_base_url.as_ref().unwrap_or(&settings.provider.base_url);
    Preconnect {
        url: base.clone(),
        purpose: PreconnectPurpose::Http,
        connect_ms: CONNECT_MS,
        keep_ms: PRECONNECT_KEEP_MS,
    }
}

fn check_items(start: &RealtimeStart) -> Result<(), Refused> {
    let items = &start.initial_items;
    if items.len() > INITIAL_ITEMS_MAX {
        let why = format!("{} initial items, {INITIAL_ITEMS_MAX} at most", items.len());
        return Err(refused(why, None));
    }
    let bytes: usize = items.iter().map(|item| item.text.len()).sum();
    if bytes / TOKEN > INITIAL_TOKENS_MAX {
        let why = format!("the initial items exceed {INITIAL_TOKENS_MAX} tokens");
        return Err(refused(why, None));
    }
    Ok(())
}
