//! The index of the vault: which alert or act cites which piece, what has expired; and sealed identities. The bytes
//! themselves are `evidence`'s.

use std::collections::HashSet;
use std::time::Duration;

use sqlx::Row as _;
use uuid::Uuid;

use super::{Result, Store, Write, corrupt, millis};
use crate::alert::Change;
use crate::event::{ChannelId, Digest, Level, Timestamp, UserKey};
use crate::evidence::{Evidence, EvidenceRow, believed, kind_named};

/// A row of the index, with what became of the bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct CitedPiece {
    pub row: EvidenceRow,
    /// Daemon's clock when it was kept.
    pub kept: Timestamp,
    /// Daemon's clock when its bytes were deleted: shown as expired.
    pub gone: Option<Timestamp>,
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Pieces deleted from the vault.
    pub deleted: u64,
    /// Bytes in the vault now.
    pub vault_bytes: u64,
    /// Bytes over the cap that only cited evidence holds: a store that is full of it is degraded.
    pub over: u64,
}

/// How long what concerns people is kept.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// A channel's state after it was last saved.
    pub channels: Duration,
    /// The names of an alert's persons after it ended.
    pub cited: Duration,
}

const COLUMNS: &str = "digest, alert, act, channel, kind, at, bytes, rank, kept, gone";

impl Store {
    /// Writes index rows outside a change (acts). Rows that are there stay.
    pub async fn put_evidence(&self, rows: &[EvidenceRow]) -> Result<()> {
        self.call("put_evidence", async {
            if rows.is_empty() {
                return Ok(());
            }
            let now = believed();
            let mut write = self.write().await?;
            for row in rows {
                write.put_evidence(row, now).await?;
            }
            write.commit().await
        })
        .await
    }

    /// Who cites a digest.
    pub async fn evidence(&self, digest: &Digest) -> Result<Vec<CitedPiece>> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM evidence WHERE digest = $1 ORDER BY kept, alert, act"
        )))
        .bind(digest.to_string())
        .fetch_all(&self.0.pool)
        .await?;
        rows.iter().map(piece).collect()
    }

    /// Digests of pieces that are kept, in order, after `after`; at most `limit`.
    pub async fn kept_digests(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<Digest>> {
        let rows = sqlx::query(
            "SELECT DISTINCT digest FROM evidence WHERE gone IS NULL AND digest > $1 ORDER BY digest LIMIT $2",
        )
        .bind(after.map(Digest::to_string).unwrap_or_default())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.0.pool)
        .await?;
        let digest = |row: &sqlx::any::AnyRow| {
            let text: String = row.try_get("digest")?;
            Digest::parse(&text).ok_or_else(|| corrupt("a digest"))
        };
        rows.iter().map(digest).collect()
    }

    /// What an alert cites, oldest first.
    pub async fn cited_by(&self, alert: Uuid) -> Result<Vec<CitedPiece>> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM evidence WHERE alert = $1 ORDER BY at, digest"
        )))
        .bind(alert.to_string())
        .fetch_all(&self.0.pool)
        .await?;
        rows.iter().map(piece).collect()
    }

    /// Deletes what has outlived its retention, then, over the cap, the oldest packs of the lowest level, then the
    /// looks of the oldest acts down to one picture. What an alert cites never goes by the cap.
    pub async fn sweep(&self, evidence: &Evidence, now: Timestamp) -> Result<Swept> {
        self.call("sweep", async {
            let options = evidence.options();
            let mut swept = Swept::default();
            let old = self.expired(now, millis(options.acts), millis(options.cited)).await?;
            swept.deleted += self.let_go(evidence, &old, now).await?;
            swept.vault_bytes = self.vault_bytes().await?;
            swept.over = evidence.trim(now, swept.vault_bytes);
            if swept.over > 0 {
                let spare = self.spare_looks(swept.over).await?;
                swept.deleted += self.let_go(evidence, &spare, now).await?;
                swept.vault_bytes = self.vault_bytes().await?;
                swept.over = evidence.trim(now, swept.vault_bytes);
            }
            Ok(swept)
        })
        .await
    }

    async fn vault_bytes(&self) -> Result<u64> {
        let row = sqlx::query(
            "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS n FROM \
             (SELECT digest, MAX(bytes) AS bytes FROM evidence WHERE gone IS NULL GROUP BY digest) AS pieces",
        )
        .fetch_one(&self.0.pool)
        .await?;
        Ok(row.try_get::<i64, _>("n")?.max(0) as u64)
    }

    /// Rows past their time, as (digest, alert, act).
    async fn expired(&self, now: Timestamp, acts: i64, cited: i64) -> Result<Vec<[String; 3]>> {
        let rows = sqlx::query(
            "SELECT e.digest AS digest, e.alert AS alert, e.act AS act FROM evidence e \
             LEFT JOIN alerts a ON a.id = e.alert WHERE e.gone IS NULL AND \
             ((e.alert = '' AND e.kept < $1) OR (e.alert <> '' AND a.ended_clock < $2)) LIMIT 10000",
        )
        .bind(now.0.saturating_sub(acts))
        .bind(now.0.saturating_sub(cited))
        .fetch_all(&self.0.pool)
        .await?;
        rows.iter().map(key).collect()
    }

    /// Pictures of acts beyond the first of each look, oldest first, that no alert cites, until `bytes` are found.
    async fn spare_looks(&self, bytes: u64) -> Result<Vec<[String; 3]>> {
        let rows = sqlx::query(
            "SELECT e.digest AS digest, e.alert AS alert, e.act AS act, e.bytes AS bytes FROM evidence e \
             WHERE e.gone IS NULL AND e.alert = '' AND e.kind = 'frame' \
             AND EXISTS (SELECT 1 FROM evidence f WHERE f.act = e.act AND f.kind = 'frame' AND f.alert = '' \
             AND f.gone IS NULL AND (f.at < e.at OR (f.at = e.at AND f.digest < e.digest))) \
             AND NOT EXISTS (SELECT 1 FROM evidence c WHERE c.digest = e.digest AND c.alert <> '' \
             AND c.gone IS NULL) ORDER BY e.kept, e.at LIMIT 10000",
        )
        .fetch_all(&self.0.pool)
        .await?;
        let mut out = Vec::new();
        let mut found = 0;
        for row in &rows {
            if found >= bytes {
                break;
            }
            found += row.try_get::<i64, _>("bytes")?.max(0) as u64;
            out.push(key(row)?);
        }
        Ok(out)
    }

    /// Marks rows as gone, and deletes the bytes that no row cites any more.
    async fn let_go(
        &self,
        evidence: &Evidence,
        rows: &[[String; 3]],
        now: Timestamp,
    ) -> Result<u64> {
        if rows.is_empty() {
            return Ok(0);
        }
        let mut free = Vec::new();
        let mut write = self.write().await?;
        for [digest, alert, act] in rows {
            sqlx::query(
                "UPDATE evidence SET gone = $4 WHERE digest = $1 AND alert = $2 AND act = $3",
            )
            .bind(digest.clone())
            .bind(alert.clone())
            .bind(act.clone())
            .bind(now.0)
            .execute(&mut *write.tx)
            .await?;
            let cited =
                sqlx::query("SELECT 1 AS one FROM evidence WHERE digest = $1 AND gone IS NULL")
                    .bind(digest.clone())
                    .fetch_optional(&mut *write.tx)
                    .await?;
            if cited.is_none() {
                free.push(Digest::parse(digest).ok_or_else(|| corrupt("a digest"))?);
            }
        }
        write.commit().await?;
        for digest in &free {
            evidence.vault().remove(digest)?;
        }
        Ok(free.len() as u64)
    }

    /// Keeps sealed identities, each until then at least; one that is there stays, for the longer of both times.
    pub async fn put_identities(&self, identities: &[(UserKey, Vec<u8>, Timestamp)]) -> Result<()> {
        self.call("put_identities", async {
            if identities.is_empty() {
                return Ok(());
            }
            let now = believed();
            let mut write = self.write().await?;
            for (key, sealed, until) in identities {
                sqlx::query(
                    "INSERT INTO identities (user_key, sealed, stored, until) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (user_key) DO UPDATE SET until = excluded.until \
                     WHERE identities.until < excluded.until",
                )
                .bind(key.hex())
                .bind(sealed.clone())
                .bind(now.0)
                .bind(until.0)
                .execute(&mut *write.tx)
                .await?;
            }
            write.commit().await
        })
        .await
    }

    /// Removes names whose time is over, but for persons of alerts that are kept, and states of channels that nothing
    /// came of for too long. Returns how many of each.
    pub async fn prune_people(&self, keep: &Keep, now: Timestamp) -> Result<(u64, u64)> {
        self.call("prune_people", self.let_people_go(keep, now)).await
    }

    async fn let_people_go(&self, keep: &Keep, now: Timestamp) -> Result<(u64, u64)> {
        let old = now.0.saturating_sub(millis(keep.channels));
        let mut write = self.write().await?;
        let channels = sqlx::query("DELETE FROM channel_state WHERE saved > 0 AND saved < $1")
            .bind(old)
            .execute(&mut *write.tx)
            .await?
            .rows_affected();
        write.commit().await?;
        let due = sqlx::query("SELECT user_key FROM identities WHERE until < $1 LIMIT 10000")
            .bind(now.0)
            .fetch_all(&self.0.pool)
            .await?;
        if due.is_empty() {
            return Ok((0, channels));
        }
        let named = self.persons(now.0.saturating_sub(millis(keep.cited))).await?;
        let mut write = self.write().await?;
        let mut gone = 0;
        for row in due {
            let key: String = row.try_get("user_key")?;
            if !named.contains(&key) {
                sqlx::query("DELETE FROM identities WHERE user_key = $1")
                    .bind(key)
                    .execute(&mut *write.tx)
                    .await?;
                gone += 1;
            }
        }
        write.commit().await?;
        Ok((gone, channels))
    }

    /// Keys of the persons of alerts that have not ended before `since`.
    async fn persons(&self, since: i64) -> Result<HashSet<String>> {
        let rows =
            sqlx::query("SELECT body FROM alerts WHERE ended_clock IS NULL OR ended_clock >= $1")
                .bind(since)
                .fetch_all(&self.0.pool)
                .await?;
        let mut out = HashSet::new();
        for row in rows {
            let body: String = row.try_get("body")?;
            let change: Change = serde_json::from_str(&body).map_err(corrupt)?;
            out.extend(change.facts.persons.iter().map(|person| person.user.hex()));
        }
        Ok(out)
    }

    /// A sealed identity.
    pub async fn identity(&self, key: &UserKey) -> Result<Option<Vec<u8>>> {
        let row = sqlx::query("SELECT sealed FROM identities WHERE user_key = $1")
            .bind(key.hex())
            .fetch_optional(&self.0.pool)
            .await?;
        Ok(row.map(|row| row.try_get("sealed")).transpose()?)
    }
}

impl Write<'_> {
    pub(super) async fn put_evidence(&mut self, row: &EvidenceRow, now: Timestamp) -> Result<()> {
        sqlx::query(
            "INSERT INTO evidence (digest, alert, act, channel, kind, at, bytes, rank, kept) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (digest, alert, act) DO UPDATE SET gone = NULL, kept = excluded.kept \
             WHERE evidence.gone IS NOT NULL",
        )
        .bind(row.digest.to_string())
        .bind(row.alert.map_or_else(String::new, |alert| alert.to_string()))
        .bind(row.act.map_or_else(String::new, |act| act.to_string()))
        .bind(row.channel.as_str().to_owned())
        .bind(row.kind.name().to_owned())
        .bind(row.at.0)
        .bind(i64::try_from(row.bytes).unwrap_or(i64::MAX))
        .bind(row.level as i64)
        .bind(now.0)
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }
}

fn key(row: &sqlx::any::AnyRow) -> Result<[String; 3]> {
    Ok([row.try_get("digest")?, row.try_get("alert")?, row.try_get("act")?])
}

fn piece(row: &sqlx::any::AnyRow) -> Result<CitedPiece> {
    let [digest, alert, act] = key(row)?;
    let channel: String = row.try_get("channel")?;
    let kind: String = row.try_get("kind")?;
    let rank: i64 = row.try_get("rank")?;
    let optional = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(CitedPiece {
        row: EvidenceRow {
            digest: Digest::parse(&digest).ok_or_else(|| corrupt("a digest"))?,
            alert: optional(&alert).map(|alert| alert.parse()).transpose().map_err(corrupt)?,
            act: optional(&act).and_then(|act| Digest::parse(&act)),
            channel: ChannelId::new(&channel),
            kind: kind_named(&kind).ok_or_else(|| corrupt("a kind of evidence"))?,
            at: Timestamp(row.try_get("at")?),
            bytes: row.try_get::<i64, _>("bytes")?.max(0) as u64,
            level: usize::try_from(rank)
                .ok()
                .and_then(|rank| Level::ALL.get(rank).copied())
                .ok_or_else(|| corrupt("a level"))?,
        },
        kept: Timestamp(row.try_get("kept")?),
        gone: row.try_get::<Option<i64>, _>("gone")?.map(Timestamp),
    })
}
