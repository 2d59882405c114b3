//! One WebSocket, from the connection to its last reply.
//!
//! | state        | event                              | next      | reply                        |
//! |--------------|------------------------------------|-----------|------------------------------|
//! | `Connecting` | the handshake is agreed            | `Open`    | `Opened`                     |
//! | `Connecting` | it is declined                     | `Done`    | `Head Bytes* Closed`         |
//! | `Connecting` | failure, time is up, close, cancel | `Done`    | `Failed`                     |
//! | `Open`       | a text message                     | `Open`    | `Bytes`                      |
//! | `Open`       | messages were written              | `Open`    | `Sent`                       |
//! | `Open`       | close is asked for                 | `Closing` |                              |
//! | `Open`       | the peer closes: 1000, 1001, none  | `Done`    | `Closed`                     |
//! | `Open`       | the peer closes for a reason       | `Done`    | `Failed(Disconnected)`       |
//! | `Open`       | binary, too long, broken, cancel   | `Done`    | `Failed`                     |
//! | `Closing`    | the peer answers, breaks, 2 s      | `Done`    | `Closed`                     |
//!
//! Reading and writing go on beside each other: a peer that does not read is still listened to, and
//! a reader that does not take what comes still sends.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use async_channel::Sender;
use async_io::Timer;
use async_tungstenite::{
    WebSocketReceiver, WebSocketSender, client_async_with_config,
    tungstenite::{
        Error, Message,
        error::{CapacityError, ProtocolError},
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};
use codex_proto::{
    HostError, HostErrorKind, Reply,
    effect::{PreconnectPurpose, SocketMessage, SocketRequest},
    wire::realtime::audio,
};
use futures_lite::{FutureExt as _, StreamExt as _};

use crate::{
    dial, handshake,
    inbox::Inbox,
    net::{CHUNK_BYTES, Shared},
    progress::{Phase, Progress},
    target::Target,
    wire::Pipe,
};

/// How long a closing handshake may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// Messages that are acknowledged together.
const SENT_TOGETHER_MAX: u32 = 16;
/// Characters of a peer's reason that are passed on.
const REASON_CHARS_MAX: usize = 200;

/// Runs a socket; returns its terminal reply.
pub(crate) async fn run(
    net: &Shared,
    request: &SocketRequest,
    replies: &Sender<Reply>,
    inbox: &Inbox,
) -> Reply {
    let is_open = AtomicBool::new(false);
    let closing = async {
        inbox.closing().await;
        if !is_open.load(Relaxed) {
            return Err(HostError::new(
                HostErrorKind::Cancelled,
                "the socket was closed before it was open",
            ));
        }
        Timer::after(CLOSE_WITHIN).await;
        Ok(())
    };
    let ended = async { Err(inbox.ended().await) };
    match ended.or(closing).or(talk(net, request, replies, inbox, &is_open)).await {
        Ok(()) => Reply::Closed,
        Err(error) => Reply::Failed(error),
    }
}

async fn talk(
    net: &Shared,
    request: &SocketRequest,
    replies: &Sender<Reply>,
    inbox: &Inbox,
    is_open: &AtomicBool,
) -> Result<(), HostError> {
    let target = Target::parse_socket(&request.url)?;
    let progress = Progress::new(&target, net.proxies.route(&target)?.for_socket());
    progress.begin(None, request.connect_ms);
    let asked = handshake::build(net, request)?;
    let mut pipe = connection(net, &target, &progress).await?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(request.message_bytes_max))
        .max_frame_size(Some(request.message_bytes_max));
    let shaking = async { Ok(client_async_with_config(asked, &mut pipe, Some(config)).await) };
    match dial::within(&progress, shaking).await? {
        Ok((stream, _)) => {
            progress.enter(Phase::Body);
            is_open.store(true, Relaxed);
            send(replies, Reply::Opened).await?;
            let (writer, reader) = stream.split();
            let is_closing = AtomicBool::new(false);
            let place = &progress.place;
            let done = read(reader, replies, place)
                .or(write(writer, replies, inbox, &is_closing, place))
                .await;
            // An end that was asked for is an end, however the peer takes it.
            if is_closing.load(Relaxed) { Ok(()) } else { done }
        }
        Err(Error::Http(response)) => {
            let (head, body) = handshake::declined(*response, &mut *pipe).await;
            send(replies, Reply::Head(Box::new(head))).await?;
            for part in body.chunks(CHUNK_BYTES) {
                send(replies, Reply::Bytes(part.to_vec())).await?;
            }
            Ok(())
        }
        Err(error) => Err(handshake::explain(&error, &progress)),
    }
}

/// A connection that was made ahead, or a new one.
async fn connection(
    net: &Shared,
    target: &Target,
    progress: &Progress,
) -> Result<Box<dyn Pipe>, HostError> {
    if let Some(wire) = net.warm.take(PreconnectPurpose::Socket, &target.origin()) {
        progress.enter(Phase::Open);
        return Ok(wire.pipe);
    }
    Ok(net.dialer().dial(target, progress).await?.pipe)
}

/// Passes on what comes, until the peer or the connection ends it.
async fn read(
    mut reader: WebSocketReceiver<&mut Box<dyn Pipe>>,
    replies: &Sender<Reply>,
    place: &str,
) -> Result<(), HostError> {
    let mut goodbye = None;
    loop {
        match reader.next().await {
            Some(Ok(Message::Text(text))) => {
                send(replies, Reply::Bytes(text.as_bytes().to_vec())).await?;
            }
            Some(Ok(Message::Binary(bytes))) => {
                return Err(HostError::new(
                    HostErrorKind::Other,
                    format!("{place} sent a binary message of {} bytes", bytes.len()),
                ));
            }
            // Answered by the library when it is read on, which it is until the peer has hung up.
            Some(Ok(Message::Close(frame))) => goodbye = Some(frame),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Err(_)) | None if goodbye.is_some() => break,
            Some(Err(error)) => return Err(explain(&error, place)),
            None => break,
        }
    }
    match goodbye.flatten() {
        Some(frame) => parting(&frame, place),
        None => Ok(()),
    }
}

/// A peer that closes for a reason has not ended well.
fn parting(frame: &CloseFrame, place: &str) -> Result<(), HostError> {
    if matches!(frame.code, CloseCode::Normal | CloseCode::Away | CloseCode::Status) {
        return Ok(());
    }
    let reason: String =
        frame.reason.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect();
    let reason = if reason.is_empty() { "no reason given" } else { &reason };
    let code = u16::from(frame.code);
    Err(HostError::new(
        HostErrorKind::Disconnected,
        format!("{place} closed the socket: {reason} (code {code})"),
    ))
}

/// Sends what is asked for, and says when it was; ends only in failure.
async fn write(
    mut writer: WebSocketSender<&mut Box<dyn Pipe>>,
    replies: &Sender<Reply>,
    inbox: &Inbox,
    is_closing: &AtomicBool,
    place: &str,
) -> Result<(), HostError> {
    loop {
        let mut messages = 0;
        let mut next = Some(inbox.message().await);
        while let Some(message) = next.take() {
            let Some(text) = text(message) else {
                is_closing.store(true, Relaxed);
                // A connection that cannot take it ends in `read` or by the time.
                let _ = writer.close(None).await;
                return futures_lite::future::pending().await;
            };
            writer.send(Message::text(text)).await.map_err(|error| explain(&error, place))?;
            messages += 1;
            if messages < SENT_TOGETHER_MAX && inbox.has_message() {
                next = Some(inbox.message().await);
            }
        }
        send(replies, Reply::Sent { messages }).await?;
    }
}

/// The text to send; `None` for the end.
fn text(message: SocketMessage) -> Option<String> {
    match message {
        SocketMessage::Audio { kind, pcm } => Some(audio::frame(&kind, &pcm)),
        SocketMessage::Close => None,
        SocketMessage::Text(text) => Some(text),
    }
}

fn explain(error: &Error, place: &str) -> HostError {
    let broke = |why: &str| {
        HostError::new(HostErrorKind::Disconnected, format!("the socket to {place} broke: {why}"))
    };
    match error {
        Error::Io(why) if why.kind() == std::io::ErrorKind::UnexpectedEof => {
            broke("the peer closed the connection")
        }
        Error::Io(why) => broke(&why.to_string()),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | Error::AlreadyClosed
        | Error::ConnectionClosed => broke("the peer closed the connection"),
        Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => HostError::new(
            HostErrorKind::TooLarge,
            format!("{place} sent a message of {size} bytes, {max_size} at most"),
        ),
        why => HostError::new(
            HostErrorKind::Other,
            format!("{place} broke the rules of WebSocket: {why}"),
        ),
    }
}

async fn send(replies: &Sender<Reply>, reply: Reply) -> Result<(), HostError> {
    replies
        .send(reply)
        .await
        .map_err(|_| HostError::new(HostErrorKind::Cancelled, "nobody waits for the socket"))
}
