//! `vigie dossier`: the draft of an alert, from the daemon if it runs, else from the store itself.

use std::io::Write;

use tokio::net::UnixStream;

use super::args::{DossierArgs, DossierFormat};
use super::control::{self, SOCKET};
use super::draft::draft;
use super::setup::clock;
use super::{CliError, setup};
use crate::alert::words::LANGUAGES;
use crate::store::Store;

pub async fn run(args: &DossierArgs) -> Result<(), CliError> {
    let config = setup::config(&args.config.config)?;
    let lang = args.lang.as_deref().unwrap_or(config.server.language.code());
    if !LANGUAGES.contains(&lang) {
        return Err(CliError::Usage(format!(
            "--lang {lang}: dossiers are written in {}",
            LANGUAGES.join(" or ")
        )));
    }
    let format = match args.format {
        DossierFormat::Json => "json",
        DossierFormat::Html => "html",
        DossierFormat::Pdf => {
            let what = "PDF is not made by this version; take --format html and print it";
            return Err(CliError::Usage(what.into()));
        }
    };
    let text = match UnixStream::connect(config.store.dir.join(SOCKET)).await {
        Ok(stream) => {
            let path = format!("/dossier/{}?lang={lang}&format={format}", args.alert);
            let (status, bytes) = control::request(stream, "GET", &path, Vec::new()).await?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if status != 200 {
                return Err(CliError::Runtime(control::detail(status, &bytes)));
            }
            text
        }
        Err(_) => {
            let store = Store::open(&config.store.dir)
                .await
                .map_err(|e| CliError::Runtime(e.to_string()))?;
            let change = control::find(&store, &args.alert).await?;
            store.close().await;
            control::written(&draft(&config, &change, lang, clock()), format)
        }
    };
    match &args.output {
        Some(path) => std::fs::write(path, text)
            .map_err(|e| CliError::Runtime(format!("{}: {e}", path.display())))?,
        None => writeln!(std::io::stdout(), "{text}")?,
    }
    Ok(())
}
