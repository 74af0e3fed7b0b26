//! The config: what is shipped says every key with its default, and each way of getting it wrong is told with its
//! place and how to mend it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use vigie::config::{
    Clock, Config, ConfigErrors, CredentialError, Dur, FeedKind, Problem, Role, SinkKind,
    credential,
};
use vigie::event::{Level, Setting};

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/vigie.toml")
}

/// Reads a main file that lies alone in a folder, so that the tables are the built-in ones.
fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::from_toml(text, Path::new("/nowhere/vigie.toml"))
}

fn problems(text: &str) -> Vec<Problem> {
    parse(text).err().map(|errors| errors.0).unwrap_or_default()
}

/// The one problem of a main file, at `line:column`, whose words hold `what` and whose remedy holds `mend`.
#[track_caller]
fn refused(text: &str, line: usize, column: usize, what: &str, mend: &str) {
    let found = problems(text);
    let shown = ConfigErrors(found.clone()).to_string();
    assert_eq!(found.len(), 1, "one problem in:\n{text}\nbut:\n{shown}");
    assert_eq!(found[0].file, Path::new("/nowhere/vigie.toml"));
    assert_eq!((found[0].line, found[0].column), (line, column), "{shown}");
    assert!(found[0].what.contains(what), "{what:?} in:\n{shown}");
    assert!(found[0].how_to_mend.contains(mend), "{mend:?} in:\n{shown}");
    assert!(!found[0].expected.is_empty(), "{shown}");
}

/// The file with its examples (`#key = …`, no blank after the sign) as if they were written.
fn with_examples(text: &str) -> String {
    let example = |line: &str| {
        line.starts_with('#') && line[1..].starts_with(|c: char| c == '[' || c.is_ascii_lowercase())
    };
    text.lines()
        .map(|line| if example(line) { &line[1..] } else { line })
        .collect::<Vec<_>>()
        .join("\n")
}

fn keys_of_schema(schema: &Value, at: &Value, path: &str, out: &mut BTreeSet<String>) {
    let at = match at.get("$ref").and_then(Value::as_str) {
        Some(name) => &schema["$defs"][name.trim_start_matches("#/$defs/")],
        None => at,
    };
    for any in at.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
        keys_of_schema(schema, any, path, out);
    }
    if let Some(items) = at.get("items") {
        keys_of_schema(schema, items, path, out);
    }
    for (key, value) in at.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = format!("{path}.{key}");
        out.insert(path.clone());
        keys_of_schema(schema, value, &path, out);
    }
}

fn keys_of_file(value: &toml::Value, path: &str, out: &mut BTreeSet<String>) {
    match value {
        toml::Value::Array(items) => items.iter().for_each(|item| keys_of_file(item, path, out)),
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = format!("{path}.{key}");
                out.insert(path.clone());
                // What stands below is named by the operator.
                if !["signals.offences", "signals.caps", "signals.decays", "rule.reason"]
                    .contains(&&path[1..])
                {
                    keys_of_file(value, &path, out);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn the_shipped_file_says_every_key_and_no_other() {
    let schema = Config::schema();
    let mut known = BTreeSet::new();
    keys_of_schema(&schema, &schema, "", &mut known);
    let text = std::fs::read_to_string(shipped()).unwrap();
    let mut written = BTreeSet::new();
    keys_of_file(&toml::from_str(&with_examples(&text)).unwrap(), "", &mut written);
    assert!(known.len() > 90, "{known:?}");
    assert_eq!(
        known.difference(&written).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "not in vigie.toml"
    );
    assert_eq!(
        written.difference(&known).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "not in the schema"
    );
}

/// A key that nothing reads promises what does not happen.
#[test]
fn every_key_is_read_outside_of_the_config_room() {
    fn sources(folder: &Path, out: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() && path.file_name() != Some("config".as_ref()) {
                sources(&path, out);
            } else if path.extension() == Some("rs".as_ref()) {
                out.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut all = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    // By the names of their fields, where these differ; read by the config itself.
    let fields = [
        ("type", "kind"),
        ("match", "is_about"),
        ("feed", "feeds"),
        ("sink", "sinks"),
        ("rule", "rules"),
    ];
    let own = [
        ".rules",
        ".categories",
        ".currency.file",
        ".authorities.file",
        ".channel.match",
        ".channel.until",
        // One value each so far, which the check holds them to.
        ".store.url",
        ".models.provider",
    ];
    let schema = Config::schema();
    let mut known = BTreeSet::new();
    keys_of_schema(&schema, &schema, "", &mut known);
    let unread: Vec<&String> = known
        .iter()
        .filter(|path| !own.contains(&path.as_str()))
        .filter(|path| {
            let key = path.rsplit('.').next().unwrap();
            let field =
                fields.iter().find(|(name, _)| *name == key).map_or(key, |(_, field)| field);
            let section = path.trim_start_matches('.').split('.').next().unwrap();
            let read = |text: &str| {
                all.match_indices(text).any(|(at, _)| {
                    !all[at + text.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
                })
            };
            // A section's own key is read through the section, an entry's through its entry.
            let through = match section {
                "feed" | "sink" | "rule" | "channel" | "provider" => format!(".{field}"),
                _ if path.matches('.').count() == 1 => format!(".{field}"),
                _ => format!("{section}.{field}"),
            };
            !read(&through)
        })
        .collect();
    assert_eq!(unread, Vec::<&String>::new(), "read nowhere");
}

#[test]
fn every_key_of_the_shipped_file_has_a_comment_above_it_or_above_its_neighbour() {
    let text = std::fs::read_to_string(shipped()).unwrap();
    let mut bare = 0;
    for line in text.lines() {
        let trimmed = line.trim_start_matches('#');
        let comment = line.starts_with("# ");
        let key = !comment && trimmed.contains(" = ") && !line.starts_with('"');
        bare = if comment { 0 } else { bare + usize::from(key) };
        assert!(bare <= 8, "{line:?} is far from any comment");
    }
}

#[test]
fn the_shipped_values_are_the_defaults() {
    let shipped = Config::load(&shipped()).unwrap_or_else(|errors| panic!("{errors}"));
    let mut value = serde_json::to_value(&shipped).unwrap();
    assert!(!shipped.rules.is_empty());
    value["rule"] = Value::Array(Vec::new());
    assert_eq!(value, serde_json::to_value(Config::default()).unwrap());
}

#[test]
fn the_shipped_examples_are_right_too() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["platform-ca.pem", "receiver-ca.pem", "night.jsonl.zst"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let text = with_examples(&std::fs::read_to_string(shipped()).unwrap());
    std::fs::write(folder.path().join("vigie.toml"), text).unwrap();
    std::fs::copy(shipped().with_file_name("rules.toml"), folder.path().join("rules.toml"))
        .unwrap();
    for name in ["categories.toml", "currency.toml", "authorities.toml"] {
        std::fs::copy(shipped().with_file_name(name), folder.path().join(name)).unwrap();
    }
    let config =
        Config::load(&folder.path().join("vigie.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(
        config.feeds[0].ca.as_deref(),
        Some(folder.path().join("platform-ca.pem").as_path())
    );
    assert_eq!(config.rules.last().unwrap().name, "my-rule");
    assert!(config.channels[0].is_about("kick:123") && !config.channels[0].is_about("kick:1234"));
    let missing = config.check_credentials();
    assert_eq!(missing.len(), 2);
    assert!(missing[0].what.contains("platform-token"), "{}", missing[0].what);
    assert!(
        missing[0].how_to_mend.contains("VIGIE_CREDENTIAL_PLATFORM_TOKEN"),
        "{}",
        missing[0].how_to_mend
    );
    assert!(missing[0].line > 0);
}

#[test]
fn an_empty_file_is_a_config_with_the_built_in_tables() {
    let config = parse("").unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.levels.threat_to_life, 0.95);
    assert_eq!(config.levels.hold, Dur::mins(30));
    assert_eq!(config.provider.role, Role::Provider);
    assert!(!config.rules.is_empty());
    assert_eq!(config.categories.setting("  just CHATTING "), Setting::Real);
    assert_eq!(config.categories.setting("Boxing"), Setting::Sport);
    assert_eq!(config.categories.setting("League of Legends"), Setting::Game);
    assert_eq!(config.categories.setting("never heard of"), Setting::Unknown);
    assert!(config.categories.len() >= 150, "{}", config.categories.len());
    assert!(config.currency.table.rates.len() >= 40, "{}", config.currency.table.rates.len());
    assert_eq!(config.currency.table.rates["points"].to_string(), "0");
}

#[test]
fn each_member_state_has_an_authority_and_none_has_a_made_up_contact() {
    let list = parse("").unwrap().authorities.list;
    let states: BTreeSet<_> =
        list.0.iter().filter(|a| a.country != "EU").map(|a| a.country.as_str()).collect();
    assert_eq!(states.len(), 27);
    assert!(list.by_code("europol").is_some());
    let with_contact: Vec<_> =
        list.0.iter().filter(|a| a.contact.is_some()).map(|a| a.code.as_str()).collect();
    assert_eq!(with_contact, ["fr-pharos"]);
    assert!(list.0.iter().all(|a| a.emergency_number == "112" && a.verified_on.is_none()));
    assert_eq!(list.to_verify().count(), 28);
}

#[test]
fn an_operators_authority_replaces_the_built_in_one() {
    let folder = tempfile::tempdir().unwrap();
    let entry = "[[authority]]\ncode = \"be\"\ncountry = \"BE\"\nname = \"Test\"\nlanguages = [\"nl\"]\n\
                 emergency_number = \"112\"\ncontact = \"x@example.org\"\nsource = \"example.org\"\n";
    std::fs::write(folder.path().join("authorities.toml"), entry).unwrap();
    std::fs::write(folder.path().join("vigie.toml"), "").unwrap();
    let list = Config::load(&folder.path().join("vigie.toml")).unwrap().authorities.list;
    assert_eq!(list.of("BE").unwrap().name.as_deref(), Some("Test"));
    assert_eq!(list.0.len(), 28);
    std::fs::write(
        folder.path().join("authorities.toml"),
        entry.replace("source =", "name_local ="),
    )
    .unwrap();
    let errors = Config::load(&folder.path().join("vigie.toml")).unwrap_err();
    assert!(errors.0[0].how_to_mend.contains("never guessed"), "{errors}");
    assert!(errors.0[0].file.ends_with("authorities.toml"));
}

#[test]
fn an_unknown_key_is_told_with_the_nearest_known_one() {
    refused(
        "[levels]\nwatch = 0.2\nconcerne = 0.5\n",
        3,
        1,
        "`levels.concerne` is not a key",
        "write `concern`",
    );
    refused("[level]\nwatch = 0.2\n", 1, 2, "`level` is not a key", "write `levels`");
    refused("[store]\nzzz = 1\n", 2, 1, "`store.zzz`", "remove it");
    refused(
        "[[feed]]\nname = \"a\"\nurll = \"wss://a\"\nurl = \"wss://a\"\n",
        3,
        1,
        "urll",
        "write `url`",
    );
}

#[test]
fn a_key_of_the_top_that_fell_into_a_section_is_told_where_it_belongs() {
    refused("[privacy]\nrules = []\n", 2, 1, "`privacy.rules`", "above the first `[section]`");
}

#[test]
fn a_wrong_type_is_told_with_the_default() {
    refused(
        "[levels]\nconcern = \"high\"\n",
        2,
        11,
        "`levels.concern` is the text \"high\"",
        "`concern = 0.5`",
    );
    refused("[alerts]\n  storm = -1\n", 2, 11, "`alerts.storm` is the number `-1`", "`storm = 20`");
    refused("[alerts]\nmode = \"of\"\n", 2, 8, "`alerts.mode` is `\"of\"`", "");
    refused("[alerts]\nmode = \"shadw\"\n", 2, 8, "`\"shadw\"`", "write `\"shadow\"`");
    refused("levels = 3\n", 1, 10, "`levels` is the number `3`", "");
}

#[test]
fn durations_and_sizes_are_told_in_their_form() {
    refused("[levels]\nhold = \"30 minutes\"\n", 2, 8, "\"30 minutes\"", "`hold = \"30m\"`");
    refused("[levels]\nhold = 30\n", 2, 8, "the number `30`", "`hold = \"30m\"`");
    refused("[limits]\nmessage = \"8mb\"\n", 2, 11, "\"8mb\"", "`message = \"8MiB\"`");
    refused("[levels]\nhold = \"0s\"\n", 2, 8, "no time at all", "10s");
    refused("[[channel]]\nmatch = \"kick:1\"\nuntil = \"soon\"\n", 3, 9, "\"soon\"", "form");
    let until = parse("[[channel]]\nmatch = \"kick:1\"\nuntil = 2027-01-31\n").unwrap().channels[0]
        .until
        .unwrap();
    assert_eq!(until.to_string(), "2027-02-01T00:00:00.000Z");
}

#[test]
fn thresholds_must_be_probabilities_in_order() {
    refused("[levels]\nconcern = 1.5\n", 2, 11, "`levels.concern` is 1.5", "a probability");
    refused("[levels]\nwatch = nan\n", 2, 9, "`levels.watch` is NaN", "a probability");
    refused("[levels]\nimminent = -0.1\n", 2, 12, "-0.1", "a probability");
    refused(
        "[levels]\nconcern = 0.9\n",
        2,
        11,
        "`levels.concern` (0.9) is above `levels.danger` (0.8)",
        "lower",
    );
    refused(
        "[levels]\nthreat_to_life = 0.7\n",
        2,
        18,
        "above `levels.threat_to_life` (0.7)",
        "lower",
    );
    refused("[levels]\nhysteresis = 0.3\n", 2, 14, "not below `levels.watch`", "0.1");
}

#[test]
fn broken_toml_is_told_where_it_breaks() {
    refused("[levels]\nwatch = \n", 2, 9, "`watch` has no value", "after `=`");
    refused("[levels]\nwatch = 0.1\nwatch = 0.2\n", 3, 1, "duplicate key", "remove one of the two");
    refused(
        "[provider]\nname = \"no end\nsize = \"small\"\n",
        2,
        15,
        "no TOML",
        "close the string",
    );
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    let text = "[[feed]]\nname = \"a\"\nurl = \"wss://a.example\"\ntoken = \"hunter2\"\n";
    refused(text, 4, 9, "`feed[0].token` is a secret in plain text", "{ credential = \"name\" }");
    let found = problems(text);
    assert!(!serde_json::to_string(&found).unwrap().contains("hunter2"));
    assert!(!found[0].to_string().contains("hunter2"), "{}", found[0]);
    for bad in [
        "token = 12345678\n",
        "token = [\"hunter2\"]\n",
        "token = \"hunter2\ntype = 1\n",
        "pasword = \"hunter2\"\n",
    ] {
        let shown = parse(&format!("[[feed]]\nname = \"a\"\nurl = \"wss://a\"\n{bad}"))
            .unwrap_err()
            .to_string();
        assert!(!shown.contains("hunter2") && !shown.contains("12345678"), "{shown}");
    }
    refused(
        "[[feed]]\nname = \"a\"\nurl = \"wss://a.example\"\ntoken = { credental = \"x\" }\n",
        4,
        11,
        "credental",
        "write `credential`",
    );
    refused(
        "[[feed]]\nname = \"a\"\nurl = \"wss://a.example\"\ntoken = { credential = \"../x\" }\n",
        4,
        24,
        "cannot be the name of a credential",
        "set outside",
    );
    let text = "[[feed]]\nname = \"a\"\nurl = \"wss://me:hunter2@a.example\"\n";
    refused(text, 3, 7, "holds a name or password", "credential");
    assert!(!problems(text)[0].to_string().contains("hunter2"));
}

#[test]
fn feeds_and_sinks_must_say_where_to_and_not_in_the_clear() {
    refused("[[feed]]\nname = \"a\"\n", 1, 1, "feed `a` has no `url`", "url = \"wss://");
    refused("[[feed]]\nurl = \"wss://a\"\n", 1, 1, "has no `name`", "add a line `name");
    refused(
        "[[feed]]\nname = \"a\"\ntype = \"websockets\"\nurl = \"wss://a\"\n",
        3,
        8,
        "`\"websockets\"`",
        "`\"websocket\"`",
    );
    refused(
        "[[feed]]\nname = \"a\"\nurl = \"ws://a.example\"\n",
        3,
        7,
        "plain `ws://`",
        "insecure = true",
    );
    refused(
        "[[feed]]\nname = \"a\"\nurl = \"https://a.example\"\n",
        3,
        7,
        "kind `https:`",
        "`wss://`",
    );
    refused("[[feed]]\nname = \"a\"\nurl = \"nowhere\"\n", 3, 7, "no address", "in full");
    refused("[[feed]]\nname = \"a\"\ntype = \"recording\"\n", 1, 1, "no `path`", "path = ");
    refused(
        "[[feed]]\nname = \"a\"\ntype = \"recording\"\npath = \"gone.jsonl\"\n",
        4,
        8,
        "no file /nowhere/gone.jsonl",
        "correct the path",
    );
    let sink = "[[sink]]\nname = \"t\"\nsecret = { credential = \"s\" }\n";
    refused(sink, 1, 1, "sink `t` has no `url`", "url = \"https://");
    refused(&format!("{sink}url = \"http://a.example\"\n"), 4, 7, "plain `http://`", "https://");
    refused(
        "[[sink]]\nname = \"t\"\nurl = \"https://a\"\n",
        1,
        1,
        "no `secret`",
        "secret = { credential",
    );
    refused(
        &format!("{sink}url = \"https://a\"\nmin_level = \"dangr\"\n"),
        5,
        13,
        "`\"dangr\"`",
        "`\"danger\"`",
    );
    refused(
        &format!("{sink}url = \"https://a\"\nmin_level = \"watch\"\n"),
        5,
        13,
        "`watch`",
        "concern",
    );
    for url in ["ws://localhost:1", "ws://127.0.0.2/x", "ws://[::1]:9", "wss://a.example"] {
        assert!(parse(&format!("[[feed]]\nname = \"a\"\nurl = \"{url}\"\n")).is_ok(), "{url}");
    }
    assert!(parse("[[feed]]\nname = \"a\"\nurl = \"ws://a.example\"\ninsecure = true\n").is_ok());
}

#[test]
fn names_must_differ_and_be_plain() {
    let twice =
        "[[feed]]\nname = \"a\"\nurl = \"wss://a\"\n[[feed]]\nname = \"a\"\nurl = \"wss://b\"\n";
    refused(
        twice,
        5,
        8,
        "two feeds named `a`; the first stands at /nowhere/vigie.toml:2:8",
        "rename",
    );
    refused("[[feed]]\nname = \"À la une\"\nurl = \"wss://a\"\n", 2, 8, "À la une", "short name");
    let twice = "[[channel]]\nmatch = \"kick:1\"\n[[channel]]\nmatch = \"kick:1\"\n";
    refused(twice, 4, 9, "two entries for `kick:1`", "join");
    refused("[[channel]]\nmatch = \"123\"\n", 2, 9, "cannot be a channel", "colon");
}

#[test]
fn other_values_are_checked_too() {
    refused("[provider]\nestablishment = \"France\"\n", 2, 17, "`France`", "code");
    refused("[server]\nlisten = \"localhost\"\n", 2, 10, "`localhost`", "port");
    refused(
        "[server]\nmetrics_listen = \"127.0.0.1:8787\"\n",
        2,
        18,
        "address of `server.listen`",
        "another port",
    );
    refused("[server]\nlanguage = \"de\"\n", 2, 12, "`\"de\"`", "");
    refused("[store]\nurl = \"mysql://x\"\n", 2, 7, "no database", "sqlite");
    refused("[limits]\nchat_queue = 0\n", 2, 14, "`limits.chat_queue` is 0", "at least 1");
    refused("[limits]\nlook_burst = 9\n", 2, 14, "9", "`8`");
    refused("[models]\nthreads = 0\n", 2, 11, "0", "at least 1");
    refused(
        "[signals.offences]\n\"chat.threats\" = \"threat\"\n",
        2,
        18,
        "no signal `chat.threats`",
        "chat.threat",
    );
    refused("[signals.offences]\n\"chat.threat\" = \"murder\"\n", 2, 17, "murder", "");
    refused("rules = [\"gone.toml\"]\n", 1, 10, "no file /nowhere/gone.toml", "folder");
}

#[test]
fn rules_are_checked_and_stand_at_the_first_character_of_their_condition() {
    let rule = "[[rule]]\nname = \"a\"\nwhen = 'chat_distress_60s > 0.8'\nlevel = \"danger\"\nreason = { en = \"x\" }\n";
    let config = parse(&format!("rules = []\n{rule}")).unwrap();
    assert_eq!(config.rules.len(), 1);
    let at = &config.rules[0].when_at;
    assert_eq!((at.line, at.column), (4, 9));
    let problem = config.rules[0].problem(20, "x".into(), "y".into(), "z".into());
    assert_eq!((problem.line, problem.column), (4, 29));
    assert!(problem.to_string().contains(&format!("{}^", " ".repeat(28))), "{problem}");

    let long = rule.replace(
        "'chat_distress_60s > 0.8'",
        "'''\nchat_distress_60s > 0.8\n  || picture_still_30m > 1'''",
    );
    let rules = parse(&long).unwrap().rules;
    let long = rules.last().unwrap();
    assert_eq!((long.when_at.line, long.when_at.column), (4, 1));
    let second_line = long.when.find("picture").unwrap();
    let problem = long.problem(second_line, "x".into(), "y".into(), "z".into());
    assert_eq!((problem.line, problem.column), (5, 6));

    let escaped = rule.replace("'chat_distress_60s > 0.8'", "\"\\u0063hat_distress_60s > 0.8\"");
    let rules = parse(&escaped).unwrap().rules;
    let problem = rules.last().unwrap().problem(18, "x".into(), "y".into(), "z".into());
    assert_eq!((problem.line, problem.column), (3, 9 + 18 + 5));

    refused(&rule.replace("danger", "dangerous"), 4, 9, "`\"dangerous\"`", "`\"danger\"`");
    refused(&rule.replace("\"danger\"", "\"none\""), 4, 9, "raises to `none`", "shadow");
    refused(&rule.replace("reason = { en = \"x\" }\n", ""), 1, 1, "has no `reason`", "reason = ");
    refused(&rule.replace("{ en", "{ english"), 5, 22, "`english`", "code");
    refused(&format!("{rule}tense = \"future\"\n"), 6, 9, "`\"future\"`", "");
    refused(&format!("{rule}offences = [\"threats\"]\n"), 6, 13, "`\"threats\"`", "`\"threat\"`");
    let endless = format!("'{}1 > 0'", "1 > 0 || ".repeat(500));
    refused(&rule.replace("'chat_distress_60s > 0.8'", &endless), 3, 8, "bytes", "split");
    let bare = parse("").unwrap().rules[0].name.clone();
    refused(
        &rule.replace("\"a\"", &format!("\"{bare}\"")),
        2,
        8,
        "<built-in>/rules.toml",
        "rename",
    );
}

#[test]
fn a_problem_in_a_file_that_is_named_is_told_in_that_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "vigie.toml",
        "rules = [\"more/rules.toml\"]\ncategories = \"c.toml\"\n[currency]\nfile = \"m.toml\"\n",
    );
    std::fs::create_dir(folder.path().join("more")).unwrap();
    write(
        "more/rules.toml",
        "[[rule]]\nname = \"a\"\nwhen = 'x > 1'\nlevl = \"danger\"\nreason = { en = \"x\" }\n",
    );
    write("c.toml", "game = [\"Chess\", \"chess\"]\n");
    write("m.toml", "date = \"2026-10-30\"\n[rates]\nUSD = \"0.9\"\nUSX = \"1\"\nSEK = \"-1\"\n");
    let errors = Config::load(&folder.path().join("vigie.toml")).unwrap_err();
    let told: Vec<_> = errors
        .0
        .iter()
        .map(|p| (p.file.strip_prefix(folder.path()).unwrap().to_str().unwrap(), p.line, p.column))
        .collect();
    assert_eq!(
        told,
        [("more/rules.toml", 4, 1), ("c.toml", 1, 18), ("m.toml", 4, 7), ("m.toml", 5, 7),],
        "{errors}"
    );
}

#[test]
fn all_problems_are_told_at_once_and_in_order() {
    let text = "[alerts]\nstorm = \"many\"\n[levels]\nwatch = 2\nconcrn = 1\nhold = \"x\"\n[[feed]]\nname = \"b\"\n\
                [[sink]]\nnme = \"x\"\n[[feed]]\nname = \"c\"\nurl = \"ws://c.example\"\n";
    let found = problems(text);
    let lines: Vec<_> = found.iter().map(|p| p.line).collect();
    assert_eq!(lines, [2, 4, 5, 6, 7, 10, 13], "{}", ConfigErrors(found));
}

#[test]
fn a_problem_shows_its_line_with_a_caret_and_goes_out_as_json() {
    let errors = parse("[levels]\n  concern = 1.5 # much\n").unwrap_err();
    assert_eq!(
        errors.to_string(),
        "/nowhere/vigie.toml:2:13: `levels.concern` is 1.5
  |
2 |   concern = 1.5 # much
  |             ^^^
  expected: a number from 0 to 1
  to mend:  write a probability, such as `0.5`

1 problem in the config"
    );
    let json = errors.to_json();
    assert_eq!(json["problems"][0]["line"], 2);
    assert_eq!(json["problems"][0]["column"], 13);
    assert_eq!(json["problems"][0].as_object().unwrap().len(), 6);
}

#[test]
fn a_file_that_is_no_text_or_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vigie.toml");
    let errors = Config::load(&file).unwrap_err();
    assert!(errors.0[0].what.contains("there is no file"), "{errors}");
    assert!(errors.0[0].how_to_mend.contains("-c FILE"));
    std::fs::write(&file, b"[levels]\nwatch = \xff\n").unwrap();
    let errors = Config::load(&file).unwrap_err();
    assert_eq!((errors.0[0].line, errors.0[0].column), (2, 9), "{errors}");
    assert!(errors.0[0].what.contains("UTF-8"));
    for text in ["[".repeat(20_000), format!("x = {}", "[".repeat(20_000)), "\u{0}".repeat(100)] {
        assert!(!problems(&text).is_empty());
    }
}

#[test]
fn defaults_follow_the_kind() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("r.jsonl"), "").unwrap();
    let text = "[[feed]]\nname = \"r\"\ntype = \"recording\"\npath = \"r.jsonl\"\n[[feed]]\nname = \"w\"\n\
                url = \"wss://w\"\n[[sink]]\nname = \"f\"\ntype = \"jsonl\"\npath = \"out.jsonl\"\n";
    std::fs::write(folder.path().join("vigie.toml"), text).unwrap();
    let config =
        Config::load(&folder.path().join("vigie.toml")).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!((config.feeds[0].kind, config.feeds[0].clock()), (FeedKind::Recording, Clock::Data));
    assert_eq!((config.feeds[1].kind, config.feeds[1].clock()), (FeedKind::Websocket, Clock::Live));
    assert_eq!(config.feeds[1].channels, ["*"]);
    assert_eq!(config.feeds[1].idle_timeout, Dur::secs(60));
    let sink = &config.sinks[0];
    assert_eq!((sink.kind, sink.min_level), (SinkKind::Jsonl, Level::Concern));
    assert_eq!((sink.remind, sink.heartbeat), (Dur::mins(5), Dur::hours(1)));
    assert_eq!(sink.path.as_deref(), Some(folder.path().join("out.jsonl").as_path()));
}

#[test]
fn the_digest_changes_with_what_decides_and_with_nothing_else() {
    let base = parse("").unwrap().digest();
    assert!(base.starts_with("sha256:") && base.len() == 7 + 64);
    assert_eq!(
        parse("# a comment\n[server]\nlisten = \"127.0.0.1:1\"\n[alerts]\nstorm = 3\n")
            .unwrap()
            .digest(),
        base
    );
    assert_eq!(parse("[levels]\nconcern = 0.50\nhold = \"1800s\"\n").unwrap().digest(), base);
    for text in [
        "[levels]\nconcern = 0.51\n",
        "[limits]\nlate = \"11m\"\n",
        "rules = []\n",
        "[signals.offences]\n",
    ] {
        assert_ne!(parse(text).unwrap().digest(), base, "{text}");
    }
}

#[test]
fn a_credential_that_is_nowhere_names_both_places() {
    let error = credential("never-set-anywhere").unwrap_err();
    assert!(matches!(error, CredentialError::Missing { .. }));
    let text = error.to_string();
    assert!(text.contains("$CREDENTIALS_DIRECTORY/never-set-anywhere"), "{text}");
    assert!(text.contains("VIGIE_CREDENTIAL_NEVER_SET_ANYWHERE"), "{text}");
}
