use proptest::prelude::*;

use super::*;

fn ticket(channel: &str, author: u64, standing: Standing) -> Ticket {
    Ticket { channel: ChannelId::new(channel), author, alike: 0, standing }
}

/// Pushes named work; what is shed for it comes back.
fn push(
    queue: &mut FairQueue<String>,
    channel: &str,
    author: u64,
    standing: Standing,
    nth: usize,
) -> Option<String> {
    let work = format!("{channel}/{author}/{nth}");
    match queue.push(&ticket(channel, author, standing), 50, work, Instant::now()) {
        Pushed::In => None,
        Pushed::Shed(shed) => Some(shed),
        Pushed::Full(full) => panic!("{full} was refused"),
    }
}

fn batch(queue: &mut FairQueue<String>, most: usize) -> Vec<String> {
    let mut out = Vec::new();
    queue.fill(most, 1 << 20, &mut out);
    out
}

fn of(batch: &[String], channel: &str) -> usize {
    batch.iter().filter(|work| work.starts_with(&format!("{channel}/"))).count()
}

#[test]
fn a_flooded_channel_gets_at_most_a_quarter_while_others_wait() {
    for others in [1, 2, 10] {
        let mut queue = FairQueue::new(100_000, None, false);
        for nth in 0..10_000 {
            push(&mut queue, "flood", nth as u64 % 500, Standing::Low, nth);
        }
        for nth in 0..600 {
            push(&mut queue, &format!("other-{}", nth % others), nth as u64, Standing::Low, nth);
        }
        let (mut flood, mut all) = (0, 0);
        while queue.len() > 9_000 && (0..others).any(|o| count(&queue, &format!("other-{o}")) > 0) {
            let out = batch(&mut queue, 64);
            assert_eq!(out.len(), 64, "no place of a batch is wasted");
            if (0..others).any(|o| count(&queue, &format!("other-{o}")) > 0) {
                flood += of(&out, "flood");
                all += out.len();
            }
        }
        assert!(flood * 4 <= all, "{flood} of {all} beside {others}");
        assert!(flood * 5 >= all, "it gets its quarter: {flood} of {all} beside {others}");
        assert_eq!(of(&batch(&mut queue, 64), "flood"), 64, "alone it gets everything");
    }
}

/// What of a channel waits.
fn count(queue: &FairQueue<String>, channel: &str) -> usize {
    queue.by_channel.get(&ChannelId::new(channel)).map_or(0, |lane| queue.waiting(*lane))
}

#[test]
fn long_messages_do_not_buy_a_larger_share() {
    let mut queue = FairQueue::new(100_000, None, false);
    let now = Instant::now();
    for nth in 0..4_000 {
        let long = format!("flood/{nth}");
        queue.push(&ticket("flood", nth % 9, Standing::Low), 500, long, now);
        let short = format!("other/{nth}");
        queue.push(&ticket(&format!("o{}", nth % 20), nth, Standing::Low), 50, short, now);
        if nth < 1_000 {
            queue.push(&ticket("flood", nth, Standing::Low), 500, format!("flood/{nth}"), now);
        }
    }
    let (mut flood, mut all) = (0, 0);
    for _ in 0..50 {
        let out = batch(&mut queue, 64);
        flood += of(&out, "flood") * 500;
        all += of(&out, "flood") * 500 + of(&out, "other") * 50;
    }
    // A batch holds whole messages: one more than a quarter at most.
    assert!(flood <= all / 4 + 50 * 500, "{flood} of {all}");
}

#[test]
fn within_a_flooded_channel_every_voice_has_its_turn() {
    let mut queue = FairQueue::new(100_000, None, false);
    for nth in 0..5_000 {
        push(&mut queue, "flood", 1, Standing::Low, nth);
    }
    for author in 2..12 {
        push(&mut queue, "flood", author, Standing::Low, 0);
    }
    let out = batch(&mut queue, 64);
    let voices = (2..12).filter(|a| out.contains(&format!("flood/{a}/0"))).count();
    assert_eq!(voices, 10, "{out:?}");
    let own: Vec<&String> = out.iter().filter(|work| work.starts_with("flood/1/")).collect();
    assert_eq!(own[..3], ["flood/1/0", "flood/1/1", "flood/1/2"], "in the author's order");
}

#[test]
fn the_loudest_voice_of_the_fullest_channel_is_shed_first() {
    let mut queue = FairQueue::new(100, None, false);
    for nth in 0..60 {
        push(&mut queue, "flood", 1, Standing::Low, nth);
    }
    for nth in 0..30 {
        push(&mut queue, "flood", 2 + nth as u64, Standing::Low, nth);
    }
    for nth in 0..10 {
        push(&mut queue, "calm", 1, Standing::Low, nth);
    }
    assert_eq!(push(&mut queue, "calm", 1, Standing::Low, 10).unwrap(), "flood/1/0");
    assert_eq!(push(&mut queue, "flood", 77, Standing::Low, 0).unwrap(), "flood/1/1");
    assert_eq!(push(&mut queue, "flood", 1, Standing::Low, 60).unwrap(), "flood/1/2");
}

#[test]
fn channels_below_concern_are_shed_before_the_others() {
    let mut queue = FairQueue::new(100, None, false);
    for nth in 0..95 {
        push(&mut queue, "danger", nth as u64 % 3, Standing::High, nth);
    }
    for nth in 0..5 {
        push(&mut queue, &format!("low-{nth}"), 1, Standing::Low, 0);
    }
    for nth in 0..5 {
        let shed = push(&mut queue, "danger", 1, Standing::High, 100 + nth).unwrap();
        assert_eq!(shed, format!("low-{nth}/1/0"), "singles too, the oldest first");
    }
    let shed = push(&mut queue, "danger", 1, Standing::High, 200).unwrap();
    assert!(shed.starts_with("danger/"), "{shed}");
    // A level that falls makes what waits of the channel the first to go.
    push(&mut queue, "worse", 1, Standing::High, 0);
    push(&mut queue, "danger", 1, Standing::Low, 300);
    let shed = push(&mut queue, "worse", 1, Standing::High, 1).unwrap();
    assert!(shed.starts_with("danger/"), "{shed}");
}

#[test]
fn copies_of_a_text_are_one_voice_however_many_say_it() {
    let mut queue = FairQueue::new(100, None, false);
    let now = Instant::now();
    let mut say = |author: u64, alike: u64, work: &str| {
        let ticket =
            Ticket { channel: ChannelId::new("raid"), author, alike, standing: Standing::Low };
        queue.push(&ticket, 50, work.to_owned(), now)
    };
    for author in 0..90 {
        assert_eq!(say(author, 7, &format!("copy-{author}")), Pushed::In);
    }
    for author in 100..110 {
        assert_eq!(say(author, author, "own"), Pushed::In);
    }
    // The first to say it has a voice of its own; those after it share one.
    for nth in 1..20 {
        assert_eq!(say(200 + nth, 0, "own"), Pushed::Shed(format!("copy-{nth}")));
    }
    let out = batch(&mut queue, 32);
    assert!(out.iter().filter(|work| *work == "own").count() >= 29, "{out:?}");
}

#[test]
fn what_must_be_kept_is_never_shed_and_comes_first_in_its_channel() {
    let mut queue = FairQueue::new(10, Some(Duration::from_secs(1)), false);
    for nth in 0..8 {
        push(&mut queue, "a", 1, Standing::Low, nth);
    }
    for nth in 0..10 {
        let shed = push(&mut queue, "a", 9, Standing::Kept, nth);
        assert_eq!(shed, (nth >= 2).then(|| format!("a/1/{}", nth - 2)));
    }
    let full = queue.push(&ticket("b", 1, Standing::Kept), 50, "b".into(), Instant::now());
    assert_eq!(full, Pushed::Full("b".to_owned()));
    let own = queue.push(&ticket("b", 1, Standing::High), 50, "c".into(), Instant::now());
    assert_eq!(own, Pushed::Shed("c".to_owned()), "there is nothing else to shed");
    let mut shed = Vec::new();
    queue.expire(Instant::now() + Duration::from_secs(60), &mut shed);
    assert!(shed.is_empty(), "{shed:?}");
    assert_eq!(batch(&mut queue, 64).len(), 10);

    push(&mut queue, "a", 1, Standing::Low, 0);
    push(&mut queue, "a", 1, Standing::Kept, 1);
    assert_eq!(batch(&mut queue, 64), ["a/1/1", "a/1/0"]);
}

#[test]
fn what_waited_too_long_is_shed_and_nothing_else() {
    let mut queue = FairQueue::new(100, Some(Duration::from_secs(2)), false);
    let began = Instant::now();
    for nth in 0..10u64 {
        let at = began + Duration::from_millis(500 * nth);
        queue.push(&ticket(&format!("c{}", nth % 3), nth % 2, Standing::Low), 1, nth, at);
    }
    let mut shed = Vec::new();
    queue.expire(began + Duration::from_millis(4_000), &mut shed);
    assert_eq!(shed, [0, 1, 2, 3], "2 s is not too long");
    assert_eq!(queue.oldest(), Some(began + Duration::from_millis(2_000)));
}

#[test]
fn of_looks_those_go_first_that_have_a_newer_one() {
    let mut queue = FairQueue::new(4, None, true);
    push(&mut queue, "low-1", 0, Standing::Low, 0);
    push(&mut queue, "danger", 0, Standing::High, 0);
    push(&mut queue, "danger", 0, Standing::High, 1);
    push(&mut queue, "low-2", 0, Standing::Low, 0);
    assert_eq!(push(&mut queue, "low-3", 0, Standing::Low, 0).unwrap(), "danger/0/0");
    assert_eq!(push(&mut queue, "danger-2", 0, Standing::High, 0).unwrap(), "low-1/0/0");
}

#[test]
fn room_is_kept_for_what_waits_and_not_for_what_waited() {
    let mut queue = FairQueue::new(16, Some(Duration::from_secs(1)), false);
    let began = Instant::now();
    let mut shed = Vec::new();
    for nth in 0..10_000u64 {
        let at = began + Duration::from_millis(nth * 100);
        queue.push(&ticket(&format!("c{nth}"), nth, Standing::Low), 1, nth, at);
        // One channel has work at all times and is never served.
        queue.push(&ticket("all", nth, Standing::Low), 1, nth, at);
        queue.expire(at, &mut shed);
        shed.clear();
    }
    assert!(queue.by_channel.len() <= 33 && queue.by_voice.len() <= 33);
    assert!(queue.entries.len() <= 17 && queue.lanes.len() <= 34 && queue.voices.len() <= 34);
}

#[derive(Clone, Debug)]
enum Act {
    Push { channel: u8, author: u64, alike: u64, standing: u8, cost: u32 },
    Fill { most: usize, cost: usize },
    Expire { after: u64 },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let push = (0u8..6, 0u64..5, 0u64..4, 0u8..3, 1u32..600).prop_map(
        |(channel, author, alike, standing, cost)| Act::Push {
            channel,
            author,
            alike,
            standing,
            cost,
        },
    );
    let fill = (1usize..20, 1usize..3000).prop_map(|(most, cost)| Act::Fill { most, cost });
    let expire = (0u64..3).prop_map(|after| Act::Expire { after });
    prop::collection::vec(prop_oneof![6 => push, 1 => fill, 1 => expire], 1..400)
}

proptest! {
    /// Whatever happens, each piece of work goes in once and out once, no batch or queue is larger than it may be,
    /// and nothing that must be kept is shed.
    #[test]
    fn nothing_is_lost_or_doubled(acts in acts(), superseded in any::<bool>()) {
        let mut queue = FairQueue::new(24, Some(Duration::from_secs(5)), superseded);
        let (mut inside, mut kept) = (std::collections::HashSet::new(), std::collections::HashSet::new());
        let mut now = Instant::now();
        for (nth, act) in acts.into_iter().enumerate() {
            let (mut out, mut shed) = (Vec::new(), Vec::new());
            match act {
                Act::Push { channel, author, alike, standing, cost } => {
                    let standing = [Standing::Low, Standing::High, Standing::Kept][standing as usize];
                    let ticket = Ticket {
                        channel: ChannelId::new(&format!("c{channel}")), author, alike, standing,
                    };
                    let full = queue.push(&ticket, cost, nth, now);
                    if full != Pushed::Full(nth) {
                        inside.insert(nth);
                        if standing == Standing::Kept {
                            kept.insert(nth);
                        }
                    }
                    if let Pushed::Shed(victim) = full {
                        shed.push(victim);
                    }
                }
                Act::Fill { most, cost } => {
                    let waiting = queue.len();
                    queue.fill(most, cost, &mut out);
                    prop_assert!(out.len() <= most && (waiting == 0 || !out.is_empty()));
                }
                Act::Expire { after } => {
                    now += Duration::from_secs(after);
                    queue.expire(now, &mut shed);
                }
            }
            for work in &out {
                prop_assert!(inside.remove(work), "{work} came out twice");
                kept.remove(work);
            }
            for work in &shed {
                prop_assert!(inside.remove(work), "{work} was shed twice");
                prop_assert!(!kept.contains(work), "{work} must be kept");
            }
            prop_assert_eq!(queue.len(), inside.len());
            prop_assert!(queue.len() <= 24);
        }
        let mut out = Vec::new();
        while queue.len() > 0 {
            queue.fill(7, 500, &mut out);
        }
        prop_assert_eq!(out.len(), inside.len());
        prop_assert_eq!((queue.cost(), queue.low, queue.oldest()), (0, 0, None));
        prop_assert!(queue.loud.is_empty() && queue.crowded.iter().all(BTreeSet::is_empty));
    }
}
