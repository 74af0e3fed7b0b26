//! Every word of Vigie's own that a person reads in an alert, a page or a dossier, in French and English: a sentence
//! for each signal, the one-sentence summary, names of levels, offences, measures. The words stand in `words/*.ftl`
//! (Project Fluent), embedded; output depends on the arguments alone.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

use crate::event::{Level, Offence, Setting, Signal, Tense};

use super::data::{EvidenceKind, Measure, State};

const EN: &str = include_str!("words/en.ftl");
const FR: &str = include_str!("words/fr.ftl");

/// Languages that Vigie speaks, ISO 639-1.
pub const LANGUAGES: [&str; 2] = ["en", "fr"];

/// The words of one language. Cheap to share (`Arc`), costly to make (it parses the texts): make one a language.
pub struct Words {
    lang: &'static str,
    bundle: FluentBundle<FluentResource>,
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Words({})", self.lang)
    }
}

/// Something that speaks against the suspicion: a signal, or what is known of the stream beside signals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Counter {
    /// A signal whose value makes the suspicion less likely: alike messages, laughter, a calm or filmed-by-nobody
    /// picture, a frozen feed, no violence seen.
    Signal(Signal),
    /// The platform's category says game, sport or fiction.
    Setting(Setting),
    /// The stream says that it collects for charity.
    Charity,
    /// There are no pictures to confirm or deny what the chat says.
    NoPictures,
}

impl Counter {
    /// What stands in [`super::Against::signal`].
    pub fn name(self) -> &'static str {
        match self {
            Counter::Signal(signal) => signal.name(),
            Counter::Setting(Setting::Game) => "stream.setting.game",
            Counter::Setting(Setting::Sport) => "stream.setting.sport",
            Counter::Setting(Setting::Fiction) => "stream.setting.fiction",
            Counter::Setting(_) => "stream.setting",
            Counter::Charity => "stream.charity",
            Counter::NoPictures => "picture.none",
        }
    }

    /// Reads [`Counter::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "stream.setting.game" => Counter::Setting(Setting::Game),
            "stream.setting.sport" => Counter::Setting(Setting::Sport),
            "stream.setting.fiction" => Counter::Setting(Setting::Fiction),
            "stream.setting" => Counter::Setting(Setting::Unknown),
            "stream.charity" => Counter::Charity,
            "picture.none" => Counter::NoPictures,
            name => Counter::Signal(Signal::from_name(name)?),
        })
    }
}

/// What the one-sentence summary is made of.
#[derive(Clone, Copy, Debug)]
pub struct SummaryFacts<'a> {
    /// Name that people know the channel by; its id where the platform told no name.
    pub channel: &'a str,
    pub level: Level,
    pub tense: Tense,
    /// Reasons, heaviest first; the first two of different signals are told.
    pub reasons: &'a [(Signal, f32)],
    /// What the rule that decided says of itself; told in place of the signals.
    pub rule_reason: Option<&'a str>,
    pub hours_live: Option<f32>,
}

impl Words {
    /// `fr` for French (`fr-BE` too), English for everything else.
    pub fn new(lang: &str) -> Self {
        let french = lang.split(['-', '_']).next().is_some_and(|l| l.eq_ignore_ascii_case("fr"));
        let (lang, source) = if french { ("fr", FR) } else { ("en", EN) };
        // Both are constants and the tests below read them: neither can be wrong at run time.
        let resource = match FluentResource::try_new(source.to_owned()) {
            Ok(resource) | Err((resource, _)) => resource,
        };
        let locale = lang.parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![locale]);
        bundle.set_use_isolating(false);
        bundle.add_resource_overriding(resource);
        Self { lang, bundle }
    }

    /// `fr` or `en`.
    pub fn lang(&self) -> &'static str {
        self.lang
    }

    /// The words of a key; the key itself where there are none, which the tests rule out for keys of ours.
    pub fn t(&self, key: &str) -> String {
        self.format(key, None).unwrap_or_else(|| key.to_owned())
    }

    /// The words of a key with their arguments filled in.
    pub fn t_args(&self, key: &str, args: &[(&str, FluentValue<'_>)]) -> String {
        let mut set = FluentArgs::new();
        for (name, value) in args {
            set.set(*name, value.clone());
        }
        self.format(key, Some(&set)).unwrap_or_else(|| key.to_owned())
    }

    fn format(&self, key: &str, args: Option<&FluentArgs<'_>>) -> Option<String> {
        let pattern = self.bundle.get_message(key)?.value()?;
        let mut errors = Vec::new();
        Some(self.bundle.format_pattern(pattern, args, &mut errors).into_owned())
    }
}

/// The window of a signal's name: `60s` of `chat.threat.60s`.
fn window(signal: Signal) -> &'static str {
    signal.name().rsplit('.').next().unwrap_or_default()
}

/// `chat-distress-voices` of `chat.distress_voices.2m`: what the keys of its sentences are made from.
fn stem_key(signal: Signal) -> String {
    let name = signal.name();
    let end = name.rfind('.').unwrap_or(name.len());
    name[..end].replace(['.', '_'], "-")
}

impl Words {
    /// A number with `decimals` digits after the point, grouped by thousands as the language writes it.
    pub fn number(&self, value: f64, decimals: usize) -> String {
        let (group, point) = if self.lang == "fr" { ('\u{202f}', ',') } else { (',', '.') };
        let plain = format!("{:.decimals$}", value.abs());
        let (whole, part) = plain.split_once('.').unwrap_or((&plain, ""));
        let mut out = String::new();
        if value < 0.0 && plain.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
            out.push('-');
        }
        for (i, digit) in whole.chars().enumerate() {
            // Groups of three; as usual in print, four digits stay together in French.
            if i > 0 && (whole.len() - i) % 3 == 0 && (whole.len() > 4 || self.lang == "en") {
                out.push(group);
            }
            out.push(digit);
        }
        if !part.is_empty() {
            out.push(point);
            out.push_str(part);
        }
        out
    }

    /// A share or probability of 0..=1 in percent: `91%`, `91 %`. Never 100 % or 0 % unless it is exactly that.
    pub fn percent(&self, share: f32) -> String {
        let mut whole = (f64::from(share) * 100.0).round();
        if share < 1.0 {
            whole = whole.min(99.0);
        }
        if share > 0.0 {
            whole = whole.max(1.0);
        }
        let number = self.number(whole, 0);
        if self.lang == "fr" { format!("{number}\u{202f}%") } else { format!("{number}%") }
    }

    /// EUR to the cent, or whole if there are none: `€610`, `610 €`.
    pub fn eur(&self, value: f64) -> String {
        let cents = if (value * 100.0).round() % 100.0 == 0.0 { 0 } else { 2 };
        let number = self.number(value, cents);
        if self.lang == "fr" { format!("{number}\u{a0}€") } else { format!("€{number}") }
    }

    /// A length of time, to the unit that matters: `45 seconds`, `14 minutes`, `12 days`.
    pub fn duration(&self, seconds: f64) -> String {
        let (key, per) = match seconds {
            s if s < 120.0 => ("duration-seconds", 1.0),
            s if s < 7_200.0 => ("duration-minutes", 60.0),
            s if s < 1_440_000.0 => ("duration-hours", 3_600.0),
            _ => ("duration-days", 86_400.0),
        };
        let n = (seconds / per).round();
        self.t_args(key, &[("n", n.into()), ("value", self.number(n, 0).into())])
    }

    /// The window of a signal: `in the last minute`, `within 2 minutes`, `now`.
    pub fn window(&self, signal: Signal) -> String {
        self.t(&format!("window-{}", window(signal)))
    }

    /// What a signal measures, in a few words: the title of its row or chart.
    pub fn signal(&self, signal: Signal) -> String {
        format!("{}, {}", self.t(&format!("signal-{}", stem_key(signal))), self.span(signal))
    }

    /// The window alone: `60 s`, `10 min`, `now`.
    pub fn span(&self, signal: Signal) -> String {
        self.t(&format!("span-{}", window(signal)))
    }

    /// A signal's value with its unit: `5 people`, `91 %`, `14 minutes`.
    pub fn value(&self, signal: Signal, value: f32) -> String {
        let exact = f64::from(value);
        let decimals = usize::from(exact < 100.0 && (exact * 10.0).round() % 10.0 != 0.0);
        match signal.def().unit {
            "probability" | "share" | "fraction" => self.percent(value),
            "EUR" => self.eur(exact),
            "seconds" => self.duration(exact),
            "flag" => self.t(if value >= 0.5 { "yes" } else { "no" }),
            "voices" => {
                let n = exact.round();
                self.t_args("unit-voices", &[("n", n.into()), ("value", self.number(n, 0).into())])
            }
            unit => {
                let shown = self.number(exact, decimals);
                // The plural follows what is written.
                let n = (exact * 10.0).round() / 10.0;
                self.t_args(&format!("unit-{unit}"), &[("n", n.into()), ("value", shown.into())])
            }
        }
    }

    /// Arguments of a signal's sentences: `n` the rounded number (for plurals), `value` as it is written, `amount`
    /// for sums that fade ("about 3 messages"), `window` the span in words.
    fn sentence(&self, key: &str, signal: Signal, value: f32) -> Option<String> {
        let n = f64::from(value).round();
        let shown = match signal.def().unit {
            "probability" | "share" | "fraction" => self.percent(value),
            "EUR" => self.eur(f64::from(value)),
            "seconds" => self.duration(f64::from(value)),
            "ratio" => self.number(f64::from(value), 1),
            _ => self.number(n, 0),
        };
        let mut args = FluentArgs::new();
        let about = format!("about-{}", signal.def().unit);
        if self.bundle.has_message(&about) {
            let set = [("n", n.into()), ("value", shown.clone().into())];
            args.set("amount", self.t_args(&about, &set));
        }
        args.set("n", n);
        args.set("value", shown);
        args.set("window", self.window(signal));
        self.format(key, Some(&args))
    }

    /// The sentence without its capital, for use inside another.
    fn clause(&self, signal: Signal, value: f32) -> String {
        self.sentence(&format!("reason-{}", stem_key(signal)), signal, value)
            .unwrap_or_else(|| format!("{} = {value}", signal.name()))
    }

    /// One plain sentence that tells a signal's value as a reason; no full stop.
    pub fn reason(&self, signal: Signal, value: f32) -> String {
        capital(&self.clause(signal, value))
    }

    /// One plain sentence on what speaks against the suspicion. `None` for a signal that never does.
    pub fn against(&self, counter: Counter, value: f32) -> Option<String> {
        let sentence = match counter {
            Counter::Signal(signal) => {
                self.sentence(&format!("against-{}", stem_key(signal)), signal, value)?
            }
            Counter::Setting(setting) => {
                self.format(&format!("against-setting-{}", setting.name()), None)?
            }
            Counter::Charity => self.t("against-charity"),
            Counter::NoPictures => self.t("against-no-pictures"),
        };
        Some(capital(&sentence))
    }

    /// One sentence that a person can read aloud: where, what, when, and the two heaviest reasons.
    pub fn summary(&self, facts: &SummaryFacts<'_>) -> String {
        let what =
            self.t(&format!("summary-{}-{}", dashed(facts.level.name()), facts.tense.name()));
        let mut told: Vec<(String, String)> = Vec::new();
        if let Some(rule) = facts.rule_reason {
            told.push((String::new(), rule.trim().trim_end_matches('.').to_owned()));
        } else {
            for (signal, value) in facts.reasons {
                // Two windows of the same signal say the same thing twice.
                if told.len() < 2 && told.iter().all(|(stem, _)| *stem != stem_key(*signal)) {
                    told.push((stem_key(*signal), self.clause(*signal, *value)));
                }
            }
        }
        let channel: FluentValue<'_> = facts.channel.to_owned().into();
        let place = match facts.hours_live {
            // Half a day unbroken is worth saying (reference cases: endurance).
            Some(hours) if hours >= 12.0 => self.t_args(
                "summary-where-hours",
                &[("channel", channel), ("hours", self.number(f64::from(hours).floor(), 0).into())],
            ),
            _ => self.t_args("summary-where", &[("channel", channel)]),
        };
        let head = format!("{place}{what}");
        let told: Vec<String> = told.into_iter().map(|(_, clause)| clause).collect();
        match &told[..] {
            [] => format!("{head}."),
            [one] => format!("{head}{}{one}.", self.t("summary-colon")),
            [one, two, ..] => {
                format!("{head}{}{one}{}{two}.", self.t("summary-colon"), self.t("summary-and"))
            }
        }
    }

    pub fn level(&self, level: Level) -> String {
        self.t(&format!("level-{}", dashed(level.name())))
    }

    /// What a level asks of whoever reads it.
    pub fn level_asks(&self, level: Level) -> String {
        self.t(&format!("level-asks-{}", dashed(level.name())))
    }

    pub fn tense(&self, tense: Tense) -> String {
        self.t(&format!("tense-{}", tense.name()))
    }

    pub fn state(&self, state: State) -> String {
        self.t(&format!("state-{}", state.name()))
    }

    pub fn offence(&self, offence: Offence) -> String {
        self.t(&format!("offence-{}", dashed(offence.name())))
    }

    pub fn measure(&self, measure: Measure) -> String {
        self.t(&format!("measure-{}", dashed(measure.name())))
    }

    pub fn evidence_kind(&self, kind: EvidenceKind) -> String {
        self.t(&format!("kind-{}", kind.name()))
    }

    /// `role-<name>`; a role that has no words is told as it stands.
    pub fn role(&self, role: &str) -> String {
        self.format(&format!("role-{}", dashed(role)), None).unwrap_or_else(|| role.to_owned())
    }

    /// A country by its code; the code where the name is not known (only Member States are listed).
    pub fn country(&self, code: &str) -> String {
        let code = code.to_ascii_uppercase();
        self.format(&format!("country-{code}"), None).unwrap_or(code)
    }
}

fn dashed(name: &str) -> String {
    name.replace('_', "-")
}

fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
