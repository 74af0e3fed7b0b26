//! What keeps the store well beside its work: the ballast made again, a look for damage once a day, the journal's counts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::evidence::Evidence;
use crate::store::journal::Journal;
use crate::store::{BALLAST, Ballast, Store};
use crate::telemetry::{Component, Health, Metrics, Status};

/// How often counts are renewed.
const EVERY: Duration = Duration::from_secs(2);
/// How often a ballast that is missing is tried again.
const BALLAST_EVERY: Duration = Duration::from_secs(30);
/// How often the database is read for damage; first so long after the start.
const CHECK_EVERY: Duration = Duration::from_secs(86_400);
const CHECK_FIRST: Duration = Duration::from_secs(20);

/// See the module.
pub struct Upkeep {
    pub store: Store,
    pub evidence: Arc<Evidence>,
    pub ballast: Arc<Ballast>,
    pub journal: Journal,
    pub metrics: Metrics,
    pub health: Health,
}

impl Upkeep {
    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut every = tokio::time::interval(EVERY);
        every.tick().await;
        let (mut ballast_at, mut check_at) = (Instant::now(), Instant::now() + CHECK_FIRST);
        let mut damage: Option<String> = None;
        loop {
            tokio::select! { _ = every.tick() => {}, () = stop.cancelled() => return }
            let journal = self.journal.stats();
            self.metrics.set_journal(journal.entries, journal.lost);
            let now = Instant::now();
            if now >= ballast_at {
                ballast_at = now + BALLAST_EVERY;
                self.make_ballast().await;
            }
            if now >= check_at {
                check_at = now + CHECK_EVERY;
                damage = self.store.check().await.unwrap_or_else(|error| Some(error.to_string()));
            }
            if let (Some(what), Status::Up) = (&damage, self.health.status(Component::Store)) {
                let dir = self.store.dir().display();
                let why = format!(
                    "the database {dir}/vigie.db is damaged ({what}): see docs/operating.md, \"The store is broken\""
                );
                tracing::error!(%why, "the store is degraded");
                self.health.set(Component::Store, Status::Degraded(why));
            }
        }
    }

    async fn make_ballast(&self) {
        if self.ballast.is_there()
            || matches!(self.health.status(Component::Store), Status::Down(_))
        {
            return;
        }
        let ballast = self.ballast.clone();
        match tokio::task::spawn_blocking(move || ballast.make()).await {
            Ok(Ok(())) => self.evidence.pause(false),
            Ok(Err(error)) => {
                let why = format!(
                    "less than {} MiB are free on the disk of the state folder {}: {error}",
                    2 * (BALLAST >> 20),
                    self.store.dir().display()
                );
                tracing::warn!(%why, "there is no ballast for a full disk");
                self.health.set(Component::Store, Status::Degraded(why));
            }
            // The daemon is going down.
            Err(_) => {}
        }
    }
}
