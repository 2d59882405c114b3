//! Talking to the model: one attempt at a request, what its stream says, what its failures mean.

pub(crate) mod assemble;
pub(crate) mod failure;
pub(crate) mod stream;
