//! Changes single keys of a `config.toml` and leaves everything else as it is: comments, order, blank
//! lines. The file is replaced as a whole, so that nobody reads half of it.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use codex_proto::{HostError, HostErrorKind};
use toml_edit::{Document, Item, Key, Table, Value};

use crate::fail;

/// Sets a key, e.g. `["tui", "theme"]`; tables on the way are made. Blocking.
///
/// # Errors
/// When the file cannot be read, is no TOML, has something else than a table on the way, or cannot
/// be written.
pub fn set(path: &Path, keys: &[&str], value: impl Into<Value>) -> Result<(), HostError> {
    // A link to a file elsewhere (kept in version control, perhaps) stays a link.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut document = read(path)?.into_mut();
    put(document.as_table_mut(), keys, value.into()).map_err(|key| {
        fail::found(HostErrorKind::Other, path, format!("has a `{key}` that is no table"))
    })?;
    replace(path, document.to_string().as_bytes())
}

/// Takes a key that stands outside of all tables away, with its line; what is not there is no error.
/// Blocking.
///
/// # Errors
/// When the file cannot be read, is no TOML, or cannot be written.
pub fn unset(path: &Path, key: &str) -> Result<(), HostError> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let document = read(path)?;
    let text = document.raw();
    let found = document.as_table().get_key_value(key);
    let Some((start, end)) = found.and_then(|(key, item)| Some((key.span()?, item.span()?))) else {
        return Ok(());
    };
    // By its line rather than from the table, which would take the comments above along.
    let start = text[..start.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[end.end..].find('\n').map_or(text.len(), |at| end.end + at + 1);
    replace(path, [&text[..start], &text[end..]].concat().as_bytes())
}

fn read(path: &Path) -> Result<Document<String>, HostError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(fail::at("read", path, error)),
    };
    Document::parse(text).map_err(|error| {
        let message = error.message().to_owned();
        fail::found(HostErrorKind::Other, path, format!("cannot be changed: {message}"))
    })
}

/// The parts of a key as TOML writes it, e.g. `projects."/a.b".trust_level`.
///
/// # Errors
/// When it is no key of TOML.
pub fn keys(dotted: &str) -> Result<Vec<String>, HostError> {
    let parts = Key::parse(dotted).map_err(|error| {
        let message = format!("`{dotted}` is no key: {}", error.message());
        HostError::new(HostErrorKind::Other, message)
    })?;
    Ok(parts.iter().map(|key| key.get().to_owned()).collect())
}

fn put(table: &mut Table, keys: &[&str], value: Value) -> Result<(), String> {
    let Some((last, way)) = keys.split_last() else { return Ok(()) };
    let mut table: &mut dyn toml_edit::TableLike = table;
    for key in way {
        let item = table.entry(key).or_insert_with(|| {
            let mut new = Table::new();
            new.set_implicit(true);
            Item::Table(new)
        });
        table = item.as_table_like_mut().ok_or_else(|| (*key).to_owned())?;
    }
    match table.get_mut(last) {
        Some(Item::Value(old)) => {
            // What stands behind it, e.g. a comment, stays.
            let decor = old.decor().clone();
            *old = value;
            *old.decor_mut() = decor;
        }
        _ => {
            table.insert(last, Item::Value(value));
        }
    }
    Ok(())
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), HostError> {
    let fail = |error: io::Error| fail::at("write", path, error);
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).map_err(fail)?;
    let mode = fs::metadata(path).map_or(0o600, |meta| meta.permissions().mode() & 0o777);
    let temporary = folder.join(format!(".config-{}.tmp", uuid::Uuid::new_v4()));
    let written = (|| {
        let mut file = File::options().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    written.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        fail(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_else_stays_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.toml");
        set(&path, &["tui", "theme"], "paper").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[tui]\ntheme = \"paper\"\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = "# mine\nmodel = \"m\" # good\n\n[tui] # screen\ntheme = \"x\" # dark\n";
        fs::write(&path, text).unwrap();
        set(&path, &["tui", "theme"], "y").unwrap();
        set(&path, &["tui", "vim_mode_default"], true).unwrap();
        set(&path, &["projects", "/a b/c.d", "trust_level"], "trusted").unwrap();
        let want = "# mine\nmodel = \"m\" # good\n\n[tui] # screen\ntheme = \"y\" # dark\n\
                    vim_mode_default = true\n\n[projects.\"/a b/c.d\"]\ntrust_level = \"trusted\"\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), want);
        // Dotted and inline tables, too.
        fs::write(
            &path,
            "tui.animations = false\nprojects = { \"/x\" = { trust_level = \"untrusted\" } }\n",
        )
        .unwrap();
        set(&path, &["tui", "animations"], true).unwrap();
        set(&path, &["projects", "/x", "trust_level"], "trusted").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("tui.animations = true\n"), "{text}");
        assert!(text.contains("\"/x\" = { trust_level = \"trusted\" }"), "{text}");
    }

    #[test]
    fn a_key_goes_with_its_line_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.toml");
        unset(&path, "effort").unwrap();
        assert!(!path.exists(), "nothing to take away");
        for (text, want) in [
            ("# mine\neffort = \"high\" # x\nmodel = \"m\"\n", "# mine\nmodel = \"m\"\n"),
            ("model = \"m\"\n\neffort = 'high'", "model = \"m\"\n\n"),
            ("effort = \"\"\"\nhigh\"\"\"\n[a]\neffort = 1\n", "[a]\neffort = 1\n"),
            ("[a]\neffort = 1\n", "[a]\neffort = 1\n"),
        ] {
            fs::write(&path, text).unwrap();
            unset(&path, "effort").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), want, "{text:?}");
        }
        fs::write(&path, "[tui\n").unwrap();
        assert!(unset(&path, "effort").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "[tui\n");
    }

    #[test]
    fn keys_are_read_as_toml_writes_them() {
        assert_eq!(keys("tui.theme").unwrap(), ["tui", "theme"]);
        let json = serde_json::Value::from("/a b/c.d \"x\"\t\u{e9}");
        let parts = keys(&format!("projects.{json}.trust_level")).unwrap();
        assert_eq!(parts, ["projects", "/a b/c.d \"x\"\t\u{e9}", "trust_level"]);
        assert!(keys("a..b").unwrap_err().message.contains("`a..b` is no key"));
    }

    #[test]
    fn a_file_that_is_not_understood_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.toml");
        for text in ["tui = 1\n", "[tui\n"] {
            fs::write(&path, text).unwrap();
            set(&path, &["tui", "theme"], "x").unwrap_err();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing is left behind");
    }
}
