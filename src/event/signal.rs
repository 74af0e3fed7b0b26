//! The names of everything that a channel remembers: one table that `channel` fills, `risk` compares, the
//! escalation model reads and `vigie schema signals` prints.

/// `harm` signals may only raise a level; `context` signals are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    Harm,
    Context,
}

/// One signal: its name `family.name.window`, unit, range, kind and meaning. A window `w` of a sum fades with a
/// half-life of `w`/2; `now` is the present state.
#[derive(Clone, Copy, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct SignalDef {
    pub name: &'static str,
    pub unit: &'static str,
    pub min: f32,
    pub max: f32,
    pub kind: SignalKind,
    pub about: &'static str,
}

/// Number of signals.
pub const COUNT: usize = 78;

/// A signal by its place in [`SIGNALS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    ChatThreat60s,
    ChatThreat10m,
    ChatThreat24h,
    ChatThreat30d,
    ChatIncitement60s,
    ChatIncitement10m,
    ChatIncitement24h,
    ChatIncitement30d,
    ChatSelfHarm60s,
    ChatSelfHarm10m,
    ChatSelfHarm24h,
    ChatSelfHarm30d,
    ChatSelfHarmUrging60s,
    ChatSelfHarmUrging10m,
    ChatSelfHarmUrging24h,
    ChatSelfHarmUrging30d,
    ChatDistress60s,
    ChatDistress10m,
    ChatDistress24h,
    ChatDistress30d,
    ChatHarassment60s,
    ChatHarassment10m,
    ChatHarassment24h,
    ChatHarassment30d,
    ChatSexualAbuse60s,
    ChatSexualAbuse10m,
    ChatSexualAbuse24h,
    ChatSexualAbuse30d,
    ChatToxicity60s,
    ChatToxicity10m,
    ChatToxicity24h,
    ChatToxicity30d,
    ChatThreatPeak60s,
    ChatSelfHarmPeak60s,
    ChatThreatVoices2m,
    ChatIncitementVoices2m,
    ChatSelfHarmUrgingVoices2m,
    ChatDistressVoices2m,
    ChatHarassmentVoices2m,
    ChatMessages60s,
    ChatAlike60s,
    ChatLaughter60s,
    MoneyPaid10m,
    MoneyEur10m,
    MoneyEur24h,
    MoneyActs10m,
    MoneyActs24h,
    MoneyActs30d,
    MoneyActsEur10m,
    MoneyActsEur24h,
    MoneyActsEur30d,
    CouplingViolenceAfterMoney10m,
    CouplingViolenceAfterMoney24h,
    CouplingViolenceAfterMoney30d,
    CouplingMoneyAfterViolence10m,
    CouplingMoneyAfterViolence24h,
    CouplingMoneyAfterViolence30d,
    CouplingMotionAfterMoney10m,
    CouplingMotionAfterMoney24h,
    CouplingDistressAfterMoney24h,
    CouplingLift24h,
    PictureViolencePeak60s,
    PictureViolence10m,
    PictureViolence24h,
    PictureViolence30d,
    PicturePersonDownPeak60s,
    PictureNudityPeak60s,
    PictureWeaponPeak60s,
    PictureMotion60s,
    PictureCamera2m,
    PictureStill30m,
    PictureStillAfterMotion30m,
    PictureFrozenNow,
    StreamHoursLiveNow,
    StreamViewersNow,
    HistoryDaysWithActs90d,
    HistoryMeasures90d,
    NoticeCount7d,
}

use Signal as S;
use SignalKind::{Context, Harm};

const ALL: [Signal; COUNT] = [
    S::ChatThreat60s,
    S::ChatThreat10m,
    S::ChatThreat24h,
    S::ChatThreat30d,
    S::ChatIncitement60s,
    S::ChatIncitement10m,
    S::ChatIncitement24h,
    S::ChatIncitement30d,
    S::ChatSelfHarm60s,
    S::ChatSelfHarm10m,
    S::ChatSelfHarm24h,
    S::ChatSelfHarm30d,
    S::ChatSelfHarmUrging60s,
    S::ChatSelfHarmUrging10m,
    S::ChatSelfHarmUrging24h,
    S::ChatSelfHarmUrging30d,
    S::ChatDistress60s,
    S::ChatDistress10m,
    S::ChatDistress24h,
    S::ChatDistress30d,
    S::ChatHarassment60s,
    S::ChatHarassment10m,
    S::ChatHarassment24h,
    S::ChatHarassment30d,
    S::ChatSexualAbuse60s,
    S::ChatSexualAbuse10m,
    S::ChatSexualAbuse24h,
    S::ChatSexualAbuse30d,
    S::ChatToxicity60s,
    S::ChatToxicity10m,
    S::ChatToxicity24h,
    S::ChatToxicity30d,
    S::ChatThreatPeak60s,
    S::ChatSelfHarmPeak60s,
    S::ChatThreatVoices2m,
    S::ChatIncitementVoices2m,
    S::ChatSelfHarmUrgingVoices2m,
    S::ChatDistressVoices2m,
    S::ChatHarassmentVoices2m,
    S::ChatMessages60s,
    S::ChatAlike60s,
    S::ChatLaughter60s,
    S::MoneyPaid10m,
    S::MoneyEur10m,
    S::MoneyEur24h,
    S::MoneyActs10m,
    S::MoneyActs24h,
    S::MoneyActs30d,
    S::MoneyActsEur10m,
    S::MoneyActsEur24h,
    S::MoneyActsEur30d,
    S::CouplingViolenceAfterMoney10m,
    S::CouplingViolenceAfterMoney24h,
    S::CouplingViolenceAfterMoney30d,
    S::CouplingMoneyAfterViolence10m,
    S::CouplingMoneyAfterViolence24h,
    S::CouplingMoneyAfterViolence30d,
    S::CouplingMotionAfterMoney10m,
    S::CouplingMotionAfterMoney24h,
    S::CouplingDistressAfterMoney24h,
    S::CouplingLift24h,
    S::PictureViolencePeak60s,
    S::PictureViolence10m,
    S::PictureViolence24h,
    S::PictureViolence30d,
    S::PicturePersonDownPeak60s,
    S::PictureNudityPeak60s,
    S::PictureWeaponPeak60s,
    S::PictureMotion60s,
    S::PictureCamera2m,
    S::PictureStill30m,
    S::PictureStillAfterMotion30m,
    S::PictureFrozenNow,
    S::StreamHoursLiveNow,
    S::StreamViewersNow,
    S::HistoryDaysWithActs90d,
    S::HistoryMeasures90d,
    S::NoticeCount7d,
];

/// Every signal, in the order of [`Signal`].
pub static SIGNALS: [SignalDef; COUNT] = [
    def("chat.threat.60s", "messages", 10000.0, Harm, "messages that threaten someone"),
    def("chat.threat.10m", "messages", 10000.0, Harm, "messages that threaten someone"),
    def("chat.threat.24h", "messages", 10000.0, Harm, "messages that threaten someone"),
    def("chat.threat.30d", "messages", 10000.0, Harm, "messages that threaten someone"),
    def(
        "chat.incitement.60s",
        "messages",
        10000.0,
        Harm,
        "messages that ask, dare or pay for an act that hurts someone",
    ),
    def(
        "chat.incitement.10m",
        "messages",
        10000.0,
        Harm,
        "messages that ask, dare or pay for an act that hurts someone",
    ),
    def(
        "chat.incitement.24h",
        "messages",
        10000.0,
        Harm,
        "messages that ask, dare or pay for an act that hurts someone",
    ),
    def(
        "chat.incitement.30d",
        "messages",
        10000.0,
        Harm,
        "messages that ask, dare or pay for an act that hurts someone",
    ),
    def("chat.self_harm.60s", "messages", 10000.0, Harm, "messages announcing self-harm"),
    def("chat.self_harm.10m", "messages", 10000.0, Harm, "messages announcing self-harm"),
    def("chat.self_harm.24h", "messages", 10000.0, Harm, "messages announcing self-harm"),
    def("chat.self_harm.30d", "messages", 10000.0, Harm, "messages announcing self-harm"),
    def(
        "chat.self_harm_urging.60s",
        "messages",
        10000.0,
        Harm,
        "messages urging someone to self-harm",
    ),
    def(
        "chat.self_harm_urging.10m",
        "messages",
        10000.0,
        Harm,
        "messages urging someone to self-harm",
    ),
    def(
        "chat.self_harm_urging.24h",
        "messages",
        10000.0,
        Harm,
        "messages urging someone to self-harm",
    ),
    def(
        "chat.self_harm_urging.30d",
        "messages",
        10000.0,
        Harm,
        "messages urging someone to self-harm",
    ),
    def(
        "chat.distress.60s",
        "messages",
        10000.0,
        Harm,
        "messages saying that someone is in danger now",
    ),
    def(
        "chat.distress.10m",
        "messages",
        10000.0,
        Harm,
        "messages saying that someone is in danger now",
    ),
    def(
        "chat.distress.24h",
        "messages",
        10000.0,
        Harm,
        "messages saying that someone is in danger now",
    ),
    def(
        "chat.distress.30d",
        "messages",
        10000.0,
        Harm,
        "messages saying that someone is in danger now",
    ),
    def(
        "chat.harassment.60s",
        "messages",
        10000.0,
        Harm,
        "messages that insult or humiliate someone",
    ),
    def(
        "chat.harassment.10m",
        "messages",
        10000.0,
        Harm,
        "messages that insult or humiliate someone",
    ),
    def(
        "chat.harassment.24h",
        "messages",
        10000.0,
        Harm,
        "messages that insult or humiliate someone",
    ),
    def(
        "chat.harassment.30d",
        "messages",
        10000.0,
        Harm,
        "messages that insult or humiliate someone",
    ),
    def(
        "chat.sexual_abuse.60s",
        "messages",
        10000.0,
        Harm,
        "sexual messages about a person without consent",
    ),
    def(
        "chat.sexual_abuse.10m",
        "messages",
        10000.0,
        Harm,
        "sexual messages about a person without consent",
    ),
    def(
        "chat.sexual_abuse.24h",
        "messages",
        10000.0,
        Harm,
        "sexual messages about a person without consent",
    ),
    def(
        "chat.sexual_abuse.30d",
        "messages",
        10000.0,
        Harm,
        "sexual messages about a person without consent",
    ),
    def("chat.toxicity.60s", "messages", 10000.0, Harm, "rude or hateful messages"),
    def("chat.toxicity.10m", "messages", 10000.0, Harm, "rude or hateful messages"),
    def("chat.toxicity.24h", "messages", 10000.0, Harm, "rude or hateful messages"),
    def("chat.toxicity.30d", "messages", 10000.0, Harm, "rude or hateful messages"),
    def("chat.threat_peak.60s", "probability", 1.0, Harm, "highest threat score, fading"),
    def(
        "chat.self_harm_peak.60s",
        "probability",
        1.0,
        Harm,
        "highest score of announced self-harm, fading",
    ),
    def(
        "chat.threat_voices.2m",
        "voices",
        32.0,
        Harm,
        "different people behind messages that threaten someone",
    ),
    def(
        "chat.incitement_voices.2m",
        "voices",
        32.0,
        Harm,
        "different people behind messages that ask, dare or pay for an act that hurts someone",
    ),
    def(
        "chat.self_harm_urging_voices.2m",
        "voices",
        32.0,
        Harm,
        "different people behind messages urging someone to self-harm",
    ),
    def(
        "chat.distress_voices.2m",
        "voices",
        32.0,
        Harm,
        "different people behind messages saying that someone is in danger now",
    ),
    def(
        "chat.harassment_voices.2m",
        "voices",
        32.0,
        Harm,
        "different people behind messages that insult or humiliate someone",
    ),
    def("chat.messages.60s", "messages", 100000.0, Context, "all messages"),
    def(
        "chat.alike.60s",
        "share",
        1.0,
        Context,
        "share of messages that repeat a recent one nearly word for word",
    ),
    def("chat.laughter.60s", "share", 1.0, Context, "share of messages that laugh"),
    def("money.paid.10m", "gifts", 100000.0, Context, "gifts and rewards of any kind"),
    def("money.eur.10m", "EUR", 1000000.0, Context, "money given, whatever for"),
    def("money.eur.24h", "EUR", 10000000.0, Context, "money given, whatever for"),
    def(
        "money.acts.10m",
        "gifts",
        100000.0,
        Harm,
        "paid messages that ask for an act that hurts someone",
    ),
    def(
        "money.acts.24h",
        "gifts",
        100000.0,
        Harm,
        "paid messages that ask for an act that hurts someone",
    ),
    def(
        "money.acts.30d",
        "gifts",
        100000.0,
        Harm,
        "paid messages that ask for an act that hurts someone",
    ),
    def(
        "money.acts_eur.10m",
        "EUR",
        10000000.0,
        Harm,
        "money given with requests for acts that hurt someone",
    ),
    def(
        "money.acts_eur.24h",
        "EUR",
        10000000.0,
        Harm,
        "money given with requests for acts that hurt someone",
    ),
    def(
        "money.acts_eur.30d",
        "EUR",
        10000000.0,
        Harm,
        "money given with requests for acts that hurt someone",
    ),
    def(
        "coupling.violence_after_money.10m",
        "looks",
        100000.0,
        Harm,
        "looks at violence soon after paid requests for acts",
    ),
    def(
        "coupling.violence_after_money.24h",
        "looks",
        100000.0,
        Harm,
        "looks at violence soon after paid requests for acts",
    ),
    def(
        "coupling.violence_after_money.30d",
        "looks",
        100000.0,
        Harm,
        "looks at violence soon after paid requests for acts",
    ),
    def(
        "coupling.money_after_violence.10m",
        "gifts",
        100000.0,
        Harm,
        "gifts soon after violence in the picture",
    ),
    def(
        "coupling.money_after_violence.24h",
        "gifts",
        100000.0,
        Harm,
        "gifts soon after violence in the picture",
    ),
    def(
        "coupling.money_after_violence.30d",
        "gifts",
        100000.0,
        Harm,
        "gifts soon after violence in the picture",
    ),
    def(
        "coupling.motion_after_money.10m",
        "looks",
        100000.0,
        Harm,
        "bursts of motion soon after paid requests for acts",
    ),
    def(
        "coupling.motion_after_money.24h",
        "looks",
        100000.0,
        Harm,
        "bursts of motion soon after paid requests for acts",
    ),
    def(
        "coupling.distress_after_money.24h",
        "messages",
        100000.0,
        Harm,
        "messages of distress soon after paid requests for acts",
    ),
    def(
        "coupling.lift.24h",
        "ratio",
        1000.0,
        Context,
        "violence after money, compared with chance",
    ),
    def(
        "picture.violence_peak.60s",
        "probability",
        1.0,
        Harm,
        "highest violence of a look, fading",
    ),
    def("picture.violence.10m", "looks", 100000.0, Harm, "looks at violence"),
    def("picture.violence.24h", "looks", 100000.0, Harm, "looks at violence"),
    def("picture.violence.30d", "looks", 100000.0, Harm, "looks at violence"),
    def(
        "picture.person_down_peak.60s",
        "probability",
        1.0,
        Harm,
        "highest probability that a person lies fallen, fading",
    ),
    def("picture.nudity_peak.60s", "probability", 1.0, Harm, "highest nudity of a look, fading"),
    def(
        "picture.weapon_peak.60s",
        "probability",
        1.0,
        Harm,
        "highest probability of a weapon, fading",
    ),
    def("picture.motion.60s", "fraction", 1.0, Context, "how much the picture moves"),
    def(
        "picture.camera.2m",
        "probability",
        1.0,
        Context,
        "probability that the picture is filmed, last look",
    ),
    def(
        "picture.still.30m",
        "seconds",
        86400.0,
        Harm,
        "longest time in which nothing in the picture moved, fading",
    ),
    def(
        "picture.still_after_motion.30m",
        "seconds",
        86400.0,
        Harm,
        "longest stillness that began within 10 minutes of strong motion, fading",
    ),
    def(
        "picture.frozen.now",
        "flag",
        1.0,
        Context,
        "the same picture is told again and again: the feed is frozen",
    ),
    def("stream.hours_live.now", "hours", 10000.0, Context, "unbroken time live"),
    def(
        "stream.viewers.now",
        "viewers",
        100000000.0,
        Context,
        "viewers as the platform tells them",
    ),
    def(
        "history.days_with_acts.90d",
        "days",
        90.0,
        Harm,
        "days with paid requests for acts, fading",
    ),
    def(
        "history.measures.90d",
        "measures",
        1000.0,
        Harm,
        "measures against the channel, lifted ones included, fading",
    ),
    def("notice.count.7d", "notices", 1000.0, Harm, "notices received about the channel, fading"),
];

const fn def(
    name: &'static str,
    unit: &'static str,
    max: f32,
    kind: SignalKind,
    about: &'static str,
) -> SignalDef {
    SignalDef { name, unit, min: 0.0, max, kind, about }
}

impl Signal {
    pub fn all() -> impl Iterator<Item = Signal> {
        ALL.into_iter()
    }

    pub fn def(self) -> &'static SignalDef {
        &SIGNALS[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.def().name
    }

    /// The name as CEL writes it: dots become underscores.
    pub fn cel_name(self) -> String {
        self.name().replace('.', "_")
    }

    /// Finds it by its dotted or its CEL name.
    pub fn from_name(name: &str) -> Option<Signal> {
        ALL.into_iter().find(|s| s.name() == name || s.cel_name() == name)
    }

    /// The middle part of the name: `distress` of `chat.distress.60s`.
    pub fn stem(self) -> &'static str {
        self.name().split('.').nth(1).unwrap_or_default()
    }
}

/// The values of one channel at one time; a signal without a model or a feed behind it has none.
#[derive(Clone, Debug, PartialEq)]
pub struct Signals {
    value: [f32; COUNT],
    present: u128,
}

impl Default for Signals {
    fn default() -> Self {
        Self { value: [0.0; COUNT], present: 0 }
    }
}

impl Signals {
    /// Sets a value, clamped to the signal's range; a value that is not finite is dropped.
    pub fn set(&mut self, signal: Signal, value: f64) {
        if value.is_finite() {
            let def = signal.def();
            self.value[signal as usize] = (value as f32).clamp(def.min, def.max);
            self.present |= 1 << (signal as usize);
        }
    }

    pub fn clear(&mut self, signal: Signal) {
        self.value[signal as usize] = 0.0;
        self.present &= !(1 << (signal as usize));
    }

    pub fn get(&self, signal: Signal) -> Option<f32> {
        (self.present & (1 << (signal as usize)) != 0).then(|| self.value[signal as usize])
    }

    /// The value, or the lowest of the signal's range where it has none: what the escalation model is given.
    pub fn or_lowest(&self, signal: Signal) -> f32 {
        self.get(signal).unwrap_or(signal.def().min)
    }
}

impl Signal {
    /// `chat.<label>.<window>`: the sums of one chat label, shortest window first.
    pub fn chat_sums(label: super::ChatLabel) -> [Signal; 4] {
        let base = label as usize * 4;
        [ALL[base], ALL[base + 1], ALL[base + 2], ALL[base + 3]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_is_found_by_both_names_and_stands_at_its_place() {
        for (place, signal) in Signal::all().enumerate() {
            assert_eq!(signal as usize, place);
            assert_eq!(Signal::from_name(signal.name()), Some(signal));
            assert_eq!(Signal::from_name(&signal.cel_name()), Some(signal));
        }
        let [short, _, _, long] = Signal::chat_sums(super::super::ChatLabel::Distress);
        assert_eq!((short.name(), long.name()), ("chat.distress.60s", "chat.distress.30d"));
    }
}
