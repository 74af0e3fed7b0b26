//! Every door takes whatever bytes come: seeded mutations of good inputs, without a panic, without growth. The doors
//! stand in fuzz/src/lib.rs, where `cargo fuzz` finds them too. A failure prints the input; it reproduces.

#[path = "../../fuzz/src/lib.rs"]
mod doors;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::long::{long, rounds};
use doors::{DOORS, Door};

/// Inputs do not grow beyond it; larger ones only cost time.
const LONGEST: usize = 16 << 10;
/// What breaks readers of text and of numbers.
#[rustfmt::skip]
const WORDS: [&str; 40] = [
    "\"", "\\", "{", "}", "[", "]", ":", ",", "null", "true", "-", "-0", "0", "1e308", "-1e309", "1e-400", "NaN",
    "18446744073709551616", "-9223372036854775809", "0.1", "\\u0000", "\\ud800", "\u{feff}", "\u{202e}",
    "\u{1f469}\u{200d}\u{1f467}", "\n", "\r\n", "\0", "=", "#", "\"\"\"", "'''", "[[", "]]", "&&", "||", "(((((((((",
    "9999-12-31T23:59:59.999999999Z", "1970-01-01T00:00:00-23:59", "+",
];

/// Changes an input once.
fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], rng: &mut ChaCha8Rng) {
    let at = rng.random_range(0..=input.len());
    let run = |rng: &mut ChaCha8Rng, from: usize, length: usize| {
        from..(from + rng.random_range(1..=32)).min(length)
    };
    match rng.random_range(0..10) {
        0 if at < input.len() => input[at] ^= 1 << rng.random_range(0..8),
        1 if at < input.len() => {
            input[at] = *[0, 1, 0x7f, 0x80, 0xff, 0xfe, b'0', b'9'].choose(rng).unwrap();
        }
        2 if at < input.len() => drop(input.drain(run(rng, at, input.len()))),
        3 if at < input.len() => {
            let copy = input[run(rng, at, input.len())].to_vec();
            let to = rng.random_range(0..=input.len());
            input.splice(to..to, copy);
        }
        4 => {
            let word = WORDS.choose(rng).unwrap().as_bytes();
            let repeated = word.repeat(if rng.random_bool(0.1) { 300 } else { 1 });
            input.splice(at..at, repeated);
        }
        5 => {
            let other = seeds.choose(rng).unwrap();
            let from = rng.random_range(0..other.len());
            let part = &other[from..(from + rng.random_range(1..=200)).min(other.len())];
            let end = if rng.random() { at } else { (at + part.len()).min(input.len()) };
            input.splice(at..end, part.iter().copied());
        }
        6 if rng.random_bool(0.2) => input.truncate(at),
        7 if at + 4 <= input.len() => {
            let number = [0, 1, 0xffff, 0x7fff_ffff, u32::MAX, rng.random()];
            input[at..at + 4].copy_from_slice(&number.choose(rng).unwrap().to_be_bytes());
        }
        // One digit for another: the shape stays.
        8 => {
            if let Some(i) = (at..input.len()).find(|&i| input[i].is_ascii_digit()) {
                input[i] = rng.random_range(b'0'..=b'9');
            }
        }
        _ => input.insert(at, rng.random()),
    }
    input.truncate(LONGEST);
}

fn storm(door: &Door, executions: u64, most: Duration) {
    let seeds = (door.seeds)();
    seeds.iter().for_each(|seed| (door.enter)(seed));
    let seed = 20_250_818;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let begun = Instant::now();
    let (mut done, mut slowest) = (0, Duration::ZERO);
    while done < executions && begun.elapsed() < most {
        let mut input = seeds.choose(&mut rng).unwrap().clone();
        for _ in 0..rng.random_range(1..=8) {
            mutate(&mut input, &seeds, &mut rng);
        }
        let before = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| (door.enter)(&input)));
        slowest = slowest.max(before.elapsed());
        if ended.is_err() {
            let (name, text) = (door.name, String::from_utf8_lossy(&input));
            panic!("door {name}, seed {seed}, execution {done}: {text:?}\n{input:?}");
        }
        done += 1;
    }
    let took = begun.elapsed();
    println!("{}: {done} executions in {took:.1?}, the slowest {slowest:.1?}", door.name);
    assert!(done > 0);
    doors::tidy();
}

/// `make test`: so many a door as `short` says, fewer of those that cost milliseconds; `make test-long`: 10,000,000, or
/// as many as VIGIE_FUZZ_SECONDS (default 600) a door allow. How many there were is printed.
fn all(names: &[&str], short: u64) {
    let seconds = std::env::var("VIGIE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let most = Duration::from_secs(if long() { seconds.unwrap_or(600) } else { 60 });
    for door in DOORS.iter().filter(|door| names.contains(&door.name)) {
        storm(door, rounds(short, 10_000_000), most);
    }
}

#[test]
fn events_of_any_bytes_are_read_or_refused() {
    all(&["wire", "binary_frame"], 20_000);
}

#[test]
fn recordings_and_journals_of_any_bytes_are_read_or_refused() {
    all(&["journal_line"], 20_000);
    all(&["recording", "journal"], 3_000);
}

#[test]
fn configs_rules_and_manifests_of_any_bytes_are_read_or_refused() {
    all(&["manifest", "config", "rule"], 600);
}

#[test]
fn pictures_of_any_bytes_are_decoded_or_refused() {
    all(&["picture"], 1_000);
}

/// Mutations of what is refused anyway would try little.
#[test]
fn the_seeds_are_what_the_doors_are_for() {
    use vigie::event::{Keyer, Level, decode, decode_binary_frame};
    let seeds = |name: &str| {
        let door = DOORS.iter().find(|door| door.name == name).unwrap();
        (door.seeds)()
    };
    let text = |seed: Vec<u8>| String::from_utf8(seed).unwrap();
    for seed in seeds("wire") {
        decode(&text(seed.clone()), &Keyer::replay())
            .unwrap_or_else(|e| panic!("{e}: {}", text(seed)));
    }
    for seed in seeds("binary_frame") {
        decode_binary_frame(&seed.into(), &Keyer::replay()).unwrap();
    }
    for seed in seeds("rule").into_iter().take(3) {
        vigie::risk::Rule::compile("r", &text(seed), Level::Danger, None, vec![], false).unwrap();
    }
    for seed in seeds("picture") {
        vigie::model::image::Picture::decode(&seed).unwrap();
    }
    let small = text(seeds("config").remove(0));
    let folder = tempfile::tempdir().unwrap();
    let config = vigie::config::Config::from_toml(&small, &folder.path().join("vigie.toml"));
    assert!(config.is_ok(), "{}", config.unwrap_err());
}

#[test]
fn every_door_has_its_target() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
    for Door { name, .. } in &DOORS {
        let target = std::fs::read_to_string(root.join(format!("fuzz/targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("vigie_fuzz::{name}(data)")), "{target}");
        assert!(table.contains(&format!("path = \"targets/{name}.rs\"")), "{name}");
    }
}
