//! What the host answers.

use serde::{Deserialize, Serialize};

use super::{AudioNews, ChannelNews, Exit, HttpHead, LinkState, ProjectInfo, Survey};
use crate::error::HostError;

/// One answer to an effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// News of the devices.
    Audio(AudioNews),
    /// Some content.
    Bytes(#[serde(with = "crate::journal::bytes")] Vec<u8>),
    /// News of the data channel.
    Channel(ChannelNews),
    /// The end: everything asked was done.
    Closed,
    /// The end of a command.
    Exited(Exit),
    /// The end: it could not be done, or not to the end.
    Failed(HostError),
    /// Status and headers of a response.
    Head(Box<HttpHead>),
    /// Where the peer connection stands.
    Link(LinkState),
    /// The session description to send to the peer.
    Offer(String),
    /// A connection is up, a command runs, or devices are open.
    Opened,
    /// What the project looks like.
    Project(Box<ProjectInfo>),
    /// This many more messages were handed to the kernel.
    Sent {
        /// Since the last such reply.
        messages: u32,
    },
    /// What the user has been working on.
    Survey(Box<Survey>),
    /// The end of a command's output so far, after bytes that were left out.
    Tail {
        /// Bytes between the last `Bytes` or `Tail` and this one that are not sent.
        omitted_bytes: u64,
        /// What follows them.
        #[serde(with = "crate::journal::bytes")]
        bytes: Vec<u8>,
    },
}

impl Reply {
    /// A short name for traces.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Audio(_) => "audio",
            Self::Bytes(_) => "bytes",
            Self::Channel(_) => "channel",
            Self::Closed => "closed",
            Self::Exited(_) => "exited",
            Self::Failed(_) => "failed",
            Self::Head(_) => "head",
            Self::Link(_) => "link",
            Self::Offer(_) => "offer",
            Self::Opened => "opened",
            Self::Project(_) => "project",
            Self::Sent { .. } => "sent",
            Self::Survey(_) => "survey",
            Self::Tail { .. } => "tail",
        }
    }

    /// Whether this ends its effect.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Closed | Self::Exited(_) | Self::Failed(_))
    }
}
