//! The simulated platform: a WebSocket server of the wire format, version 1. Each connection has a clock of its own
//! that begins at its cursor and runs at a given speed; at the scenario's end it stands still, connected.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use super::script::Scenario;
use super::timeline::{BURST, EVERY_MS, Item, OVER_MS, Shot, shot_at, timeline};
use crate::event::Timestamp;

/// Simulated seconds in a second of the wall's clock, unless told otherwise.
pub const DEFAULT_SPEED: f64 = 10.0;

/// A cursor after this many items.
const CURSOR_EVERY: usize = 50;

/// Pings tell an idle client that the platform lives.
const PING: Duration = Duration::from_secs(10);

/// Serves the scenario to every client until `stop`. `speed` is simulated seconds a second, above 0
/// ([`f64::INFINITY`] for as fast as the client reads). Troubles of a connection end that connection and are logged.
pub async fn serve(listener: TcpListener, scenario: Scenario, speed: f64, stop: CancellationToken) {
    let items = timeline(&scenario, EVERY_MS);
    // Below a thousandth a picture would take hours; NaN ends here too.
    let speed = speed.max(1e-3);
    let stage = Arc::new(Stage { scenario, items, speed });
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => {
                    let (stage, stop) = (stage.clone(), stop.clone());
                    clients.spawn(async move {
                        if let Err(error) = client(socket, stage, stop).await {
                            tracing::debug!(%peer, %error, "simulated platform: connection ended");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "simulated platform: cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = clients.join_next() => {}
        }
    }
    while clients.join_next().await.is_some() {}
}

/// What every connection plays from.
struct Stage {
    scenario: Scenario,
    items: Vec<(Timestamp, Item)>,
    speed: f64,
}

impl Stage {
    /// The cursor that stands before item `next`.
    fn cursor(&self, next: usize) -> String {
        format!("{}:{}:{next}", self.scenario.name(), self.scenario.run())
    }

    /// The item that a cursor stands before; the first for a cursor of another run.
    fn place(&self, cursor: &str) -> usize {
        let ours = format!("{}:{}:", self.scenario.name(), self.scenario.run());
        let place = cursor.strip_prefix(&ours).and_then(|place| place.parse().ok());
        place.unwrap_or(0).min(self.items.len())
    }
}

async fn client(
    socket: TcpStream,
    stage: Arc<Stage>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let _ = socket.set_nodelay(true);
    let mut ws = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        ws = tokio_tungstenite::accept_async(socket) => ws?,
    };
    let mut player: Option<Player> = None;
    let mut ping = tokio::time::interval(PING);
    loop {
        let due = player.as_ref().and_then(Player::due);
        tokio::select! {
            biased;
            () = stop.cancelled() => {
                // A client that is gone cannot be told.
                let _ = ws.close(None).await;
                return Ok(());
            }
            message = ws.next() => match message {
                Some(Ok(Message::Text(text))) => hear(&mut player, &stage, text.as_str()),
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
            },
            _ = ping.tick() => ws.send(Message::Ping(Default::default())).await?,
            () = until(due) => {
                if let Some(player) = &mut player {
                    player.play(&mut ws).await?;
                }
            }
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Reads what the client says; what is not understood is ignored, as the wire format has it.
fn hear(player: &mut Option<Player>, stage: &Arc<Stage>, text: &str) {
    let Ok(message) = serde_json::from_str::<Value>(text) else { return };
    match message["type"].as_str() {
        Some("subscribe") => {
            let resume = message["resume"].as_str();
            match player {
                Some(player) => {
                    if let Some(cursor) = resume {
                        player.go(stage.place(cursor));
                    }
                }
                None => {
                    *player =
                        Some(Player::new(stage.clone(), resume.map_or(0, |c| stage.place(c))));
                }
            }
            if let Some(player) = player {
                player.channels = Filter::read(&message["channels"]);
                player.kinds = Filter::read(&message["kinds"]);
            }
        }
        Some("sample") => {
            if let Some(player) = player {
                player.sample(&message);
            }
        }
        _ => {}
    }
}

/// What a client subscribed to: everything, or these.
enum Filter {
    All,
    Named(Vec<String>),
}

impl Filter {
    /// A list of names, `*` for all; anything else means all.
    fn read(list: &Value) -> Self {
        let Some(list) = list.as_array() else { return Filter::All };
        let names: Vec<String> =
            list.iter().filter_map(|name| name.as_str().map(str::to_string)).collect();
        if names.iter().any(|name| name == "*") { Filter::All } else { Filter::Named(names) }
    }

    fn takes(&self, name: &str) -> bool {
        match self {
            Filter::All => true,
            Filter::Named(names) => names.iter().any(|known| known == name),
        }
    }
}

/// Looks that the client asked for at one channel.
struct Sample {
    channel: String,
    look: String,
    every_ms: i64,
    burst: u32,
    over_ms: i64,
    /// When the current look opened, which it is, and the next picture in it, both from 1.
    opened: Timestamp,
    round: u32,
    n: u32,
}

impl Sample {
    fn next(&self) -> Timestamp {
        shot_at(self.opened, self.n, self.burst, self.over_ms)
    }

    fn take(&mut self) -> Shot {
        let look = match self.round {
            1 => self.look.clone(),
            round => format!("{}-{round}", self.look),
        };
        let (at, channel) = (self.next(), self.channel.clone());
        let shot = Shot { at, channel, look, n: self.n, of: self.burst };
        self.n += 1;
        if self.n > self.burst {
            self.n = 1;
            self.round += 1;
            self.opened = self.opened.plus_ms(self.every_ms);
        }
        shot
    }
}

/// One connection's place in the script.
struct Player {
    stage: Arc<Stage>,
    channels: Filter,
    kinds: Filter,
    next: usize,
    /// The wall's clock at `began_at` of the script.
    began: Instant,
    began_at: Timestamp,
    samples: Vec<Sample>,
    /// The last cursor told.
    told: usize,
}

impl Player {
    fn new(stage: Arc<Stage>, place: usize) -> Self {
        let began_at = stage.scenario.start();
        let mut player = Self {
            stage,
            channels: Filter::All,
            kinds: Filter::All,
            next: 0,
            began: Instant::now(),
            began_at,
            samples: Vec::new(),
            told: 0,
        };
        player.go(place);
        player
    }

    fn go(&mut self, place: usize) {
        self.next = place;
        self.told = place;
        self.began = Instant::now();
        self.began_at = self.stage.items.get(place).map_or(self.stage.scenario.end(), |i| i.0);
        self.samples.clear();
    }

    /// Simulated time: the connection's clock, but never past what is still to be sent.
    fn now(&self) -> Timestamp {
        let ms = self.began.elapsed().as_secs_f64() * 1000.0 * self.stage.speed;
        let clock = self.began_at.plus_ms(ms.min(1e12) as i64);
        let limit = self.next_at().unwrap_or(self.stage.scenario.end());
        clock.min(limit)
    }

    fn next_sample(&self) -> Option<usize> {
        let soonest = (0..self.samples.len()).min_by_key(|i| self.samples[*i].next())?;
        (self.samples[soonest].next() <= self.stage.scenario.end()).then_some(soonest)
    }

    fn next_at(&self) -> Option<Timestamp> {
        let said = self.stage.items.get(self.next).map(|item| item.0);
        let shot = self.next_sample().map(|i| self.samples[i].next());
        said.into_iter().chain(shot).min()
    }

    /// When the wall's clock reaches the next thing to send; `None` at the end.
    fn due(&self) -> Option<Instant> {
        let ahead = self.next_at()?.since(self.began_at).max(0) as f64 / 1000.0;
        let wall = (ahead / self.stage.speed).clamp(0.0, 1e7);
        Some(self.began + Duration::from_secs_f64(wall))
    }

    /// Takes a `sample` request; `every_ms` 0 gives the channel back to the platform's own looks.
    fn sample(&mut self, message: &Value) {
        let Some(channel) = message["channel"].as_str() else { return };
        if !self.stage.scenario.channels().contains(&channel) {
            return;
        }
        let number = |name: &str, default: i64| message[name].as_i64().unwrap_or(default);
        self.samples.retain(|sample| sample.channel != channel);
        let every_ms = number("every_ms", EVERY_MS);
        if every_ms <= 0 {
            return;
        }
        let burst = number("burst", i64::from(BURST)).clamp(1, 32) as u32;
        let over_ms = number("over_ms", OVER_MS).clamp(0, 10_000);
        self.samples.push(Sample {
            channel: channel.to_string(),
            look: message["look"].as_str().unwrap_or("L").to_string(),
            every_ms: every_ms.max(over_ms + 500),
            burst,
            over_ms,
            // A millisecond on, so that it never repeats a picture just sent.
            opened: self.now().plus_ms(1),
            round: 1,
            n: 1,
        });
    }

    /// Sends the next thing, and a cursor when it is time for one.
    async fn play(&mut self, ws: &mut WebSocketStream<TcpStream>) -> Result<(), Error> {
        let said = self.stage.items.get(self.next).map(|item| item.0);
        if let Some(i) = self.next_sample()
            && said.is_none_or(|at| self.samples[i].next() < at)
        {
            let shot = self.samples[i].take();
            return self.show(ws, shot).await;
        }
        let stage = self.stage.clone();
        let Some((_, item)) = stage.items.get(self.next) else { return Ok(()) };
        self.next += 1;
        match item {
            Item::Said(place) => {
                let event = &stage.scenario.events()[*place];
                if self.channels.takes(&event.channel) && self.kinds.takes(event.kind) {
                    ws.send(Message::text(event.json.clone())).await?;
                }
            }
            Item::Picture(shot) => {
                // Where looks were asked for, only those are sent: two at once would tear each other.
                if !self.samples.iter().any(|sample| sample.channel == shot.channel) {
                    self.show(ws, shot.clone()).await?;
                }
            }
        }
        let ended = self.next == stage.items.len();
        if self.next - self.told >= CURSOR_EVERY || ended {
            self.told = self.next;
            let cursor = serde_json::json!({"type": "cursor", "value": stage.cursor(self.next)});
            ws.send(Message::text(cursor.to_string())).await?;
        }
        Ok(())
    }

    /// Draws a picture and sends it as a binary message: length, header, JPEG.
    async fn show(&self, ws: &mut WebSocketStream<TcpStream>, shot: Shot) -> Result<(), Error> {
        if !self.channels.takes(&shot.channel) || !self.kinds.takes("frame") {
            return Ok(());
        }
        let Some(scene) = self.stage.scenario.scene_at(&shot.channel, shot.at) else {
            return Ok(());
        };
        // The drawing neither panics nor is cancelled; without a picture there is nothing to send.
        let Ok(jpeg) = tokio::task::spawn_blocking(move || scene.jpeg()).await else {
            return Ok(());
        };
        let header = shot.header(&self.stage.scenario.run()).to_string();
        let mut message = Vec::with_capacity(4 + header.len() + jpeg.len());
        message.extend((header.len() as u32).to_be_bytes());
        message.extend(header.as_bytes());
        message.extend(jpeg);
        ws.send(Message::binary(message)).await
    }
}
