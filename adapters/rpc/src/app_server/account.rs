//! `account/*`: which credential there is. A key goes from the client's line to the host and
//! nowhere else.

use codex_proto::config::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    AppServer,
    boundary::{Ask, Login, Told},
    state::Waiting,
};
use crate::jsonrpc::{ErrorObject, RequestId};

// No `Debug`: a key is among them.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(super) enum LoginParams {
    #[serde(rename_all = "camelCase")]
    ApiKey { api_key: String },
    #[serde(rename = "chatgpt")]
    ChatGpt {},
    #[serde(rename = "chatgptDeviceCode")]
    ChatGptDeviceCode {},
    #[serde(rename = "chatgptAuthTokens")]
    ChatGptAuthTokens {},
}

impl AppServer {
    pub(super) fn login(&mut self, id: RequestId, params: LoginParams) -> Result<(), ErrorObject> {
        let kind = match params {
            LoginParams::ApiKey { api_key } if api_key.trim().is_empty() => {
                return Err(ErrorObject::invalid("apiKey is empty"));
            }
            LoginParams::ApiKey { api_key } => {
                self.ask(Waiting::Login(id), Ask::Login(Secret::new(api_key)));
                return Ok(());
            }
            LoginParams::ChatGpt {} => "chatgpt",
            LoginParams::ChatGptDeviceCode {} => "chatgptDeviceCode",
            LoginParams::ChatGptAuthTokens {} => "chatgptAuthTokens",
        };
        Err(ErrorObject::invalid(format!(
            "a login of type `{kind}` is not supported by this version; use type `apiKey`"
        )))
    }

    pub(super) fn logout(&mut self, id: RequestId) {
        self.ask(Waiting::Logout(id), Ask::Logout);
    }

    pub(super) fn read_account(&mut self, id: RequestId) {
        self.ask(Waiting::Account(id), Ask::Account);
    }

    pub(super) fn told_account(&mut self, id: &RequestId, told: Told) {
        match told {
            Told::Account(account) => {
                let login = account.login.map(|Login::ApiKey| json!({ "type": "apiKey" }));
                self.answer(
                    id,
                    json!({ "account": login, "requiresOpenaiAuth": account.is_needed }),
                );
            }
            other => self.fail_told(id, &other),
        }
    }

    pub(super) fn told_login(&mut self, id: &RequestId, told: Told) {
        let error = match told {
            Told::Done => None,
            Told::Failed(message) => Some(message),
            other => return self.fail_told(id, &other),
        };
        match &error {
            None => self.answer(id, json!({ "type": "apiKey" })),
            Some(message) => self.fail(id, ErrorObject::invalid(message.clone())),
        }
        let params = json!({ "loginId": null, "success": error.is_none(), "error": error });
        self.notify("account/login/completed", params);
        if error.is_none() {
            self.account_updated(json!("apikey"));
        }
    }

    pub(super) fn told_logout(&mut self, id: &RequestId, told: &Told) {
        match told {
            Told::Done => {
                self.answer(id, json!({}));
                self.account_updated(Value::Null);
            }
            other => self.fail_told(id, other),
        }
    }

    fn account_updated(&mut self, mode: Value) {
        self.notify("account/updated", json!({ "authMode": mode, "planType": null }));
    }
}
