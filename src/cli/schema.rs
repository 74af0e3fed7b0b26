//! `vigie schema`: the shapes that others build against. The schema of events stands beside this file, that of alerts
//! in their room; tests
//! hold real events and alerts to them.

use serde_json::{Value, json};

use super::args::SchemaOf;
use super::{CliError, say};
use crate::config::Config;
use crate::event::SIGNALS;

const EVENT: &str = include_str!("schema/event.json");

pub fn run(of: SchemaOf) -> Result<(), CliError> {
    say(format_args!("{:#}", schema(of)))
}

fn schema(of: SchemaOf) -> Value {
    match of {
        SchemaOf::Config => Config::schema(),
        // Constants of ours, read by the tests below.
        SchemaOf::Event => serde_json::from_str(EVENT).unwrap_or_default(),
        SchemaOf::Alert => crate::alert::schema(),
        SchemaOf::Signals => json!(SIGNALS.as_slice()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Alert;
    use crate::event::{ChannelId, Timestamp};

    #[test]
    fn the_alert_schema_names_exactly_the_fields_that_alerts_have() {
        let alert =
            Alert::blank(uuid::Uuid::nil(), ChannelId::new("k:1"), Timestamp(1_755_460_800_000));
        let alert = serde_json::to_value(alert).unwrap();
        let schema = schema(SchemaOf::Alert);
        let mut told: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        let mut real: Vec<&String> = alert.as_object().unwrap().keys().collect();
        told.sort();
        real.sort();
        assert_eq!(told, real);
    }

    #[test]
    fn the_event_schema_names_every_type_and_signals_are_all_listed() {
        let schema = schema(SchemaOf::Event);
        let told = schema["properties"]["type"]["enum"].as_array().unwrap();
        for kind in crate::event::Kind::ALL {
            assert!(told.contains(&json!(kind.name())), "{}", kind.name());
        }
        let signals = super::schema(SchemaOf::Signals);
        assert_eq!(signals.as_array().unwrap().len(), SIGNALS.len());
        assert_eq!(signals[0]["kind"], "harm");
    }
}
