//! `mcp_servers`.

use super::{
    error::{ConfigError, ConfigErrorKind},
    typing::Typing,
    value::{At, Node},
};

impl Typing<'_> {
    /// MCP servers are started by a later part; a definition that cannot work is told at once.
    pub(super) fn check_servers(&self) -> Result<(), ConfigError> {
        for (name, node) in self.node("mcp_servers").and_then(Node::as_table).into_iter().flatten()
        {
            let Some(server) = node.as_table() else { continue };
            let fail = |at: At, what: &str| {
                let message = format!("`mcp_servers.{name}` {what}");
                Err(self.layers.error(ConfigErrorKind::Invalid, at, message))
            };
            if let Some(token) = server.get("bearer_token") {
                return fail(
                    token.key,
                    "has a `bearer_token`: tokens do not belong here; name a variable in \
                     `bearer_token_env_var`",
                );
            }
            match (server.get("command"), server.get("url")) {
                (Some(_), Some(url)) => {
                    return fail(
                        url.key,
                        "has both `command` and `url`: a server is either started or called",
                    );
                }
                (None, None) => {
                    return fail(
                        node.key,
                        "needs a `command` (to start it) or a `url` (to call it)",
                    );
                }
                (Some(_), None) | (None, Some(_)) => {}
            }
        }
        Ok(())
    }
}
