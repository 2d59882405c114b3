//! Writes to standard error. A reader that is gone is no reason to fail.

use std::io::Write;

/// Writes a text as it is.
pub fn write(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Writes a line.
pub fn line(text: &str) {
    write(&format!("{text}\n"));
}
