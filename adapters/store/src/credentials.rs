//! `CODEX_HOME/auth.json`: the stored key, in the format that existing installations have.
//!
//! The file is private (0600) and replaced as a whole. No error and no `Debug` output shows a
//! key. Logins with ChatGPT tokens are recognised, left alone, and not used.

use std::{
    fmt,
    fs::{self, File},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use codex_proto::{HostError, HostErrorKind};
use serde_json::{Value, json};

use crate::{fail, read};

/// Bytes of an `auth.json` at most.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Bytes of a key at most.
const KEY_BYTES_MAX: usize = 16 * 1024;

/// An API key. Shown masked only.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Takes a key as typed or piped: surrounding white space is dropped.
    ///
    /// # Errors
    /// When nothing is left, or it contains what no header can carry.
    pub fn new(text: &str) -> Result<Self, HostError> {
        let key = text.trim();
        let problem = if key.is_empty() {
            "the API key is empty"
        } else if key.len() > KEY_BYTES_MAX {
            "the API key is too long to be one"
        } else if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            "the API key contains spaces, line ends or characters that are not ASCII"
        } else {
            return Ok(Self(key.to_owned()));
        };
        Err(HostError::new(HostErrorKind::MissingCredential, problem))
    }

    /// The key itself, for the header it belongs into.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What may be shown: `sk-proj-***abcde`, or `***` for short ones.
    #[must_use]
    pub fn masked(&self) -> String {
        if self.0.len() <= 13 {
            return "***".to_owned();
        }
        format!("{}***{}", &self.0[..8], &self.0[self.0.len() - 5..])
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({})", self.masked())
    }
}

/// What `auth.json` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// A key.
    ApiKey(ApiKey),
    /// Tokens of a ChatGPT login, or of another kind that is not supported yet.
    ChatGpt,
    /// Nothing: no file, or one without a key.
    Nothing,
}

/// Where a key came from, in the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// `CODEX_API_KEY`.
    CodexApiKey,
    /// `auth.json`.
    Stored,
    /// `OPENAI_API_KEY`.
    OpenAiApiKey,
}

impl KeySource {
    /// For messages: `CODEX_API_KEY`, `auth.json`, `OPENAI_API_KEY`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CodexApiKey => "CODEX_API_KEY",
            Self::Stored => "auth.json",
            Self::OpenAiApiKey => "OPENAI_API_KEY",
        }
    }
}

/// Chooses the key for the built-in provider. Blank variables count as unset; `Ok(None)` when
/// there is no key at all.
///
/// # Errors
/// When the variable that wins is not a usable key, and when there is nothing but a ChatGPT
/// login.
pub fn choose(
    codex_api_key: Option<&str>,
    stored: &Stored,
    openai_api_key: Option<&str>,
) -> Result<Option<(KeySource, ApiKey)>, HostError> {
    let from = |source: KeySource, text: &str| match ApiKey::new(text) {
        Ok(key) => Ok(Some((source, key))),
        Err(error) => {
            let text = format!("{}: {}", source.as_str(), error.message);
            Err(HostError::new(error.kind, text))
        }
    };
    let is_set = |text: &&str| !text.trim().is_empty();
    if let Some(text) = codex_api_key.filter(is_set) {
        return from(KeySource::CodexApiKey, text);
    }
    if let Stored::ApiKey(key) = stored {
        return Ok(Some((KeySource::Stored, key.clone())));
    }
    if let Some(text) = openai_api_key.filter(is_set) {
        return from(KeySource::OpenAiApiKey, text);
    }
    match stored {
        Stored::ChatGpt => Err(HostError::new(
            HostErrorKind::MissingCredential,
            "auth.json holds a ChatGPT login, which is not supported yet",
        )),
        Stored::ApiKey(_) | Stored::Nothing => Ok(None),
    }
}

/// Where a home directory keeps its credentials.
#[must_use]
pub fn path(codex_home: &Path) -> PathBuf {
    codex_home.join("auth.json")
}

/// Reads `auth.json`.
///
/// # Errors
/// When it cannot be read, is not JSON (with line and column), or has fields of a wrong type.
pub fn read_stored(codex_home: &Path) -> Result<Stored, HostError> {
    let path = path(codex_home);
    let bytes = match read::whole(&path, FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind == HostErrorKind::NotFound => return Ok(Stored::Nothing),
        Err(error) => return Err(error),
    };
    let malformed = |place: String, what: &str| {
        let text = format!(
            "{}{place}: {what}; log in again with `codex login --with-api-key`",
            path.display()
        );
        Err(HostError::new(HostErrorKind::Other, text))
    };
    // Into a `Value`: the messages of typed parsing would quote what they found.
    let value: Value = match serde_json::from_slice(&bytes) {
        Ok(value) => value,
        Err(error) => {
            let what = match error.classify() {
                serde_json::error::Category::Eof => "the file ends too early",
                _ => "this is not JSON",
            };
            return malformed(format!(":{}:{}", error.line(), error.column()), what);
        }
    };
    let Value::Object(fields) = value else {
        return malformed(":1:1".into(), "this is not a JSON object");
    };
    let text = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(format!("`{name}` is not a string")),
    };
    let (mode, key) = match (text("auth_mode"), text("OPENAI_API_KEY")) {
        (Ok(mode), Ok(key)) => (mode, key.filter(|key| !key.trim().is_empty())),
        (Err(what), _) | (_, Err(what)) => return malformed(String::new(), &what),
    };
    let has_tokens = fields.get("tokens").is_some_and(|tokens| !tokens.is_null());
    match (mode, key) {
        (None | Some("apikey"), Some(key)) => match ApiKey::new(key) {
            Ok(key) => Ok(Stored::ApiKey(key)),
            Err(error) => malformed(": `OPENAI_API_KEY`".into(), &error.message),
        },
        (Some("apikey"), None) => Ok(Stored::Nothing),
        (None, None) if !has_tokens => Ok(Stored::Nothing),
        _ => Ok(Stored::ChatGpt),
    }
}

/// Stores a key, in place of whatever was stored.
///
/// # Errors
/// When the file cannot be written; the old one is then untouched.
pub fn login_with_api_key(codex_home: &Path, key: &ApiKey) -> Result<(), HostError> {
    let path = path(codex_home);
    let value = json!({ "auth_mode": "apikey", "OPENAI_API_KEY": key.expose() });
    let mut text = serde_json::to_vec_pretty(&value).unwrap_or_default();
    text.push(b'\n');
    replace_private(&path, &text).map_err(|error| fail::at("write", &path, error))
}

/// Removes what is stored; false when there was nothing.
///
/// # Errors
/// When the file cannot be removed.
pub fn logout(codex_home: &Path) -> Result<bool, HostError> {
    let path = path(codex_home);
    match fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(fail::at("remove", &path, error)),
    }
}

/// Replaces a file as a whole; the new one is private. A symbolic link stays one.
fn replace_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let random = uuid::Uuid::new_v4().simple();
    let staged = path.with_file_name(format!(".auth-{random}.json"));
    let written = File::options().write(true).create_new(true).mode(0o600).open(&staged).and_then(
        |mut file| {
            file.write_all(bytes)?;
            file.sync_data()?;
            fs::rename(&staged, &path)
        },
    );
    if written.is_err() {
        let _ = fs::remove_file(&staged);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const KEY: &str = "sk-proj-0123456789abcde";

    #[test]
    fn a_key_is_stored_private_and_read_back() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(read_stored(home.path()).unwrap(), Stored::Nothing);
        fs::write(path(home.path()), r#"{"auth_mode":"chatgpt","tokens":{}}"#).unwrap();
        let key = ApiKey::new(&format!(" {KEY}\n")).unwrap();
        login_with_api_key(home.path(), &key).unwrap();
        assert_eq!(read_stored(home.path()).unwrap(), Stored::ApiKey(key));
        let mode = fs::metadata(path(home.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        assert!(logout(home.path()).unwrap());
        assert!(!logout(home.path()).unwrap());
    }

    #[test]
    fn files_of_other_programs_are_understood() {
        let home = tempfile::tempdir().unwrap();
        let api_key = Stored::ApiKey(ApiKey::new(KEY).unwrap());
        for (text, want) in [
            (format!(r#"{{"OPENAI_API_KEY":"{KEY}"}}"#), api_key.clone()),
            (format!(r#"{{"auth_mode":"apikey","OPENAI_API_KEY":"{KEY}","x":1}}"#), api_key),
            (
                r#"{"auth_mode":"chatgpt","OPENAI_API_KEY":null,"tokens":{}}"#.into(),
                Stored::ChatGpt,
            ),
            (format!(r#"{{"auth_mode":"chatgpt","OPENAI_API_KEY":"{KEY}"}}"#), Stored::ChatGpt),
            (r#"{"tokens":{"id_token":"x"}}"#.into(), Stored::ChatGpt),
            (r#"{"auth_mode":"agentIdentity"}"#.into(), Stored::ChatGpt),
            ("{}".into(), Stored::Nothing),
        ] {
            fs::write(path(home.path()), &text).unwrap();
            assert_eq!(read_stored(home.path()).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn malformed_files_are_named_without_their_content() {
        let home = tempfile::tempdir().unwrap();
        for (text, place) in [
            ("{\n  \"OPENAI_API_KEY\": sk-secret\n}", "auth.json:2:"),
            ("{\"OPENAI_API_KEY\": \"sk-secret\"", "auth.json:1:"),
            ("\"sk-secret\"", "auth.json:1:1: this is not a JSON object"),
            (
                "{\"OPENAI_API_KEY\": [\"sk-secret\"]}",
                "auth.json: `OPENAI_API_KEY` is not a string",
            ),
            ("{\"OPENAI_API_KEY\": \"sk-secret x\"}", "auth.json: `OPENAI_API_KEY`: the API key"),
        ] {
            fs::write(path(home.path()), text).unwrap();
            let error = read_stored(home.path()).unwrap_err();
            assert!(error.message.contains(place), "{error}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
        assert_eq!(ApiKey::new(KEY).unwrap().masked(), "sk-proj-***abcde");
        assert_eq!(format!("{:?}", ApiKey::new("short").unwrap()), "ApiKey(***)");
    }

    #[test]
    fn keys_win_in_order() {
        let stored = Stored::ApiKey(ApiKey::new("stored").unwrap());
        let nothing = Stored::Nothing;
        let source = |codex, stored, openai| {
            choose(codex, stored, openai).map(|found| found.map(|(source, _)| source))
        };
        use KeySource::{CodexApiKey, OpenAiApiKey};
        assert_eq!(source(Some("a"), &stored, Some("b")), Ok(Some(CodexApiKey)));
        assert_eq!(source(Some(" "), &stored, Some("b")), Ok(Some(KeySource::Stored)));
        assert_eq!(source(None, &nothing, Some("b")), Ok(Some(OpenAiApiKey)));
        assert_eq!(source(None, &Stored::ChatGpt, Some("b")), Ok(Some(OpenAiApiKey)));
        assert_eq!(source(None, &nothing, None), Ok(None));
        let error = source(None, &Stored::ChatGpt, None).unwrap_err();
        assert!(error.message.contains("not supported yet"));
        let error = source(Some("a\nb"), &nothing, None).unwrap_err();
        assert!(error.message.starts_with("CODEX_API_KEY: "), "{error}");
    }
}
