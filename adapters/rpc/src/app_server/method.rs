//! The requests that are served, by name.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    account::LoginParams,
    initialize::InitializeParams,
    realtime::{AudioParams, StartParams as VoiceStartParams, TextParams},
    thread_params::{ResumeParams, StartParams, ThreadParams},
    turn::{InterruptParams, SteerParams, TurnParams},
};
use crate::jsonrpc::ErrorObject;

/// Parameters without a field that counts.
#[derive(Deserialize)]
pub(super) struct NoParams {}

/// A request whose parameters have the right shape.
#[derive(Deserialize)]
#[serde(tag = "method", content = "params")]
pub(super) enum Request {
    #[serde(rename = "initialize")]
    Initialize(InitializeParams),
    #[serde(rename = "account/login/start")]
    Login(LoginParams),
    #[serde(rename = "account/logout")]
    Logout,
    #[serde(rename = "account/read")]
    ReadAccount(NoParams),
    #[serde(rename = "thread/start")]
    StartThread(Box<StartParams>),
    #[serde(rename = "thread/resume")]
    ResumeThread(Box<ResumeParams>),
    #[serde(rename = "thread/unsubscribe")]
    UnsubscribeThread(ThreadParams),
    #[serde(rename = "turn/start")]
    StartTurn(Box<TurnParams>),
    #[serde(rename = "turn/steer")]
    SteerTurn(SteerParams),
    #[serde(rename = "turn/interrupt")]
    InterruptTurn(InterruptParams),
    #[serde(rename = "thread/realtime/start")]
    StartVoice(Box<VoiceStartParams>),
    #[serde(rename = "thread/realtime/appendAudio")]
    AppendAudio(AudioParams),
    #[serde(rename = "thread/realtime/appendText")]
    AppendText(TextParams),
    #[serde(rename = "thread/realtime/appendSpeech")]
    AppendSpeech(TextParams),
    #[serde(rename = "thread/realtime/stop")]
    StopVoice(ThreadParams),
    #[serde(rename = "thread/realtime/listVoices")]
    ListVoices(NoParams),
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// When the method is not served, which the message names, or its parameters are not what it
    /// needs.
    pub(super) fn parse(method: &str, params: Option<Value>) -> Result<Self, ErrorObject> {
        let mut request = Map::new();
        request.insert("method".into(), method.into());
        if let Some(params) = params {
            request.insert("params".into(), params);
        }
        serde_json::from_value(Value::Object(request)).map_err(|error| {
            // The reader's messages quote what they found, which may be a key.
            if method == "account/login/start" {
                return ErrorObject::invalid(
                    "Invalid request: `account/login/start` needs params of the form {\"type\": \
                     \"apiKey\", \"apiKey\": \"…\"}",
                );
            }
            ErrorObject::invalid(format!("Invalid request: {error}"))
        })
    }
}

/// Whether a method needs `capabilities.experimentalApi`.
pub(super) fn is_experimental(method: &str) -> bool {
    method.starts_with("thread/realtime/")
}

impl Request {
    /// Whether it ends something, and is therefore taken however much is under way.
    pub(super) fn is_way_out(&self) -> bool {
        matches!(self, Self::InterruptTurn(_) | Self::StopVoice(_) | Self::UnsubscribeThread(_))
    }
}
