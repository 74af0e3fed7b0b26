//! The chat model was trained on ids made by `training/chat/text.py`; the daemon makes them in `src/model/text.rs`. One fixture, written
//! by the training, holds both to the same ids: a text read differently here would be scored by luck.

use vigie::model::pieces::Pieces;
use vigie::model::text::{features, normalise};

fn fixture() -> serde_json::Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/chat_parity.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the fixture is there"))
        .expect("the fixture is JSON")
}

fn digest(ids: &[i32]) -> u64 {
    let hash = ids
        .iter()
        .flat_map(|id| id.to_le_bytes())
        .fold(0x811C_9DC5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    u64::from(hash)
}

#[test]
fn a_text_has_the_same_ids_here_and_in_training() {
    let fixture = fixture();
    let buckets = u32::try_from(fixture["buckets"].as_u64().expect("buckets")).expect("fits");
    let max = usize::try_from(fixture["max"].as_u64().expect("max")).expect("fits");
    let texts = fixture["texts"].as_array().expect("texts");
    assert!(texts.len() >= 1000);
    let mut ids = Vec::new();
    for row in texts {
        let text = row[0].as_str().expect("text");
        if let Some(want) = row[3].as_str() {
            assert_eq!(normalise(text), want, "{text:?}");
        }
        features(text, buckets, max, &mut ids);
        assert_eq!(ids.len() as u64, row[1].as_u64().expect("count"), "{text:?}");
        assert_eq!(digest(&ids), row[2].as_u64().expect("digest"), "{text:?}");
    }
    // What the further stages see: numbers of pieces.
    let lines =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/models/chat/pieces.txt"));
    let pieces = Pieces::read(&lines.expect("the vocabulary is there")).expect("no line twice");
    let most = usize::try_from(fixture["pieces_max"].as_u64().expect("a limit")).expect("fits");
    let cut = fixture["pieces"].as_array().expect("pieces");
    assert_eq!(cut.len(), texts.len());
    for (row, text) in cut.iter().zip(texts) {
        let text = text[0].as_str().expect("text");
        let ids = pieces.of(&normalise(text), most);
        assert_eq!(ids.len() as u64, row[1].as_u64().expect("count"), "{text:?}");
        assert_eq!(digest(&ids), row[2].as_u64().expect("digest"), "{text:?}");
    }
    let full = fixture["ids"].as_array().expect("ids");
    assert!(!full.is_empty());
    for row in full {
        let text = texts[usize::try_from(row[0].as_u64().expect("index")).expect("fits")][0]
            .as_str()
            .expect("text");
        let want: Vec<i32> = row[1]
            .as_array()
            .expect("list")
            .iter()
            .map(|v| v.as_i64().expect("id") as i32)
            .collect();
        features(text, buckets, max, &mut ids);
        assert_eq!(ids, want, "{text:?}");
    }
}
