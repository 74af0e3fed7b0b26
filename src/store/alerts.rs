//! Alerts and their revisions. In: changes with their outbox rows and evidence rows, committed together. Out: alerts
//! as they last stood, newest first, and each revision.

use sqlx::Row as _;
use sqlx::any::AnyRow;
use uuid::Uuid;

use super::{Checkpoint, Result, Store, Write, corrupt};
use crate::alert::{Change, OutboxRow, State};
use crate::event::{ChannelId, Decision, Level, Timestamp};
use crate::evidence::EvidenceRow;
use crate::telemetry::Clock;

/// One revision with what must be durable together with it.
#[derive(Clone, Debug)]
pub struct Commit {
    pub change: Change,
    pub outbox: Vec<OutboxRow>,
    pub evidence: Vec<EvidenceRow>,
}

/// An alert as it last stood.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub change: Change,
    /// Daemon's clock when this revision was committed.
    pub received: Timestamp,
}

/// Which alerts. Empty fields let all through.
#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    pub level: Option<Level>,
    pub level_at_least: Option<Level>,
    pub state: Option<State>,
    pub channel: Option<ChannelId>,
    /// [`AlertPage::next`] of the page before.
    pub after: Option<String>,
    /// At most this many; 0 stands for 50, and more than 500 for 500.
    pub limit: usize,
}

/// A page of alerts, newest first.
#[derive(Clone, Debug, Default)]
pub struct AlertPage {
    pub items: Vec<Stored>,
    /// Where the next page begins; none on the last.
    pub next: Option<String>,
}

impl Store {
    /// Commits revisions, in order, in one transaction. A revision that is already there changes nothing and adds no
    /// outbox row, so that a crash may replay it.
    pub async fn commit_changes(&self, changes: &[Commit]) -> Result<()> {
        self.commit(changes, None).await
    }

    /// A change with the decision behind it and its row of the audit chain (`uid` is the caller's), and a checkpoint, in
    /// one transaction. A revision that is there already adds no decision either.
    pub async fn commit_decided(
        &self,
        commit: &Commit,
        decision: Option<(&Decision, Option<u32>)>,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<()> {
        self.commit_all(std::slice::from_ref(commit), decision, checkpoint).await
    }

    /// [`Store::commit_changes`] and [`Store::save_checkpoint`] in one transaction.
    pub async fn commit(&self, changes: &[Commit], checkpoint: Option<&Checkpoint>) -> Result<()> {
        self.commit_all(changes, None, checkpoint).await
    }

    async fn commit_all(
        &self,
        changes: &[Commit],
        decision: Option<(&Decision, Option<u32>)>,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<()> {
        self.call("commit", async {
            if changes.is_empty() && checkpoint.is_none() {
                return Ok(());
            }
            let (now, kept) = (Clock::house().steady(), Clock::house().believed());
            let mut write = self.write().await?;
            let step = |step| if changes.is_empty() { Ok(()) } else { self.step(step) };
            step("commit.begun")?;
            let mut seq = write.next_outbox_seq().await?;
            for commit in changes {
                if !write.put_revision(&commit.change, now).await? {
                    continue;
                }
                if let Some((decision, uid)) = decision {
                    write.append_decision(decision, uid).await?;
                }
                for row in &commit.outbox {
                    write.put_outbox(row, seq, now).await?;
                    write.begin_reminders(&row.sink, row.alert, now).await?;
                    seq += 1;
                }
                for row in &commit.evidence {
                    write.put_evidence(row, kept).await?;
                }
            }
            step("commit.rows")?;
            if let Some(checkpoint) = checkpoint {
                write.put_checkpoint(checkpoint).await?;
                self.step("checkpoint.rows")?;
            }
            step("commit.before")?;
            write.commit().await?;
            // From here on it is durable, whatever comes.
            step("commit.after")
        })
        .await
    }

    /// One page of alerts, newest first.
    pub async fn alerts(&self, filter: &AlertFilter) -> Result<AlertPage> {
        self.call("alerts", async {
            let limit = match filter.limit {
                0 => 50,
                limit => limit.min(500),
            };
            let (opened, id) = match &filter.after {
                Some(after) => read_cursor(after).ok_or_else(|| corrupt("an unknown page cursor"))?,
                None => (i64::MAX, String::new()),
            };
            let rows = sqlx::query(
                "SELECT body, received, opened, id FROM alerts \
                 WHERE ($1 = '' OR level = $1) AND rank >= $2 AND ($3 = '' OR state = $3) AND ($4 = '' OR channel = $4) \
                 AND (opened < $5 OR (opened = $5 AND id < $6)) ORDER BY opened DESC, id DESC LIMIT $7",
            )
            .bind(filter.level.map_or("", Level::name).to_owned())
            .bind(filter.level_at_least.map_or(0, |level| level as i64))
            .bind(filter.state.map_or("", State::name).to_owned())
            .bind(filter.channel.as_ref().map_or("", ChannelId::as_str).to_owned())
            .bind(opened)
            .bind(id)
            .bind(limit as i64 + 1)
            .fetch_all(&self.0.pool)
            .await?;
            let mut items = Vec::new();
            let mut next = None;
            for (i, row) in rows.iter().enumerate() {
                if i == limit {
                    // Another row follows the last one of this page.
                    let last = &rows[i - 1];
                    let (opened, id): (i64, String) = (last.try_get("opened")?, last.try_get("id")?);
                    next = Some(format!("{opened}_{id}"));
                    break;
                }
                items.push(stored(row)?);
            }
            Ok(AlertPage { items, next })
        })
        .await
    }

    /// An alert as it last stood.
    pub async fn alert(&self, id: Uuid) -> Result<Option<Stored>> {
        self.call("alert", async {
            let row = sqlx::query("SELECT body, received FROM alerts WHERE id = $1")
                .bind(id.to_string())
                .fetch_optional(&self.0.pool)
                .await?;
            row.as_ref().map(stored).transpose()
        })
        .await
    }

    /// The newest alerts whose id begins with `prefix`, at most `limit`, of all that are stored.
    pub async fn alerts_beginning(&self, prefix: &str, limit: usize) -> Result<Vec<Stored>> {
        let rows = sqlx::query(
            "SELECT body, received FROM alerts WHERE substr(id, 1, $1) = $2 \
             ORDER BY opened DESC, id DESC LIMIT $3",
        )
        .bind(i64::try_from(prefix.len()).unwrap_or(i64::MAX))
        .bind(prefix.to_owned())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.0.pool)
        .await?;
        rows.iter().map(stored).collect()
    }

    /// Every revision of an alert, oldest first.
    pub async fn revisions(&self, id: Uuid) -> Result<Vec<Change>> {
        self.call("revisions", async {
            let rows = sqlx::query(
                "SELECT body, received FROM alert_revisions WHERE alert = $1 ORDER BY revision",
            )
            .bind(id.to_string())
            .fetch_all(&self.0.pool)
            .await?;
            rows.iter().map(|row| stored(row).map(|stored| stored.change)).collect()
        })
        .await
    }

    /// Alerts of which something was committed since the last checkpoint, oldest first: what a crash made the saved states
    /// forget.
    pub async fn since_checkpoint(&self) -> Result<Vec<Change>> {
        self.call("since_checkpoint", async {
            let rows = sqlx::query(
                "SELECT body, received FROM alerts WHERE received >= \
                 COALESCE((SELECT CAST(value AS BIGINT) FROM meta WHERE name = 'saved'), 0) ORDER BY opened, id",
            )
            .fetch_all(&self.0.pool)
            .await?;
            rows.iter().map(|row| stored(row).map(|stored| stored.change)).collect()
        })
        .await
    }

    /// An alert's newest revision; 0 if there is no such alert.
    pub async fn newest_revision(&self, id: Uuid) -> Result<u32> {
        self.call("newest_revision", async {
            let row = sqlx::query("SELECT revision FROM alerts WHERE id = $1")
                .bind(id.to_string())
                .fetch_optional(&self.0.pool)
                .await?;
            let revision: i64 = row.map_or(Ok(0), |row| row.try_get("revision"))?;
            u32::try_from(revision).map_err(|_| corrupt("an alert's revision"))
        })
        .await
    }

    /// How many alerts stand undecided, by level and state (open, acknowledged or confirmed).
    pub async fn open_counts(&self) -> Result<Vec<(Level, State, u64)>> {
        self.call("open_counts", async {
            let rows = sqlx::query(
                "SELECT level, state, COUNT(*) AS n FROM alerts \
                 WHERE state <> 'dismissed' AND state <> 'closed' GROUP BY level, state ORDER BY level, state",
            )
            .fetch_all(&self.0.pool)
            .await?;
            rows.iter()
                .map(|row| {
                    let (level, state): (String, String) =
                        (row.try_get("level")?, row.try_get("state")?);
                    let level = Level::from_name(&level).ok_or_else(|| corrupt("level"))?;
                    let state = State::ALL.into_iter().find(|known| known.name() == state);
                    let count: i64 = row.try_get("n")?;
                    Ok((level, state.ok_or_else(|| corrupt("state"))?, count.max(0) as u64))
                })
                .collect()
        })
        .await
    }
}

impl Write<'_> {
    /// False if this revision is there already.
    async fn put_revision(&mut self, change: &Change, now: Timestamp) -> Result<bool> {
        let alert = &change.alert;
        let id = alert.id.to_string();
        let body = serde_json::to_string(change).map_err(corrupt)?;
        let new = sqlx::query(
            "INSERT INTO alert_revisions (alert, revision, received, body) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (alert, revision) DO NOTHING",
        )
        .bind(id.clone())
        .bind(i64::from(alert.revision))
        .bind(now.0)
        .bind(body.clone())
        .execute(&mut *self.tx)
        .await?
        .rows_affected();
        if new == 0 {
            return Ok(false);
        }
        let urgent = alert.level == Level::ThreatToLife && alert.state == State::Open;
        sqlx::query(
            "INSERT INTO alerts (id, channel, level, rank, state, opened, revision, ended_clock, urgent_since, \
             received, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
             ON CONFLICT (id) DO UPDATE SET level = excluded.level, rank = excluded.rank, state = excluded.state, \
             revision = excluded.revision, received = excluded.received, body = excluded.body, \
             ended_clock = CASE WHEN excluded.ended_clock IS NULL THEN NULL \
             ELSE COALESCE(alerts.ended_clock, excluded.ended_clock) END, \
             urgent_since = CASE WHEN excluded.urgent_since IS NULL THEN NULL \
             ELSE COALESCE(alerts.urgent_since, excluded.urgent_since) END \
             WHERE excluded.revision > alerts.revision",
        )
        .bind(id)
        .bind(alert.channel.as_str().to_owned())
        .bind(alert.level.name().to_owned())
        .bind(alert.level as i64)
        .bind(alert.state.name().to_owned())
        .bind(alert.opened_at.0)
        .bind(i64::from(alert.revision))
        .bind(alert.ended_at.map(|_| Clock::house().believed().0))
        .bind(urgent.then_some(now.0))
        .bind(now.0)
        .bind(body)
        .execute(&mut *self.tx)
        .await?;
        Ok(true)
    }
}

fn stored(row: &AnyRow) -> Result<Stored> {
    let body: String = row.try_get("body")?;
    let change = serde_json::from_str(&body)
        .map_err(|error| corrupt(format_args!("an alert's revision ({error})")))?;
    Ok(Stored { change, received: Timestamp(row.try_get("received")?) })
}

fn read_cursor(text: &str) -> Option<(i64, String)> {
    let (opened, id) = text.split_once('_')?;
    let id: Uuid = id.parse().ok()?;
    Some((opened.parse().ok()?, id.to_string()))
}
