//! HTTP and WebSockets for the engine: executes the `Http` effect of `codex-proto` on ureq, and
//! `Socket`, `Send` and `Preconnect` on async-tungstenite and async-io.
//!
//! A request runs on a thread of its own (`codex-http-N`) and answers through a bounded channel:
//! `Opened Head Bytes* (Closed | Failed)`. `Opened` says that the connection is up, TLS included,
//! or that a kept one is reused. `Failed` may come at any point. Any status is an answer, also a
//! redirect, which is not followed.
//!
//! The adapter holds no policy: it does not retry, does not redirect, keeps no cookies and
//! unpacks nothing. It enforces one deadline, `connect_ms`, because it alone sees name
//! resolution, connection and TLS; deadlines for the first byte and for silence are the engine's.
//!
//! A socket is a future that the host polls; it shares certificates, proxies, credentials and
//! name resolution with the requests. `Preconnect` connects ahead (name, TCP, proxy, TLS); the
//! next request or socket to the origin takes that connection.
//!
//! Where to start reading: [`Net::start`], then `stream.rs` for the states of a request, `progress.rs` for its phases, `line.rs`
//! for agents and keep-alive, `connect.rs` for what is added to ureq's chain of connectors;
//! `socket.rs` for the states of a socket, `dial.rs` for its connection, `warm.rs` and `bridge.rs`
//! for connections made ahead.

mod bridge;
mod connect;
mod dial;
mod fault;
mod handshake;
mod inbox;
mod line;
mod net;
mod preconnect;
mod progress;
mod proxy;
mod request;
mod resolve;
mod roots;
mod secret;
mod socket;
mod sockets;
mod socks;
mod stream;
mod target;
mod tls;
mod tunnel;
mod verify;
mod warm;
mod wire;

pub use inbox::{BYTES_WAITING_MAX, MESSAGES_WAITING_MAX};
pub use net::{CHUNK_BYTES, Net, NetConfig, QUEUE_MAX, STREAMS_MAX};
pub use proxy::Proxies;
pub use roots::CaFile;
pub use secret::{Secret, Secrets};
pub use sockets::Sockets;
