//! Runs the self-test of the Python peers (tests/peers), with and without TLS, so that a failing peer is not taken for
//! a failing Vigie. Needs the Python that `make test` prepares.

use std::path::Path;
use std::process::Command;

fn selftest(words: &[&Path]) {
    let Some(python) = std::env::var_os("VIGIE_TEST_PYTHON") else {
        eprintln!("SKIPPED: VIGIE_TEST_PYTHON is not set (make test sets it)");
        return;
    };
    let output = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/selftest.py"))
        .args(words)
        .output()
        .expect("the test Python starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("ok"), "selftest.py:\n{said}");
}

#[test]
fn the_peers_keep_their_word() {
    selftest(&[]);
}

#[test]
fn the_platform_keeps_its_word_over_tls() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let made =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).expect("it can be written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("it can be written");
    selftest(&[&cert, &key]);
}
