//! A websocket server and an intake for the tests. Every wait has an end, so that what does not come fails a test.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{
    Callback, ErrorResponse, Request, Response,
};
use tokio_util::sync::CancellationToken;
use vigie::event::{Event, FeedItem, Keyer, Kind};
use vigie::feed::{
    FeedEvent, FeedObserver, FeedReport, FromFeed, ToFeed, WebsocketOptions, websocket,
};
use vigie::telemetry::Clock;

pub const PATIENCE: Duration = Duration::from_secs(10);

pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

pub fn options(url: &str) -> WebsocketOptions {
    WebsocketOptions {
        url: url.into(),
        channels: vec!["*".into()],
        kinds: vec![Kind::Chat, Kind::Donation, Kind::Frame],
        token: None,
        ca: None,
        idle_timeout: Duration::from_secs(30),
        message_limit: 8 << 20,
        insecure: false,
    }
}

/// A listener on loopback.
pub struct Peer(TcpListener);

impl Peer {
    pub async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn url(&self) -> String {
        format!("ws://{}/feed", self.0.local_addr().unwrap())
    }

    pub async fn tcp(&self) -> TcpStream {
        soon("a connection", self.0.accept()).await.unwrap().0
    }

    /// Takes the next connection and its first message.
    pub async fn accept(&self) -> Server {
        let mut bearer = None;
        let ws = tokio_tungstenite::accept_hdr_async(self.tcp().await, Credential(&mut bearer));
        let ws = ws.await.unwrap();
        let mut server = Server { ws, bearer, subscribe: String::new() };
        server.subscribe = server.text().await;
        server
    }

    /// True if nobody connects for so long.
    pub async fn left_alone(&self, time: Duration) -> bool {
        tokio::time::timeout(time, self.0.accept()).await.is_err()
    }
}

/// Notes the credential that the daemon presents.
struct Credential<'a>(&'a mut Option<String>);

impl Callback for Credential<'_> {
    fn on_request(self, request: &Request, response: Response) -> Result<Response, ErrorResponse> {
        let header = request.headers().get("authorization");
        *self.0 = header.map(|value| value.to_str().unwrap().to_owned());
        Ok(response)
    }
}

/// The server's end of a connection.
pub struct Server {
    pub ws: WebSocketStream<TcpStream>,
    pub bearer: Option<String>,
    pub subscribe: String,
}

impl Server {
    pub async fn send(&mut self, text: impl Into<String>) {
        self.ws.send(Message::text(text.into())).await.unwrap();
    }

    pub async fn raw(&mut self, bytes: &[u8]) {
        self.ws.get_mut().write_all(bytes).await.unwrap();
    }

    /// The next message of the daemon.
    pub async fn message(&mut self) -> Message {
        soon("a message of the daemon", self.ws.next()).await.unwrap().unwrap()
    }

    pub async fn text(&mut self) -> String {
        self.message().await.into_text().unwrap().to_string()
    }

    /// The code of the daemon's goodbye.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.message().await {
                return frame.unwrap().code.into();
            }
        }
    }
}

/// What the observer was told.
#[derive(Default)]
pub struct Counts(Mutex<Vec<FeedReport>>);

impl FeedObserver for Counts {
    fn report(&self, feed: u16, report: FeedReport) {
        assert_eq!(feed, 7);
        self.0.lock().push(report);
    }
}

impl Counts {
    pub fn all(&self) -> Vec<FeedReport> {
        self.0.lock().clone()
    }

    pub fn dropped(&self) -> Vec<(&'static str, &'static str)> {
        let drops = |report: &FeedReport| match report {
            FeedReport::Dropped { kind, reason } => Some((*kind, *reason)),
            _ => None,
        };
        self.0.lock().iter().filter_map(drops).collect()
    }
}

/// A running feed, seen from the intake.
pub struct Intake {
    pub out: mpsc::Receiver<FromFeed>,
    pub control: mpsc::Sender<ToFeed>,
    pub counts: Arc<Counts>,
    pub stop: CancellationToken,
    pub task: JoinHandle<()>,
}

impl Intake {
    pub fn start(options: WebsocketOptions, resume: Option<&str>) -> Self {
        Self::start_narrow(options, resume, 64)
    }

    /// With room for `room` things before the feed must wait.
    pub fn start_narrow(options: WebsocketOptions, resume: Option<&str>, room: usize) -> Self {
        let resume = resume.map(Into::into);
        Self::spawn(room, |out, control, counts, stop| {
            websocket::run(
                7,
                options,
                resume,
                Keyer::replay(),
                out,
                control,
                counts,
                Clock::machine(),
                stop,
            )
        })
    }

    pub fn spawn<F>(
        room: usize,
        run: impl FnOnce(
            mpsc::Sender<FromFeed>,
            mpsc::Receiver<ToFeed>,
            Arc<Counts>,
            CancellationToken,
        ) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, out) = mpsc::channel(room);
        let (control, receiver) = mpsc::channel(1);
        let (counts, stop) = (Arc::new(Counts::default()), CancellationToken::new());
        let task = tokio::spawn(run(sender, receiver, counts.clone(), stop.clone()));
        Self { out, control, counts, stop, task }
    }

    pub async fn next(&mut self) -> FeedEvent {
        let told = soon("something of the feed", self.out.recv()).await.expect("the feed ended");
        assert_eq!(told.feed, 7);
        told.what
    }

    pub async fn item(&mut self) -> FeedItem {
        match self.next().await {
            FeedEvent::Item(item) => item,
            other => panic!("expected an item, came {other:?}"),
        }
    }

    pub async fn event(&mut self) -> Event {
        match self.item().await {
            FeedItem::Event(event) => event,
            other => panic!("expected an event, came {other:?}"),
        }
    }

    /// The id of the next event.
    pub async fn id(&mut self) -> String {
        self.event().await.id.into()
    }

    pub async fn connected(&mut self) {
        let next = self.next().await;
        assert!(matches!(next, FeedEvent::Connected { .. }), "{next:?}");
    }

    /// The reason why the connection ended.
    pub async fn disconnected(&mut self) -> String {
        match self.next().await {
            FeedEvent::Disconnected { reason, .. } => reason,
            other => panic!("expected the end of the connection, came {other:?}"),
        }
    }

    pub async fn tell(&self, what: ToFeed) {
        soon("the feed to listen", self.control.send(what)).await.unwrap();
    }
}
