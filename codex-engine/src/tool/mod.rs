//! Tools: what is offered to the model, what its calls mean, whether they may run, and running
//! them.

mod answer;
pub(crate) mod board;
pub(crate) mod command;
pub(crate) mod dangerous;
pub(crate) mod grants;
pub(crate) mod known_safe;
pub(crate) mod output;
pub(crate) mod patch;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod question;
mod run;
pub(crate) mod spec;
