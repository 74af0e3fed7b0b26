//! The `store` room: alerts, decisions, outbox, checkpoints, evidence index and audit chain in SQL, and the journal
//! beside them. It keeps and finds; what the kept things mean is other rooms' business. Writes are transactions that
//! are on disk when the call returns.

mod alerts;
mod apart;
mod audit;
mod ballast;
mod checkpoint;
mod evidence;
pub mod journal;
mod life;
mod lock;
mod outbox;
mod sinks;
mod timeline;
mod trouble;
mod unsaved;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{
    Any, AnyConnection, AnyPool, ConnectOptions as _, Connection as _, Executor as _, Row as _,
};

pub use alerts::{AlertFilter, AlertPage, Commit, Stored};
pub use apart::{Apart, Plan, When};
pub use audit::{AuditRow, ChainReport};
pub use ballast::{BALLAST, Ballast};
pub use checkpoint::{Asleep, ChannelState, Checkpoint, FeedMark};
pub use evidence::{CitedPiece, Keep, Swept};
pub use lock::FolderLock;
pub use outbox::{OutboxItem, Urgent};
pub use sinks::OutboxCounts;
pub use timeline::Sample;
pub use trouble::Trouble;
pub use unsaved::{Noted, Unsaved};

use crate::telemetry::Faults;

/// What the store cannot do, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "the state folder {dir} is in use by {holder}; stop that one first, or talk to it by its socket"
    )]
    Locked { dir: PathBuf, holder: String },
    #[error("state folder: {path}: {source}; check that it exists, is writable and has room")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("the database {path} cannot be opened: {source}")]
    Open { path: PathBuf, source: sqlx::Error },
    #[error("the database {path} does not fit this version: {source}")]
    Migrate { path: PathBuf, source: sqlx::migrate::MigrateError },
    #[error("database: {0}")]
    Sql(#[from] sqlx::Error),
    #[error("the store holds something unreadable: {what}")]
    Corrupt { what: String },
    #[error(transparent)]
    Evidence(#[from] crate::evidence::EvidenceError),
}

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What holds for every connection. Two seconds of waiting for another program's lock, then it is told.
const PRAGMAS: [&str; 3] =
    ["PRAGMA busy_timeout = 2000", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"];

/// The store of one state folder; cheap to clone. The folder stays locked until the last clone is dropped.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    pool: AnyPool,
    /// SQLite has one writer: waiting here is fair and quick, where its own busy loop sleeps.
    writer: tokio::sync::Mutex<()>,
    dir: PathBuf,
    faults: Faults,
    apart: Option<Apart>,
    _lock: FolderLock,
}

impl Store {
    /// Opens `<dir>/vigie.db`, making folder and tables if needed, and locks the folder.
    pub async fn open(dir: &Path) -> Result<Self> {
        Self::open_with(dir, Faults::from_env()).await
    }

    /// [`Store::open`] with faults at its steps; for tests.
    pub async fn open_with(dir: &Path, faults: Faults) -> Result<Self> {
        Self::opened(dir, faults, None).await
    }

    /// [`Store::open`] of a simulated house.
    pub async fn open_apart(dir: &Path, apart: Apart) -> Result<Self> {
        apart.whole(Self::opened(dir, Faults::default(), Some(apart.clone())))
    }

    async fn opened(dir: &Path, faults: Faults, apart: Option<Apart>) -> Result<Self> {
        let io = |source| StoreError::Io { path: dir.to_path_buf(), source };
        std::fs::create_dir_all(dir).map_err(io)?;
        let dir = dir.canonicalize().map_err(io)?;
        let lock = FolderLock::take(&dir)?;
        let path = dir.join("vigie.db");
        let open = |source| StoreError::Open { path: path.clone(), source };
        sqlx::any::install_default_drivers();
        let options: AnyConnectOptions = sqlite_url(&path)?.parse().map_err(open)?;
        let options = options.disable_statement_logging();
        // The pool would try a database that cannot be opened again and again; one connection tells what is wrong.
        let mut first = AnyConnection::connect_with(&options).await.map_err(open)?;
        for pragma in PRAGMAS {
            first.execute(pragma).await.map_err(open)?;
        }
        first.close().await.map_err(open)?;
        let pool = AnyPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(30))
            .after_connect(|connection, _| {
                Box::pin(async move {
                    for pragma in PRAGMAS {
                        connection.execute(pragma).await?;
                    }
                    Ok(())
                })
            })
            .connect_with(options)
            .await
            .map_err(open)?;
        sqlx::migrate!("src/store/migrations")
            .run(&pool)
            .await
            .map_err(|source| StoreError::Migrate { path: path.clone(), source })?;
        let writer = tokio::sync::Mutex::new(());
        let store = Self(Arc::new(Inner { pool, writer, dir, faults, apart, _lock: lock }));
        store.begin_life().await;
        Ok(store)
    }

    /// The state folder.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// A named step of whoever uses the store: see [`Faults`].
    pub fn step(&self, step: &'static str) -> Result<()> {
        self.0.faults.at(step).map_err(|error| sqlx::Error::Io(error).into())
    }

    /// True while the database answers; for readiness.
    pub async fn alive(&self) -> bool {
        sqlx::query("SELECT 1").execute(&self.0.pool).await.is_ok()
    }

    /// Reads the whole database and tells the first thing that is wrong with it. Takes as long as reading it takes.
    pub async fn check(&self) -> Result<Option<String>> {
        let row = sqlx::query("PRAGMA quick_check(1)").fetch_one(&self.0.pool).await?;
        let said: String = row.try_get(0)?;
        Ok((said != "ok").then_some(said))
    }

    /// Closes all connections. What was committed stays; calls after it fail.
    pub async fn close(&self) {
        self.0.pool.close().await;
    }

    /// Does the work of one call: as it comes, or as the simulation has it.
    async fn call<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let Some(apart) = &self.0.apart else { return work.await };
        apart.at(what, When::Before).await.map_err(sqlx::Error::Io)?;
        let out = apart.whole(work)?;
        apart.at(what, When::After).await.map_err(sqlx::Error::Io)?;
        Ok(out)
    }

    /// A write transaction. Committed as a whole, or not at all if the value is dropped before.
    async fn write(&self) -> Result<Write<'_>> {
        let guard = self.0.writer.lock().await;
        let mut write = Write { tx: self.0.pool.acquire().await?, done: false, _guard: guard };
        write.tx.execute("BEGIN IMMEDIATE").await?;
        Ok(write)
    }
}

/// A connection within a transaction. One that is not committed is closed, which undoes it: after some errors, of a full
/// disk for one, SQLite has ended the transaction by itself, and what state the connection is in is hard to tell.
struct Write<'a> {
    tx: PoolConnection<Any>,
    done: bool,
    _guard: tokio::sync::MutexGuard<'a, ()>,
}

impl Write<'_> {
    async fn commit(mut self) -> Result<()> {
        self.tx.execute("COMMIT").await?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.tx.close_on_drop();
        }
    }
}

/// The URL of a database file; bytes that a URL gives a meaning are escaped.
fn sqlite_url(path: &Path) -> Result<String> {
    let text = path.to_str().ok_or_else(|| StoreError::Io {
        path: path.to_path_buf(),
        source: std::io::Error::other("the path is not UTF-8"),
    })?;
    let mut url = String::from("sqlite://");
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
            url.push(byte as char);
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url.push_str("?mode=rwc");
    Ok(url)
}

fn corrupt(what: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt { what: what.to_string() }
}

/// Milliseconds of a duration, as times are kept.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
