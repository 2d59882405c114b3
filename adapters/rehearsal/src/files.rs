//! What touches files: reading a script, writing the embedded project.

use std::{
    fs,
    io::{Error, ErrorKind, Read, Write},
    path::Path,
};

use crate::{Script, ScriptError, rehearsal::PROJECT};

/// Largest script file, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;

impl Script {
    /// Reads a script from a file of at most 64 MiB.
    ///
    /// # Errors
    /// When the file cannot be read, or as [`Self::parse`].
    pub fn load(path: &Path) -> Result<Self, ScriptError> {
        let file = path.display().to_string();
        let mut text = String::new();
        let read = fs::File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
        let message = match read {
            Ok(_) if text.len() as u64 <= FILE_BYTES_MAX => return Self::parse(&file, &text),
            Ok(_) => format!("the script is larger than {} MiB", FILE_BYTES_MAX >> 20),
            Err(error) => format!("cannot read the script: {error}"),
        };
        Err(ScriptError { file, line: 0, column: 0, message })
    }
}

/// Writes the project into a folder, which is created when it is missing.
///
/// # Errors
/// When the folder has anything in it ([`std::io::ErrorKind::AlreadyExists`]), or a file cannot be
/// written. Nothing that was there is changed.
pub fn write_project(dir: &Path) -> std::io::Result<()> {
    let named = |path: &Path, error: Error| {
        Error::new(error.kind(), format!("{}: {error}", path.display()))
    };
    fs::create_dir_all(dir).map_err(|error| named(dir, error))?;
    if fs::read_dir(dir).map_err(|error| named(dir, error))?.next().is_some() {
        let message = format!("{} is not empty; name a new folder", dir.display());
        return Err(Error::new(ErrorKind::AlreadyExists, message));
    }
    for (name, text) in PROJECT {
        let path = dir.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| named(parent, error))?;
        }
        fs::File::create_new(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| named(&path, error))?;
    }
    Ok(())
}
