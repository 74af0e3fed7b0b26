//! Samples of channels' signals for the page's chart: a day behind each channel's newest one.

use sqlx::Row as _;

use super::{Result, Store, corrupt};
use crate::event::{ChannelId, Level, Timestamp};
use crate::evidence::believed;

/// How much of a channel is kept behind its newest sample, in milliseconds.
const KEEP_MS: i64 = 24 * 3_600_000;
/// A channel that is heard no more is forgotten after this, by the daemon's clock, in milliseconds.
const IDLE_MS: i64 = 7 * KEEP_MS;

/// A channel's signals at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub channel: ChannelId,
    /// Channel time.
    pub at: Timestamp,
    pub level: Level,
    /// Signal name and value; what has no value is left out.
    pub signals: Vec<(String, f32)>,
}

impl Store {
    /// Keeps samples; one of the same channel and time replaces the earlier.
    pub async fn put_samples(&self, samples: &[Sample]) -> Result<()> {
        self.call("put_samples", async {
            if samples.is_empty() {
                return Ok(());
            }
            let now = believed();
            let mut write = self.write().await?;
            for sample in samples {
                sqlx::query(
                    "INSERT INTO samples (channel, at, level, signals, stored) VALUES ($1, $2, $3, $4, $5) \
                     ON CONFLICT (channel, at) DO UPDATE SET level = excluded.level, signals = excluded.signals, \
                     stored = excluded.stored",
                )
                .bind(sample.channel.as_str().to_owned())
                .bind(sample.at.0)
                .bind(sample.level.name().to_owned())
                .bind(serde_json::to_string(&sample.signals).map_err(corrupt)?)
                .bind(now.0)
                .execute(&mut *write.tx)
                .await?;
                sqlx::query("DELETE FROM samples WHERE channel = $1 AND at < $2")
                    .bind(sample.channel.as_str().to_owned())
                    .bind(sample.at.0.saturating_sub(KEEP_MS))
                    .execute(&mut *write.tx)
                    .await?;
            }
            sqlx::query("DELETE FROM samples WHERE stored < $1")
                .bind(now.0.saturating_sub(IDLE_MS))
                .execute(&mut *write.tx)
                .await?;
            write.commit().await
        })
        .await
    }

    /// A channel's samples from `from` to `to` inclusive, oldest first, at most 2,880.
    pub async fn timeline(
        &self,
        channel: &ChannelId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Sample>> {
        let rows = sqlx::query(
            "SELECT at, level, signals FROM samples WHERE channel = $1 AND at >= $2 AND at <= $3 \
             ORDER BY at LIMIT 2880",
        )
        .bind(channel.as_str().to_owned())
        .bind(from.0)
        .bind(to.0)
        .fetch_all(&self.0.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let (level, signals): (String, String) =
                    (row.try_get("level")?, row.try_get("signals")?);
                Ok(Sample {
                    channel: channel.clone(),
                    at: Timestamp(row.try_get("at")?),
                    level: Level::from_name(&level).ok_or_else(|| corrupt("level"))?,
                    signals: serde_json::from_str(&signals).map_err(corrupt)?,
                })
            })
            .collect()
    }
}
