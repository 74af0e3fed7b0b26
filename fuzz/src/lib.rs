//! The doors by which bytes from outside come in, each as a function of bytes that must not panic, run away, or give
//! out more than it took in. `cargo fuzz` drives them (fuzz/targets), and so does `make test` (tests/it/fuzz.rs),
//! which takes this file in as a module.

use std::cell::RefCell;
use std::path::PathBuf;

use vigie::event::{Event, FeedItem, Keyer, Kind, Level, decode, decode_binary_frame};

/// A door's name, what it does with bytes, and inputs to begin with.
pub struct Door {
    pub name: &'static str,
    pub enter: fn(&[u8]),
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every door.
pub const DOORS: [Door; 9] = [
    Door { name: "wire", enter: wire, seeds: wire_seeds },
    Door { name: "binary_frame", enter: binary_frame, seeds: binary_seeds },
    Door { name: "recording", enter: recording, seeds: recording_seeds },
    Door { name: "journal_line", enter: journal_line, seeds: journal_line_seeds },
    Door { name: "journal", enter: journal, seeds: journal_seeds },
    Door { name: "config", enter: config, seeds: config_seeds },
    Door { name: "rule", enter: rule, seeds: rule_seeds },
    Door { name: "picture", enter: picture, seeds: picture_seeds },
    Door { name: "manifest", enter: manifest, seeds: manifest_seeds },
];

/// The bytes that an event may grow by in the journal: names of fields, times in full, escapes (six bytes for one).
fn journal_limit(input: usize) -> usize {
    8 * input + 2048
}

/// A JSON message of the wire; what is read goes to the journal and back unchanged.
pub fn wire(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(FeedItem::Event(event)) = decode(text, &Keyer::replay())
    {
        there_and_back(&event, data.len());
    }
}

/// A frame sent as a binary message.
pub fn binary_frame(data: &[u8]) {
    let message = data.to_vec().into();
    if let Ok(FeedItem::Event(event)) = decode_binary_frame(&message, &Keyer::replay()) {
        there_and_back(&event, data.len());
    }
}

fn there_and_back(event: &Event, input: usize) {
    let journal = event.to_journal();
    let length = journal.to_string().len();
    assert!(length <= journal_limit(input), "{input} bytes became {length} in the journal");
    let back = Event::from_journal(&journal);
    let back = back.unwrap_or_else(|error| panic!("{error}: {journal}"));
    assert_eq!(back.to_journal(), journal, "the journal gives back another event");
    // A recording of it is read again.
    let wire = event.to_wire().to_string();
    if event.kind() != Kind::Frame {
        assert!(!event.evidence_bytes().is_empty(), "no canonical form: {wire}");
        decode(&wire, &Keyer::replay()).unwrap_or_else(|error| panic!("{error}: {wire}"));
    }
}

/// A whole recording, plain or compressed; at most 1,000 lines are asked for.
pub fn recording(data: &[u8]) {
    on_file(data, |path| {
        let Ok(mut reader) = vigie::feed::recording::open_with(&path, Keyer::replay(), 64 << 10)
        else {
            return;
        };
        for _ in 0..1000 {
            match reader.next() {
                None => return,
                Some(Err(problem)) => drop(problem.to_string()),
                Some(Ok(_)) => {}
            }
        }
    });
}

/// One line of a journal.
pub fn journal_line(data: &[u8]) {
    use vigie::store::journal::Entry;
    if let Ok(entry) = serde_json::from_slice::<Entry>(data) {
        let again = serde_json::to_string(&entry).expect("what was read can be written");
        assert!(again.len() <= journal_limit(data.len()), "{} bytes: {again}", data.len());
        serde_json::from_str::<Entry>(&again).unwrap_or_else(|error| panic!("{error}: {again}"));
    }
}

/// A segment of a journal.
pub fn journal(data: &[u8]) {
    use vigie::store::journal::Reader;
    on_file(data, |path| {
        let known = Reader::is_journal(&path);
        let Ok(mut reader) = Reader::open(&[path]) else { return };
        assert!(known || reader.header().is_none() || data.len() > 4096);
        let mut entries = 0;
        for entry in reader.by_ref() {
            match entry {
                Ok(_) => entries += 1,
                Err(error) => drop(error.to_string()),
            }
        }
        assert!(entries <= data.len());
        assert!(reader.notes().len() <= 1);
    });
}

/// A config file, and its rules if they are read. Files that it names are sought in an empty folder.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let file = scratch().parent().map(|folder| folder.join("vigie.toml")).unwrap_or_default();
    match vigie::config::Config::from_toml(text, &file) {
        Ok(config) => drop(config.digest()),
        Err(errors) => {
            let told = errors.to_string();
            assert!(!told.is_empty());
            let lines = text.lines().count().max(1);
            for problem in &errors.0 {
                assert!(problem.line <= lines + 1, "line {} of {lines}: {told}", problem.line);
            }
        }
    }
}

/// A rule's condition.
pub fn rule(data: &[u8]) {
    let Ok(when) = std::str::from_utf8(data) else { return };
    if let Err(error) =
        vigie::risk::Rule::compile("fuzz", when, Level::Danger, None, Vec::new(), false)
    {
        assert!(error.offset <= when.len(), "{} of {}: {error}", error.offset, when.len());
    }
}

/// A JPEG: its header within limits, its pixels, and what is made of them.
pub fn picture(data: &[u8]) {
    use vigie::model::image::{Eye, LONGEST_SIDE, MOST_PIXELS, Picture};
    let Ok(picture) = Picture::decode(data) else { return };
    let (width, height) = (picture.width as usize, picture.height as usize);
    assert!(width <= LONGEST_SIDE && height <= LONGEST_SIDE && width * height <= MOST_PIXELS);
    let mut eye = Eye::default();
    assert!(!eye.thumb(&picture).is_empty());
    let motion = eye.motion(&[picture.clone(), picture]);
    assert_eq!(motion, Some(0.0), "a picture does not move against itself");
}

/// A manifest of models.
pub fn manifest(data: &[u8]) {
    on_file(data, |path| match vigie::model::Manifest::load(&path) {
        Ok(manifest) => drop(manifest.models.iter().map(|model| model.told()).collect::<Vec<_>>()),
        Err(error) => drop(error.to_string()),
    });
}

thread_local! {
    static FILE: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

/// A file in memory where there is such a folder; one a thread.
fn scratch() -> PathBuf {
    FILE.with(|file| {
        let mut file = file.borrow_mut();
        let path = file.get_or_insert_with(|| {
            let memory = PathBuf::from("/dev/shm");
            let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
            let name =
                format!("vigie-fuzz-{}-{:?}", std::process::id(), std::thread::current().id());
            let folder = base.join(name.replace(['(', ')'], ""));
            std::fs::create_dir_all(&folder).expect("a scratch folder");
            folder.join("input")
        });
        path.clone()
    })
}

fn on_file(data: &[u8], work: impl FnOnce(PathBuf)) {
    let path = scratch();
    std::fs::write(&path, data).expect("a scratch file");
    work(path);
}

/// Takes the scratch folder of this thread away.
pub fn tidy() {
    let file = FILE.take();
    if let Some(folder) = file.as_deref().and_then(std::path::Path::parent) {
        // It holds one small file; nobody is hurt if it stays.
        let _ = std::fs::remove_dir_all(folder);
    }
}

const EVENTS: [&str; 10] = [
    r#"{"type":"chat","id":"1","at":"2025-08-17T22:14:03.120Z","channel":"kick:123","user":{"id":"u1","name":"Zoé","roles":["subscriber"]},"text":"il respire plus \ud83d\ude30"}"#,
    r#"{"type":"donation","id":"2","at":"2025-08-17T22:14:03Z","channel":"kick:123","user":{"id":"u2","name":"b"},"amount":{"value":"50.00","currency":"EUR"},"text":"encore","source":"tip"}"#,
    r#"{"type":"donation","id":"3","at":"2025-08-17T22:14:03+02:00","channel":"kick:123","amount":{"value":"-1e9","currency":"XXX"},"bits":100}"#,
    r#"{"type":"reward","id":"4","at":"2025-08-17T22:14:03Z","channel":"twitch:9","user":{"id":"u3"},"reward":{"title":"gifle","cost":500,"unit":"points"},"text":""}"#,
    r#"{"type":"frame","id":"5","at":"2025-08-17T22:14:03Z","channel":"kick:123","media":"image/jpeg","look":{"id":"L7","n":3,"of":8},"data":"/9j/4AAQSkZJRg=="}"#,
    r#"{"type":"stream","id":"6","at":"2025-08-17T22:14:03Z","channel":"kick:123","state":"live","title":"t","name":"n","category":"Just Chatting","language":"fr","viewers":120,"started_at":"2025-08-17T10:00:00Z","url":"https://example.org/x","country":"FR"}"#,
    r#"{"type":"notice","id":"7","at":"2025-08-17T22:14:03Z","channel":"kick:123","notifier":{"id":"n1","name":"N"},"text":"he does not move","url":"https://example.org/x"}"#,
    r#"{"type":"moderation","id":"8","at":"2025-08-17T22:14:03Z","channel":"kick:123","scope":"user","action":"ban","target":"u1","until":null,"reason":"x"}"#,
    r#"{"type":"cursor","value":"c-17"}"#,
    r#"{"type":"gap","from":"2025-08-17T22:14:03Z","to":"2025-08-17T22:15:03Z","channel":"kick:123"}"#,
];

fn wire_seeds() -> Vec<Vec<u8>> {
    EVENTS.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn binary_seeds() -> Vec<Vec<u8>> {
    let header = br#"{"type":"frame","id":"5","at":"2025-08-17T22:14:03Z","channel":"kick:123","media":"image/jpeg","look":{"id":"L7","n":8,"of":8}}"#;
    let mut message = (header.len() as u32).to_be_bytes().to_vec();
    message.extend_from_slice(header);
    message.extend_from_slice(&picture_seeds().remove(0));
    vec![message]
}

fn recording_seeds() -> Vec<Vec<u8>> {
    let plain = EVENTS.join("\n").into_bytes();
    let packed = zstd::encode_all(&plain[..], 3).expect("it can be packed");
    vec![plain, packed]
}

fn journal_lines() -> Vec<String> {
    let mut lines: Vec<String> = EVENTS[..8]
        .iter()
        .filter_map(|text| match decode(text, &Keyer::replay()) {
            Ok(FeedItem::Event(event)) => Some(event),
            _ => None,
        })
        .map(|event| {
            use vigie::event::{Consumed, Fuel};
            let (channel, at) = (event.channel.clone(), event.at);
            let fuel = Fuel::Event {
                event: event.into(),
                stamp: Default::default(),
                scores: Default::default(),
                plain: None,
                unscored: None,
                manner: None,
            };
            let entry = vigie::store::journal::Entry::Consumed(Consumed { channel, at, fuel });
            serde_json::to_string(&entry).expect("it can be written")
        })
        .collect();
    lines.push(r#"{"c":"escalation","channel":"kick:123","at":"2025-08-17T22:14:03.000Z","out":[0.5,0.25,0.125,0.0]}"#.into());
    lines.push(
        r#"{"c":"state","channel":"kick:123","state":{"a":[1,2.5,null]},"terms":"sha256:00"}"#
            .into(),
    );
    lines.push(r#"{"c":"terms","digest":"sha256:00","terms":{"levels":{}}}"#.into());
    lines.push(r#"{"c":"under","channel":"kick:123","terms":"sha256:00"}"#.into());
    lines
}

fn journal_line_seeds() -> Vec<Vec<u8>> {
    let mut lines = journal_lines();
    // A number that JSON can hold and a score cannot: once read as infinite and written as `null`.
    lines.push(r#"{"c":"escalation","channel":"kick:123","at":"2025-08-17T22:14:03.000Z","out":[0.51e308,0.25,0.125,0.0]}"#.into());
    lines.into_iter().map(String::into_bytes).collect()
}

fn journal_seeds() -> Vec<Vec<u8>> {
    let header = r#"{"vigie_journal":1,"config":"sha256:00","version":"0.1.0"}"#;
    let segment = format!("{header}\n{}\n", journal_lines().join("\n"));
    vec![segment.into_bytes(), format!("{header}\n").into_bytes()]
}

fn config_seeds() -> Vec<Vec<u8>> {
    let whole = include_str!("../../config/vigie.toml");
    // Its examples, switched on.
    let on: String = whole
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(code) if !code.starts_with([' ', '#']) && !code.is_empty() => format!("{code}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let small = "[levels]\nwatch = 0.25\nconcern = 0.5\n\n[[sink]]\nname = \"a\"\nurl = \"https://example.org/\"\n\
        secret = { credential = \"x\" }\nmax_age = \"24h\"\n\n[[rule]]\nname = \"r\"\n\
        when = \"chat_distress_60s > 0.5 && money_acts_24h >= 4\"\nlevel = \"danger\"\nreason = { en = \"x\" }\n";
    vec![small.into(), on.into_bytes(), whole.into()]
}

fn rule_seeds() -> Vec<Vec<u8>> {
    [
        "chat_distress_60s > 0.5",
        "picture_still_30m >= 40 && (money_acts_24h >= 4 || picture_violence_10m >= 6 && chat_distress_60s >= 1.5)",
        "2.0 * chat_distress_60s + picture_violence_10m > 1.5",
        "!(hours_live > 20) || chat_distress_60s > 0.1",
        "((((((1 > 0))))))",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}

fn picture_seeds() -> Vec<Vec<u8>> {
    vec![
        include_bytes!("../seeds/small.jpg").to_vec(),
        include_bytes!("../seeds/progressive.jpg").to_vec(),
    ]
}

fn manifest_seeds() -> Vec<Vec<u8>> {
    vec![include_bytes!("../../models/manifest.toml").to_vec()]
}
