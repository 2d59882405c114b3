//! A map of a directory: names, a line each, folders before files.

use std::{fs, path::Path, time::Instant};

use codex_proto::effect::SurveyQuery;

use super::line;

/// Folders whose content says nothing about the work.
const NOISE: [&str; 16] = [
    "__pycache__",
    "bower_components",
    "build",
    "coverage",
    "dist",
    "DerivedData",
    "env",
    "node_modules",
    "out",
    "Pods",
    "site-packages",
    "target",
    "temp",
    "tmp",
    "vendor",
    "venv",
];
/// Entries of one folder that are looked at.
const SCANNED_MAX: usize = 4_096;
/// Lines in all.
const LINES_MAX: usize = 256;
/// Characters of a name.
const NAME_CHARS_MAX: usize = 100;
/// Depth, whatever was asked.
const DEPTH_MAX: u32 = 8;

pub(super) fn draw(query: &SurveyQuery, until: Instant) -> Vec<String> {
    let mut map = Map {
        lines: Vec::new(),
        entries_max: query.entries_max as usize,
        depth_max: query.depth_max.min(DEPTH_MAX),
        until,
    };
    map.folder(&query.cwd, 1);
    map.lines
}

struct Map {
    lines: Vec<String>,
    entries_max: usize,
    depth_max: u32,
    until: Instant,
}

impl Map {
    fn folder(&mut self, path: &Path, depth: u32) {
        if depth > self.depth_max || Instant::now() >= self.until {
            return;
        }
        let Ok(entries) = fs::read_dir(path) else { return };
        let mut found: Vec<(bool, String, fs::DirEntry)> = entries
            .flatten()
            .take(SCANNED_MAX)
            .filter_map(|entry| {
                // Of the entry itself: a link is not followed, and listed as a file.
                let is_folder = entry.file_type().ok()?.is_dir();
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_noise = name.starts_with('.') && name != ".github"
                    || is_folder && NOISE.contains(&name.as_str());
                (!is_noise).then_some((!is_folder, name, entry))
            })
            .collect();
        found.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let more = found.len().saturating_sub(self.entries_max);
        let indent = "  ".repeat(depth as usize - 1);
        for (is_file, name, entry) in found.into_iter().take(self.entries_max) {
            if self.lines.len() >= LINES_MAX {
                return;
            }
            let end = if is_file { "" } else { "/" };
            self.lines.push(format!("{indent}{}{end}", line(&name, NAME_CHARS_MAX)));
            if !is_file {
                self.folder(&entry.path(), depth + 1);
            }
        }
        if more > 0 && self.lines.len() < LINES_MAX {
            self.lines.push(format!("{indent}… and {more} more"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, time::Duration};

    use super::*;

    fn map(cwd: &Path, depth_max: u32, entries_max: u32) -> Vec<String> {
        let query = SurveyQuery {
            cwd: cwd.into(),
            codex_home: "/nonexistent".into(),
            threads_max: 0,
            depth_max,
            entries_max,
        };
        draw(&query, Instant::now() + Duration::from_secs(60))
    }

    #[test]
    fn folders_come_first_and_noise_and_links_stay_closed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in ["src/deep/deeper", "node_modules/x", ".git/objects", "target", ".github"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        for path in ["src/main.rs", "src/deep/a.rs", "README.md", ".env", "a\nb", "build"] {
            fs::write(root.join(path), "").unwrap();
        }
        symlink(root, root.join("src/loop")).unwrap();
        assert_eq!(
            map(root, 2, 20),
            [".github/", "src/", "  deep/", "  loop", "  main.rs", "README.md", "a b", "build"]
        );
        assert_eq!(map(root, 1, 2), [".github/", "src/", "… and 3 more"]);
        assert_eq!(map(root, 0, 20), [""; 0]);
        assert_eq!(map(Path::new("/nonexistent"), 2, 20), [""; 0]);
    }

    #[test]
    fn a_map_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        for one in 0..30 {
            let path = folder.path().join(one.to_string());
            fs::create_dir(&path).unwrap();
            for two in 0..20 {
                fs::write(path.join(two.to_string()), "").unwrap();
            }
        }
        assert_eq!(map(folder.path(), 2, 1_000).len(), LINES_MAX);
    }
}
