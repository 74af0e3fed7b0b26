//! `vigie dossier`: the draft of an alert, from the daemon if it runs, else from the store itself.

use std::io::Write;
use std::path::Path;

use super::args::{DossierArgs, DossierFormat};
use super::control;
use super::draft::draft;
use super::setup::clock;
use super::{CliError, say, setup};

pub async fn run(args: &DossierArgs) -> Result<(), CliError> {
    let config = setup::config(&args.config.config)?;
    let lang = args.lang.as_deref().unwrap_or(config.server.language.code());
    let is_id = |c: char| c.is_ascii_hexdigit() || c == '-';
    if args.alert.is_empty() || !args.alert.chars().all(is_id) {
        return Err(CliError::Usage(format!("`{}` is no alert's id", args.alert)));
    }
    let format = match args.format {
        DossierFormat::Json => "json",
        DossierFormat::Html => "html",
        DossierFormat::Pdf => {
            let what = "PDF is not made by this version; take --format html and print it";
            return Err(CliError::Usage(what.into()));
        }
    };
    let text = match control::connect(&config).await? {
        Some(stream) => {
            let path = format!("/dossier/{}?lang={lang}&format={format}", args.alert);
            let (status, bytes) = control::request(stream, "GET", &path, Vec::new()).await?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if status != 200 {
                return Err(CliError::Runtime(control::detail(status, &bytes)));
            }
            text
        }
        None => {
            let store = control::open_store(&config).await?;
            let change = control::find(&store, &args.alert).await?;
            store.close().await;
            control::written(&draft(&config, &change, lang, clock()), format)
        }
    };
    match &args.output {
        Some(path) => {
            save(path, &text).map_err(|e| CliError::Runtime(format!("{}: {e}", path.display())))
        }
        None => say(text),
    }
}

/// Only its owner may read it: a dossier is about people.
fn save(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
