//! The draft dossier of a stored alert: what the page, the API and `vigie dossier` all show.

use crate::alert::dossier::{self, Dossier, Preservation, Provider, Source};
use crate::alert::{Change, Words};
use crate::config::{Config, Role};
use crate::event::Timestamp;

/// Who runs this Vigie, as the dossier tells it.
pub fn provider(config: &Config) -> Provider {
    let told = &config.provider;
    let size = told.size.and_then(|size| serde_json::to_value(size).ok());
    Provider {
        name: told.name.clone(),
        address: told.address.clone(),
        establishment: told.establishment.clone(),
        legal_representative: told.legal_representative.clone(),
        contact_point: told.contact_point.clone(),
        duty_phone: told.duty_phone.clone(),
        size: size.and_then(|s| s.as_str().map(str::to_owned)).unwrap_or_default(),
        role: match told.role {
            Role::Provider => dossier::Role::Provider,
            Role::Observer => dossier::Role::Observer,
        },
    }
}

/// IANA name of the machine's zone; UTC where it has none.
pub fn zone() -> String {
    jiff::tz::TimeZone::system().iana_name().unwrap_or("UTC").to_owned()
}

/// The draft of an alert as it stands, in `fr` or `en`, made at `now`.
pub fn draft(config: &Config, change: &Change, lang: &str, now: Timestamp) -> Dossier {
    let cited_days = (config.evidence.cited.as_ms() / 86_400_000) as u32;
    Dossier::new(
        &Source {
            alert: &change.alert,
            facts: &change.facts,
            provider: &provider(config),
            authorities: &config.authorities.list.0,
            now,
            zone: &zone(),
            preservation: &Preservation { cited_days, ..Preservation::default() },
            opened: &[],
            calls: &[],
        },
        &Words::new(lang),
    )
}
