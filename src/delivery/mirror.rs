//! An Alertmanager as a sink: it is shown what is open now, every minute anew with an end some minutes ahead, so that
//! what Vigie no longer vouches for ends by itself. Labels and links only; never names, texts or channels.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::pulse::Pulse;
use super::worker::POLL;
use super::{Outcome, SinkKind, after, steady};
use crate::alert::State;
use crate::event::{Level, Timestamp};
use crate::evidence::wall_clock;
use crate::store::{AlertFilter, StoreError};

/// Alerts that are shown at most, the newest first.
const MOST: usize = 5_000;
/// Alerts in one request.
const CHUNK: usize = 500;
/// After a change the mirror waits so long for others before it posts.
const SETTLE: Duration = Duration::from_millis(200);
/// Posts that an alert outlives without being posted again.
const OUTLIVES: u32 = 4;

/// What identifies an alert there.
type Labels = BTreeMap<&'static str, String>;

/// When an alert began, and its page.
#[derive(Clone, PartialEq)]
struct Shown {
    since: Timestamp,
    link: String,
}

pub(super) struct Mirror {
    pulse: Pulse,
    cancel: CancellationToken,
    /// What it was shown last and has not been told the end of.
    shown: BTreeMap<Labels, Shown>,
    every: Duration,
    next: Timestamp,
}

impl Mirror {
    pub fn new(pulse: Pulse, cancel: CancellationToken) -> Self {
        let every = match pulse.sink.options.kind {
            SinkKind::Alertmanager { every, .. } => every,
            _ => Duration::from_secs(60),
        };
        Self { pulse, cancel, shown: BTreeMap::new(), every, next: Timestamp(0) }
    }

    pub async fn run(mut self) {
        let mut recalled = false;
        while !self.cancel.is_cancelled() {
            if !recalled {
                recalled = self.pulse.recall().await.is_ok();
            }
            let wait = match self.step().await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(sink = self.pulse.name(), %error, "open alerts cannot be read");
                    POLL
                }
            };
            let shared = self.pulse.shared.clone();
            tokio::select! {
                () = self.cancel.cancelled() => {}
                () = shared.wake.notified() => tokio::time::sleep(SETTLE).await,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Posts if something changed or the time has come; tells how long nothing will be due.
    async fn step(&mut self) -> Result<Duration, StoreError> {
        let now = steady();
        let open = self.open().await?;
        if now >= self.pulse.paused_until && (now >= self.next || open != self.shown) {
            self.post(open, now).await;
        }
        self.pulse.announce(now).await?;
        let due = self.next.max(self.pulse.paused_until).since(steady()).max(1);
        Ok(Duration::from_millis(due.unsigned_abs()).min(POLL))
    }

    /// What is open, as Alertmanager is to show it.
    async fn open(&self) -> Result<BTreeMap<Labels, Shown>, StoreError> {
        let options = &self.pulse.sink.options;
        let mut open = BTreeMap::new();
        for (name, since) in self.pulse.roster.failing() {
            let labels =
                BTreeMap::from([("alertname", "VigieSinkFailing".to_owned()), ("sink", name)]);
            open.insert(labels, Shown { since, link: self.pulse.source.clone() });
        }
        if options.quiet {
            return Ok(open);
        }
        let mut filter = AlertFilter {
            level_at_least: Some(options.min_level),
            state: Some(State::Open),
            limit: CHUNK,
            ..AlertFilter::default()
        };
        loop {
            let page = self.pulse.store.alerts(&filter).await?;
            for stored in page.items {
                let alert = stored.change.alert;
                if alert.ended_at.is_none() && open.len() < MOST {
                    let labels = labels("VigieAlert", alert.id, alert.level);
                    open.insert(labels, Shown { since: alert.opened_at, link: alert.console });
                }
            }
            if page.next.is_none() || open.len() >= MOST {
                return Ok(open);
            }
            filter.after = page.next;
        }
    }

    async fn post(&mut self, open: BTreeMap<Labels, Shown>, now: Timestamp) {
        let shown = wall_clock();
        let ends = after(shown, self.every * OUTLIVES);
        let over = self.shown.iter().filter(|(labels, _)| !open.contains_key(*labels));
        let all: Vec<Value> = open
            .iter()
            .map(|(labels, alert)| posted(labels, alert, ends, shown))
            .chain(over.map(|(labels, alert)| posted(labels, alert, shown, shown)))
            .collect();
        // An empty list is posted too: it tells whether anybody is there.
        for chunk in all.chunks(CHUNK).chain(all.is_empty().then_some(&[][..])) {
            let body = Value::from(chunk).to_string();
            let answer = self.pulse.sink.send("", &body).await;
            let outcome = answer.as_ref().map_or_else(|f| f.outcome, |_| Outcome::Accepted);
            self.pulse.observer.attempt(self.pulse.name(), outcome);
            if let Err(failure) = answer {
                self.pulse.ill("", &failure, steady());
                return;
            }
        }
        self.pulse.well();
        self.shown = open;
        self.next = after(now, self.every);
    }
}

fn labels(name: &str, alert: uuid::Uuid, level: Level) -> Labels {
    BTreeMap::from([
        ("alertname", name.to_owned()),
        ("alert", alert.to_string()),
        ("level", level.name().to_owned()),
    ])
}

fn posted(labels: &Labels, shown: &Shown, ends: Timestamp, now: Timestamp) -> Value {
    let mut posted = json!({
        "labels": labels,
        // An alert that begins after it ends is refused.
        "startsAt": shown.since.min(now),
        "endsAt": ends,
    });
    if !shown.link.is_empty() {
        posted["annotations"] = json!({"console": shown.link});
        posted["generatorURL"] = json!(shown.link);
    }
    posted
}

/// A marked alert that ends by itself after a minute.
pub(super) fn test_post(source: &str, now: Timestamp) -> String {
    let labels = labels("VigieTest", uuid::Uuid::new_v4(), Level::Concern);
    let shown = Shown { since: now, link: source.to_owned() };
    let mut alert = posted(&labels, &shown, after(now, Duration::from_secs(60)), now);
    alert["annotations"]["summary"] =
        "TEST: Vigie was asked to send this to see that it arrives. Nothing happened.".into();
    json!([alert]).to_string()
}
