//! The record part of the dossier: content, money, acts, history, preservation, what is not known and was not seen.

use crate::alert::data::{Act, EvidenceKind};

use super::build::Builder;
use super::*;

impl Builder<'_> {
    pub(super) fn content(&self) -> Content {
        let (alert, facts) = (self.alert, self.facts);
        let id = alert.channel.as_str();
        let stream_id = id.split_once(':').map_or(id, |(_, stable)| stable);
        let mut cited: Vec<_> = alert.evidence.iter().collect();
        cited.sort_by_key(|item| (item.at, item.digest));
        let mut of_kind = std::collections::BTreeMap::new();
        let mut name = |item: &crate::alert::data::EvidenceItem| {
            let n: &mut usize = of_kind.entry(item.kind.name()).or_default();
            *n += 1;
            let at = self.moment(item.at).local;
            // RFC 3339: the time of day stands in these places.
            let time = at.get(11..19).unwrap_or(&at);
            let args = [("n", (*n as f64).into()), ("time", time.into())];
            self.words.t_args(&format!("d-item-{}", item.kind.name()), &args)
        };
        let items = cited
            .into_iter()
            .enumerate()
            .map(|(index, item)| Item {
                number: index + 1,
                name: name(item),
                digest: item.digest,
                kind: Coded {
                    code: item.kind.name().into(),
                    words: self.words.evidence_kind(item.kind),
                },
                at: self.moment(item.at),
                quote: item.quote.clone(),
                paid: item.paid.clone(),
                href: item.href.clone(),
                expired: self.from.preservation.expired.contains(&item.digest),
            })
            .collect();
        Content {
            channel: alert.channel.clone(),
            platform: alert.channel.platform().to_owned(),
            stream_id: stream_id.to_owned(),
            name: self.known(facts.name.as_deref()),
            url: self.known(alert.url.as_deref()),
            title: self.known(alert.title.as_deref()),
            category: self.known(alert.category.as_deref()),
            language: self.known(alert.language.as_deref()),
            started_at: facts.started_at.map(|at| self.moment(at)),
            hours_live: facts.hours_live,
            hours_words: facts.hours_live.map(|h| self.words.duration(f64::from(h) * 3600.0)),
            viewers: facts.viewers,
            viewers_words: facts.viewers.map(|n| self.words.number(n as f64, 0)),
            opened_at: self.moment(alert.opened_at),
            updated_at: self.moment(alert.updated_at),
            ended_at: alert.ended_at.map(|at| self.moment(at)),
            times_words: self.t("d-times"),
            items,
        }
    }

    pub(super) fn donations(&self) -> DonationBlock {
        let d = &self.alert.donations;
        let count = |key: &str, n: u64, extra: &[(&str, String)]| {
            let mut args =
                vec![("n", (n as f64).into()), ("value", self.words.number(n as f64, 0).into())];
            args.extend(extra.iter().map(|(name, value)| (*name, value.clone().into())));
            self.words.t_args(key, &args)
        };
        let mut words = Vec::new();
        if self.alert.coverage.donations {
            let sum = self.words.eur(d.sum_eur.to_f64());
            words.push(count("d-money-count", d.count, &[("sum", sum)]));
            words.push(count("d-money-acts", d.asking_for_acts, &[]));
        } else {
            words.push(self.t("d-money-unseen"));
        }
        words.push(match d.coupling {
            Some(lift) => self.words.t_args(
                "d-money-coupling",
                &[("value", self.words.number(f64::from(lift), 1).into())],
            ),
            None => self.t("d-money-no-coupling"),
        });
        DonationBlock {
            count: d.count,
            sum_eur: d.sum_eur,
            asking_for_acts: d.asking_for_acts,
            coupling: d.coupling,
            words,
        }
    }

    pub(super) fn act(&self, act: &Act) -> ActRow {
        let mut seen = Vec::new();
        if let Some(violence) = act.violence {
            let score = self.words.percent(violence);
            seen.push(self.words.t_args("d-act-violence", &[("value", score.into())]));
        }
        if let Some(motion) = act.motion {
            let score = self.words.percent(motion);
            seen.push(self.words.t_args("d-act-motion", &[("value", score.into())]));
        }
        let seen_words = match (act.look_at, seen.is_empty()) {
            (None, _) => self.t("d-act-no-look"),
            (Some(_), true) => self.t("d-act-no-score"),
            (Some(_), false) => seen.join(self.t("d-list-comma").as_str()),
        };
        ActRow {
            act: act.clone(),
            at_words: self.moment(act.at),
            look_moment: act.look_at.map(|at| self.moment(at)),
            score_words: self.words.percent(act.score),
            seen_words,
        }
    }

    pub(super) fn history(&self) -> Vec<String> {
        let facts = self.facts;
        let line = |key: &str, n: u64| {
            let shown = self.words.number(n as f64, 0);
            self.words.t_args(key, &[("n", (n as f64).into()), ("value", shown.into())])
        };
        let mut out = vec![
            line("d-history-incident", facts.incident),
            line("d-history-notices", u64::from(facts.notices)),
            line("d-history-days", u64::from(facts.days_with_acts)),
        ];
        if let Some(previous) = self.alert.previous {
            let id = previous.to_string();
            out.push(self.words.t_args("d-history-previous", &[("id", id.into())]));
        }
        out
    }

    pub(super) fn preservation(&self) -> PreservationBlock {
        let kept = self.from.preservation;
        let days = kept.cited_days;
        let mut words = vec![match &kept.hold {
            Some(hold) => self.words.t_args(
                "d-kept-hold",
                &[
                    ("by", hold.by.as_str().into()),
                    ("basis", hold.basis.as_str().into()),
                    ("until", self.moment(hold.until).words.into()),
                ],
            ),
            None => self.t("d-kept-no-hold"),
        }];
        words.push(match self.alert.ended_at {
            Some(end) => {
                let until = end.plus_ms(i64::from(days) * 86_400_000);
                let until = self.zone.day_words(until, self.words);
                self.words.t_args("d-kept-until", &[("until", until.into())])
            }
            None => self.words.t_args("d-kept-open", &[("days", days.into())]),
        });
        if !kept.expired.is_empty() {
            let n = kept.expired.len();
            words.push(self.words.t_args("d-kept-expired", &[("n", n.into())]));
        }
        PreservationBlock { hold: kept.hold.clone(), expired: kept.expired.clone(), words }
    }

    /// What nobody told the daemon, each as a sentence. Only what is truly missing is listed.
    pub(super) fn unknown(&self) -> Vec<Coded> {
        let (alert, facts, provider) = (self.alert, self.facts, self.from.provider);
        let has_frames = alert.evidence.iter().any(|item| item.kind == EvidenceKind::Frame);
        let opened = |person: &crate::alert::data::Person| {
            self.from.opened.iter().any(|identity| identity.user == person.user)
        };
        let checks: [(&str, bool); 14] = [
            ("victim", true),
            ("victim_place", true),
            ("suspect", true),
            ("suspect_place", true),
            ("account_holder", true),
            ("exact_place", true),
            ("country", facts.country.as_deref().unwrap_or_default().is_empty()),
            ("url", alert.url.is_none()),
            ("started_at", facts.started_at.is_none()),
            ("persons_identity", !facts.persons.iter().all(opened)),
            ("pictures", !alert.coverage.frames || !has_frames),
            ("sound", true),
            ("emergency_call", self.from.calls.is_empty()),
            ("provider", provider.name.is_empty() || provider.contact_point.is_empty()),
        ];
        let mut out: Vec<Coded> = checks
            .into_iter()
            .filter(|(_, missing)| *missing)
            .map(|(code, _)| self.coded("d-unknown", code))
            .collect();
        if alert.suspected_offences.is_empty() {
            out.push(self.coded("d-unknown", "offence"));
        }
        out
    }

    pub(super) fn coverage(&self) -> Vec<String> {
        let coverage = &self.alert.coverage;
        let mut out: Vec<String> = [
            ("chat", coverage.chat),
            ("frames", coverage.frames),
            ("donations", coverage.donations),
        ]
        .into_iter()
        .map(|(what, seen)| self.t(&format!("d-seen-{what}-{}", if seen { "yes" } else { "no" })))
        .collect();
        if let Some(language) = &self.alert.language
            && !self.alert.language_measured
        {
            let language: &str = language;
            out.push(self.words.t_args("d-seen-language", &[("language", language.into())]));
        }
        if coverage.gaps.is_empty() {
            out.push(self.t("d-seen-no-gaps"));
        }
        out.extend(coverage.gaps.iter().map(|gap| {
            let from = self.moment(gap.from).words;
            let to = self.moment(gap.to).words;
            self.words.t_args("d-seen-gap", &[("from", from.into()), ("to", to.into())])
        }));
        out
    }
}
