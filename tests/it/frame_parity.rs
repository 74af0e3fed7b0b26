//! The frame model was trained on pictures decoded and resized by Python; the daemon does it with its own crates. One
//! fixture of drawn pictures, written by the training, holds both to the same features, moving parts and scores, within
//! tolerance.

use vigie::event::FRAME_LABELS;
use vigie::model::image::{Eye, Picture};
use vigie::model::moving::Part;
use vigie::model::{Manifest, Scorer};

use super::models::{fixture_picture, root, shipped};

/// Largest difference of features and of look scores from the fixture's; how many were compared.
fn differences(manifest: &Manifest, fixture: &serde_json::Value) -> (f32, f32, usize) {
    let mut scorer = Scorer::open(manifest).unwrap();
    let (mut features, mut scores, mut compared) = (0.0f32, 0.0f32, 0);
    for (name, wanted) in fixture["features"].as_object().unwrap() {
        let picture = Picture::decode(&fixture_picture(name)).unwrap();
        let found = scorer.features(&picture).unwrap();
        let wanted = wanted.as_array().unwrap();
        assert!(found.len() >= wanted.len());
        for (found, wanted) in found.iter().zip(wanted) {
            features = features.max((found - wanted.as_f64().unwrap() as f32).abs());
            compared += 1;
        }
    }
    for look in fixture["looks"].as_object().unwrap().values() {
        let names = look["pictures"].as_array().unwrap();
        let pictures: Vec<_> =
            names.iter().map(|name| fixture_picture(name.as_str().unwrap())).collect();
        let looked = scorer.look(&pictures).unwrap();
        for label in FRAME_LABELS {
            let found = looked.scores.frame(label);
            let wanted = look[label.name()].as_f64();
            assert_eq!(found.is_some(), wanted.is_some(), "{}", label.name());
            let (Some(found), Some(wanted)) = (found, wanted) else { continue };
            scores = scores.max((found - wanted as f32).abs());
            compared += 1;
        }
    }
    (features, scores, compared)
}

#[test]
fn pictures_are_seen_here_as_in_training() {
    let Some(manifest) = shipped() else { return };
    let path = root().join("tests/fixtures/frame_parity/expected.json");
    let fixture: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let tolerance = |name: &str| fixture["tolerance"][name].as_f64().unwrap() as f32;
    let (features, scores, compared) = differences(&manifest, &fixture);
    eprintln!("frame: largest difference of features {features:.5}, of scores {scores:.5}");
    assert!(compared >= 100, "{compared} compared");
    assert!(features <= tolerance("features"), "features differ by {features}");
    assert!(scores <= tolerance("scores"), "look scores differ by {scores}");

    // The tolerance would not let another preprocessing pass.
    let mut other = manifest.clone();
    other.models.iter_mut().for_each(|model| {
        if let Some(vigie::model::Preprocess::Rgb(planes)) = &mut model.preprocess {
            planes.mean = [110.0, 127.0, 127.0];
        }
    });
    let (features, ..) = differences(&other, &fixture);
    assert!(features > tolerance("features"), "a shifted red moves features by {features} only");
}

#[test]
fn what_moves_is_looked_for_where_the_training_found_it() {
    let path = root().join("tests/fixtures/frame_parity/expected.json");
    let fixture: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let tolerance = fixture["tolerance"]["part"].as_f64().unwrap();
    let (mut whole, mut close) = (0, 0);
    for (look, told) in fixture["looks"].as_object().unwrap() {
        let names = told["pictures"].as_array().unwrap();
        let pictures: Vec<_> = names
            .iter()
            .map(|name| Picture::decode(&fixture_picture(name.as_str().unwrap())).unwrap())
            .collect();
        let found = Eye::default().moving(&pictures);
        let wanted: Vec<f64> =
            told["part"].as_array().unwrap().iter().map(|side| side.as_f64().unwrap()).collect();
        let sides = [found.left, found.top, found.right, found.bottom];
        let apart = sides.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(apart <= tolerance, "{look}: {found:?} is not {wanted:?}");
        *if found == Part::WHOLE { &mut whole } else { &mut close } += 1;
    }
    assert!(whole >= 1 && close >= 3, "{whole} whole, {close} parts");
}
