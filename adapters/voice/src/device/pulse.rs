//! Microphones and speakers of PulseAudio, and of PipeWire, which speaks the same protocol: over the
//! server's socket, without a library of the system. One connection for each stream, which the server
//! closes with it. Words and format of the protocol are the `pulseaudio` crate's.

use std::{
    ffi::{CStr, CString, OsString},
    io::{self, Cursor},
    os::unix::net::UnixStream,
    path::PathBuf,
    time::Instant,
};

use async_io::Async;
use codex_proto::{HostError, HostErrorKind, effect::AudioDevice};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use pulseaudio::protocol::{
    self, Command, TagStructReader, stream::BufferAttr, stream::StreamFlags,
};

use super::{Devices, Listed, Listing, Opened, Opening, Sink, Source};
use crate::media::pcm::{PER_MS, RATE, duration, from_bytes, to_bytes};

/// Bytes of 10 ms: what the microphone delivers at once.
const PIECE_BYTES: u32 = 10 * 2 * PER_MS as u32;

/// Bytes of audio that wait in the server for the speaker: 40 ms.
const SPEAKER_BYTES: u32 = 4 * PIECE_BYTES;

/// Length of the server's cookie.
const COOKIE_BYTES: usize = 256;

/// Longest message of the server that is read, in bytes.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// Most that the server is given at once, in samples.
const GIVEN_MAX: usize = RATE as usize;

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pulse {
    /// Sockets to try, in order.
    sockets: Vec<PathBuf>,
    /// Files that may hold the cookie, in order.
    cookies: Vec<PathBuf>,
    /// `PULSE_SERVER` when it names no socket of this machine.
    elsewhere: Option<String>,
}

impl Pulse {
    /// As the environment says.
    pub(super) fn from_env(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let server = get("PULSE_SERVER").filter(|server| !server.is_empty());
        let (mut sockets, mut elsewhere) = (Vec::new(), None);
        if let Some(server) = server {
            let text = server.to_string_lossy();
            // "{machine}unix:/path other…": the first of ours counts.
            let first = text.split_whitespace().next().unwrap_or_default();
            let address = first.split_once('}').map_or(first, |(_, address)| address);
            match address.strip_prefix("unix:").unwrap_or(address) {
                path if path.starts_with('/') => sockets.push(path.into()),
                _ => elsewhere = Some(text.into_owned()),
            }
        } else {
            let runtime = |name: &str| get(name).map(PathBuf::from);
            sockets.extend(runtime("PULSE_RUNTIME_PATH").map(|path| path.join("native")));
            sockets.extend(runtime("XDG_RUNTIME_DIR").map(|path| path.join("pulse/native")));
            sockets.push("/var/run/pulse/native".into());
        }
        let home = get("HOME").map(PathBuf::from);
        let in_home = |name: &str| home.as_ref().map(|home| home.join(name));
        let cookies = [
            get("PULSE_COOKIE").map(PathBuf::from),
            in_home(".config/pulse/cookie"),
            in_home(".pulse-cookie"),
        ];
        Self { sockets, cookies: cookies.into_iter().flatten().collect(), elsewhere }
    }

    async fn connect(self) -> Result<Connection, HostError> {
        if let Some(elsewhere) = &self.elsewhere {
            let text = format!(
                "PULSE_SERVER is `{elsewhere}`, and only a server of this machine is used \
                 (unix:/path)"
            );
            return Err(HostError::new(HostErrorKind::Connect, text));
        }
        let mut tried = Vec::new();
        for path in &self.sockets {
            match Async::<UnixStream>::connect(path).await {
                Ok(socket) => {
                    let cookie = self.cookies.iter().find_map(|path| std::fs::read(path).ok());
                    return Connection::begin(socket, cookie.unwrap_or_default()).await;
                }
                Err(error) => tried.push(format!("{}: {error}", path.display())),
            }
        }
        let text = format!("no PulseAudio or PipeWire answers ({})", tried.join("; "));
        Err(HostError::new(HostErrorKind::Connect, text))
    }
}

impl Devices for Pulse {
    fn microphone(&self, name: Option<String>, sink: Sink) -> Opening {
        Box::pin(record(self.clone(), name, sink))
    }

    fn speaker(&self, name: Option<String>, source: Source) -> Opening {
        Box::pin(play(self.clone(), name, source))
    }

    fn list(&self) -> Listing {
        let pulse = self.clone();
        Box::pin(async move { pulse.connect().await?.list().await })
    }
}

async fn record(pulse: Pulse, name: Option<String>, mut sink: Sink) -> Result<Opened, HostError> {
    let mut connection = pulse.connect().await?;
    let source = connection.resolve(AudioDevice::Microphone, name).await?;
    let params = protocol::RecordStreamParams {
        sample_spec: sample_spec(),
        channel_map: protocol::ChannelMap::mono(),
        source_name: Some(source.unwrap_or_else(|| protocol::DEFAULT_SOURCE.to_owned())),
        buffer_attr: BufferAttr { fragment_size: PIECE_BYTES, ..BufferAttr::default() },
        flags: StreamFlags { adjust_latency: true, ..StreamFlags::default() },
        props: stream_props(c"microphone"),
        ..protocol::RecordStreamParams::default()
    };
    let command = Command::CreateRecordStream(params);
    let stream: protocol::CreateRecordStreamReply = connection.ask(&command).await?;
    let name = text(stream.sink_name.as_deref());
    let (sender, moves) = async_channel::bounded(1);
    let running = async move {
        loop {
            let command = match connection.message().await {
                Ok(Message::Command(_, command)) => command,
                Ok(Message::Audio(channel, _)) if channel != stream.channel => continue,
                Ok(Message::Audio(_, bytes)) => {
                    let samples = from_bytes(&bytes);
                    // The last sample was captured when the piece was complete.
                    let now = Instant::now();
                    let began = now.checked_sub(duration(samples.len()));
                    sink(began.unwrap_or(now), &samples);
                    continue;
                }
                Err(error) => return error,
            };
            match *command {
                Command::RecordStreamKilled(channel) if channel == stream.channel => {
                    return gone("the microphone is gone (unplugged, or its server ended it)");
                }
                Command::RecordStreamMoved(moved) => {
                    // Full: the newest name will be told.
                    let _ = sender.force_send(text(Some(&moved.device_name)));
                }
                _ => {}
            }
        }
    };
    Ok(Opened { name, moves: Some(moves), running: Box::pin(running) })
}

async fn play(pulse: Pulse, name: Option<String>, mut source: Source) -> Result<Opened, HostError> {
    let mut connection = pulse.connect().await?;
    let sink = connection.resolve(AudioDevice::Speaker, name).await?;
    let params = protocol::PlaybackStreamParams {
        sample_spec: sample_spec(),
        channel_map: protocol::ChannelMap::mono(),
        sink_name: Some(sink.unwrap_or_else(|| protocol::DEFAULT_SINK.to_owned())),
        buffer_attr: BufferAttr {
            target_length: SPEAKER_BYTES,
            pre_buffering: 0,
            minimum_request_length: PIECE_BYTES,
            ..BufferAttr::default()
        },
        cvolume: Some(protocol::ChannelVolume::norm(1)),
        flags: StreamFlags { adjust_latency: true, ..StreamFlags::default() },
        props: stream_props(c"speaker"),
        ..protocol::PlaybackStreamParams::default()
    };
    let command = Command::CreatePlaybackStream(params);
    let stream: protocol::CreatePlaybackStreamReply = connection.ask(&command).await?;
    let name = text(stream.sink_name.as_deref());
    let (sender, moves) = async_channel::bounded(1);
    let running = async move {
        let mut wanted = stream.requested_bytes;
        let mut samples = Vec::new();
        loop {
            if wanted >= 2 {
                samples.resize((wanted as usize / 2).min(GIVEN_MAX), 0);
                source(&mut samples);
                wanted = wanted.saturating_sub(samples.len() as u32 * 2);
                if let Err(error) = connection.give(stream.channel, &to_bytes(&samples)).await {
                    return broken(&error);
                }
                continue;
            }
            let command = match connection.message().await {
                Ok(Message::Command(_, command)) => command,
                Ok(Message::Audio(..)) => continue,
                Err(error) => return error,
            };
            match *command {
                Command::Request(request) if request.channel == stream.channel => {
                    wanted = wanted.saturating_add(request.length);
                }
                Command::PlaybackStreamKilled(channel) if channel == stream.channel => {
                    return gone("the speaker is gone (unplugged, or its server ended it)");
                }
                Command::PlaybackStreamMoved(moved) => {
                    // Full: the newest name will be told.
                    let _ = sender.force_send(text(Some(&moved.device_name)));
                }
                _ => {}
            }
        }
    };
    Ok(Opened { name, moves: Some(moves), running: Box::pin(running) })
}

/// A connection to the server.
struct Connection {
    socket: Async<UnixStream>,
    version: u16,
    sequence: u32,
}

/// What the server says on its own.
enum Message {
    Audio(u32, Vec<u8>),
    /// With the payload of a reply still to be read.
    Command(Vec<u8>, Box<Command>),
}

impl Connection {
    async fn begin(socket: Async<UnixStream>, mut cookie: Vec<u8>) -> Result<Self, HostError> {
        // Any other length is a protocol error, even where no cookie is needed.
        cookie.resize(COOKIE_BYTES, 0);
        let mut connection = Self { socket, version: protocol::MAX_VERSION, sequence: 0 };
        let auth = protocol::AuthParams {
            version: protocol::MAX_VERSION,
            supports_shm: false,
            supports_memfd: false,
            cookie,
        };
        let reply: protocol::AuthReply = connection.ask(&Command::Auth(auth)).await?;
        connection.version = protocol::MAX_VERSION.min(reply.version);
        let mut props = protocol::Props::new();
        props.set(protocol::Prop::ApplicationName, c"codex");
        let _: protocol::SetClientNameReply =
            connection.ask(&Command::SetClientName(props)).await?;
        Ok(connection)
    }

    /// Sends a command and reads its reply; what the server says in between is not needed.
    async fn ask<R: protocol::CommandReply>(&mut self, command: &Command) -> Result<R, HostError> {
        let sequence = self.sequence;
        self.sequence += 1;
        let mut bytes = Vec::new();
        protocol::write_command_message(&mut bytes, sequence, command, self.version)
            .map_err(|error| odd(&error))?;
        self.socket.write_all(&bytes).await.map_err(|error| broken(&error))?;
        loop {
            let Message::Command(payload, command) = self.message().await? else { continue };
            let mut cursor = Cursor::new(payload.as_slice());
            let mut reader = TagStructReader::new(&mut cursor, self.version);
            // The tag of the command was read before; the reply's own number follows it.
            let answers = reader.read_u32().and_then(|_| reader.read_u32());
            if answers.map_err(|error| odd(&error))? != sequence {
                continue;
            }
            match *command {
                Command::Error(error) => {
                    let kind = match error {
                        protocol::PulseError::AccessDenied | protocol::PulseError::AuthKey => {
                            HostErrorKind::Permission
                        }
                        protocol::PulseError::NoEntity => HostErrorKind::NotFound,
                        _ => HostErrorKind::Other,
                    };
                    let text = format!("the sound server refuses: {error:?}");
                    return Err(HostError::new(kind, text));
                }
                Command::Reply => return reader.read().map_err(|error| odd(&error)),
                _ => {}
            }
        }
    }

    async fn message(&mut self) -> Result<Message, HostError> {
        loop {
            let mut head = [0; protocol::DESCRIPTOR_SIZE];
            self.socket.read_exact(&mut head).await.map_err(|error| broken(&error))?;
            let descriptor =
                protocol::read_descriptor(&mut Cursor::new(&head)).map_err(|error| odd(&error))?;
            let length = descriptor.length as usize;
            if length > MESSAGE_BYTES_MAX {
                let text = format!("a message of the sound server has {length} bytes");
                return Err(HostError::new(HostErrorKind::TooLarge, text));
            }
            let mut payload = vec![0; length];
            self.socket.read_exact(&mut payload).await.map_err(|error| broken(&error))?;
            if descriptor.channel != u32::MAX {
                return Ok(Message::Audio(descriptor.channel, payload));
            }
            let mut cursor = Cursor::new(payload.as_slice());
            match Command::read_tag_prefixed(&mut cursor, self.version) {
                Ok((_, command)) => {
                    return Ok(Message::Command(payload, Box::new(command)));
                }
                // Servers are newer than the crate.
                Err(error) => tracing::debug!(%error, "the sound server says something unknown"),
            }
        }
    }

    async fn give(&mut self, channel: u32, audio: &[u8]) -> io::Result<()> {
        let mut head = [0; protocol::DESCRIPTOR_SIZE];
        let descriptor = protocol::Descriptor {
            length: u32::try_from(audio.len()).unwrap_or(u32::MAX),
            channel,
            offset: 0,
            flags: protocol::DescriptorFlags::empty(),
        };
        protocol::encode_descriptor(&mut head, &descriptor);
        self.socket.write_all(&head).await?;
        self.socket.write_all(audio).await
    }

    async fn list(&mut self) -> Result<Vec<Listed>, HostError> {
        let server: protocol::ServerInfo = self.ask(&Command::GetServerInfo).await?;
        let sources: protocol::SourceInfoList = self.ask(&Command::GetSourceInfoList).await?;
        let sinks: protocol::SinkInfoList = self.ask(&Command::GetSinkInfoList).await?;
        let listed =
            |device, name: &CStr, description: Option<&CStr>, default: Option<&CStr>| Listed {
                device,
                name: text(Some(name)),
                description: text(description),
                is_default: default == Some(name),
            };
        let default = server.default_source_name.as_deref();
        let sources = sources.iter().map(|source| {
            listed(AudioDevice::Microphone, &source.name, source.description.as_deref(), default)
        });
        let default = server.default_sink_name.as_deref();
        let sinks = sinks.iter().map(|sink| {
            listed(AudioDevice::Speaker, &sink.name, sink.description.as_deref(), default)
        });
        Ok(sources.chain(sinks).collect())
    }

    /// The server's name for a configured device, which may be named as people see it.
    async fn resolve(
        &mut self,
        device: AudioDevice,
        name: Option<String>,
    ) -> Result<Option<CString>, HostError> {
        let Some(name) = name else { return Ok(None) };
        let listed = self.list().await?;
        let mut ours = listed.into_iter().filter(|listed| listed.device == device);
        let is_meant =
            |listed: &Listed| listed.name == name || listed.description.eq_ignore_ascii_case(&name);
        let found = ours.find(is_meant).and_then(|listed| CString::new(listed.name).ok());
        found.map(Some).ok_or_else(|| {
            let text = "there is none of that name (`codex voice doctor` lists them)";
            HostError::new(HostErrorKind::NotFound, text)
        })
    }
}

fn sample_spec() -> protocol::SampleSpec {
    protocol::SampleSpec { format: protocol::SampleFormat::S16Le, channels: 1, sample_rate: RATE }
}

fn stream_props(name: &CStr) -> protocol::Props {
    let mut props = protocol::Props::new();
    props.set(protocol::Prop::MediaName, name);
    // The server may choose a headset, or an echo canceller.
    props.set(protocol::Prop::MediaRole, c"phone");
    props
}

fn text(name: Option<&CStr>) -> String {
    name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn gone(text: &str) -> HostError {
    HostError::new(HostErrorKind::Disconnected, text)
}

fn broken(error: &io::Error) -> HostError {
    HostError::new(HostErrorKind::Disconnected, format!("the sound server is gone: {error}"))
}

fn odd(error: &protocol::ProtocolError) -> HostError {
    HostError::new(HostErrorKind::Other, format!("the sound server is not understood: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(set: &[(&str, &str)]) -> Pulse {
        Pulse::from_env(|name| {
            set.iter().find(|(have, _)| *have == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn the_server_is_where_the_environment_says() {
        let pulse = places(&[("XDG_RUNTIME_DIR", "/run/user/7"), ("HOME", "/h")]);
        assert_eq!(pulse.sockets[0], PathBuf::from("/run/user/7/pulse/native"));
        assert_eq!(pulse.cookies[0], PathBuf::from("/h/.config/pulse/cookie"));
        for server in ["unix:/x/y", "/x/y", "{0a}unix:/x/y tcp:other"] {
            let pulse = places(&[("PULSE_SERVER", server), ("XDG_RUNTIME_DIR", "/run")]);
            assert_eq!(pulse.sockets, [PathBuf::from("/x/y")], "{server}");
        }
    }

    #[test]
    fn a_server_that_is_elsewhere_or_not_there_is_an_error_that_says_so() {
        let fail =
            |pulse: Pulse| async_io::block_on(pulse.connect()).err().expect("no server").message;
        assert!(fail(places(&[("PULSE_SERVER", "tcp:host")])).contains("tcp:host"));
        let error = fail(places(&[("PULSE_SERVER", "unix:/nonexistent/native")]));
        assert!(error.contains("/nonexistent/native"), "{error}");
    }
}
