//! `codex login` and `codex logout`. What is said goes to standard error; nothing is data.

use std::{
    fs::File,
    io::{self, IsTerminal},
    os::fd::{AsFd, OwnedFd},
};

use codex_exec::{
    session::{Environment, NO_KEY, StartError},
    stderr, stdin,
};
use codex_store::{
    credentials::{self, ApiKey, KeySource, Stored},
    home::Home,
};

/// Turns an outcome into an exit code, telling the error.
fn told(outcome: Result<u8, StartError>) -> u8 {
    outcome.unwrap_or_else(|error| {
        stderr::line(&error.to_string());
        1
    })
}

fn find() -> Result<(Environment, Home), StartError> {
    let mut environment = Environment::of_process();
    let home = environment.codex_home()?;
    let mut warnings = Vec::new();
    environment.read_env_file(&home.path, &mut warnings);
    warnings.iter().for_each(|warning| stderr::line(&format!("warning: {warning}")));
    Ok((environment, home))
}

/// `codex login --with-api-key`: stores the key that standard input holds, without asking anybody
/// whether it is valid.
pub(crate) fn with_api_key() -> u8 {
    told(store_key())
}

fn store_key() -> Result<u8, StartError> {
    if io::stdin().is_terminal() {
        return Err(StartError::Plain(
            "--with-api-key reads the key from a pipe, so that it shows nowhere: \
             `printenv OPENAI_API_KEY | codex login --with-api-key`"
                .into(),
        ));
    }
    stderr::line("Reading API key from stdin...");
    let fail = |error| StartError::Other(format!("Failed to read the key from stdin: {error}"));
    let fd: OwnedFd = io::stdin().as_fd().try_clone_to_owned().map_err(fail)?;
    let bytes = match stdin::read(&File::from(fd), stdin::SILENCE_MAX).map_err(fail)? {
        stdin::Outcome::Bytes(bytes) => bytes,
        stdin::Outcome::Silent => Vec::new(),
    };
    let text = String::from_utf8(bytes)
        .map_err(|_| StartError::Other("The key on stdin is not UTF-8.".into()))?;
    if text.trim().is_empty() {
        return Err(StartError::Plain("No API key provided via stdin.".into()));
    }
    let (_, home) = find()?;
    credentials::login_with_api_key(&home.path, &ApiKey::new(&text)?)?;
    stderr::line("Successfully logged in");
    Ok(0)
}

/// `codex login status`.
pub(crate) fn status() -> u8 {
    told(tell_status())
}

fn tell_status() -> Result<u8, StartError> {
    let (environment, home) = find()?;
    let stored = credentials::read_stored(&home.path)?;
    let (text, code) = match (environment.account_key(&home.path), &stored) {
        (Ok(Some((KeySource::Stored, key))), _) => {
            (format!("Logged in using an API key - {}", key.masked()), 0)
        }
        (Ok(Some((source, key))), _) => {
            (format!("Using the API key of {} - {}", source.as_str(), key.masked()), 0)
        }
        (Ok(None), _) => ("Not logged in".to_owned(), 1),
        (Err(_), Stored::ChatGpt) => {
            let text = "Logged in using ChatGPT, which this version cannot use yet";
            (format!("{text}. {NO_KEY}"), 1)
        }
        (Err(error), Stored::ApiKey(_) | Stored::Nothing) => return Err(error),
    };
    stderr::line(&text);
    Ok(code)
}

/// `codex logout`.
pub(crate) fn logout() -> u8 {
    told(find().and_then(|(_, home)| {
        let removed = credentials::logout(&home.path)?;
        stderr::line(if removed { "Successfully logged out" } else { "Not logged in" });
        Ok(0)
    }))
}

/// `codex login --api-key KEY`.
pub(crate) fn refuse_key_argument() -> u8 {
    stderr::line(
        "A key on the command line is seen by every process. Pipe it instead: \
         `printenv OPENAI_API_KEY | codex login --with-api-key`",
    );
    1
}

/// `codex login`.
pub(crate) fn no_other_way() -> u8 {
    stderr::line(
        "Logging in with a browser does not exist in this version. Set OPENAI_API_KEY, or store a \
         key: `printenv OPENAI_API_KEY | codex login --with-api-key`",
    );
    1
}
