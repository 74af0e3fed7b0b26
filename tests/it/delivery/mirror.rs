//! Prometheus Alertmanager shows what is open, and that it is over once somebody took it. The peer is the real one,
//! where `make test` could get it.

use std::process::{Child, Command, Stdio};

use super::*;

struct Alertmanager(Child, u16);

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn alertmanager(folder: &Path) -> Option<Alertmanager> {
    let Some(program) = std::env::var_os("VIGIE_ALERTMANAGER") else {
        eprintln!(
            "SKIPPED: VIGIE_ALERTMANAGER is not set (make test sets it where Debian's package can be had)"
        );
        return None;
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = folder.join("alertmanager.yml");
    std::fs::write(&config, "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n").unwrap();
    // The unpacked one finds its templates in the folder it is started in.
    let templates = Path::new(&program).with_file_name("../share/prometheus/alertmanager");
    let child = Command::new(&program)
        .current_dir(if templates.is_dir() { &templates } else { folder })
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=")
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.join("alertmanager.log")).unwrap())
        .spawn()
        .unwrap();
    Some(Alertmanager(child, port))
}

impl Alertmanager {
    /// What it shows as firing.
    async fn firing(&self) -> Vec<Value> {
        let url = format!("http://127.0.0.1:{}/api/v2/alerts?active=true", self.1);
        let Ok(answer) =
            reqwest::Client::builder().no_proxy().build().unwrap().get(url).send().await
        else {
            return Vec::new();
        };
        answer.json().await.unwrap_or_default()
    }

    async fn until(&self, what: &str, done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let firing = self.firing().await;
            if done(&firing) {
                return firing;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{what}: {firing:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn mirror(port: u16, every: u64) -> SinkOptions {
    let kind = SinkKind::Alertmanager {
        url: format!("http://127.0.0.1:{port}/"),
        timeout: Duration::from_secs(5),
        every: Duration::from_secs(every),
    };
    SinkOptions { backoff: webhook("x", "").backoff, ..SinkOptions::new("am", kind) }
}

#[tokio::test]
async fn alertmanager_shows_open_alerts_until_somebody_takes_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let Some(peer) = alertmanager(dir.path()) else { return };
    let sinks = [mirror(peer.1, 60), webhook("dead", "http://127.0.0.1:9/hook")];
    let delivery = start(&store, &sinks);
    assert_eq!(delivery.rows(&opened(1), AT).len(), 1, "a mirror has no outbox");
    let life = change(2, 1, Level::ThreatToLife, State::Open);
    commit(&store, [opened(1), life.clone()], &sinks).await;
    delivery.wake();
    let label =
        |alert: &Value, name: &str| alert["labels"][name].as_str().unwrap_or_default().to_owned();
    // The two alerts, and the sink that fails.
    let firing = peer.until("three", |firing| firing.len() == 3).await;
    let shown: Vec<_> = firing
        .iter()
        .filter(|alert| label(alert, "alertname") == "VigieAlert")
        .map(|alert| (label(alert, "alert"), label(alert, "level")))
        .collect();
    assert!(shown.contains(&(opened(1).alert.id.to_string(), "danger".into())), "{firing:#?}");
    assert!(shown.contains(&(life.alert.id.to_string(), "threat_to_life".into())), "{firing:#?}");
    assert!(firing.iter().any(|alert| label(alert, "sink") == "dead"), "{firing:#?}");
    let told = Value::from(firing.clone()).to_string();
    assert!(
        !told.contains(opened(1).alert.channel.as_str())
            && !told.contains(&opened(1).alert.summary)
    );
    for alert in &firing {
        let ends = alert["endsAt"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert!(ends > jiff::Timestamp::now());
    }

    commit(&store, [change(1, 2, Level::Danger, State::Acknowledged)], &sinks).await;
    delivery.apply(vec![mirror(peer.1, 60)]).unwrap();
    let left = peer.until("one left", |firing| firing.len() == 1).await;
    assert_eq!(label(&left[0], "alert"), life.alert.id.to_string());
    // It outlives its end by being posted again.
    delivery.apply(vec![mirror(peer.1, 1)]).unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(peer.firing().await.len(), 1);
    assert!(delivery.states()[0].1.ok);

    let answer = delivery.test("am").await.unwrap();
    assert_eq!((answer.accepted, answer.status), (true, Some(200)), "{answer:?}");
    peer.until("the test", |firing| firing.iter().any(|a| label(a, "alertname") == "VigieTest"))
        .await;
}

#[tokio::test]
async fn a_mirror_that_cannot_be_reached_fails_like_any_sink() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let receiver = Receiver::default();
    let (url, _server) = receiver.listen().await;
    let delivery = start(&store, &[mirror(9, 60), webhook("well", &url)]);
    until("the announcement", || receiver.accepted().len() == 1).await;
    assert!(receiver.accepted()[0].starts_with("sink-failing-am-"));
    assert!(!delivery.states()[0].1.ok);
}
