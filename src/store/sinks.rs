//! The outbox as sinks see it beyond its order: what is held back for a storm's summary, what waits and what was given
//! up, and what was announced of them.

use std::collections::BTreeMap;

use sqlx::Row as _;
use uuid::Uuid;

use super::outbox::{COLUMNS, OutboxItem, item};
use super::{Result, Store, corrupt};
use crate::alert::{Change, OutboxRow};
use crate::event::Timestamp;

/// What the outbox holds for a sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// Messages that wait, those for a summary included.
    pub waiting: u64,
    /// Messages that were given up.
    pub parked: u64,
    /// The newest of these.
    pub last_parked: Option<OutboxItem>,
}

impl Store {
    /// Holds a message back: it will be told in a summary.
    pub async fn fold(&self, sink: &str, id: &str, at: Timestamp) -> Result<()> {
        self.call("fold", async {
            let mut write = self.write().await?;
            sqlx::query(
                "UPDATE outbox SET state = 'folded', done_at = $3 \
                 WHERE sink = $1 AND id = $2 AND state = 'pending'",
            )
            .bind(sink.to_owned())
            .bind(id.to_owned())
            .bind(at.0)
            .execute(&mut *write.tx)
            .await?;
            write.commit().await
        })
        .await
    }

    /// The alerts that wait for a sink's summary, as they stand now, in order of commit.
    pub async fn folded(&self, sink: &str, limit: usize) -> Result<Vec<Change>> {
        self.call("folded", async {
            let rows = sqlx::query(
                "SELECT a.body AS body FROM outbox o JOIN alerts a ON a.id = o.alert \
                 WHERE o.sink = $1 AND o.state = 'folded' ORDER BY o.seq LIMIT $2",
            )
            .bind(sink.to_owned())
            .bind(limit as i64)
            .fetch_all(&self.0.pool)
            .await?;
            rows.iter()
                .map(|row| {
                    let body: String = row.try_get("body")?;
                    serde_json::from_str(&body).map_err(corrupt)
                })
                .collect()
        })
        .await
    }

    /// Puts a summary into the outbox in place of the first messages of `alerts`, in one transaction.
    pub async fn summarise(&self, row: &OutboxRow, alerts: &[Uuid], now: Timestamp) -> Result<()> {
        self.call("summarise", async {
            let mut write = self.write().await?;
            let seq = write.next_outbox_seq().await?;
            write.put_outbox(row, seq, now).await?;
            for alert in alerts {
                sqlx::query(
                    "UPDATE outbox SET state = 'summarised', done_at = $3 \
                     WHERE sink = $1 AND id = $2 AND state = 'folded'",
                )
                .bind(row.sink.clone())
                .bind(format!("{alert}-1"))
                .bind(now.0)
                .execute(&mut *write.tx)
                .await?;
            }
            write.commit().await
        })
        .await
    }

    /// When the new alerts below `threat_to_life` were committed that a sink was told of, singly or not, in the
    /// `window` before now, or before the oldest that still waits.
    pub async fn openings(
        &self,
        sink: &str,
        now: Timestamp,
        window: std::time::Duration,
    ) -> Result<Vec<Timestamp>> {
        self.call("openings", async {
            let rows = sqlx::query(
                "SELECT created FROM outbox WHERE sink = $1 AND state IN ('delivered', 'folded', 'summarised') \
                 AND created > $3 + COALESCE((SELECT MIN(created) FROM outbox WHERE sink = $1 AND state = 'pending'), $2) AND level <> 'threat_to_life' AND id = alert || '-1' ORDER BY seq",
            )
            .bind(sink.to_owned())
            .bind(now.0)
            .bind(-super::millis(window))
            .fetch_all(&self.0.pool)
            .await?;
            rows.iter().map(|row| Ok(Timestamp(row.try_get("created")?))).collect()
        })
        .await
    }

    /// What the outbox holds, by sink.
    pub async fn outbox_counts(&self) -> Result<BTreeMap<String, OutboxCounts>> {
        self.call("outbox_counts", async {
            let rows = sqlx::query(
                "SELECT sink, state, COUNT(*) AS n FROM outbox \
                 WHERE state IN ('pending', 'folded', 'parked') GROUP BY sink, state",
            )
            .fetch_all(&self.0.pool)
            .await?;
            let mut all: BTreeMap<String, OutboxCounts> = BTreeMap::new();
            for row in &rows {
                let counts = all.entry(row.try_get("sink")?).or_default();
                let (state, n): (String, i64) = (row.try_get("state")?, row.try_get("n")?);
                let place =
                    if state == "parked" { &mut counts.parked } else { &mut counts.waiting };
                *place += n.unsigned_abs();
            }
            for (sink, counts) in all.iter_mut().filter(|(_, counts)| counts.parked > 0) {
                let row = sqlx::query(sqlx::AssertSqlSafe(format!(
                    "SELECT {COLUMNS} FROM outbox WHERE sink = $1 AND state = 'parked' \
                     ORDER BY done_at DESC, seq DESC LIMIT 1"
                )))
                .bind(sink.clone())
                .fetch_optional(&self.0.pool)
                .await?;
                counts.last_parked = row.as_ref().map(item).transpose()?;
            }
            Ok(all)
        })
        .await
    }

    /// Ids of what was announced of sinks, newest first, at most 1,000.
    pub async fn announcements(&self) -> Result<Vec<String>> {
        self.call("announcements", async {
            let rows =
                sqlx::query("SELECT id FROM outbox WHERE alert = $1 ORDER BY seq DESC LIMIT 1000")
                    .bind(Uuid::nil().to_string())
                    .fetch_all(&self.0.pool)
                    .await?;
            rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
        })
        .await
    }
}
