//! What happens on the platforms: a timeline of lines of the wire format, drawn from the seed. Words and pictures carry
//! their scores in plain sight (`distress=0.93`), so that they need no model and get the same scores every time.

use serde_json::{Value, json};
use vigie::event::{CHAT_LABELS, FRAME_LABELS, Score, Scores, Timestamp};
use vigie::model::text::manner;
use vigie::model::{Looked, Message, MessageScores};

use super::lots::Lots;

/// One line, and when its platform tells it, in milliseconds of the evening.
#[derive(Clone, Debug)]
pub struct Line {
    pub told: i64,
    pub text: String,
}

/// What each platform tells, in order.
#[derive(Clone, Debug, Default)]
pub struct Story {
    pub feeds: Vec<Vec<Line>>,
}

/// How a story is made.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The first moment of each platform's evening.
    pub begins: Vec<Timestamp>,
    pub channels: i64,
    pub lasts: i64,
    /// Lines a second of a channel that is flooded; 0: none is.
    pub flood: i64,
    /// Two feeds tell of one channel more, the same donations under other ids.
    pub twins: bool,
}

/// The channel that two feeds tell of.
pub const TWINS: &str = "sim:twins";

/// The channel that is flooded, if one is.
pub const FLOODED: &str = "sim:0";

/// What people are called, and how their ids begin: they must be told nowhere.
pub const NAME: &str = "Nom Inconnu";
pub const PERSON: &str = "person-";

struct Writer<'a> {
    lots: Lots,
    shape: &'a Shape,
    feed: usize,
    channel: String,
    n: u32,
    lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Calm,
    SelfHarm,
    Distress,
    Acts,
    Blows,
    Still,
    Offline,
    Silence,
    Notices,
}

const PHASES: [Phase; 12] = [
    Phase::Calm,
    Phase::Calm,
    Phase::SelfHarm,
    Phase::SelfHarm,
    Phase::Distress,
    Phase::Distress,
    Phase::Acts,
    Phase::Blows,
    Phase::Still,
    Phase::Offline,
    Phase::Silence,
    Phase::Notices,
];

pub fn story(seed: u64, shape: &Shape) -> Story {
    let feeds = shape.begins.len();
    let mut all: Vec<Vec<Line>> = vec![Vec::new(); feeds];
    for nth in 0..shape.channels {
        let feed = nth as usize % feeds;
        let channel = format!("sim:{nth}");
        let lots = Lots::of(seed, &channel);
        let mut writer = Writer { lots, shape, feed, channel, n: 0, lines: Vec::new() };
        writer.evening();
        if shape.flood > 0 && nth == 0 {
            writer.flood();
        }
        all[feed].append(&mut writer.lines);
    }
    if shape.twins && feeds > 1 {
        let lots = Lots::of(seed, TWINS);
        let mut writer =
            Writer { lots, shape, feed: 0, channel: TWINS.into(), n: 0, lines: Vec::new() };
        let other = writer.twins();
        all[0].append(&mut writer.lines);
        all[1].extend(other);
    }
    for (feed, lines) in all.iter_mut().enumerate() {
        gaps(seed, shape, feed, lines);
        lines.sort_by_key(|line| line.told);
        // Time goes on at the end, so that looks close.
        for n in 1..=2 {
            let told = shape.lasts + n * 5_000;
            let at = shape.begins[feed].plus_ms(told);
            let text = json!({"type": "chat", "id": format!("end-{feed}-{n}"), "at": at,
                "channel": format!("sim:end{feed}"), "text": "bye"});
            lines.push(Line { told, text: text.to_string() });
        }
    }
    Story { feeds: all }
}

/// A platform tells of holes in what it could tell: of one channel, or of all, also of those that sleep.
fn gaps(seed: u64, shape: &Shape, feed: usize, lines: &mut Vec<Line>) {
    let mut lots = Lots::of(seed, &format!("gaps {feed}"));
    for _ in 0..lots.within(0..4) {
        let told = lots.within(10_000..shape.lasts);
        let (from, to) = (told - lots.within(3_000..60_000), told - lots.within(0..3_000));
        let at = |ms: i64| shape.begins[feed].plus_ms(ms);
        let mut gap = json!({"type": "gap", "from": at(from), "to": at(to)});
        let own = (0..shape.channels).filter(|nth| *nth as usize % shape.begins.len() == feed);
        let own: Vec<i64> = own.collect();
        if lots.permille(300) {
            gap["channel"] = format!("sim:{}", lots.one(&own)).into();
        }
        lines.push(Line { told, text: gap.to_string() });
    }
}

impl Writer<'_> {
    fn evening(&mut self) {
        let mut now = self.lots.within(0..3_000);
        self.stream(now, "live");
        while now < self.shape.lasts {
            let end = (now + self.lots.within(8_000..45_000)).min(self.shape.lasts);
            let phase = *self.lots.one(&PHASES);
            self.phase(phase, now, end);
            now = end;
        }
    }

    fn phase(&mut self, phase: Phase, from: i64, to: i64) {
        let mut now = from;
        let mut look = 0;
        if matches!(phase, Phase::Offline) {
            self.stream(now, "offline");
        }
        while now < to {
            match phase {
                Phase::Calm => {
                    self.chat(now, "calm=1");
                    now += self.lots.within(300..4_000);
                }
                Phase::SelfHarm => {
                    let what = *self.lots.one(&["self_harm", "self_harm_urging", "distress"]);
                    let score = self.lots.within(60..99);
                    self.chat(now, &format!("{what}=0.{score}"));
                    now += self.lots.within(300..3_000);
                }
                Phase::Distress => {
                    let score = self.lots.within(55..99);
                    self.chat(now, &format!("distress=0.{score}"));
                    now += self.lots.within(200..3_000);
                }
                Phase::Acts => {
                    let score = self.lots.within(60..99);
                    match self.lots.permille(800) {
                        true => self.donation(now, &format!("incitement=0.{score}")),
                        false => self.reward(now, &format!("incitement=0.{score}")),
                    }
                    now += self.lots.within(1_000..6_000);
                }
                Phase::Blows => {
                    let score = self.lots.within(60..99);
                    self.look(now, &format!("violence=0.{score} motion=0.2"), look);
                    look += 1;
                    now += self.lots.within(4_000..12_000);
                }
                Phase::Still => {
                    self.look(now, "violence=0.02 person_down=0.8 motion=0.001", 0);
                    now += self.lots.within(5_000..15_000);
                }
                Phase::Notices => {
                    self.notice(now);
                    now += self.lots.within(3_000..20_000);
                }
                Phase::Silence | Phase::Offline => now = to,
            }
        }
        if matches!(phase, Phase::Offline) {
            self.stream(to, "live");
        }
    }

    /// Some hundred lines a second for some seconds, by few authors.
    fn flood(&mut self) {
        let from = self.lots.within(20_000..self.shape.lasts * 2 / 3);
        let seconds = self.lots.within(4..12);
        for n in 0..self.shape.flood * seconds {
            let told = from + n * 1_000 / self.shape.flood;
            // Somebody pays to be read, twice a second; that must never be shed.
            if n % (self.shape.flood / 2) == 0 {
                self.donation(told, "a gift in the flood");
            }
            let author = n % 3;
            self.event(
                told,
                0,
                "chat",
                json!({"user": {"id": format!("{PERSON}loud-{author}")},
                "text": format!("harassment=0.4 flood {n}")}),
            );
        }
    }

    /// The same donations on both platforms, under other ids, some seconds apart, and events that both tell alike.
    fn twins(&mut self) -> Vec<Line> {
        let mut other = Vec::new();
        let mut now = 2_000;
        while now < self.shape.lasts - 20_000 {
            let later = self.lots.within(-8_000..8_000);
            let text = format!("gift {}", self.n);
            let mine = self.lines.len();
            match self.lots.permille(700) {
                true => self.donation(now, &text),
                false => self.chat(now, &text),
            }
            let line = self.lines[mine].clone();
            let mut twin: Value = serde_json::from_str(&line.text).expect("JSON");
            if twin["type"] == "donation" {
                twin["id"] = format!("other-{}", self.n).into();
            }
            // Their clocks agree; what one of them tells later, happened when it did.
            let between = self.shape.begins[1].since(self.shape.begins[0]);
            if between == 0 {
                other.push(Line { told: (line.told + later).max(0), text: twin.to_string() });
            }
            now += self.lots.within(2_000..15_000);
        }
        other
    }

    fn chat(&mut self, told: i64, text: &str) {
        let lag = self.lag();
        let author = self.lots.within(0..40);
        let text = format!("{text} #{}", self.n);
        self.event(
            told,
            lag,
            "chat",
            json!({"user": {"id": format!("{PERSON}{author}"), "name": NAME},
            "text": text}),
        );
        // Some platforms tell something twice, or stammer.
        if self.lots.permille(30)
            && let Some(line) = self.lines.last().cloned()
        {
            let told = told + self.lots.within(0..4_000);
            self.lines.push(Line { told, ..line });
        }
        if self.lots.permille(10) {
            self.lines.push(Line { told, text: "{\"type\":\"chat\",\"id\":".into() });
        }
    }

    /// How long ago it happened: most often just now; once in a while so long that it is only counted.
    fn lag(&mut self) -> i64 {
        match self.lots.within(0..200) {
            0 => self.lots.within(610_000..700_000),
            1..10 => self.lots.within(1_000..20_000),
            _ => self.lots.within(0..400),
        }
    }

    fn donation(&mut self, told: i64, text: &str) {
        let author = self.lots.within(0..12);
        let (euros, cents) = (self.lots.within(1..60), self.lots.within(10..99));
        let text = format!("{text} #{}", self.n);
        self.event(
            told,
            0,
            "donation",
            json!({"user": {"id": format!("{PERSON}g{author}")}, "source": "tip",
            "amount": {"value": format!("{euros}.{cents}"), "currency": "EUR"}, "text": text}),
        );
    }

    fn reward(&mut self, told: i64, text: &str) {
        let text = format!("{text} #{}", self.n);
        self.event(
            told,
            0,
            "reward",
            json!({"user": {"id": format!("{PERSON}r")}, "text": text,
            "reward": {"title": "a wish", "cost": 500, "unit": "points"}}),
        );
    }

    fn notice(&mut self, told: i64) {
        self.event(
            told,
            0,
            "notice",
            json!({"notifier": {"id": "n1", "name": NAME},
            "text": "distress=0.9 a notice"}),
        );
    }

    fn stream(&mut self, told: i64, state: &str) {
        let category = *self.lots.one(&["Just Chatting", "Boxing", "Minecraft"]);
        self.event(
            told,
            0,
            "stream",
            json!({"state": state, "name": "a channel", "title": "an evening",
            "category": category, "language": "fr", "country": "FR", "viewers": 100}),
        );
    }

    /// A burst of pictures.
    fn look(&mut self, told: i64, shows: &str, scene: i64) {
        use base64::Engine as _;
        let (id, of) = (format!("L{}", self.n), self.lots.within(1..5));
        // The last picture of some looks never comes.
        let come = if self.lots.permille(150) && of > 1 { of - 1 } else { of };
        for n in 1..=come {
            let picture = format!("{shows} scene={scene} #{}", self.n);
            let data = base64::engine::general_purpose::STANDARD.encode(picture);
            self.event(
                told + n * 250,
                0,
                "frame",
                json!({"media": "image/jpeg",
                "look": {"id": id, "n": n, "of": of}, "data": data}),
            );
        }
    }

    fn event(&mut self, told: i64, lag: i64, kind: &str, rest: Value) {
        self.n += 1;
        let mut event = json!({"type": kind, "id": format!("{}/{}", self.channel, self.n),
            "at": self.shape.begins[self.feed].plus_ms(told - lag), "channel": self.channel});
        let Value::Object(rest) = rest else { return };
        event.as_object_mut().expect("an object").extend(rest);
        self.lines.push(Line { told, text: event.to_string() });
    }
}

/// The value that a text gives a word.
fn value(text: &str, word: &str) -> Option<f32> {
    text.split(' ')
        .find_map(|part| part.split_once('=').filter(|(name, _)| *name == word))?
        .1
        .parse()
        .ok()
}

/// What a model would say of a message.
pub fn message_scores(message: &Message) -> MessageScores {
    let mut own = Scores::default();
    for label in CHAT_LABELS {
        let score = value(&message.text, label.name()).unwrap_or(0.01);
        own.set(label as usize, Score::new(score).expect("finite"));
    }
    let plain = message.setting.excuses().then_some(own);
    MessageScores { own, plain, manner: Some(manner(&message.text)) }
}

/// What a model would say of a look.
pub fn look_scores(pictures: &[bytes::Bytes]) -> Looked {
    let text = |bytes: &bytes::Bytes| String::from_utf8_lossy(bytes).into_owned();
    let first = pictures.first().map(text).unwrap_or_default();
    let mut scores = Scores::default();
    for label in FRAME_LABELS {
        let usual = if label.name() == "camera" { 0.9 } else { 0.01 };
        let score = value(&first, label.name()).unwrap_or(usual);
        scores.set(label as usize, Score::new(score).expect("finite"));
    }
    let motion = value(&first, "motion").filter(|_| pictures.len() > 1);
    let scene = value(&first, "scene").unwrap_or(0.0) as u8;
    Looked {
        scores,
        motion,
        thumb: vec![scene.wrapping_mul(40); 64],
        used: vec![true; pictures.len()],
        problems: Vec::new(),
    }
}
