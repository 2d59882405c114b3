//! What the agent and the processes that look after commands say to each other.
//!
//! Two kinds of sockets, both local pairs:
//!
//! ```text
//! requests : agent -> spawner    one byte + descriptors [control, output, stdin?] per command
//! control  : agent -> keeper     u32 length, Request; then single bytes, see `Ask`
//!            keeper -> agent     Started | Failed, then Exited
//! ```
//!
//! The keeper of a command is its supervisor, or the spawner itself for a sandboxed command. The
//! end of a control socket before the command's end means: kill it. The end of the request socket
//! means: the agent is gone, kill everything.

use std::{
    ffi::{OsStr, OsString},
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::PathBuf,
};

use codex_proto::policy::{SandboxMode, SandboxPolicy};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Longest encoded request in bytes; the kernel allows 2 MiB of arguments and environment by
/// default, and a quarter of the stack limit at most.
pub(crate) const REQUEST_BYTES_MAX: usize = 16 << 20;

/// Most descriptors that one message carries.
const FDS_MAX: usize = 3;

/// A command to start, complete: nothing is looked up in the keeper's own environment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) argv: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) cwd: PathBuf,
    /// `None` runs the command without a sandbox.
    pub(crate) boxed: Option<Boxed>,
}

/// A sandbox to run in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Boxed {
    pub(crate) policy: SandboxPolicy,
    pub(crate) places: Places,
}

/// Directories of this session that a sandbox needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) home: PathBuf,
    pub(crate) codex_home: PathBuf,
    pub(crate) scratch: PathBuf,
    pub(crate) tmpdir: Option<PathBuf>,
}

/// What the agent asks of a running command's keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// The command has ended and so has the agent's interest; may carry the reading end of its
    /// output, which the keeper then empties for children that still write.
    Detach,
    /// As when a terminal goes away.
    HangUp,
    Interrupt,
    Kill,
    Terminate,
}

impl Ask {
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Detach => b'd',
            Self::HangUp => b'h',
            Self::Interrupt => b'i',
            Self::Kill => b'k',
            Self::Terminate => b't',
        }
    }

    pub(crate) fn of(byte: u8) -> Option<Self> {
        [Self::Detach, Self::HangUp, Self::Interrupt, Self::Kill, Self::Terminate]
            .into_iter()
            .find(|ask| ask.byte() == byte)
    }
}

/// What a keeper tells the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The program runs.
    Started,
    /// Nothing runs.
    Failed {
        stage: Stage,
        /// 0 where there is none.
        errno: i32,
        /// What the errno does not say.
        text: String,
    },
    /// The command ended: exit code, or 128 + signal.
    Exited(i32),
}

/// Where starting a command failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Entering the working directory.
    Cwd,
    /// Executing the program.
    Exec,
    /// Creating a process, a pipe or the like.
    Process,
    /// Building the sandbox.
    Sandbox,
}

const STAGES: [Stage; 4] = [Stage::Cwd, Stage::Exec, Stage::Process, Stage::Sandbox];

impl Stage {
    pub(crate) fn byte(self) -> u8 {
        STAGES.iter().position(|stage| *stage == self).map_or(0, |index| index as u8)
    }

    pub(crate) fn of(byte: u8) -> Option<Self> {
        STAGES.get(usize::from(byte)).copied()
    }
}

impl Request {
    /// The frame: length and content.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; 4];
        put_len(&mut out, self.argv.len());
        self.argv.iter().for_each(|arg| put(&mut out, arg));
        put_len(&mut out, self.env.len());
        for (name, value) in &self.env {
            put(&mut out, name);
            put(&mut out, value);
        }
        put(&mut out, self.cwd.as_os_str());
        match &self.boxed {
            None => out.push(0),
            Some(boxed) => {
                out.push(1);
                boxed.encode(&mut out);
            }
        }
        let len = u32::try_from(out.len() - 4).unwrap_or(u32::MAX);
        out[..4].copy_from_slice(&len.to_le_bytes());
        out
    }

    /// Reads the content of a frame. `None` when it is malformed.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = bytes;
        let from = &mut from;
        let argv = (0..take_len(from)?).map(|_| take(from)).collect::<Option<Vec<_>>>()?;
        let env = (0..take_len(from)?)
            .map(|_| Some((take(from)?, take(from)?)))
            .collect::<Option<Vec<_>>>()?;
        let cwd = take(from)?.into();
        let boxed = match take_byte(from)? {
            0 => None,
            _ => Some(Boxed::decode(from)?),
        };
        from.is_empty().then_some(Self { argv, env, cwd, boxed })
    }
}

impl Boxed {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self.policy.mode {
            SandboxMode::DangerFullAccess => 0,
            SandboxMode::ReadOnly => 1,
            SandboxMode::WorkspaceWrite => 2,
        });
        put_len(out, self.policy.writable_roots.len());
        self.policy.writable_roots.iter().for_each(|root| put(out, root.as_os_str()));
        let SandboxPolicy { network, writable_tmp, writable_tmpdir, .. } = self.policy;
        let flags = [network, writable_tmp, writable_tmpdir, self.places.tmpdir.is_some()];
        out.extend(flags.map(u8::from));
        let Places { home, codex_home, scratch, tmpdir } = &self.places;
        for place in [home, codex_home, scratch].into_iter().chain(tmpdir) {
            put(out, place.as_os_str());
        }
    }

    fn decode(from: &mut &[u8]) -> Option<Self> {
        let mode = match take_byte(from)? {
            0 => SandboxMode::DangerFullAccess,
            1 => SandboxMode::ReadOnly,
            2 => SandboxMode::WorkspaceWrite,
            _ => return None,
        };
        let writable_roots = (0..take_len(from)?)
            .map(|_| take(from).map(PathBuf::from))
            .collect::<Option<Vec<_>>>()?;
        let mut flag = || take_byte(from).map(|byte| byte != 0);
        let (network, writable_tmp, writable_tmpdir, has_tmpdir) =
            (flag()?, flag()?, flag()?, flag()?);
        let policy = SandboxPolicy { mode, writable_roots, network, writable_tmp, writable_tmpdir };
        let mut path = || take(from).map(PathBuf::from);
        let places = Places {
            home: path()?,
            codex_home: path()?,
            scratch: path()?,
            tmpdir: if has_tmpdir { Some(path()?) } else { None },
        };
        Some(Self { policy, places })
    }
}

impl Told {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Started => vec![b'S'],
            Self::Failed { stage, errno, text } => {
                let mut out = vec![b'F', stage.byte()];
                out.extend(errno.to_le_bytes());
                put(&mut out, OsStr::new(text));
                out
            }
            Self::Exited(code) => {
                let mut out = vec![b'E'];
                out.extend(code.to_le_bytes());
                out
            }
        }
    }

    /// Takes one message off the front of `bytes`; `Ok(None)` when it is incomplete, `Err` when
    /// it is none.
    pub(crate) fn decode(bytes: &mut Vec<u8>) -> Result<Option<Self>, ()> {
        let mut from = bytes.as_slice();
        let Some(told) = Self::take(&mut from)? else { return Ok(None) };
        let used = bytes.len() - from.len();
        bytes.drain(..used);
        Ok(Some(told))
    }

    fn take(from: &mut &[u8]) -> Result<Option<Self>, ()> {
        let Some(tag) = take_byte(from) else { return Ok(None) };
        let told = match tag {
            b'S' => Some(Self::Started),
            b'E' => take_i32(from).map(Self::Exited),
            b'F' => {
                let Some(stage) = take_byte(from) else { return Ok(None) };
                let stage = Stage::of(stage).ok_or(())?;
                take_i32(from).and_then(|errno| {
                    let text = take(from)?.to_string_lossy().into_owned();
                    Some(Self::Failed { stage, errno, text })
                })
            }
            _ => return Err(()),
        };
        Ok(told)
    }
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    out.extend(u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

fn put(out: &mut Vec<u8>, text: &OsStr) {
    put_len(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn take_byte(from: &mut &[u8]) -> Option<u8> {
    let (first, rest) = from.split_first()?;
    *from = rest;
    Some(*first)
}

fn take_i32(from: &mut &[u8]) -> Option<i32> {
    let (first, rest) = from.split_first_chunk::<4>()?;
    *from = rest;
    Some(i32::from_le_bytes(*first))
}

fn take_len(from: &mut &[u8]) -> Option<usize> {
    take_i32(from).map(|len| len as u32 as usize)
}

fn take(from: &mut &[u8]) -> Option<OsString> {
    let len = take_len(from)?;
    let (text, rest) = from.split_at_checked(len)?;
    *from = rest;
    Some(OsString::from_vec(text.to_vec()))
}

/// Sends one byte with descriptors, without waiting.
pub(crate) fn send_fds(socket: BorrowedFd<'_>, byte: u8, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    sendmsg(socket, &[IoSlice::new(&[byte])], &mut ancillary, flags)?;
    Ok(())
}

/// Receives bytes and descriptors, without waiting; 0 bytes means the other end is closed.
pub(crate) fn receive_fds(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut ancillary, flags)?;
    let mut fds = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    Ok((received.bytes, fds))
}

/// Tells the agent something; it may be gone, which others notice.
pub(crate) fn tell(control: impl AsFd, told: &Told) {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let _ = rustix::net::send(control, &told.encode(), flags);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            argv: vec!["a".into(), OsString::from_vec(vec![0xff, b'x']), "".into()],
            env: vec![("K".into(), "v=w".into())],
            cwd: "/w".into(),
            boxed: Some(Boxed {
                policy: SandboxPolicy::workspace_write("/w".into()),
                places: Places {
                    home: "/h".into(),
                    codex_home: "/h/.codex".into(),
                    scratch: "/s".into(),
                    tmpdir: Some("/t".into()),
                },
            }),
        }
    }

    #[test]
    fn requests_survive_the_wire() {
        for request in [request(), Request { boxed: None, ..request() }] {
            let frame = request.encode();
            assert_eq!(
                frame.len() - 4,
                u32::from_le_bytes(frame[..4].try_into().unwrap()) as usize
            );
            assert_eq!(Request::decode(&frame[4..]), Some(request));
        }
    }

    #[test]
    fn cut_or_padded_requests_are_refused() {
        let frame = request().encode();
        for end in 4..frame.len() {
            assert_eq!(Request::decode(&frame[4..end]), None, "cut at {end}");
        }
        let padded = [&frame[4..], b"x"].concat();
        assert_eq!(Request::decode(&padded), None);
    }

    #[test]
    fn told_messages_arrive_in_any_pieces() {
        let failed = Told::Failed { stage: Stage::Cwd, errno: 2, text: "x".into() };
        let all = [Told::Started, failed, Told::Exited(137)];
        let bytes: Vec<u8> = all.iter().flat_map(Told::encode).collect();
        let (mut buffer, mut got) = (Vec::new(), Vec::new());
        for byte in bytes {
            buffer.push(byte);
            while let Some(told) = Told::decode(&mut buffer).unwrap() {
                got.push(told);
            }
        }
        assert_eq!(got, all);
        assert_eq!(Told::decode(&mut vec![b'?']), Err(()));
    }
}
