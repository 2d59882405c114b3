//! `initialize`: who the client is and what it wants to hear.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::AppServer;
use crate::jsonrpc::ErrorObject;

/// Longest name of a client, in bytes.
const NAME_BYTES_MAX: usize = 128;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InitializeParams {
    client_info: ClientInfo,
    capabilities: Option<Capabilities>,
}

#[derive(Deserialize)]
struct ClientInfo {
    name: String,
    version: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Capabilities {
    experimental_api: bool,
    opt_out_notification_methods: Option<BTreeSet<String>>,
}

/// A client that has said who it is.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// Names it to the provider and in rollouts.
    pub(super) name: String,
    /// Whether experimental methods and fields are served.
    pub(super) is_experimental: bool,
    /// Notifications that it does not want.
    pub(super) opted_out: BTreeSet<String>,
}

impl AppServer {
    pub(super) fn initialize(&mut self, params: InitializeParams) -> Result<Value, ErrorObject> {
        let ClientInfo { name, version } = params.client_info;
        for (field, text) in [("name", &name), ("version", &version)] {
            // Both go into a header.
            let is_fit = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            if !is_fit || text.len() > NAME_BYTES_MAX || (field == "name" && text.trim().is_empty())
            {
                return Err(ErrorObject::invalid(format!(
                    "Invalid clientInfo.{field}: at most {NAME_BYTES_MAX} printable ASCII characters"
                )));
            }
        }
        let facts = &self.facts;
        let user_agent = format!(
            "{name}/{} ({}; {}) {} ({name}; {version})",
            facts.version, facts.os, facts.arch, facts.terminal
        );
        let capabilities = params.capabilities.unwrap_or_default();
        self.client = Some(Client {
            name,
            is_experimental: capabilities.experimental_api,
            opted_out: capabilities.opt_out_notification_methods.unwrap_or_default(),
        });
        Ok(json!({
            "userAgent": user_agent,
            "codexHome": facts.codex_home,
            "platformFamily": facts.family,
            "platformOs": facts.os,
        }))
    }
}

/// Says that something needs `capabilities.experimentalApi`.
pub(super) fn experimental(what: &str) -> ErrorObject {
    ErrorObject::invalid(format!("{what} requires experimentalApi capability"))
}
