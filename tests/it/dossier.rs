//! The draft dossier: what it must say, what it must not make up, in both languages and both roles.

use super::console::fake::{Fake, authorities, provider};
use vigie::alert::dossier::{Preservation, Provider, Role, Source, Style};
use vigie::alert::{Dossier, Words, jurisdiction};

#[test]
fn it_says_draft_and_names_what_is_not_known() {
    let fake = Fake::new("en");
    for (lang, marking, victim) in [
        ("en", "DRAFT, not sent", "The identity of the victim."),
        ("fr", "PROJET, non envoyé", "L&#39;identité de la victime."),
    ] {
        let dossier = fake.dossier_in(lang, Role::Provider);
        let html = dossier.to_html(Style::Embedded);
        // On the screen, in the head that print repeats, and in the margin of each page.
        assert!(html.matches(marking).count() >= 4, "{lang}");
        assert!(html.contains("position: fixed") && html.contains("@page"), "{lang}");
        assert!(html.contains(victim), "{lang}");
        for code in [
            "victim",
            "victim_place",
            "suspect",
            "suspect_place",
            "exact_place",
            "sound",
            "persons_identity",
            "emergency_call",
        ] {
            assert!(dossier.unknown.iter().any(|u| u.code == code), "{lang}: {code}");
        }
        assert!(!dossier.unknown.iter().any(|u| u.code == "country"));
        assert!(html.contains("112"));
    }
}

#[test]
fn it_holds_every_element_that_the_daemon_can_know() {
    let fake = Fake::new("en");
    let dossier = fake.dossier_in("en", Role::Provider);
    let html = dossier.to_html(Style::Linked("/assets/dossier.css"));
    for told in [
        // provider, reference, time with offset and UTC
        "Exemple Live SAS",
        "autorites@exemple.test",
        "VIGIE-6f1de3a0-6c2b-5d0e-9c39-3f1f5a8f2c11-4",
        "18 August 2025, 00:16:00 (UTC+02:00)",
        "2025-08-17T22:16:00.000Z",
        // basis, tense, offences, explanation
        "Article 18 of Regulation (EU) 2022/2065",
        "suspected to be taking place",
        "violence against a person",
        "5 different people wrote within 2 minutes that someone is in danger",
        "chat.distress_voices.2m",
        "2 people",
        "42%",
        // against, persons, place
        "22% of the messages in the last minute laugh",
        "possible victim",
        "suspected offender",
        "asked or paid for acts",
        "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
        "held encrypted; opened on confirmation",
        "€55",
        "Country as the platform tells it",
        // states, authority
        "France</strong>: the platform tells this country",
        "PHAROS",
        "https://www.internet-signalement.gouv.fr",
        "Nobody has verified this contact yet",
        // content
        "https://kick.test/le_salon",
        "<code>4242</code>",
        "298 hours",
        "14,210",
        "appelez le 15",
        // money, acts, measures, preservation, gaps, models
        "42 donations",
        "€610",
        "3.4 times",
        "25.00 EUR",
        "violence 81%",
        "no picture was received after it",
        "Paid requests for acts came on 11 days of the last 90.",
        "reinstate",
        "interrupt the stream",
        "180 days after",
        "Nothing was received from",
        "chat@0.1.0",
        &fake.change.alert.config,
    ] {
        assert!(html.contains(told), "{told}");
    }
    for item in &fake.change.alert.evidence {
        assert!(html.contains(&item.digest.hex()));
    }
    // Bytes kept are what the digests name: each item of a reason is numbered in the list.
    let first = &dossier.reasons[0];
    assert_eq!(first.items.len(), first.evidence.len());
}

#[test]
fn pictures_have_names_stand_behind_a_click_and_an_expired_one_is_not_asked_for() {
    let fake = Fake::new("en");
    let pictures: Vec<_> = fake
        .change
        .alert
        .evidence
        .iter()
        .filter(|item| item.kind == vigie::alert::EvidenceKind::Frame)
        .map(|item| item.digest)
        .collect();
    let dossier = fake.dossier_in("en", Role::Provider);
    let named = dossier.content.items.iter().find(|item| item.kind.code == "frame").expect("one");
    assert!(named.name.starts_with("Picture 1, taken at "), "{}", named.name);
    assert!(named.name.ends_with(&named.at.local[11..19]), "local time: {}", named.name);
    let page = dossier.to_html(Style::Linked("/assets/dossier.css"));
    // Cited by name in the reasons and beside the act, with a link to the item.
    let link = format!("<a href=\"#item-{}\">{}</a>", named.number, named.name);
    assert!(page.matches(&link).count() >= 1, "{link}");
    let closed = "<details class=\"pic\"><summary>";
    assert_eq!(page.matches(closed).count(), pictures.len(), "each picture behind a click");
    assert!(page.contains(&format!("src=\"/api/v1/evidence/{}\"", pictures[0])));
    // A file that stands alone asks nobody for pictures; it links to where they are kept.
    let alone = dossier.to_html(Style::Embedded);
    assert!(!alone.contains("<img") && alone.contains(&named.href));
    let french = fake.dossier_in("fr", Role::Provider);
    assert!(french.content.items.iter().any(|item| item.name.starts_with("Image 1, prise à ")));
    // What has expired is named and not shown.
    let (provider, table) = (provider(Role::Provider), authorities());
    let source = Source {
        alert: &fake.change.alert,
        facts: &fake.change.facts,
        provider: &provider,
        authorities: &table,
        now: fake.change.alert.updated_at,
        zone: "",
        preservation: &Preservation { expired: pictures, ..Preservation::default() },
        opened: &[],
        calls: &[],
    };
    let dossier = Dossier::new(&source, &Words::new("en"));
    let page = dossier.to_html(Style::Linked("/assets/dossier.css"));
    assert!(!page.contains("<img") && page.contains("expired"));
}

#[test]
fn it_goes_to_json_and_back() {
    let dossier = Fake::new("fr").dossier_in("fr", Role::Provider);
    let json = dossier.to_json();
    assert_eq!(json["schema"], "vigie.dossier/1");
    assert_eq!(json["status"], "draft");
    assert_eq!(json["made_at"]["local"], "2025-08-18T00:16:00+02:00");
    assert!(json["confirmed"].is_null());
    let back: Dossier = serde_json::from_value(json).unwrap();
    assert_eq!(back, dossier);
}

#[test]
fn an_observer_owes_nothing_under_article_18_and_the_words_say_so() {
    let dossier = Fake::new("fr").dossier_in("fr", Role::Observer);
    assert!(dossier.legal_basis.words.contains("n'est pas tenu par l'article 18"));
    assert!(dossier.legal_basis.words.contains("article 16"));
    assert!(!dossier.title.contains("Notification d'un soupçon"));
}

/// With nothing known but the channel, nothing is made up.
#[test]
fn nothing_is_invented() {
    let mut fake = Fake::new("en");
    let alert = &mut fake.change.alert;
    alert.url = None;
    alert.language = Some("fr".into());
    alert.jurisdiction = jurisdiction(None, "", &authorities());
    alert.suspected_offences.clear();
    alert.coverage.frames = false;
    fake.change.facts = Default::default();
    let source = Source {
        alert: &fake.change.alert,
        facts: &fake.change.facts,
        provider: &Provider::default(),
        authorities: &[],
        now: fake.change.alert.updated_at,
        zone: "",
        preservation: &Preservation::default(),
        opened: &[],
        calls: &[],
    };
    let dossier = Dossier::new(&source, &Words::new("en"));
    // A stream in French is no French case.
    assert!(dossier.member_states.is_empty());
    assert_eq!(dossier.addressees.len(), 1);
    assert_eq!(dossier.addressees[0].country, "EU");
    assert!(dossier.addressees[0].contact.value.is_none());
    assert!(dossier.addressees[0].contact.words.contains("to be filled in"));
    assert!(dossier.jurisdiction_words.contains("not identifiable with reasonable certainty"));
    for code in ["country", "url", "started_at", "pictures", "provider", "offence"] {
        assert!(dossier.unknown.iter().any(|u| u.code == code), "{code}");
    }
    assert!(dossier.provider.name.value.is_none());
    assert_eq!(dossier.place.words, "not known");
    assert!(!dossier.to_html(Style::Embedded).contains("France"));
}

#[test]
fn a_state_without_a_contact_is_still_addressed_with_a_copy_to_europol() {
    let mut fake = Fake::new("en");
    fake.change.alert.jurisdiction = jurisdiction(Some("DE"), "FR", &authorities());
    let provider = provider(Role::Provider);
    let table = authorities();
    let source = Source {
        alert: &fake.change.alert,
        facts: &fake.change.facts,
        provider: &provider,
        authorities: &table,
        now: fake.change.alert.updated_at,
        zone: "",
        preservation: &Preservation::default(),
        opened: &[],
        calls: &[],
    };
    let dossier = Dossier::new(&source, &Words::new("en"));
    let to: Vec<_> =
        dossier.addressees.iter().map(|a| (a.country.as_str(), a.part.code.as_str())).collect();
    assert_eq!(to, [("DE", "first"), ("EU", "copy")]);
    assert!(dossier.addressees[0].contact.value.is_none());
}
