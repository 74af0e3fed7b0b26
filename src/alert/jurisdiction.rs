//! Which Member States an alert concerns, how that is known, and which authority of theirs takes the notification.
//! In: the stream's country, the provider, the table of authorities. Out: a [`Jurisdiction`]. Language is never a
//! basis: French is spoken in five Member States and far beyond them.

use super::data::Jurisdiction;
pub use crate::config::Authority;

/// The 27 Member States, ISO 3166-1 alpha-2 (Greece is `GR`; the Union's own `EL` is read as the same).
pub const MEMBER_STATES: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT",
    "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// Territories with an ISO code of their own that are part of a Member State, and their state.
const PARTS_OF_STATES: [(&str, &str); 9] = [
    ("EL", "GR"),
    ("GP", "FR"),
    ("MQ", "FR"),
    ("GF", "FR"),
    ("RE", "FR"),
    ("YT", "FR"),
    ("MF", "FR"),
    ("AX", "FI"),
    ("IC", "ES"),
];

/// Value of [`Jurisdiction::basis`]: the platform says that the stream is made in that state.
pub const BASIS_STREAM: &str = "stream country";
/// Value of [`Jurisdiction::basis`]: no state is identifiable, so the provider's own (Article 18(2)).
pub const BASIS_PROVIDER: &str = "provider establishment";
/// Value of [`Jurisdiction::basis`]: no state is known at all; Europol (Article 18(2)).
pub const BASIS_NONE: &str = "none";

/// `code` of the entry that stands for Europol.
pub const EUROPOL: &str = "europol";

/// The Member State that a country code belongs to, if it is one of the 27 or a part of one.
pub fn member_state(country: &str) -> Option<&'static str> {
    let code = country.trim().to_ascii_uppercase();
    let code =
        PARTS_OF_STATES.iter().find(|(part, _)| *part == code).map_or(&*code, |(_, state)| state);
    MEMBER_STATES.into_iter().find(|state| *state == code)
}

/// The first entry of that state, or of Europol for `EU`.
pub fn authority_of<'a>(authorities: &'a [Authority], country: &str) -> Option<&'a Authority> {
    authorities.iter().find(|entry| entry.country.eq_ignore_ascii_case(country))
}

/// Europol's entry.
pub fn europol(authorities: &[Authority]) -> Option<&Authority> {
    authorities
        .iter()
        .find(|entry| entry.code == EUROPOL)
        .or_else(|| authority_of(authorities, "EU"))
}

/// Decides which states are concerned. `stream_country` is what the platform says of where the stream is made;
/// `establishment` is the provider's country (empty: not known). A state without an entry in the table is still
/// concerned: the dossier is addressed to it, with its contact to be filled in.
pub fn jurisdiction(
    stream_country: Option<&str>,
    establishment: &str,
    authorities: &[Authority],
) -> Jurisdiction {
    let of = |state: &str| authority_of(authorities, state).map(|entry| entry.code.clone());
    if let Some(state) = stream_country.and_then(member_state) {
        return Jurisdiction {
            member_states: vec![state.to_owned()],
            basis: BASIS_STREAM.to_owned(),
            authority: of(state),
        };
    }
    if let Some(state) = member_state(establishment) {
        return Jurisdiction {
            member_states: vec![state.to_owned()],
            basis: BASIS_PROVIDER.to_owned(),
            authority: of(state).or_else(|| europol(authorities).map(|entry| entry.code.clone())),
        };
    }
    Jurisdiction {
        member_states: Vec::new(),
        basis: BASIS_NONE.to_owned(),
        authority: europol(authorities).map(|entry| entry.code.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<Authority> {
        ["fr-pharos:FR", "ie-garda:IE", "europol:EU"]
            .into_iter()
            .map(|entry| {
                let (code, country) = entry.split_once(':').unwrap();
                Authority {
                    code: code.into(),
                    country: country.into(),
                    name: None,
                    name_local: None,
                    channel: None,
                    contact: None,
                    languages: Vec::new(),
                    emergency_number: "112".into(),
                    source: None,
                    verified_on: None,
                }
            })
            .collect()
    }

    #[test]
    fn the_stream_country_decides_if_it_is_a_member_state() {
        let found = jurisdiction(Some("fr"), "IE", &table());
        assert_eq!(found.member_states, ["FR"]);
        assert_eq!(found.basis, BASIS_STREAM);
        assert_eq!(found.authority.as_deref(), Some("fr-pharos"));
        assert_eq!(jurisdiction(Some("RE"), "", &table()).member_states, ["FR"]);
        assert_eq!(jurisdiction(Some("EL"), "", &table()).member_states, ["GR"]);
    }

    #[test]
    fn outside_the_union_the_provider_decides_and_else_europol() {
        let found = jurisdiction(Some("US"), "IE", &table());
        assert_eq!((found.member_states[0].as_str(), &*found.basis), ("IE", BASIS_PROVIDER));
        let found = jurisdiction(None, "AU", &table());
        assert!(found.member_states.is_empty());
        assert_eq!(found.basis, BASIS_NONE);
        assert_eq!(found.authority.as_deref(), Some("europol"));
    }

    #[test]
    fn a_state_without_an_entry_is_still_concerned() {
        let found = jurisdiction(Some("DE"), "IE", &table());
        assert_eq!(found.member_states, ["DE"]);
        assert_eq!(found.authority, None);
    }
}
