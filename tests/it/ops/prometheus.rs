//! A real Prometheus over a real demo: every query of the dashboard and every alert rule is answered from series that
//! exist. And the number of series does not grow with channels and people.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

/// The server that Debian's package has beside promtool.
fn prometheus() -> Option<PathBuf> {
    let named = std::env::var_os("VIGIE_PROMETHEUS").map(PathBuf::from);
    let beside = std::env::var_os("VIGIE_PROMTOOL")
        .map(|tool| Path::new(&tool).with_file_name("prometheus"));
    let found = named.or(beside).filter(|path| path.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: no prometheus beside VIGIE_PROMTOOL (make test sets it where it can)");
    }
    found
}

/// What Grafana would ask, with the interval of this test.
fn queries() -> Vec<String> {
    let text = fs::read_to_string(root().join("monitoring/dashboard.json")).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets =
        panels.iter().flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    targets
        .map(|target| target["expr"].as_str().expect("a query").replace("$__rate_interval", "10s"))
        .collect()
}

/// Names that look like ours in a text.
fn names(text: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = |at: &usize| !text[..*at].ends_with(is_word);
    let places = text.match_indices("vigie_").map(|(at, _)| at).filter(begins);
    places.map(|at| text[at..].chars().take_while(|c| is_word(*c)).collect()).collect()
}

/// Families that no part of the daemon feeds so far; what asks for them is answered, with nothing.
const UNFED: [&str; 2] = ["vigie_queue_", "vigie_inference_cache_total"];

fn is_fed(text: &&String) -> bool {
    !UNFED.iter().any(|name| text.contains(name))
}

struct Asked(u16);

impl Asked {
    fn get(&self, path: &str) -> Option<Value> {
        let (_, body) = get(self.0, path)?;
        serde_json::from_slice(&body).ok()
    }

    fn query(&self, query: &str) -> Value {
        let escaped: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = self.get(&format!("/api/v1/query?query={escaped}")).expect("an answer");
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].clone()
    }

    fn has_data(&self, query: &str) -> bool {
        self.query(query).as_array().is_some_and(|result| !result.is_empty())
    }
}

#[test]
fn a_real_prometheus_over_a_real_demo_answers_every_query_of_dashboard_and_rules() {
    let (Some(prometheus), Some(_)) = (prometheus(), shipped()) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (page, port) = (free_port(), free_port());
    let state = folder.path().join("state").display().to_string();
    let words = ["demo", "--scenario", "swatting", "--speed", "20", "--state", &state, "--port"];
    let mut demo = vigie(&[&words[..], &[&page.to_string()]].concat());
    let _demo = Ended(Running(demo.stdout(Stdio::null()).spawn().expect("vigie starts")));
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{:?}]\nscrape_configs:\n  \
         - job_name: vigie\n    static_configs: [{{targets: [\"127.0.0.1:{page}\"]}}]\n",
        root().join("monitoring/alerts.yml")
    );
    fs::write(folder.path().join("prometheus.yml"), config).expect("written");
    eventually("a demo that is ready", || {
        get(page, "/readyz").filter(|(status, _)| *status == 200)
    });
    let server = Command::new(prometheus)
        .arg(format!("--config.file={}", folder.path().join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--log.level=error")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _server = Running(server.expect("prometheus starts"));
    let asked = Asked(port);
    eventually("a rate of events", || {
        get(port, "/-/ready").filter(|(status, _)| *status == 200)?;
        asked.has_data("sum(rate(vigie_feed_events_total[10s])) > 0").then_some(())
    });

    // Every query is answered, from series that exist.
    let all = queries();
    assert!(all.len() > 20);
    let empty = all.iter().filter(|query| !asked.has_data(query)).filter(is_fed);
    let empty: Vec<&String> = empty.collect();
    assert!(empty.is_empty(), "no data for {empty:#?}");
    let rules = fs::read_to_string(root().join("monitoring/alerts.yml")).expect("the rules");
    let used = names(&(all.join("\n") + &rules));
    let absent = used.iter().filter(|name| !asked.has_data(name)).filter(is_fed);
    let absent: Vec<&String> = absent.collect();
    assert!(absent.is_empty(), "no series of {absent:?}");

    // Every rule was evaluated without error, and only the dead man's switch fires.
    let rules = eventually("every rule evaluated", || {
        let rules = asked.get("/api/v1/rules")?["data"]["groups"][0]["rules"].clone();
        let known = |rule: &Value| rule["health"] != "unknown";
        rules.as_array().filter(|rules| rules.iter().all(known)).cloned()
    });
    assert!(rules.len() >= 20, "{}", rules.len());
    for rule in &rules {
        assert_eq!((&rule["health"], rule["lastError"].as_str()), (&"ok".into(), None), "{rule}");
        let fires = rule["state"] == "firing";
        assert_eq!(fires, rule["name"] == "VigieWatchdog", "{rule}");
    }
}

/// SIGTERM first, so that the demo ends its own daemon.
struct Ended(Running);

impl Drop for Ended {
    fn drop(&mut self) {
        signal(self.0.0.id(), "-TERM");
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until && matches!(self.0.0.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The series of `/metrics`, without their values.
fn series(house: &House) -> BTreeSet<String> {
    let (_, body) = get(house.port, "/metrics").expect("metrics");
    let text = String::from_utf8(body).expect("UTF-8");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
}

#[test]
fn the_series_are_the_same_for_one_channel_and_for_hundreds_with_thousands_of_people() {
    let (mut few, mut many) = (House::new(), House::new());
    if !few.start() {
        return;
    }
    let mut text = String::from(EVENING);
    for n in 0..3000 {
        let (channel, at) = (n % 300, format!("2026-01-01T20:01:{:02}Z", n * 60 / 3000));
        text.push_str(&format!(
            "{{\"type\":\"chat\",\"id\":\"m{n}\",\"at\":\"{at}\",\"channel\":\"many:{channel}\",\"user\":{{\"id\":\"u{n}\"}},\"text\":\"bonsoir {n}\"}}\n"
        ));
    }
    fs::write(many.folder.path().join("evening.jsonl"), text).expect("a recording");
    assert!(many.start());
    eventually("all of it", || {
        let (_, body) = get(many.port, "/metrics")?;
        let text = String::from_utf8(body).ok()?;
        text.contains("vigie_feed_events_total{feed=\"evening\",kind=\"chat\"} 3002\n")
            .then_some(())
    });
    let (few, many) = (series(&few), series(&many));
    assert!(few.len() > 100, "{}", few.len());
    let differ: Vec<&String> = few.symmetric_difference(&many).collect();
    assert!(differ.is_empty(), "{differ:#?}");
}
