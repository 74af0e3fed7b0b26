//! `vigie audit verify`: the chain of decisions and accesses, and the bytes of all evidence that is kept. Through the
//! daemon's socket if one runs, else on the state folder itself. It reads; nothing is mended.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::args::AuditArgs;
use super::{CliError, control, say, setup};
use crate::event::Digest;
use crate::evidence::{Evidence, Vault};
use crate::store::{Store, StoreError};

/// Digests that are read from the index at once.
const PAGE: usize = 500;
/// Broken pieces that are named; all are counted.
const NAMED: usize = 20;

/// What is asked for beside the whole.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Wanted {
    /// Hash of a row that must stand in the chain.
    pub head: Option<String>,
}

/// What was found.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    pub ok: bool,
    /// Rows of the chain that hold, from the first on.
    pub rows: u64,
    /// Hash of the last row that holds.
    pub head: Option<String>,
    /// The first row that does not hold.
    pub broken_row: Option<BrokenRow>,
    /// A hash was given and stands nowhere in the chain: its end was cut off, or it is another chain.
    pub head_missing: bool,
    /// Pieces of evidence that should be there.
    pub pieces: u64,
    pub bytes: u64,
    /// Of them those that are not what their digest says.
    pub broken: u64,
    /// The first of those.
    pub broken_pieces: Vec<BrokenPiece>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct BrokenRow {
    pub row: u64,
    pub why: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct BrokenPiece {
    pub digest: String,
    pub why: String,
    /// Alerts that cite it.
    pub alerts: Vec<String>,
}

/// The vault, of a running daemon or of the folder alone.
#[derive(Clone)]
pub enum Pieces {
    Daemon(Arc<Evidence>),
    Folder(Arc<Vault>),
}

impl Pieces {
    fn vault(&self) -> &Vault {
        match self {
            Pieces::Daemon(evidence) => evidence.vault(),
            Pieces::Folder(vault) => vault,
        }
    }

    /// Size of a piece whose bytes are its own, else what is wrong.
    fn look(&self, digest: &Digest) -> Result<u64, &'static str> {
        match (self.vault().get(digest), self.vault().size(digest)) {
            (Some(bytes), _) => Ok(bytes.len() as u64),
            (None, Some(_)) => Err("its bytes are not those that its digest names"),
            (None, None) => Err("its bytes are missing"),
        }
    }
}

/// Walks the chain and reads every piece.
pub async fn examine(
    store: &Store,
    pieces: &Pieces,
    wanted: &Wanted,
) -> Result<Report, StoreError> {
    let chain = store.verify_chain().await?;
    let mut report = Report {
        rows: chain.rows,
        head: chain.head,
        broken_row: chain.first_bad.map(|(row, why)| BrokenRow { row, why }),
        ..Report::default()
    };
    if let Some(head) = &wanted.head {
        report.head_missing = store.audit_row_of(head).await?.is_none();
    }
    let mut after = None;
    loop {
        let page = store.kept_digests(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        let reader = pieces.clone();
        let looked = tokio::task::spawn_blocking(move || {
            page.iter().map(|digest| (*digest, reader.look(digest))).collect::<Vec<_>>()
        });
        // The task neither panics nor is cancelled; a page that was not looked at is not counted.
        for (digest, found) in looked.await.unwrap_or_default() {
            match found {
                Ok(bytes) => {
                    report.pieces += 1;
                    report.bytes += bytes;
                }
                Err(why) => broken(store, &mut report, digest, why).await?,
            }
        }
    }
    report.ok = report.broken_row.is_none() && !report.head_missing && report.broken == 0;
    Ok(report)
}

/// A piece that was let go since its row was read is not broken.
async fn broken(
    store: &Store,
    report: &mut Report,
    digest: Digest,
    why: &str,
) -> Result<(), StoreError> {
    let mut rows = store.evidence(&digest).await?;
    rows.retain(|piece| piece.gone.is_none());
    if rows.is_empty() {
        return Ok(());
    }
    report.pieces += 1;
    report.broken += 1;
    if report.broken_pieces.len() < NAMED {
        let alerts = rows.iter().filter_map(|piece| Some(piece.row.alert?.to_string())).collect();
        let (digest, why) = (digest.to_string(), why.to_owned());
        report.broken_pieces.push(BrokenPiece { digest, why, alerts });
    }
    Ok(())
}

/// Exit 1 if anything is broken.
pub async fn verify(args: &AuditArgs) -> Result<(), CliError> {
    let config = setup::config(&args.config.config)?;
    if let Some(head) = args.head.as_deref().filter(|head| Digest::parse(head).is_none()) {
        return Err(CliError::Usage(format!(
            "--head {head}: expected `sha256:` and 64 hex digits"
        )));
    }
    let wanted = Wanted { head: args.head.clone() };
    let report = match control::connect(&config).await? {
        Some(stream) => {
            let query = wanted.head.map(|head| format!("?head={head}")).unwrap_or_default();
            let path = format!("/audit{query}");
            let (status, body) = control::request(stream, "GET", &path, Vec::new()).await?;
            if status != 200 {
                return Err(CliError::Runtime(control::detail(status, &body)));
            }
            serde_json::from_slice(&body).map_err(|e| CliError::Runtime(e.to_string()))?
        }
        None => {
            let store = control::open_store(&config).await?;
            let runtime = |error: &dyn std::fmt::Display| CliError::Runtime(error.to_string());
            let vault = Vault::open(&config.store.dir.join("evidence")).map_err(|e| runtime(&e))?;
            let pieces = Pieces::Folder(Arc::new(vault));
            let report = examine(&store, &pieces, &wanted).await.map_err(|e| runtime(&e))?;
            store.close().await;
            report
        }
    };
    let ok = report.ok;
    if args.json {
        // Strings and numbers under fixed names always serialise.
        say(serde_json::to_string(&report).unwrap_or_default())?;
    } else {
        say(told(&report, &config.store.dir, args.head.as_deref()))?;
    }
    if ok { Ok(()) } else { Err(CliError::Silent(1)) }
}

fn told(report: &Report, dir: &Path, head: Option<&str>) -> String {
    let mut lines = vec![format!("{}:", dir.display())];
    let mut row = |name: &str, what: String| lines.push(format!("  {name:<10} {what}"));
    match &report.broken_row {
        None => row("chain", format!("{} rows, unbroken", report.rows)),
        Some(BrokenRow { row: at, why }) => {
            row("chain", format!("BROKEN at row {at}: {why}; {} rows before it hold", report.rows));
        }
    }
    if let Some(head) = &report.head {
        row("head", format!("{head}; keep it elsewhere, and give it as --head the next time"));
    }
    if let Some(head) = head {
        row(
            "",
            match report.head_missing {
                true => {
                    format!("MISSING: no row has the hash {head}: the chain was cut or replaced")
                }
                false => "the head that you gave stands in the chain".to_owned(),
            },
        );
    }
    let mib = report.bytes as f64 / f64::from(1 << 20);
    let pieces = report.pieces;
    match report.broken {
        0 => row("evidence", format!("{pieces} pieces, {mib:.1} MiB, each as its digest says")),
        broken => row("evidence", format!("BROKEN: {broken} of {pieces} pieces")),
    }
    for piece in &report.broken_pieces {
        let cited = match piece.alerts.as_slice() {
            [] => String::new(),
            alerts => format!(" (alert {})", alerts.join(", ")),
        };
        row("", format!("{}: {}{cited}", piece.digest, piece.why));
    }
    lines.push(if report.ok { "ok".into() } else { "not ok".into() });
    lines.join("\n")
}
