//! Checkpoints: each channel's state as opaque bytes, each feed's cursor, second and window of repeats, donations whose
//! twins may come, and the config's digest, moved on together in one transaction.

use sqlx::Row as _;

use super::{Result, Store, Write};
use crate::event::{ChannelId, Setting};
use crate::evidence::believed;
use crate::telemetry::Clock;

/// How long the states of a checkpoint may have been on their way to it, in milliseconds.
pub(super) const GATHERED_MS: i64 = 600_000;

/// States that go into the store with one statement: what a statement costs beside its rows is more than a row.
const ROWS: usize = 64;

/// How far a feed was handled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedMark {
    pub feed: String,
    pub cursor: Option<String>,
    /// Hashes of the last events, for dropping repeats.
    pub seen: Vec<u64>,
    /// The newest whole second of the feed's events, where its times are data.
    pub second: Option<i64>,
}

/// A channel's state as saved, with what must be known of it while only the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelState {
    pub channel: ChannelId,
    pub state: Vec<u8>,
    /// Time alone may change it, so that it belongs into memory from the start.
    pub awake: bool,
    /// From its last `stream` event.
    pub setting: Setting,
    pub language: Option<String>,
    /// How many gaps of whole feeds had been told: the state knows of them.
    pub gaps: u64,
}

/// A channel of which only the store has the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asleep {
    pub channel: ChannelId,
    pub setting: Setting,
    pub language: Option<String>,
}

/// What changed since the last one, to be saved; or, when loaded, all of it but the states of channels asleep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    pub channels: Vec<ChannelState>,
    /// Empty when saved.
    pub asleep: Vec<Asleep>,
    /// Channels to forget; empty when loaded.
    pub removed: Vec<ChannelId>,
    pub feeds: Vec<FeedMark>,
    /// Donations whose twins may still come, in a form that is the saver's own; none: as saved before.
    pub donations: Option<String>,
    /// The last gaps of whole feeds, in a form that is the saver's own; none: as saved before.
    pub gaps: Option<String>,
    /// Digest of the config it was made under; empty if there was none.
    pub config: String,
}

impl Store {
    /// Saves what changed, in one transaction: the given channels and feeds replace what was saved of them, others
    /// stay.
    pub async fn save_checkpoint(&self, checkpoint: &Checkpoint) -> Result<()> {
        self.commit(&[], Some(checkpoint)).await
    }

    /// The saved state of one channel.
    pub async fn channel_state(&self, channel: &ChannelId) -> Result<Option<Vec<u8>>> {
        Ok(self.sleeper(channel).await?.map(|(state, _)| state))
    }

    /// The saved state of one channel, and how many gaps of whole feeds it knows of.
    pub async fn sleeper(&self, channel: &ChannelId) -> Result<Option<(Vec<u8>, u64)>> {
        self.call("channel_state", async {
            let row = sqlx::query("SELECT state, gaps FROM channel_state WHERE channel = $1")
                .bind(channel.as_str().to_owned())
                .fetch_optional(&self.0.pool)
                .await?;
            let Some(row) = row else { return Ok(None) };
            Ok(Some((row.try_get("state")?, row.try_get::<i64, _>("gaps")?.max(0) as u64)))
        })
        .await
    }

    /// All that was saved, but the states of channels asleep: [`Store::channel_state`] brings those one by one. A part
    /// that cannot be read is left out and named in the log: what it held is told again by feeds that resume.
    pub async fn load_checkpoint(&self) -> Result<Checkpoint> {
        self.call("load_checkpoint", async {
            let mut out = Checkpoint::default();
            let mut tx = self.0.pool.begin().await?;
            let rows = sqlx::query(
                "SELECT channel, CASE WHEN awake = 1 THEN state END AS state, setting, language, gaps \
                 FROM channel_state ORDER BY channel",
            )
            .fetch_all(&mut *tx)
            .await?;
            for row in rows {
                let channel = ChannelId::new(&row.try_get::<String, _>("channel")?);
                let setting: String = row.try_get("setting")?;
                let setting = Setting::ALL.into_iter().find(|known| known.name() == setting);
                let (setting, language) = (setting.unwrap_or_default(), row.try_get("language")?);
                match row.try_get::<Option<Vec<u8>>, _>("state")? {
                    Some(state) => {
                        let awake = true;
                        let gaps = row.try_get::<i64, _>("gaps")?.max(0) as u64;
                        out.channels.push(ChannelState {
                            channel,
                            state,
                            awake,
                            setting,
                            language,
                            gaps,
                        });
                    }
                    None => out.asleep.push(Asleep { channel, setting, language }),
                }
            }
            let rows =
                sqlx::query("SELECT feed, resume, seen, second FROM feed_marks ORDER BY feed")
                    .fetch_all(&mut *tx)
                    .await?;
            for row in rows {
                let feed: String = row.try_get("feed")?;
                let seen: Vec<u8> = row.try_get("seen")?;
                if !seen.len().is_multiple_of(8) {
                    tracing::error!(
                        feed,
                        "a feed's window of repeats cannot be read; the feed starts anew"
                    );
                    continue;
                }
                let seen = seen.chunks_exact(8).map(|word| {
                    // `chunks_exact` gives eight bytes each.
                    u64::from_le_bytes(word.try_into().unwrap_or_default())
                });
                out.feeds.push(FeedMark {
                    feed,
                    cursor: row.try_get("resume")?,
                    seen: seen.collect(),
                    second: row.try_get("second")?,
                });
            }
            let row = sqlx::query("SELECT value FROM meta WHERE name = 'donations'")
                .fetch_optional(&mut *tx)
                .await?;
            out.donations = row.map(|row| row.try_get("value")).transpose()?;
            let row = sqlx::query("SELECT value FROM meta WHERE name = 'gaps'")
                .fetch_optional(&mut *tx)
                .await?;
            out.gaps = row.map(|row| row.try_get("value")).transpose()?;
            let row = sqlx::query("SELECT value FROM meta WHERE name = 'config'")
                .fetch_optional(&mut *tx)
                .await?;
            out.config = row.map(|row| row.try_get("value")).transpose()?.unwrap_or_default();
            Ok(out)
        })
        .await
    }
}

impl Write<'_> {
    pub(super) async fn put_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let now = believed();
        for channels in checkpoint.channels.chunks(ROWS) {
            let row = |n: usize| {
                let places: Vec<String> =
                    (7 * n + 1..=7 * n + 7).map(|n| format!("${n}")).collect();
                format!("({})", places.join(", "))
            };
            let rows: Vec<String> = (0..channels.len()).map(row).collect();
            let mut query = sqlx::query(sqlx::AssertSqlSafe(format!(
                "INSERT INTO channel_state (channel, state, awake, setting, language, saved, gaps) \
                 VALUES {} ON CONFLICT (channel) DO UPDATE SET \
                 state = excluded.state, awake = excluded.awake, setting = excluded.setting, \
                 language = excluded.language, saved = excluded.saved, gaps = excluded.gaps",
                rows.join(", ")
            )));
            for saved in channels {
                query = query
                    .bind(saved.channel.as_str().to_owned())
                    .bind(saved.state.clone())
                    .bind(i64::from(saved.awake))
                    .bind(saved.setting.name())
                    .bind(saved.language.clone())
                    .bind(now.0)
                    .bind(i64::try_from(saved.gaps).unwrap_or(i64::MAX));
            }
            query.execute(&mut *self.tx).await?;
        }
        for channel in &checkpoint.removed {
            sqlx::query("DELETE FROM channel_state WHERE channel = $1")
                .bind(channel.as_str().to_owned())
                .execute(&mut *self.tx)
                .await?;
        }
        for mark in &checkpoint.feeds {
            let seen: Vec<u8> = mark.seen.iter().flat_map(|hash| hash.to_le_bytes()).collect();
            sqlx::query(
                "INSERT INTO feed_marks (feed, resume, seen, second) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (feed) DO UPDATE SET resume = excluded.resume, seen = excluded.seen, \
                 second = excluded.second",
            )
            .bind(mark.feed.clone())
            .bind(mark.cursor.clone())
            .bind(seen)
            .bind(mark.second)
            .execute(&mut *self.tx)
            .await?;
        }
        if let Some(donations) = &checkpoint.donations {
            self.put_meta("donations", donations).await?;
        }
        if let Some(gaps) = &checkpoint.gaps {
            self.put_meta("gaps", gaps).await?;
        }
        let steady = Clock::house().steady();
        self.note_clock(steady).await?;
        // A little before: what was committed while the states were gathered may not be in them.
        self.put_meta("saved", &steady.plus_ms(-GATHERED_MS).0.to_string()).await?;
        if !checkpoint.config.is_empty() {
            self.put_meta("config", &checkpoint.config).await?;
        }
        Ok(())
    }

    pub(super) async fn put_meta(&mut self, name: &str, value: &str) -> Result<()> {
        sqlx::query(
            "INSERT INTO meta (name, value) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(name.to_owned())
        .bind(value.to_owned())
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }
}
