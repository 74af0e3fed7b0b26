//! The audit: what is written down when evidence is shown, and what `vigie audit verify` finds.

use serde_json::Value;
use sqlx::Connection;

use super::*;

fn verify(house: &House, more: &[&str]) -> (Option<i32>, Value, String) {
    let json = house.run(&[&["audit", "verify", "--json"], more].concat());
    let plain = house.run(&[&["audit", "verify"], more].concat());
    assert_eq!(json.status.code(), plain.status.code(), "{}{}", err(&json), err(&plain));
    (json.status.code(), house.json(&json.stdout), out(&plain))
}

async fn change_row(house: &House, sql: &str) {
    let url = format!("sqlite://{}", house.state().join("vigie.db").display());
    let mut db = sqlx::SqliteConnection::connect(&url).await.expect("the database");
    let changed = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut db).await;
    assert_eq!(changed.expect("it is changed").rows_affected(), 1, "{sql}");
    db.close().await.expect("closed");
}

#[tokio::test]
async fn who_looked_and_who_decided_stands_in_the_chain_and_what_is_broken_is_named() {
    let mut house = House::new();
    if !house.start() {
        return;
    }
    let (_, body) = get(house.port, "/api/v1/alerts").expect("the API");
    let alert = house.json(&body)["items"][0].clone();
    let digest = alert["evidence"][0]["digest"].as_str().expect("evidence").to_owned();
    let (status, rows) = (verify(&house, &[]).0, verify(&house, &[]).1["rows"].clone());
    assert_eq!((status, rows), (Some(0), 0.into()), "nothing was looked at yet");

    // Shown twice in a breath is one look; what is not there is none.
    for _ in 0..2 {
        assert_eq!(get(house.port, &format!("/api/v1/evidence/{digest}")).expect("it").0, 200);
    }
    let nothing = format!("/api/v1/evidence/sha256:{}", "0".repeat(64));
    assert_eq!(get(house.port, &nothing).expect("an answer").0, 404);
    let id = alert["id"].as_str().expect("an id").to_owned();
    let taken = house.run(&["ack", &id[..8], "--by", "A. Nuit", "--why", "on it"]);
    assert_eq!(taken.status.code(), Some(0), "{}", err(&taken));
    let (status, report, told) = verify(&house, &[]);
    assert_eq!(status, Some(0), "{told}");
    assert_eq!((&report["rows"], &report["broken"]), (&2.into(), &0.into()), "{report}");
    assert!(report["pieces"].as_u64().is_some_and(|n| n >= 1), "{report}");
    assert!(told.contains("2 rows, unbroken"), "{told}");
    let head = report["head"].as_str().expect("a head").to_owned();
    house.stop();

    // The same without a daemon, and the head of before is found.
    let (status, offline, told) = verify(&house, &["--head", &head]);
    assert_eq!((status, &offline["head"]), (Some(0), &report["head"]), "{told}");
    let other = format!("sha256:{}", "1".repeat(64));
    let (status, report, told) = verify(&house, &["--head", &other]);
    assert_eq!((status, &report["head_missing"]), (Some(1), &true.into()), "{told}");
    assert_eq!(house.run(&["audit", "verify", "--head", "x y"]).status.code(), Some(2));
    let access = house.row("SELECT body FROM audit WHERE seq = 1").await;
    assert!(access.contains(&digest) && access.contains("\"road\":\"console\""), "{access}");

    // A piece whose bytes were changed, then one that is missing.
    let hex = digest.trim_start_matches("sha256:");
    let piece = house.state().join("evidence").join(&hex[..2]).join(hex);
    let bytes = fs::read(&piece).expect("the piece");
    fs::write(&piece, b"{}").expect("written");
    let (status, report, told) = verify(&house, &[]);
    assert_eq!((status, &report["broken"]), (Some(1), &1.into()), "{told}");
    assert!(told.contains(&digest) && told.contains("not those") && told.contains(&id), "{told}");
    fs::remove_file(&piece).expect("removed");
    assert!(verify(&house, &[]).2.contains("its bytes are missing"));
    fs::write(&piece, bytes).expect("written");
    assert_eq!(verify(&house, &[]).0, Some(0));

    // A row that somebody rewrote.
    change_row(&house, "UPDATE audit SET body = replace(body, 'A. Nuit', 'B. Jour') WHERE seq = 2")
        .await;
    let (status, report, told) = verify(&house, &[]);
    assert_eq!((status, &report["broken_row"]["row"]), (Some(1), &2.into()), "{told}");
    assert!(told.contains("BROKEN at row 2: its content does not have its hash; 1 rows"), "{told}");
}

impl House {
    /// The one text that a query gives.
    async fn row(&self, sql: &str) -> String {
        let url = format!("sqlite://{}", self.state().join("vigie.db").display());
        let mut db = sqlx::SqliteConnection::connect(&url).await.expect("the database");
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned()));
        query.fetch_one(&mut db).await.expect("a row")
    }
}
