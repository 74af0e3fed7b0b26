//! Lives of the daemon. Each has a steady clock of its own, begun at what the machine showed, and a machine's time may be
//! set between two lives. So ages that the store keeps are told anew when it is opened: the time in between is no age.

use std::time::Duration;

use sqlx::Row as _;

use super::checkpoint::GATHERED_MS;
use super::{Result, Store, Write};
use crate::event::Timestamp;
use crate::telemetry::Clock;

/// Where `meta` has the steady clock as last known, and the time that was believed.
const KNOWN: &str = "steady";
const BELIEVED: &str = "believed";

impl Store {
    /// A life begins: what waits for a sink is as old as it was when the last life was last heard of, and nobody is
    /// reminded later for a clock that was ahead. A store that cannot note it is of use all the same.
    pub(super) async fn begin_life(&self) {
        if let Err(error) = self.tell_ages_anew(Clock::house().steady()).await {
            tracing::warn!(%error, "the ages of what waits for a sink stand as the last run left them");
        }
    }

    /// The clock of this process goes on from what the last daemon believed: see [`Clock::believed`].
    pub async fn recall_clock(&self, leap: Duration) -> Result<()> {
        let known = self.call("recall_clock", async {
            let known = sqlx::query("SELECT value FROM meta WHERE name = $1")
                .bind(BELIEVED)
                .fetch_optional(&self.0.pool)
                .await?;
            Ok(known.map(|row| row.try_get::<String, _>("value")).transpose()?)
        });
        let known = known.await?.and_then(|known| known.parse().ok());
        Clock::house().recall(known.map(Timestamp), leap);
        Ok(())
    }

    async fn tell_ages_anew(&self, now: Timestamp) -> Result<()> {
        let mut write = self.write().await?;
        let known = sqlx::query("SELECT value FROM meta WHERE name = $1")
            .bind(KNOWN)
            .fetch_optional(&mut *write.tx)
            .await?;
        let known = known.map(|row| row.try_get::<String, _>("value")).transpose()?;
        if let Some(known) = known.and_then(|known| known.parse::<i64>().ok()) {
            // What was given up is shown by when that was.
            sqlx::query("UPDATE outbox SET created = created + $1, done_at = done_at + $1 WHERE state <> 'parked'")
                .bind(now.0.saturating_sub(known))
                .execute(&mut *write.tx)
                .await?;
        }
        for sql in [
            "UPDATE reminders SET last_at = $1 WHERE last_at > $1",
            "UPDATE alerts SET urgent_since = $1 WHERE urgent_since > $1",
        ] {
            sqlx::query(sql).bind(now.0).execute(&mut *write.tx).await?;
        }
        // What this life commits is never before the last one's checkpoint.
        sqlx::query(
            "UPDATE meta SET value = CAST($1 AS TEXT) WHERE name = 'saved' AND CAST(value AS BIGINT) > $1",
        )
        .bind(now.0.saturating_sub(GATHERED_MS))
        .execute(&mut *write.tx)
        .await?;
        write.note_steady(now).await?;
        write.commit().await
    }
}

impl Write<'_> {
    /// The steady clock goes into the store, for the next life.
    async fn note_steady(&mut self, now: Timestamp) -> Result<()> {
        self.put_meta(KNOWN, &now.0.to_string()).await
    }

    /// So does what is believed; for a daemon that has recalled it.
    pub(super) async fn note_clock(&mut self, now: Timestamp) -> Result<()> {
        self.note_steady(now).await?;
        self.put_meta(BELIEVED, &Clock::house().believed().0.to_string()).await
    }
}
