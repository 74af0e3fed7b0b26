//! People's decisions, and who looked at evidence, in an append-only chain: each row is RFC 8785 canonical JSON that
//! holds the hash of the row before it, so that nothing in the middle can be changed, taken out or slipped in unseen.

use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use uuid::Uuid;

use super::{Result, Store, corrupt};
use crate::event::{Decision, Digest, Timestamp};

/// What the first row holds in place of a hash.
const NONE: &str = "";

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// From 1, without gaps.
    pub seq: u64,
    /// Canonical JSON: `seq`, `previous`, `decision` or `access`, `uid`.
    pub body: String,
    /// `sha256:<hex>` of `body`.
    pub hash: String,
}

/// What [`Store::verify_chain`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainReport {
    pub rows: u64,
    /// The first row that does not fit, and why.
    pub first_bad: Option<(u64, String)>,
    /// Hash of the last row; to be kept elsewhere, since a chain cannot tell that its end was cut off.
    pub head: Option<String>,
}

impl Store {
    /// Appends a decision. `uid` is the caller's on the Unix socket.
    pub async fn append_decision(&self, decision: &Decision, uid: Option<u32>) -> Result<AuditRow> {
        self.append(&decision.alert.to_string(), "decision", decision, uid).await
    }

    /// Appends that a piece of evidence was shown: by which road (`console`), at the daemon's clock.
    pub async fn append_access(
        &self,
        evidence: &Digest,
        road: &str,
        at: Timestamp,
    ) -> Result<AuditRow> {
        let access =
            serde_json::json!({ "evidence": evidence.to_string(), "road": road, "at": at });
        self.append(NONE, "access", &access, None).await
    }

    /// `alert` is empty where the row is about none.
    async fn append(
        &self,
        alert: &str,
        kind: &str,
        what: &impl serde::Serialize,
        uid: Option<u32>,
    ) -> Result<AuditRow> {
        let mut write = self.write().await?;
        let last = sqlx::query("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&mut *write.tx)
            .await?;
        let (seq, previous) = match last {
            Some(row) => (row.try_get::<i64, _>("seq")? + 1, row.try_get("hash")?),
            None => (1, NONE.to_owned()),
        };
        let body = serde_json::json!({
            "seq": seq, "previous": previous, kind: what, "uid": uid,
        });
        let body = serde_json_canonicalizer::to_string(&body).map_err(corrupt)?;
        let hash = hash_of(&body);
        sqlx::query(
            "INSERT INTO audit (seq, alert, previous, body, hash) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(seq)
        .bind(alert.to_owned())
        .bind(previous)
        .bind(body.clone())
        .bind(hash.clone())
        .execute(&mut *write.tx)
        .await?;
        write.commit().await?;
        Ok(AuditRow { seq: seq as u64, body, hash })
    }

    /// Decisions on an alert, oldest first.
    pub async fn decisions(&self, alert: Uuid) -> Result<Vec<AuditRow>> {
        let rows = sqlx::query("SELECT seq, body, hash FROM audit WHERE alert = $1 ORDER BY seq")
            .bind(alert.to_string())
            .fetch_all(&self.0.pool)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(AuditRow {
                    seq: row.try_get::<i64, _>("seq")?.max(0) as u64,
                    body: row.try_get("body")?,
                    hash: row.try_get("hash")?,
                })
            })
            .collect()
    }

    /// The number of the row that has this hash.
    pub async fn audit_row_of(&self, hash: &str) -> Result<Option<u64>> {
        let row = sqlx::query("SELECT seq FROM audit WHERE hash = $1")
            .bind(hash.to_owned())
            .fetch_optional(&self.0.pool)
            .await?;
        let seq = row.map(|row| row.try_get::<i64, _>("seq")).transpose()?;
        Ok(seq.map(|seq| seq.max(0) as u64))
    }

    /// Walks the whole chain.
    pub async fn verify_chain(&self) -> Result<ChainReport> {
        let mut report = ChainReport { rows: 0, first_bad: None, head: None };
        let mut previous = NONE.to_owned();
        loop {
            let rows = sqlx::query(
                "SELECT seq, alert, previous, body, hash FROM audit WHERE seq > $1 ORDER BY seq LIMIT 1000",
            )
            .bind(report.rows as i64)
            .fetch_all(&self.0.pool)
            .await?;
            if rows.is_empty() {
                return Ok(report);
            }
            for row in rows {
                let seq: i64 = row.try_get("seq")?;
                let (alert, linked, body, hash): (String, String, String, String) = (
                    row.try_get("alert")?,
                    row.try_get("previous")?,
                    row.try_get("body")?,
                    row.try_get("hash")?,
                );
                let bad =
                    fault(report.rows as i64 + 1, &previous, seq, &alert, &linked, &body, &hash);
                if let Some(bad) = bad {
                    report.first_bad = Some((seq.max(0) as u64, bad.to_owned()));
                    return Ok(report);
                }
                report.rows += 1;
                previous.clone_from(&hash);
                report.head = Some(hash);
            }
        }
    }
}

fn fault(
    expected: i64,
    previous: &str,
    seq: i64,
    alert: &str,
    linked: &str,
    body: &str,
    hash: &str,
) -> Option<&'static str> {
    if seq != expected {
        return Some("a row before it is missing");
    }
    if hash_of(body) != hash {
        return Some("its content does not have its hash");
    }
    let Ok(content) = serde_json::from_str::<serde_json::Value>(body) else {
        return Some("its content is no JSON");
    };
    if linked != previous || content["previous"] != previous {
        return Some("it does not follow the row before it");
    }
    let about = content["decision"]["alert"].as_str().unwrap_or_default();
    if content["seq"] != seq || about != alert {
        return Some("its columns are not what its content says");
    }
    None
}

fn hash_of(body: &str) -> String {
    Digest(Sha256::digest(body.as_bytes()).into()).to_string()
}
