//! The websocket feed: the daemon is the client of a server that speaks the wire format (version 1). Options and the
//! cursor to resume at go in, events come out in the server's order; sample requests and handled cursors go back.
//!
//! One connection is a reader and a writer side by side in one task, so that a full intake slows the reading and
//! nothing else. Beside both, the [`Desk`] always takes what the house says, connected or not.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use lru::LruCache;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::Connector;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use super::retry::{Retry, Strikes};
use super::socket::{self, Heard, Socket, Target};
use super::{FeedEvent, FeedObserver, FeedReport, FromFeed, Sampler, ToFeed, kind_of};
use crate::event::{
    ChannelId, FeedItem, Keyer, Kind, SampleRequest, WireError, decode, decode_binary_frame,
};
use crate::telemetry::Clock;

/// How a websocket feed is reached.
#[derive(Clone)]
pub struct WebsocketOptions {
    /// `wss://…`, or `ws://…` to this machine.
    pub url: String,
    /// As in the subscription: ids, or `*` for all.
    pub channels: Vec<String>,
    pub kinds: Vec<Kind>,
    /// Sent as `Authorization: Bearer`.
    pub token: Option<String>,
    /// A PEM file with the only roots to trust; none: the system's.
    pub ca: Option<PathBuf>,
    /// Silence that means reconnect.
    pub idle_timeout: Duration,
    /// Larger messages are read, dropped and counted, in bytes; at most [`super::CEILING`].
    pub message_limit: usize,
    /// Allows `ws://` to other machines.
    pub insecure: bool,
}

impl std::fmt::Debug for WebsocketOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebsocketOptions")
            .field("url", &self.url)
            .field("channels", &self.channels)
            .field("kinds", &self.kinds)
            .field("token", &self.token.as_ref().map(|_| "secret"))
            .field("ca", &self.ca)
            .field("idle_timeout", &self.idle_timeout)
            .field("message_limit", &self.message_limit)
            .field("insecure", &self.insecure)
            .finish()
    }
}

/// Options that no server could make work.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    #[error(
        "the feed's url is none: expected `wss://host[:port]/path`, or `ws://` to this machine"
    )]
    Url,
    #[error(
        "plain `ws://` to {host} would send the credential and people's words in the clear: use `wss://`, or set `insecure = true`"
    )]
    Plain { host: String },
    #[error("the feed's credential cannot be sent: expected one line of visible ASCII characters")]
    Token,
}

impl WebsocketOptions {
    /// Whether a connection could be tried with them; the config asks before the daemon does.
    pub fn check(&self) -> Result<(), OptionsError> {
        Target::new(self).map(|_| ())
    }
}

/// A write that takes longer means that the server reads no more.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Channels whose sample requests are remembered; beyond it those asked for longest ago are forgotten.
const REQUESTS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Runs the feed until `stop`, or until nobody takes what it brings. `resume` is the last cursor that was saved.
/// `feed` is only handed through. Options that cannot work end it at once: `Failing`, then `Ended`.
#[allow(clippy::too_many_arguments)]
pub async fn run(
    feed: u16,
    options: WebsocketOptions,
    resume: Option<Box<str>>,
    keyer: Keyer,
    out: mpsc::Sender<FromFeed>,
    control: mpsc::Receiver<ToFeed>,
    observer: Arc<dyn FeedObserver>,
    clock: Clock,
    stop: CancellationToken,
) {
    let desk = Desk::new(resume);
    let taker = out.clone();
    let link = Link { feed, options, keyer, out, observer, clock, desk: &desk, stop };
    tokio::select! {
        () = desk.serve(control) => {}
        () = taker.closed() => {}
        _ = link.supervise() => {}
    }
}

/// What the house has said, for the connection to read when it can.
struct Desk {
    notes: Mutex<Notes>,
    news: Notify,
}

struct Notes {
    /// Handled and saved: presented at the next connect.
    cursor: Option<Box<str>>,
    /// What is not sent yet, one request a channel.
    pending: LruCache<ChannelId, SampleRequest>,
    /// What a server must be told again after a reconnect.
    standing: LruCache<ChannelId, SampleRequest>,
}

impl Desk {
    fn new(cursor: Option<Box<str>>) -> Self {
        let notes =
            Notes { cursor, pending: LruCache::new(REQUESTS), standing: LruCache::new(REQUESTS) };
        Self { notes: Mutex::new(notes), news: Notify::new() }
    }

    /// Takes what comes, for ever.
    async fn serve(&self, mut control: mpsc::Receiver<ToFeed>) {
        while let Some(told) = control.recv().await {
            match told {
                ToFeed::Handled(cursor) => self.notes.lock().cursor = Some(cursor),
                ToFeed::Sample(request) => {
                    self.notes.lock().ask(request);
                    self.news.notify_one();
                }
            }
        }
        std::future::pending().await
    }

    fn cursor(&self) -> Option<Box<str>> {
        self.notes.lock().cursor.clone()
    }

    /// A new connection knows of no request yet.
    fn ask_again(&self) {
        let mut notes = self.notes.lock();
        let Notes { pending, standing, .. } = &mut *notes;
        for (channel, request) in standing.iter().rev() {
            pending.put(channel.clone(), request.clone());
        }
    }

    /// The oldest request that was not sent; counts as sent from now on.
    fn next_request(&self) -> Option<SampleRequest> {
        self.notes.lock().pending.pop_lru().map(|(_, request)| request)
    }
}

impl Notes {
    fn ask(&mut self, request: SampleRequest) {
        let channel = request.channel.clone();
        if request.every_ms == 0 {
            self.standing.pop(&channel);
        } else {
            self.standing.put(channel.clone(), request.clone());
        }
        self.pending.put(channel, request);
    }
}

/// How a connection ended.
enum Over {
    /// `stop`, or nobody takes the events: the feed ends.
    Stopped,
    /// Lost or closed: made anew.
    Lost(String),
    /// By what RFC 6455 calls fatal: counted, made anew.
    Fatal(CloseCode, String),
}

/// The feed is to end.
struct Stopped;

struct Link<'a> {
    feed: u16,
    options: WebsocketOptions,
    keyer: Keyer,
    out: mpsc::Sender<FromFeed>,
    observer: Arc<dyn FeedObserver>,
    clock: Clock,
    desk: &'a Desk,
    stop: CancellationToken,
}

impl Link<'_> {
    async fn supervise(&self) -> Result<(), Stopped> {
        let target = match Target::new(&self.options) {
            Ok(target) => target,
            Err(error) => {
                self.tell(FeedEvent::Failing { reason: error.to_string() }).await?;
                return self.tell(FeedEvent::Ended).await;
            }
        };
        let mut tls = None;
        let mut retry = Retry::new();
        let mut strikes = Strikes::default();
        loop {
            let cursor = self.desk.cursor();
            if strikes.recovers(cursor.as_deref(), Duration::ZERO) {
                self.tell(FeedEvent::Recovered).await?;
            }
            let connected = tokio::select! {
                () = self.stop.cancelled() => return Err(Stopped),
                connected = self.connect(&target, &mut tls) => connected,
            };
            let (over, lived) = match connected {
                Ok(socket) => {
                    let begun = Instant::now();
                    let over = self.converse(socket, cursor.as_deref(), &mut strikes).await;
                    self.observer.report(self.feed, FeedReport::Connected(false));
                    (over, begun.elapsed())
                }
                Err(reason) => (Over::Lost(reason), Duration::ZERO),
            };
            let (reason, fatal) = match over {
                Over::Stopped => return Err(Stopped),
                Over::Lost(reason) => (reason, false),
                Over::Fatal(_, reason) => (reason, true),
            };
            let (attempt, wait) = retry.lost(lived);
            tracing::debug!(feed = self.feed, attempt, reason, "connection ended");
            if fatal && strikes.strike(cursor.as_deref(), lived) {
                let reason = format!("the same place broke the connection three times: {reason}");
                self.tell(FeedEvent::Failing { reason }).await?;
            }
            self.tell(FeedEvent::Disconnected { reason, attempt }).await?;
            tokio::select! {
                () = self.stop.cancelled() => return Err(Stopped),
                () = tokio::time::sleep(wait) => {}
            }
            self.observer.report(self.feed, FeedReport::Reconnect);
        }
    }

    async fn connect(
        &self,
        target: &Target,
        tls: &mut Option<Connector>,
    ) -> Result<Socket, String> {
        if target.tls() && tls.is_none() {
            let ca = self.options.ca.clone();
            let made = tokio::task::spawn_blocking(move || socket::tls_connector(ca.as_deref()));
            *tls = Some(made.await.map_err(|_| "TLS cannot be set up".to_owned())??);
        }
        target.connect(tls.clone()).await
    }

    /// Subscribes, then reads and writes until one of them ends.
    async fn converse(&self, socket: Socket, cursor: Option<&str>, strikes: &mut Strikes) -> Over {
        let heard = socket::heard(&socket);
        let (mut sink, mut stream) = socket.split();
        self.desk.ask_again();
        let subscribe = subscription(&self.options, cursor);
        let sent = tokio::select! {
            () = self.stop.cancelled() => return Over::Stopped,
            sent = write(&mut sink, Message::text(subscribe)) => sent,
        };
        if let Err(reason) = sent {
            return Over::Lost(reason);
        }
        self.observer.report(self.feed, FeedReport::Connected(true));
        let over = if self.tell(FeedEvent::Connected { resumed: cursor.is_some() }).await.is_err() {
            Over::Stopped
        } else {
            tokio::select! {
                () = self.stop.cancelled() => Over::Stopped,
                over = self.read(&mut stream, heard, strikes) => over,
                reason = self.write(&mut sink) => Over::Lost(reason),
            }
        };
        let code = match &over {
            Over::Stopped => Some(CloseCode::Away),
            Over::Fatal(code, _) => Some(*code),
            Over::Lost(_) => None,
        };
        if let Some(code) = code {
            let close = CloseFrame { code, reason: "".into() };
            let goodbye = sink.send(Message::Close(Some(close)));
            // Best effort: the connection is given up anyway.
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await;
        }
        over
    }

    async fn read(
        &self,
        stream: &mut SplitStream<Socket>,
        heard: Option<Heard>,
        strikes: &mut Strikes,
    ) -> Over {
        let begun = Instant::now();
        let mut sampler = Sampler::default();
        loop {
            let Some(message) = self.next(stream, heard.as_ref()).await else {
                let idle = self.options.idle_timeout.as_millis();
                return Over::Lost(format!("nothing was heard for {idle} ms"));
            };
            if strikes.failing()
                && strikes.recovers(self.desk.cursor().as_deref(), begun.elapsed())
                && self.tell(FeedEvent::Recovered).await.is_err()
            {
                return Over::Stopped;
            }
            let result = match message {
                Some(Ok(Message::Text(text))) => self.text(&text),
                Some(Ok(Message::Binary(bytes))) => self.binary(&bytes),
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.map_or(1005, |frame| u16::from(frame.code));
                    return Over::Lost(format!("the server closed the connection ({code})"));
                }
                Some(Ok(_)) => continue,
                Some(Err(error)) => return self.broken(&error),
                None => return Over::Lost("the server closed the connection".into()),
            };
            match result {
                Ok(item) => {
                    if self.tell(FeedEvent::Item(item)).await.is_err() {
                        return Over::Stopped;
                    }
                }
                Err(Dropped { kind, reason, why }) => {
                    self.observer.report(self.feed, FeedReport::Dropped { kind, reason });
                    if let Some(more) = sampler.admit() {
                        tracing::debug!(feed = self.feed, kind, reason, why, more, "skipped");
                    }
                }
            }
        }
    }

    /// The next message, or `None` after silence. Time in which nobody reads is no silence.
    async fn next(
        &self,
        stream: &mut SplitStream<Socket>,
        heard: Option<&Heard>,
    ) -> Option<Option<Result<Message, Error>>> {
        let mut deadline = Instant::now() + self.options.idle_timeout;
        loop {
            if let Ok(message) = tokio::time::timeout_at(deadline.into(), stream.next()).await {
                return Some(message);
            }
            let last = heard?.last() + self.options.idle_timeout;
            if last <= deadline {
                return None;
            }
            deadline = last;
        }
    }

    fn text(&self, text: &str) -> Result<FeedItem, Dropped> {
        self.within_limit(text.len())?;
        decode(text, &self.keyer).map_err(|error| Dropped::new(kind_of(text.as_bytes()), &error))
    }

    fn binary(&self, bytes: &Bytes) -> Result<FeedItem, Dropped> {
        self.within_limit(bytes.len())?;
        // A message is a slice of a larger read buffer, which a picture that is kept must not keep with it.
        let bytes = Bytes::copy_from_slice(bytes);
        decode_binary_frame(&bytes, &self.keyer)
            .map_err(|error| Dropped::new(Kind::Frame.name(), &error))
    }

    fn within_limit(&self, size: usize) -> Result<(), Dropped> {
        if size <= self.options.message_limit {
            return Ok(());
        }
        Err(Dropped { kind: "unknown", reason: "too_large", why: format!("{size} bytes") })
    }

    /// Tells what is fatal by RFC 6455, and counts it, from a connection that was merely lost.
    fn broken(&self, error: &Error) -> Over {
        let (code, reason, why) = match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                let why = format!("a message is larger than {} MiB", super::CEILING >> 20);
                (CloseCode::Size, "too_large", why)
            }
            Error::Utf8(_) => {
                (CloseCode::Invalid, "malformed", "a text message is not UTF-8".to_owned())
            }
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
            | Error::ConnectionClosed
            | Error::AlreadyClosed
            | Error::Io(_)
            | Error::Tls(_) => return Over::Lost(format!("the connection was lost: {error}")),
            error => {
                let why = format!("the server broke the protocol: {error}");
                (CloseCode::Protocol, "malformed", why)
            }
        };
        self.observer.report(self.feed, FeedReport::Dropped { kind: "unknown", reason });
        Over::Fatal(code, why)
    }

    /// Sends pings and sample requests; gives the reason why it cannot go on.
    async fn write(&self, sink: &mut SplitSink<Socket, Message>) -> String {
        let pause = (self.options.idle_timeout / 2).max(Duration::from_millis(1));
        let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + pause, pause);
        ping.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            while let Some(request) = self.desk.next_request() {
                if let Err(reason) = write(sink, Message::text(sample(&request))).await {
                    return reason;
                }
            }
            tokio::select! {
                () = self.desk.news.notified() => {}
                _ = ping.tick() => {
                    if let Err(reason) = write(sink, Message::Ping(Bytes::new())).await {
                        return reason;
                    }
                }
            }
        }
    }

    /// Hands it to the intake, waiting for room.
    async fn tell(&self, what: FeedEvent) -> Result<(), Stopped> {
        let told = FromFeed { feed: self.feed, what, received: self.clock.now() };
        tokio::select! {
            () = self.stop.cancelled() => Err(Stopped),
            sent = self.out.send(told) => sent.map_err(|_| Stopped),
        }
    }
}

/// A message that is no event.
struct Dropped {
    kind: &'static str,
    reason: &'static str,
    why: String,
}

impl Dropped {
    fn new(kind: &'static str, error: &WireError) -> Self {
        Self { kind, reason: error.reason(), why: error.to_string() }
    }
}

async fn write(sink: &mut SplitSink<Socket, Message>, message: Message) -> Result<(), String> {
    match tokio::time::timeout(WRITE_TIMEOUT, sink.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("the connection was lost: {error}")),
        Err(_) => Err("the server does not read what it is sent".into()),
    }
}

/// The first message of a connection; its fields stand in the contract's order.
fn subscription(options: &WebsocketOptions, resume: Option<&str>) -> String {
    #[derive(Serialize)]
    struct Subscribe<'a> {
        r#type: &'a str,
        version: u32,
        channels: &'a [String],
        kinds: Vec<&'a str>,
        resume: Option<&'a str>,
    }
    let kinds = options.kinds.iter().map(|kind| kind.name()).collect();
    let channels = &options.channels;
    json(&Subscribe { r#type: "subscribe", version: 1, channels, kinds, resume })
}

fn sample(request: &SampleRequest) -> String {
    #[derive(Serialize)]
    struct Sample<'a> {
        r#type: &'a str,
        #[serde(flatten)]
        request: &'a SampleRequest,
    }
    json(&Sample { r#type: "sample", request })
}

fn json(value: &impl Serialize) -> String {
    // Strings, numbers and lists only, which always serialise.
    serde_json::to_string(value).unwrap_or_default()
}
