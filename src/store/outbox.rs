//! The outbox: messages for sinks, committed with what they tell, and what became of them. It knows order, times and
//! counts; sending is `delivery`'s.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::any::AnyRow;
use uuid::Uuid;

use super::{Result, Store, Write, corrupt};
use crate::alert::{Change, OutboxRow};
use crate::event::{Level, Timestamp};
use crate::telemetry::Clock;

/// A message that waits or was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxItem {
    pub sink: String,
    /// The CloudEvents and webhook id.
    pub id: String,
    pub alert: Uuid,
    pub level: Level,
    pub body: String,
    /// Daemon's clock when the event behind it was received.
    pub received: Timestamp,
    /// Attempts made.
    pub attempts: u32,
    /// Not before this.
    pub next_at: Timestamp,
    /// Daemon's clock when it was committed.
    pub created: Timestamp,
    /// What went wrong last.
    pub why: Option<String>,
}

/// An alert that nobody took yet, whose next reminder to a sink may be due.
#[derive(Clone, Debug)]
pub struct Urgent {
    pub change: Change,
    /// Reminders made so far for this sink.
    pub count: u32,
}

pub(super) const COLUMNS: &str =
    "sink, id, alert, level, body, received, attempts, next_at, created, why";

impl Store {
    /// The first `limit` messages of a sink that may be sent now, in order of commit.
    pub async fn due(&self, sink: &str, now: Timestamp, limit: usize) -> Result<Vec<OutboxItem>> {
        self.call("due", async {
            let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
                "SELECT {COLUMNS} FROM outbox WHERE sink = $1 AND state = 'pending' AND next_at <= $2 \
                 ORDER BY seq LIMIT $3"
            )))
            .bind(sink.to_owned())
            .bind(now.0)
            .bind(limit as i64)
            .fetch_all(&self.0.pool)
            .await?;
            rows.iter().map(item).collect()
        })
        .await
    }

    /// When the next waiting message of a sink may be sent; none if nothing waits.
    pub async fn next_due(&self, sink: &str) -> Result<Option<Timestamp>> {
        self.call("next_due", async {
            let row = sqlx::query(
                "SELECT MIN(next_at) AS at FROM outbox WHERE sink = $1 AND state = 'pending'",
            )
            .bind(sink.to_owned())
            .fetch_one(&self.0.pool)
            .await?;
            Ok(row.try_get::<Option<i64>, _>("at")?.map(Timestamp))
        })
        .await
    }

    /// The sink took it.
    pub async fn delivered(&self, sink: &str, id: &str, at: Timestamp) -> Result<()> {
        self.end(sink, id, "delivered", at, None).await
    }

    /// The sink did not take it: try again at `next_at`.
    pub async fn failed(&self, sink: &str, id: &str, next_at: Timestamp, why: &str) -> Result<()> {
        self.call("failed", async {
            let mut write = self.write().await?;
            sqlx::query(
                "UPDATE outbox SET attempts = attempts + 1, next_at = $3, why = $4 \
                 WHERE sink = $1 AND id = $2 AND state = 'pending'",
            )
            .bind(sink.to_owned())
            .bind(id.to_owned())
            .bind(next_at.0)
            .bind(why.to_owned())
            .execute(&mut *write.tx)
            .await?;
            write.commit().await
        })
        .await
    }

    /// Gives a message up; it stays, to be shown.
    pub async fn park(&self, sink: &str, id: &str, at: Timestamp, why: &str) -> Result<()> {
        self.end(sink, id, "parked", at, Some(why)).await
    }

    /// A reminder that is no longer true is not sent.
    pub async fn withdraw(&self, sink: &str, id: &str, at: Timestamp) -> Result<()> {
        self.end(sink, id, "withdrawn", at, None).await
    }

    async fn end(
        &self,
        sink: &str,
        id: &str,
        state: &str,
        at: Timestamp,
        why: Option<&str>,
    ) -> Result<()> {
        self.call("delivered", async {
            self.step("delivered.before")?;
            let attempts = i64::from(state != "withdrawn");
            let mut write = self.write().await?;
            sqlx::query(
                "UPDATE outbox SET state = $3, done_at = $4, attempts = attempts + $5, why = COALESCE($6, why) \
                 WHERE sink = $1 AND id = $2 AND state = 'pending'",
            )
            .bind(sink.to_owned())
            .bind(id.to_owned())
            .bind(state.to_owned())
            .bind(at.0)
            .bind(attempts)
            .bind(why.map(str::to_owned))
            .execute(&mut *write.tx)
            .await?;
            write.commit().await?;
            self.step("delivered.after")
        })
        .await
    }

    /// A sink is back: what waits for it may go at once, in order.
    pub async fn hurry(&self, sink: &str, now: Timestamp) -> Result<()> {
        self.call("hurry", async {
            let mut write = self.write().await?;
            sqlx::query(
                "UPDATE outbox SET next_at = $2 WHERE sink = $1 AND state = 'pending' AND next_at > $2",
            )
            .bind(sink.to_owned())
            .bind(now.0)
            .execute(&mut *write.tx)
            .await?;
            write.commit().await
        })
        .await
    }

    /// How many messages wait, by sink.
    pub async fn pending_counts(&self) -> Result<BTreeMap<String, u64>> {
        let rows = sqlx::query(
            "SELECT sink, COUNT(*) AS n FROM outbox WHERE state = 'pending' GROUP BY sink",
        )
        .fetch_all(&self.0.pool)
        .await?;
        rows.iter()
            .map(|row| Ok((row.try_get("sink")?, row.try_get::<i64, _>("n")?.max(0) as u64)))
            .collect()
    }

    /// Messages that were given up, oldest first, at most 1,000.
    pub async fn parked(&self) -> Result<Vec<OutboxItem>> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM outbox WHERE state = 'parked' ORDER BY seq LIMIT 1000"
        )))
        .fetch_all(&self.0.pool)
        .await?;
        rows.iter().map(item).collect()
    }

    /// Alerts at `threat_to_life` that nobody took, that this sink was told of, and whose last word to it is `remind`
    /// or longer ago. One whose reminder still waits is left out.
    pub async fn urgent(
        &self,
        sink: &str,
        now: Timestamp,
        remind: std::time::Duration,
    ) -> Result<Vec<Urgent>> {
        self.call("urgent", async {
            let rows = sqlx::query(
                "SELECT a.body AS body, r.count AS count FROM alerts a JOIN reminders r ON r.alert = a.id \
                 WHERE r.sink = $1 AND a.urgent_since <= $2 AND r.last_at <= $2 AND NOT EXISTS \
                 (SELECT 1 FROM outbox o WHERE o.sink = $1 AND o.alert = a.id AND o.state = 'pending') \
                 ORDER BY a.urgent_since LIMIT 100",
            )
            .bind(sink.to_owned())
            .bind(now.0.saturating_sub(super::millis(remind)))
            .fetch_all(&self.0.pool)
            .await?;
            rows.iter()
                .map(|row| {
                    let body: String = row.try_get("body")?;
                    let change = serde_json::from_str(&body).map_err(corrupt)?;
                    Ok(Urgent { change, count: row.try_get::<i64, _>("count")?.max(0) as u32 })
                })
                .collect()
        })
        .await
    }

    /// Puts reminder number `count` into the outbox, once.
    pub async fn remind(&self, row: &OutboxRow, count: u32, now: Timestamp) -> Result<()> {
        self.call("remind", async {
            let mut write = self.write().await?;
            let seq = write.next_outbox_seq().await?;
            write.put_outbox(row, seq, now).await?;
            sqlx::query(
                "UPDATE reminders SET count = $3, last_at = $4 WHERE sink = $1 AND alert = $2",
            )
            .bind(row.sink.clone())
            .bind(row.alert.to_string())
            .bind(i64::from(count))
            .bind(now.0)
            .execute(&mut *write.tx)
            .await?;
            write.commit().await
        })
        .await
    }

    /// Deletes what was delivered, withdrawn or told in a summary before `before`. Parked messages stay.
    pub async fn prune_outbox(&self, before: Timestamp) -> Result<u64> {
        self.call("prune_outbox", async {
            let mut write = self.write().await?;
            let gone = sqlx::query(
                "DELETE FROM outbox WHERE state IN ('delivered', 'withdrawn', 'summarised') AND done_at < $1",
            )
            .bind(before.0)
            .execute(&mut *write.tx)
            .await?
            .rows_affected();
            write.commit().await?;
            Ok(gone)
        })
        .await
    }

    /// Adds messages that no change stands behind (used by tests and announcements).
    pub async fn enqueue(&self, rows: &[OutboxRow]) -> Result<()> {
        self.call("enqueue", async {
            let now = Clock::house().steady();
            let mut write = self.write().await?;
            let mut seq = write.next_outbox_seq().await?;
            for row in rows {
                write.put_outbox(row, seq, now).await?;
                seq += 1;
            }
            write.commit().await
        })
        .await
    }
}

impl Write<'_> {
    pub(super) async fn next_outbox_seq(&mut self) -> Result<i64> {
        let row = sqlx::query("SELECT COALESCE(MAX(seq), 0) + 1 AS seq FROM outbox")
            .fetch_one(&mut *self.tx)
            .await?;
        Ok(row.try_get("seq")?)
    }

    pub(super) async fn put_outbox(
        &mut self,
        row: &OutboxRow,
        seq: i64,
        now: Timestamp,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO outbox (sink, id, seq, alert, level, state, body, received, created, attempts, next_at) \
             VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7, $8, 0, $8) ON CONFLICT (sink, id) DO NOTHING",
        )
        .bind(row.sink.clone())
        .bind(row.id.clone())
        .bind(seq)
        .bind(row.alert.to_string())
        .bind(row.level.name().to_owned())
        .bind(row.body.clone())
        .bind(row.received.0)
        .bind(now.0)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// From now on this sink is reminded of this alert while nobody takes it.
    pub(super) async fn begin_reminders(
        &mut self,
        sink: &str,
        alert: Uuid,
        now: Timestamp,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO reminders (sink, alert, count, last_at) VALUES ($1, $2, 0, $3) \
             ON CONFLICT (sink, alert) DO NOTHING",
        )
        .bind(sink.to_owned())
        .bind(alert.to_string())
        .bind(now.0)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }
}

pub(super) fn item(row: &AnyRow) -> Result<OutboxItem> {
    let alert: String = row.try_get("alert")?;
    let level: String = row.try_get("level")?;
    Ok(OutboxItem {
        sink: row.try_get("sink")?,
        id: row.try_get("id")?,
        alert: alert.parse().map_err(corrupt)?,
        level: Level::from_name(&level).ok_or_else(|| corrupt("level"))?,
        body: row.try_get("body")?,
        received: Timestamp(row.try_get("received")?),
        attempts: row.try_get::<i64, _>("attempts")?.clamp(0, i64::from(u32::MAX)) as u32,
        next_at: Timestamp(row.try_get("next_at")?),
        created: Timestamp(row.try_get("created")?),
        why: row.try_get("why")?,
    })
}
