//! Layers above the transcript: the top one is asked first for each key.

/// What a layer did with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// The layer is done and wants to be gone; the key goes no further.
    Close,
    /// The key goes no further.
    Consumed,
    /// The key is for the layer below.
    Ignored,
}
