//! Whether the house is well: rooms say how their part is, `/readyz` reads it. Holds names of feeds, sinks and
//! the channels that the config asks for; no personal data.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use serde::Serialize;

/// How a part is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Nothing has been tried yet.
    #[default]
    Starting,
    Up,
    /// It works in part, or is being tried again; why, in a sentence without personal data.
    Degraded(String),
    /// It does not work at all; why.
    Down(String),
}

impl Status {
    fn trouble(&self) -> Option<&str> {
        match self {
            Status::Starting => Some("starting"),
            Status::Up => None,
            Status::Degraded(why) | Status::Down(why) => Some(why),
        }
    }
}

/// A part of the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component<'a> {
    Store,
    Models,
    /// The machine's time against what is believed of it.
    Clock,
    /// The config on disk against the one in force.
    Config,
    Feed(&'a str),
    Sink(&'a str),
}

struct Parts {
    store: Status,
    models: Status,
    clock: Status,
    config: Status,
    feeds: BTreeMap<String, (Status, Vec<String>)>,
    sinks: BTreeMap<String, Status>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            store: Status::Starting,
            models: Status::Starting,
            clock: Status::Up,
            config: Status::Up,
            feeds: BTreeMap::new(),
            sinks: BTreeMap::new(),
        }
    }
}

/// Handle to the state of health; cheap to clone.
#[derive(Clone, Default)]
pub struct Health(Arc<RwLock<Parts>>);

/// Answer of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ready {
    /// 200 if true, else 503.
    pub ok: bool,
    /// In a few words: `ready`, `starting`, or what stops alerts.
    pub summary: String,
    /// Everything that is not as it should be, also when `ok`.
    pub degraded: Vec<Degraded>,
}

/// A part that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Degraded {
    /// `store`, `models`, `clock`, `config`, `feed` or `sink`.
    pub component: &'static str,
    /// Name of the feed or sink; empty for the others.
    pub name: String,
    pub reason: String,
    /// Channels that are not watched for this reason, as the config names them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unwatched: Vec<String>,
}

impl Health {
    pub fn new() -> Self {
        Self::default()
    }

    /// Names a feed and the channels it is asked for; it counts as not yet tried.
    pub fn declare_feed(&self, name: &str, channels: &[String]) {
        self.0.write().feeds.insert(name.to_owned(), (Status::Starting, channels.to_vec()));
    }

    /// Names a sink; it counts as well until an attempt fails.
    pub fn declare_sink(&self, name: &str) {
        self.0.write().sinks.insert(name.to_owned(), Status::Up);
    }

    /// Says how a part is. For a feed anything but `Starting` means that it was tried; a feed or sink that was
    /// not declared (or was forgotten) is let be.
    pub fn set(&self, component: Component, status: Status) {
        let mut parts = self.0.write();
        match component {
            Component::Store => parts.store = status,
            Component::Models => parts.models = status,
            Component::Clock => parts.clock = status,
            Component::Config => parts.config = status,
            Component::Feed(name) => {
                if let Some(feed) = parts.feeds.get_mut(name) {
                    feed.0 = status;
                }
            }
            Component::Sink(name) => {
                if let Some(sink) = parts.sinks.get_mut(name) {
                    *sink = status;
                }
            }
        }
    }

    /// Removes a feed or sink that a reload took away.
    pub fn forget(&self, component: Component) {
        let mut parts = self.0.write();
        match component {
            Component::Store | Component::Models | Component::Clock | Component::Config => {}
            Component::Feed(name) => drop(parts.feeds.remove(name)),
            Component::Sink(name) => drop(parts.sinks.remove(name)),
        }
    }

    /// How a part is; `Starting` for one that is not known.
    pub fn status(&self, component: Component) -> Status {
        let parts = self.0.read();
        match component {
            Component::Store => parts.store.clone(),
            Component::Models => parts.models.clone(),
            Component::Clock => parts.clock.clone(),
            Component::Config => parts.config.clone(),
            Component::Feed(name) => {
                parts.feeds.get(name).map(|feed| feed.0.clone()).unwrap_or_default()
            }
            Component::Sink(name) => parts.sinks.get(name).cloned().unwrap_or_default(),
        }
    }

    /// Ready when store and models are up, if only in part, and every feed was tried; a feed or sink that fails is
    /// told but does not make the house unready: alerts can still be raised and stored.
    pub fn ready(&self) -> Ready {
        let parts = self.0.read();
        let mut degraded = Vec::new();
        let mut add = |component, name: &str, status: &Status, unwatched: &[String]| {
            if let Some(reason) = status.trouble() {
                degraded.push(Degraded {
                    component,
                    name: name.to_owned(),
                    reason: reason.to_owned(),
                    unwatched: unwatched.to_vec(),
                });
            }
        };
        add("store", "", &parts.store, &[]);
        add("models", "", &parts.models, &[]);
        add("clock", "", &parts.clock, &[]);
        add("config", "", &parts.config, &[]);
        for (name, (status, channels)) in &parts.feeds {
            let up_in_part = matches!(status, Status::Degraded(_));
            add("feed", name, status, if up_in_part { &[] } else { channels });
        }
        for (name, status) in &parts.sinks {
            add("sink", name, status, &[]);
        }
        let core = [("store", &parts.store), ("models", &parts.models)];
        let down = core.iter().find_map(|(name, status)| match status {
            Status::Down(why) => Some(format!("no alert can be raised or stored: {name}: {why}")),
            _ => None,
        });
        let starting = core.iter().any(|(_, status)| **status == Status::Starting)
            || parts.feeds.values().any(|(status, _)| *status == Status::Starting);
        let summary = match (down, starting) {
            (Some(why), _) => why,
            (None, true) => "starting".to_owned(),
            (None, false) => "ready".to_owned(),
        };
        Ready { ok: summary == "ready", summary, degraded }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> Health {
        let health = Health::new();
        health.declare_feed("platform", &["*".to_owned()]);
        health.declare_sink("team");
        health.set(Component::Store, Status::Up);
        health.set(Component::Models, Status::Up);
        health
    }

    #[test]
    fn is_ready_once_every_feed_was_tried_even_in_vain() {
        let health = well();
        assert!(!health.ready().ok);
        assert_eq!(health.ready().summary, "starting");
        health.set(Component::Feed("platform"), Status::Down("refused".into()));
        let ready = health.ready();
        assert!(ready.ok);
        assert_eq!(ready.degraded.len(), 1);
        assert_eq!(ready.degraded[0].unwatched, ["*"]);
        health.set(Component::Feed("platform"), Status::Up);
        assert_eq!(health.ready(), Ready { ok: true, summary: "ready".into(), degraded: vec![] });
    }

    #[test]
    fn is_not_ready_when_no_alert_could_be_stored_and_is_when_the_store_limps() {
        let health = well();
        health.set(Component::Feed("platform"), Status::Up);
        health.set(Component::Store, Status::Degraded("full of what alerts cite".into()));
        assert!(health.ready().ok);
        assert_eq!(health.ready().degraded[0].component, "store");
        health.set(Component::Store, Status::Down("disk is read-only".into()));
        assert!(!health.ready().ok);
        assert!(health.ready().summary.contains("disk is read-only"));
    }

    #[test]
    fn a_failing_sink_is_told_and_a_forgotten_one_is_not() {
        let health = well();
        health.set(Component::Feed("platform"), Status::Up);
        health.set(Component::Sink("team"), Status::Down("500".into()));
        assert!(health.ready().ok);
        assert_eq!(health.ready().degraded[0].name, "team");
        health.forget(Component::Sink("team"));
        health.set(Component::Sink("team"), Status::Down("500".into()));
        assert!(health.ready().degraded.is_empty());
    }
}
