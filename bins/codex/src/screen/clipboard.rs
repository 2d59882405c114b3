//! Text into the clipboard, and images out of it, by what this machine has.

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use super::run::{Output, run_within};

/// How long a clipboard program may take.
const WITHIN: Duration = Duration::from_secs(3);
/// Bytes of an image.
const IMAGE_BYTES_MAX: u64 = 64 << 20;

/// Where we are, as the environment tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(crate) struct Place {
    pub(crate) is_remote: bool,
    pub(crate) has_wayland: bool,
    pub(crate) has_x11: bool,
    pub(crate) is_wsl: bool,
}

impl Place {
    pub(crate) fn of(has: impl Fn(&str) -> bool) -> Self {
        Self {
            is_remote: has("SSH_CONNECTION") || has("SSH_TTY"),
            has_wayland: has("WAYLAND_DISPLAY"),
            has_x11: has("DISPLAY"),
            is_wsl: has("WSL_DISTRO_NAME"),
        }
    }

    /// Programs that take text, best first. Over SSH there are none: the clipboard is elsewhere.
    fn writers(self) -> Vec<&'static [&'static str]> {
        let mut all: Vec<&'static [&'static str]> = Vec::new();
        if self.is_remote {
            return all;
        }
        if cfg!(target_os = "macos") {
            all.push(&["pbcopy"]);
        }
        if self.is_wsl {
            all.push(&["clip.exe"]);
        }
        if self.has_wayland {
            all.push(&["wl-copy"]);
        }
        if self.has_x11 {
            all.push(&["xclip", "-selection", "clipboard"]);
            all.push(&["xsel", "--clipboard", "--input"]);
        }
        all
    }

    /// Programs that print the clipboard's image as PNG.
    fn image_readers(self) -> Vec<&'static [&'static str]> {
        let mut all: Vec<&'static [&'static str]> = Vec::new();
        if cfg!(target_os = "macos") {
            all.push(&["pngpaste", "-"]);
        }
        if self.has_wayland {
            all.push(&["wl-paste", "--type", "image/png"]);
        }
        if self.has_x11 {
            all.push(&["xclip", "-selection", "clipboard", "-t", "image/png", "-o"]);
        }
        all
    }
}

/// Gives text to a clipboard program; which one it was, or `None` when there is none that works.
pub(crate) fn copy(place: Place, text: &str) -> Option<&'static str> {
    place.writers().into_iter().find_map(|argv| {
        let mut child = Command::new(argv[0])
            .args(&argv[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let written = child.stdin.take()?.write_all(text.as_bytes());
        // These programs stay in the background while they hold the text, and return at once.
        let ended = super::run::wait_within(&mut child, WITHIN).ok()?;
        (written.is_ok() && ended.is_some_and(|status| status.success())).then_some(argv[0])
    })
}

/// Saves the clipboard's image in a folder.
pub(crate) fn save_image(place: Place, folder: &Path) -> Result<PathBuf, String> {
    let readers = place.image_readers();
    if readers.is_empty() {
        return Err(match place.is_remote {
            true => {
                "the clipboard is on another machine; paste the path of a file here instead".into()
            }
            false => "there is no clipboard here; paste the path of an image instead".into(),
        });
    }
    let mut missing = Vec::new();
    for argv in &readers {
        let mut command = Command::new(argv[0]);
        command.args(&argv[1..]);
        match run_within(command, b"", IMAGE_BYTES_MAX, WITHIN) {
            Ok(Output { status, stdout, .. }) if status.success() && is_image(&stdout) => {
                return save(folder, &stdout).map_err(|error| format!("cannot save it: {error}"));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(argv[0]),
            Err(error) => return Err(format!("{}: {error}", argv[0])),
        }
    }
    if missing.len() == readers.len() {
        return Err(format!("to paste an image, install {}", missing.join(" or ")));
    }
    Err("there is no image in the clipboard".into())
}

fn is_image(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG")
}

fn save(folder: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    for number in 1.. {
        let path = folder.join(format!("clipboard-{number}.png"));
        match File::options().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(bytes)?;
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_ssh_the_clipboard_is_elsewhere() {
        let remote = Place::of(|name| ["SSH_TTY", "DISPLAY"].contains(&name));
        assert!(remote.writers().is_empty() || cfg!(target_os = "macos"));
        let wayland = Place::of(|name| name == "WAYLAND_DISPLAY");
        assert!(wayland.writers().contains(&&["wl-copy"][..]));
        let nowhere = Place::of(|_| false);
        let error = save_image(nowhere, Path::new("/nonexistent")).unwrap_err();
        assert!(cfg!(target_os = "macos") || error.contains("path of an image"), "{error}");
    }

    #[test]
    fn images_get_names_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        assert!(save(folder.path(), b"\x89PNG").unwrap().ends_with("clipboard-1.png"));
        assert!(save(folder.path(), b"\x89PNG").unwrap().ends_with("clipboard-2.png"));
    }
}
