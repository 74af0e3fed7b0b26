//! Repeats and twins, against a plain list of everything that came.

use std::collections::HashSet;

use proptest::prelude::*;
use vigie::event::{Event, FeedItem, Keyer, decode};
use vigie::feed::Dedupe;

fn event(text: &str) -> Event {
    match decode(text, &Keyer::replay()) {
        Ok(FeedItem::Event(event)) => event,
        other => panic!("{other:?}"),
    }
}

fn chat(channel: u8, id: u16) -> Event {
    event(&format!(
        r#"{{"type":"chat","id":"{id}","at":"2025-08-17T22:00:00Z","channel":"k:{channel}","text":"x"}}"#
    ))
}

/// A donation of 50 EUR that differs from others as stated.
#[derive(Clone)]
struct Gift<'a> {
    id: &'a str,
    second: u32,
    channel: &'a str,
    value: &'a str,
    currency: &'a str,
    text: &'a str,
}

const GIFT: Gift =
    Gift { id: "a", second: 0, channel: "k:1", value: "50.00", currency: "EUR", text: "pour toi" };

impl Gift<'_> {
    fn event(&self) -> Event {
        let Gift { id, second, channel, value, currency, text } = self;
        let at = format!("2025-08-17T22:{:02}:{:02}Z", second / 60, second % 60);
        event(&format!(
            r#"{{"type":"donation","id":"{id}","at":"{at}","channel":"{channel}","amount":{{"value":"{value}","currency":"{currency}"}},"text":"{text}"}}"#
        ))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_event_is_admitted_once_whichever_feed_brings_it(
        arrivals in prop::collection::vec((0u16..4, 0u8..3, 0u16..30), 0..200)
    ) {
        let mut dedupe = Dedupe::new();
        let mut known = HashSet::new();
        for (feed, channel, id) in arrivals {
            prop_assert_eq!(dedupe.admit(feed, &chat(channel, id)), known.insert((channel, id)));
        }
    }

    #[test]
    fn a_restart_at_the_saved_cursor_lets_nothing_through_twice(
        before in 0u16..40, after in 0u16..40
    ) {
        let mut dedupe = Dedupe::new();
        for id in 0..before {
            dedupe.admit(0, &chat(0, id));
        }
        dedupe.cursor(0, "c");
        for id in before..before + after {
            dedupe.admit(0, &chat(0, id));
        }
        dedupe.saved(0, "c");
        let saved = dedupe.since_cursor(0);
        prop_assert_eq!(saved.len(), usize::from(after));
        let mut restarted = Dedupe::new();
        restarted.restore(0, saved.clone(), None);
        prop_assert_eq!(restarted.since_cursor(0), saved);
        for id in before..before + after {
            prop_assert!(!restarted.admit(0, &chat(0, id)));
        }
        prop_assert!(restarted.admit(0, &chat(0, before + after)));
    }
}

#[test]
fn the_window_holds_200_000_events_of_a_feed() {
    let mut dedupe = Dedupe::new();
    let mut one = chat(0, 0);
    let mut admit = |dedupe: &mut Dedupe, id: u32| {
        one.id = id.to_string().into();
        dedupe.admit(0, &one)
    };
    for id in 0..200_000 {
        assert!(admit(&mut dedupe, id));
    }
    assert!(!admit(&mut dedupe, 0), "the oldest of 200,000");
    assert!(admit(&mut dedupe, 200_000));
    assert!(admit(&mut dedupe, 0), "one more pushed it out");
    assert_eq!(dedupe.window(0).len(), 200_000);
}

#[test]
fn a_donation_told_by_another_feed_under_another_id_is_the_same() {
    let mut dedupe = Dedupe::new();
    assert!(dedupe.admit(0, &GIFT.event()));
    let twin = Gift { id: "b", second: 60, value: "50.0", currency: "eur", ..GIFT };
    assert!(!dedupe.admit(1, &twin.event()));
    assert!(!dedupe.admit(1, &twin.event()), "told again under its own id");
    let mut earlier = Dedupe::new();
    assert!(earlier.admit(0, &Gift { second: 60, ..GIFT }.event()));
    assert!(!earlier.admit(1, &Gift { id: "b", second: 0, ..GIFT }.event()));
}

#[test]
fn neither_a_feed_that_is_fast_nor_a_clock_that_is_set_hides_a_twin() {
    let later = |ms: i64, gift: &Gift| {
        let mut event = gift.event();
        event.at = event.at.plus_ms(ms);
        event
    };
    let (gift, twin) = (GIFT.event(), Gift { id: "b", second: 5, ..GIFT });
    // The other feed's time was an hour ahead, and is set to the daemon's clock.
    let mut fast = Dedupe::new();
    assert!(fast.admit(0, &gift));
    assert!(!fast.admit_dated(1, &twin.event(), gift.at.plus_ms(3_600_000)));
    // The daemon's clock was set back by an hour between the two, across a restart.
    let mut set = Dedupe::new();
    assert!(set.admit_dated(0, &later(-90_000, &GIFT), gift.at));
    let saved = serde_json::to_string(&set.donations()).unwrap();
    let mut restarted = Dedupe::new();
    restarted.restore_donations(serde_json::from_str(&saved).unwrap());
    assert!(!restarted.admit_dated(1, &later(-3_600_000, &twin), twin.event().at));
    assert!(restarted.admit_dated(
        1,
        &later(-3_600_000, &Gift { id: "c", ..twin }),
        twin.event().at.plus_ms(61_000)
    ));
}

#[test]
fn what_differs_in_one_thing_is_another_donation() {
    for other in [
        Gift { second: 61, ..GIFT },
        Gift { channel: "k:2", ..GIFT },
        Gift { value: "50.01", ..GIFT },
        Gift { currency: "USD", ..GIFT },
        Gift { text: "pour Toi", ..GIFT },
    ] {
        let mut dedupe = Dedupe::new();
        assert!(dedupe.admit(0, &GIFT.event()));
        assert!(dedupe.admit(1, &Gift { id: "b", ..other }.event()));
    }
    let mut dedupe = Dedupe::new();
    assert!(dedupe.admit(0, &GIFT.event()));
    assert!(dedupe.admit(0, &Gift { id: "b", ..GIFT }.event()), "one feed gives each its own id");
}

#[test]
fn each_donation_has_one_twin_a_feed() {
    let mut dedupe = Dedupe::new();
    assert!(dedupe.admit(0, &Gift { id: "a1", ..GIFT }.event()));
    assert!(dedupe.admit(0, &Gift { id: "a2", ..GIFT }.event()));
    assert!(!dedupe.admit(1, &Gift { id: "b1", ..GIFT }.event()));
    assert!(!dedupe.admit(1, &Gift { id: "b2", ..GIFT }.event()));
    assert!(dedupe.admit(1, &Gift { id: "b3", ..GIFT }.event()), "feed 0 told two only");
    assert!(!dedupe.admit(2, &Gift { id: "c1", ..GIFT }.event()), "a third feed tells them too");
}

#[test]
fn twins_are_found_across_a_restart() {
    let mut dedupe = Dedupe::new();
    dedupe.admit(0, &GIFT.event());
    let saved = serde_json::to_string(&dedupe.donations()).unwrap();
    let mut restarted = Dedupe::new();
    restarted.restore_donations(serde_json::from_str(&saved).unwrap());
    assert!(!restarted.admit(1, &Gift { id: "b", ..GIFT }.event()));
    assert!(restarted.admit(1, &Gift { id: "b2", ..GIFT }.event()));
}
