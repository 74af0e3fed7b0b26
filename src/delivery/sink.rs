//! One sink: takes an event's id and body, and tells whether it was accepted. Webhooks are signed as in Standard
//! Webhooks and never follow a redirect; files are appended and synced.

use std::io::{Read, Seek, SeekFrom, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use standardwebhooks::Webhook;

use super::backoff::retry_after;
use super::mirror::test_post;
use super::{
    DeliveryError, Outcome, Secret, SinkKind, SinkOptions, TestAnswer, Wire, test_event, tls,
};
use crate::evidence::wall_clock;

/// Bytes of an answer that are read, so that the connection can be used again.
const ANSWER: usize = 64 << 10;
/// Characters of an answer that a test shows.
const SHOWN: usize = 500;

/// A sink that can be sent to.
pub struct Sink {
    pub options: SinkOptions,
    /// What the `ca` file held.
    ca: Option<Vec<u8>>,
    way: Way,
}

enum Way {
    Webhook { client: reqwest::Client, url: Url, key: Box<Webhook> },
    Alertmanager { client: reqwest::Client, url: Url },
    File { path: PathBuf },
    Wire(Arc<dyn Wire>),
}

/// It was accepted.
pub(super) struct Accepted {
    pub status: Option<u16>,
    pub said: String,
}

/// It was not.
#[derive(Debug)]
pub(super) struct Failure {
    pub outcome: Outcome,
    pub status: Option<u16>,
    /// Without the address, which may hold a token, and without words of the answer.
    pub why: String,
    pub retry_after: Option<Duration>,
    pub said: String,
}

impl Sink {
    /// Checks the options and makes the client; sends nothing.
    pub fn new(options: SinkOptions) -> Result<Self, DeliveryError> {
        let ca = tls::read_ca(&options)?;
        let pem = ca.as_deref();
        let way = match &options.kind {
            SinkKind::Jsonl { path } => Way::File { path: path.clone() },
            SinkKind::Webhook { url, secret, timeout } => {
                let (url, loopback) = check_url(url, options.insecure, &options.name)?;
                let key = key(secret)
                    .ok_or_else(|| DeliveryError::Secret { sink: options.name.clone() })?;
                let client = client(&options, *timeout, loopback, pem)?;
                Way::Webhook { client, url, key: Box::new(key) }
            }
            SinkKind::Alertmanager { url, timeout, .. } => {
                let (mut url, loopback) = check_url(url, options.insecure, &options.name)?;
                let base = url.path().trim_end_matches('/');
                let path = format!("{}/api/v2/alerts", base.trim_end_matches("/api/v2/alerts"));
                url.set_path(&path);
                Way::Alertmanager { client: client(&options, *timeout, loopback, pem)?, url }
            }
        };
        Ok(Self { options, ca, way })
    }

    /// One whose receivers are at the other end of `wire`.
    pub(super) fn on(wire: Arc<dyn Wire>, options: SinkOptions) -> Self {
        Self { options, ca: None, way: Way::Wire(wire) }
    }

    /// Whether the other would do the very same.
    pub(super) fn is_like(&self, other: &Sink) -> bool {
        self.options == other.options && self.ca == other.ca
    }

    /// One attempt.
    pub(super) async fn send(&self, id: &str, body: &str) -> Result<Accepted, Failure> {
        match &self.way {
            Way::Webhook { client, url, key } => {
                let now = wall_clock();
                let signature = key
                    .sign(id, now.second(), body.as_bytes())
                    .map_err(|error| failure(Outcome::Unreachable, None, error.to_string()))?;
                let request = client
                    .post(url.clone())
                    .header(CONTENT_TYPE, "application/cloudevents+json")
                    .header(standardwebhooks::HEADER_WEBHOOK_ID, id)
                    .header(standardwebhooks::HEADER_WEBHOOK_TIMESTAMP, now.second())
                    .header(standardwebhooks::HEADER_WEBHOOK_SIGNATURE, signature);
                post(request.body(body.to_owned())).await
            }
            Way::Alertmanager { client, url } => {
                let request = client.post(url.clone()).header(CONTENT_TYPE, "application/json");
                post(request.body(body.to_owned())).await
            }
            Way::Wire(wire) => match wire.send(&self.options.name, id, body).await {
                Ok(()) => Ok(Accepted { status: None, said: String::new() }),
                Err((outcome, why)) => Err(failure(outcome, None, why)),
            },
            Way::File { path } => {
                let (path, line) = (path.clone(), body.to_owned());
                let done = tokio::task::spawn_blocking(move || append(&path, &line)).await;
                let why = match done {
                    Ok(Ok(())) => return Ok(Accepted { status: None, said: String::new() }),
                    Ok(Err(error)) => format!("the file cannot be written: {error}"),
                    Err(_) => "the write was broken off".into(),
                };
                Err(failure(Outcome::Unreachable, None, why))
            }
        }
    }

    /// Sends a marked test alert, once.
    pub async fn test(&self, source: &str) -> TestAnswer {
        let begun = Instant::now();
        let (id, body) = match self.options.kind.is_mirror() {
            true => (String::new(), test_post(source, wall_clock())),
            false => {
                let (id, event) = test_event(source, self.options.content, wall_clock());
                (id, event.to_string())
            }
        };
        let answer = self.send(&id, &body).await;
        let milliseconds = begun.elapsed().as_millis() as u64;
        match answer {
            Ok(Accepted { status, said }) => {
                TestAnswer { accepted: true, status, milliseconds, said }
            }
            Err(failure) => {
                let said = match failure.said.is_empty() {
                    true => failure.why,
                    false => format!("{}: {}", failure.why, failure.said),
                };
                TestAnswer { accepted: false, status: failure.status, milliseconds, said }
            }
        }
    }
}

pub(super) fn failure(outcome: Outcome, status: Option<u16>, why: String) -> Failure {
    Failure { outcome, status, why, retry_after: None, said: String::new() }
}

/// The address and whether it is this machine.
fn check_url(url: &str, insecure: bool, sink: &str) -> Result<(Url, bool), DeliveryError> {
    let bad = || DeliveryError::Url { sink: sink.to_owned(), url: url.to_owned() };
    let parsed = Url::parse(url).map_err(|_| bad())?;
    let host = parsed.host_str().ok_or_else(bad)?;
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let loopback = match address {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    };
    match parsed.scheme() {
        "https" => {}
        "http" if loopback || insecure => {}
        "http" => return Err(DeliveryError::PlainHttp { sink: sink.to_owned() }),
        _ => return Err(bad()),
    }
    Ok((parsed, loopback))
}

/// The signing key of a `whsec_…` secret.
fn key(secret: &Secret) -> Option<Webhook> {
    use base64::Engine as _;
    let text = secret.reveal().strip_prefix("whsec_")?;
    let key = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    Webhook::from_bytes(Some(key).filter(|key| (24..=64).contains(&key.len()))?).ok()
}

/// The one HTTP client of a sink: no redirects, and the whole answer within `timeout`.
fn client(
    options: &SinkOptions,
    timeout: Duration,
    loopback: bool,
    ca: Option<&[u8]>,
) -> Result<reqwest::Client, DeliveryError> {
    // A second call finds the provider installed, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(timeout)
        .user_agent(concat!("vigie/", env!("CARGO_PKG_VERSION")));
    if loopback {
        client = client.no_proxy();
    }
    if let Some(pem) = ca {
        client = client.tls_certs_only(tls::certificates(pem, options)?);
    }
    client.build().map_err(|source| DeliveryError::Client { sink: options.name.clone(), source })
}

async fn post(request: reqwest::RequestBuilder) -> Result<Accepted, Failure> {
    let now = wall_clock();
    let answer = request.send().await;
    let mut answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let why = match tls::trouble(&error) {
                _ if error.is_timeout() => "no answer in time".to_owned(),
                Some(trouble) => format!("TLS: {trouble}"),
                None => format!("no answer: {}", innermost(&error.without_url())),
            };
            return Err(failure(Outcome::Unreachable, None, why));
        }
    };
    let status = answer.status();
    let asked =
        answer.headers().get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, now));
    let mut said = Vec::new();
    // The status has decided; an answer that breaks off changes nothing.
    while said.len() < ANSWER
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        said.extend_from_slice(&chunk);
    }
    let said: String = String::from_utf8_lossy(&said).chars().take(SHOWN).collect();
    if status.is_success() {
        return Ok(Accepted { status: Some(status.as_u16()), said });
    }
    Err(Failure {
        outcome: Outcome::Refused,
        status: Some(status.as_u16()),
        why: format!("answered {status}"),
        retry_after: asked,
        said,
    })
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Appends one line and syncs it. A line that a crash cut off before is ended first.
fn append(path: &Path, line: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file =
        std::fs::OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let mut out = Vec::with_capacity(line.len() + 2);
    if file.seek(SeekFrom::End(0))? > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            out.push(b'\n');
        }
    }
    out.extend_from_slice(line.as_bytes());
    out.push(b'\n');
    file.write_all(&out)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        let ok = |url: &str, insecure| check_url(url, insecure, "s").is_ok();
        for url in
            ["http://127.0.0.1:1/x", "http://[::1]:1/", "http://localhost/", "https://a.test/"]
        {
            assert!(ok(url, false), "{url}");
        }
        for url in [
            "http://a.test/",
            "http://10.0.0.1/",
            "http://localhost.a.test/",
            "http://127.0.0.1.a.test/",
        ] {
            assert!(!ok(url, false), "{url}");
            assert!(ok(url, true), "{url}");
        }
        for url in ["ftp://127.0.0.1/", "nonsense", "file:///etc/passwd"] {
            assert!(!ok(url, true), "{url}");
        }
    }
}
