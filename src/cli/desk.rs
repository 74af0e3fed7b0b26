//! What the console asks of the house, answered from the store, the vault and the shards' rows.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lru::LruCache;
use parking_lot::Mutex;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::draft::draft;
use super::reload::Current;
use super::setup::clock;
use super::shard::Rows;
use crate::alert::{Change, Dossier, EvidenceKind};
use crate::config::{Mark, Mode};
use crate::console::{
    AlertFilter, AlertPage, ChannelRow, Desk, DeskError, DeskResult, Live, QuietRule, Ready,
    TimelinePoint,
};
use crate::event::{ChannelId, Digest, Timestamp};
use crate::evidence::Evidence;
use crate::store::{Store, StoreError};
use crate::telemetry::{Component, Health, Metrics, Status};

/// A piece that is asked for again within this time, as a page that loads anew does, is not written down again.
const SAME_LOOK: Duration = Duration::from_secs(600);
/// Pieces of which is remembered that they were written down.
const LOOKED_AT: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// Evidence that was shown lately and stands in the audit chain.
pub struct Accesses(Mutex<LruCache<Digest, Instant>>);

impl Default for Accesses {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(LOOKED_AT)))
    }
}

impl Accesses {
    /// True if this look is to be written down.
    fn is_new(&self, digest: Digest, now: Instant) -> bool {
        let mut seen = self.0.lock();
        if seen.get(&digest).is_some_and(|then| now.duration_since(*then) < SAME_LOOK) {
            return false;
        }
        seen.put(digest, now);
        true
    }
}

/// The house behind the page.
pub struct HouseDesk {
    pub config: Current,
    pub store: Store,
    pub evidence: Arc<Evidence>,
    pub rows: Rows,
    pub metrics: Metrics,
    pub health: Health,
    pub live: broadcast::Sender<Live>,
    pub accesses: Accesses,
}

impl HouseDesk {
    /// Writes down that a piece is shown. One that cannot be written down is shown all the same and told to the log: a
    /// full disk must not hide from a trust team what they decide on.
    async fn audit(&self, digest: Digest) {
        if !self.accesses.is_new(digest, Instant::now()) {
            return;
        }
        if let Err(error) = self.store.append_access(&digest, "console", clock()).await {
            tracing::error!(evidence = %digest, %error, "evidence was shown and is not in the audit chain");
        }
    }
}

fn failed(error: StoreError) -> DeskError {
    DeskError::Unavailable(error.to_string())
}

impl Desk for HouseDesk {
    fn alerts(&self, filter: AlertFilter) -> BoxFuture<'_, DeskResult<AlertPage>> {
        async move {
            let wanted = crate::store::AlertFilter {
                level: filter.level,
                level_at_least: None,
                state: filter.state,
                channel: filter.channel,
                after: filter.after,
                limit: filter.limit,
            };
            let page = self.store.alerts(&wanted).await.map_err(failed)?;
            let items = page.items.into_iter().map(|stored| stored.change.alert).collect();
            Ok(AlertPage { items, next: page.next })
        }
        .boxed()
    }

    fn alert(&self, id: Uuid) -> BoxFuture<'_, DeskResult<Option<Change>>> {
        async move {
            let stored = self.store.alert(id).await.map_err(failed)?;
            Ok(stored.map(|stored| stored.change))
        }
        .boxed()
    }

    fn channels(&self) -> BoxFuture<'_, DeskResult<Vec<ChannelRow>>> {
        let mut rows: Vec<ChannelRow> = self.rows.read().values().cloned().collect();
        let (config, now) = (self.config.get(), clock());
        for row in &mut rows {
            row.unwatched = self.health.status(Component::Feed(&row.feed)) != Status::Up;
            for entry in config.known_of(row.id.as_str(), now) {
                row.vulnerable |= entry.mark == Some(Mark::VulnerablePerson);
                if !entry.note.is_empty() {
                    row.note.clone_from(&entry.note);
                }
            }
        }
        rows.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.id.cmp(&b.id)));
        async move { Ok(rows) }.boxed()
    }

    fn timeline(
        &self,
        channel: ChannelId,
    ) -> BoxFuture<'_, DeskResult<Option<Vec<TimelinePoint>>>> {
        async move {
            let known = self.rows.read().contains_key(&channel);
            let from = Timestamp(0);
            let to = Timestamp(i64::MAX);
            let samples = self.store.timeline(&channel, from, to).await.map_err(failed)?;
            if samples.is_empty() && !known {
                return Ok(None);
            }
            let point = |s: crate::store::Sample| TimelinePoint {
                at: s.at,
                level: s.level,
                values: s.signals,
            };
            Ok(Some(samples.into_iter().map(point).collect()))
        }
        .boxed()
    }

    fn evidence(&self, digest: Digest) -> BoxFuture<'_, DeskResult<Option<(Bytes, EvidenceKind)>>> {
        async move {
            let rows = self.store.evidence(&digest).await.map_err(failed)?;
            let kind = rows.first().map(|piece| piece.row.kind);
            let evidence = self.evidence.clone();
            let bytes = tokio::task::spawn_blocking(move || evidence.get(&digest)).await;
            let bytes = bytes.map_err(|e| DeskError::Internal(e.to_string()))?;
            if bytes.is_some() {
                self.audit(digest).await;
            }
            Ok(bytes.map(|bytes| {
                let jpeg = bytes.starts_with(&[0xff, 0xd8]);
                let guessed = if jpeg { EvidenceKind::Frame } else { EvidenceKind::Chat };
                (bytes, kind.unwrap_or(guessed))
            }))
        }
        .boxed()
    }

    fn dossier(&self, id: Uuid, lang: &'static str) -> BoxFuture<'_, DeskResult<Option<Dossier>>> {
        async move {
            let change = self.alert(id).await?;
            Ok(change.map(|change| draft(&self.config.get(), &change, lang, clock())))
        }
        .boxed()
    }

    fn ready(&self) -> Ready {
        let ready = self.health.ready();
        let degraded = ready
            .degraded
            .iter()
            .map(|part| match part.name.as_str() {
                "" => format!("{}: {}", part.component, part.reason),
                name => format!("{} {name}: {}", part.component, part.reason),
            })
            .collect();
        let rows = self.rows.read();
        let feed_down =
            |row: &&ChannelRow| self.health.status(Component::Feed(&row.feed)) != Status::Up;
        let unwatched = rows.values().filter(feed_down).map(|row| row.id.clone()).collect();
        let inactive_rules = self.config.inactive_rules();
        Ready { ready: ready.ok, degraded, unwatched, inactive_rules }
    }

    fn quiet_rules(&self) -> Vec<QuietRule> {
        let (config, inactive) = (self.config.get(), self.config.inactive_rules());
        let rules = config.rules.iter().map(|rule| QuietRule {
            name: rule.name.clone(),
            level: rule.level,
            shadow: rule.mode == Mode::Shadow,
            inactive: inactive.contains(&rule.name),
            matches: self.metrics.rule(&rule.name, rule.mode.name()).get(),
        });
        rules.filter(|rule| rule.shadow || rule.inactive).collect()
    }

    fn banner(&self) -> Option<&'static str> {
        self.config.shadow().then_some("SHADOW")
    }

    fn metrics(&self) -> String {
        self.metrics.encode()
    }

    fn subscribe(&self) -> broadcast::Receiver<Live> {
        self.live.subscribe()
    }
}
