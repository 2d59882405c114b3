//! What ends a conversation, or keeps it from beginning: one sentence, and what to do about it.

use codex_proto::{HostError, HostErrorKind, effect::HttpHead};

use crate::{
    machine::Cx,
    model::failure::{self, Retry},
};

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(super) fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The host could not do it.
pub(super) fn of_host(doing: &str, error: &HostError) -> (Fault, Retry) {
    let retry = if error.is_retryable() { Retry::Stream(None) } else { Retry::No };
    let mut fault = Fault::new(format!("{doing}: {error}"));
    fault.hint = match error.kind {
        HostErrorKind::MissingCredential => Some(
            "voice needs an API key: set OPENAI_API_KEY, or run `codex login --with-api-key`"
                .into(),
        ),
        _ => error.hint().map(str::to_owned),
    };
    (fault, retry)
}

/// The service answered with a status that means no.
pub(super) fn of_status(
    doing: &str,
    head: &HttpHead,
    body: &[u8],
    url: &str,
    cx: &Cx<'_>,
) -> (Fault, Retry) {
    let auth = cx.settings.provider.auth.as_ref();
    let failed = failure::of_status(head, body, url, auth, cx.now.wall);
    let hint = match head.status {
        404 => Some(
            "the provider may have no realtime service at this address: check base_url, \
             realtime.version and the experimental_realtime_* keys"
                .to_owned(),
        ),
        _ => failed.error.hint,
    };
    (Fault { message: format!("{doing}: {}", failed.error.message), hint }, failed.retry)
}
