//! The console over real HTTP: what every answer carries, who is refused and how, what a page says and hides.

#[path = "console/fake.rs"]
pub mod fake;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use fake::{Fake, HOSTILE, id, shared};
use vigie::console::{Live, Settings, health_router, router};

struct House {
    address: SocketAddr,
    fake: Arc<Fake>,
    client: Client,
}

async fn house(fake: Fake) -> House {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let language = fake.words.lang().to_owned();
    let (fake, desk) = shared(fake);
    let settings = Settings {
        language,
        config: "config/vigie.toml".into(),
        hosts: vec!["vigie.example".into()],
        zone: "Europe/Paris".into(),
        banner: "DEMO".into(),
        seats: 64,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router(desk, settings)).await.unwrap() });
    House { address, fake, client: Client::new() }
}

impl House {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    async fn page(&self, path: &str) -> String {
        let request = self.client.get(self.url(path)).header("accept", "text/html");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.unwrap()
    }

    /// The whole answer to a request written by hand.
    async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

async fn problem(answer: reqwest::Response, status: u16) -> Value {
    assert_eq!(answer.status().as_u16(), status);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["status"], status);
    assert!(body["title"].is_string() && body["detail"].is_string() && body["type"].is_string());
    body
}

#[tokio::test]
async fn every_answer_keeps_to_itself() {
    let house = house(Fake::new("en")).await;
    let alert = format!("/alerts/{}", id());
    let dossier = format!("/alerts/{}/dossier", id());
    for path in
        ["/", &alert, &dossier, "/api/v1/alerts", "/assets/vigie.js", "/nothing", "/metrics"]
    {
        let answer = house.get(path).await;
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let csp = header("content-security-policy");
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'none'",
        ] {
            assert!(csp.contains(rule), "{path}: {csp}");
        }
        assert!(!csp.contains("unsafe"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert!(answer.headers().get("access-control-allow-origin").is_none());
    }
}

#[tokio::test]
async fn pages_carry_no_inline_script_or_style_and_nothing_from_elsewhere() {
    let house = house(Fake::new("fr")).await;
    for path in ["/".to_owned(), format!("/alerts/{}", id()), format!("/alerts/{}/dossier", id())] {
        let html = house.page(&path).await;
        assert!(!html.contains("<style"), "{path}");
        assert!(!html.contains(" style="), "{path}");
        for open in html.match_indices("<script") {
            assert!(html[open.0..].starts_with("<script src=\"/assets/"), "{path}");
        }
        for attribute in ["src=\"", "href=\""] {
            for (place, _) in html.match_indices(attribute) {
                let target = &html[place + attribute.len()..];
                let target = &target[..target.find('"').unwrap()];
                let external = target == "https://kick.test/le_salon" && attribute == "href=\"";
                assert!(target.starts_with(['/', '#']) || external, "{path}: {target}");
            }
        }
    }
}

#[tokio::test]
async fn another_host_name_is_refused() {
    let house = house(Fake::new("en")).await;
    for host in [
        "evil.example",
        "vigie.example.evil.example",
        "localhost.evil.example",
        "10.0.0.1",
        "localhost:1@evil.example",
    ] {
        let answer = house.client.get(house.url("/api/v1/alerts")).header("host", host);
        problem(answer.send().await.unwrap(), 421).await;
    }
    for host in ["localhost", "127.0.0.1:1", "[::1]:8787", "VIGIE.example:8787"] {
        let answer = house.client.get(house.url("/")).header("host", host).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{host}");
    }
    let answer = house.raw("GET / HTTP/1.0\r\n\r\n").await;
    assert!(answer.contains(" 421 "), "{answer}");
    let answer = house
        .raw("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await;
    assert!(answer.contains(" 421 "), "{answer}");
}

#[tokio::test]
async fn nothing_can_be_changed_through_the_page() {
    let house = house(Fake::new("en")).await;
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        for path in ["/api/v1/alerts/x/acknowledge", "/", "/api/v1/notices"] {
            let answer =
                house.client.request(method.clone(), house.url(path)).send().await.unwrap();
            let body = problem(answer, 403).await;
            let detail = body["detail"].as_str().unwrap();
            assert!(detail.contains("vigie ack") && detail.contains("vigie close"), "{detail}");
        }
    }
    let answer = house.client.request(Method::OPTIONS, house.url("/")).send().await.unwrap();
    assert!(answer.headers().get("access-control-allow-methods").is_none());
    problem(answer, 405).await;
}

#[tokio::test]
async fn errors_are_problems_and_tell_nothing_of_the_inside() {
    let house = house(Fake::new("en")).await;
    for path in [
        "/nothing",
        "/api/v1/alerts/not-an-id",
        "/api/v1/alerts/6f1de3a0-6c2b-5d0e-9c39-000000000000",
        "/api/v1/evidence/sha256:00",
        "/api/v1/channels/kick:none/timeline",
    ] {
        problem(house.get(path).await, 404).await;
    }
    for path in [
        "/api/v1/alerts?level=dire",
        "/api/v1/alerts?state=shut",
        "/api/v1/alerts?state=open&state=open",
        "/api/v1/alerts/%ff",
    ] {
        problem(house.get(path).await, 400).await;
    }
    let html = house
        .client
        .get(house.url("/alerts/x"))
        .header("accept", "text/html")
        .send()
        .await
        .unwrap();
    assert_eq!(html.status(), StatusCode::NOT_FOUND);
    assert!(html.text().await.unwrap().contains("Nothing here"));

    let broken = self::house(Fake { broken: true, ..Fake::new("en") }).await;
    let body = problem(broken.get("/api/v1/alerts").await, 503).await;
    assert!(!body.to_string().contains("/var/lib"));
    assert_eq!(broken.get("/readyz").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(broken.get("/healthz").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_api_answers_as_the_contracts_say() {
    let house = house(Fake::new("en")).await;
    let page: Value = house
        .get("/api/v1/alerts?level=threat_to_life&state=open&channel=kick:4242")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(page["items"][0]["id"], id().to_string());
    assert!(page["next"].is_null());
    let none: Value = house.get("/api/v1/alerts?level=watch").await.json().await.unwrap();
    assert_eq!(none["items"], serde_json::json!([]));

    let answer = house.get(&format!("/api/v1/alerts/{}", id())).await;
    assert_eq!(answer.headers()["etag"], "\"4\"");
    let alert: vigie::alert::Alert = answer.json().await.unwrap();
    assert_eq!(alert, house.fake.change.alert);

    let channels: Value = house.get("/api/v1/channels").await.json().await.unwrap();
    assert_eq!(channels["items"][0]["level"], "threat_to_life");
    let timeline: Value =
        house.get("/api/v1/channels/kick:4242/timeline").await.json().await.unwrap();
    assert_eq!(timeline["points"].as_array().unwrap().len(), 180);

    let ready: Value = house.get("/readyz").await.json().await.unwrap();
    assert_eq!((&ready["ready"], &ready["unwatched"][0]), (&true.into(), &"twitch:77".into()));
    let metrics = house.get("/metrics").await;
    assert_eq!(metrics.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");

    let path = format!("/api/v1/alerts/{}/dossier?lang=fr", id());
    let dossier: Value = house.get(&path).await.json().await.unwrap();
    assert_eq!(dossier["marking"], "PROJET, non envoyé");
    assert!(house.page(&path).await.contains("<html lang=\"fr\">"));
}

#[tokio::test]
async fn evidence_comes_with_its_type_and_can_run_nothing() {
    let house = house(Fake::new("en")).await;
    for (digest, (bytes, kind)) in &house.fake.evidence {
        let answer = house.get(&format!("/api/v1/evidence/{digest}")).await;
        let wanted = if kind.name() == "frame" { "image/jpeg" } else { "application/json" };
        assert_eq!(answer.headers()["content-type"], wanted);
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert!(answer.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
        assert_eq!(answer.bytes().await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn hostile_words_are_shown_as_words() {
    let house = house(Fake::new("fr")).await;
    for path in
        [format!("/alerts/{}", id()), format!("/alerts/{}/dossier?lang=en", id()), "/".to_owned()]
    {
        let html = house.page(&path).await;
        assert!(!html.contains("<script>alert"), "{path}");
        assert!(!html.contains("<b>!</b>"), "{path}");
        assert!(!html.contains(HOSTILE), "{path}");
        // Marks that turn the text round stay inside their own element.
        for (place, _) in html.match_indices('\u{202e}') {
            let open = &html[..place];
            assert!(open[open.rfind('<').unwrap()..].contains("dir=\"auto\""), "{path}");
        }
    }
}

#[tokio::test]
async fn pictures_are_blurred_and_grey_until_asked() {
    let house = house(Fake::new("en")).await;
    let html = house.page(&format!("/alerts/{}", id())).await;
    for switch in ["sharp", "colour"] {
        let start = html.find(&format!("id=\"{switch}\"")).unwrap();
        let input = &html[html[..start].rfind('<').unwrap()..];
        assert!(!input[..input.find('>').unwrap()].contains("checked"), "{switch}");
    }
    // Every picture stands in a frame that the style sheet blurs.
    let pictures = html.matches("<img ").count();
    assert!(pictures > 6);
    assert_eq!(html.matches("<figure class=\"pic\"><img ").count(), pictures);
    let css = house.get("/assets/vigie.css").await.text().await.unwrap();
    assert!(css.contains(".pic img { display: block;"));
    assert!(css.contains("filter: blur(14px) grayscale(1); }"));
}

#[tokio::test]
async fn one_alert_tells_what_why_and_what_to_do() {
    let house = house(Fake::new("en")).await;
    let html = house.page(&format!("/alerts/{}", id())).await;
    for told in [
        "On le_salon, live for 298 hours without a break, a person&#39;s life may be in danger now: 5 different people wrote within 2 minutes that someone is in danger, and nothing in the picture moved for 95 seconds after strong motion.",
        "Threat to life",
        "is taking place",
        "<strong>112</strong>",
        &format!("vigie ack {} --by NAME --why TEXT -c config/vigie.toml", id()),
        "threshold 2 people",
        "42%",
        "22% of the messages in the last minute laugh",
        "probability 0.97",
        "Nothing was received from",
        "<svg class=\"chart wide\"",
        "no picture was received after it",
        "?lang=fr",
    ] {
        assert!(html.contains(told), "{told}");
    }
    // The time zone of the config, told.
    assert!(html.contains(">00:13:36</time>") || html.contains(" 00:13:36</time>"));
    assert!(html.contains("Europe/Paris"));
}

#[tokio::test]
async fn the_page_speaks_the_language_of_the_config_and_says_who_has_taken_it() {
    let house = house(Fake::new("fr").taken()).await;
    let index = house.page("/").await;
    assert!(index.contains("<html lang=\"fr\">"));
    assert!(index.contains("Rien ne vous demande maintenant"));
    assert!(index.contains("Vie en danger"));
    let html = house.page(&format!("/alerts/{}", id())).await;
    assert!(html.contains("prise en charge par Noor"));
    assert!(!html.contains("vigie ack "));
    assert!(html.contains("vigie close "));
}

#[tokio::test]
async fn changes_arrive_live_and_a_slow_reader_is_told_to_load_anew() {
    let house = house(Fake::new("en")).await;
    let mut answer = house.get("/api/v1/stream").await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut seen = String::new();
    let alert = Arc::new(house.fake.change.alert.clone());
    let read = async {
        while !seen.contains("event: hello") {
            seen += std::str::from_utf8(&answer.chunk().await.unwrap().unwrap()).unwrap();
        }
        house
            .fake
            .live
            .send(Live::Alert { kind: house.fake.change.kind, alert: alert.clone() })
            .unwrap();
        let row = Arc::new(house.fake.channels[0].clone());
        house.fake.live.send(Live::Channel(row.clone())).unwrap();
        while !seen.contains("event: channel") {
            seen += std::str::from_utf8(&answer.chunk().await.unwrap().unwrap()).unwrap();
        }
        // More than fit in the channel, before the reader's task can run.
        for _ in 0..50 {
            house.fake.live.send(Live::Channel(row.clone())).unwrap();
        }
        while !seen.contains("event: reload") {
            seen += std::str::from_utf8(&answer.chunk().await.unwrap().unwrap()).unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("events arrive");
    let data = seen.lines().skip_while(|l| *l != "event: alert").nth(1).unwrap();
    let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!((&data["kind"], &data["level"]), (&"raised".into(), &"threat_to_life".into()));
}

#[tokio::test]
async fn health_is_told_under_any_name_and_nothing_else_is() {
    let (_, desk) = shared(Fake::new("en"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, health_router(desk)).await.unwrap() });
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::new();
    let get = |path: &str| {
        client.get(format!("http://{address}{path}")).header("host", "prometheus:9464")
    };
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(get(path).send().await.unwrap().status(), StatusCode::OK, "{path}");
    }
    for path in ["/", "/api/v1/alerts"] {
        problem(get(path).send().await.unwrap(), 404).await;
    }
}

/// Not a check: with `VIGIE_LOOK=<port>:<language>` the made-up house stands for ten minutes, to be looked at.
#[tokio::test]
async fn the_console_can_be_looked_at() {
    let Ok(look) = std::env::var("VIGIE_LOOK") else { return };
    let (port, lang) = look.split_once(':').unwrap();
    let fake = Fake::new(lang);
    let (fake, desk) = shared(if lang == "fr" { fake.taken() } else { fake });
    let settings = Settings {
        language: lang.into(),
        zone: "Europe/Paris".into(),
        banner: "DEMO".into(),
        ..Settings::default()
    };
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let _ = fake.live.send(Live::Channel(Arc::new(fake.channels[0].clone())));
        }
    });
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await.unwrap();
    let serve = axum::serve(listener, router(desk, settings)).into_future();
    let _ = tokio::time::timeout(Duration::from_secs(600), serve).await;
}
