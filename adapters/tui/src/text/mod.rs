//! Text: styled lines, their width, and the door through which foreign text comes in.

mod clean;
mod line;
mod number;
mod printed;
mod wrap;

use clean::last_overprint;
pub(crate) use clean::shown_char;
pub use clean::{clean, clean_line};
pub use line::{Line, Span, draw, width};
pub use number::{bytes, duration, elapsed, grouped};
pub(crate) use printed::forget_start;
pub use printed::printed;
pub use wrap::{Break, fit, fit_end, wrap, wrap_at, wrap_hanging};
