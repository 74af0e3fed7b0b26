//! What a running daemon can take over from a config that was read anew, and what waits for a restart.

use serde_json::Value;

use super::load::json;
use super::types::{Config, Limits};

impl Config {
    /// Puts back, as it is in `running`, what only a restart changes: addresses, language, state folder, bounds of
    /// evidence, models, capacities, retention. Gives the keys (`store.dir`) whose new value waits, in order.
    pub fn hold_back(&mut self, running: &Config) -> Vec<String> {
        let wanted = json(self);
        self.server = running.server.clone();
        self.store = running.store.clone();
        self.evidence = running.evidence.clone();
        self.models = running.models.clone();
        self.privacy = running.privacy.clone();
        let Limits { late, look_wait, look_every, look_burst, look_over, .. } = self.limits;
        let limits = running.limits.clone();
        self.limits = Limits { late, look_wait, look_every, look_burst, look_over, ..limits };
        let mut out = Vec::new();
        differing(&wanted, &json(self), "", &mut out);
        out
    }
}

/// Paths of the values that two trees of sections differ in.
fn differing(a: &Value, b: &Value, path: &str, out: &mut Vec<String>) {
    let (Value::Object(left), Value::Object(right)) = (a, b) else {
        if a != b {
            out.push(path.to_owned());
        }
        return;
    };
    let mut keys: Vec<&String> = left.keys().chain(right.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let none = Value::Null;
        differing(left.get(key).unwrap_or(&none), right.get(key).unwrap_or(&none), &path, out);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_needs_a_restart_is_named_and_put_back_and_the_rest_stays() {
        let read = |text: &str| Config::from_toml(text, Path::new("vigie.toml")).unwrap();
        let running = read("");
        let mut new = read(
            "[levels]\nconcern = 0.4\n[limits]\nlate = \"1m\"\nchat_queue = 7\n[store]\ndir = \"/elsewhere\"\n",
        );
        assert_eq!(new.hold_back(&running), ["limits.chat_queue", "store.dir"]);
        assert_eq!(new.store, running.store);
        assert_eq!(new.limits.chat_queue, running.limits.chat_queue);
        assert_eq!((new.levels.concern, new.limits.late.as_ms()), (0.4, 60_000));
        assert!(running.clone().hold_back(&running).is_empty());
    }
}
