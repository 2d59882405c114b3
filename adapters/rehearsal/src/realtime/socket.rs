//! A WebSocket of a conversation: a sideband of a call, or all of it.

use std::{rc::Rc, time::Duration};

use async_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use smol::{Async, Timer, channel::unbounded, future::FutureExt as _, stream::StreamExt as _};

use super::{
    Via,
    ask::SocketAsk,
    seen,
    session::{Control, Session},
    sound,
};
use crate::voice::Heard;

/// Runs an agreed socket to its end. `first` was read after the handshake's request.
pub(crate) async fn run(
    stream: Async<std::net::TcpStream>,
    first: Vec<u8>,
    session: Rc<Session>,
    close_ms: Option<u64>,
) {
    let socket = WebSocketStream::from_partially_read(stream, first, Role::Server, None).await;
    let (mut writer, mut reader) = socket.split();
    let (asks, asked) = unbounded();
    let number = session.control(Control::Socket(asks.clone()));
    session.see(seen::What::Joined);
    session.hear(Heard::Joined);
    let reading = async {
        let mut code = None;
        while let Some(Ok(message)) = reader.next().await {
            match message {
                Message::Text(text) => session.text(Via::Socket, &text),
                Message::Close(frame) => code = Some(frame.map_or(1005, |f| u16::from(f.code))),
                _ => {}
            }
        }
        code
    };
    let writing = async {
        let mut code = None;
        while let Ok(ask) = asked.recv().await {
            let message = match ask {
                SocketAsk::Text(text) => Message::text(text),
                SocketAsk::Speak { ms, response, item } => {
                    let audio = STANDARD.encode(sound::pcm(ms));
                    let event = json!({
                        "type": "response.output_audio.delta", "response_id": response,
                        "item_id": item, "output_index": 0, "content_index": 0, "delta": audio,
                    });
                    Message::text(event.to_string())
                }
                SocketAsk::Close(with) => {
                    code = Some(with);
                    Message::Close(Some(CloseFrame {
                        code: CloseCode::from(with),
                        reason: "the script closes here".into(),
                    }))
                }
            };
            if writer.send(message).await.is_err() {
                break;
            }
        }
        code
    };
    let closing = async {
        match close_ms {
            Some(ms) => Timer::after(Duration::from_millis(ms)).await,
            None => Timer::never().await,
        };
        let _ = asks.try_send(SocketAsk::Close(1011));
        smol::future::pending().await
    };
    let code = reading.or(writing).or(closing).await;
    session.lose(number);
    if !session.is_call() {
        session.end();
    }
    session.see(seen::What::SocketClosed(code));
}
