//! `vigie eval chat`: the same shares whoever counts them, and tables that cannot be read.

use serde_json::Value;

use super::{err, out, run, written};
use crate::models::{root, shipped};

const TABLE: &str = "# ours\ntext,paid,threat,toxicity\nje vais te tuer ce soir,0,1,1\nbonjour tout le monde,0,0,0\n\
                     \"t'es mort, je vais te planter\",0,1,\ngg bien joué,,0,0\n";

#[test]
fn eval_chat_counts_what_score_chat_says() {
    if shipped().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let table = written(folder.path(), "ours.csv", TABLE);
    let manifest = root().join("models").display().to_string();
    let output = run(&["eval", "chat", &table, "--json", "--against", &manifest]);
    assert!(output.status.success(), "{}", err(&output));
    let report: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(report["messages"], 4);
    let row = |of: &str, label: &str| -> Value {
        let rows = report[of]["labels"].as_array().unwrap();
        rows.iter().find(|row| row["label"] == label).unwrap().clone()
    };
    assert_eq!(
        (&row("this", "threat")["hold"], &row("this", "threat")["hold_not"]),
        (&2.into(), &2.into())
    );
    assert_eq!(
        (&row("this", "toxicity")["hold"], &row("this", "toxicity")["hold_not"]),
        (&1.into(), &2.into())
    );

    // The same by hand.
    let lines =
        "{\"text\":\"je vais te tuer ce soir\"}\n{\"text\":\"t'es mort, je vais te planter\"}\n";
    let file = written(folder.path(), "in.jsonl", lines);
    let scores = super::lines(&run(&["score", "chat", &file]));
    let found =
        scores.iter().filter(|line| line["scores"]["threat"].as_f64().unwrap() >= 0.5).count();
    assert_eq!(row("this", "threat")["found"], found);
    assert!(found > 0, "a plain threat is found");

    // Against itself nothing differs.
    assert_eq!(report["this"]["labels"], report["other"]["labels"]);
    for difference in report["differences"].as_array().unwrap() {
        assert_eq!(
            (&difference["only_this_right"], &difference["only_other_right"]),
            (&0.into(), &0.into())
        );
    }
    let told = out(&run(&["eval", "chat", &table]));
    assert!(told.contains("macro-F1") && told.contains("threat"), "{told}");
}

#[test]
fn eval_chat_says_what_is_wrong_with_a_table() {
    if shipped().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let table = written(folder.path(), "bad.csv", "text,threat\nbonjour,perhaps\n");
    let output = run(&["eval", "chat", &table]);
    assert_eq!(output.status.code(), Some(2));
    for needle in ["bad.csv:2", "threat is `perhaps`", "1, 0 or nothing"] {
        assert!(err(&output).contains(needle), "{needle} is not told in {}", err(&output));
    }
    let missing = run(&["eval", "chat", "no/such.csv"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(err(&missing).contains("no/such.csv"), "{}", err(&missing));
}
