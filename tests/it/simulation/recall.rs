//! What a new life takes back of a channel that was asleep when the last one died.

use std::num::NonZeroUsize;
use std::sync::Arc;

use hashbrown::HashSet;
use serde_json::json;
use vigie::alert::{Book, Change, ChangeKind, Holds, Moment};
use vigie::cli::engine::{Engine, Oracle, Slot};
use vigie::cli::intake::{Admission, FeedClock, Intake};
use vigie::cli::recall::recall_told;
use vigie::cli::replay::{event_entry, replay};
use vigie::cli::setup;
use vigie::cli::shelf::FeedGaps;
use vigie::event::{ChannelId, Consumed, Fuel, Gap, Keyer, Level, Timestamp, decode};
use vigie::model::{Door, Ready};
use vigie::store::journal::{Journal, JournalOptions, Mark};
use vigie::store::{ChannelState, Checkpoint, Commit, Store};

use super::house::Setting;
use super::story::message_scores;

const BEGINS: Timestamp = Timestamp(1_755_468_000_000);

fn intake(setting: &Setting) -> Intake {
    let rates = Arc::new(setting.config.currency.table.rates());
    let most = NonZeroUsize::new(8).expect("some");
    Intake::new(Door::new(most, setup::categories(&setting.config), rates), &[FeedClock::Live])
}

/// What a channel consumes in minutes of paid requests, the first of them at `begins`.
fn requests(setting: &Setting, channel: &ChannelId, begins: Timestamp) -> Vec<Consumed> {
    let mut intake = intake(setting);
    let mut entries = Vec::new();
    for n in 0..20 {
        let at = begins.plus_ms(n * 10_000);
        let gift = json!({"type": "donation", "id": n.to_string(), "at": at, "channel": channel.as_str(),
            "source": "tip", "amount": {"value": "5.00", "currency": "EUR"},
            "text": format!("incitement=0.95 #{n}")});
        let item = decode(&gift.to_string(), &Keyer::replay()).expect("an event");
        let mut out = Vec::new();
        intake.item(0, item, at, &mut out, &mut |_| {});
        for admission in out {
            let Admission::Ready(Ready::Event { admitted, message }) = admission else { continue };
            let scores = message.map(|message| Ok(message_scores(&message)));
            entries.push(event_entry(admitted, scores));
        }
    }
    entries
}

/// An evening of them: the channel's state before the last change that came of them, and all changes.
fn evening(setting: &Setting, channel: &ChannelId) -> (ChannelState, Vec<Change>) {
    let mut engine = Engine::new(setting.terms.clone(), Oracle::None);
    let (mut changes, mut before) = (Vec::new(), None);
    for entry in requests(setting, channel, BEGINS) {
        engine.slot_mut(channel).feed_name = "feed0".into();
        let state = engine.slot(channel).expect("there").saved(channel, 0).expect("JSON");
        let came = engine.consume(&entry).changes;
        if !came.is_empty() {
            before = Some(ChannelState { awake: false, ..state });
        }
        changes.extend(came);
    }
    (before.expect("something is raised"), changes)
}

#[test]
fn of_a_revision_that_two_lives_raised_the_journal_tells_the_later_one_last() {
    let folder = super::folder();
    let setting = Setting::new(folder.path(), 1, true);
    let channel = ChannelId::new("sim:a");
    let mut raised = Vec::new();
    // The second life knows nothing of the first, and hears all of it six seconds later.
    for begins in [BEGINS, BEGINS.plus_ms(6_000)] {
        let journal = Journal::open(folder.path(), JournalOptions::default()).expect("it opens");
        let mut engine = Engine::new(setting.terms.clone(), Oracle::None);
        let mut mark = Mark::default();
        for entry in requests(&setting, &channel, begins) {
            let slot = engine.slot_mut(&channel);
            let state = || serde_json::to_value(&*slot).expect("JSON");
            journal.consumed(&mut mark, state, entry.clone());
            raised.extend(engine.consume(&entry).changes);
        }
    }
    let mut told = Vec::new();
    let done = replay(&[folder.path().to_owned()], &setting.config, 1, &mut |change| {
        told.push(change.clone());
    });
    done.expect("it replays");
    assert_eq!(told, raised);
    let [first, last] = &told[..] else { panic!("each life raises one: {told:?}") };
    assert_eq!((first.alert.id, first.alert.revision), (last.alert.id, last.alert.revision));
    assert_eq!(last.alert.updated_at.since(first.alert.updated_at), 6_000);
}

#[test]
fn a_channel_asleep_takes_over_what_was_told_and_missed_and_keeps_its_memory() {
    let folder = super::folder();
    let setting = Setting::new(folder.path(), 1, true);
    let channel = ChannelId::new("sim:a");
    let (state, changes) = evening(&setting, &channel);
    let last = changes.last().expect("something is raised").clone();
    let gap = Gap { channel: None, from: BEGINS, to: BEGINS.plus_ms(1_000) };
    let mut gaps = FeedGaps::default();
    gaps.told("another", &Gap { to: BEGINS, ..gap.clone() });
    gaps.told("feed0", &gap);

    let mut engine = Engine::new(setting.terms.clone(), Oracle::None);
    let mut asleep = HashSet::from([channel.clone(), ChannelId::new("sim:other")]);
    setting.database.block_on(async {
        let store = Store::open(folder.path()).await.expect("it opens");
        let channels = vec![state.clone()];
        store
            .save_checkpoint(&Checkpoint { channels, ..Checkpoint::default() })
            .await
            .expect("saved");
        let commit = |change| Commit { change, outbox: Vec::new(), evidence: Vec::new() };
        let commits: Vec<Commit> = changes.into_iter().map(commit).collect();
        store.commit_changes(&commits).await.expect("committed");
        let intake = intake(&setting);
        recall_told(
            &store,
            &setting.config,
            &intake,
            &mut engine,
            &mut asleep,
            &gaps,
            &mut Vec::new(),
        )
        .await
        .expect("recalled");
    });

    let slot: &Slot = engine.slot(&channel).expect("awake");
    assert_eq!(slot.book.alert().expect("an alert").revision, last.alert.revision);
    assert_eq!(slot.channel.gaps(), [gap]);
    let value =
        |bytes: &[u8]| serde_json::to_value(Slot::read(bytes).expect("a state")).expect("JSON");
    let (saved, came) = (value(&state.state), value(&slot.saved(&channel, 0).expect("JSON").state));
    assert!(saved["channel"]["purse"]["hours"].as_array().is_some_and(|hours| !hours.is_empty()));
    for part in ["purse", "crowd", "exhibits", "picture"] {
        assert_eq!(saved["channel"][part], came["channel"][part], "{part}");
    }
    assert_eq!(asleep.len(), 1, "nobody else is woken");
}

#[test]
fn a_channel_that_takes_over_what_was_told_is_in_the_next_checkpoint_and_those_after_it() {
    let folder = super::folder();
    let setting = Setting::new(folder.path(), 1, true);
    let channel = ChannelId::new("sim:a");
    let (state, changes) = evening(&setting, &channel);
    let mut engine = Engine::new(setting.terms.clone(), Oracle::None);
    engine.restore(channel.clone(), Slot::read(&state.state).expect("a state"));
    assert_eq!(engine.take_dirty(), []);
    assert!(engine.adopt(changes.last().expect("something is raised")));
    for _ in 0..2 {
        assert_eq!(engine.take_dirty(), std::slice::from_ref(&channel));
        engine.clean(&channel);
        let at = engine.slot(&channel).expect("there").now().plus_ms(1_000);
        engine.consume(&Consumed { channel: channel.clone(), at, fuel: Fuel::Tick });
    }
}

#[test]
fn an_alert_that_is_taken_over_keeps_its_highest_level_and_is_not_raised_to_it_again() {
    let channel = ChannelId::new("sim:a");
    let moment = |second: i64, level| Moment {
        channel: &channel,
        at: Timestamp(second * 1000),
        level,
        score: 0.5,
        second_end: true,
        offline_since: None,
        last_event: "e",
    };
    let mut told = Book::default();
    let tell = |book: &mut Book, second, level| {
        book.observe(&moment(second, level), &Holds::default(), &mut |_, _| {})
    };
    tell(&mut told, 0, Level::ThreatToLife).expect("opened");
    let fallen = tell(&mut told, 61, Level::Watch).expect("updated");
    assert_eq!((fallen.alert.level, fallen.alert.level_now), (Level::ThreatToLife, Level::Watch));

    let mut book = Book::default();
    assert!(book.adopt(&fallen));
    assert_eq!(book.alert(), Some(&fallen.alert));
    let back = tell(&mut book, 200, Level::ThreatToLife).expect("an update");
    assert_eq!((back.kind, back.alert.level), (ChangeKind::Updated, Level::ThreatToLife));
}
