//! Makes the connection of a websocket feed: TCP, TLS by rustls with the system's roots or a given CA, and the
//! opening handshake with the credential. Redirects are answers like any other: they end the attempt.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, handshake::client::Request};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::{CEILING, OptionsError, WebsocketOptions};

/// From the name to the end of the handshake; less where silence is suffered less.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// What we send is small; a server that does not read is cut off long before this.
const WRITE_BUFFER: usize = 1 << 20;

/// An open connection.
pub type Socket = WebSocketStream<MaybeTlsStream<Watched>>;

/// Where to connect to, checked.
#[derive(Debug)]
pub struct Target {
    request: Request,
    host: String,
    port: u16,
    tls: bool,
    patience: Duration,
    /// Plain text may go no further than this machine.
    loopback_only: bool,
}

impl Target {
    pub fn new(options: &WebsocketOptions) -> Result<Self, OptionsError> {
        let mut request =
            options.url.as_str().into_client_request().map_err(|_| OptionsError::Url)?;
        let uri: &Uri = request.uri();
        let tls = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") => false,
            _ => return Err(OptionsError::Url),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(OptionsError::Url)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let loopback_only = !tls && !options.insecure;
        let local = host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if loopback_only && !local {
            return Err(OptionsError::Plain { host });
        }
        if let Some(token) = &options.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| OptionsError::Token)?;
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        let patience = CONNECT_TIMEOUT.min(options.idle_timeout);
        Ok(Self { request, host, port, tls, patience, loopback_only })
    }

    /// Connects; the error is a sentence without credentials or anybody's words.
    pub async fn connect(&self, tls: Option<Connector>) -> Result<Socket, String> {
        match tokio::time::timeout(self.patience, self.open(tls)).await {
            Ok(result) => result,
            Err(_) => Err(format!("no connection within {} ms", self.patience.as_millis())),
        }
    }

    async fn open(&self, tls: Option<Connector>) -> Result<Socket, String> {
        let stream = self.tcp().await.map_err(|error| format!("cannot connect: {error}"))?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(CEILING))
            .max_frame_size(Some(CEILING))
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER);
        let connector = tls.unwrap_or(Connector::Plain);
        let stream = Watched::new(stream);
        client_async_tls_with_config(self.request.clone(), stream, Some(config), Some(connector))
            .await
            .map(|(socket, _)| socket)
            .map_err(|error| refusal(&error))
    }

    async fn tcp(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in tokio::net::lookup_host((self.host.as_str(), self.port)).await? {
            if self.loopback_only && !address.ip().is_loopback() {
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub fn tls(&self) -> bool {
        self.tls
    }
}

/// Why a handshake failed, told so that it helps.
fn refusal(error: &Error) -> String {
    match error {
        Error::Http(response) => {
            let status = response.status();
            let advice = match status.as_u16() {
                401 | 403 => ": check the feed's credential",
                300..=399 => ": redirects are not followed, name the final address in the config",
                _ => "",
            };
            format!("the server answered {status}{advice}")
        }
        Error::Io(error) => format!("the connection failed: {error}"),
        error => format!("the handshake failed: {error}"),
    }
}

/// The client side of TLS; reads files, so it belongs on a blocking thread.
pub fn tls_connector(ca: Option<&Path>) -> Result<Connector, String> {
    let mut roots = rustls::RootCertStore::empty();
    match ca {
        Some(path) => {
            let wrong = |error: &dyn std::fmt::Display| {
                format!("{}: expected certificates in PEM form: {error}", path.display())
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(|e| wrong(&e))? {
                roots.add(certificate.map_err(|e| wrong(&e))?).map_err(|e| wrong(&e))?;
            }
        }
        None => {
            let system = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(system.certs);
        }
    }
    if roots.is_empty() {
        return Err(match ca {
            Some(path) => format!("{}: holds no certificate in PEM form", path.display()),
            None => {
                "the system has no root certificates; install ca-certificates or set `ca`".into()
            }
        });
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Connector::Rustls(Arc::new(config)))
}

/// A TCP stream that knows when it last brought a byte: a large message on a slow line is no silence.
#[derive(Debug)]
pub struct Watched {
    stream: TcpStream,
    heard: Heard,
}

/// When a [`Watched`] stream last brought a byte.
#[derive(Clone, Debug)]
pub struct Heard {
    since: Instant,
    after_ms: Arc<AtomicU64>,
}

impl Heard {
    /// When the last byte came; at first when the connection was made.
    pub fn last(&self) -> Instant {
        self.since + Duration::from_millis(self.after_ms.load(Ordering::Relaxed))
    }
}

impl Watched {
    fn new(stream: TcpStream) -> Self {
        Self { stream, heard: Heard { since: Instant::now(), after_ms: Arc::default() } }
    }
}

/// The hearing of a socket, whatever it is wrapped in.
pub fn heard(socket: &Socket) -> Option<Heard> {
    match socket.get_ref() {
        MaybeTlsStream::Plain(watched) => Some(watched.heard.clone()),
        MaybeTlsStream::Rustls(tls) => Some(tls.get_ref().0.heard.clone()),
        _ => None,
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            let after = self.heard.since.elapsed().as_millis();
            self.heard.after_ms.store(u64::try_from(after).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        result
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
