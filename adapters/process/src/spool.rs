//! The file that holds the whole output of a command that printed more than its head.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// Grows up to a bound. A failed write ends it; what it does not hold is counted either way.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    path: PathBuf,
    bytes_max: u64,
    file: Option<File>,
    /// Whether the file was ever created.
    created: bool,
    written: u64,
    cut: u64,
}

impl Spool {
    /// Nothing is created before the first write.
    pub(crate) fn new(path: PathBuf, bytes_max: u64) -> Self {
        Self { path, bytes_max, file: None, created: false, written: 0, cut: 0 }
    }

    /// Appends. Blocks.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if self.written == 0 && self.cut == 0 && self.bytes_max > 0 {
            self.file = create(&self.path).ok();
            self.created = self.file.is_some();
        }
        let room = usize::try_from(self.bytes_max - self.written).unwrap_or(usize::MAX);
        let mut part = &bytes[..bytes.len().min(room)];
        while let (Some(file), false) = (&mut self.file, part.is_empty()) {
            match file.write(part) {
                Ok(count) if count > 0 => {
                    self.written += count as u64;
                    part = &part[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A full disk must not fail the command: the missing bytes are counted.
                Ok(_) | Err(_) => self.file = None,
            }
        }
        self.cut += (bytes.len() - bytes.len().min(room) + part.len()) as u64;
        if self.cut > 0 {
            // A later, shorter write must not fill a gap.
            self.file = None;
        }
    }

    /// The file, when there is one, and how many bytes it does not hold.
    pub(crate) fn result(&self) -> (Option<PathBuf>, u64) {
        (self.created.then(|| self.path.clone()), self.cut)
    }
}

/// Creates folders (mode 0700) as needed, and the file (mode 0600), which must not exist before.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let open = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(folder) = path.parent() {
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            }
            open()
        }
        // Left over by a run that was killed; a link is replaced, never followed.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(path)?;
            open()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_bound_cuts_and_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/spool");
        let mut spool = Spool::new(path.clone(), 5);
        assert_eq!(spool.result(), (None, 0));
        spool.write(b"abc");
        spool.write(b"def");
        spool.write(b"g");
        assert_eq!(spool.result(), (Some(path.clone()), 2));
        assert_eq!(std::fs::read(&path).unwrap(), b"abcde");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_counted() {
        let mut spool = Spool::new("/proc/no/such".into(), 100);
        spool.write(b"abc");
        spool.write(b"d");
        assert_eq!(spool.result(), (None, 4));
    }

    #[test]
    fn a_link_is_replaced_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (target, path) = (dir.path().join("target"), dir.path().join("spool"));
        std::fs::write(&target, "keep").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        Spool::new(path.clone(), 9).write(b"x");
        assert_eq!(std::fs::read(&target).unwrap(), b"keep");
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
    }
}
