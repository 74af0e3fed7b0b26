//! What benchmarks run on: messages, wire lines, scores and pictures, made by seed from words written for it. Shapes
//! follow live chat: short messages, now and then a long one; few of them paid, few of them harmful. Where `VIGIE_DATA`
//! names a folder of real chat, text models read that instead.

use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::event::{CHAT_LABELS, ChatLabel, Score, Scores, Setting, Timestamp};
use crate::model::Message;

/// Where the made streams begin: 2025-08-17T20:00:00Z.
pub const START: Timestamp = Timestamp(1_755_460_800_000);

const WORDS: [&str; 48] = [
    "salut", "bonsoir", "le", "la", "chat", "c'est", "trop", "drôle", "mdr", "lol", "GG", "ptdr",
    "what", "a", "game", "that", "was", "close", "please", "play", "the", "next", "one", "merci",
    "pour", "le", "stream", "encore", "une", "partie", "où", "tu", "habites", "haha", "no", "way",
    "clip", "it", "😂😂", "❤️", ":wave:", "@modo", "stop", "il", "est", "fatigué", "let", "him",
];

/// Dice of a seed; `lane` tells the uses apart.
pub fn dice(lane: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(super::SEED ^ lane)
}

/// A chat message of 1 to 12 words, one in twenty of 30 to 60.
pub fn words(dice: &mut ChaCha8Rng) -> String {
    let count =
        if dice.random_bool(0.05) { dice.random_range(30..60) } else { dice.random_range(1..=12) };
    let mut out = String::new();
    for place in 0..count {
        if place > 0 {
            out.push(' ');
        }
        out.push_str(WORDS[dice.random_range(0..WORDS.len())]);
    }
    out
}

/// Messages as they come from many channels: 2 % paid, 4 in 10 under a setting that excuses.
pub fn messages(count: usize) -> Vec<Message> {
    let mut dice = dice(1);
    let message = |_| Message {
        text: words(&mut dice).into(),
        paid: dice.random_bool(0.02),
        setting: match dice.random_range(0..10) {
            0..3 => Setting::Game,
            3 => Setting::Sport,
            4..7 => Setting::Real,
            _ => Setting::Unknown,
        },
    };
    (0..count).map(message).collect()
}

/// Messages of real chat, drawn from the columns `text` or `message` of `$VIGIE_DATA/chat/*.csv`, paid and set as
/// [`messages`] are; these themselves where there is none. And which of both they are. Errors: the folder cannot be read.
pub fn said(count: usize) -> Result<(Vec<Message>, &'static str), String> {
    let mut messages = messages(count);
    let Some(data) = std::env::var_os("VIGIE_DATA") else { return Ok((messages, "made text")) };
    let folder = std::path::Path::new(&data).join("chat");
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(|e| failed(&e))? {
        let path = entry.map_err(|e| failed(&e))?.path();
        paths.extend(path.extension().is_some_and(|end| end == "csv").then_some(path));
    }
    paths.sort_unstable();
    let mut texts: Vec<Box<str>> = Vec::new();
    for path in paths {
        let mut rows = csv::Reader::from_path(path).map_err(|e| failed(&e))?;
        let head = rows.headers().map_err(|e| failed(&e))?;
        let place = head.iter().position(|name| matches!(name, "text" | "message"));
        let Some(place) = place else { continue };
        for row in rows.records() {
            texts.extend(row.map_err(|e| failed(&e))?.get(place).map(Into::into));
        }
    }
    if texts.is_empty() {
        return Err(failed(&"no table in it has a column `text` or `message`"));
    }
    let mut dice = dice(7);
    for message in &mut messages {
        message.text = texts[dice.random_range(0..texts.len())].clone();
    }
    Ok((messages, "real chat"))
}

/// Scores as the chat model gives them: low, one message in a hundred harmful.
pub fn scores(dice: &mut ChaCha8Rng) -> Scores {
    scores_of(dice, 0.01)
}

/// The same with this share of harmful messages.
pub fn scores_of(dice: &mut ChaCha8Rng, harm: f64) -> Scores {
    let harmful = dice.random_bool(harm).then(|| dice.random_range(0..CHAT_LABELS.len()));
    let mut out = Scores::default();
    for label in CHAT_LABELS {
        let at = label as usize;
        let p = if harmful == Some(at) {
            dice.random_range(0.5..1.0)
        } else {
            dice.random_range(0.0..0.2f32)
        };
        // A number drawn from a range is finite.
        if let Some(score) = Score::new(p) {
            out.set(at, score);
        }
    }
    out
}

/// Scores of a channel in trouble: every label harmful at times.
pub fn heavy_scores(dice: &mut ChaCha8Rng) -> Scores {
    let mut out = scores(dice);
    for label in [ChatLabel::Incitement, ChatLabel::Distress, ChatLabel::Harassment] {
        if let Some(score) = Score::new(dice.random_range(0.3..1.0)) {
            out.set(label as usize, score);
        }
    }
    out
}

/// Lines of the wire format from `channels` channels, ids from `first` on, one millisecond apart: 97 in 100 chat, 2
/// donations, the rest rewards and `stream` updates.
pub fn lines(count: usize, channels: usize, first: usize) -> Vec<String> {
    let mut dice = dice(first as u64 + 2);
    let line = |place: usize| {
        let id = first + place;
        let at = START.plus_ms(id as i64);
        let channel = dice.random_range(0..channels);
        let user = dice.random_range(0..50_000);
        let text = words(&mut dice);
        let head = format!(r#""id":"m-{id:08}","at":"{at}","channel":"kick:{channel}""#);
        let viewers = user;
        let user =
            format!(r#""user":{{"id":"u{user}","name":"viewer_{user}","roles":["subscriber"]}}"#);
        match dice.random_range(0..200) {
            0..194 => format!(r#"{{"type":"chat",{head},{user},"text":"{text}"}}"#),
            194..198 => {
                let euros = dice.random_range(1..100);
                format!(
                    r#"{{"type":"donation",{head},{user},"amount":{{"value":"{euros}.00","currency":"EUR"}},"source":"tip","text":"{text}"}}"#
                )
            }
            198 => format!(
                r#"{{"type":"reward",{head},{user},"reward":{{"title":"Wheel","cost":500,"unit":"points"}},"text":"{text}"}}"#
            ),
            _ => format!(
                r#"{{"type":"stream",{head},"state":"update","title":"{text}","category":"Just Chatting","language":"fr","viewers":{viewers}}}"#
            ),
        }
    };
    (0..count).map(line).collect()
}

/// JPEG pictures of 640 × 360: a drifting gradient with blocks and grain.
pub fn pictures(count: usize) -> Vec<Bytes> {
    let mut dice = dice(3);
    let (width, height) = (640usize, 360usize);
    let picture = |nth: usize| {
        let mut rgb = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            for x in 0..width {
                let block = ((x + nth * 9) / 80 + y / 60) % 2 * 60;
                let grain = dice.random_range(0..12);
                let base = (x * 120 / width + y * 60 / height + block + grain) as u8;
                rgb.extend_from_slice(&[base, base / 2 + 40, 200 - base / 2]);
            }
        }
        let mut out = Vec::new();
        // Writing to memory does not fail, and the size fits.
        let _ = jpeg_encoder::Encoder::new(&mut out, 80).encode(
            &rgb,
            width as u16,
            height as u16,
            jpeg_encoder::ColorType::Rgb,
        );
        out.into()
    };
    (0..count).map(picture).collect()
}
