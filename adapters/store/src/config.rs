//! Finds and reads configuration files; what they mean is decided by [`codex_proto::config`].
//!
//! ```text
//! system, user ─► Stack ─► markers ─► project root ─► trust ─► project files ─► Resolved
//! ```
//!
//! A missing file is fine. A file that exists and cannot be read is an error that names it: to go
//! on without it could mean to go on with a weaker sandbox. Of a project that is not trusted
//! nothing but the existence of its files is looked at.

use std::{
    fs,
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use codex_proto::{
    config::{
        CONFIG_BYTES_MAX, ConfigError, ConfigErrorKind, ConfigFacts, EnvFacts, Layer, LayerSource,
        Overrides, ProjectFacts, Resolved, Stack, Trust, Warning, WarningKind,
    },
    policy::ApprovalPolicy,
};

/// Bytes that a file of instructions may have.
const INSTRUCTIONS_BYTES_MAX: usize = 1 << 20;

/// Folders above the working directory that are looked at.
const ANCESTORS_MAX: usize = 256;

/// Where configuration is and what the command line adds.
#[derive(Clone, Debug)]
pub struct ConfigRequest {
    /// Working directory of the session, absolute.
    pub cwd: PathBuf,
    /// `CODEX_HOME`, absolute.
    pub codex_home: PathBuf,
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// Folder of the system's configuration; see [`system_folder`].
    pub system: PathBuf,
    /// Whether the user's file is left out (`--ignore-user-config`).
    pub ignore_user_config: bool,
    /// What the command line says.
    pub overrides: Overrides,
    /// Variables that stand in for keys.
    pub env: EnvFacts,
    /// Beats every layer; `exec` never asks.
    pub approval_forced: Option<ApprovalPolicy>,
}

/// The folder of the system's configuration on this platform.
#[must_use]
pub fn system_folder() -> PathBuf {
    if cfg!(windows) {
        let data = std::env::var_os("ProgramData").unwrap_or_else(|| r"C:\ProgramData".into());
        PathBuf::from(data).join("OpenAI").join("Codex")
    } else {
        PathBuf::from("/etc/codex")
    }
}

/// Reads all layers and resolves them. Blocking.
///
/// Errors: unreadable or malformed files, wrong values, unknown names; see [`ConfigError`].
pub fn load(request: &ConfigRequest) -> Result<Resolved, ConfigError> {
    let facts = ConfigFacts {
        cwd: request.cwd.clone(),
        codex_home: request.codex_home.clone(),
        home: request.home.clone(),
        env: request.env.clone(),
        approval_forced: request.approval_forced,
    };
    let mut files = Vec::new();
    let system = request.system.join("config.toml");
    if let Some(text) = read_text(&system, CONFIG_BYTES_MAX)? {
        files.push(Layer { source: LayerSource::System(system), text });
    }
    if !request.ignore_user_config {
        let user = request.codex_home.join("config.toml");
        if let Some(text) = read_text(&user, CONFIG_BYTES_MAX)? {
            files.push(Layer { source: LayerSource::User(user), text });
        }
    }
    let stack = Stack::new(files, &request.overrides, &facts)?;
    let around = Around::look(&request.cwd, &stack.root_markers());
    let project = around.facts();
    let trusted = stack.trust(&project) == Some(Trust::Trusted);
    let mut files = Vec::new();
    for path in around.config_files(&request.codex_home) {
        let text = match trusted {
            true => read_text(&path, CONFIG_BYTES_MAX)?,
            false => Some(String::new()),
        };
        if let Some(text) = text {
            files.push(Layer { source: LayerSource::Project(path), text });
        }
    }
    let mut resolved = stack.resolve(&project, files)?;
    if let Some(file) = &resolved.instructions_file {
        resolved.part.instructions = Some(instructions(&file.path).map_err(|error| {
            ConfigError::new(
                ConfigErrorKind::File,
                format!("failed to read model instructions file {error}"),
            )
            .with_hint(format!("`model_instructions_file` is set at {}", file.place))
        })?);
    }
    for name in ["requirements.toml", "managed_config.toml"] {
        let path = request.system.join(name);
        if fs::symlink_metadata(&path).is_ok() {
            resolved.warnings.push(Warning {
                kind: WarningKind::Unsupported,
                place: None,
                message: format!("{} is not supported yet and has no effect", path.display()),
            });
        }
    }
    Ok(resolved)
}

/// The text of a file of instructions, or what is wrong with the file.
fn instructions(path: &Path) -> Result<String, String> {
    let text = match read_text(path, INSTRUCTIONS_BYTES_MAX) {
        Ok(Some(text)) => text,
        Ok(None) => return Err(format!("{}: no such file", path.display())),
        Err(error) => return Err(error.to_string()),
    };
    let trimmed = text.trim_start_matches('\u{feff}').trim();
    if trimmed.is_empty() {
        return Err(format!("{}: the file is empty", path.display()));
    }
    Ok(trimmed.to_owned())
}

/// Reads a file of text; `None` when there is none.
fn read_text(path: &Path, bytes_max: usize) -> Result<Option<String>, ConfigError> {
    let cannot = |error: std::io::Error| ConfigError::file(path, format!("cannot read: {error}"));
    // Metadata first: opening a named pipe would wait for a writer.
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(cannot(error)),
    };
    if !metadata.is_file() {
        return Err(ConfigError::file(path, "cannot read: not a regular file"));
    }
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(limit)).unwrap_or(0) + 1);
    let file = fs::File::open(path).map_err(cannot)?;
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() > bytes_max {
        return Err(ConfigError::file(
            path,
            format!("the file has more than {bytes_max} bytes, which is the most that is read"),
        ));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(error) => {
            let offset = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..offset].iter().filter(|b| **b == b'\n').count() + 1;
            Err(ConfigError::file(
                path,
                format!("not UTF-8: invalid byte at offset {offset} (line {line})"),
            )
            .with_hint("save the file as UTF-8"))
        }
    }
}

/// What there is around a working directory. Searched along canonical paths, so that a link into a
/// project finds that project.
struct Around {
    /// As it was given.
    cwd: PathBuf,
    cwd_real: PathBuf,
    /// The nearest ancestor with a marker; the working directory when there is none. Canonical.
    root: PathBuf,
    /// Root of the main checkout, when the working directory is in a further work tree.
    main: Option<PathBuf>,
}

impl Around {
    fn look(cwd: &Path, markers: &[String]) -> Self {
        let cwd_real = real(cwd);
        let holds = |dir: &Path, name: &str| {
            let plain = !name.is_empty() && Path::new(name).components().count() == 1;
            plain && fs::symlink_metadata(dir.join(name)).is_ok()
        };
        let ancestors = || cwd_real.ancestors().take(ANCESTORS_MAX);
        let root = ancestors()
            .find(|dir| markers.iter().any(|marker| holds(dir, marker)))
            .unwrap_or(&cwd_real)
            .to_path_buf();
        let main = ancestors().find(|dir| holds(dir, ".git")).and_then(main_checkout);
        Self { cwd: cwd.to_path_buf(), cwd_real, root, main }
    }

    fn facts(&self) -> ProjectFacts {
        let mut trust_keys = vec![self.cwd_real.clone(), self.cwd.clone(), self.root.clone()];
        // The root as the user spells it, when the working directory was reached through a link
        // above the root.
        if let Ok(rest) = self.cwd_real.strip_prefix(&self.root)
            && self.cwd.ends_with(rest)
            && let Some(root) = self.cwd.ancestors().nth(rest.components().count())
        {
            trust_keys.push(root.to_path_buf());
        }
        trust_keys.extend(self.main.clone());
        let root = self.main.clone().unwrap_or_else(|| self.root.clone());
        ProjectFacts { trust_keys, root }
    }

    /// Existing `.codex/config.toml` from the root down to the working directory.
    fn config_files(&self, codex_home: &Path) -> Vec<PathBuf> {
        let home_real = real(codex_home);
        let mut files: Vec<PathBuf> = self
            .cwd_real
            .ancestors()
            .take(ANCESTORS_MAX)
            .take_while(|dir| dir.starts_with(&self.root))
            .map(|dir| dir.join(".codex"))
            .map(|folder| folder.join("config.toml"))
            .filter(|file| fs::symlink_metadata(file).is_ok())
            .filter(|file| file.parent().is_none_or(|folder| real(folder) != home_real))
            .collect();
        files.reverse();
        files
    }
}

fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The root of the main checkout that a work tree belongs to.
///
/// The link is believed only when the repository points back at this very work tree: otherwise a
/// folder from anywhere could borrow the trust of a repository that it merely names.
fn main_checkout(root: &Path) -> Option<PathBuf> {
    let link = root.join(".git");
    if !fs::symlink_metadata(&link).ok()?.is_file() {
        return None;
    }
    let short = |path: &Path| read_text(path, 64 << 10).ok().flatten();
    let text = short(&link)?;
    let git_dir = real(&root.join(text.lines().next()?.strip_prefix("gitdir:")?.trim()));
    let back = git_dir.join(short(&git_dir.join("gitdir"))?.trim());
    if real(&back) != real(&link) {
        return None;
    }
    let common = real(&git_dir.join(short(&git_dir.join("commondir"))?.trim()));
    // A bare repository has no main checkout.
    (common.file_name()? == ".git" && git_dir.starts_with(&common))
        .then(|| common.parent().map(Path::to_path_buf))?
}
