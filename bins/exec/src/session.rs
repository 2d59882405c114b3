//! From a command line to a session: directories, configuration, credentials, executors.
//!
//! Order of the checks: working directory, CODEX_HOME, configuration, key. Each failure is one
//! [`StartError`], whose text is what the user reads.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    sync::Arc,
};

use codex_net::{Net, NetConfig, Secret, Secrets};
use codex_process::{ProcessConfig, Processes};
use codex_proto::{
    HostError, Settings,
    config::{AuthSource, EnvFacts, HeaderSource, Overrides, Resolved},
    policy::{ApprovalPolicy, SandboxMode},
    settings::Host,
};
use codex_smol::{Executors, HttpExecutor, Journal, MediaExecutor, SocketExecutor};
use codex_store::{
    Store, StoreConfig,
    config::{ConfigRequest, load, system_folder},
    credentials::{self, KeySource},
    home::{self, Home},
    host,
    scratch::{self, Scratch},
};
use thiserror::Error;

use crate::args::ConfigArgs;

/// Why a session cannot start. `Display` is the whole line for standard error.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(String),
    /// The working directory cannot be used.
    #[error("Error: cannot work in {}: {error}", path.display())]
    Cwd {
        /// As given.
        path: PathBuf,
        /// The system's reason.
        error: std::io::Error,
    },
    /// A file or directory of ours cannot be used.
    #[error("Error: {0}")]
    Host(#[from] HostError),
    /// A sentence that stands for itself.
    #[error("{0}")]
    Plain(String),
    /// Anything else, said in one sentence.
    #[error("Error: {0}")]
    Other(String),
}

/// What the command line says about a session.
#[derive(Clone, Debug, Default)]
pub struct SessionRequest {
    /// `-c`, `--enable`, `--disable`.
    pub config: ConfigArgs,
    /// `-C`.
    pub cwd: Option<PathBuf>,
    /// `-m`.
    pub model: Option<String>,
    /// `-p`.
    pub profile: Option<String>,
    /// `-s`.
    pub sandbox: Option<SandboxMode>,
    /// `-a`.
    pub approval: Option<ApprovalPolicy>,
    /// `--add-dir`.
    pub add_dirs: Vec<PathBuf>,
    /// `--dangerously-bypass-approvals-and-sandbox`.
    pub bypass: bool,
    /// `--search`.
    pub search: bool,
    /// `--ignore-user-config`.
    pub ignore_user_config: bool,
    /// Set by front ends that never ask.
    pub approval_forced: Option<ApprovalPolicy>,
}

/// Names a file for the journal, as `--journal` does.
const JOURNAL: &str = "CODEX_JOURNAL";

/// Everything that is known before an engine exists.
#[derive(Debug)]
pub struct Session {
    /// Absolute working directory.
    pub cwd: PathBuf,
    /// `CODEX_HOME`.
    pub home: Home,
    /// The outcome of the configuration.
    pub resolved: Resolved,
    /// Variables, those of `CODEX_HOME/.env` included.
    pub environment: Environment,
    /// What was odd before the configuration was read.
    warnings: Vec<String>,
    /// Removed when the session is dropped.
    scratch: Scratch,
}

/// What to do when the variable of a provider's key is not set.
fn missing_variable(name: &str, instructions: Option<&str>) -> String {
    let instructions = instructions.unwrap_or("The provider's key is taken from it (`env_key`).");
    format!("Missing environment variable: `{name}`. {instructions}")
}

/// What to do when there is no key, wherever that is said.
pub const NO_KEY: &str = "No API key. Set OPENAI_API_KEY, or store a key with `codex login \
    --with-api-key`. `codex rehearse` shows the agent at work without account or network.";

impl Session {
    /// Finds the directories and loads the configuration.
    ///
    /// # Errors
    /// When the working directory or the configuration cannot be used.
    pub fn open(request: &SessionRequest) -> Result<Self, StartError> {
        let cwd = working_directory(request.cwd.as_deref())?;
        let mut environment = Environment::of_process();
        let home = environment.codex_home()?;
        let mut warnings = Vec::new();
        environment.read_env_file(&home.path, &mut warnings);
        warnings.extend(home.read_only.clone());
        let resolved = load(&ConfigRequest {
            cwd: cwd.clone(),
            codex_home: home.path.clone(),
            home: environment.user_home(),
            system: system_folder(),
            ignore_user_config: request.ignore_user_config,
            overrides: overrides(request),
            env: EnvFacts {
                openai_base_url: environment.text("OPENAI_BASE_URL"),
                oss_base_url: environment.text("CODEX_OSS_BASE_URL"),
                oss_port: environment.text("CODEX_OSS_PORT"),
            },
            approval_forced: request.approval_forced,
        })
        .map_err(|error| StartError::Config(error.report()))?;
        let runtime_dir = environment.get("XDG_RUNTIME_DIR");
        let base = scratch::base(runtime_dir, environment.get("TMPDIR"));
        let scratch = Scratch::create(&base)?;
        Ok(Self { cwd, home, resolved, environment, warnings, scratch })
    }

    /// What is odd about the configuration, one sentence each.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let configured = self.resolved.warnings.iter().map(|warning| match &warning.place {
            Some(place) => format!("{place}: {}", warning.message),
            None => warning.message.clone(),
        });
        self.warnings.iter().cloned().chain(configured)
    }

    /// The credentials of the configuration and the account, and where the account's key came
    /// from when the provider in use needs it.
    ///
    /// # Errors
    /// When the provider in use needs the account's key and there is none.
    pub fn secrets(&self) -> Result<(Secrets, Option<KeySource>), StartError> {
        let (secrets, used, is_missing) = self.gather()?;
        if is_missing { Err(StartError::Other(NO_KEY.into())) } else { Ok((secrets, used)) }
    }

    /// As [`Self::secrets`], for a front end in which a key may still be given: without one, what
    /// needs it fails when it is sent, and says what to do.
    ///
    /// # Errors
    /// When a key cannot be used.
    pub fn secrets_so_far(&self) -> Result<Secrets, StartError> {
        let (secrets, ..) = self.gather()?;
        Ok(secrets)
    }

    /// The credentials, where the account's key came from, and whether it is needed and missing.
    fn gather(&self) -> Result<(Secrets, Option<KeySource>, bool), StartError> {
        let mut secrets = Secrets::new();
        let mut used = None;
        let mut is_missing = false;
        for (name, source) in &self.resolved.secrets.auth {
            let is_in_use = self.resolved.part.provider.auth.as_ref() == Some(name);
            match source {
                // Other providers need no account, and reading its key may fail.
                AuthSource::Account if !is_in_use => {}
                AuthSource::Account => match self.environment.account_key(&self.home.path)? {
                    Some((source, key)) => {
                        secrets.set_auth(name.clone(), Secret::new(key.expose()));
                        used = Some(source);
                    }
                    None => {
                        secrets.set_auth_missing(name.clone(), NO_KEY);
                        is_missing = true;
                    }
                },
                AuthSource::Env { name: variable, instructions } => {
                    let missing = missing_variable(variable, instructions.as_deref());
                    secrets.set_auth_missing(name.clone(), missing);
                    if let Some(value) = self.environment.text(variable) {
                        secrets.set_auth(name.clone(), Secret::new(value.trim()));
                    }
                }
                AuthSource::Inline(secret) => {
                    secrets.set_auth(name.clone(), Secret::new(secret.expose()));
                }
            }
        }
        for (name, source) in &self.resolved.secrets.headers {
            let value = match source {
                HeaderSource::Env(variable) => self.environment.text(variable),
                HeaderSource::Inline(secret) => Some(secret.expose().to_owned()),
            };
            if let Some(value) = value {
                secrets.set_value(name.clone(), Secret::new(value));
            }
        }
        Ok((secrets, used, is_missing))
    }

    /// The private directory of this session; removed when the session is dropped.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Removes what killed sessions of this user left behind. It lists a folder, so it is nothing
    /// for the start of a program or the end of a short one.
    pub fn sweep(&self) {
        if let Some(base) = self.scratch.path().parent() {
            let count = scratch::sweep(base);
            tracing::debug!(count, "scratch directories of dead sessions were removed");
        }
    }

    /// As [`Self::secrets`], and whether the key of the provider in use is missing: then its
    /// requests fail with a sentence that says so.
    ///
    /// # Errors
    /// When a key cannot be used.
    pub fn secrets_or_missing(&self) -> Result<(Secrets, Option<KeySource>, bool), StartError> {
        let (mut secrets, used, is_missing) = self.gather()?;
        if let (true, Some(name)) = (is_missing, &self.resolved.part.provider.auth) {
            secrets.set_auth_missing(name.clone(), NO_KEY.to_owned());
        }
        Ok((secrets, used, is_missing))
    }

    /// What the provider in use takes its key from when that is no account: a variable, or the
    /// configuration.
    ///
    /// # Errors
    /// With a sentence for people when the key is not there.
    pub fn own_key(&self) -> Result<Option<&str>, String> {
        let secrets = &self.resolved.secrets;
        match self.resolved.part.provider.auth.as_ref().and_then(|name| secrets.auth.get(name)) {
            Some(AuthSource::Env { name, instructions }) => match self.environment.text(name) {
                Some(_) => Ok(Some(name)),
                None => Err(missing_variable(name, instructions.as_deref())),
            },
            Some(AuthSource::Inline(_)) => Ok(Some("config.toml")),
            Some(AuthSource::Account) | None => Ok(None),
        }
    }

    /// The adapter that talks to the model.
    #[must_use]
    pub fn net(&self, secrets: Secrets) -> Net {
        let mut config =
            NetConfig::from_env(|name| self.environment.get(name).map(OsStr::to_os_string));
        if let Some(path) = self.resolved.ca_bundle_in_use() {
            config = config.with_ca_bundle(path);
        }
        Net::new(NetConfig { secrets, ..config })
    }

    /// All executors of this machine; only the way to the model is to be chosen.
    ///
    /// # Errors
    /// When this program cannot be found, which has to start again for commands.
    pub fn executors(
        &self,
        http: Box<dyn HttpExecutor>,
        sockets: Box<dyn SocketExecutor>,
        host: &Host,
    ) -> Result<Executors, StartError> {
        let program = env::current_exe()
            .map_err(|error| StartError::Other(format!("cannot find this program: {error}")))?;
        let process = Processes::new(ProcessConfig {
            program,
            own_credentials: self.resolved.secrets.variables(),
            parent_env: self.environment.for_commands(),
            set_values: self.set_values(),
            home: self.environment.user_home().unwrap_or_else(|| PathBuf::from("/")),
            codex_home: self.home.path.clone(),
            scratch: host.scratch.clone(),
            tmpdir: self.environment.text("TMPDIR").map(PathBuf::from),
        });
        let files = Arc::new(Store::new(StoreConfig::default()));
        let media = self.media();
        Ok(Executors { http, media, process: Box::new(process), sockets, files })
    }

    /// Microphone, speaker and peers of this machine. Nothing is opened before voice starts.
    #[cfg(feature = "voice")]
    #[must_use]
    pub fn voice(&self) -> codex_voice::Voice {
        let get = |name: &str| self.environment.get(name).map(OsStr::to_os_string);
        codex_voice::Voice::new(codex_voice::device::system(get))
    }

    #[cfg(feature = "voice")]
    fn media(&self) -> Box<dyn MediaExecutor> {
        Box::new(self.voice())
    }

    #[cfg(not(feature = "voice"))]
    #[expect(clippy::unused_self, reason = "a build without voice has none")]
    fn media(&self) -> Box<dyn MediaExecutor> {
        Box::new(codex_smol::NoMedia)
    }

    /// The journal that the command line or the environment asks for.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn journal(
        &self,
        asked: Option<&Path>,
        settings: &Settings,
        seed: [u8; 16],
    ) -> Result<Option<Journal>, StartError> {
        let path = asked.or_else(|| self.environment.get(JOURNAL).map(Path::new));
        Ok(path.map(|path| Journal::create(path, settings, seed)).transpose()?)
    }

    /// The values of the variables that `shell_environment_policy.set` gives to commands.
    #[must_use]
    pub fn set_values(&self) -> Vec<(OsString, OsString)> {
        let set = self.resolved.secrets.set.iter();
        set.map(|(name, value)| (name.into(), value.expose().into())).collect()
    }

    /// The engine's settings, and the facts about this machine among them.
    #[must_use]
    pub fn settings(&self, source: &str, originator: &str, ephemeral: bool) -> Arc<Settings> {
        let originator = self
            .environment
            .text("CODEX_INTERNAL_ORIGINATOR_OVERRIDE")
            .unwrap_or_else(|| originator.to_owned());
        Arc::new(self.resolved.settings(self.host(&originator), source, originator, ephemeral))
    }

    fn host(&self, originator: &str) -> Host {
        let version = env!("CARGO_PKG_VERSION");
        let zone = host::time_zone(self.environment.text("TZ").as_deref());
        let (os, arch) = (env::consts::OS, env::consts::ARCH);
        let (installation_id, problem) = home::installation_id(&self.home);
        if let Some(problem) = problem {
            tracing::warn!(problem, "the installation id is not kept");
        }
        Host {
            codex_home: self.home.path.clone(),
            scratch: self.scratch.path().to_path_buf(),
            shell: host::login_shell(self.environment.get("SHELL")),
            time_zone: zone.name,
            utc_offset_minutes: zone.utc_offset_minutes,
            user_agent: format!("{originator}/{version} ({os}; {arch})"),
            version: version.into(),
            installation_id,
        }
    }
}

/// The variables of this process and those of `CODEX_HOME/.env`, read once.
pub struct Environment(Vec<(OsString, OsString)>);

// Values may be credentials.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Environment").field(&self.0.len()).finish()
    }
}

impl Environment {
    /// The variables of this process alone.
    #[must_use]
    pub fn of_process() -> Self {
        Self(env::vars_os().collect())
    }

    /// Finds `CODEX_HOME`.
    ///
    /// # Errors
    /// When it is set and no directory, or nothing says where it could be.
    pub fn codex_home(&self) -> Result<Home, StartError> {
        let user_home = self.user_home();
        home::resolve(self.get("CODEX_HOME"), user_home.as_deref())
            .map_err(|error| StartError::Plain(format!("Error finding codex home: {error}")))
    }

    /// Adds what the home's `.env` sets and the process does not.
    pub fn read_env_file(&mut self, home: &Path, warnings: &mut Vec<String>) {
        let (variables, problems) = home::env_file(home);
        for (name, value) in variables {
            if self.get(&name).is_none() {
                self.0.push((name.into(), value.into()));
            }
        }
        warnings.extend(problems);
    }

    /// The account's key and where it is from; `None` when there is none.
    ///
    /// # Errors
    /// When a key cannot be used, or there is a login of another kind only.
    pub fn account_key(
        &self,
        home: &Path,
    ) -> Result<Option<(KeySource, credentials::ApiKey)>, StartError> {
        let stored = credentials::read_stored(home)?;
        let (codex, openai) = (self.text("CODEX_API_KEY"), self.text("OPENAI_API_KEY"));
        credentials::choose(codex.as_deref(), &stored, openai.as_deref()).map_err(|error| {
            StartError::Other(match error.hint() {
                Some(hint) => format!("{error}; {hint}"),
                None => error.to_string(),
            })
        })
    }

    /// The user's home directory.
    #[must_use]
    pub fn user_home(&self) -> Option<PathBuf> {
        let set = self.get("HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        set.or_else(|| host::account().map(|account| account.home))
    }

    /// A variable that is not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        let (_, value) = self.0.iter().find(|(have, _)| have == name)?;
        Some(value.as_os_str()).filter(|value| !value.is_empty())
    }

    /// A variable that is not blank and text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        let value = self.get(name)?.to_str()?;
        (!value.trim().is_empty()).then(|| value.to_owned())
    }

    /// What commands may inherit. A command that is this program again must not write to the same
    /// journal.
    #[must_use]
    pub fn for_commands(&self) -> Vec<(OsString, OsString)> {
        self.0.iter().filter(|(name, _)| name != JOURNAL).cloned().collect()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[(OsString, OsString)] {
        &self.0
    }
}

fn overrides(request: &SessionRequest) -> Overrides {
    let on = request.config.enable.iter().map(|name| (name.clone(), true));
    let off = request.config.disable.iter().map(|name| (name.clone(), false));
    Overrides {
        set: request.config.set.clone(),
        features: on.chain(off).collect(),
        profile: request.profile.clone(),
        model: request.model.clone(),
        sandbox: request.sandbox,
        approval: request.approval,
        add_dirs: request.add_dirs.clone(),
        bypass: request.bypass,
        search: request.search,
    }
}

/// The directory to work in: absolute, and there.
fn working_directory(given: Option<&Path>) -> Result<PathBuf, StartError> {
    let path = given.unwrap_or(Path::new("."));
    let fail = |error| StartError::Cwd { path: path.to_path_buf(), error };
    if given.is_none() {
        return env::current_dir().map_err(fail);
    }
    let absolute = path.canonicalize().map_err(fail)?;
    if !absolute.is_dir() {
        return Err(fail(std::io::ErrorKind::NotADirectory.into()));
    }
    Ok(absolute)
}
