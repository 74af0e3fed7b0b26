//! The typed config, section by section: every key with its unit and its default. Plain data; what a key does is
//! written in the room that reads it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::peers::{Channel, Feed, Rule, Sink};
use super::source::Origin;
use super::tables::{Authorities, Categories, Currency};
use super::units::{Dur, Size};
use crate::event::{Offence, Timestamp};

/// Everything that `vigie.toml` and the files it names say. Load it with [`Config::load`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Files of `[[rule]]`, read in this order; their rules stand before those of this file.
    #[serde(rename = "rules")]
    pub rule_files: Vec<PathBuf>,
    /// File that maps the platforms' category names to a setting.
    #[serde(rename = "categories")]
    pub categories_file: PathBuf,
    pub provider: Provider,
    pub server: Server,
    pub store: Store,
    pub evidence: Evidence,
    pub models: Models,
    pub signals: Signals,
    pub levels: Levels,
    pub alerts: Alerts,
    pub limits: Limits,
    pub privacy: Privacy,
    pub currency: CurrencyFile,
    pub authorities: AuthoritiesFile,
    /// Where events come from.
    #[serde(rename = "feed")]
    pub feeds: Vec<Feed>,
    /// Whom alerts are told to.
    #[serde(rename = "sink")]
    pub sinks: Vec<Sink>,
    /// Rules, in the order in which they decide.
    #[serde(rename = "rule")]
    pub rules: Vec<Rule>,
    /// What is known of single channels beforehand.
    #[serde(rename = "channel")]
    pub channels: Vec<Channel>,
    /// Content of the file named by `categories`.
    #[serde(skip)]
    pub categories: Categories,
    /// Where each key stands: for messages.
    #[serde(skip)]
    pub origin: Origin,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rule_files: vec!["rules.toml".into()],
            categories_file: "categories.toml".into(),
            provider: Provider::default(),
            server: Server::default(),
            store: Store::default(),
            evidence: Evidence::default(),
            models: Models::default(),
            signals: Signals::default(),
            levels: Levels::default(),
            alerts: Alerts::default(),
            limits: Limits::default(),
            privacy: Privacy::default(),
            currency: CurrencyFile::default(),
            authorities: AuthoritiesFile::default(),
            feeds: Vec::new(),
            sinks: Vec::new(),
            rules: Vec::new(),
            channels: Vec::new(),
            categories: Categories::default(),
            origin: Origin::default(),
        }
    }
}

impl Config {
    /// What is known beforehand of a channel (`platform:id`) at a time.
    pub fn known_of<'a>(
        &'a self,
        channel: &'a str,
        at: Timestamp,
    ) -> impl Iterator<Item = &'a Channel> {
        self.channels
            .iter()
            .filter(move |entry| entry.is_about(channel))
            .filter(move |entry| entry.until.is_none_or(|until| until.0 > at))
    }
}

/// Who runs this Vigie, as it stands in dossiers. An empty value is told there as *not known*.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Provider {
    /// Legal name. Default: empty.
    pub name: String,
    /// Postal address. Default: empty.
    pub address: String,
    /// Country of establishment, ISO 3166-1 alpha-2 (`FR`). Default: empty.
    pub establishment: String,
    /// Legal representative in the Union (Article 13), if established outside. Default: empty.
    pub legal_representative: String,
    /// Point of contact for authorities (Article 11). Default: empty.
    pub contact_point: String,
    /// Telephone at which somebody who can act answers day and night. Default: empty.
    pub duty_phone: String,
    /// Size in the sense of Recommendation 2003/361/EC, or `very_large` (Article 33). Default: not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<ProviderSize>,
    /// `provider`: the hosting provider, whom Article 18 binds; `observer`: somebody who watches from outside.
    /// Default: `provider`.
    pub role: Role,
}

/// Size of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderSize {
    Micro,
    Small,
    Medium,
    Large,
    VeryLarge,
}

/// In which part Vigie is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    #[default]
    Provider,
    Observer,
}

/// The console, the API and the metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port of console and API. Default: `127.0.0.1:8787`.
    pub listen: String,
    /// Address and port of `/metrics`, `/healthz`, `/readyz`, without sign-in; empty: only on `listen`.
    /// Default: `127.0.0.1:9464`.
    pub metrics_listen: String,
    /// How people reach the console: base of links in alerts, and the `Host` that is accepted. Empty:
    /// `http://` and `listen`. Default: empty.
    pub public_url: String,
    /// Language of summaries and logs for people. Default: `en`.
    pub language: Language,
    /// Time for a shutdown to finish what is under way. Default: `20s`.
    pub drain: Dur,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8787".into(),
            metrics_listen: "127.0.0.1:9464".into(),
            public_url: String::new(),
            language: Language::En,
            drain: Dur::secs(20),
        }
    }
}

/// Languages that Vigie itself speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    En,
    Fr,
}

impl Language {
    /// ISO 639-1 code.
    pub fn code(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::Fr => "fr",
        }
    }
}

/// The state folder, the database and the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// State folder: database, journal, evidence, socket, made keys. Default: `/var/lib/vigie`.
    pub dir: PathBuf,
    /// `sqlite`: a database in `dir`. Default: `sqlite`.
    pub url: String,
    /// How long the journal is kept. Default: `24h`.
    pub journal_keep: Dur,
    /// Largest size of the journal; the oldest segments go first. Default: `8GiB`.
    pub journal_cap: Size,
    /// How often channels' states and feeds' cursors are saved: after a crash, feeds that resume tell again what came
    /// since. Default: `5s`.
    pub checkpoint: Dur,
    /// How far the machine's time may be from what the last run knew: the longest that the daemon may have been off.
    /// Beyond it the clock is not believed, and what is kept ages by the time that the daemon ran. Default: `7d`.
    pub clock_leap: Dur,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            dir: "/var/lib/vigie".into(),
            url: "sqlite".into(),
            journal_keep: Dur::hours(24),
            journal_cap: Size::gib(8),
            checkpoint: Dur::secs(5),
            clock_leap: Dur::days(7),
        }
    }
}

/// What is kept of what was seen, and how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Evidence {
    /// Largest size of what no alert cites; what an alert cites never goes by it. Default: `2GiB`.
    pub cap: Size,
    /// How long all of a channel at `watch` or above is kept. Default: `24h`.
    pub ring: Dur,
    /// How long requests for acts, the words after them and the next look are kept. Default: `90d`.
    pub acts: Dur,
    /// How long what an alert cites is kept after it ended. Default: `180d`.
    pub cited: Dur,
}

impl Default for Evidence {
    fn default() -> Self {
        Self { cap: Size::gib(2), ring: Dur::hours(24), acts: Dur::days(90), cited: Dur::days(180) }
    }
}

/// The models and how they are run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    /// The manifest. A relative path is looked for beside this file, in the folder above it, beside the binary,
    /// in the checkout and in `/usr/lib/vigie`. Default: `models/manifest.toml`.
    pub manifest: PathBuf,
    /// Inference threads, one ONNX session of each model on each. Default: `2`.
    pub threads: usize,
    /// Path of the ONNX Runtime library; empty: looked for in the same places. Default: empty.
    pub runtime: PathBuf,
    /// Where ONNX Runtime computes: `cpu`, `cuda` or `openvino`; other than `cpu` needs a library that was built with it
    /// (docs/models.md). Default: `cpu`.
    pub provider: Execution,
    /// How long a message or look may wait for others to share its batch. Default: `5ms`.
    pub max_wait: Dur,
    /// Most items in one batch. Default: `64`.
    pub max_batch: usize,
}

impl Default for Models {
    fn default() -> Self {
        Self {
            manifest: "models/manifest.toml".into(),
            threads: 2,
            runtime: PathBuf::new(),
            provider: Execution::Cpu,
            max_wait: Dur::ms(5),
            max_batch: 64,
        }
    }
}

/// Execution provider of ONNX Runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Execution {
    #[default]
    Cpu,
    Cuda,
    Openvino,
}

impl Execution {
    pub const ALL: [Execution; 3] = [Execution::Cpu, Execution::Cuda, Execution::Openvino];

    /// As the config writes it.
    pub fn name(self) -> &'static str {
        match self {
            Execution::Cpu => "cpu",
            Execution::Cuda => "cuda",
            Execution::Openvino => "openvino",
        }
    }
}

/// How signals are made from events; `vigie schema signals` lists their names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Signals {
    /// Half-lives that differ from the built-in ones, by signal name. Default: none.
    pub decays: BTreeMap<String, Dur>,
    /// Highest values that differ from the built-in ones, by signal name. Default: none.
    pub caps: BTreeMap<String, f64>,
    /// The offence that a cited signal gives rise to suspect, by `family.name`.
    pub offences: BTreeMap<String, Offence>,
}

impl Default for Signals {
    fn default() -> Self {
        let offences = [
            ("chat.threat", Offence::Threat),
            ("chat.threat_peak", Offence::Threat),
            ("chat.threat_voices", Offence::Threat),
            ("chat.incitement", Offence::IncitementToViolence),
            ("chat.incitement_voices", Offence::IncitementToViolence),
            ("chat.self_harm_urging", Offence::EncouragementOfSuicide),
            ("chat.self_harm_urging_voices", Offence::EncouragementOfSuicide),
            ("money.acts", Offence::IncitementToViolence),
            ("money.acts_eur", Offence::IncitementToViolence),
            ("picture.violence", Offence::ViolenceAgainstPerson),
            ("picture.violence_peak", Offence::ViolenceAgainstPerson),
        ];
        Self {
            decays: BTreeMap::new(),
            caps: BTreeMap::new(),
            offences: offences
                .into_iter()
                .map(|(name, offence)| (name.to_owned(), offence))
                .collect(),
        }
    }
}

/// Probabilities of the escalation model at which a level is reached, and when it is left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Levels {
    /// p(`concern`) from which a channel is at `watch`, 0..1. Default: `0.25`.
    pub watch: f64,
    /// p(`concern`) from which it is at `concern`, 0..1. Default: `0.5`.
    pub concern: f64,
    /// p(`imminent`) from which the tense is `imminent`, 0..1. Default: `0.5`.
    pub imminent: f64,
    /// p(`danger`) from which it is at `danger`, 0..1. Default: `0.8`.
    pub danger: f64,
    /// p(`threat_to_life`) from which it is at `threat_to_life`, 0..1. Default: `0.95`.
    pub threat_to_life: f64,
    /// A level is left this far below its threshold, 0..1. Default: `0.1`.
    pub hysteresis: f64,
    /// An incident ends after this long below `watch`, in stream time. Default: `30m`.
    pub hold: Dur,
    /// An incident ends after the stream was offline this long. Default: `10m`.
    pub offline_hold: Dur,
}

impl Default for Levels {
    fn default() -> Self {
        Self {
            watch: 0.25,
            concern: 0.5,
            imminent: 0.5,
            danger: 0.8,
            threat_to_life: 0.95,
            hysteresis: 0.1,
            hold: Dur::mins(30),
            offline_hold: Dur::mins(10),
        }
    }
}

/// How alerts go out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// `active`, or `shadow`: nothing is delivered, everything is shown. Default: `active`.
    pub mode: Mode,
    /// More alerts than this in a minute are summarised; `threat_to_life` never is. Default: `20`.
    pub storm: u32,
}

impl Default for Alerts {
    fn default() -> Self {
        Self { mode: Mode::Active, storm: 20 }
    }
}

/// Whether something acts or is only counted and shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Active,
    Shadow,
}

impl Mode {
    /// As the file and the metrics write it.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Active => "active",
            Mode::Shadow => "shadow",
        }
    }
}

/// Capacities: everything that can fill up has one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest message of a feed that is decoded; larger ones are counted and skipped, and beyond 64 MiB the connection
    /// ends. Default: `8MiB`.
    pub message: Size,
    /// Chat that is older than this in channel time is only counted. Default: `10m`.
    pub late: Dur,
    /// Events of a feed among which repeats are found; at least since the saved cursor. Default: `200000`.
    pub dedupe: usize,
    /// Events of a feed between its connection and the models' door. Default: `4096`.
    pub feed_queue: usize,
    /// Messages that wait for a score. Default: `8192`.
    pub chat_queue: usize,
    /// How long a message waits for its score on a live clock before it is shed. Default: `2s`.
    pub chat_wait: Dur,
    /// Looks that wait for a score. Default: `64`.
    pub look_queue: usize,
    /// Events and scores on their way to a channel shard. Default: `4096`.
    pub shard_queue: usize,
    /// Events that wait in the shards for scores, their own or of what came before them; beyond it feeds are read more
    /// slowly. Default: `65536`.
    pub backlog: usize,
    /// Scored texts that are remembered, so that a repeated text costs nothing. Default: `20000`.
    pub score_cache: usize,
    /// Channels in memory; the longest idle ones go to the store. Default: `100000`.
    pub channels: usize,
    /// A channel without level, alert or event for this long goes to the store until something comes. Default: `10m`.
    pub idle: Dur,
    /// Authors whose names are known to be stored already; others are stored again. Default: `4096`.
    pub users: usize,
    /// Memory of the ring of the last two minutes, over all channels; one alone holds at most a quarter of it.
    /// Default: `256MiB`.
    pub ring: Size,
    /// Paid messages of one channel in a second that are scored singly. Default: `50`.
    pub paid_per_second: u32,
    /// How long later events of a channel wait for a look's score on a live clock. Default: `500ms`.
    pub look_wait: Dur,
    /// Longest time between two looks at a live channel that is asked for pictures. Default: `20s`.
    pub look_every: Dur,
    /// Pictures in one look that is asked for, 1..8. Default: `8`.
    pub look_burst: u32,
    /// Time over which one look's pictures are spread, at most 2 s. Default: `2s`.
    pub look_over: Dur,
    /// Open pages that listen for changes. Default: `64`.
    pub stream_clients: usize,
    /// Changes that wait for one such page before it is told to reload. Default: `256`.
    pub stream_queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: Size::mib(8),
            late: Dur::mins(10),
            dedupe: 200_000,
            feed_queue: 4096,
            chat_queue: 8192,
            chat_wait: Dur::secs(2),
            look_queue: 64,
            shard_queue: 4096,
            backlog: 65_536,
            score_cache: 20_000,
            channels: 100_000,
            idle: Dur::mins(10),
            users: 4096,
            ring: Size::mib(256),
            paid_per_second: 50,
            look_wait: Dur::ms(500),
            look_every: Dur::secs(20),
            look_burst: 8,
            look_over: Dur::secs(2),
            stream_clients: 64,
            stream_queue: 256,
        }
    }
}

/// Retention of what concerns people; of evidence see `[evidence]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Privacy {
    /// How long the encrypted id and name of an author are kept after nothing kept refers to them any more: what was
    /// said goes with `[evidence] ring`, what was paid with `acts`, what an alert cites with `cited`. Default: `24h`.
    pub identities: Dur,
    /// How long a channel's own history is kept on disk after its last event. Default: `90d`.
    pub channels: Dur,
}

impl Default for Privacy {
    fn default() -> Self {
        Self { identities: Dur::hours(24), channels: Dur::days(90) }
    }
}

/// The table by which amounts become EUR.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CurrencyFile {
    /// The file. Default: `currency.toml`.
    pub file: PathBuf,
    /// Its content.
    #[serde(skip)]
    pub table: Currency,
}

impl Default for CurrencyFile {
    fn default() -> Self {
        Self { file: "currency.toml".into(), table: Currency::default() }
    }
}

/// Whom a notification goes to, by Member State.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AuthoritiesFile {
    /// The file; its entries override the built-in ones of the same code. Default: `authorities.toml`.
    pub file: PathBuf,
    /// The entries.
    #[serde(skip)]
    pub list: Authorities,
}

impl Default for AuthoritiesFile {
    fn default() -> Self {
        Self { file: "authorities.toml".into(), list: Authorities::default() }
    }
}
