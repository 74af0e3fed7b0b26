//! Checks of what stands outside the files: the credentials that feeds and sinks name.

use base64::Engine as _;

use super::Checker;
use crate::config::credential::{credential, credential_variable};
use crate::config::peers::SinkKind;
use crate::config::source::Problem;
use crate::config::types::Config;
use crate::config::units::Secret;

impl Config {
    /// Looks at every credential that feeds and sinks name: there, not empty, and, for a webhook's secret, of the
    /// form of Standard Webhooks. Values never stand in a problem's text.
    pub fn check_credentials(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = Checker { origin: &self.origin, problems: &mut problems };
        for (index, feed) in self.feeds.iter().enumerate() {
            if let Some(secret) = &feed.token {
                value_of(&format!("feed[{index}].token"), secret, false, &mut check);
            }
        }
        for (index, sink) in self.sinks.iter().enumerate() {
            if let Some(secret) = &sink.secret {
                let signs = sink.kind == SinkKind::Webhook;
                value_of(&format!("sink[{index}].secret"), secret, signs, &mut check);
            }
        }
        problems
    }
}

fn value_of(key: &str, secret: &Secret, signs: bool, check: &mut Checker) {
    let name = &secret.credential;
    let key = format!("{key}.credential");
    let variable = credential_variable(name);
    match credential(name) {
        Err(error) => check.no(
            &key,
            error.to_string(),
            "a credential that is set",
            &format!(
                "set `{variable}` in the environment, or `LoadCredential={name}:/path` in the unit"
            ),
        ),
        Ok(value) if signs && !is_webhook_secret(value.expose()) => check.no(
            &key,
            format!("credential `{name}` is no webhook secret (its value is not shown)"),
            "`whsec_` and 24 to 64 bytes in base64, as in Standard Webhooks",
            "make one: `echo whsec_$(head -c 32 /dev/urandom | base64)`",
        ),
        Ok(_) => {}
    }
}

fn is_webhook_secret(text: &str) -> bool {
    let key = text.strip_prefix("whsec_").unwrap_or_default();
    base64::engine::general_purpose::STANDARD
        .decode(key)
        .is_ok_and(|bytes| (24..=64).contains(&bytes.len()))
}
