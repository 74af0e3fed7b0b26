//! A house that does not exist: one alert with everything that a page can show, hostile words included.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use tokio::sync::broadcast;
use uuid::Uuid;

use vigie::alert::dossier::{Preservation, Provider, Role, Source};
use vigie::alert::{
    Act, Against, Alert, Authority, Change, ChangeKind, Counter, Coverage, Donations, Dossier,
    EvidenceItem, EvidenceKind, Facts, Measure, Person, Reason, State, SummaryFacts, Words,
    jurisdiction,
};
use vigie::console::{
    AlertFilter, AlertPage, ChannelRow, Desk, DeskError, DeskResult, Live, Ready, TimelinePoint,
};
use vigie::event::{
    ChannelId, Decision, DecisionKind, Digest, Gap, Level, Money, Offence, Signal, Tense,
    Timestamp, UserKey,
};

/// A quote that would run, turn the text round, and break out of attributes if it could.
pub const HOSTILE: &str =
    "<script>alert(1)</script> \u{202e}txet desrever\u{202c} \" onmouseover=\"x' {{7*7}}";

pub fn at(clock: &str) -> Timestamp {
    Timestamp::parse(&format!("2025-08-17T{clock}Z")).unwrap()
}

pub fn id() -> Uuid {
    Uuid::parse_str("6f1de3a0-6c2b-5d0e-9c39-3f1f5a8f2c11").unwrap()
}

/// A drawn picture: a gradient with a block that moves.
pub fn picture(n: u8) -> Bytes {
    let (width, height) = (320u16, 180u16);
    let mut rgb = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let block = (40..120).contains(&y) && (x / 40) as u8 == n;
            let colour =
                if block { [200, 60, 50] } else { [40 + (x / 4) as u8, 90, 60 + (y / 2) as u8] };
            rgb.extend(colour);
        }
    }
    let mut out = Vec::new();
    jpeg_encoder::Encoder::new(&mut out, 80)
        .encode(&rgb, width, height, jpeg_encoder::ColorType::Rgb)
        .unwrap();
    Bytes::from(out)
}

pub struct Fake {
    pub words: Words,
    pub live: broadcast::Sender<Live>,
    pub change: Change,
    pub channels: Vec<ChannelRow>,
    pub evidence: BTreeMap<Digest, (Bytes, EvidenceKind)>,
    pub broken: bool,
}

pub fn authorities() -> Vec<Authority> {
    serde_json::from_value(serde_json::json!([
        {"code": "fr-pharos", "country": "FR", "name": "PHAROS", "name_local": "PHAROS (police judiciaire)",
         "channel": "portal", "contact": "https://www.internet-signalement.gouv.fr", "languages": ["fr"],
         "emergency_number": "112", "source": "https://www.internet-signalement.gouv.fr"},
        {"code": "europol", "country": "EU", "name": "Europol", "name_local": "Europol", "languages": ["en"],
         "emergency_number": "112"},
    ]))
    .unwrap()
}

pub fn provider(role: Role) -> Provider {
    Provider {
        name: "Exemple Live SAS".into(),
        address: "1 rue de l'Exemple, 75000 Paris".into(),
        establishment: "FR".into(),
        contact_point: "autorites@exemple.test".into(),
        size: "small".into(),
        role,
        ..Provider::default()
    }
}

impl Fake {
    pub fn new(lang: &str) -> Self {
        let words = Words::new(lang);
        let mut evidence = BTreeMap::new();
        let mut keep = |bytes: Bytes, kind| {
            let digest = Digest::of(&bytes);
            evidence.insert(digest, (bytes, kind));
            digest
        };
        let mut items = Vec::new();
        let lines = [
            ("22:09:12", "10 € tu lui mets une gifle mdr", Some("10.00 EUR")),
            ("22:11:40", "encore une, plus fort !!", Some("20.00 EUR")),
            ("22:12:55", "25 balles tu lui vides le seau d'eau dessus", Some("25.00 EUR")),
            ("22:13:31", "il bouge plus là non ?", None),
            ("22:13:36", "appelez le 15 c'est plus drôle", None),
            ("22:13:44", "he's not breathing, somebody call an ambulance", None),
            ("22:13:52", HOSTILE, None),
            ("22:14:01", "réveillez le svp", None),
        ];
        for (clock, quote, paid) in lines {
            let kind = if paid.is_some() { EvidenceKind::Donation } else { EvidenceKind::Chat };
            let body = serde_json::json!({ "at": clock, "text": quote }).to_string();
            items.push(EvidenceItem {
                digest: keep(Bytes::from(body), kind),
                kind,
                at: at(clock),
                href: String::new(),
                quote: Some(quote.into()),
                paid: paid.map(Into::into),
            });
        }
        let mut frames = Vec::new();
        for n in 0..6u8 {
            let digest = keep(picture(n), EvidenceKind::Frame);
            frames.push(digest);
            items.push(EvidenceItem {
                digest,
                kind: EvidenceKind::Frame,
                at: at("22:13:00").plus_ms(i64::from(n) * 11_000),
                href: format!("http://127.0.0.1:8787/api/v1/evidence/{digest}"),
                quote: None,
                paid: None,
            });
        }
        let chat: Vec<Digest> = items[3..8].iter().map(|item| item.digest).collect();
        let asked: Vec<Digest> = items[..3].iter().map(|item| item.digest).collect();
        let reason = |signal: Signal, value: f32, threshold, weight, evidence: &[Digest]| Reason {
            signal: signal.name().into(),
            value,
            threshold,
            weight,
            text: words.reason(signal, value),
            evidence: evidence.to_vec(),
        };
        let reasons = vec![
            reason(Signal::ChatDistressVoices2m, 5.0, Some(2.0), 0.42, &chat),
            reason(Signal::PictureStillAfterMotion30m, 95.0, Some(60.0), 0.31, &frames[3..]),
            reason(Signal::MoneyActs10m, 2.6, None, 0.17, &asked),
            reason(Signal::HistoryDaysWithActs90d, 11.2, None, 0.10, &[]),
        ];
        let channel = ChannelId::new("kick:4242");
        let top: Vec<(Signal, f32)> =
            reasons.iter().map(|r| (Signal::from_name(&r.signal).unwrap(), r.value)).collect();
        let summary = words.summary(&SummaryFacts {
            channel: "le_salon",
            level: Level::ThreatToLife,
            tense: Tense::Ongoing,
            reasons: &top,
            rule_reason: None,
            hours_live: Some(298.4),
        });
        let against = [
            (Counter::Signal(Signal::ChatLaughter60s), 0.22),
            (Counter::Signal(Signal::PictureViolencePeak60s), 0.12),
        ]
        .map(|(counter, value)| Against {
            signal: counter.name().into(),
            value,
            text: words.against(counter, value).unwrap(),
        });
        let alert = Alert {
            id: id(),
            revision: 4,
            channel: channel.clone(),
            url: Some("https://kick.test/le_salon".into()),
            title: Some("NUIT BLANCHE jour 12, on dort pas <b>!</b>".into()),
            category: Some("Just Chatting".into()),
            language: Some("fr".into()),
            language_measured: true,
            level: Level::ThreatToLife,
            level_now: Level::ThreatToLife,
            previous_level: Level::Danger,
            state: State::Open,
            tense: Tense::Ongoing,
            score: 0.97,
            rule: None,
            opened_at: at("22:11:42"),
            updated_at: at("22:14:03.120"),
            ended_at: None,
            previous: None,
            durable: true,
            suspected_offences: vec![Offence::ViolenceAgainstPerson, Offence::IncitementToViolence],
            summary,
            reasons,
            against: against.into(),
            donations: Donations {
                count: 42,
                sum_eur: Money("610.00".parse().unwrap()),
                coupling: Some(3.4),
                asking_for_acts: 11,
            },
            evidence: items,
            coverage: Coverage {
                chat: true,
                frames: true,
                donations: true,
                gaps: vec![Gap {
                    channel: Some(channel.clone()),
                    from: at("21:40:00"),
                    to: at("21:42:30"),
                }],
            },
            jurisdiction: jurisdiction(Some("FR"), "FR", &authorities()),
            recommended_measures: vec![
                Measure::HumanReviewNow,
                Measure::CallEmergencyNumber,
                Measure::InterruptStream,
                Measure::SuspendMonetisation,
            ],
            models: [
                ("chat", "chat@0.1.0"),
                ("frame", "frame@0.1.0"),
                ("escalation", "escalation@0.1.0"),
            ]
            .map(|(seat, model)| (seat.to_owned(), model.to_owned()))
            .into(),
            config: Digest::of(b"config").to_string(),
            console: format!("http://127.0.0.1:8787/alerts/{}", id()),
        };
        let person = |n: u8, role: &str, messages, paid: &str| Person {
            user: UserKey([n; 16]),
            role: role.into(),
            messages,
            paid_eur: Money(paid.parse().unwrap()),
            first: at("22:09:12"),
            last: at("22:12:55"),
        };
        let act = |n: usize,
                   clock: &str,
                   words: &str,
                   paid: &str,
                   look: Option<&str>,
                   violence,
                   motion| Act {
            request: asked[n],
            at: at(clock),
            words: words.into(),
            paid: Some(paid.into()),
            score: 0.93,
            look: look.map_or(Vec::new(), |_| frames[..3].to_vec()),
            look_at: look.map(at),
            violence,
            motion,
        };
        let facts = Facts {
            name: Some("le_salon".into()),
            country: Some("FR".into()),
            started_at: Some(Timestamp::parse("2025-08-05T11:50:00Z").unwrap()),
            hours_live: Some(298.4),
            viewers: Some(14_210),
            persons: vec![person(0xa1, "inciter", 7, "55.00"), person(0xb2, "witness", 3, "0")],
            acts: vec![
                act(
                    0,
                    "22:09:12",
                    "10 € tu lui mets une gifle mdr",
                    "10.00 EUR",
                    Some("22:09:31"),
                    Some(0.81),
                    Some(0.24),
                ),
                act(
                    1,
                    "22:11:40",
                    "encore une, plus fort !!",
                    "20.00 EUR",
                    Some("22:11:58"),
                    Some(0.88),
                    Some(0.31),
                ),
                act(
                    2,
                    "22:12:55",
                    "25 balles tu lui vides le seau d'eau dessus",
                    "25.00 EUR",
                    None,
                    None,
                    None,
                ),
            ],
            decisions: Vec::new(),
            notices: 2,
            days_with_acts: 11,
            measures: vec!["2024-12-16 suspend, 2024-12-20 reinstate".into()],
            rule_reason: Default::default(),
            incident: 3,
        };
        let row = |id: &str, name: &str, title: &str, category: &str, level, viewers| ChannelRow {
            id: ChannelId::new(id),
            name: Some(name.into()),
            title: Some(title.into()),
            category: Some(category.into()),
            live: true,
            level,
            level_floor: Level::None,
            viewers: Some(viewers),
            hours_live: Some(3.2),
            vulnerable: false,
            note: String::new(),
            frozen: false,
            unwatched: false,
            gaps: Vec::new(),
            feed: "demo".into(),
            last_event: Some(at("22:14:03")),
            alert: None,
        };
        let channels = vec![
            row(
                "kick:7",
                "gala_boxe",
                "Gala de boxe, poids moyens, en direct de la salle",
                "Sports",
                Level::Watch,
                8_120,
            ),
            row(
                "kick:9",
                "marathon_asso",
                "48 h pour les animaux, palier à 50 000 €",
                "Charity",
                Level::None,
                21_400,
            ),
            ChannelRow {
                vulnerable: false,
                note: String::new(),
                frozen: true,
                ..row("kick:11", "dodo", "je dors, chut", "Sleep", Level::None, 310)
            },
            ChannelRow {
                unwatched: true,
                live: false,
                level_floor: Level::Watch,
                viewers: None,
                ..row("twitch:77", "ranked_all_day", "ranked till diamond", "Games", Level::None, 0)
            },
            ChannelRow {
                alert: Some(id()),
                hours_live: Some(298.4),
                ..row(
                    "kick:4242",
                    "le_salon",
                    "NUIT BLANCHE jour 12, on dort pas <b>!</b>",
                    "Just Chatting",
                    Level::ThreatToLife,
                    14_210,
                )
            },
        ];
        let (live, _) = broadcast::channel(4);
        let change = Change { kind: ChangeKind::Raised, alert, facts, reached: None };
        Self { words, live, change, channels, evidence, broken: false }
    }

    /// Taken by somebody.
    pub fn taken(mut self) -> Self {
        self.change.alert.state = State::Acknowledged;
        self.change.facts.decisions.push(Decision {
            alert: id(),
            kind: DecisionKind::Acknowledge,
            by: "Noor".into(),
            why: "je regarde".into(),
            at: at("22:15:00"),
        });
        self
    }

    pub fn dossier_in(&self, lang: &str, role: Role) -> Dossier {
        let provider = provider(role);
        let source = Source {
            alert: &self.change.alert,
            facts: &self.change.facts,
            provider: &provider,
            authorities: &authorities(),
            now: at("22:16:00"),
            zone: "Europe/Paris",
            preservation: &Preservation::default(),
            opened: &[],
            calls: &[],
        };
        Dossier::new(&source, &Words::new(lang))
    }

    fn answer<T: Send + 'static>(&self, value: T) -> BoxFuture<'_, DeskResult<T>> {
        if self.broken {
            return ready(Err(DeskError::Unavailable("secret path /var/lib".into()))).boxed();
        }
        ready(Ok(value)).boxed()
    }
}

impl Desk for Fake {
    fn alerts(&self, filter: AlertFilter) -> BoxFuture<'_, DeskResult<AlertPage>> {
        let alert = self.change.alert.clone();
        let fits = filter.level.is_none_or(|level| level == alert.level)
            && filter.state.is_none_or(|state| state == alert.state)
            && filter.channel.is_none_or(|channel| channel == alert.channel)
            && filter.after.is_none();
        self.answer(AlertPage { items: if fits { vec![alert] } else { Vec::new() }, next: None })
    }

    fn alert(&self, wanted: Uuid) -> BoxFuture<'_, DeskResult<Option<Change>>> {
        self.answer((wanted == id()).then(|| self.change.clone()))
    }

    fn channels(&self) -> BoxFuture<'_, DeskResult<Vec<ChannelRow>>> {
        self.answer(self.channels.clone())
    }

    fn timeline(
        &self,
        channel: ChannelId,
    ) -> BoxFuture<'_, DeskResult<Option<Vec<TimelinePoint>>>> {
        let points = (0..180).map(|i| {
            let t = i as f32;
            let value = |s: Signal, v: f32| (s.name().to_owned(), v);
            let mut values = vec![
                value(Signal::MoneyActs10m, ((t / 28.0).sin().abs() * 2.6).min(t / 40.0)),
                value(Signal::HistoryDaysWithActs90d, 11.2),
                value(
                    Signal::ChatDistressVoices2m,
                    if t > 150.0 { ((t - 150.0) / 5.0).floor().min(5.0) } else { 0.0 },
                ),
            ];
            // The pictures paused for a while.
            if !(60..75).contains(&i) {
                values.push(value(Signal::PictureStillAfterMotion30m, (t - 130.0).max(0.0) * 2.0));
            }
            let level = match i {
                0..95 => Level::None,
                95..120 => Level::Watch,
                120..140 => Level::Concern,
                140..165 => Level::Danger,
                _ => Level::ThreatToLife,
            };
            TimelinePoint { at: at("22:07:30").plus_ms(i * 2_200), level, values }
        });
        self.answer((channel.as_str() == "kick:4242").then(|| points.collect()))
    }

    fn evidence(&self, digest: Digest) -> BoxFuture<'_, DeskResult<Option<(Bytes, EvidenceKind)>>> {
        self.answer(self.evidence.get(&digest).cloned())
    }

    fn dossier(
        &self,
        wanted: Uuid,
        lang: &'static str,
    ) -> BoxFuture<'_, DeskResult<Option<Dossier>>> {
        self.answer((wanted == id()).then(|| self.dossier_in(lang, Role::Provider)))
    }

    fn ready(&self) -> Ready {
        Ready {
            ready: !self.broken,
            degraded: vec!["feed twitch: no connection since 22:10:00".into()],
            unwatched: vec![ChannelId::new("twitch:77")],
            inactive_rules: vec!["weapon".into()],
        }
    }

    fn metrics(&self) -> String {
        "# HELP vigie_build_info Version.\n# TYPE vigie_build_info gauge\nvigie_build_info{version=\"0\"} 1\n".into()
    }

    fn subscribe(&self) -> broadcast::Receiver<Live> {
        self.live.subscribe()
    }
}

pub fn shared(fake: Fake) -> (Arc<Fake>, Arc<dyn Desk>) {
    let fake = Arc::new(fake);
    (fake.clone(), fake)
}
