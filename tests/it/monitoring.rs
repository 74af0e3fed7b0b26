//! Holds the dashboard and the alert rules to the metrics that exist: every `vigie_` name used in monitoring/ stands
//! in docs/metrics.md, with the labels that it uses; and promtool accepts and tests the rules where it is to be had.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The families of docs/metrics.md: name to (type, labels).
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let words = |cell: &str| {
        cell.split(',').map(|w| w.trim().trim_matches('`').to_owned()).collect::<Vec<_>>()
    };
    let families: BTreeMap<_, _> = read("docs/metrics.md")
        .lines()
        .filter(|line| line.starts_with("| `vigie_"))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let labels = words(cells[3]).into_iter().filter(|w| !w.is_empty()).collect();
            (cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), labels))
        })
        .collect();
    assert!(families.len() > 20, "docs/metrics.md has its table");
    families
}

/// The names in a text that look like ours, with the label names in the braces or `by (…)` beside them left aside.
fn names(text: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices("vigie_")
        .filter(|(at, _)| !text[..*at].ends_with(is_word))
        .map(|(at, _)| text[at..].chars().take_while(|c| is_word(*c)).collect())
        .collect()
}

/// The queries of the dashboard.
fn queries() -> Vec<String> {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("monitoring/dashboard.json")).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let queries: Vec<String> = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default())
        .map(|target| target["expr"].as_str().expect("a target has a query").to_owned())
        .collect();
    assert!(queries.len() > 20);
    queries
}

/// The family of a series: a histogram's `_bucket`, `_sum` and `_count` belong to it.
fn family<'a>(
    name: &'a str,
    families: &BTreeMap<String, (String, BTreeSet<String>)>,
) -> Option<&'a str> {
    if families.contains_key(name) {
        return Some(name);
    }
    ["_bucket", "_sum", "_count"]
        .iter()
        .filter_map(|suffix| name.strip_suffix(suffix))
        .find(|base| families.get(*base).is_some_and(|(kind, _)| kind == "histogram"))
}

#[test]
fn every_metric_in_use_is_documented() {
    let families = documented();
    let used = [read("monitoring/alerts.yml"), read("monitoring/tests.yml"), queries().join("\n")];
    let mut shown = BTreeSet::new();
    for (text, source) in used.iter().zip(["alerts.yml", "tests.yml", "dashboard.json"]) {
        let found = names(text);
        assert!(!found.is_empty(), "{source} uses metrics");
        for name in found {
            let family = family(&name, &families);
            assert!(
                family.is_some(),
                "monitoring/{source} uses {name}, which docs/metrics.md does not have"
            );
            shown.extend(family.map(str::to_owned));
        }
    }
    let plain = ["vigie_process_virtual_memory_bytes"];
    let unused: Vec<_> =
        families.keys().filter(|n| !shown.contains(*n) && !plain.contains(&n.as_str())).collect();
    assert!(unused.is_empty(), "neither shown nor watched: {unused:?}");
}

/// Matchers `name{label="…"}`: each label must be one of the family's (or `le`).
#[test]
fn every_label_in_use_is_documented() {
    let families = documented();
    let texts = [read("monitoring/alerts.yml"), read("monitoring/tests.yml"), queries().join("\n")]
        .join("\n");
    let mut seen = 0;
    for (at, _) in texts.match_indices('{') {
        let before: String = texts[..at]
            .chars()
            .rev()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        let name: String = before.chars().rev().collect();
        let Some(family) = family(&name, &families) else { continue };
        let inside = texts[at + 1..].split('}').next().expect("a split has a first part");
        for matcher in inside.split(',') {
            let label = matcher.split(['=', '!']).next().expect("a split has a first part").trim();
            assert!(families[family].1.contains(label), "{name} has no label {label}");
            seen += 1;
        }
    }
    assert!(seen > 20, "matchers were found");
}

#[test]
fn the_names_follow_the_conventions() {
    for (name, (kind, _)) in documented() {
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        if kind == "histogram" {
            assert!(name.ends_with("_seconds") || name.ends_with("_size"), "{name}: in base units");
        }
    }
}

#[test]
fn promtool_accepts_and_tests_the_rules() {
    let Some(promtool) = std::env::var_os("VIGIE_PROMTOOL") else {
        eprintln!("SKIPPED: VIGIE_PROMTOOL is not set (make test sets it)");
        return;
    };
    for words in [["check", "rules", "alerts.yml"], ["test", "rules", "tests.yml"]] {
        promtool_run(Path::new(&promtool), &words);
    }
    // The dashboard's queries, as recording rules, are held to the same grammar.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("dashboard.yml");
    let mut rules = String::from("groups:\n- name: dashboard\n  rules:\n");
    for (n, query) in queries().iter().enumerate() {
        let query = serde_json::to_string(&query.replace("$__rate_interval", "5m"))
            .expect("a string is JSON");
        rules.push_str(&format!("  - record: panel:query:{n}\n    expr: {query}\n"));
    }
    fs::write(&file, rules).expect("it can be written");
    promtool_run(Path::new(&promtool), &["check", "rules", &file.to_string_lossy()]);
}

fn promtool_run(promtool: &Path, words: &[&str]) {
    let output = Command::new(promtool)
        .args(words)
        .current_dir(root().join("monitoring"))
        .output()
        .expect("promtool starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {words:?}:\n{said}");
}

/// docs/metrics.md against the table from which the daemon makes its metrics.
#[test]
fn the_documented_metrics_are_those_that_exist() {
    let documented = documented();
    for family in &vigie::telemetry::FAMILIES {
        let kind = match family.kind {
            vigie::telemetry::FamilyKind::Counter => "counter",
            vigie::telemetry::FamilyKind::Gauge => "gauge",
            vigie::telemetry::FamilyKind::Histogram(_) => "histogram",
        };
        let labels = family.labels.iter().map(|label| (*label).to_owned()).collect();
        let known = documented.get(family.name);
        assert_eq!(known, Some(&(kind.to_owned(), labels)), "docs/metrics.md on {}", family.name);
    }
    let exposed = vigie::telemetry::Metrics::new().encode();
    for name in documented.keys() {
        assert!(
            exposed.contains(&format!("# TYPE {name} ")),
            "docs/metrics.md has {name}, which does not exist"
        );
    }
}

#[test]
fn promtool_accepts_the_metrics() {
    let Some(promtool) = std::env::var_os("VIGIE_PROMTOOL") else {
        eprintln!("SKIPPED: VIGIE_PROMTOOL is not set (make test sets it)");
        return;
    };
    let metrics = vigie::telemetry::Metrics::new();
    metrics.feed("platform");
    metrics.sink("team");
    metrics.model("chat", "0.1.0");
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    child.stdin.take().expect("piped").write_all(metrics.encode().as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "promtool check metrics:\n{said}");
}
