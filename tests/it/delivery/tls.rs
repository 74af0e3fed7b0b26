//! A receiver's certificate is checked, against the system's authorities or the `ca` of the sink, and what is wrong
//! with it is said so that it can be mended. The receiver is Python's.

use super::*;
use crate::end_to_end::Peer;

#[tokio::test]
async fn a_receivers_certificate_is_trusted_by_ca_alone_and_its_faults_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key, out) = (file("cert.pem"), file("key.pem"), file("out"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let words = ["--secret", SECRET, "--out", &out, "--cert", &cert, "--key", &key];
    let Some(mut peer) = Peer::start("receiver.py", &words) else { return };
    let port = peer.port();

    let sink = |host: &str, ca: Option<&str>| {
        let options = webhook("s", &format!("https://{host}:{port}/hook"));
        Sink::new(SinkOptions { ca: ca.map(Into::into), ..options })
    };
    let answer = sink("localhost", Some(&cert)).unwrap().test(SOURCE).await;
    assert_eq!((answer.accepted, answer.status), (true, Some(204)), "{answer:?}");
    peer.wait_for("the verified test", |line| line["verified"].is_string());

    let answer = sink("localhost", None).unwrap().test(SOURCE).await;
    assert!(!answer.accepted && answer.said.contains("set `ca`"), "{answer:?}");
    let answer = sink("127.0.0.1", Some(&cert)).unwrap().test(SOURCE).await;
    assert!(!answer.accepted && answer.said.contains("another name"), "{answer:?}");

    let Some(mut plain) = Peer::start("receiver.py", &["--secret", SECRET, "--out", &out]) else {
        return;
    };
    let url = format!("https://127.0.0.1:{}/hook", plain.port());
    let answer = Sink::new(webhook("s", &url)).unwrap().test(SOURCE).await;
    assert!(!answer.accepted && answer.said.contains("does not speak TLS"), "{answer:?}");

    for (ca, said) in [(file("none"), "No such file"), (key, "no certificate")] {
        let error = sink("localhost", Some(&ca)).err().unwrap().to_string();
        assert!(error.contains(said) && error.contains(&ca), "{error}");
    }
}
