//! Asks a SOCKS proxy for a connection: versions 4 and 4a, and 5 (RFC 1928, RFC 1929).

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use futures_lite::io::{AsyncReadExt as _, AsyncWriteExt as _};
use ureq::{Proxy, ProxyProtocol};
use zeroize::Zeroizing;

use crate::wire::Pipe;

/// Where the proxy is to connect to.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// Looked up, or given so.
    Address(SocketAddr),
    /// The proxy looks it up.
    Name(String, u16),
}

impl Place {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        match host.parse::<IpAddr>() {
            Ok(address) => Self::Address(SocketAddr::new(address, port)),
            Err(_) => Self::Name(host.to_owned(), port),
        }
    }

    fn port(&self) -> u16 {
        match self {
            Self::Address(address) => address.port(),
            Self::Name(_, port) => *port,
        }
    }
}

/// Has the proxy at the other end of `pipe` connect it to `place`.
pub(crate) async fn connect(pipe: &mut dyn Pipe, proxy: &Proxy, place: &Place) -> io::Result<()> {
    match proxy.protocol() {
        ProxyProtocol::Socks4 | ProxyProtocol::Socks4A => version_4(pipe, place).await,
        _ => version_5(pipe, proxy, place).await,
    }
}

async fn version_4(pipe: &mut dyn Pipe, place: &Place) -> io::Result<()> {
    let mut request = vec![4, 1];
    request.extend(place.port().to_be_bytes());
    match place {
        Place::Address(SocketAddr::V4(address)) => {
            request.extend(address.ip().octets());
            request.push(0);
        }
        Place::Address(SocketAddr::V6(_)) => {
            return Err(io::Error::other("SOCKS 4 cannot reach an IPv6 address"));
        }
        Place::Name(name, _) => {
            // Version 4a: an address that cannot be, then the user, then the name.
            request.extend([0, 0, 0, 1, 0]);
            request.extend(name.as_bytes());
            request.push(0);
        }
    }
    pipe.write_all(&request).await?;
    pipe.flush().await?;
    let mut answer = [0; 8];
    pipe.read_exact(&mut answer).await?;
    match answer[..2] {
        [0, 90] => Ok(()),
        [0, code @ 91..=93] => Err(io::Error::other(format!("it refused (SOCKS code {code})"))),
        _ => Err(not_socks()),
    }
}

async fn version_5(pipe: &mut dyn Pipe, proxy: &Proxy, place: &Place) -> io::Result<()> {
    let credentials = proxy.username().map(|user| (user, proxy.password().unwrap_or_default()));
    let methods: &[u8] = if credentials.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
    pipe.write_all(methods).await?;
    pipe.flush().await?;
    let mut chosen = [0; 2];
    pipe.read_exact(&mut chosen).await?;
    match (chosen, credentials) {
        ([5, 0], _) => {}
        ([5, 2], Some((user, password))) => {
            let mut login = Zeroizing::new(vec![1]);
            for part in [user, password] {
                let length = u8::try_from(part.len())
                    .map_err(|_| io::Error::other("its user or password exceeds 255 bytes"))?;
                login.push(length);
                login.extend(part.as_bytes());
            }
            pipe.write_all(&login).await?;
            pipe.flush().await?;
            let mut verdict = [0; 2];
            pipe.read_exact(&mut verdict).await?;
            if verdict[1] != 0 {
                return Err(io::Error::other("it refused the user or the password"));
            }
        }
        ([5, 255], _) => return Err(io::Error::other("it wants a user and a password")),
        _ => return Err(not_socks()),
    }
    let mut request = vec![5, 1, 0];
    match place {
        Place::Address(SocketAddr::V4(address)) => {
            request.push(1);
            request.extend(address.ip().octets());
        }
        Place::Address(SocketAddr::V6(address)) => {
            request.push(4);
            request.extend(address.ip().octets());
        }
        Place::Name(name, _) => {
            let length = u8::try_from(name.len())
                .map_err(|_| io::Error::other("the name of the host exceeds 255 bytes"))?;
            request.extend([3, length]);
            request.extend(name.as_bytes());
        }
    }
    request.extend(place.port().to_be_bytes());
    pipe.write_all(&request).await?;
    pipe.flush().await?;
    let mut head = [0; 4];
    pipe.read_exact(&mut head).await?;
    match head {
        [5, 0, _, _] => {}
        [5, code, _, _] => return Err(io::Error::other(refusal(code))),
        _ => return Err(not_socks()),
    }
    // The address that the proxy uses: of no interest, but it must be taken.
    let length = match head[3] {
        1 => 4,
        4 => 16,
        3 => {
            let mut length = [0];
            pipe.read_exact(&mut length).await?;
            usize::from(length[0])
        }
        _ => return Err(not_socks()),
    };
    let mut bound = vec![0; length + 2];
    pipe.read_exact(&mut bound).await
}

fn refusal(code: u8) -> String {
    let why = match code {
        2 => "its rules do not allow it",
        3 => "the network is unreachable",
        4 => "the host is unreachable",
        5 => "the host refused the connection",
        6 => "the host did not answer in time",
        8 => "it does not know this kind of address",
        _ => return format!("it refused (SOCKS code {code})"),
    };
    why.to_owned()
}

fn not_socks() -> io::Error {
    io::Error::other("its answer is not SOCKS")
}
