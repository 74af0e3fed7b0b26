//! One feed of the config by itself, outside a daemon: for trying it out and for recording it.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::super::CliError;
use super::super::daemon::DaemonError;
use super::super::observe::{FeedCounts, Heard};
use super::super::reload::{FeedSetup, Way};
use crate::config::{Config, Feed};
use crate::event::Keyer;
use crate::feed::{FeedObserver, FeedReport, FromFeed, ToFeed};
use crate::telemetry::{Clock, Metrics};

/// Items of the feed that may wait.
const ROOM: usize = 1024;

/// A connection of its own; ends when dropped.
pub struct Tap {
    events: mpsc::Receiver<FromFeed>,
    name: String,
    control: mpsc::Sender<ToFeed>,
    counts: Arc<FeedCounts>,
    stop: CancellationToken,
    task: JoinSet<()>,
}

impl Tap {
    /// Begins to connect, with the config's credentials and no cursor: from now on.
    pub fn open(config: &Config, feed: &Feed) -> Result<Self, CliError> {
        let (out, events) = mpsc::channel(ROOM);
        let (control, inbox) = mpsc::channel(16);
        let counts = Arc::new(FeedCounts::new(&Metrics::new()));
        counts.seat(0, &feed.name);
        let (stop, mut task) = (CancellationToken::new(), JoinSet::new());
        let setup = FeedSetup::new(feed, config).map_err(DaemonError::from)?;
        let clock = Clock::machine();
        let way = Way { out, control: inbox, observer: counts.clone(), clock };
        task.spawn(setup.run(0, None, Keyer::replay(), way, stop.clone()));
        Ok(Self { events, name: feed.name.clone(), control, counts, stop, task })
    }

    /// What comes next; `None` once the feed has ended.
    pub async fn next(&mut self) -> Option<FromFeed> {
        self.events.recv().await
    }

    /// Counts what the daemon's gate would count.
    pub fn report(&self, report: FeedReport) {
        self.counts.report(0, report);
    }

    /// Everything up to the cursor is dealt with: a reconnect goes on from there.
    pub fn handled(&self, cursor: Box<str>) {
        self.counts.cursor(0);
        // A newer one follows.
        let _ = self.control.try_send(ToFeed::Handled(cursor));
    }

    /// What it brought so far.
    pub fn heard(&self) -> Heard {
        self.counts.heard(&self.name)
    }

    /// Says goodbye to the server.
    pub async fn close(mut self) {
        self.stop.cancel();
        drop(self.events);
        while self.task.join_next().await.is_some() {}
    }
}
