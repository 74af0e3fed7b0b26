//! From alert and facts to the dossier, element by element; each function makes one section.

use crate::alert::Counter;
use crate::alert::data::Alert;
use crate::alert::jurisdiction::{
    Authority, BASIS_PROVIDER, BASIS_STREAM, authority_of, europol, member_state,
};
use crate::alert::words::Words;
use crate::alert::zone::Zone;
use crate::event::{Offence, Signal, Tense};

use super::*;

/// The emergency number of the whole Union (Directive (EU) 2018/1972, Article 109).
const EMERGENCY: &str = "112";

pub(super) struct Builder<'a> {
    pub(super) from: &'a Source<'a>,
    pub(super) alert: &'a Alert,
    pub(super) facts: &'a Facts,
    pub(super) words: &'a Words,
    pub(super) zone: Zone,
}

pub(super) fn build(from: &Source<'_>, words: &Words) -> Dossier {
    let zone = Zone::new(from.zone);
    let b = Builder { from, alert: from.alert, facts: from.facts, words, zone };
    b.dossier()
}

impl Builder<'_> {
    pub(super) fn t(&self, key: &str) -> String {
        self.words.t(key)
    }

    pub(super) fn coded(&self, prefix: &str, code: &str) -> Coded {
        let words = self.t(&format!("{prefix}-{}", code.replace('_', "-")));
        Coded { code: code.to_owned(), words }
    }

    pub(super) fn moment(&self, at: Timestamp) -> Moment {
        self.zone.moment(at, self.words)
    }

    pub(super) fn known(&self, value: Option<&str>) -> Known {
        match value.map(str::trim).filter(|value| !value.is_empty()) {
            Some(value) => Known { value: Some(value.to_owned()), words: value.to_owned() },
            None => Known { value: None, words: self.t("not-known") },
        }
    }

    /// Like [`Builder::known`], for what a person has to fill in before anything is sent.
    fn fill_in(&self, value: Option<&str>) -> Known {
        let known = self.known(value);
        if known.value.is_some() { known } else { Known { words: self.t("d-fill-in"), ..known } }
    }

    fn dossier(&self) -> Dossier {
        let (alert, facts) = (self.alert, self.facts);
        let content = self.content();
        let addressees = self.addressees();
        let member_states = self.member_states();
        Dossier {
            schema: SCHEMA.to_owned(),
            language: self.words.lang().to_owned(),
            status: Status::Draft,
            marking: self.t("d-draft"),
            title: self.t(match self.from.provider.role {
                Role::Provider => "d-title-provider",
                Role::Observer => "d-title-observer",
            }),
            reference: format!("VIGIE-{}-{}", alert.id, alert.revision),
            alert: alert.id,
            revision: alert.revision,
            made_at: self.moment(self.from.now),
            legal_basis: self.legal_basis(),
            emergency: self.emergency(),
            provider: self.provider(),
            jurisdiction_words: self.jurisdiction_words(&member_states),
            addressees,
            member_states,
            tense: Coded {
                code: alert.tense.name().to_owned(),
                words: self.t(&format!("d-tense-{}", alert.tense.name())),
            },
            level: Coded { code: alert.level.name().into(), words: self.words.level(alert.level) },
            level_now: Coded {
                code: alert.level_now.name().into(),
                words: self.words.level(alert.level_now),
            },
            suspected_offences: alert
                .suspected_offences
                .iter()
                .map(|o| Coded { code: o.name().into(), words: self.words.offence(*o) })
                .collect(),
            summary: self.summary(),
            decided_by: self.decided_by(),
            reasons: self.reasons(&content),
            against: self.against(),
            persons: self.persons(),
            place: self.place(),
            donations: self.donations(),
            acts: facts.acts.iter().map(|act| self.act(act)).collect(),
            history: self.history(),
            measures_taken: facts.measures.clone(),
            measures_recommended: alert
                .recommended_measures
                .iter()
                .map(|m| Coded { code: m.name().into(), words: self.words.measure(*m) })
                .collect(),
            preservation: self.preservation(),
            decisions: facts
                .decisions
                .iter()
                .map(|decision| DecisionRow {
                    kind: self.coded("decision", decision.kind.name()),
                    by: decision.by.clone(),
                    why: decision.why.clone(),
                    at: self.moment(decision.at),
                })
                .collect(),
            confirmed: None,
            receipt: None,
            unknown: self.unknown(),
            coverage: alert.coverage.clone(),
            coverage_words: self.coverage(),
            models: alert.models.clone(),
            config: alert.config.clone(),
            console: alert.console.clone(),
            content,
        }
    }

    fn legal_basis(&self) -> LegalBasis {
        let role = self.from.provider.role;
        let mut also = Vec::new();
        if self.alert.suspected_offences.contains(&Offence::Terrorism) && role == Role::Provider {
            also.push(self.t("d-basis-terrorism"));
        }
        LegalBasis { role, words: self.t(&format!("d-basis-{}", role.name())), also }
    }

    fn emergency(&self) -> Emergency {
        let number = self
            .alert
            .jurisdiction
            .member_states
            .first()
            .and_then(|state| authority_of(self.from.authorities, state))
            .map_or(EMERGENCY, |entry| &entry.emergency_number);
        let key = match self.alert.tense {
            Tense::Past => "d-emergency-past",
            Tense::Ongoing | Tense::Imminent => "d-emergency-now",
        };
        let calls_words = if self.from.calls.is_empty() {
            self.t("d-emergency-no-call")
        } else {
            self.t("d-emergency-calls")
        };
        Emergency {
            number: number.to_owned(),
            title: self.words.t_args("d-h-emergency", &[("number", number.into())]),
            words: self.words.t_args(key, &[("number", number.into())]),
            calls: self.from.calls.to_vec(),
            calls_words,
        }
    }

    fn provider(&self) -> ProviderBlock {
        let p = self.from.provider;
        let country = (!p.establishment.is_empty()).then(|| self.words.country(&p.establishment));
        let size = (!p.size.is_empty()).then(|| self.t(&format!("d-size-{}", p.size)));
        ProviderBlock {
            name: self.fill_in(Some(&p.name)),
            address: self.fill_in(Some(&p.address)),
            establishment: self.fill_in(country.as_deref()),
            legal_representative: self.known(Some(&p.legal_representative)),
            contact_point: self.fill_in(Some(&p.contact_point)),
            duty_phone: self.fill_in(Some(&p.duty_phone)),
            size: self.known(size.as_deref()),
        }
    }

    fn member_states(&self) -> Vec<MemberState> {
        let jurisdiction = &self.alert.jurisdiction;
        let basis = match jurisdiction.basis.as_str() {
            BASIS_STREAM => "d-state-basis-stream",
            BASIS_PROVIDER => "d-state-basis-provider",
            _ => "d-state-basis-other",
        };
        jurisdiction
            .member_states
            .iter()
            .map(|code| MemberState {
                code: code.clone(),
                name: self.words.country(code),
                basis: Coded { code: jurisdiction.basis.clone(), words: self.t(basis) },
            })
            .collect()
    }

    fn jurisdiction_words(&self, states: &[MemberState]) -> String {
        let stream = self.alert.jurisdiction.basis == BASIS_STREAM && !states.is_empty();
        self.t(if stream { "d-states-known" } else { "d-states-not-identifiable" })
    }

    fn addressee(&self, entry: Option<&Authority>, country: &str, part: &str) -> Addressee {
        let local = |entry: &Authority| match (&entry.name, &entry.name_local) {
            (Some(name), Some(local)) if self.words.lang() == "en" && name != local => {
                Some(format!("{local} ({name})"))
            }
            (name, local) => local.clone().or_else(|| name.clone()),
        };
        let contact = entry.and_then(|entry| entry.contact.as_deref());
        let verified = entry.and_then(|entry| entry.verified_on.clone());
        let note = match (contact, &verified) {
            (None, _) => "d-note-no-contact",
            (Some(_), None) => "d-note-to-verify",
            (Some(_), Some(_)) => "d-note-verified",
        };
        let name = entry.and_then(local);
        let channel =
            entry.and_then(|entry| entry.channel).map(|c| self.t(&format!("d-reach-{}", c.name())));
        Addressee {
            code: entry.map(|entry| entry.code.clone()),
            country: country.to_owned(),
            country_name: self.words.country(country),
            name: self.fill_in(name.as_deref()),
            channel: self.fill_in(channel.as_deref()),
            contact: self.fill_in(contact),
            languages: entry.map(|entry| entry.languages.clone()).unwrap_or_default(),
            source: entry.and_then(|entry| entry.source.clone()),
            verified_on: verified,
            part: self.coded("d-part", part),
            note: self.t(note),
        }
    }

    /// The states' authorities first; Europol beside them where no state is identifiable with reasonable
    /// certainty (Article 18(2)), or where a state has no contact.
    fn addressees(&self) -> Vec<Addressee> {
        let jurisdiction = &self.alert.jurisdiction;
        let mut out: Vec<Addressee> = jurisdiction
            .member_states
            .iter()
            .map(|code| self.addressee(authority_of(self.from.authorities, code), code, "first"))
            .collect();
        let certain = jurisdiction.basis == BASIS_STREAM && !out.is_empty();
        if !certain || out.iter().any(|to| to.contact.value.is_none()) {
            let part = if out.is_empty() { "first" } else { "copy" };
            out.push(self.addressee(europol(self.from.authorities), "EU", part));
        }
        out
    }

    fn signal_words(&self, name: &str, value: f32, fallback: &str) -> String {
        Signal::from_name(name).map_or(fallback.to_owned(), |s| self.words.reason(s, value))
    }

    /// The summary in the dossier's language: the alert's own if that is its language, else made anew.
    fn summary(&self) -> String {
        let reasons: Vec<(Signal, f32)> = self
            .alert
            .reasons
            .iter()
            .filter_map(|r| Some((Signal::from_name(&r.signal)?, r.value)))
            .collect();
        self.words.summary(&crate::alert::SummaryFacts {
            channel: self.facts.name.as_deref().unwrap_or(self.alert.channel.as_str()),
            level: self.alert.level,
            tense: self.alert.tense,
            reasons: &reasons,
            rule_reason: self.facts.rule_reason.get(self.words.lang()).map(String::as_str),
            hours_live: self.facts.hours_live,
        })
    }

    fn decided_by(&self) -> String {
        let alert = self.alert;
        match &alert.rule {
            Some(rule) => self.words.t_args("d-decided-rule", &[("rule", rule.as_str().into())]),
            None => self.words.t_args(
                "d-decided-model",
                &[
                    ("score", self.words.number(f64::from(alert.score), 2).into()),
                    ("level", self.words.level(alert.level).into()),
                ],
            ),
        }
    }

    fn reasons(&self, content: &Content) -> Vec<ReasonRow> {
        let mut rows: Vec<ReasonRow> = self
            .alert
            .reasons
            .iter()
            .map(|reason| {
                let signal = Signal::from_name(&reason.signal);
                let value_words =
                    |value: f32| signal.map_or(value.to_string(), |s| self.words.value(s, value));
                ReasonRow {
                    signal: reason.signal.clone(),
                    words: self.signal_words(&reason.signal, reason.value, &reason.text),
                    value: reason.value,
                    value_words: value_words(reason.value),
                    window: signal.map_or_else(String::new, |s| self.words.span(s)),
                    threshold: reason.threshold,
                    threshold_words: reason.threshold.map_or("–".to_owned(), value_words),
                    weight: reason.weight,
                    weight_words: self.words.percent(reason.weight),
                    evidence: reason.evidence.clone(),
                    items: content
                        .items
                        .iter()
                        .filter(|item| reason.evidence.contains(&item.digest))
                        .map(|item| item.number)
                        .collect(),
                }
            })
            .collect();
        rows.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        rows
    }

    fn against(&self) -> Vec<AgainstRow> {
        self.alert
            .against
            .iter()
            .map(|against| AgainstRow {
                signal: against.signal.clone(),
                value: against.value,
                words: Counter::from_name(&against.signal)
                    .and_then(|counter| self.words.against(counter, against.value))
                    .unwrap_or_else(|| against.text.clone()),
            })
            .collect()
    }

    /// Victim and suspected offender first, as blocks of their own, even though nothing is held about them: a person
    /// fills them in. Then those whom the chat and the donations show.
    fn persons(&self) -> Vec<PersonRow> {
        let empty = |role: &str| PersonRow {
            role: self.coded("role", role),
            user: None,
            identity: None,
            identity_words: self.t("d-person-unknown"),
            messages: None,
            paid_eur: None,
            paid_words: String::new(),
            first: None,
            last: None,
        };
        let mut rows = vec![empty("victim"), empty("suspect")];
        rows.extend(self.facts.persons.iter().map(|person| {
            let opened = self.from.opened.iter().find(|identity| identity.user == person.user);
            let identity_words = match opened {
                Some(identity) => self.words.t_args(
                    "d-person-opened",
                    &[
                        ("id", format!("{}:{}", identity.platform, identity.id).into()),
                        (
                            "name",
                            identity.name.clone().unwrap_or_else(|| self.t("not-known")).into(),
                        ),
                        ("by", identity.opened_by.as_str().into()),
                    ],
                ),
                None => self.t("d-person-held"),
            };
            PersonRow {
                role: Coded { code: person.role.clone(), words: self.words.role(&person.role) },
                user: Some(person.user),
                identity: opened.cloned(),
                identity_words,
                messages: Some(person.messages),
                paid_eur: Some(person.paid_eur),
                paid_words: self.words.eur(person.paid_eur.to_f64()),
                first: Some(self.moment(person.first)),
                last: Some(self.moment(person.last)),
            }
        }));
        rows
    }

    fn place(&self) -> Place {
        match self.facts.country.as_deref().filter(|country| !country.is_empty()) {
            Some(country) => {
                let state = member_state(country).is_some();
                Place {
                    country: Some(country.to_owned()),
                    words: self.words.country(country),
                    how: self.t(if state { "d-place-how-stream" } else { "d-place-how-outside" }),
                }
            }
            None => Place {
                country: None,
                words: self.t("not-known"),
                how: self.t("d-place-how-unknown"),
            },
        }
    }
}
