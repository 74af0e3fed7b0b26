//! The command line as `clap` reads it: every command, its flags and its help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A lookout for live streams: sees paid violence build up, raises explained alerts, drafts the DSA Article 18
/// notification.
#[derive(Parser)]
#[command(name = "vigie", version, about, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Verb>,
}

/// The config of a command.
#[derive(Args, Clone, Debug)]
pub struct ConfigArg {
    /// Config file.
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "VIGIE_CONFIG",
        default_value = "config/vigie.toml"
    )]
    pub config: PathBuf,
}

#[derive(Subcommand)]
pub enum Verb {
    /// Run the daemon until SIGTERM or Ctrl-C.
    Run(ConfigArg),
    /// Validate config, rules, models and credentials; exit 0 or 2.
    Check {
        #[command(flatten)]
        config: ConfigArg,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// A simulated platform, the daemon and its page; nothing else needed.
    Demo(DemoArgs),
    /// Run recordings or a journal through the pipeline on virtual time; store and tell nothing.
    Replay(ReplayArgs),
    /// Score texts, pictures or signals with the models, as the daemon does.
    Score {
        #[command(subcommand)]
        what: ScoreWhat,
    },
    /// The Article 18 dossier of an alert: a draft, marked so.
    Dossier(DossierArgs),
    /// Take an alert: a named person is on it.
    Ack(DecideArgs),
    /// End an alert; what comes after it is a new one.
    Close(DecideArgs),
    /// Benchmarks against named baselines on this machine, as ratios.
    Bench {
        /// Which; all if none is named.
        names: Vec<String>,
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// JSON Schema of the config, events or alerts; the list of signals.
    Schema { of: SchemaOf },
    /// Sinks: who is told of alerts.
    Sink {
        #[command(subcommand)]
        what: SinkWhat,
    },
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  vigie demo\n  vigie demo --scenario quiet --speed 20\n  vigie demo --port 0 --state ./demo-state"
)]
pub struct DemoArgs {
    /// paid-violence, paid-violence-en, quiet or swatting.
    #[arg(long, value_name = "NAME", default_value = "paid-violence")]
    pub scenario: String,
    /// Port of the page on loopback; 0 takes any.
    #[arg(long, default_value_t = 8787)]
    pub port: u16,
    /// Simulated seconds in a second.
    #[arg(long, default_value_t = crate::sim::DEFAULT_SPEED)]
    pub speed: f64,
    /// Folder for state; kept. Without it a fresh one is removed at the end.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// End by itself after so many seconds.
    #[arg(long)]
    pub seconds: Option<u64>,
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  vigie replay evening.jsonl.zst\n  vigie replay --json /var/lib/vigie/journal > alerts.jsonl"
)]
pub struct ReplayArgs {
    /// Recordings (.jsonl, .jsonl.zst), merged by time; or journal segments or a journal folder.
    #[arg(required = true)]
    pub recordings: Vec<PathBuf>,
    /// Alerts as JSON lines instead of a timeline.
    #[arg(long)]
    pub json: bool,
    /// Inference threads; the outcome does not depend on it.
    #[arg(long)]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub config: ConfigArg,
}

#[derive(Subcommand)]
pub enum ScoreWhat {
    /// JSON lines {"text": …, optional "paid", "category", "language"} in, scores out, same order.
    Chat {
        /// File; `-` or none: standard input.
        file: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Pictures (.jpg), folders of them, or videos (through ffmpeg) in; one line a look out.
    Frames {
        /// Pictures a second taken from videos.
        #[arg(long, default_value_t = 4.0)]
        fps: f64,
        /// One line a path: for each label the highest look.
        #[arg(long)]
        clip: bool,
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// JSON lines of signal name → number in, the escalation model's probabilities out.
    Escalation {
        /// File; `-` or none: standard input.
        file: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArg,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DossierFormat {
    Json,
    Html,
    Pdf,
}

#[derive(Args)]
#[command(after_help = "Example:\n  vigie dossier 5b2c --format html --lang fr -o dossier.html")]
pub struct DossierArgs {
    /// Id of the alert, or the unambiguous beginning of it.
    pub alert: String,
    #[arg(long, value_enum, default_value = "html")]
    pub format: DossierFormat,
    /// fr or en; the config's language by default.
    #[arg(long)]
    pub lang: Option<String>,
    /// Write to a file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub config: ConfigArg,
}

#[derive(Args)]
#[command(
    after_help = "Example:\n  vigie ack 5b2c --by \"A. Nuit\" --why \"watching the stream, calling the platform\""
)]
pub struct DecideArgs {
    /// Id of the alert, or the unambiguous beginning of it.
    pub alert: String,
    /// Who decides.
    #[arg(long)]
    pub by: String,
    /// Why; kept with the decision.
    #[arg(long)]
    pub why: String,
    #[command(flatten)]
    pub config: ConfigArg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    Config,
    Event,
    Alert,
    Signals,
}

#[derive(Subcommand)]
pub enum SinkWhat {
    /// Send a marked test alert and show the answer.
    Test {
        name: String,
        #[command(flatten)]
        config: ConfigArg,
    },
}
