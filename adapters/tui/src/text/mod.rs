//! Text: styled lines, their width, and the door through which foreign text comes in.

mod clean;
mod line;
mod number;
mod wrap;

pub use clean::{clean, clean_line, last_overprint};
pub use line::{Line, Span, draw, width};
pub use number::{bytes, duration, elapsed, grouped};
pub use wrap::{Break, fit, fit_end, wrap};
