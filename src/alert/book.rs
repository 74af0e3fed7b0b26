//! The life of a channel's alerts: an incident opens at the first `concern`, is raised, updated, taken by people and
//! ends; what people decide covers only what they saw. Pure: judgements, decisions and times come in, [`Change`]s
//! go out, the same for the same input.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::data::{Alert, Change, ChangeKind, Facts, State};
use crate::event::{ChannelId, Decision, DecisionKind, Level, Timestamp};

/// `updated` is sent at most this often (contracts, "Alert").
const UPDATE_MS: i64 = 60_000;
/// A new `concern` within this time of an incident that nobody decided reopens the same alert.
const REOPEN_MS: i64 = 24 * 3_600_000;
/// A change of the score smaller than this is no news.
const SCORE_STEP: f32 = 0.05;

/// `[levels] hold`, `offline_hold`, and the sinks' `remind`, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Holds {
    pub hold_ms: i64,
    pub offline_hold_ms: i64,
    /// A level told again after falling is sent at most this often.
    pub remind_ms: i64,
}

impl Default for Holds {
    fn default() -> Self {
        Self { hold_ms: 30 * 60_000, offline_hold_ms: 10 * 60_000, remind_ms: 5 * 60_000 }
    }
}

/// One moment of a channel as the book sees it.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    pub channel: &'a ChannelId,
    pub at: Timestamp,
    pub level: Level,
    pub score: f32,
    /// The end of a whole second: only there is an end or an update told.
    pub second_end: bool,
    /// Since when the stream is offline.
    pub offline_since: Option<Timestamp>,
    /// Id of the last event consumed.
    pub last_event: &'a str,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Incident {
    alert: Alert,
    facts: Facts,
    /// Highest level that a person has acted on.
    acted: Option<Level>,
    /// After an act the level fell below `danger`: a return is news.
    fell: bool,
    below_watch_since: Option<Timestamp>,
    /// After a closing or an end: the level fell below `concern`, so that a return is news.
    below_concern: bool,
    /// When it was opened, or reopened last.
    #[serde(default)]
    begun: Timestamp,
    last_sent: Timestamp,
    last_return: Option<Timestamp>,
    /// Highest level of the present rise; falls with the level at second ends.
    reached: Level,
    /// Up to this channel time all was told before a crash: see [`Book::adopt`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told_until: Option<Timestamp>,
}

/// The alerts of one channel, as far as they can still change. Kept in checkpoints and journal segments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Book {
    incidents: u64,
    current: Option<Incident>,
}

/// UUIDv5 of an incident: namespace UUIDv5(URL, `tag:vigie,2026:alert`), name channel, number and last event's id.
pub fn alert_id(channel: &ChannelId, incident: u64, last_event: &str) -> Uuid {
    let space = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"tag:vigie,2026:alert");
    Uuid::new_v5(&space, format!("{channel}\n{incident}\n{last_event}").as_bytes())
}

impl Book {
    /// The alert that is open, acknowledged or ended but may still come back.
    pub fn alert(&self) -> Option<&Alert> {
        self.current.as_ref().map(|incident| &incident.alert)
    }

    /// The alert that people see as open on the channel now.
    pub fn live(&self) -> Option<&Alert> {
        self.alert().filter(|alert| alert.ended_at.is_none() && alert.state != State::Closed)
    }

    /// Whether time alone can change something: an incident that has not ended.
    pub fn waits(&self) -> bool {
        self.current.as_ref().is_some_and(|incident| incident.alert.ended_at.is_none())
    }

    /// Takes in one judgement. `write` fills an alert's and its facts' content; it is called only for a change.
    pub fn observe(
        &mut self,
        moment: &Moment,
        holds: &Holds,
        write: &mut dyn FnMut(&mut Alert, &mut Facts),
    ) -> Option<Change> {
        if self.current.as_ref().is_some_and(|incident| incident.knows(moment)) {
            return None;
        }
        let change = match &self.current {
            None => self.open(moment, None, write),
            Some(incident) if incident.alert.ended_at.is_some() => self.after_end(moment, write),
            Some(incident) if decided(incident.alert.state) => self.after_closing(moment, write),
            Some(_) => self.within(moment, holds, write),
        };
        self.follow(moment);
        change.or_else(|| self.end(moment, holds, write))
    }

    fn open(
        &mut self,
        moment: &Moment,
        previous: Option<Uuid>,
        write: &mut dyn FnMut(&mut Alert, &mut Facts),
    ) -> Option<Change> {
        if moment.level < Level::Concern {
            return None;
        }
        self.incidents += 1;
        let id = alert_id(moment.channel, self.incidents, moment.last_event);
        let mut alert = Alert::blank(id, moment.channel.clone(), moment.at);
        let mut facts = Facts { incident: self.incidents, ..Facts::default() };
        alert.previous = previous;
        alert.level = moment.level;
        alert.level_now = moment.level;
        alert.score = moment.score;
        write(&mut alert, &mut facts);
        let incident = Incident {
            alert,
            facts,
            acted: None,
            fell: false,
            below_watch_since: None,
            below_concern: false,
            begun: moment.at,
            last_sent: moment.at,
            last_return: None,
            reached: moment.level,
            told_until: None,
        };
        let change = incident.tell(ChangeKind::Opened, Some(moment.level));
        self.current = Some(incident);
        Some(change)
    }

    fn after_end(
        &mut self,
        moment: &Moment,
        write: &mut dyn FnMut(&mut Alert, &mut Facts),
    ) -> Option<Change> {
        if moment.level < Level::Concern {
            return None;
        }
        let incident = self.current.as_mut()?;
        let alert = &incident.alert;
        // A level that only stays where it was while the stream is gone is no new concern.
        let new = incident.below_concern || moment.level > alert.level;
        if !new && moment.offline_since.is_some() {
            return None;
        }
        let ended = alert.ended_at.unwrap_or(alert.updated_at);
        if decided(alert.state) || moment.at.since(ended) > REOPEN_MS {
            let previous = decided(alert.state).then_some(alert.id);
            return self.open(moment, previous, write);
        }
        incident.alert.ended_at = None;
        incident.alert.state = State::Open;
        incident.begun = moment.at;
        incident.reached = moment.level;
        incident.fell = false;
        incident.below_watch_since = None;
        let reached = incident.rise(moment);
        Some(incident.revise(ChangeKind::Reopened, moment, reached, write))
    }

    /// After a person closed it: a rise above what they saw, or a return to `concern`, is a new alert.
    fn after_closing(
        &mut self,
        moment: &Moment,
        write: &mut dyn FnMut(&mut Alert, &mut Facts),
    ) -> Option<Change> {
        let incident = self.current.as_ref()?;
        let rises = moment.level > incident.acted.unwrap_or(incident.alert.level);
        let returns = moment.level >= Level::Concern && incident.below_concern;
        let back = moment.level >= Level::Danger && incident.fell;
        if moment.level >= Level::Concern && (rises || returns || back) {
            let previous = Some(incident.alert.id);
            return self.open(moment, previous, write);
        }
        None
    }

    fn within(
        &mut self,
        moment: &Moment,
        holds: &Holds,
        write: &mut dyn FnMut(&mut Alert, &mut Facts),
    ) -> Option<Change> {
        let incident = self.current.as_mut()?;
        if moment.level > incident.alert.level {
            let reached = incident.rise(moment);
            incident.alert.state = State::Open;
            return Some(incident.revise(ChangeKind::Raised, moment, reached, write));
        }
        let above_act = incident.acted.is_some_and(|acted| moment.level > acted);
        let back = incident.fell && moment.level >= Level::Danger;
        let acknowledged = incident.alert.state == State::Acknowledged;
        if acknowledged && (above_act || back) {
            let lately =
                incident.last_return.is_some_and(|last| moment.at.since(last) < holds.remind_ms);
            incident.alert.state = State::Open;
            incident.fell = false;
            if !lately {
                incident.last_return = Some(moment.at);
                return Some(incident.revise(ChangeKind::Raised, moment, None, write));
            }
        }
        let due = moment.second_end && moment.at.since(incident.last_sent) >= UPDATE_MS;
        let news = moment.level != incident.alert.level_now
            || (moment.score - incident.alert.score).abs() >= SCORE_STEP
                && moment.level >= Level::Concern;
        (due && news).then(|| incident.revise(ChangeKind::Updated, moment, None, write))
    }

    /// Notes falls and rests, which decide what is news later.
    fn follow(&mut self, moment: &Moment) {
        let Some(incident) = &mut self.current else { return };
        if moment.second_end {
            incident.fell |= incident.acted.is_some()
                && moment.level < Level::Danger
                && incident.reached >= Level::Danger;
            incident.below_concern |= moment.level < Level::Concern;
            incident.reached = moment.level;
        } else {
            incident.reached = incident.reached.max(moment.level);
        }
        if moment.level >= Level::Watch {
            incident.below_watch_since = None;
        } else if incident.below_watch_since.is_none() {
            incident.below_watch_since = Some(moment.at);
        }
    }

    fn end(
        &mut self,
        moment: &Moment,
        holds: &Holds,
        write: &mut dyn FnMut(&mut Alert, &mut Facts),
    ) -> Option<Change> {
        let incident = self.current.as_mut()?;
        if incident.alert.ended_at.is_some() || !moment.second_end {
            return None;
        }
        let calm = incident.below_watch_since.is_some_and(|s| moment.at.since(s) >= holds.hold_ms);
        // What is said of a stream that is gone has its time, too.
        let off = moment.offline_since.map(|since| moment.at.since(since.max(incident.begun)));
        let off = off.is_some_and(|off| off >= holds.offline_hold_ms);
        if !calm && !off {
            return None;
        }
        incident.alert.ended_at = Some(moment.at);
        incident.below_concern = moment.level < Level::Concern;
        Some(incident.revise(ChangeKind::Ended, moment, None, write))
    }

    /// Takes over what was stored of the channel's newest alert, where it is ahead of this book: revisions of before a
    /// crash, of which the state that was saved knows nothing. So no number is given twice, and no act forgotten. False
    /// if the book knows it all.
    pub fn adopt(&mut self, stored: &Change) -> bool {
        let (alert, facts) = (&stored.alert, &stored.facts);
        let behind = match self.alert() {
            Some(own) if own.id == alert.id => own.revision < alert.revision,
            _ => facts.incident > self.incidents,
        };
        if !behind {
            return false;
        }
        self.incidents = self.incidents.max(facts.incident);
        self.current = Some(Incident {
            acted: (alert.state != State::Open).then_some(alert.level),
            fell: false,
            below_watch_since: None,
            below_concern: alert.level_now < Level::Concern,
            begun: alert.updated_at,
            last_sent: alert.updated_at,
            last_return: None,
            reached: Level::None,
            told_until: Some(alert.updated_at),
            alert: alert.clone(),
            facts: facts.clone(),
        });
        true
    }

    /// A person's act on the channel's alert. `None` if it is not about this alert, or changes nothing.
    pub fn decide(&mut self, decision: &Decision, at: Timestamp) -> Option<Change> {
        let incident = self.current.as_mut().filter(|i| i.alert.id == decision.alert)?;
        let (state, kind) = match decision.kind {
            DecisionKind::Acknowledge => (State::Acknowledged, ChangeKind::Acknowledged),
            DecisionKind::Close => (State::Closed, ChangeKind::Closed),
        };
        if decided(incident.alert.state) || incident.alert.state == state {
            return None;
        }
        incident.alert.state = state;
        incident.acted = Some(incident.alert.level);
        incident.fell = false;
        incident.below_concern = false;
        incident.alert.revision += 1;
        incident.alert.updated_at = incident.alert.updated_at.max(at);
        incident.facts.decisions.push(decision.clone());
        incident.last_sent = at;
        Some(incident.tell(kind, None))
    }
}

fn decided(state: State) -> bool {
    matches!(state, State::Closed | State::Dismissed)
}

impl Incident {
    /// Whether this moment comes again after a crash and brings nothing above what was told.
    fn knows(&self, moment: &Moment) -> bool {
        self.told_until.is_some_and(|until| moment.at <= until) && moment.level <= self.alert.level
    }

    /// Takes over a higher level; tells it if it is the highest so far.
    fn rise(&mut self, moment: &Moment) -> Option<Level> {
        (moment.level > self.alert.level).then(|| {
            self.alert.previous_level = self.alert.level;
            self.alert.level = moment.level;
            moment.level
        })
    }

    fn revise(
        &mut self,
        kind: ChangeKind,
        moment: &Moment,
        reached: Option<Level>,
        write: &mut dyn FnMut(&mut Alert, &mut Facts),
    ) -> Change {
        self.alert.revision += 1;
        self.alert.level_now = moment.level;
        self.alert.updated_at = moment.at;
        // What was said at the highest level stands; a falling level only updates the numbers of now.
        if moment.level >= self.alert.level
            || kind == ChangeKind::Raised
            || kind == ChangeKind::Reopened
        {
            self.alert.score = moment.score;
            write(&mut self.alert, &mut self.facts);
        } else if kind == ChangeKind::Updated {
            self.alert.score = moment.score;
        }
        self.last_sent = moment.at;
        self.tell(kind, reached)
    }

    fn tell(&self, kind: ChangeKind, reached: Option<Level>) -> Change {
        Change { kind, alert: self.alert.clone(), facts: self.facts.clone(), reached }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Life {
        book: Book,
        channel: ChannelId,
        offline: Option<Timestamp>,
    }

    impl Life {
        fn new() -> Self {
            Self { book: Book::default(), channel: ChannelId::new("k:1"), offline: None }
        }

        /// The level at a second's end.
        fn at(&mut self, second: i64, level: Level) -> Option<(ChangeKind, Alert)> {
            let moment = Moment {
                channel: &self.channel,
                at: Timestamp(second * 1000),
                level,
                score: 0.5,
                second_end: true,
                offline_since: self.offline,
                last_event: "e",
            };
            let change = self.book.observe(&moment, &Holds::default(), &mut |_, _| {})?;
            Some((change.kind, change.alert))
        }

        fn decide(&mut self, kind: DecisionKind, second: i64) -> Option<Change> {
            let decision = Decision {
                alert: self.book.alert().unwrap().id,
                kind,
                by: "A. Nuit".into(),
                why: "seen".into(),
                at: Timestamp(second * 1000),
            };
            self.book.decide(&decision, decision.at)
        }
    }

    #[test]
    fn an_incident_is_one_alert_from_its_first_concern_to_its_end() {
        let mut life = Life::new();
        assert!(life.at(0, Level::Watch).is_none());
        let (kind, opened) = life.at(1, Level::Concern).unwrap();
        assert_eq!((kind, opened.revision, opened.level), (ChangeKind::Opened, 1, Level::Concern));
        assert_eq!(opened.id, alert_id(&ChannelId::new("k:1"), 1, "e"));
        let (kind, raised) = life.at(2, Level::Danger).unwrap();
        assert_eq!(
            (kind, raised.revision, raised.previous_level),
            (ChangeKind::Raised, 2, Level::Concern)
        );
        assert!(life.at(3, Level::Watch).is_none(), "an update waits a minute");
        let (kind, updated) = life.at(62, Level::Watch).unwrap();
        assert_eq!(
            (kind, updated.level, updated.level_now),
            (ChangeKind::Updated, Level::Danger, Level::Watch)
        );
        assert!(life.at(100, Level::None).is_none());
        life.at(130, Level::None);
        assert!(life.at(100 + 1799, Level::None).is_none());
        let (kind, ended) = life.at(100 + 1800, Level::None).unwrap();
        assert_eq!((kind, ended.state), (ChangeKind::Ended, State::Open));
        let (kind, again) = life.at(4000, Level::Concern).unwrap();
        assert_eq!((kind, again.id, again.ended_at), (ChangeKind::Reopened, opened.id, None));
    }

    #[test]
    fn a_new_concern_a_day_after_the_end_is_a_new_alert() {
        let mut life = Life::new();
        let first = life.at(0, Level::Concern).unwrap().1;
        life.at(1, Level::None);
        life.at(62, Level::None);
        assert_eq!(life.at(1801, Level::None).unwrap().0, ChangeKind::Ended);
        let (kind, second) = life.at(1802 + 24 * 3600, Level::Concern).unwrap();
        assert_eq!(kind, ChangeKind::Opened);
        assert_ne!(second.id, first.id);
    }

    #[test]
    fn an_act_covers_only_the_level_that_was_seen() {
        let mut life = Life::new();
        life.at(0, Level::Danger);
        assert_eq!(
            life.decide(DecisionKind::Acknowledge, 1).unwrap().alert.state,
            State::Acknowledged
        );
        assert!(life.decide(DecisionKind::Acknowledge, 2).is_none(), "twice changes nothing");
        let (kind, raised) = life.at(3, Level::ThreatToLife).unwrap();
        assert_eq!((kind, raised.state), (ChangeKind::Raised, State::Open));
        life.decide(DecisionKind::Acknowledge, 4);
        life.at(5, Level::Watch);
        let (kind, back) = life.at(300, Level::Danger).unwrap();
        assert_eq!(
            (kind, back.state),
            (ChangeKind::Raised, State::Open),
            "a return to danger is news"
        );
    }

    #[test]
    fn what_was_told_before_a_crash_is_neither_told_again_nor_is_its_number_given_twice() {
        let mut life = Life::new();
        let saved = life.book.clone();
        life.at(0, Level::Concern);
        life.at(1, Level::Danger);
        let taken = life.decide(DecisionKind::Acknowledge, 2).unwrap();
        life.book = saved;
        assert!(life.book.adopt(&taken) && !life.book.adopt(&taken));
        for (second, level) in [(0, Level::None), (1, Level::Danger), (3, Level::Danger)] {
            assert!(life.at(second, level).is_none(), "that was told, and is taken");
        }
        let (kind, raised) = life.at(4, Level::ThreatToLife).unwrap();
        assert_eq!((kind, raised.id), (ChangeKind::Raised, taken.alert.id));
        assert_eq!((raised.revision, raised.state), (4, State::Open));
        assert!(!life.book.adopt(&taken), "an older revision than the book's own");
    }

    #[test]
    fn a_closing_never_mutes_what_comes_after_it() {
        let mut life = Life::new();
        let first = life.at(0, Level::Concern).unwrap().1;
        life.decide(DecisionKind::Close, 1);
        assert!(life.at(2, Level::Concern).is_none(), "the level that was seen stays closed");
        let (kind, higher) = life.at(3, Level::Danger).unwrap();
        assert_eq!((kind, higher.previous), (ChangeKind::Opened, Some(first.id)));
        life.decide(DecisionKind::Close, 4);
        life.at(5, Level::Watch);
        let (kind, again) = life.at(6, Level::Concern).unwrap();
        assert_eq!((kind, again.previous), (ChangeKind::Opened, Some(higher.id)));
    }

    #[test]
    fn a_stream_that_drops_for_a_minute_is_the_same_incident_and_ten_minutes_offline_end_it() {
        let mut life = Life::new();
        life.at(0, Level::Concern);
        life.offline = Some(Timestamp(10_000));
        assert!(life.at(50, Level::Concern).is_none());
        assert!(life.at(609, Level::Concern).is_none());
        assert_eq!(life.at(610, Level::Concern).unwrap().0, ChangeKind::Ended);
    }

    #[test]
    fn a_level_that_stays_while_the_stream_is_gone_does_not_come_back_every_second() {
        let ended = || {
            let mut life = Life::new();
            life.at(0, Level::Concern);
            life.offline = Some(Timestamp(10_000));
            assert_eq!(life.at(610, Level::Concern).unwrap().0, ChangeKind::Ended);
            for second in 611..700 {
                assert!(life.at(second, Level::Concern).is_none(), "{second}");
            }
            life
        };
        let mut back = ended();
        back.offline = None;
        assert_eq!(back.at(700, Level::Concern).unwrap().0, ChangeKind::Reopened);
        let mut worse = ended();
        assert_eq!(worse.at(700, Level::Danger).unwrap().0, ChangeKind::Reopened);
        let mut again = ended();
        assert!(again.at(700, Level::Watch).is_none());
        assert_eq!(again.at(701, Level::Concern).unwrap().0, ChangeKind::Reopened);
        assert!(again.at(1_300, Level::Concern).is_none_or(|told| told.0 != ChangeKind::Ended));
        assert_eq!(again.at(1_301, Level::Concern).unwrap().0, ChangeKind::Ended);
    }

    #[test]
    fn an_incident_of_a_stream_that_is_gone_is_not_over_at_once() {
        let mut life = Life::new();
        life.offline = Some(Timestamp(0));
        assert_eq!(life.at(4_000, Level::Concern).unwrap().0, ChangeKind::Opened);
        for second in (4_001..4_600).step_by(60) {
            assert!(life.at(second, Level::Concern).is_none(), "{second}");
        }
        assert_eq!(life.at(4_600, Level::Concern).unwrap().0, ChangeKind::Ended);
    }
}
