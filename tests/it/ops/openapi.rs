//! `/openapi.json` against the server that serves it and a validator that is not ours.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::console::fake::{Fake, id, shared};
use vigie::console::{Settings, router};

async fn serve() -> u16 {
    let (_, desk) = shared(Fake::new("en"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let router = router(desk, Settings { language: "en".into(), ..Settings::default() });
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

/// Every path that a route of the console is made of, read from its source.
fn routes() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in fs::read_dir(root().join("src/console")).expect("the console").flatten() {
        let Ok(text) = fs::read_to_string(file.path()) else { continue };
        let within = |open: &str| -> Vec<String> {
            let places = text.match_indices(open).map(|(at, _)| &text[at + open.len()..]);
            places.filter_map(|rest| Some(rest.split('"').next()?.to_owned())).collect()
        };
        found.extend(within("path = \"").into_iter().filter(|path| path.starts_with('/')));
        found.extend(within(".route(\""));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_that_is_served_is_described_and_the_description_is_valid() {
    let port = serve().await;
    let fetch = move |path: String| get(port, &path).expect("an answer");
    let ask = async |path: &str| {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || fetch(path)).await.expect("it is asked")
    };
    let (status, body) = ask("/openapi.json").await;
    assert_eq!(status, 200);
    let document: Value = serde_json::from_slice(&body).expect("JSON");
    assert!(document["openapi"].as_str().expect("a version").starts_with("3.1."), "{document}");
    let described: BTreeSet<String> =
        document["paths"].as_object().expect("paths").keys().cloned().collect();
    assert_eq!(described, routes(), "described and served");
    assert!(described.len() >= 15, "{described:?}");

    // Each one is there, answers as it is described, and with a type that is named.
    let digest = Fake::new("en").evidence.keys().next().expect("evidence").to_string();
    for path in &described {
        if path == "/api/v1/stream" {
            continue; // It has no end; console.rs reads it.
        }
        let alert = path.contains("alerts/");
        let concrete = path
            .replace("{id}", &if alert { id().to_string() } else { "kick:4242".to_owned() })
            .replace("{digest}", &digest)
            .replace("{name}", "vigie.css");
        assert_eq!(ask(&concrete).await.0, 200, "{concrete}");
        let answers = document["paths"][path]["get"]["responses"].as_object().expect("answers");
        assert!(answers.contains_key("200"), "{path}");
        for code in ["/api/v1/alerts", "/api/v1/evidence/{digest}"] {
            assert!(path != code || answers.contains_key("default"), "{path} can fail");
        }
    }
    let alert = &document["components"]["schemas"]["Alert"]["properties"];
    assert!(alert["recommended_measures"].is_object(), "{document}");

    let Some(modules) = std::env::var_os("VIGIE_PAGE_MODULES") else {
        eprintln!("SKIPPED: VIGIE_PAGE_MODULES is not set (make test sets it)");
        return;
    };
    if !Path::new(&modules).join("@seriousme").is_dir() {
        eprintln!(
            "SKIPPED: VIGIE_PAGE_MODULES has no validator (tools/bootstrap tests fetches it)"
        );
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let validate = |document: &Value| {
        let file = folder.path().join("openapi.json");
        fs::write(&file, document.to_string()).expect("written");
        let script = root().join("tests/peers/openapi.mjs");
        Command::new("node").arg(script).arg(file).output().expect("node starts")
    };
    let output = validate(&document);
    assert!(output.status.success(), "{}", err(&output));
    assert_eq!(out(&output).trim(), "3.1");
    let mut broken = document;
    broken["info"].as_object_mut().expect("info").remove("title");
    assert!(!validate(&broken).status.success(), "the validator validates");
}
