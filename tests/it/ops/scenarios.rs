//! `vigie eval scenarios`: an evening of the simulated platform, one that must be seen and one that must be silent.

use std::time::Duration;

use vigie::sim::Scenario;

use super::*;

fn plan(folder: &Path, level: &str) -> String {
    let text = format!(
        "[[scenario]]\nname = \"paid\"\nsimulated = \"paid-violence-en\"\n\
         [[scenario.channel]]\nid = \"sim:up-all-night\"\nat_least = \"{level}\"\nwithin = \"15m\"\n\
         [[scenario]]\nname = \"gala\"\nrecordings = [\"gala.jsonl\"]\n"
    );
    fs::write(folder.join("scenarios.toml"), text).expect("a plan");
    folder.display().to_string()
}

#[test]
fn what_must_be_seen_is_and_what_must_be_silent_is_and_a_broken_expectation_is_exit_1() {
    if shipped().is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let gala = Scenario::by_name("quiet").expect("a scenario").only(&["sim:gala"]);
    gala.write_recording(&folder.path().join("gala.jsonl"), Duration::ZERO).expect("a recording");
    let path = plan(folder.path(), "concern");
    let output = run(&["eval", "scenarios", &path, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", out(&output), err(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&report["seen"], &report["must_be_seen"]), (&1.into(), &1.into()), "{report}");
    assert_eq!((&report["false_alerts"], &report["must_be_silent"]), (&0.into(), &1.into()));
    let hours = report["silent_hours"].as_f64().expect("hours");
    assert!((0.3..0.5).contains(&hours), "24 minutes: {hours}");
    let (row, rate) = (&report["scenarios"][0]["channels"][0], &report["false_alerts_per_hour"]);
    assert!(row["reached_s"].as_f64().is_some_and(|s| s > 60.0 && s <= 900.0), "{row}");
    assert!(rate["high"].as_f64().expect("a bound") > 9.0, "24 minutes prove little: {rate}");

    // Asking the impossible fails, in words, and names it.
    let text = fs::read_to_string(folder.path().join("scenarios.toml")).expect("a plan");
    let text = text.replace("15m", "10s").replace("\"gala\"\n", "\"gala\"\nothers = \"none\"\n");
    fs::write(folder.path().join("scenarios.toml"), text).expect("written");
    let output = run(&["eval", "scenarios", &path]);
    let told = out(&output);
    assert_eq!(output.status.code(), Some(1), "{told}{}", err(&output));
    for words in ["LATE", "not as expected", "at least concern within 10 s", "95 % interval"] {
        assert!(told.contains(words), "{words} in\n{told}");
    }
    fs::write(folder.path().join("scenarios.toml"), "[[scenario]]\nnmae = \"x\"\n")
        .expect("written");
    let output = run(&["eval", "scenarios", &path]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        err(&output).contains("scenarios.toml") && err(&output).contains("nmae"),
        "{}",
        err(&output)
    );
}

#[test]
fn the_example_is_a_plan_that_names_what_there_is() {
    let text = fs::read_to_string(root().join("examples/scenarios/scenarios.toml")).expect("it");
    let plan: toml::Table = text.parse().expect("TOML");
    for scenario in plan["scenario"].as_array().expect("scenarios") {
        let name = scenario["simulated"].as_str().expect("a simulation");
        let show = Scenario::by_name(name).expect(name);
        let channels = scenario.get("channel").and_then(|channels| channels.as_array());
        for channel in channels.into_iter().flatten() {
            let id = channel["id"].as_str().expect("an id");
            assert!(show.channels().contains(&id), "{name} has no {id}");
        }
    }
}
