//! One alert as its page shows it: every string ready, nothing left to decide in the template.

use crate::alert::{Act, Alert, Change, Counter, EvidenceKind, Facts, State, Words, Zone};
use crate::event::{Level, Signal, Tense, Timestamp};

use super::chart::{Chart, Payment, Series, chart};
use super::desk::TimelinePoint;
use super::pages::LevelChip;

/// Widths at which the chart is drawn: the page shows the one that fits.
const WIDE: f32 = 760.0;
const NARROW: f32 = 350.0;
/// Rows of the table that stands for the chart.
const TABLE_ROWS: usize = 40;

pub(super) struct AlertView {
    pub id: String,
    pub revision: u32,
    pub chip: LevelChip,
    pub now: Option<LevelChip>,
    pub tense: String,
    pub state: String,
    pub taken: bool,
    pub over: Option<String>,
    pub summary: String,
    pub asks: String,
    pub emergency: bool,
    pub measures: Vec<String>,
    pub offences: Vec<String>,
    pub ack: String,
    pub close: String,
    pub channel: String,
    pub channel_id: String,
    /// Only ever `http(s)`.
    pub url: Option<String>,
    pub facts: Vec<(String, String)>,
    pub opened: When,
    pub decided_by: String,
    pub reasons: Vec<ReasonView>,
    pub against: Vec<String>,
    pub messages: Vec<MessageView>,
    pub pictures: Vec<PictureView>,
    pub acts: Vec<ActView>,
    pub money: Vec<String>,
    pub charts: Vec<(&'static str, Chart)>,
    pub table: Option<Table>,
    pub unseen: Vec<String>,
    pub decisions: Vec<DecisionView>,
    pub models: Vec<(String, String)>,
    pub config: String,
    pub previous: Option<String>,
    pub durable: bool,
}

pub(super) struct When {
    pub iso: String,
    pub words: String,
}

pub(super) struct ReasonView {
    pub words: String,
    pub signal: String,
    pub value: String,
    pub threshold: Option<String>,
    pub weight: String,
    /// Width of the bar, 0..=100.
    pub bar: f32,
    /// Where the threshold stands on a scale from 0 to the larger of both, 0..=100; and the value.
    pub gauge: Option<(f32, f32)>,
    pub evidence: Vec<String>,
}

pub(super) struct MessageView {
    pub anchor: String,
    pub at: When,
    pub kind: String,
    pub paid: Option<String>,
    pub quote: String,
    pub digest: String,
}

pub(super) struct PictureView {
    pub anchor: String,
    pub at: When,
    pub src: String,
    pub alt: String,
    pub digest: String,
}

pub(super) struct ActView {
    pub at: When,
    pub paid: Option<String>,
    pub words: String,
    pub score: String,
    pub seen: String,
    pub after: Option<String>,
    pub pictures: Vec<PictureView>,
}

pub(super) struct DecisionView {
    pub at: When,
    pub kind: String,
    pub by: String,
    pub why: String,
}

pub(super) struct Table {
    pub heads: Vec<String>,
    pub rows: Vec<(String, String, Vec<String>)>,
}

/// Quotes a word for the shell, as the command is made to be copied.
fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Anchor of a piece of evidence within the page.
fn anchor(hex: &str) -> String {
    format!("e-{}", &hex[..hex.len().min(12)])
}

/// A link to the stream is followed by people: only ever to the web.
fn web_address(url: &str) -> Option<String> {
    let lower = url.trim_start().to_ascii_lowercase();
    (lower.starts_with("https://") || lower.starts_with("http://")).then(|| url.trim().to_owned())
}

struct Maker<'a> {
    alert: &'a Alert,
    facts: &'a Facts,
    words: &'a Words,
    zone: &'a Zone,
}

impl AlertView {
    pub fn new(
        change: &Change,
        points: &[TimelinePoint],
        words: &Words,
        zone: &Zone,
        config: &str,
    ) -> Self {
        let make = Maker { alert: &change.alert, facts: &change.facts, words, zone };
        make.view(points, config)
    }
}

impl Maker<'_> {
    fn t(&self, key: &str) -> String {
        self.words.t(key)
    }

    fn when(&self, at: Timestamp) -> When {
        // The day is told where it is another than the alert's own.
        let same_day = self.zone.date(at) == self.zone.date(self.alert.opened_at);
        let clock = self.zone.clock(at);
        let words = if same_day { clock } else { format!("{} {clock}", self.zone.date(at)) };
        When { iso: at.to_string(), words }
    }

    fn view(&self, points: &[TimelinePoint], config: &str) -> AlertView {
        let (alert, facts, words) = (self.alert, self.facts, self.words);
        let config = shell(if config.is_empty() { "config/vigie.toml" } else { config });
        let command = |verb: &str| {
            format!(
                "vigie {verb} {} --by {} --why {} -c {config}",
                alert.id,
                self.t("ui-command-name"),
                self.t("ui-command-why"),
            )
        };
        let taken = matches!(alert.state, State::Acknowledged | State::Confirmed);
        let taker = facts.decisions.last().filter(|_| taken).map(|d| d.by.as_str());
        let state = match taker {
            Some(by) => words.t_args("ui-taken-by", &[("by", by.into())]),
            None if alert.state == State::Open => self.t("ui-untaken"),
            None => words.state(alert.state),
        };
        let fallen = alert.level_now < alert.level;
        let (charts, table) = self.chart(points);
        AlertView {
            id: alert.id.to_string(),
            revision: alert.revision,
            chip: LevelChip::new(alert.level, words),
            now: fallen.then(|| LevelChip::new(alert.level_now, words)),
            tense: words.tense(alert.tense),
            state,
            taken,
            over: alert
                .ended_at
                .map(|at| words.t_args("ui-over-since", &[("at", self.when(at).words.into())])),
            summary: alert.summary.clone(),
            asks: words.level_asks(alert.level_now.max(Level::Concern)),
            emergency: alert.level >= Level::Danger && alert.tense != Tense::Past,
            measures: alert.recommended_measures.iter().map(|m| words.measure(*m)).collect(),
            offences: alert.suspected_offences.iter().map(|o| words.offence(*o)).collect(),
            ack: command("ack"),
            close: command("close"),
            channel: facts.name.clone().unwrap_or_else(|| alert.channel.to_string()),
            channel_id: alert.channel.to_string(),
            url: alert.url.as_deref().and_then(web_address),
            facts: self.stream_facts(),
            opened: self.when(alert.opened_at),
            decided_by: self.decided_by(),
            reasons: self.reasons(),
            against: self.against(),
            messages: self.messages(),
            pictures: self.pictures(),
            acts: facts.acts.iter().map(|act| self.act(act)).collect(),
            money: self.money(),
            charts,
            table,
            unseen: self.unseen(),
            decisions: facts
                .decisions
                .iter()
                .map(|d| DecisionView {
                    at: self.when(d.at),
                    kind: self.t(&format!("decision-{}", d.kind.name())),
                    by: d.by.clone(),
                    why: d.why.clone(),
                })
                .collect(),
            models: alert.models.iter().map(|(seat, m)| (seat.clone(), m.clone())).collect(),
            config: alert.config.clone(),
            previous: alert.previous.map(|id| id.to_string()),
            durable: alert.durable,
        }
    }

    fn stream_facts(&self) -> Vec<(String, String)> {
        let (alert, facts, words) = (self.alert, self.facts, self.words);
        let unknown = || self.t("not-known");
        let hours = facts.hours_live.map(|h| words.duration(f64::from(h) * 3600.0));
        let country = facts.country.as_deref().map(|code| words.country(code));
        [
            ("d-h-title", alert.title.clone()),
            ("d-h-category", alert.category.clone()),
            ("d-h-live", hours),
            ("d-h-viewers", facts.viewers.map(|n| words.number(n as f64, 0))),
            ("d-h-language", alert.language.clone()),
            ("ui-country", country),
        ]
        .into_iter()
        .map(|(key, value)| (self.t(key), value.unwrap_or_else(unknown)))
        .collect()
    }

    /// One number, the one that decided.
    fn decided_by(&self) -> String {
        let score = self.words.number(f64::from(self.alert.score), 2);
        match &self.alert.rule {
            Some(rule) => self.words.t_args("ui-decided-rule", &[("rule", rule.as_str().into())]),
            None => self.words.t_args("ui-decided-model", &[("score", score.into())]),
        }
    }

    fn reasons(&self) -> Vec<ReasonView> {
        let mut reasons: Vec<_> = self.alert.reasons.iter().collect();
        reasons.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        reasons
            .into_iter()
            .map(|reason| {
                let signal = Signal::from_name(&reason.signal);
                let shown = |value: f32| {
                    signal.map_or_else(|| value.to_string(), |s| self.words.value(s, value))
                };
                let gauge = reason.threshold.map(|threshold| {
                    let full = reason.value.max(threshold).max(f32::MIN_POSITIVE) * 1.1;
                    (threshold / full * 100.0, reason.value / full * 100.0)
                });
                ReasonView {
                    words: reason.text.clone(),
                    signal: reason.signal.clone(),
                    value: shown(reason.value),
                    threshold: reason.threshold.map(shown),
                    weight: self.words.percent(reason.weight),
                    bar: (reason.weight * 100.0).clamp(0.0, 100.0),
                    gauge,
                    evidence: reason.evidence.iter().map(|d| anchor(&d.hex())).collect(),
                }
            })
            .collect()
    }

    fn against(&self) -> Vec<String> {
        let sentence = |name: &str, value: f32, text: &str| {
            if !text.is_empty() {
                return text.to_owned();
            }
            Counter::from_name(name)
                .and_then(|counter| self.words.against(counter, value))
                .unwrap_or_else(|| name.to_owned())
        };
        self.alert.against.iter().map(|a| sentence(&a.signal, a.value, &a.text)).collect()
    }

    fn messages(&self) -> Vec<MessageView> {
        let mut items: Vec<_> =
            self.alert.evidence.iter().filter(|e| e.kind != EvidenceKind::Frame).collect();
        items.sort_by_key(|item| (item.at, item.digest));
        items
            .into_iter()
            .map(|item| MessageView {
                anchor: anchor(&item.digest.hex()),
                at: self.when(item.at),
                kind: self.words.evidence_kind(item.kind),
                paid: item.paid.clone(),
                quote: item.quote.clone().unwrap_or_default(),
                digest: item.digest.hex(),
            })
            .collect()
    }

    fn picture(&self, hex: String, at: Timestamp) -> PictureView {
        let at = self.when(at);
        let alt = self.words.t_args("ui-picture-alt", &[("at", at.words.as_str().into())]);
        PictureView {
            anchor: anchor(&hex),
            src: format!("/api/v1/evidence/sha256:{hex}"),
            at,
            alt,
            digest: hex,
        }
    }

    fn pictures(&self) -> Vec<PictureView> {
        let mut items: Vec<_> =
            self.alert.evidence.iter().filter(|e| e.kind == EvidenceKind::Frame).collect();
        items.sort_by_key(|item| (item.at, item.digest));
        items.into_iter().map(|item| self.picture(item.digest.hex(), item.at)).collect()
    }

    fn act(&self, act: &Act) -> ActView {
        let mut seen = Vec::new();
        for (key, value) in [("d-act-violence", act.violence), ("d-act-motion", act.motion)] {
            if let Some(value) = value {
                let value = self.words.percent(value);
                seen.push(self.words.t_args(key, &[("value", value.into())]));
            }
        }
        let after = act.look_at.map(|at| {
            let seconds = at.since(act.at).max(0) as f64 / 1000.0;
            let later = self.words.duration(seconds);
            self.words.t_args("ui-act-later", &[("later", later.into())])
        });
        let seen = match (act.look_at, seen.is_empty()) {
            (None, _) => self.t("d-act-no-look"),
            (Some(_), true) => self.t("d-act-no-score"),
            (Some(_), false) => seen.join(&self.t("d-list-comma")),
        };
        let look_at = act.look_at.unwrap_or(act.at);
        ActView {
            at: self.when(act.at),
            paid: act.paid.clone(),
            words: act.words.clone(),
            score: self.words.percent(act.score),
            seen,
            after,
            pictures: act.look.iter().map(|d| self.picture(d.hex(), look_at)).collect(),
        }
    }

    fn money(&self) -> Vec<String> {
        let d = &self.alert.donations;
        if !self.alert.coverage.donations {
            return vec![self.t("d-money-unseen")];
        }
        let sum = self.words.eur(d.sum_eur.to_f64());
        let count = |n: u64| (n as f64, self.words.number(n as f64, 0));
        let (n, shown) = count(d.count);
        let (acts, acts_shown) = count(d.asking_for_acts);
        let mut out = vec![
            self.words.t_args(
                "d-money-count",
                &[("n", n.into()), ("value", shown.into()), ("sum", sum.into())],
            ),
            self.words.t_args("d-money-acts", &[("n", acts.into()), ("value", acts_shown.into())]),
        ];
        if let Some(lift) = d.coupling {
            let lift = self.words.number(f64::from(lift), 1);
            out.push(self.words.t_args("d-money-coupling", &[("value", lift.into())]));
        }
        out
    }

    fn unseen(&self) -> Vec<String> {
        let coverage = &self.alert.coverage;
        let kinds = [
            ("chat", coverage.chat),
            ("frames", coverage.frames),
            ("donations", coverage.donations),
        ];
        let mut out: Vec<String> = kinds
            .into_iter()
            .filter(|(_, seen)| !seen)
            .map(|(what, _)| self.t(&format!("d-seen-{what}-no")))
            .collect();
        if let (Some(language), false) = (&self.alert.language, self.alert.language_measured) {
            let language = language.as_str();
            out.push(self.words.t_args("d-seen-language", &[("language", language.into())]));
        }
        out.extend(coverage.gaps.iter().map(|gap| {
            let (from, to) = (self.when(gap.from).words, self.when(gap.to).words);
            self.words.t_args("d-seen-gap", &[("from", from.into()), ("to", to.into())])
        }));
        out
    }

    /// Each signal that a reason names, heaviest first, with what was paid for acts marked.
    fn chart(&self, points: &[TimelinePoint]) -> (Vec<(&'static str, Chart)>, Option<Table>) {
        let mut reasons: Vec<_> = self.alert.reasons.iter().collect();
        reasons.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let mut series: Vec<Series> = Vec::new();
        for reason in reasons {
            if let Some(signal) = Signal::from_name(&reason.signal)
                && series.iter().all(|known| known.signal != signal)
            {
                series.push(Series { signal, threshold: reason.threshold });
            }
        }
        let cited =
            self.alert.evidence.iter().filter_map(|item| Some((item.at, item.paid.as_ref()?)));
        let asked = self.facts.acts.iter().filter_map(|act| Some((act.at, act.paid.as_ref()?)));
        let mut payments: Vec<Payment> =
            cited.chain(asked).map(|(at, paid)| Payment { at, label: paid.clone() }).collect();
        payments.sort_by(|a, b| (a.at, &a.label).cmp(&(b.at, &b.label)));
        payments.dedup_by(|a, b| a.at == b.at && a.label == b.label);
        let charts: Vec<_> = [("wide", WIDE), ("narrow", NARROW)]
            .into_iter()
            .filter_map(|(class, width)| {
                let drawn = chart(points, &series, &payments, self.words, self.zone, width)?;
                Some((class, drawn))
            })
            .collect();
        let table = (!charts.is_empty()).then(|| self.table(points, &series));
        (charts, table)
    }

    fn table(&self, points: &[TimelinePoint], series: &[Series]) -> Table {
        let every = points.len().div_ceil(TABLE_ROWS).max(1);
        let rows = points
            .iter()
            .rev()
            .step_by(every)
            .map(|point| {
                let value = |s: &Series| {
                    let found = point.values.iter().find(|(name, _)| name == s.signal.name());
                    found.map_or("–".to_owned(), |(_, v)| self.words.value(s.signal, *v))
                };
                let level = self.words.level(point.level);
                (self.when(point.at).words, level, series.iter().map(value).collect())
            })
            .collect();
        Table { heads: series.iter().map(|s| self.words.signal(s.signal)).collect(), rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_the_shell_cannot_break_out() {
        assert_eq!(shell("config/vigie.toml"), "config/vigie.toml");
        assert_eq!(shell("a b'; rm -rf /"), r"'a b'\''; rm -rf /'");
    }

    #[test]
    fn only_web_addresses_become_links() {
        assert!(web_address("https://kick.test/a").is_some());
        for bad in ["javascript:alert(1)", " JavaScript:x", "data:text/html,x", "//evil.test"] {
            assert_eq!(web_address(bad), None, "{bad}");
        }
    }
}
