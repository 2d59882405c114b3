//! What the translator asks for: engines, rollouts, the stored key.

use std::{
    path::{Path, PathBuf},
    pin::Pin,
    rc::Rc,
    sync::Arc,
};

use codex_exec::{
    seed,
    session::{Environment, Session, SessionRequest, StartError},
};
use codex_proto::{Event, Settings};
use codex_rpc::app_server::{Account, Ask, HostFacts, HostRequest, Login, Told, wants};
use codex_smol::{Crashed, Host, HostOptions, Journal, Ops};
use codex_store::{
    credentials::{self, ApiKey, Stored},
    rollouts,
};
use smol::{LocalExecutor, Task, channel::Receiver};

/// Names a file for the journal, as `--journal` does.
const JOURNAL: &str = "CODEX_JOURNAL";

/// Opens engines. Clones share nothing but the request.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    base: SessionRequest,
    journal: Option<PathBuf>,
}

/// An engine that runs.
pub(super) struct Running {
    pub(super) ops: Ops,
    pub(super) events: Pin<Box<Receiver<Event>>>,
    pub(super) task: Task<Result<(), Crashed>>,
    /// Its private directory goes with it.
    session: Session,
    /// Shared with what sends its requests.
    secrets: codex_net::Secrets,
}

impl Running {
    /// Takes the credentials that there are now, after a login or a logout.
    pub(super) fn renew(&mut self) {
        match self.session.secrets_so_far() {
            Ok(fresh) => self.secrets.replace(&fresh),
            Err(error) => tracing::warn!(%error, "the credentials cannot be renewed"),
        }
    }
}

/// An engine that can be started: everything that reads files is done.
pub(super) struct Prepared {
    session: Session,
    settings: Arc<Settings>,
    secrets: codex_net::Secrets,
    seed: [u8; 16],
    journal: Option<Journal>,
}

impl Hosts {
    pub(super) fn new(base: SessionRequest, journal: Option<PathBuf>) -> Self {
        Self { base, journal }
    }

    /// Reads what an engine needs. Blocking.
    pub(super) fn prepare(&self, request: HostRequest, number: u32) -> Result<Prepared, String> {
        self.try_prepare(request, number).map_err(|error| plain(&error))
    }

    fn try_prepare(&self, request: HostRequest, number: u32) -> Result<Prepared, StartError> {
        let mut session = self.base.clone();
        session.config.set.extend(request.set);
        session.cwd = request.cwd.or(session.cwd);
        session.model = request.model.or(session.model);
        session.approval = request.approval.or(session.approval);
        if request.sandbox.is_some() {
            session.sandbox = request.sandbox;
        }
        let session = Session::open(&session)?;
        let secrets = session.secrets_so_far()?;
        // What existing consumers call every client of the app-server.
        let mut settings = session.settings("vscode", &request.originator, request.ephemeral);
        Arc::make_mut(&mut settings).interactive = true;
        let seed = seed();
        let asked = self
            .journal
            .clone()
            .or_else(|| session.environment.get(JOURNAL).map(PathBuf::from))
            .map(|path| numbered(&path, number));
        let journal = session.journal(asked.as_deref(), &settings, seed)?;
        Ok(Prepared { session, settings, secrets, seed, journal })
    }

    /// Answers everything but `OpenHost`. Blocking.
    pub(super) fn answer(&self, ask: Ask) -> Told {
        let told = match ask {
            Ask::Account => self.account(),
            Ask::FindThread { thread, path } => Self::home().and_then(|(_, home)| {
                let path = path.or_else(|| rollouts::by_id(&home, thread)).ok_or_else(|| {
                    StartError::Plain(format!("no rollout found for thread id {thread}"))
                })?;
                let rollout = rollouts::by_path(&path)?;
                Ok(Told::Rollout { path, cwd: rollout.cwd })
            }),
            Ask::Login(secret) => Self::home().and_then(|(_, home)| {
                credentials::login_with_api_key(&home, &ApiKey::new(secret.expose())?)?;
                Ok(Told::Done)
            }),
            Ask::Logout => Self::home().and_then(|(_, home)| {
                credentials::logout(&home)?;
                Ok(Told::Done)
            }),
            Ask::OpenHost { .. } => Err(StartError::Plain("engines are opened elsewhere".into())),
        };
        told.unwrap_or_else(|error| Told::Failed(plain(&error)))
    }

    fn home() -> Result<(Environment, PathBuf), StartError> {
        let mut environment = Environment::of_process();
        let home = environment.codex_home()?.path;
        environment.read_env_file(&home, &mut Vec::new());
        Ok((environment, home))
    }

    fn account(&self) -> Result<Told, StartError> {
        let session = Session::open(&self.base)?;
        let auth = session.resolved.part.provider.auth.as_ref();
        let is_needed = auth.is_some_and(|name| *name == codex_proto::config::account());
        let key = match session.environment.account_key(&session.home.path) {
            // A login of another kind is none that this version can use.
            Err(_)
                if matches!(credentials::read_stored(&session.home.path), Ok(Stored::ChatGpt)) =>
            {
                None
            }
            key => key?,
        };
        Ok(Told::Account(Account { login: key.map(|_| Login::ApiKey), is_needed }))
    }
}

impl Prepared {
    /// Starts the engine on the executor of this thread.
    pub(super) fn start(self, executor: &Rc<LocalExecutor<'static>>) -> Result<Running, String> {
        let Self { session, settings, secrets, seed, journal } = self;
        let net = session.net(secrets.clone());
        let sockets = Box::new(net.sockets());
        let executors = session
            .executors(Box::new(net), sockets, &settings.host)
            .map_err(|error| plain(&error))?;
        let (host, ops, events) =
            Host::new(HostOptions { settings, seed, wants, journal }, executors);
        let task = executor.spawn(host.run());
        Ok(Running { ops, events: Box::pin(events), task, session, secrets })
    }

    /// What the client may want to know of it.
    pub(super) fn facts(&self) -> HostFacts {
        HostFacts {
            service_tier: self.settings.service_tier.clone(),
            has_voice: self.settings.feature("realtime_conversation"),
            warnings: self.session.warnings().collect(),
        }
    }
}

/// Each engine has a journal of its own: FILE, FILE.2, FILE.3 …
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number <= 1 {
        return path.to_path_buf();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// The message without the word that begins a line on standard error.
fn plain(error: &StartError) -> String {
    let text = error.to_string();
    text.strip_prefix("Error: ").unwrap_or(&text).trim_end().to_owned()
}
