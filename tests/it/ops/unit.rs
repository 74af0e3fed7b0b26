//! The systemd unit, judged by systemd itself.

use super::*;

/// Highest exposure that is let pass, in tenths: what docs/operating.md says.
const EXPOSURE: u32 = 11;

#[test]
fn systemd_accepts_the_unit_and_rates_its_sandbox() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("SKIPPED: systemd-analyze is not installed");
        return;
    }
    let unit = root().join("systemd/vigie.service");
    let text = fs::read_to_string(&unit).expect("the unit");
    // The binary under test in place of the installed one.
    let here = text.replace("/usr/bin/vigie run", concat!(env!("CARGO_BIN_EXE_vigie"), " run"));
    assert_ne!(here, text);
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("vigie.service");
    fs::write(&copy, here).expect("written");
    let output =
        Command::new("systemd-analyze").arg("verify").arg(&copy).output().expect("it runs");
    assert!(output.status.success() && err(&output).is_empty(), "{}{}", out(&output), err(&output));
    let threshold = format!("--threshold={EXPOSURE}");
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", &threshold])
        .arg(&copy)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "more exposed than {EXPOSURE} tenths:\n{}", out(&output));
    let told = format!("rates it {}.{}", EXPOSURE / 10, EXPOSURE % 10);
    let docs = fs::read_to_string(root().join("docs/operating.md")).expect("the docs");
    assert!(docs.contains(&told), "docs/operating.md says another exposure than {told}");
    assert!(text.contains("RestartPreventExitStatus=2"), "bad config is not tried again and again");
}
