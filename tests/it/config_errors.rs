//! Every way of getting a config wrong that we could think of, with the exact place and words of the answer. The same
//! answers stand in docs/configuration.md, which this test compares; `VIGIE_WRITE_DOCS=1` writes them there.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use vigie::cli::config_with_secrets;
use vigie::config::ConfigErrors;

/// What is wrong, the main file, and the places of the problems: `line:column`, with the file where it is another.
struct Case {
    title: &'static str,
    main: String,
    /// Files beside it.
    beside: Vec<(&'static str, Vec<u8>)>,
    places: &'static [&'static str],
}

fn case(title: &'static str, main: impl Into<String>, places: &'static [&'static str]) -> Case {
    Case { title, main: main.into(), beside: Vec::new(), places }
}

fn rule(when: &str) -> String {
    format!(
        "[[rule]]\nname = \"mine\"\nwhen = '{when}'\nlevel = \"concern\"\nreason = {{ en = \"It is so.\" }}\n"
    )
}

fn with(mut case: Case, name: &'static str, bytes: impl AsRef<[u8]>) -> Case {
    case.beside.push((name, bytes.as_ref().to_vec()));
    case
}

const FEED: &str = "[[feed]]\nname = \"platform\"\nurl = \"wss://events.example.org/v1\"\n";

fn cases() -> Vec<Case> {
    vec![
        case("An unknown key", "[levels]\nconcer = 0.4\n", &["2:1"]),
        case("An unknown section", "[level]\nconcern = 0.4\n", &["1:2"]),
        case("A wrong type", "[levels]\nconcern = \"high\"\n", &["2:11"]),
        case("A duration without a unit", "[levels]\nhold = 30\n", &["2:8"]),
        case("A size in another form", "[evidence]\ncap = \"2 gigs\"\n", &["2:7"]),
        case("A word that is none of the known ones", "[alerts]\nmode = \"shadows\"\n", &["2:8"]),
        case("A threshold outside 0 to 1", "[levels]\ndanger = 80\n", &["2:10"]),
        case("`concern` above `danger`", "[levels]\nconcern = 0.9\ndanger = 0.8\n", &["2:11"]),
        case("A key without a value", "[levels]\nconcern =\n", &["2:10"]),
        case("A string that is not closed", "[provider]\nname = \"Example\n", &["2:16"]),
        case("A key twice", "[levels]\nconcern = 0.4\nconcern = 0.5\n", &["3:1"]),
        case("A feed in single brackets", "[feed]\nname = \"platform\"\n", &["1:1"]),
        case("A feed without an address", "[[feed]]\nname = \"platform\"\n", &["1:1"]),
        case("A secret in the file", format!("{FEED}token = \"s3cr3t\"\n"), &["4:9"]),
        case(
            "A credential that is not set",
            format!("{FEED}token = {{ credential = \"not-set\" }}\n"),
            &["4:24"],
        ),
        case(
            "Words and secrets in the clear to another machine",
            "[[feed]]\nname = \"platform\"\nurl = \"ws://events.example.org/v1\"\n",
            &["3:7"],
        ),
        case("Two feeds of one name", format!("{FEED}{FEED}"), &["5:8"]),
        with(
            case(
                "Two rules of one name, in two files",
                format!("rules = [\"more.toml\"]\n{}", rule("chat_distress_60s > 2")),
                &["3:8"],
            ),
            "more.toml",
            rule("chat_threat_60s > 2"),
        ),
        case(
            "A webhook without a secret",
            "[[sink]]\nname = \"team\"\nurl = \"https://hooks.example.org/\"\n",
            &["1:1"],
        ),
        case("A rule that is no condition", rule("chat_distress_60s >"), &["3:28"]),
        case(
            "A rule that is not closed",
            rule("(chat_distress_60s > 2 && (chat_threat_60s > 1"),
            &["3:55"],
        ),
        case(
            "A rule with an unknown signal",
            rule("chat_messages_60s > 3 && chat_distres_60s > 2"),
            &["3:34"],
        ),
        case(
            "A rule that compares harm downwards",
            rule("chat_messages_60s > 3 && chat_distress_60s < 2"),
            &["3:34"],
        ),
        case("A rule that calls a function", rule("size([1, 2]) > 1"), &["3:13"]),
        case(
            "A rule that nests 2,000 deep",
            rule(&format!("{}chat_distress_60s > 2{}", "(".repeat(1900), ")".repeat(1900))),
            &["3:41"],
        ),
        case("A rule of 2,000 branches", rule(&"1>2?1>2:".repeat(500)), &["3:268"]),
        case("A rule that never ends", rule(&"chat_distress_60s > 2 || ".repeat(2000)), &["3:8"]),
        case(
            "A signal that is none",
            "[signals.offences]\n\"chat.distres\" = \"threat\"\n",
            &["2:18"],
        ),
        case(
            "Tables nested 100,000 deep",
            format!("a = {}{}\n", "[".repeat(100_000), "]".repeat(100_000)),
            &["1:85"],
        ),
        case("Keys nested 100,000 deep", format!("a{} = 1\n", ".a".repeat(100_000)), &["1:1"]),
        with(
            case(
                "A currency table with a wrong code, rate and date",
                "",
                &["currency.toml:1:8", "currency.toml:3:7", "currency.toml:4:7"],
            ),
            "currency.toml",
            "date = \"30/10/2026\"\n[rates]\nXXZ = \"1.0\"\nUSD = \"-0.9\"\n",
        ),
        with(
            case("A currency table that is no TOML", "", &["currency.toml:2:14"]),
            "currency.toml",
            "date = \"2026-10-30\"\nrates = { USD\n",
        ),
        with(
            case("A category under two settings", "", &["categories.toml:2:10"]),
            "categories.toml",
            "game = [\"Chess\"]\nsport = [\"chess\"]\n",
        ),
        with(
            case(
                "A file of rules in the encoding of another age",
                "rules = [\"mine.toml\"]\n",
                &["mine.toml:1:14"],
            ),
            "mine.toml",
            b"# tr\xc3\xa8s bien: \xe9\n",
        ),
        case("A file of rules that is not there", "rules = [\"mine.toml\"]\n", &["1:10"]),
        case(
            "A folder in place of a file",
            "rules = [\".\"]\n[[feed]]\nname = \"night\"\ntype = \"recording\"\npath = \".\"\n",
            &["1:10", "5:8"],
        ),
        with(
            case(
                "Lines that end in CR LF, as some editors write them: the place is right",
                "[levels]\r\nwatch = 0.2\r\nconcern = 2\r\n",
                &["3:11"],
            ),
            "unused",
            "",
        ),
        with(
            case("A byte order mark: the place is right", "\u{feff}levels = 3\n", &["1:10"]),
            "unused",
            "",
        ),
        case(
            "Several at once",
            format!(
                "[levels]\nconcern = 2\n\n[server]\nlanguege = \"fr\"\n\n{}",
                rule("chat_thread_60s > 1")
            ),
            &["2:11", "5:1", "9:9"],
        ),
    ]
}

/// The problems of a config in a folder of its own, as they are told, and their places; names of the folder left out.
fn told(case: &Case) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in &case.beside {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let main = folder.path().join("vigie.toml");
    fs::write(&main, &case.main).unwrap();
    let ConfigErrors(problems) = config_with_secrets(&main).err().unwrap_or_default();
    let prefix = format!("{}/", folder.path().display());
    let places = problems.iter().map(|p| p.place().replace(&prefix, "").replace("vigie.toml:", ""));
    let places = places.collect();
    (ConfigErrors(problems).to_string().replace(&prefix, ""), places)
}

/// Long lines are told whole; the docs show their beginning.
fn shortened(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let short: String = line.chars().take(140).collect();
        let dots = if short.len() < line.len() { " …" } else { "" };
        let _ = writeln!(out, "{}{dots}", short.trim_end());
    }
    out
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md")
}

#[test]
fn each_mistake_is_told_at_its_place_in_the_words_that_the_docs_show() {
    let mut page = String::new();
    let mut wrong = Vec::new();
    for case in cases() {
        let (text, places) = told(&case);
        if places != case.places {
            wrong.push(format!(
                "{}: {places:?}, not {:?}\n{}",
                case.title,
                case.places,
                shortened(&text)
            ));
        }
        let text = text.rsplit_once("\n\n").map_or(text.as_str(), |(text, _)| text);
        let _ = write!(page, "### {}\n\n```text\n{}```\n\n", case.title, shortened(text));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    const MARKS: (&str, &str) = ("<!-- mistakes -->\n\n", "<!-- end of mistakes -->");
    let whole = fs::read_to_string(docs()).unwrap();
    let (before, rest) = whole.split_once(MARKS.0).unwrap();
    let (shown, after) = rest.split_once(MARKS.1).unwrap();
    if std::env::var_os("VIGIE_WRITE_DOCS").is_some() {
        fs::write(docs(), format!("{before}{}{page}{}{after}", MARKS.0, MARKS.1)).unwrap();
    } else {
        assert_eq!(shown, page, "run this test with VIGIE_WRITE_DOCS=1 and read what changed");
    }
}

/// The shipped models elsewhere, so that they can be broken.
fn models(folder: &Path) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    for kind in ["chat", "frame", "escalation"] {
        fs::create_dir_all(folder.join(kind)).unwrap();
        for file in fs::read_dir(from.join(kind)).unwrap().map(Result::unwrap) {
            if file.file_type().unwrap().is_file() {
                fs::copy(file.path(), folder.join(kind).join(file.file_name())).unwrap();
            }
        }
    }
    fs::copy(from.join("manifest.toml"), folder.join("manifest.toml")).unwrap();
    fs::write(folder.join("vigie.toml"), "rules = []\n\n[models]\nmanifest = \"manifest.toml\"\n")
        .unwrap();
    folder.join("vigie.toml")
}

#[test]
fn models_that_are_missing_cut_short_or_of_another_shape_are_told_at_the_manifests_key() {
    if vigie::model::load_runtime(None).is_err() {
        eprintln!("SKIPPED: ONNX Runtime is not here (make test fetches it)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = models(folder.path());
    let check = || {
        let output = Command::new(env!("CARGO_BIN_EXE_vigie"))
            .args(["check", "--json", "-c"])
            .arg(&config)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), told)
    };
    let file = folder.path().join("escalation/escalation.onnx");
    let good = fs::read(&file).unwrap();
    let manifest = folder.path().join("manifest.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let refused = |words: &[&str]| {
        let (code, told) = check();
        assert_eq!((code, told["ok"].as_bool()), (Some(2), Some(false)), "{told}");
        let problem = &told["problems"][0];
        assert_eq!((&problem["line"], &problem["column"]), (&4.into(), &12.into()), "{told}");
        let what = problem["what"].as_str().unwrap();
        assert!(words.iter().all(|word| what.contains(word)), "{words:?} in {told}");
        for key in ["expected", "how_to_mend", "file"] {
            assert!(!problem[key].as_str().unwrap().is_empty(), "{told}");
        }
    };
    fs::write(&file, &good[..good.len() / 2]).unwrap();
    refused(&["escalation", "SHA-256"]);
    // Cut short, and the manifest says so: it is no model.
    let digest = |bytes: &[u8]| vigie::event::Digest::of(bytes).hex();
    let known = text.replace(&digest(&good), &digest(&good[..good.len() / 2]));
    assert_ne!(known, text);
    fs::write(&manifest, &known).unwrap();
    refused(&["escalation"]);
    fs::remove_file(&file).unwrap();
    refused(&["escalation.onnx"]);
    // Another model under its name, with the right digest: the graph does not fit.
    let other = fs::read(folder.path().join("frame/look.onnx")).unwrap();
    fs::write(&file, &other).unwrap();
    fs::write(&manifest, text.replace(&digest(&good), &digest(&other))).unwrap();
    refused(&["escalation"]);
    fs::remove_file(&manifest).unwrap();
    refused(&["manifest.toml", "not found"]);
}
